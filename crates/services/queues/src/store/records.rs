//! What lies on disk, in JSON. Converted to and from the working types by hand.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::Record;
use uuid::Uuid;

use crate::error::Error;
use crate::model::settings::{self, FifoSettings, Redrive, RedriveAllow, Settings};
use crate::model::{Attribute, Content, Message, Queue, QueueId, QueueName, Scope, Value};

/// Counts the queues that were ever made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) queues: u64,
}

impl Record for Made {
    const KIND: &'static str = "queues-made";
    const VERSION: u16 = 1;
}

/// A deleted queue whose messages are to be taken away.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gone {}

impl Record for Gone {
    const KIND: &'static str = "queue-gone";
    const VERSION: u16 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct QueueRecord {
    id: u64,
    created_ms: u64,
    modified_ms: u64,
    delay_s: u32,
    message_bytes_max: u32,
    retention_s: u32,
    visibility_s: u32,
    wait_s: u32,
    policy: Option<String>,
    redrive: Option<String>,
    redrive_allow: Option<String>,
    kms_key: Option<String>,
    kms_reuse_s: u32,
    sse_managed: bool,
    fifo: Option<FifoRecord>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FifoRecord {
    content_based: bool,
    by_group: bool,
    limit_by_group: bool,
}

impl Record for QueueRecord {
    const KIND: &'static str = "queue";
    const VERSION: u16 = 1;
}

impl QueueRecord {
    pub(super) fn of(queue: &Queue) -> Self {
        let settings = &queue.settings;
        Self {
            id: queue.id.0,
            created_ms: queue.created_ms,
            modified_ms: queue.modified_ms,
            delay_s: settings.delay_s,
            message_bytes_max: settings.message_bytes_max,
            retention_s: settings.retention_s,
            visibility_s: settings.visibility_s,
            wait_s: settings.wait_s,
            policy: settings.policy.clone(),
            redrive: settings.redrive.as_ref().map(|redrive| redrive.text.clone()),
            redrive_allow: settings.redrive_allow.as_ref().map(|allow| allow.text.clone()),
            kms_key: settings.kms_key.clone(),
            kms_reuse_s: settings.kms_reuse_s,
            sse_managed: settings.sse_managed,
            fifo: settings.fifo.as_ref().map(|fifo| FifoRecord {
                content_based: fifo.content_based,
                by_group: fifo.by_group,
                limit_by_group: fifo.limit_by_group,
            }),
            tags: queue.tags.clone(),
        }
    }

    pub(super) fn model(self, scope: &Scope, name: &QueueName) -> Result<Queue, Error> {
        Ok(Queue {
            id: QueueId(self.id),
            scope: scope.clone(),
            name: name.clone(),
            created_ms: self.created_ms,
            modified_ms: self.modified_ms,
            policy: settings::compile(self.policy.as_deref().unwrap_or_default())?,
            settings: Settings {
                delay_s: self.delay_s,
                message_bytes_max: self.message_bytes_max,
                retention_s: self.retention_s,
                visibility_s: self.visibility_s,
                wait_s: self.wait_s,
                policy: self.policy,
                redrive: Redrive::parse(self.redrive.as_deref().unwrap_or_default())?,
                redrive_allow: RedriveAllow::parse(self.redrive_allow.as_deref().unwrap_or_default())?,
                kms_key: self.kms_key,
                kms_reuse_s: self.kms_reuse_s,
                sse_managed: self.sse_managed,
                fifo: self.fifo.map(|fifo| FifoSettings {
                    content_based: fifo.content_based,
                    by_group: fifo.by_group,
                    limit_by_group: fifo.limit_by_group,
                }),
            },
            tags: self.tags,
        })
    }
}

/// What is known of a queue's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The number of the next message.
    pub(crate) next: u64,
    /// No message has a lower number.
    pub(crate) low: u64,
    /// What has a lower number was purged, and may still lie about.
    pub(crate) purged: u64,
    /// When it was last purged.
    pub(crate) purged_ms: u64,
}

impl Record for Head {
    const KIND: &'static str = "queue-head";
    const VERSION: u16 = 1;
}

/// What is known of a message that was received. It says enough for the message to be deleted unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Received {
    /// The message's id.
    pub(crate) id: Id,
    /// When it was sent.
    pub(crate) sent_ms: u64,
    /// In how many parts its content lies.
    pub(crate) parts: u16,
    /// Its group.
    pub(crate) group: Option<String>,
    /// How often it was received.
    pub(crate) receives: u32,
    /// When it was received first.
    pub(crate) first_ms: u64,
    /// When it was received last.
    pub(crate) last_ms: u64,
    /// Until when it is hidden.
    pub(crate) until_ms: u64,
}

