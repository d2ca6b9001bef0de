//! The default driver: fjall, a log-structured merge tree.
//!
//! Each class of keys has its own keyspace, since each has its own pattern of garbage: records are compacted deep, journals
//! are mostly appended, queues die young. Memtables are small, because each keyspace has its own and a store at rest
//! should cost little. Not used, because each has lost or broken data in some release: `clear`, ingestion, key-value
//! separation, FIFO compaction. Only the writer thread commits here: fjall makes writers sleep when it cannot keep up.

mod journal;

use std::path::Path;
use std::sync::Arc;

use base::ByteSize;
use bytes::Bytes;
use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::{ApplyError, Batch, Driver, PageBuilder, View};
use crate::directory::Directory;
use crate::key::Class;
use crate::range::Order;
use crate::{Error, Key, OpenError, Page, Range, Scan, Sequence};

pub(crate) const NAME: &str = "fjall";

/// In the keyspace of records, below every key.
const SEQUENCE_KEY: &[u8] = &[0];

/// Decides how long recovery takes: that much is replayed at most.
const JOURNALS_MAX: ByteSize = ByteSize::mib(128);

/// A store in a folder. Fields are dropped in this order: the lock goes last.
pub(crate) struct Embedded {
    keyspaces: Keyspaces,
    database: Database,
    directory: Directory,
}

#[derive(Clone)]
struct Keyspaces(Arc<[Keyspace; Class::ALL.len()]>);

impl Keyspaces {
    fn of(&self, class: Class) -> &Keyspace {
        match class {
            Class::Record => &self.0[0],
            Class::Journal => &self.0[1],
            Class::Queue => &self.0[2],
        }
    }
}

/// Opens, or makes, a store; tells the last commit in it.
pub(crate) fn open(path: &Path, cache: ByteSize) -> Result<(Embedded, Sequence), OpenError> {
    let directory = Directory::open(path, NAME)?;
    journal::mend(&directory.engine_path())?;
    let fail = |error: fjall::Error| match error {
        fjall::Error::Locked => OpenError::Locked { path: path.to_owned() },
        fjall::Error::Io(source) => OpenError::Io { path: path.to_owned(), source },
        other => OpenError::Engine { path: path.to_owned(), why: other.to_string() },
    };
    let database = Database::builder(directory.engine_path())
        .cache_size(cache.bytes())
        .max_journaling_size(JOURNALS_MAX.bytes())
        .open()
        .map_err(fail)?;
    let keyspace = |name, memtable: ByteSize| {
        // An index in one piece is held until its table is written, and each of its keys holds the block that it was read from: where
        // values compress well, a compaction would have many times its table's size in memory. In parts it has none of it.
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable.bytes())
                .index_block_partitioning_policy(PartitioningPolicy::all(true))
        };
        database.keyspace(name, options).map_err(fail)
    };
    let keyspaces = Keyspaces(Arc::new([
        keyspace("records", ByteSize::mib(32))?,
        keyspace("journals", ByteSize::mib(32))?,
        keyspace("queues", ByteSize::mib(16))?,
    ]));
    directory.finish()?;
    let stored = database.snapshot().get(keyspaces.of(Class::Record), SEQUENCE_KEY).map_err(fail)?;
    let last = match stored.as_deref().map(<[u8; 8]>::try_from) {
        None => Sequence::ZERO,
        Some(Ok(number)) => Sequence::new(u64::from_be_bytes(number)),
        Some(Err(_)) => {
            return Err(OpenError::Engine { path: path.to_owned(), why: "its sequence number is not one".to_owned() });
        }
    };
    Ok((Embedded { keyspaces, database, directory }, last))
}

impl Driver for Embedded {
    fn apply(&self, batch: &Batch) -> Result<(), ApplyError> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in &batch.writes {
            let keyspace = self.keyspaces.of(key.class());
            match value {
                Some(value) => writes.insert(keyspace, key.as_bytes(), &value[..]),
                None => writes.remove(keyspace, key.as_bytes()),
            }
        }
        writes.insert(self.keyspaces.of(Class::Record), SEQUENCE_KEY, batch.last.number().to_be_bytes());
        // Whatever fails here, the journal may hold a part of the batch: only recovery cuts that off.
        writes.commit().map_err(|error| ApplyError::Fatal(error.to_string()))
    }

    fn view(&self) -> Result<Box<dyn View>, Error> {
        Ok(Box::new(EmbeddedView { keyspaces: self.keyspaces.clone(), snapshot: self.database.snapshot() }))
    }

    fn free_bytes(&self) -> Option<u64> {
        self.directory.free_bytes()
    }

    fn close(&self) -> Result<(), Error> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| Error::engine("closing", error))
    }
}

struct EmbeddedView {
    keyspaces: Keyspaces,
    snapshot: Snapshot,
}

impl View for EmbeddedView {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        let value = self.snapshot.get(self.keyspaces.of(key.class()), key.as_bytes());
        let value = value.map_err(|error| Error::engine("reading", error))?;
        // Copied, so that a value that is kept does not keep the whole block that it was read from.
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, range: &Range, scan: Scan) -> Result<Page, Error> {
        let mut page = PageBuilder::new(range, scan);
        let mut classes = Class::ALL;
        match scan.order {
            Order::Ascending => {}
            Order::Descending => classes.reverse(),
        }
        // A class's keys lie together in the order of all keys, so one keyspace follows the other.
        for class in classes {
            let part = range.within(class);
            if part.is_empty() {
                continue;
            }
            let mut pairs = self.snapshot.range(self.keyspaces.of(class), &part.start[..]..&part.end[..]);
            while let Some(pair) = match scan.order {
                Order::Ascending => pairs.next(),
                Order::Descending => pairs.next_back(),
            } {
                if page.is_full() {
                    return Ok(page.cut());
                }
                let (key, value) = pair.into_inner().map_err(|error| Error::engine("scanning", error))?;
                page.push(Key::trusted(Bytes::copy_from_slice(&key)), Bytes::copy_from_slice(&value));
            }
        }
        Ok(page.whole())
    }
}
