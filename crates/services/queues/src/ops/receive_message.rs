//! `ReceiveMessage`: up to ten messages, which are hidden from others for a while. With a wait it answers as soon as there is one.
//!
//! It counts as a read, so that nothing is kept for a caller who hangs up while it waits; messages that were given out in
//! that moment come back when their hiding ends, as on AWS.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sqs::{self as aws, MessageAttributeValue, ReceiveMessage, ReceiveMessageRequest, ReceiveMessageResult};

use super::outgoing::sequence_number;
use super::resource;
use crate::Queues;
use crate::error::Error;
use crate::keeper::{Command, Delivery, Receive};
use crate::model::attribute::{is_wanted, md5_of};
use crate::model::{Queue, Scope, Value};

const MOST: i32 = 10;
const HIDE_S_MAX: i32 = 43_200;
const WAIT_S_MAX: i32 = 20;
/// What a receiver can ask to be told.
const SYSTEM_NAMES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl Handle<ReceiveMessage> for Queues {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ReceiveMessageRequest) -> Arn {
        resource(call, &input.queue_url)
    }

    async fn handle(&self, call: &Call, input: ReceiveMessageRequest) -> Result<ReceiveMessageResult, Fault> {
        let desk = self.desk(&Scope::of(call), &input.queue_url)?;
        let queue = desk.queue();
        let mut system = input.attribute_names.unwrap_or_default();
        system.extend(input.message_system_attribute_names.unwrap_or_default());
        if let Some(unknown) = system.iter().find(|name| !SYSTEM_NAMES.contains(&name.as_str())) {
            return Err(Error::UnknownAttribute(unknown.clone()).into());
        }
        let wanted_attributes = input.message_attribute_names.unwrap_or_default();
        let wanted = Receive {
            most: within("MaxNumberOfMessages", input.max_number_of_messages, 1, MOST)?.unwrap_or(1) as usize,
            hide_s: within("VisibilityTimeout", input.visibility_timeout, 0, HIDE_S_MAX)?
                .unwrap_or(queue.settings.visibility_s),
            wait_s: within("WaitTimeSeconds", input.wait_time_seconds, 0, WAIT_S_MAX)?.unwrap_or(queue.settings.wait_s),
            attempt: attempt(&queue, input.receive_request_attempt_id)?,
        };
        let given = desk.ask(|answer| Command::Receive { wanted, answer }).await?;
        let messages: Vec<aws::Message> =
            given.into_iter().map(|delivery| shown(&queue, delivery, &system, &wanted_attributes)).collect();
        Ok(ReceiveMessageResult { messages: (!messages.is_empty()).then_some(messages) })
    }
}

fn within(name: &str, given: Option<i32>, min: i32, max: i32) -> Result<Option<u32>, Error> {
    let Some(number) = given else { return Ok(None) };
    if (min..=max).contains(&number) {
        return Ok(u32::try_from(number).ok());
    }
    let rule = match min {
        1 => format!("Must be between 1 and {max}, if provided."),
        _ => format!("Must be >= {min} and <= {max}, if provided."),
    };
    Err(Error::InvalidValue(format!("Value {number} for parameter {name} is invalid. Reason: {rule}")))
}

fn attempt(queue: &Queue, given: Option<String>) -> Result<Option<String>, Error> {
    match given {
        Some(id) if !queue.is_fifo() => Err(Error::InvalidValue(format!(
            "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: The request include parameter that is not \
             valid for this queue type."
        ))),
        Some(id) if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Error::InvalidValue(format!(
                "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only include \
                 alphanumeric and punctuation characters. 1 to 128 in length."
            )))
        }
        given => Ok(given),
    }
}

/// A message as its receiver asked to see it.
fn shown(queue: &Queue, delivery: Delivery, system: &[String], wanted: &[String]) -> aws::Message {
    let Delivery { message, receipt, first_ms, number } = delivery;
    let chosen = || message.content.attributes.iter().filter(|(name, _)| is_wanted(wanted, name));
    let attributes: BTreeMap<String, MessageAttributeValue> = chosen()
        .map(|(name, attribute)| {
            let mut value = MessageAttributeValue { data_type: attribute.data_type.clone(), ..Default::default() };
            match &attribute.value {
                Value::Text(text) => value.string_value = Some(text.clone()),
                Value::Bytes(bytes) => value.binary_value = Some(bytes.clone()),
            }
            (name.clone(), value)
        })
        .collect();
    let is_asked = |name: &str| system.iter().any(|asked| asked == "All" || asked == name);
    let known = [
        ("SenderId", Some(message.sender.clone())),
        ("SentTimestamp", Some(message.sent_ms.to_string())),
        ("ApproximateReceiveCount", Some((message.received_before + receipt.receive).to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(first_ms.to_string())),
        ("SequenceNumber", queue.is_fifo().then(|| sequence_number(number))),
        ("MessageDeduplicationId", message.deduplication_id.clone()),
        ("MessageGroupId", message.group.clone()),
        ("AWSTraceHeader", message.content.trace_header.clone()),
        ("DeadLetterQueueSourceArn", message.dead_letter_source.clone()),
    ];
    let told: BTreeMap<String, String> = known
        .into_iter()
        .filter(|(name, _)| is_asked(name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    aws::Message {
        message_id: Some(message.id.to_string()),
        receipt_handle: Some(receipt.to_handle()),
        md5_of_body: Some(message.body_md5.clone()),
        md5_of_message_attributes: md5_of(chosen().map(|(name, attribute)| (name.as_str(), attribute))),
        attributes: (!told.is_empty()).then_some(told),
        message_attributes: (!attributes.is_empty()).then_some(attributes),
        body: Some(message.content.body.clone()),
    }
}
