//! A message in a poller's hand: what a receive told of it, as the record that functions and pipes are given.

use contract::{Arn, Document};
use serde_json::{Map, Value, json};

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What failures name it by.
    pub id: String,
    /// What it is deleted with.
    pub receipt: String,
    /// In a queue that keeps order, which others it must not overtake.
    pub group: Option<String>,
    /// The record, word for word as AWS hands it to functions.
    pub record: Document,
    /// How long the record is as JSON.
    pub bytes: usize,
}

impl Message {
    /// Reads one message of an answer of `ReceiveMessage`. None if it has no id, receipt or body, which a queue's own answer has.
    pub fn of_queue(received: &Value, queue: &Arn) -> Option<Self> {
        let text = |name: &str| received.get(name)?.as_str().map(str::to_owned);
        let (id, receipt, body) = (text("MessageId")?, text("ReceiptHandle")?, text("Body")?);
        let mut record = json!({
            "messageId": id,
            "receiptHandle": receipt,
            "body": body,
            "attributes": received.get("Attributes").cloned().unwrap_or_else(|| json!({})),
            "messageAttributes": attributes(received.get("MessageAttributes")),
            "md5OfBody": received.get("MD5OfBody"),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue.to_string(),
            "awsRegion": queue.region,
        });
        if let Some(md5) = received.get("MD5OfMessageAttributes") {
            record["md5OfMessageAttributes"] = md5.clone();
        }
        let group = received.pointer("/Attributes/MessageGroupId").and_then(Value::as_str).map(str::to_owned);
        let bytes = record.to_string().len();
        Some(Self { id, receipt, group, record, bytes })
    }
}

/// Message attributes in the spelling of events. The two lists are always there and always empty: queues have no lists.
fn attributes(received: Option<&Value>) -> Value {
    let mut shown = Map::new();
    for (name, attribute) in received.and_then(Value::as_object).into_iter().flatten() {
        let mut value = json!({
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": attribute.get("DataType"),
        });
        for (theirs, ours) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
            if let Some(content) = attribute.get(theirs) {
                value[ours] = content.clone();
            }
        }
        shown.insert(name.clone(), value);
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Arn {
        Arn::parse("arn:aws:sqs:eu-west-1:000000000000:jobs.fifo").expect("it is one")
    }

    #[test]
    fn a_record_is_word_for_word_what_functions_expect() {
        let received = json!({
            "MessageId": "1", "ReceiptHandle": "r", "Body": "{\"a\":1}", "MD5OfBody": "m",
            "MD5OfMessageAttributes": "n",
            "Attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": "g" },
            "MessageAttributes": {
                "text": { "StringValue": "x", "DataType": "String" },
                "bytes": { "BinaryValue": "AAE=", "DataType": "Binary" },
            },
        });
        let message = Message::of_queue(&received, &queue()).expect("it is whole");
        assert_eq!(message.group.as_deref(), Some("g"));
        assert_eq!(message.bytes, message.record.to_string().len());
        assert_eq!(
            message.record,
            json!({
                "messageId": "1", "receiptHandle": "r", "body": "{\"a\":1}",
                "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": "g" },
                "messageAttributes": {
                    "text": { "stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String" },
                    "bytes": { "binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary" },
                },
                "md5OfMessageAttributes": "n", "md5OfBody": "m", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:jobs.fifo", "awsRegion": "eu-west-1",
            })
        );
    }

    #[test]
    fn a_plain_message_has_empty_attributes_and_what_is_no_message_is_none() {
        let received = json!({ "MessageId": "1", "ReceiptHandle": "r", "Body": "", "MD5OfBody": "m" });
        let record = Message::of_queue(&received, &queue()).expect("it is whole").record;
        assert_eq!((&record["attributes"], &record["messageAttributes"]), (&json!({}), &json!({})));
        assert!(record.get("md5OfMessageAttributes").is_none());
        for broken in
            [json!({}), json!({ "MessageId": "1" }), json!({ "MessageId": 1, "ReceiptHandle": "r", "Body": "" })]
        {
            assert_eq!(Message::of_queue(&broken, &queue()), None);
        }
    }
}
