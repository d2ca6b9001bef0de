//! What lies on disk, in JSON. Converted to and from the working types by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;

use super::Scope;
use crate::model::{Group, GroupClass, GroupId, Span, Stream, StreamId};

/// Counts the groups that were ever made in an account and region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) groups: u64,
}

impl Record for Made {
    const KIND: &'static str = "log-groups-made";
    const VERSION: u16 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    id: u64,
    created_ms: u64,
    class: ClassRecord,
    retention_days: Option<u32>,
    is_protected: bool,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum ClassRecord {
    Standard,
    InfrequentAccess,
    Delivery,
}

impl Record for GroupRecord {
    const KIND: &'static str = "log-group";
    const VERSION: u16 = 1;
}

impl GroupRecord {
    pub(super) fn of(group: &Group) -> Self {
        Self {
            id: group.id.0,
            created_ms: group.created_ms,
            class: match group.class {
                GroupClass::Standard => ClassRecord::Standard,
                GroupClass::InfrequentAccess => ClassRecord::InfrequentAccess,
                GroupClass::Delivery => ClassRecord::Delivery,
            },
            retention_days: group.retention_days,
            is_protected: group.is_protected,
            tags: group.tags.clone(),
        }
    }

    pub(super) fn named(self, name: &str) -> Group {
        Group {
            id: GroupId(self.id),
            name: name.to_owned(),
            created_ms: self.created_ms,
            class: match self.class {
                ClassRecord::Standard => GroupClass::Standard,
                ClassRecord::InfrequentAccess => GroupClass::InfrequentAccess,
                ClassRecord::Delivery => GroupClass::Delivery,
            },
            retention_days: self.retention_days,
            is_protected: self.is_protected,
            tags: self.tags,
        }
    }
}

/// What came into a group. Only writers change it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) streams_made: u64,
    pub(super) stored_bytes: u64,
    pub(super) last_batch: u64,
}

impl Record for Tally {
    const KIND: &'static str = "log-tally";
    const VERSION: u16 = 1;
}

/// What went out of a group, and before which time there is nothing. The background changes it, and a writer who brings
/// something older.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Swept {
    pub(super) removed_bytes: u64,
    pub(super) oldest_ms: u64,
}

impl Record for Swept {
    const KIND: &'static str = "log-swept";
    const VERSION: u16 = 1;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StreamRecord {
    pub(super) id: u64,
    pub(super) created_ms: u64,
    pub(super) span: Option<SpanRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SpanRecord {
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) last_batch: u64,
    /// The key of the last chunk, which may still have room.
    pub(super) chunk_start_ms: u64,
    pub(super) chunk_batch: u64,
}

impl Record for StreamRecord {
    const KIND: &'static str = "log-stream";
    const VERSION: u16 = 1;
}

impl StreamRecord {
    pub(super) fn named(self, name: &str) -> Stream {
        Stream {
            id: StreamId(self.id),
            name: name.to_owned(),
            created_ms: self.created_ms,
            span: self.span.map(|span| Span {
                first_ms: span.first_ms,
                last_ms: span.last_ms,
                last_batch: span.last_batch,
            }),
        }
    }
}

/// A deleted group or stream, whose chunks are to be taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SweepRecord {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) group: u64,
    pub(super) stream: Option<u64>,
}

impl Record for SweepRecord {
    const KIND: &'static str = "log-sweep";
    const VERSION: u16 = 1;
}

impl SweepRecord {
    pub(super) fn of(scope: &Scope, group: GroupId, stream: Option<StreamId>) -> Self {
        let (account, region) = (scope.account.to_string(), scope.region.to_string());
        Self { account, region, group: group.0, stream: stream.map(|stream| stream.0) }
    }
}

/// A group with a retention.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ExpireRecord {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

impl Record for ExpireRecord {
    const KIND: &'static str = "log-expire";
    const VERSION: u16 = 1;
}

impl ExpireRecord {
    pub(super) fn of(scope: &Scope, name: &str) -> Self {
        Self { account: scope.account.to_string(), region: scope.region.to_string(), name: name.to_owned() }
    }
}

/// The scope that a note was written for; none if this program cannot have written it.
pub(super) fn scope(account: &str, region: &str) -> Option<Scope> {
    Some(Scope { account: contract::AccountId::parse(account)?, region: contract::Region::parse(region)? })
}
