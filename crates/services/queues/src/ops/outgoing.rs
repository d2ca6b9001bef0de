//! A message that somebody wants to send, from its parameters: alone and in a batch.

use std::collections::BTreeMap;

use contract::Call;
use wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};

use crate::Queues;
use crate::error::Error;
use crate::keeper::NewMessage;
use crate::model::attribute::{self, md5, md5_of};
use crate::model::{Attribute, Content, Queue, Value};
use crate::ops::forbidden_character;

/// What a sender gave.
pub(super) struct Given {
    pub(super) body: String,
    pub(super) delay_s: Option<i32>,
    pub(super) attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    pub(super) system_attributes: Option<BTreeMap<String, MessageSystemAttributeValue>>,
    pub(super) deduplication_id: Option<String>,
    pub(super) group: Option<String>,
}

/// The sums that the sender checks.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) body: String,
    pub(super) attributes: Option<String>,
    pub(super) system_attributes: Option<String>,
}

const DELAY_S_MAX: i32 = 900;
const ID_CHARS_MAX: usize = 128;

impl Queues {
    /// Checks it, for this queue.
    pub(super) fn outgoing(&self, call: &Call, queue: &Queue, given: Given) -> Result<(NewMessage, Sums), Error> {
        if given.body.is_empty() {
            return Err(Error::MissingParameter("MessageBody".to_owned()));
        }
        if let Some(bad) = forbidden_character(&given.body) {
            return Err(Error::InvalidContents(format!(
                "Invalid binary character '#x{bad:X}' was found in the message body, the set of allowed characters is #x9 | \
                 #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
            )));
        }
        let attributes = attribute::read(given.attributes.unwrap_or_default())?;
        let trace_header = attribute::read_system(given.system_attributes.unwrap_or_default())?;
        let delay_s = delay(queue, given.delay_s)?;
        let body_md5 = md5(given.body.as_bytes());
        let sums = Sums {
            body: body_md5.clone(),
            attributes: md5_of(attributes.iter().map(|(name, attribute)| (name.as_str(), attribute))),
            system_attributes: md5_of(trace_header.iter().map(|header| (attribute::TRACE_HEADER, header))),
        };
        let trace_header = trace_header.and_then(|Attribute { value, .. }| match value {
            Value::Text(text) => Some(text),
            Value::Bytes(_) => None,
        });
        let content = Content { body: given.body, attributes, trace_header };
        let bytes_max = queue.settings.message_bytes_max;
        if content.bytes() > bytes_max as usize {
            return Err(Error::InvalidValue(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
            )));
        }
        let (group, deduplication_id) = order(queue, &content, given.group, given.deduplication_id)?;
        let sender = call.principal.arn(call.account);
        let id = self.random.uuid();
        Ok((NewMessage { id, content, body_md5, sender, delay_s, group, deduplication_id }, sums))
    }
}

fn delay(queue: &Queue, given: Option<i32>) -> Result<u32, Error> {
    let Some(seconds) = given else { return Ok(queue.settings.delay_s) };
    let refused = |reason: &str| {
        Error::InvalidValue(format!("Value {seconds} for parameter DelaySeconds is invalid. Reason: {reason}"))
    };
    match u32::try_from(seconds) {
        Ok(0) if queue.is_fifo() => Ok(queue.settings.delay_s),
        Ok(_) if queue.is_fifo() => {
            Err(refused("The request include parameter that is not valid for this queue type."))
        }
        Ok(seconds) if given <= Some(DELAY_S_MAX) => Ok(seconds),
        Ok(_) | Err(_) => Err(refused("DelaySeconds must be >= 0 and <= 900.")),
    }
}

/// Group and deduplication id, as the kind of queue wants them.
fn order(
    queue: &Queue,
    content: &Content,
    group: Option<String>,
    deduplication_id: Option<String>,
) -> Result<(Option<String>, Option<String>), Error> {
    check_id("MessageGroupId", group.as_deref())?;
    check_id("MessageDeduplicationId", deduplication_id.as_deref())?;
    let Some(fifo) = &queue.settings.fifo else {
        return match deduplication_id {
            Some(id) => Err(Error::InvalidValue(format!(
                "Value {id} for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is \
                 not valid for this queue type."
            ))),
            None => Ok((group, None)),
        };
    };
    let group = group.ok_or_else(|| Error::MissingParameter("MessageGroupId".to_owned()))?;
    let deduplication_id = match deduplication_id {
        Some(id) => id,
        None if fifo.content_based => {
            let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.body.as_bytes());
            hex::encode(sum)
        }
        None => {
            return Err(Error::InvalidValue(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
                    .to_owned(),
            ));
        }
    };
    Ok((Some(group), Some(deduplication_id)))
}

fn check_id(name: &str, given: Option<&str>) -> Result<(), Error> {
    let Some(id) = given else { return Ok(()) };
    let good = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match good {
        true => Ok(()),
        false => Err(Error::InvalidValue(format!(
            "Value {id} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation \
             characters. 1 to 128 in length."
        ))),
    }
}
/// The sequence number that a message's number is shown as: twenty digits, growing, as AWS's are.
pub(super) fn sequence_number(number: u64) -> String {
    const FIRST: u128 = 18_850_000_000_000_000_000;
    const STEP: u128 = 256;
    (FIRST + u128::from(number) * STEP).to_string()
}