impl Record for Received {
    const KIND: &'static str = "message-received";
    const VERSION: u16 = 1;
}

/// A deduplication id that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lapse {
    /// The message's id.
    pub(crate) id: Id,
    /// The message's number.
    pub(crate) number: u64,
    /// When it may be used again.
    pub(crate) until_ms: u64,
}

impl Record for Lapse {
    const KIND: &'static str = "message-deduplication";
    const VERSION: u16 = 1;
}

/// A UUID as a record writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) Uuid);

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.0.simple().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uuid::parse_str(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MessageRecord {
    id: Id,
    body_md5: String,
    sender: String,
    sent_ms: u64,
    delayed_until_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deduplication_id: Option<String>,
    #[serde(default)]
    received_before: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter_source: Option<String>,
    /// Where it is short; else it lies in `parts` beside the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<ContentRecord>,
    #[serde(default)]
    parts: u16,
}

impl Record for MessageRecord {
    const KIND: &'static str = "message";
    const VERSION: u16 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
struct ContentRecord {
    body: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, AttributeRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AttributeRecord {
    data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// Longer content lies beside its message, so that a scan for what is due reads little.
const INLINE_BYTES_MAX: usize = 8 << 10;
const PART_BYTES: usize = 60 << 10;

/// The record of a message, and the parts of its content where that is long.
pub(super) fn message(message: &Message) -> Result<(MessageRecord, Vec<Bytes>), Error> {
    let content = ContentRecord::of(&message.content);
    let is_long = message.content.bytes() > INLINE_BYTES_MAX;
    let parts = if is_long { cut(&content)? } else { Vec::new() };
    let record = MessageRecord {
        id: Id(message.id),
        body_md5: message.body_md5.clone(),
        sender: message.sender.clone(),
        sent_ms: message.sent_ms,
        delayed_until_ms: message.delayed_until_ms,
        group: message.group.clone(),
        deduplication_id: message.deduplication_id.clone(),
        received_before: message.received_before,
        dead_letter_source: message.dead_letter_source.clone(),
        content: (!is_long).then_some(content),
        parts: u16::try_from(parts.len()).unwrap_or(u16::MAX),
    };
    Ok((record, parts))
}

fn cut(content: &ContentRecord) -> Result<Vec<Bytes>, Error> {
    let whole = Bytes::from(serde_json::to_vec(content).map_err(|error| broken(&error))?);
    let starts = (0..whole.len()).step_by(PART_BYTES);
    Ok(starts.map(|start| whole.slice(start..whole.len().min(start + PART_BYTES))).collect())
}

/// A message without the content that lies beside it, and in how many parts that does.
pub(super) fn read_message(bytes: &[u8]) -> Result<(Message, u16), Error> {
    let record: MessageRecord = store::record::decode(bytes)?;
    let content = record.content.map(ContentRecord::model).transpose()?.unwrap_or_default();
    let message = Message {
        id: record.id.0,
        content,
        body_md5: record.body_md5,
        sender: record.sender,
        sent_ms: record.sent_ms,
        delayed_until_ms: record.delayed_until_ms,
        group: record.group,
        deduplication_id: record.deduplication_id,
        received_before: record.received_before,
        dead_letter_source: record.dead_letter_source,
    };
    Ok((message, record.parts))
}

/// The content that lay in parts.
pub(super) fn read_content(bytes: &[u8]) -> Result<Content, Error> {
    serde_json::from_slice::<ContentRecord>(bytes).map_err(|error| broken(&error))?.model()
}

impl ContentRecord {
    fn of(content: &Content) -> Self {
        let attributes = content.attributes.iter().map(|(name, attribute)| {
            let (text, bytes) = match &attribute.value {
                Value::Text(text) => (Some(text.clone()), None),
                Value::Bytes(bytes) => (None, Some(STANDARD.encode(bytes))),
            };
            (name.clone(), AttributeRecord { data_type: attribute.data_type.clone(), text, bytes })
        });
        Self {
            body: content.body.clone(),
            attributes: attributes.collect(),
            trace_header: content.trace_header.clone(),
        }
    }

    fn model(self) -> Result<Content, Error> {
        let mut attributes = BTreeMap::new();
        for (name, AttributeRecord { data_type, text, bytes }) in self.attributes {
            let value = match (text, bytes) {
                (Some(text), _) => Value::Text(text),
                (None, Some(bytes)) => Value::Bytes(STANDARD.decode(bytes).map_err(|error| broken(&error))?.into()),
                (None, None) => return Err(broken(&"an attribute has no value")),
            };
            attributes.insert(name, Attribute { data_type, value });
        }
        Ok(Content { body: self.body, attributes, trace_header: self.trace_header })
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    tracing::error!(%error, "a message's content cannot be read or written");
    Error::Internal
}
