//! The log of what was no item of an import: a line for each record, in `/aws-dynamodb/imports`, in a stream of the import's own.
//!
//! It is written by ordinary calls, with the rights of who wanted the import. A log that cannot be written to does not hold up the import:
//! how many records were no items is counted in any case. Of an object that is read again after a crash lines may be there twice.

use contract::{Arn, Operation, Region};
use serde_json::json;
use wire::{Shape, logs};

use crate::Tables;
use crate::buckets::{Bucket, Unanswered};
use crate::model::Scope;
use crate::model::import::Import;

/// Where all imports' logs are, as on AWS.
const GROUP: &str = "/aws-dynamodb/imports";
/// So many records of an import are told of one by one.
pub(crate) const LINES_MAX: u64 = 10_000;
/// The most of why a record is no item that is told: it may quote what was there.
const WHY_CHARS_MAX: usize = 1_000;

/// A record that is no item: which of its object, from 0, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) index: u64,
    pub(crate) why: String,
}

impl Misfit {
    pub(crate) fn new(index: u64, why: &str) -> Self {
        Self { index, why: why.chars().take(WHY_CHARS_MAX).collect() }
    }
}

/// The ARN of the group, as descriptions of imports have it.
pub(crate) fn group_arn(scope: &Scope) -> String {
    let region: &Region = &scope.region;
    Arn::new("logs", region, scope.account, format!("log-group:{GROUP}:*")).to_string()
}

impl Tables {
    /// Tells of records of an object that were no items.
    pub(super) async fn tell_misfits(&self, bucket: &Bucket<'_>, import: &Import, key: &str, misfits: &[Misfit]) {
        let now_ms = self.now_ms();
        let arn = import.arn(bucket.scope());
        let line = |misfit: &Misfit| {
            let place = json!({ "bucket": import.spot.bucket, "key": key, "itemIndex": misfit.index });
            let line = json!({ "itemS3Pointer": place, "importArn": arn, "errorMessages": [misfit.why] });
            logs::InputLogEvent { timestamp: now_ms, message: line.to_string() }
        };
        let stream = format!("{}/error", import.id);
        let lines = misfits.iter().map(line).collect();
        if let Err(unanswered) = write(bucket, &stream, lines).await {
            tracing::warn!(import = arn, ?unanswered, "the log of an import cannot be written");
        }
    }
}

/// Writes lines, and makes what they go to where it is not there yet.
async fn write(bucket: &Bucket<'_>, stream: &str, lines: Vec<logs::InputLogEvent>) -> Result<(), Unanswered> {
    let (group, stream) = (GROUP.to_owned(), stream.to_owned());
    let input = logs::PutLogEventsRequest {
        log_group_name: group.clone(),
        log_stream_name: stream.clone(),
        log_events: lines,
        ..Default::default()
    };
    match bucket.ask::<logs::PutLogEvents>(input.clone()).await {
        Err(Unanswered::Never(code, _)) if code == "ResourceNotFoundException" => {}
        answer => return answer.map(drop),
    }
    let log_group_name = group.clone();
    make::<logs::CreateLogGroup>(bucket, logs::CreateLogGroupRequest { log_group_name, ..Default::default() }).await?;
    let made = logs::CreateLogStreamRequest { log_group_name: group, log_stream_name: stream };
    make::<logs::CreateLogStream>(bucket, made).await?;
    bucket.ask::<logs::PutLogEvents>(input).await.map(drop)
}

/// Makes something that may be there already.
async fn make<Op>(bucket: &Bucket<'_>, input: Op::Input) -> Result<(), Unanswered>
where
    Op: Operation,
    Op::Input: Shape + Clone,
{
    match bucket.ask::<Op>(input).await {
        Err(Unanswered::Never(code, _)) if code == "ResourceAlreadyExistsException" => Ok(()),
        answer => answer.map(drop),
    }
}
