//! How to open a store, and what to do when it cannot go on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{ByteSize, Clock};

/// Where a store keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Nowhere: gone when the process ends.
    Memory,
    /// In this folder, with the default engine.
    Embedded(PathBuf),
    /// In this folder, in an SQLite database.
    Sqlite(PathBuf),
}

/// The settings of a store. Make them with [`Options::new`] and change what should differ.
#[derive(Clone)]
pub struct Options {
    /// Where the data lies.
    pub location: Location,
    /// Time for leases and for the age of snapshots.
    pub clock: Clock,
    /// Memory for what was read from disk. Default 64 MiB; the engine takes some tens of MiB more under load.
    pub cache_bytes: ByteSize,
    /// How long a snapshot or transaction may be held. Default 60 s.
    pub snapshot_age_max: Duration,
    /// How many transactions may wait for the writer. Default 8,192.
    pub queue_max: usize,
    /// How long a transaction waits for a place in a full queue before it gets [`crate::Error::Busy`]. Default 5 s.
    pub queue_patience: Duration,
    /// Room on the disk that is not used for new data, so that a write never fails half-way. Default 128 MiB: what the
    /// engine has in memory must still find its place. Deletes go on down to a quarter of it.
    pub disk_reserve: ByteSize,
    /// After how long without progress the writer counts as hung. Default 10 s.
    pub stall_max: Duration,
    /// What to do when the store cannot go on. Default: log, and abort the process.
    pub fatal: FatalHandler,
}

impl Options {
    /// The defaults.
    pub fn new(location: Location, clock: Clock) -> Self {
        Self {
            location,
            clock,
            cache_bytes: ByteSize::mib(64),
            snapshot_age_max: Duration::from_secs(60),
            queue_max: 8_192,
            queue_patience: Duration::from_secs(5),
            disk_reserve: ByteSize::mib(128),
            stall_max: Duration::from_secs(10),
            fatal: Arc::new(abort),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("location", &self.location).finish_non_exhaustive()
    }
}

/// Called once, from the writer's or the watchdog's thread. By then every waiting transaction has its answer
/// ([`crate::Error::Stopped`]) or is stuck in the engine; the store takes nothing any more.
pub type FatalHandler = Arc<dyn Fn(&Fatal) + Send + Sync>;

/// Why a store cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// A write or its sync failed; what is on disk is known after a restart.
    Write(String),
    /// The engine makes no progress.
    Stalled(Duration),
    /// The writer panicked: a bug of ours.
    Panicked,
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(why) => write!(f, "writing to the store failed: {why}"),
            Self::Stalled(time) => write!(f, "the storage engine made no progress for {time:?}"),
            Self::Panicked => f.write_str("the store's writer panicked"),
        }
    }
}

fn abort(reason: &Fatal) {
    tracing::error!(%reason, "the store cannot go on, so the node stops; start it again to recover");
    // A node without its store is worse than none: it would answer from its caches. What is acknowledged is on disk.
    std::process::abort();
}
