//! What exports and imports do with buckets: ordinary calls by the road that every call takes, with the rights of who wanted them.

use std::time::Duration;

use base::Backoff;
use bytes::Bytes;
use contract::{Call, Cause, Fault, Operation, Origin, Trace};
use wire::{Payload, Shape, s3};

use crate::Tables;
use crate::error::Error;
use crate::model::Scope;
use crate::model::transfer::{Asker, Spot};

/// The longest that one call to a bucket may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What may yet succeed is asked again so often before all the work is put off.
const TRIES: u32 = 4;

/// A bucket as somebody sees it.
#[derive(Debug)]
pub(crate) struct Bucket<'a> {
    tables: &'a Tables,
    scope: &'a Scope,
    asker: &'a Asker,
    spot: &'a Spot,
}

/// A call that a bucket did not answer as it should.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It may, later.
    Later(Error),
    /// It never will: a code and words.
    Never(String, String),
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        match fault.cause {
            Cause::Unavailable | Cause::Throttled | Cause::Internal | Cause::TimedOut => {
                Self::Later(Error::Unavailable(fault.message))
            }
            Cause::Denied | Cause::Unauthenticated => Self::Never("AccessDenied".to_owned(), fault.message),
            Cause::Invalid | Cause::NotFound | Cause::Conflict | Cause::TooLarge | Cause::Unserved => {
                Self::Never(fault.code, fault.message)
            }
        }
    }
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

impl Tables {
    /// A bucket as `asker` sees it.
    pub(crate) fn bucket<'a>(&'a self, scope: &'a Scope, asker: &'a Asker, spot: &'a Spot) -> Bucket<'a> {
        Bucket { tables: self, scope, asker, spot }
    }
}

impl Bucket<'_> {
    /// Whose bucket it is.
    pub(crate) fn scope(&self) -> &Scope {
        self.scope
    }

    fn call(&self) -> Call {
        let (clock, random) = (&self.tables.clock, &self.tables.random);
        Call {
            id: random.uuid(),
            principal: self.asker.principal(),
            account: self.scope.account,
            region: self.scope.region.clone(),
            deadline: clock.elapsed() + PATIENCE,
            trace: Trace::start(clock, random),
            hops: 1,
            origin: Origin::Inside { part: "dynamodb", base_url: self.asker.base_url().into() },
        }
    }

    /// Makes a call, some times where it may yet succeed.
    pub(crate) async fn ask<Op>(&self, input: Op::Input) -> Result<Op::Output, Unanswered>
    where
        Op: Operation,
        Op::Input: Shape + Clone,
    {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        loop {
            let answer = self.tables.dispatch.call_typed::<Op>(&self.call(), input.clone()).await;
            match answer.map_err(Unanswered::from) {
                Err(Unanswered::Later(_)) if backoff.tries() < TRIES => {
                    self.tables.check_running()?;
                    self.tables.clock.sleep(backoff.next(&self.tables.random)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Puts an object. Its ETag.
    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        encryption: Option<&(String, Option<String>)>,
    ) -> Result<String, Unanswered> {
        let input = s3::PutObjectRequest {
            bucket: self.spot.bucket.clone(),
            key: key.to_owned(),
            content_length: i64::try_from(bytes.len()).ok(),
            body: Some(Payload::from(bytes)),
            expected_bucket_owner: self.spot.owner.clone(),
            server_side_encryption: encryption.map(|(algorithm, _)| match algorithm.as_str() {
                "KMS" => "aws:kms".to_owned(),
                other => other.to_owned(),
            }),
            ssekms_key_id: encryption.and_then(|(_, key)| key.clone()),
            ..Default::default()
        };
        let output = self.ask::<s3::PutObject>(input).await?;
        Ok(output.e_tag.unwrap_or_default().trim_matches('"').to_owned())
    }

    /// The keys of some objects under the prefix behind one, in order, and whether there are more.
    pub(crate) async fn list(&self, after: Option<&str>) -> Result<(Vec<String>, bool), Unanswered> {
        let input = s3::ListObjectsV2Request {
            bucket: self.spot.bucket.clone(),
            prefix: self.spot.prefix.clone(),
            start_after: after.map(str::to_owned),
            expected_bucket_owner: self.spot.owner.clone(),
            ..Default::default()
        };
        let output = self.ask::<s3::ListObjectsV2>(input).await?;
        let keys = output.contents.into_iter().flatten().filter_map(|object| object.key).collect();
        Ok((keys, output.is_truncated.unwrap_or(false)))
    }

    /// What an object holds.
    pub(crate) async fn get(&self, key: &str) -> Result<Payload, Unanswered> {
        let input = s3::GetObjectRequest {
            bucket: self.spot.bucket.clone(),
            key: key.to_owned(),
            expected_bucket_owner: self.spot.owner.clone(),
            ..Default::default()
        };
        let output = self.ask::<s3::GetObject>(input).await?;
        Ok(output.body.unwrap_or_default())
    }
}
