//! `CreateBucket`, `DeleteBucket`, `HeadBucket`, `ListBuckets`, `GetBucketLocation`.

use ::store::{Range, Scan};
use contract::{Arn, Call, Effect, Fault, Handle, Principal, Region};
use serde_json::{Value, json};
use wire::Empty;
use wire::s3;

use super::acls::list_in_the_way;
use super::{all_buckets, bucket_arn, owner, time};
use crate::Objects;
use crate::acl;
use crate::error::{Error, access_denied, invalid_argument, refused};
use crate::model::{Bucket, Versioning, check_bucket_name};
use crate::store::{ACL, OWNERSHIP, PUBLIC_ACCESS, bucket_key, uploads_key};

/// The region that has no name where buckets' places are told.
const FIRST_REGION: &str = "us-east-1";

impl Handle<s3::CreateBucket> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::CreateBucketRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: s3::CreateBucketRequest) -> Result<s3::CreateBucketOutput, Fault> {
        check_bucket_name(&input.bucket)?;
        let region = place(call, &input)?;
        let lock = input.object_lock_enabled_for_bucket.unwrap_or_default();
        let versioning = if lock { Versioning::Enabled } else { Versioning::Never };
        let bucket = Bucket {
            name: input.bucket.clone(),
            region,
            created_ms: self.now_ms(),
            versioning,
            lock,
            ..Bucket::default()
        };
        let ownership = input.object_ownership.unwrap_or_else(|| "BucketOwnerEnforced".into());
        check_ownership(&ownership)?;
        let list = acl::said!(input, write).list(call.account)?;
        if ownership == "BucketOwnerEnforced" && list.has_others(call.account) {
            return Err(list_in_the_way());
        }
        // New buckets have nothing that is public; where nothing is refused to anybody, that would protect nothing.
        if list.is_public() && !matches!(call.principal, Principal::Open { .. }) {
            return Err(access_denied());
        }
        let list = list.keep();
        let tags = input.create_bucket_configuration.and_then(|configuration| configuration.tags);
        self.shelf
            .store
            .transact(|tx| {
                let (bucket, tags, ownership, list) = (bucket.clone(), tags.clone(), ownership.clone(), list.clone());
                async move {
                    let there: Option<Bucket> = tx.get_record(&bucket_key(&bucket.name)).await?;
                    match there {
                        // As AWS has it in its first region: whoever owns it already gets it again.
                        Some(there) if there.region == FIRST_REGION && bucket.region == FIRST_REGION => return Ok(()),
                        Some(there) => {
                            let message =
                                "Your previous request to create the named bucket succeeded and you already own it.";
                            return Err(Error::from(
                                refused(409, "BucketAlreadyOwnedByYou", message).with("BucketName", there.name),
                            ));
                        }
                        None => {}
                    }
                    let mut bucket = bucket;
                    for (kind, document) in first_settings(&ownership, tags, list) {
                        self.shelf.set_config(&tx, &mut bucket, kind, "", Some(&document)).await?;
                    }
                    tx.put_record(bucket_key(&bucket.name), &bucket);
                    Ok(())
                }
            })
            .await?;
        let location = Some(format!("/{}", input.bucket));
        Ok(s3::CreateBucketOutput { location, bucket_arn: Some(bucket_arn(&input.bucket).to_string()) })
    }
}

/// What a bucket of today begins with: its owner owns everything in it, and nothing of it is public.
fn first_settings(ownership: &str, tags: Option<Vec<s3::Tag>>, list: Option<String>) -> Vec<(&'static str, Value)> {
    let mut settings = vec![
        (OWNERSHIP, json!({ "Rules": [{ "ObjectOwnership": ownership }] })),
        (
            PUBLIC_ACCESS,
            json!({
                "BlockPublicAcls": true,
                "IgnorePublicAcls": true,
                "BlockPublicPolicy": true,
                "RestrictPublicBuckets": true,
            }),
        ),
    ];
    settings.extend(list.map(|list| (ACL, list.into())));
    if let Some(tags) = tags.filter(|tags| !tags.is_empty()) {
        settings.push(("tagging", wire::document::write(&s3::Tagging { tag_set: tags })));
    }
    settings
}

