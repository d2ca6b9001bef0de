//! What readers ask of a table's stream, as ordinary calls: its shards, and the records of one.

use std::collections::BTreeMap;

use contract::{Arn, Call, Caller, Document, Fault, OperationId};
use serde_json::{Value, json};

use crate::stream::{Checkpoint, Record};

const DESCRIBE: OperationId = OperationId { service: "dynamodbstreams", name: "DescribeStream" };
const ITERATOR: OperationId = OperationId { service: "dynamodbstreams", name: "GetShardIterator" };
const RECORDS: OperationId = OperationId { service: "dynamodbstreams", name: "GetRecords" };

/// The most records of one answer.
const AT_ONCE: usize = 1_000;
/// More pages of shards than a stream of a day has.
const PAGES_MAX: usize = 100;

/// A shard, as the stream tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
}

/// Where a reader is in a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Oldest,
    After(u128),
    At(String),
}

impl Position {
    /// Where to go on from a checkpoint.
    pub(crate) fn of(checkpoint: &Checkpoint) -> Self {
        match (checkpoint.after, &checkpoint.start) {
            (Some(after), _) => Self::After(after),
            (None, Some(iterator)) => Self::At(iterator.clone()),
            (None, None) => Self::Oldest,
        }
    }
}

/// What one look into a shard gave.
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// None: the shard has ended, and this was all of it.
    pub(crate) next: Option<Position>,
}

/// The shards of a stream, parents first.
pub(crate) async fn list(caller: &dyn Caller, call: &Call, stream: &Arn) -> Result<Vec<Told>, Fault> {
    let mut shards = Vec::new();
    let mut after: Option<Value> = None;
    for _ in 0..PAGES_MAX {
        let mut input = json!({ "StreamArn": stream.to_string() });
        if let Some(after) = after.take() {
            input["ExclusiveStartShardId"] = after;
        }
        let answer = caller.call(DESCRIBE, call, input).await?;
        let description = answer.get("StreamDescription").unwrap_or(&Value::Null);
        for shard in description.get("Shards").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| shard.get(name).and_then(Value::as_str).map(str::to_owned);
            shards.extend(text("ShardId").map(|id| Told { id, parent: text("ParentShardId") }));
        }
        after = description.get("LastEvaluatedShardId").filter(|last| last.is_string()).cloned();
        if after.is_none() {
            break;
        }
    }
    Ok(shards)
}

/// Checkpoints at the end of all shards that there are now: what is committed before this is asked is not read.
pub async fn latest(caller: &dyn Caller, call: &Call, stream: &Arn) -> Result<BTreeMap<String, Checkpoint>, Fault> {
    let mut checkpoints = BTreeMap::new();
    for Told { id, .. } in list(caller, call, stream).await? {
        let start = iterator(caller, call, stream, &id, json!({ "ShardIteratorType": "LATEST" })).await?;
        checkpoints.insert(id, Checkpoint { start: Some(start), ..Checkpoint::default() });
    }
    Ok(checkpoints)
}

/// Refuses a stream that cannot be asked.
pub async fn check(caller: &dyn Caller, call: &Call, stream: &Arn) -> Result<(), Fault> {
    list(caller, call, stream).await.map(drop)
}

async fn iterator(caller: &dyn Caller, call: &Call, stream: &Arn, shard: &str, kind: Value) -> Result<String, Fault> {
    let mut input = kind;
    input["StreamArn"] = stream.to_string().into();
    input["ShardId"] = shard.into();
    let answer = caller.call(ITERATOR, call, input).await?;
    Ok(answer.get("ShardIterator").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Records from a position on, as soon as there are some; after a while none.
pub(crate) async fn records(
    caller: &dyn Caller,
    call: &Call,
    stream: &Arn,
    shard: &str,
    from: &Position,
    most: usize,
) -> Result<Page, Fault> {
    let kind = match from {
        Position::Oldest => json!({ "ShardIteratorType": "TRIM_HORIZON" }),
        Position::After(sequence) => {
            json!({ "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence.to_string() })
        }
        Position::At(_) => Value::Null,
    };
    let at = match from {
        Position::At(at) => at.clone(),
        Position::Oldest | Position::After(_) => iterator(caller, call, stream, shard, kind).await?,
    };
    let input = json!({ "ShardIterator": at, "Limit": most.clamp(1, AT_ONCE) });
    let mut answer = caller.call(RECORDS, call, input).await?;
    let told = answer.get_mut("Records").map(Value::take);
    let next = answer.get("NextShardIterator").and_then(Value::as_str).map(|next| Position::At(next.to_owned()));
    let told = match told {
        Some(Value::Array(told)) => told,
        Some(_) | None => Vec::new(),
    };
    Ok(Page { records: told.into_iter().filter_map(|record| of_table(record, stream)).collect(), next })
}

/// A record as functions get it. None if it has no sequence number, which a stream's own answer has.
fn of_table(mut document: Document, stream: &Arn) -> Option<Record> {
    let inner = document.get_mut("dynamodb")?;
    let sequence = inner.get("SequenceNumber")?.as_str()?.parse().ok()?;
    let created = inner.get("ApproximateCreationDateTime").and_then(Value::as_f64).unwrap_or_default();
    let partition = inner.get("Keys").map(Value::to_string).unwrap_or_default();
    // Whole seconds, without a point.
    inner["ApproximateCreationDateTime"] = (created as i64).into();
    let members = document.as_object_mut()?;
    if let Some(identity) = members.remove("userIdentity").filter(Value::is_object) {
        // Events spell it in small letters.
        let told = json!({ "principalId": identity.get("PrincipalId"), "type": identity.get("Type") });
        members.insert("userIdentity".to_owned(), told);
    }
    members.insert("eventSourceARN".to_owned(), stream.to_string().into());
    let bytes = document.to_string().len();
    Some(Record { sequence, partition, arrived_ms: (created * 1_000.0) as i64, document, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_functions_expect() {
        let stream =
            Arn::parse("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000").unwrap();
        let told = json!({
            "eventID": "1", "eventName": "REMOVE", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000.0, "Keys": { "id": { "S": "a" } },
                "SequenceNumber": "100000000000000000001", "SizeBytes": 3, "StreamViewType": "KEYS_ONLY",
            },
            "userIdentity": { "PrincipalId": "dynamodb.amazonaws.com", "Type": "Service" },
        });
        let mut expected = told.clone();
        expected["dynamodb"]["ApproximateCreationDateTime"] = json!(1_700_000_000);
        expected["userIdentity"] = json!({ "principalId": "dynamodb.amazonaws.com", "type": "Service" });
        expected["eventSourceARN"] = stream.to_string().into();
        let record = of_table(told, &stream).unwrap();
        assert_eq!(record.document, expected);
        assert_eq!((record.sequence, record.arrived_ms), (100_000_000_000_000_000_001, 1_700_000_000_000));
        assert_eq!(record.partition, r#"{"id":{"S":"a"}}"#);
        assert_eq!(of_table(json!({ "dynamodb": {} }), &stream), None);
    }

    #[test]
    fn a_checkpoint_says_where_to_go_on() {
        let start = Checkpoint { start: Some("it".to_owned()), ..Checkpoint::default() };
        assert_eq!(Position::of(&start), Position::At("it".to_owned()));
        assert_eq!(Position::of(&Checkpoint { after: Some(7), ..start }), Position::After(7));
        assert_eq!(Position::of(&Checkpoint::default()), Position::Oldest);
    }
}
