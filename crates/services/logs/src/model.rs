//! Working types and pure decisions: what a log event is, where it stands among all others, which of a batch are taken.

mod batch;
mod page;
mod position;

pub use batch::{Admitted, BatchError, Input, Rejected, admit};
pub use page::{Collector, Direction, Page};
pub use position::Position;

use std::collections::BTreeMap;

/// What each event costs beside its message, in every limit and in `storedBytes`: AWS counts 26 bytes.
pub const EVENT_OVERHEAD_BYTES: u64 = 26;

/// A day, in the unit of timestamps.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The only retention times that there are.
pub const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A log group's number within its account and region; a group that is made again under the same name gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

/// A log stream's number within its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What AWS calls a log group's class; here it changes nothing but what is reported, and the life of `DELIVERY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupClass {
    /// The usual one.
    Standard,
    /// Cheaper at AWS.
    InfrequentAccess,
    /// Events live for a day.
    Delivery,
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its name, 1 to 512 of `A-Za-z0-9._-/#`.
    pub name: String,
    /// When it was made, in milliseconds.
    pub created_ms: u64,
    /// Its class.
    pub class: GroupClass,
    /// After how many days events go; none: never.
    pub retention_days: Option<u32>,
    /// Whether it refuses to be deleted.
    pub is_protected: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Group {
    /// Events before this time are gone, or about to go.
    pub fn expired_before_ms(&self, now_ms: u64) -> u64 {
        let days = match self.class {
            GroupClass::Delivery => Some(1),
            GroupClass::Standard | GroupClass::InfrequentAccess => self.retention_days,
        };
        days.map_or(0, |days| now_ms.saturating_sub(u64::from(days) * DAY_MS))
    }
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its number within the group.
    pub id: StreamId,
    /// Its name, 1 to 512 characters without `:` and `*`.
    pub name: String,
    /// When it was made, in milliseconds.
    pub created_ms: u64,
    /// What is known of its events; none before the first.
    pub span: Option<Span>,
}

/// From when to when a stream's events reach, and where the last batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The earliest timestamp.
    pub first_ms: u64,
    /// The latest timestamp.
    pub last_ms: u64,
    /// The last batch's number; larger than every one before.
    pub last_batch: u64,
}

/// One line, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place among all events of its group; its id.
    pub position: Position,
    /// What was logged.
    pub message: String,
}

impl Event {
    /// What it counts for in limits.
    pub fn bytes(&self) -> u64 {
        self.message.len() as u64 + EVENT_OVERHEAD_BYTES
    }
}

/// When a batch with this number was taken in, in milliseconds. Batch numbers are microseconds, pushed on where two would
/// be equal.
pub fn ingested_ms(batch: u64) -> u64 {
    batch / 1_000
}
