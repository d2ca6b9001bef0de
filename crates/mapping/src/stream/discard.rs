//! Records that are given up, and the document that tells the on-failure destination of them.

use contract::Document;
use jiff::Timestamp;
use serde_json::json;

use super::Record;

/// Records that are given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Discard {
    /// In order; at least one.
    pub records: Vec<Record>,
    /// How often they were handed over.
    pub tries: u32,
    /// Why they are.
    pub reason: Reason,
}

/// Why records are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They were tried as often as they may be.
    Retries,
    /// They are older than they may be.
    Age,
}

/// Where the records came from and whom they were for.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// `KinesisBatchInfo` or `DDBStreamBatchInfo`.
    pub info: &'static str,
    /// The stream's ARN.
    pub stream_arn: &'a str,
    /// The shard.
    pub shard: &'a str,
    /// Whom they were for.
    pub handler: Handler<'a>,
}

/// Whom records were for: the destination is told of each in its own words.
#[derive(Clone, Copy, Debug)]
pub enum Handler<'a> {
    /// A function, by an event source mapping.
    Function {
        /// Its ARN.
        arn: &'a str,
        /// The last call's id.
        request_id: &'a str,
    },
    /// A pipe.
    Pipe {
        /// Its ARN.
        arn: &'a str,
    },
}

impl Reason {
    /// `condition`, as AWS says it.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Retries => "RetryAttemptsExhausted",
            Self::Age => "RecordAgeExceeded",
        }
    }
}

impl Discard {
    /// The same in parts whose records have at most so many bytes each; a record that has more is a part of its own.
    pub fn parts(&self, bytes_max: usize) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let mut bytes = 0;
        for record in &self.records {
            bytes += record.bytes + 1;
            match parts.last_mut().filter(|_| bytes <= bytes_max) {
                Some(part) => part.records.push(record.clone()),
                None => {
                    bytes = record.bytes + 1;
                    parts.push(Self { records: vec![record.clone()], ..*self });
                }
            }
        }
        parts
    }

    /// What the destination is told: where the records lie. The records themselves are for buckets alone, in whose message they are added.
    pub fn document(&self, origin: &Origin<'_>, now_ms: i64) -> Document {
        let text = |ms: i64| Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default();
        let (first, last) = (self.records.first(), self.records.last());
        let sequence = |record: Option<&Record>| record.map(|record| record.sequence.to_string());
        let arrived = |record: Option<&Record>| record.map(|record| text(record.arrived_ms));
        let condition = self.reason.condition();
        let mut document = match origin.handler {
            Handler::Function { arn, request_id } => json!({
                "requestContext": {
                    "requestId": request_id,
                    "functionArn": arn,
                    "condition": condition,
                    "approximateInvokeCount": self.tries,
                },
                "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            }),
            Handler::Pipe { arn } => json!({ "context": { "partnerResourceArn": arn, "condition": condition } }),
        };
        document["version"] = "1.0".into();
        document["timestamp"] = text(now_ms).into();
        document[origin.info] = json!({
            "shardId": origin.shard,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": arrived(first),
            "approximateArrivalOfLastRecord": arrived(last),
            "batchSize": self.records.len(),
            "streamArn": origin.stream_arn,
        });
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_no_more_than_they_may() {
        let check = |bytes: &[usize], expected: &[&[u128]]| {
            let record = |(at, bytes): (usize, &usize)| Record {
                sequence: at as u128,
                partition: "p".into(),
                arrived_ms: 0,
                document: json!(null),
                bytes: *bytes,
            };
            let records = bytes.iter().enumerate().map(record).collect();
            let discard = Discard { records, tries: 1, reason: Reason::Age };
            let parts = discard.parts(10);
            let sequences = |part: &Discard| part.records.iter().map(|record| record.sequence).collect::<Vec<_>>();
            assert_eq!(parts.iter().map(sequences).collect::<Vec<_>>(), expected, "{bytes:?}");
            assert!(parts.iter().all(|part| (part.tries, part.reason) == (1, Reason::Age)));
        };
        check(&[1], &[&[0]]);
        check(&[4, 4, 4], &[&[0, 1], &[2]]);
        check(&[4, 5, 9, 1], &[&[0], &[1], &[2], &[3]]);
        check(&[100, 1, 100], &[&[0], &[1], &[2]]);
    }

    #[test]
    fn the_destination_learns_where_the_records_lie() {
        let record =
            |sequence| Record { sequence, partition: "p".into(), arrived_ms: 1_000, document: json!(null), bytes: 4 };
        let discard = Discard { records: vec![record(3), record(7)], tries: 2, reason: Reason::Retries };
        let handler = Handler::Function { arn: "function", request_id: "id" };
        let origin = Origin { info: "KinesisBatchInfo", stream_arn: "stream", shard: "shard-0", handler };
        let document = discard.document(&origin, 2_000);
        assert_eq!(document["requestContext"]["condition"], "RetryAttemptsExhausted");
        assert_eq!(document["timestamp"], "1970-01-01T00:00:02Z");
        let info = &document["KinesisBatchInfo"];
        assert_eq!((&info["startSequenceNumber"], &info["endSequenceNumber"]), (&json!("3"), &json!("7")));
        assert_eq!((&info["batchSize"], &info["shardId"]), (&json!(2), &json!("shard-0")));
        let of_pipe = discard.document(&Origin { handler: Handler::Pipe { arn: "pipe" }, ..origin }, 2_000);
        let context = json!({ "partnerResourceArn": "pipe", "condition": "RetryAttemptsExhausted" });
        assert_eq!((&of_pipe["context"], &of_pipe["KinesisBatchInfo"]), (&context, info));
        assert_eq!(of_pipe["requestContext"], json!(null));
    }
}
