//! Where everything of the logs lies, and the only place that touches the store.
//!
//! Keys begin with `logs`, account, region. Kept and changed in place:
//! `group NAME`, `stream GROUP NAME`, `name GROUP STREAM` (back from number to name), `tally GROUP` (what came in) and
//! `swept GROUP` (what went, and before which time there is nothing). The two are apart so that retention and deletion
//! never contend with writers. `expire GROUP` names the groups that retention has work with.
//!
//! Written in order and trimmed from the oldest end, under `GROUP`:
//! `t START BATCH STREAM` and `s STREAM START BATCH`, the same index entry by time and by stream, and the chunk itself
//! at `c START BATCH STREAM PART`. So a range of time reads its own chunks only, in a group as in a stream, and retention
//! takes whole chunks from the front. No scan begins before `swept`'s time: what is deleted is never walked over.
//!
//! A group or stream is deleted by deleting its record and leaving a note under `_sweep`; numbers are never used
//! again, so what lies about under the old number is out of sight at once, and the background takes it away in time.

mod append;
mod groups;
mod keys;
mod read;
mod records;
mod streams;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::Clock;
use contract::{AccountId, Region};
use store::{Key, Snapshot, Store, Watch};

pub use append::{Append, Missing};
pub use groups::NewGroup;
pub use read::{Query, Sought};
pub use streams::StreamOrder;
pub use sweep::Expired;

pub(crate) use keys::Keys;

/// Whose logs, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

/// All logs of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Store,
    clock: Clock,
    batches: Arc<AtomicU64>,
}

impl Archive {
    /// The logs in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, batches: Arc::default() }
    }

    /// The store as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    /// Tells of every commit that touches something under `prefix`.
    pub(crate) fn watch(&self, prefix: Key) -> Watch {
        self.store.watch(prefix)
    }

    /// The time of day, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or_default()
    }

    /// A batch number above all that were handed out, and above `floor`: the time in microseconds, or a little more.
    /// Nothing is kept for it: `floor` is the stream's own last number, so it grows within a stream even if the clock
    /// was set back between two runs.
    fn next_batch(&self, floor: u64) -> u64 {
        let now = u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default();
        let next = |last: u64| Some(now.max(last + 1).max(floor + 1));
        match self.batches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(last) | Err(last) => now.max(last + 1).max(floor + 1),
        }
    }
}
