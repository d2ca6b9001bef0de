//! A message: what its sender said, and what is known of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

/// What a sender said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The body.
    pub body: String,
    /// The sender's own attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// `AWSTraceHeader`, where there is one.
    pub trace_header: Option<String>,
}

/// A typed attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, and what the sender put behind a dot.
    pub data_type: String,
    /// The value.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of `String` and `Number`.
    Text(String),
    /// Of `Binary`.
    Bytes(Bytes),
}

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id; kept when it goes to a dead-letter queue.
    pub id: Uuid,
    /// What its sender said.
    pub content: Content,
    /// MD5 of the body, in hexadecimal.
    pub body_md5: String,
    /// Who sent it.
    pub sender: String,
    /// When.
    pub sent_ms: u64,
    /// Before when nobody may receive it.
    pub delayed_until_ms: u64,
    /// Its group.
    pub group: Option<String>,
    /// What it is told from its duplicates by.
    pub deduplication_id: Option<String>,
    /// How often it was received in the queues where it was before.
    pub received_before: u32,
    /// The ARN of the queue that gave it up.
    pub dead_letter_source: Option<String>,
}

impl Attribute {
    /// How much it counts against the limits, with its name.
    pub fn bytes(&self, name: &str) -> usize {
        let value = match &self.value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        };
        name.len() + self.data_type.len() + value
    }
}

impl Content {
    /// How much it counts against the limits.
    pub fn bytes(&self) -> usize {
        self.body.len() + self.attributes.iter().map(|(name, attribute)| attribute.bytes(name)).sum::<usize>()
    }
}
