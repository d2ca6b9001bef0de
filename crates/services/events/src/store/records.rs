//! What lies on disk, in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Record;

macro_rules! records {
    ($($name:ident = $kind:literal),* $(,)?) => {
        $(impl Record for $name {
            const KIND: &'static str = $kind;
            const VERSION: u16 = 1;
        })*
    };
}

records! {
    BusRecord = "event-bus",
    RuleRecord = "event-rule",
    TargetRecord = "event-target",
    TimerRecord = "event-timer",
    ArchiveRecord = "event-archive",
    ReplayRecord = "event-replay",
    ConnectionRecord = "event-connection",
    DestinationRecord = "event-destination",
}

/// A bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BusRecord {
    pub(crate) description: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) dead_letter: Option<String>,
    /// `LogConfig`, as it was given.
    pub(crate) log: Option<Value>,
    pub(crate) policy: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RuleRecord {
    pub(crate) pattern: Option<String>,
    pub(crate) schedule: Option<String>,
    /// When the schedule was set: rates count from here.
    pub(crate) scheduled_ms: i64,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A target: the document of its shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetRecord {
    pub(crate) document: Value,
}

/// When a rule is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimerRecord {
    pub(crate) due_ms: i64,
}

/// An archive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ArchiveRecord {
    /// Under which its events lie: another one of the same name later has another.
    pub(crate) id: u64,
    pub(crate) bus: String,
    pub(crate) description: Option<String>,
    pub(crate) pattern: Option<String>,
    /// 0: for ever.
    pub(crate) retention_days: i32,
    pub(crate) kms_key: Option<String>,
    pub(crate) created_ms: i64,
}

/// A replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReplayRecord {
    pub(crate) description: Option<String>,
    pub(crate) archive: String,
    pub(crate) archive_id: u64,
    pub(crate) bus: String,
    /// ARNs of rules; all, if there is none.
    pub(crate) rules: Vec<String>,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    /// The key after which it goes on, as base64.
    pub(crate) after: Option<String>,
    pub(crate) last_event_ms: Option<i64>,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
}

/// How requests prove who makes them.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ConnectionRecord {
    /// The end of its ARN.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) kind: String,
    /// `AuthParameters`, with its secrets. Kept as the store is kept; never shown.
    pub(crate) parameters: Value,
    pub(crate) state: String,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    pub(crate) authorised_ms: i64,
}

impl std::fmt::Debug for ConnectionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionRecord").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Where requests go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DestinationRecord {
    /// The end of its ARN.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) connection: String,
    pub(crate) endpoint: String,
    pub(crate) method: String,
    pub(crate) per_second: i32,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
}
