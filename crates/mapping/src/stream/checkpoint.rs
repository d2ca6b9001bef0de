//! How far a shard is done, as it is kept: in the store, so that it survives a crash.

use contract::Document;
use serde::{Deserialize, Serialize};
use store::{Error, Key, Record, Store, Transaction};

/// How far a shard is done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Every record up to this one is done or given up; none: not even the first.
    pub after: Option<u128>,
    /// The iterator that the reading begins with where nothing was done yet; none: the oldest record.
    #[serde(default)]
    pub start: Option<String>,
    /// The tumbling window that is open there.
    pub window: Option<Window>,
}

/// A tumbling window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its first millisecond since the epoch.
    pub start_ms: i64,
    /// The first millisecond after it.
    pub end_ms: i64,
    /// What the handler answered last.
    pub state: Document,
}

impl Record for Checkpoint {
    const KIND: &'static str = "stream-checkpoint";
    const VERSION: u16 = 1;
}

impl Checkpoint {
    /// All checkpoints of one reader, by shard.
    pub fn prefix(reader: &str) -> Key {
        Key::new("stream-checkpoints").with(reader)
    }

    /// The checkpoint of a shard for one reader of it; a fresh one if there is none.
    pub async fn load(store: &Store, reader: &str, shard: &str) -> Result<Self, Error> {
        Ok(store.snapshot().get_record(&key(reader, shard)).await?.unwrap_or_default())
    }

    /// Keeps it, in the transaction of what it tells of.
    pub fn save(&self, tx: &Transaction, reader: &str, shard: &str) {
        tx.put_record(key(reader, shard), self);
    }

    /// Forgets it: the reader or the shard is gone.
    pub fn forget(tx: &Transaction, reader: &str, shard: &str) {
        tx.delete(key(reader, shard));
    }
}

fn key(reader: &str, shard: &str) -> Key {
    Checkpoint::prefix(reader).with(shard)
}
