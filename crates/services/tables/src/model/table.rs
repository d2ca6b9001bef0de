//! What a table is, without its items.
//!
//! One type is both the working model and what lies on disk: every field of a table is something that its owner set, so a record
//! of its own would be the same fields a second time. What is derived (a compiled policy, counts) lies in the table's desk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Scope;

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its number in the node; never used again.
    pub number: u64,
    /// The id that `DescribeTable` shows.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// What an item is found by.
    pub keys: Keys,
    /// The definitions of all attributes that are keys of something, in the order in which they were given.
    pub attributes: Vec<Attribute>,
    /// How it is paid for.
    pub mode: Mode,
    /// When it was last switched to paying by request.
    pub on_demand_since_ms: Option<i64>,
    /// What is provisioned; zero where it is paid by request.
    pub throughput: Throughput,
    /// The most that may be used where it is paid by request: reads and writes.
    pub on_demand_max: Option<(Option<i64>, Option<i64>)>,
    /// What the table is to be warm for: reads and writes.
    pub warm: Option<(i64, i64)>,
    /// Local indexes, made with the table.
    pub locals: Vec<Index>,
    /// Global indexes.
    pub globals: Vec<Index>,
    /// How many indexes were ever made: the next one's number.
    pub indexes_made: u16,
    /// Its latest stream, also when that was disabled.
    pub stream: Option<Stream>,
    /// Streams before that, as long as their records are kept.
    pub former_streams: Vec<Stream>,
    /// How it is encrypted on AWS: kept and shown.
    pub encryption: Option<Encryption>,
    /// `STANDARD` where nobody said anything.
    pub class: Option<String>,
    /// Whether it cannot be deleted.
    pub protected: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The policies of the table (by its own name) and of its stream, by the resource's ARN.
    pub policies: BTreeMap<String, Policy>,
    /// The attribute that says when an item's time is over.
    pub expiry: Option<Expiry>,
    /// Whether the table can be brought back as it was at any moment.
    pub recovery: Option<Recovery>,
    /// Where it was restored from.
    pub restored: Option<Restored>,
    /// Destinations for its changes outside: kept and shown.
    pub destinations: BTreeMap<String, Destination>,
    /// Whether contributor insights are on, of the table (empty name) and of its indexes.
    pub insights: BTreeMap<String, bool>,
    /// What still reads the table as it was at a moment: until it is done the table cannot be deleted.
    pub holds: Vec<Hold>,
    /// What is still being made.
    pub state: State,
}

/// Whether the table can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its items are being put into it from elsewhere.
    Creating,
    /// Yes.
    Active,
}

/// A key attribute's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

impl Kind {
    /// As the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }
}

/// An attribute's name and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
}

/// What items are found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Where an item lies.
    pub hash: Attribute,
    /// In which order there.
    pub range: Option<Attribute>,
}

impl Keys {
    /// The hash key and, where there is one, the range key.
    pub fn each(&self) -> impl Iterator<Item = &Attribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// Whether an attribute is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.each().any(|key| key.name == name)
    }
}

/// How a table is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// For what it may do in a second.
    Provisioned,
    /// For what it does.
    PerRequest,
}

/// What may be read and written in a second, in capacity units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// Reads.
    pub read: i64,
    /// Writes.
    pub write: i64,
    /// When one of them was last raised.
    pub raised_ms: Option<i64>,
    /// When one of them was last lowered.
    pub lowered_ms: Option<i64>,
    /// How often something was lowered on the day of `lowered_ms`.
    pub lowered_today: i64,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Its number in the table; never used again.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// What items are found by in it.
    pub keys: Keys,
    /// What it holds of each item.
    pub projection: Projection,
    /// What is provisioned for it, where it is global.
    pub throughput: Throughput,
    /// The most that may be used where it is paid by request.
    pub on_demand_max: Option<(Option<i64>, Option<i64>)>,
    /// What it is to be warm for.
    pub warm: Option<(i64, i64)>,
    /// Whether it can be used.
    pub status: IndexStatus,
}

/// Whether an index can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexStatus {
    /// What lies in the table already is being put into it; changes go into it from the beginning.
    Creating,
    /// Yes.
    Active,
    /// Its entries are being taken away.
    Deleting,
}

/// What an index holds of each item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Projection {
    /// Everything.
    All,
    /// Its keys and the table's.
    KeysOnly,
    /// The keys and these.
    Include(Vec<String>),
}

/// What records of a stream hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// The keys.
    KeysOnly,
    /// The item as it is now.
    NewImage,
    /// The item as it was.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// A stream of a table's changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// When it was made, which is also its name.
    pub label: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// What its records hold.
    pub view: View,
    /// Whether changes go into it.
    pub enabled: bool,
    /// Its shards, oldest first; each follows the one before it. At least one.
    pub shards: Vec<Shard>,
}

/// A part of a stream: what was committed after one moment, and up to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its name.
    pub id: String,
    /// The shard before it.
    pub parent: Option<String>,
    /// The last commit before it.
    pub after: u64,
    /// When it was begun.
    pub started_ms: i64,
    /// Its last commit, and when it was ended; none while changes go into it.
    pub ended: Option<(u64, i64)>,
}

