//! The keys, see `store.rs`.

use store::{Error, Key};

use super::Scope;
use crate::chunk::ChunkId;
use crate::model::{GroupId, StreamId};

const SERVICE: &str = "logs";

/// The keys of one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    records: Key,
    journal: Key,
    scope: Scope,
}

impl Keys {
    pub(crate) fn of(scope: &Scope) -> Self {
        let under = |key: Key| key.with(scope.account.to_string()).with(scope.region.as_str());
        Self { records: under(Key::new(SERVICE)), journal: under(Key::journal(SERVICE)), scope: scope.clone() }
    }

    /// Counts the groups that were made, for their numbers.
    pub(super) fn made(&self) -> Key {
        self.records.clone().with("made")
    }

    pub(super) fn groups(&self) -> Key {
        self.records.clone().with("group")
    }

    /// A group's record; what waits for a group watches.
    pub(crate) fn group(&self, name: &str) -> Key {
        self.groups().with(name)
    }

    pub(super) fn tally(&self, group: GroupId) -> Key {
        self.records.clone().with("tally").with(group.0)
    }

    pub(super) fn swept(&self, group: GroupId) -> Key {
        self.records.clone().with("swept").with(group.0)
    }

    pub(super) fn streams(&self, group: GroupId) -> Key {
        self.records.clone().with("stream").with(group.0)
    }

    pub(super) fn stream(&self, group: GroupId, name: &str) -> Key {
        self.streams(group).with(name)
    }

    pub(super) fn names(&self, group: GroupId) -> Key {
        self.records.clone().with("name").with(group.0)
    }

    pub(super) fn name(&self, group: GroupId, stream: StreamId) -> Key {
        self.names(group).with(stream.0)
    }

    /// Everything of a group that is not a record of its own.
    pub(super) fn journal(&self, group: GroupId) -> Key {
        self.journal.clone().with(group.0)
    }

    /// A group's chunks by time; what a follower watches.
    pub(crate) fn by_time(&self, group: GroupId) -> Key {
        self.journal(group).with("t")
    }

    pub(super) fn entry_by_time(&self, group: GroupId, id: ChunkId) -> Key {
        self.by_time(group).with(id.start_ms).with(id.batch).with(id.stream.0)
    }

    pub(super) fn by_stream(&self, group: GroupId, stream: StreamId) -> Key {
        self.journal(group).with("s").with(stream.0)
    }

    pub(super) fn entry_by_stream(&self, group: GroupId, id: ChunkId) -> Key {
        self.by_stream(group, id.stream).with(id.start_ms).with(id.batch)
    }

    pub(super) fn part(&self, group: GroupId, id: ChunkId, part: u16) -> Key {
        self.journal(group).with("c").with(id.start_ms).with(id.batch).with(id.stream.0).with(part)
    }

    /// Which chunk an entry by time is about.
    pub(crate) fn read_by_time(&self, group: GroupId, key: &Key) -> Result<ChunkId, Error> {
        let mut parts = key.parts_after(&self.by_time(group))?;
        let (start_ms, batch, stream) = (parts.number()?, parts.number()?, parts.number()?);
        Ok(ChunkId { start_ms, batch, stream: StreamId(stream) })
    }

    /// Which chunk an entry by stream is about.
    pub(super) fn read_by_stream(&self, group: GroupId, stream: StreamId, key: &Key) -> Result<ChunkId, Error> {
        let mut parts = key.parts_after(&self.by_stream(group, stream))?;
        Ok(ChunkId { start_ms: parts.number()?, batch: parts.number()?, stream })
    }

    /// The note that a deleted group, or stream, is to be swept away.
    pub(super) fn sweep(&self, group: GroupId, stream: Option<StreamId>) -> Key {
        let key = note("_sweep", &self.scope).with(group.0);
        match stream {
            Some(stream) => key.with(stream.0),
            None => key,
        }
    }

    /// The note that a group has a retention.
    pub(super) fn expire(&self, group: GroupId) -> Key {
        note("_expire", &self.scope).with(group.0)
    }
}

/// All notes of deleted things, of all accounts and regions.
pub(super) fn sweeps() -> Key {
    Key::new(SERVICE).with("_sweep")
}

/// All notes of groups with a retention.
pub(super) fn expiries() -> Key {
    Key::new(SERVICE).with("_expire")
}

fn note(kind: &str, scope: &Scope) -> Key {
    Key::new(SERVICE).with(kind).with(scope.account.to_string()).with(scope.region.as_str())
}
