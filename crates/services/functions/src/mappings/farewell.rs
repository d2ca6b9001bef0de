//! What the destination of a mapping is told of records that are given up: queues and topics where the records lie, buckets the records
//! themselves too, in an object.
//!
//! A delivery has its limit, which a batch may exceed: then there are several objects, each of which tells of a part of the batch. A
//! single record that is too long even so is told of without its content.

use base::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Arn, Document};
use delivery::target::{self, Options};
use delivery::{Acting, Delivery, Task};
use jiff::Timestamp;
use mapping::stream::{Discard, Origin};
use serde_json::json;
use uuid::Uuid;

/// The longest object: base64 makes four bytes of three, and there is something around it.
const OBJECT_BYTES_MAX: usize = (Delivery::PARCEL_BYTES_MAX - (16 << 10)) / 4 * 3;
/// The most bytes of records in one object, which says something around them too. They are a text in it, whose marks may double them.
const RECORDS_BYTES_MAX: usize = (OBJECT_BYTES_MAX - (16 << 10)) / 2;

/// Records that are given up, and all that is said of them.
pub(super) struct Farewell<'a> {
    pub(super) discard: &'a Discard,
    pub(super) mapping: Uuid,
    pub(super) origin: Origin<'a>,
    pub(super) acting: Acting,
    pub(super) now_ms: i64,
    pub(super) random: &'a Random,
}

impl Farewell<'_> {
    /// The calls that tell it.
    pub(super) fn tasks(&self, to: &str) -> Vec<Task> {
        match Arn::parse(to).filter(|arn| arn.service == "s3") {
            Some(bucket) => {
                let parts = self.discard.parts(RECORDS_BYTES_MAX);
                parts.iter().map(|part| self.object(&bucket.resource, part)).collect()
            }
            None => {
                let document = self.discard.document(&self.origin, self.now_ms).to_string();
                target::of_arn(to, Options::new(document, self.acting.clone(), self.now_ms)).into_iter().collect()
            }
        }
    }

    /// Puts an object: the message with the event that the function was given, as a text of JSON in the JSON.
    fn object(&self, bucket: &str, part: &Discard) -> Task {
        let told = part.document(&self.origin, self.now_ms);
        let records: Vec<&Document> = part.records.iter().map(|record| &record.document).collect();
        let mut whole = told.clone();
        whole["payload"] = json!({ "Records": records }).to_string().into();
        let body = Some(whole.to_string()).filter(|text| text.len() <= OBJECT_BYTES_MAX);
        let body = STANDARD.encode(body.unwrap_or_else(|| told.to_string()));
        Task::new("s3", "PutObject", json!({ "Bucket": bucket, "Key": self.key(), "Body": body }), self.acting.clone())
    }

    /// By mapping, shard and time, as AWS names them.
    fn key(&self) -> String {
        let time = Timestamp::from_millisecond(self.now_ms).unwrap_or_default();
        let time = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S");
        format!("aws/lambda/{}/{}/{time}-{}", self.mapping, self.origin.shard, self.random.uuid())
    }
}

#[cfg(test)]
mod tests {
    use mapping::stream::{Handler, Reason, Record};

    use super::*;

    /// The calls that tell a destination of records with these texts.
    fn tasks(to: &str, texts: &[&str]) -> Vec<Task> {
        let record = |(at, text): (usize, &&str)| {
            let document = json!({ "text": text });
            let bytes = document.to_string().len();
            Record { sequence: at as u128, partition: "p".into(), arrived_ms: 1_000, document, bytes }
        };
        let records = texts.iter().enumerate().map(record).collect();
        let discard = Discard { records, tries: 2, reason: Reason::Retries };
        let handler = Handler::Function { arn: "function", request_id: "id" };
        let farewell = Farewell {
            discard: &discard,
            mapping: Uuid::nil(),
            origin: Origin { info: "DDBStreamBatchInfo", stream_arn: "stream", shard: "shard-0", handler },
            acting: Acting::Role { role: "role".into(), session: "session".into() },
            now_ms: 1_795_262_400_000,
            random: &Random::system(),
        };
        farewell.tasks(to)
    }

    fn told(task: &Task) -> Document {
        serde_json::from_str(&task.event()).unwrap()
    }

    /// The records in an object, if it has them.
    fn records(task: &Task) -> Option<Vec<Document>> {
        let payload: Document = serde_json::from_str(told(task)["payload"].as_str()?).unwrap();
        payload["Records"].as_array().cloned()
    }

    #[test]
    fn queues_learn_where_the_records_lie_and_buckets_get_them() {
        let of_queue = tasks("arn:aws:sqs:us-east-1:000000000000:q", &["x", "y"]);
        assert_eq!((of_queue.len(), &*of_queue[0].operation), (1, "SendMessage"));
        let of_bucket = tasks("arn:aws:s3:::lost", &["x", "y"]);
        assert_eq!((of_bucket.len(), &*of_bucket[0].operation), (1, "PutObject"));
        let input = &of_bucket[0].input;
        assert_eq!(input["Bucket"], "lost");
        let key = input["Key"].as_str().unwrap();
        let start = "aws/lambda/00000000-0000-0000-0000-000000000000/shard-0/2026/11/21/2026-11-21T12.00.00-";
        assert!(key.strip_prefix(start).is_some_and(|id| Uuid::parse_str(id).is_ok()), "{key}");
        let mut whole = told(&of_bucket[0]);
        let payload = whole.as_object_mut().unwrap().remove("payload");
        assert_eq!(payload, Some(json!(r#"{"Records":[{"text":"x"},{"text":"y"}]}"#)));
        assert_eq!(whole, told(&of_queue[0]));
    }

    #[test]
    fn what_is_too_long_for_one_object_is_in_several() {
        let (half, whole, marks) = ("x".repeat(500_000), "x".repeat(3 << 20), "\"".repeat(500_000));
        let all = tasks("arn:aws:s3:::lost", &[&half, &half, &half, &whole, &marks, "x"]);
        let count = |task: &Task| records(task).map(|records| records.len());
        // What no object holds is told of all the same.
        assert_eq!(all.iter().map(count).collect::<Vec<_>>(), [Some(2), Some(1), None, Some(2)]);
        assert_eq!(records(&all[3]).unwrap()[0]["text"], marks);
        assert_eq!(told(&all[2])["DDBStreamBatchInfo"]["startSequenceNumber"], "3");
        assert!(all.iter().all(|task| task.to_parcel().len() <= Delivery::PARCEL_BYTES_MAX));
    }
}
