//! A message, as its publisher gave it, and AWS's rules for what may be one.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;
use wire::sns::MessageAttributeValue;

use super::Topic;
use super::attribute::{self, Attributes};
use crate::error::Error;

/// The longest message, with its attributes.
pub const BYTES_MAX: usize = 256 << 10;

const ID_CHARS_MAX: usize = 128;

/// What a publisher gives, alone and in a batch.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The message.
    pub message: String,
    /// Its subject.
    pub subject: Option<String>,
    /// `json` where the message holds one for each protocol.
    pub structure: Option<String>,
    /// Its attributes.
    pub attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    /// Its deduplication id.
    pub deduplication_id: Option<String>,
    /// Its group.
    pub group: Option<String>,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// When it was published.
    pub published_ms: i64,
    /// Its subject.
    pub subject: Option<String>,
    /// What it says.
    pub body: Body,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its group: where the topic keeps order, and for queues that are fair to groups.
    pub group: Option<String>,
    /// By what it is known again, where the topic keeps order.
    pub deduplication_id: Option<String>,
    /// Its place, where the topic keeps order.
    pub sequence: Option<u64>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The same to everybody.
    Same(String),
    /// Something else by protocol; `default` is always there.
    ByProtocol(BTreeMap<String, String>),
}

impl Body {
    /// What it says to that protocol.
    pub fn to(&self, protocol: &str) -> &str {
        match self {
            Self::Same(text) => text,
            Self::ByProtocol(texts) => texts.get(protocol).or_else(|| texts.get("default")).map_or("", String::as_str),
        }
    }
}

/// How many bytes count.
pub fn bytes_of(given: &Given) -> usize {
    let attribute = |(name, value): (&String, &MessageAttributeValue)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        name.len() + value.data_type.len() + text + value.binary_value.as_ref().map_or(0, bytes::Bytes::len)
    };
    given.message.len() + given.attributes.iter().flatten().map(attribute).sum::<usize>()
}

impl Message {
    /// Checks what was given, as far as it does not depend on where it goes.
    pub fn read(given: Given, id: Uuid, now_ms: i64) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::Invalid(why.to_owned()));
        if given.message.is_empty() {
            return refused("Empty message");
        }
        if bytes_of(&given) > BYTES_MAX {
            return refused("Message too long");
        }
        if let Some(subject) = &given.subject {
            check_subject(subject)?;
        }
        let attributes = attribute::read(given.attributes.unwrap_or_default())?;
        let body = match given.structure.as_deref() {
            None | Some("") => Body::Same(given.message),
            Some("json") => Body::ByProtocol(by_protocol(&given.message)?),
            Some(_) => return refused("MessageStructure"),
        };
        let (group, deduplication_id) = (given.group, given.deduplication_id);
        Ok(Self {
            id,
            published_ms: now_ms,
            subject: given.subject,
            body,
            attributes,
            group,
            deduplication_id,
            sequence: None,
        })
    }

    /// What the topic's kind asks for: group and deduplication id. `text` is the message as it was given.
    pub fn order(&mut self, topic: &Topic, text: &str) -> Result<(), Error> {
        check_id("MessageGroupId", self.group.as_deref())?;
        check_id("MessageDeduplicationId", self.deduplication_id.as_deref())?;
        let Some(fifo) = &topic.settings.fifo else {
            return match self.deduplication_id {
                Some(_) => Err(Error::because(
                    "MessageDeduplicationId",
                    "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
                )),
                None => Ok(()),
            };
        };
        if self.group.is_none() {
            return Err(Error::Invalid("The MessageGroupId parameter is required for FIFO topics".to_owned()));
        }
        if self.deduplication_id.is_none() {
            if !fifo.content_based {
                return Err(Error::Invalid(
                    "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                     explicitly"
                        .to_owned(),
                ));
            }
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
            self.deduplication_id = Some(hex::encode(digest));
        }
        Ok(())
    }

    /// The time of publishing, as envelopes have it.
    pub fn timestamp(&self) -> String {
        timestamp(self.published_ms)
    }
}

/// `2026-11-21T12:00:00.000Z`.
pub fn timestamp(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{time:.3}")
}

/// The sequence number that a message's place is shown as: twenty digits, growing, as AWS's are.
pub fn sequence_number(place: u64) -> String {
    const FIRST: u128 = 10_000_000_000_000_000_000;
    const STEP: u128 = 1_000;
    (FIRST + u128::from(place) * STEP).to_string()
}

fn check_subject(subject: &str) -> Result<(), Error> {
    const CHARS_MAX: usize = 100;
    let first = subject.chars().next();
    let good = subject.chars().count() <= CHARS_MAX
        && first.is_some_and(|first| !first.is_whitespace() && !first.is_control())
        && !subject.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Error::Invalid("Subject".to_owned())) }
}

fn by_protocol(text: &str) -> Result<BTreeMap<String, String>, Error> {
    let refused = |why: &str| Error::Invalid(format!("Message Structure - {why}"));
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return Err(refused("JSON message body failed to parse"));
    };
    let mut texts = BTreeMap::new();
    for (name, value) in members {
        match value {
            Value::String(text) => drop(texts.insert(name, text)),
            _ if name == "default" => return Err(refused("No default entry in JSON message body")),
            // AWS ignores what is no text.
            _ => {}
        }
    }
    match texts.contains_key("default") {
        true => Ok(texts),
        false => Err(refused("No default entry in JSON message body")),
    }
}

fn check_id(name: &str, given: Option<&str>) -> Result<(), Error> {
    let Some(id) = given else { return Ok(()) };
    let good = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match good {
        true => Ok(()),
        false => Err(Error::because(
            name,
            format!("{name} can only include alphanumeric and punctuation characters. 1 to {ID_CHARS_MAX} in length"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: Given) -> Result<Message, String> {
        Message::read(given, Uuid::nil(), 0).map_err(|error| error.to_string())
    }

    #[test]
    fn messages_are_read_in_awss_words() {
        let check = |given: Given, expected: &str| {
            assert_eq!(read(given).map(|_| ()).expect_err(expected), format!("Invalid parameter: {expected}"));
        };
        let given = |message: &str| Given { message: message.to_owned(), ..Given::default() };
        let titled = |subject: &str| Given { subject: Some(subject.to_owned()), ..given("a") };
        let json = |message: &str| Given { structure: Some("json".to_owned()), ..given(message) };
        check(given(""), "Empty message");
        check(given(&"a".repeat(BYTES_MAX + 1)), "Message too long");
        check(titled(""), "Subject");
        check(titled("a\nb"), "Subject");
        check(titled(&"a".repeat(101)), "Subject");
        check(json("x"), "Message Structure - JSON message body failed to parse");
        check(json("{}"), "Message Structure - No default entry in JSON message body");
        check(json(r#"{"default":1}"#), "Message Structure - No default entry in JSON message body");
        assert!(read(given(&"a".repeat(BYTES_MAX))).is_ok() && read(titled("Hello")).is_ok());
        let body = read(json(r#"{"default":"all","sqs":"queue","lambda":1}"#)).expect("reads").body;
        assert_eq!((body.to("sqs"), body.to("lambda")), ("queue", "all"));
    }

    #[test]
    fn times_and_places_look_like_awss() {
        assert_eq!(timestamp(1_795_262_400_005), "2026-11-21T12:00:00.005Z");
        assert_eq!(sequence_number(3), "10000000000000003000");
    }
}
