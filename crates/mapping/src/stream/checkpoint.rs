//! How far a shard is done, as it is kept: in the store, so that it survives a crash.
//!
//! The state of a tumbling window may be longer than a value of the store: then it lies in pieces beside the record, which says how many
//! there are.

use std::collections::BTreeMap;

use contract::Document;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Error, Key, Range, Record, Scan, Store, Transaction};

/// A state that is not longer lies in the record itself.
const INSIDE_BYTES_MAX: usize = 16 << 10;
/// So many bytes of a state in one piece.
const PIECE_BYTES: usize = 60 << 10;

/// How far a shard is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Every record up to this one is done or given up; none: not even the first.
    pub after: Option<u128>,
    /// The iterator that the reading begins with where nothing was done yet; none: the oldest record.
    pub start: Option<String>,
    /// The tumbling window that is open there.
    pub window: Option<Window>,
}

/// A tumbling window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Its first millisecond since the epoch.
    pub start_ms: i64,
    /// The first millisecond after it.
    pub end_ms: i64,
    /// What the handler answered last.
    pub state: Document,
}

impl Window {
    /// A window whose state is longer than this, as JSON, ends early.
    pub const STATE_BYTES_MAX: usize = 1 << 20;
}

/// A checkpoint on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    after: Option<u128>,
    #[serde(default)]
    start: Option<String>,
    window: Option<KeptWindow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptWindow {
    start_ms: i64,
    end_ms: i64,
    /// Null where it lies in pieces.
    state: Document,
    #[serde(default)]
    pieces: u32,
}

impl Record for Kept {
    const KIND: &'static str = "stream-checkpoint";
    // A migration goes by way of a `Value`, which has no room for the digits of `after`: what is new must have a default.
    const VERSION: u16 = 1;
}

impl Kept {
    fn pieces(&self) -> u32 {
        self.window.as_ref().map_or(0, |window| window.pieces)
    }
}

impl Checkpoint {
    /// The checkpoint of a shard for one reader of it; a fresh one if there is none.
    pub async fn load(store: &Store, reader: &str, shard: &str) -> Result<Self, Error> {
        let load = |tx: Transaction| async move {
            match tx.get_record::<Kept>(&key(reader, shard)).await? {
                Some(kept) => Self::whole(&tx, reader, shard, kept).await,
                None => Ok(Self::default()),
            }
        };
        store.transact(load).await
    }

    /// All checkpoints of one reader, by shard.
    pub async fn all(tx: &Transaction, reader: &str) -> Result<BTreeMap<String, Self>, Error> {
        let mut found = BTreeMap::new();
        for (shard, kept) in all_kept(tx, reader).await? {
            let checkpoint = Self::whole(tx, reader, &shard, kept).await?;
            found.insert(shard, checkpoint);
        }
        Ok(found)
    }

    /// Keeps it, in the transaction of what it tells of.
    pub async fn save(&self, tx: &Transaction, reader: &str, shard: &str) -> Result<(), Error> {
        let key = key(reader, shard);
        let before = tx.get_record::<Kept>(&key).await?.map_or(0, |kept| kept.pieces());
        let state = self.window.as_ref().map(|window| window.state.to_string()).unwrap_or_default();
        let outside = if state.len() > INSIDE_BYTES_MAX { state.as_bytes() } else { &[] };
        let mut pieces = 0;
        for piece in outside.chunks(PIECE_BYTES) {
            tx.put(piece_key(reader, shard, pieces), piece.to_vec());
            pieces += 1;
        }
        (pieces..before).for_each(|number| tx.delete(piece_key(reader, shard, number)));
        let window = self.window.as_ref().map(|window| KeptWindow {
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            state: if pieces == 0 { window.state.clone() } else { Value::Null },
            pieces,
        });
        tx.put_record(key, &Kept { after: self.after, start: self.start.clone(), window });
        Ok(())
    }

    /// Forgets it: the reader or the shard is gone.
    pub async fn forget(tx: &Transaction, reader: &str, shard: &str) -> Result<(), Error> {
        let key = key(reader, shard);
        let pieces = tx.get_record::<Kept>(&key).await?.map_or(0, |kept| kept.pieces());
        (0..pieces).for_each(|number| tx.delete(piece_key(reader, shard, number)));
        tx.delete(key);
        Ok(())
    }

    /// Forgets all checkpoints of a reader.
    pub async fn forget_all(tx: &Transaction, reader: &str) -> Result<(), Error> {
        for (shard, _) in all_kept(tx, reader).await? {
            Self::forget(tx, reader, &shard).await?;
        }
        Ok(())
    }

    /// With the pieces that its state lies in.
    async fn whole(tx: &Transaction, reader: &str, shard: &str, kept: Kept) -> Result<Self, Error> {
        let Kept { after, start, window } = kept;
        let Some(KeptWindow { start_ms, end_ms, mut state, pieces }) = window else {
            return Ok(Self { after, start, window: None });
        };
        if pieces > 0 {
            let mut text = Vec::new();
            for number in 0..pieces {
                let piece = tx.get(&piece_key(reader, shard, number)).await?;
                text.extend_from_slice(&piece.ok_or_else(|| damaged("a piece of its state is gone"))?);
            }
            state = serde_json::from_slice(&text).map_err(damaged)?;
        }
        Ok(Self { after, start, window: Some(Window { start_ms, end_ms, state }) })
    }
}

async fn all_kept(tx: &Transaction, reader: &str) -> Result<Vec<(String, Kept)>, Error> {
    let prefix = prefix(reader);
    let (mut found, mut rest) = (Vec::new(), Some(Range::prefix(&prefix)));
    while let Some(range) = rest.take() {
        let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
        for (key, value) in page.items {
            found.push((key.parts_after(&prefix)?.text()?, store::record::decode(&value)?));
        }
        rest = page.rest;
    }
    Ok(found)
}

fn damaged(why: impl std::fmt::Display) -> Error {
    Error::Record { kind: Kept::KIND, why: why.to_string() }
}

fn prefix(reader: &str) -> Key {
    Key::new("stream-checkpoints").with(reader)
}

fn key(reader: &str, shard: &str) -> Key {
    prefix(reader).with(shard)
}

fn piece_key(reader: &str, shard: &str, number: u32) -> Key {
    Key::new("stream-states").with(reader).with(shard).with(number)
}