fn check_ownership(ownership: &str) -> Result<(), Fault> {
    match ownership {
        "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter" => Ok(()),
        other => Err(invalid_argument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", other)),
    }
}

/// Where the bucket is asked for. A client that names no place means the first region, whichever it signs for.
fn place(call: &Call, input: &s3::CreateBucketRequest) -> Result<String, Fault> {
    let asked = input.create_bucket_configuration.as_ref().and_then(|asked| asked.location_constraint.as_deref());
    match asked {
        None | Some("") => match call.region.as_str() {
            FIRST_REGION | "aws-global" => Ok(FIRST_REGION.into()),
            other => Ok(other.to_owned()),
        },
        Some("EU") => Ok("eu-west-1".into()),
        Some(FIRST_REGION) => {
            Err(refused(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
                .with("LocationConstraint", FIRST_REGION))
        }
        Some(name) => match Region::parse(name) {
            Some(region) => Ok(region.as_str().to_owned()),
            None => Err(refused(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
                .with("LocationConstraint", name)),
        },
    }
}

impl Handle<s3::DeleteBucket> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::DeleteBucketRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    /// Uploads that go on end with their bucket, and only if it does.
    async fn handle(&self, _call: &Call, input: s3::DeleteBucketRequest) -> Result<Empty, Fault> {
        let name = &input.bucket;
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, name).await?;
        self.shelf.check_empty(&snapshot, name).await?;
        loop {
            let range = Range::prefix(&uploads_key(name));
            let (uploads, _) = self.shelf.uploads(&self.shelf.snapshot(), name, range, 1).await?;
            let Some((key, upload, _)) = uploads.into_iter().next() else { break };
            match self.abort(name, &key, &upload).await {
                // Completed or aborted meanwhile.
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, name).await?;
                if !tx.scan(Range::prefix(&uploads_key(name)), Scan::first(1)).await?.items.is_empty() {
                    let message = "A conflicting conditional operation is currently in progress against this resource. Try again.";
                    return Err(Error::from(refused(409, "OperationAborted", message)));
                }
                self.shelf.delete_bucket(&tx, &bucket).await
            })
            .await?;
        Ok(Empty)
    }
}

impl Handle<s3::HeadBucket> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListBucket");

    fn resource(&self, _call: &Call, input: &s3::HeadBucketRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, _call: &Call, input: s3::HeadBucketRequest) -> Result<s3::HeadBucketOutput, Fault> {
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        Ok(s3::HeadBucketOutput {
            bucket_region: Some(bucket.region),
            access_point_alias: Some(false),
            ..s3::HeadBucketOutput::default()
        })
    }
}

impl Handle<s3::GetBucketLocation> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetBucketLocationRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: s3::GetBucketLocationRequest,
    ) -> Result<s3::GetBucketLocationOutput, Fault> {
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        Ok(s3::GetBucketLocationOutput {
            location_constraint: Some(bucket.region).filter(|place| place != FIRST_REGION),
        })
    }
}

impl Handle<s3::ListBuckets> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListAllMyBuckets");

    fn resource(&self, _call: &Call, _input: &s3::ListBucketsRequest) -> Arn {
        all_buckets()
    }

    async fn handle(&self, call: &Call, input: s3::ListBucketsRequest) -> Result<s3::ListBucketsOutput, Fault> {
        const BUCKETS_MAX: i32 = 10_000;
        let limit = input.max_buckets.unwrap_or(BUCKETS_MAX);
        if !(1..=BUCKETS_MAX).contains(&limit) {
            let message = "Argument max-buckets must be an integer between 1 and 10000";
            return Err(invalid_argument(message, "max-buckets", &limit.to_string()));
        }
        let prefix = input.prefix.unwrap_or_default();
        let mut after = input.continuation_token;
        let mut shown = Vec::new();
        let mut more = true;
        while more && shown.len() < limit as usize {
            let left = limit as usize - shown.len();
            let (buckets, rest) = self.shelf.buckets(&prefix, after.as_deref(), left).await?;
            after = buckets.last().map(|bucket| bucket.name.clone()).or(after);
            more = rest && !buckets.is_empty();
            let wanted = |bucket: &Bucket| input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region);
            shown.extend(buckets.into_iter().filter(wanted).map(|bucket| s3::Bucket {
                bucket_arn: Some(bucket_arn(&bucket.name).to_string()),
                name: Some(bucket.name),
                creation_date: time(bucket.created_ms),
                bucket_region: Some(bucket.region),
            }));
        }
        Ok(s3::ListBucketsOutput {
            buckets: Some(shown),
            owner: Some(owner(call)),
            continuation_token: after.filter(|_| more),
            prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
        })
    }
}