impl Shard {
    /// A shard of what is committed from now on.
    pub fn begin(parent: Option<&Self>, after: u64, now_ms: i64) -> Self {
        // The parent's end tells shards apart that begin within a millisecond.
        let id = format!("shardId-{now_ms:020}-{:08x}", after & 0xffff_ffff);
        Self { id, parent: parent.map(|parent| parent.id.clone()), after, started_ms: now_ms, ended: None }
    }
}

impl Stream {
    /// A new stream.
    pub fn begin(label: String, view: View, after: u64, now_ms: i64) -> Self {
        let shards = vec![Shard::begin(None, after, now_ms)];
        Self { label, created_ms: now_ms, view, enabled: true, shards }
    }

    /// Ends the last shard, if that is open still.
    pub fn end_shard(&mut self, commit: u64, now_ms: i64) {
        if let Some(last) = self.shards.last_mut().filter(|last| last.ended.is_none()) {
            last.ended = Some((commit, now_ms));
        }
    }

    /// Nothing more goes into it.
    pub fn disable(&mut self, commit: u64, now_ms: i64) {
        self.enabled = false;
        self.end_shard(commit, now_ms);
    }

    /// Ends the last shard and begins the next.
    pub fn rotate(&mut self, commit: u64, now_ms: i64) {
        self.end_shard(commit, now_ms);
        let next = Shard::begin(self.shards.last(), commit, now_ms);
        self.shards.push(next);
    }
}

/// How a table is encrypted on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The key.
    pub key: Option<String>,
}

/// A policy as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The document.
    pub text: String,
    /// Which revision of it.
    pub revision: String,
}

/// The attribute that says when an item's time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Its name.
    pub attribute: String,
    /// Tells entries of this setting from those of earlier ones.
    pub number: u16,
    /// Whether the items that were there already have their entries.
    pub ready: bool,
}

/// How far back a table can be brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Since when changes are kept.
    pub since_ms: i64,
    /// For how many days.
    pub days: i32,
}

impl Recovery {
    /// Of a table whose changes were kept in a way that is no longer read: they are kept since it was opened.
    pub const SINCE_OPENED: i64 = i64::MAX;

    /// The first moment that the table can be brought back to.
    pub fn earliest_ms(self, now_ms: i64) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        self.since_ms.max(now_ms - i64::from(self.days) * DAY_MS)
    }
}

/// Something reads the table as it was at a moment, so that changes since then are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What reads: the number of a backup, a restored table's job or an export.
    pub job: u64,
    /// The day (since the epoch) of the oldest change that it needs.
    pub day: u64,
}

/// Where a table was restored from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The backup, if it was one.
    pub backup: Option<String>,
    /// The table's ARN.
    pub table: Option<String>,
    /// The moment that it was brought back to.
    pub moment_ms: i64,
}

/// A stream of another service that changes are to go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Whether they would.
    pub enabled: bool,
    /// How exact times are: `MILLISECOND` or `MICROSECOND`.
    pub precision: Option<String>,
}

impl Table {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn(&self.name).to_string()
    }

    /// The ARN of its latest stream.
    pub fn stream_arn(&self, scope: &Scope) -> Option<String> {
        self.stream.as_ref().map(|stream| self.arn_of(stream, scope))
    }

    /// The ARN of one of its streams.
    pub fn arn_of(&self, stream: &Stream, scope: &Scope) -> String {
        format!("{}/stream/{}", self.arn(scope), stream.label)
    }

    /// The index of that name.
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes().find(|index| index.name == name)
    }

    /// All indexes, local ones first.
    pub fn indexes(&self) -> impl Iterator<Item = &Index> {
        self.locals.iter().chain(&self.globals)
    }

    /// Whether an index is a local one.
    pub fn is_local(&self, index: &Index) -> bool {
        self.locals.iter().any(|local| local.number == index.number)
    }

    /// The indexes that changes go into.
    pub fn kept_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes().filter(|index| index.status != IndexStatus::Deleting)
    }

    /// The definition of an attribute that is a key of something.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The stream of that label, also one of those before.
    pub fn stream_of(&self, label: &str) -> Option<&Stream> {
        self.streams().find(|stream| stream.label == label)
    }

    /// All streams whose records are kept.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.former_streams.iter().chain(&self.stream)
    }

    /// Whether items are kept as they were before they are changed.
    pub fn keeps_versions(&self) -> bool {
        self.recovery.is_some() || !self.holds.is_empty()
    }

    /// The stream, if changes go into it.
    pub fn open_stream(&self) -> Option<&Stream> {
        self.stream.as_ref().filter(|stream| stream.enabled)
    }
}

impl Index {
    /// Whether an attribute of the table's items is in the index.
    pub fn holds(&self, table: &Table, name: &str) -> bool {
        match &self.projection {
            Projection::All => true,
            Projection::KeysOnly => self.keys.contains(name) || table.keys.contains(name),
            Projection::Include(names) => {
                self.keys.contains(name) || table.keys.contains(name) || names.iter().any(|held| held == name)
            }
        }
    }
}
