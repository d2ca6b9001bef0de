//! What a pipe takes from, and how: read out of `SourceParameters`.

use std::time::Duration;

use contract::{Arn, Document, Fault};
use mapping::Limits;
use mapping::gathering::BATCH_BYTES_MAX;
use mapping::stream::Settings;
use serde_json::Value;

use crate::faults;

/// The most messages of a batch that does not wait for more.
const SMALL_BATCH_MAX: u64 = 10;
/// Records of a batch, where nobody says how many.
const RECORDS: u64 = 100;
/// Members of the parameters of a stream.
const STREAM: &str = "DynamoDBStreamParameters";
const START: &str = "StartingPosition";

/// What a pipe takes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The messages of a queue.
    Queue {
        /// It.
        arn: Arn,
        /// What a batch may be.
        limits: Limits,
    },
    /// The records of a table's stream.
    Stream(Stream),
}

/// A table's stream as a source.
#[derive(Clone, Debug)]
pub struct Stream {
    /// It.
    pub arn: Arn,
    /// How its shards are read.
    pub settings: Settings,
    /// Whether what lies in it already is left alone.
    pub is_from_now: bool,
    /// Who is told of records that are given up.
    pub dead_letters: Option<String>,
}

impl Source {
    /// Refuses what nothing could be taken from.
    pub fn read(arn: &str, parameters: &Document) -> Result<Self, Fault> {
        match Arn::parse(arn) {
            Some(queue) if queue.service == "sqs" => of_queue(queue, parameters),
            Some(stream) if stream.service == "dynamodb" && stream.resource.contains("/stream/") => {
                of_stream(stream, parameters.get(STREAM).unwrap_or(&Value::Null)).map(Self::Stream)
            }
            Some(_) | None => Err(faults::invalid(format!(
                "Freehold has pipes from queues and from streams of tables, and {arn} is neither: other streams come with their \
                 services."
            ))),
        }
    }
}

/// Where the stream begins cannot be changed, so an update does not speak of it: it stays.
pub fn keep_start(before: &Document, after: &mut Document) {
    let Some(start) = before.get(STREAM).and_then(|stream| stream.get(START)) else { return };
    if let Some(Value::Object(stream)) = after.get_mut(STREAM) {
        stream.entry(START).or_insert_with(|| start.clone());
    }
}

fn of_queue(arn: Arn, parameters: &Document) -> Result<Source, Fault> {
    let number = |path: &str| parameters.pointer(path).and_then(Value::as_u64);
    let size = number("/SqsQueueParameters/BatchSize").unwrap_or(SMALL_BATCH_MAX);
    let window_s = number("/SqsQueueParameters/MaximumBatchingWindowInSeconds").unwrap_or(0);
    if arn.resource.ends_with(".fifo") && (size > SMALL_BATCH_MAX || window_s > 0) {
        return Err(faults::invalid(
            "A pipe from a FIFO queue has a BatchSize of 10 at most, and no MaximumBatchingWindowInSeconds.",
        ));
    }
    if size > SMALL_BATCH_MAX && window_s == 0 {
        return Err(faults::invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    let limits = Limits {
        messages: usize::try_from(size).unwrap_or(1),
        window: Duration::from_secs(window_s),
        bytes: BATCH_BYTES_MAX,
    };
    Ok(Source::Queue { arn, limits })
}

/// The operation has held the ranges of numbers already. A number below zero stands for no bound.
fn of_stream(arn: Arn, given: &Value) -> Result<Stream, Fault> {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let number = |name: &str| given.get(name).and_then(Value::as_u64);
    let is_from_now = match text(START) {
        Some("LATEST") => true,
        Some("TRIM_HORIZON") => false,
        Some(_) | None => {
            return Err(faults::invalid("A pipe from a stream needs a StartingPosition, TRIM_HORIZON or LATEST."));
        }
    };
    let dead_letters = given.pointer("/DeadLetterConfig/Arn").and_then(Value::as_str);
    if let Some(to) = dead_letters
        && !Arn::parse(to).is_some_and(|arn| matches!(arn.service.as_str(), "sqs" | "sns"))
    {
        return Err(faults::invalid(format!(
            "The DeadLetterConfig of a stream is a queue or a topic, and {to} is neither."
        )));
    }
    let whole = |name: &str, otherwise: u64| usize::try_from(number(name).unwrap_or(otherwise)).unwrap_or(1);
    Ok(Stream {
        arn,
        settings: Settings {
            batch: whole("BatchSize", RECORDS),
            window: Duration::from_secs(number("MaximumBatchingWindowInSeconds").unwrap_or(0)),
            lanes: whole("ParallelizationFactor", 1),
            bisects: text("OnPartialBatchItemFailure") == Some("AUTOMATIC_BISECT"),
            retries_max: number("MaximumRetryAttempts").and_then(|most| u32::try_from(most).ok()),
            age_max: number("MaximumRecordAgeInSeconds").map(Duration::from_secs),
            tumbling: None,
        },
        is_from_now,
        dead_letters: dead_letters.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/t";

    fn stream(given: Value) -> Result<Stream, Fault> {
        let source = format!("{TABLE}/stream/2026-01-01T00:00:00.000");
        match Source::read(&source, &json!({ STREAM: given }))? {
            Source::Stream(stream) => Ok(stream),
            Source::Queue { arn, .. } => panic!("{arn} is no queue"),
        }
    }

    #[test]
    fn a_stream_is_read_as_its_parameters_say() {
        let plain = stream(json!({ "StartingPosition": "LATEST" })).unwrap();
        let Settings { batch, window, lanes, bisects, retries_max, age_max, tumbling } = plain.settings;
        assert_eq!((batch, window, lanes, bisects), (100, Duration::ZERO, 1, false));
        assert_eq!((retries_max, age_max, tumbling, plain.is_from_now), (None, None, None, true));
        let all = stream(json!({
            "StartingPosition": "TRIM_HORIZON", "BatchSize": 7, "MaximumBatchingWindowInSeconds": 3, "ParallelizationFactor": 2,
            "OnPartialBatchItemFailure": "AUTOMATIC_BISECT", "MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60,
            "DeadLetterConfig": { "Arn": "arn:aws:sns:us-east-1:000000000000:t" },
        }))
        .unwrap();
        let Settings { batch, window, lanes, bisects, retries_max, age_max, .. } = all.settings;
        assert_eq!((batch, window, lanes, bisects), (7, Duration::from_secs(3), 2, true));
        assert_eq!((retries_max, age_max, all.is_from_now), (Some(0), Some(Duration::from_secs(60)), false));
        let unbounded =
            json!({ "StartingPosition": "LATEST", "MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1 });
        let unbounded = stream(unbounded).unwrap().settings;
        assert_eq!((unbounded.retries_max, unbounded.age_max), (None, None));
    }

    #[test]
    fn what_nothing_could_be_taken_from_is_refused() {
        let check = |found: Result<Stream, Fault>, expected: &str| {
            let fault = found.expect_err(expected);
            assert!(fault.message.contains(expected), "{fault}");
        };
        check(stream(json!({})), "StartingPosition");
        check(stream(json!({ "StartingPosition": "AT_TIMESTAMP" })), "StartingPosition");
        let bucket = json!({ "StartingPosition": "LATEST", "DeadLetterConfig": { "Arn": "arn:aws:s3:::b" } });
        check(stream(bucket), "a queue or a topic");
        for source in [TABLE, "arn:aws:kinesis:us-east-1:000000000000:stream/s", "q"] {
            let fault = Source::read(source, &json!({})).expect_err(source);
            assert!(fault.message.contains("is neither"), "{fault}");
        }
    }

    #[test]
    fn an_update_leaves_the_start() {
        let before = json!({ STREAM: { START: "LATEST", "BatchSize": 5 } });
        for (mut after, expected) in [
            (json!({ STREAM: { "BatchSize": 6 } }), json!({ STREAM: { "BatchSize": 6, START: "LATEST" } })),
            (json!({ "FilterCriteria": {} }), json!({ "FilterCriteria": {} })),
        ] {
            keep_start(&before, &mut after);
            assert_eq!(after, expected);
        }
    }
}
