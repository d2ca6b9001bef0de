//! The writer: one thread of its own that makes all changes.
//!
//! It takes every transaction that waits, checks each one's reads against what was committed since its snapshot and
//! earlier in the batch, hands the engine one batch with one sync, and then acknowledges all of them. There are no
//! timers: while one sync runs, the next batch gathers by itself. The order of the line is the serial order.
//!
//! When the engine fails in a way that leaves open what is on disk, or hangs, or this thread panics, the writer ends and
//! the fatal handler is called: a failed sync is never tried again, since the kernel may have dropped the dirty pages
//! and would report success. Recovery at the next start knows what is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base::ByteSize;
use bytes::Bytes;

use crate::driver::{ApplyError, Batch, Driver};
use crate::feed::Feed;
use crate::options::{Fatal, FatalHandler};
use crate::queue::{Outcome, Queue, Request};
use crate::transaction::Reads;
use crate::window::Window;
use crate::{Error, Key, Sequence};

/// The most transactions that share a sync.
const BATCH_MAX: usize = 1_024;

/// What the writer shares with everyone else.
pub(crate) struct Desk {
    pub(crate) queue: Queue,
    pub(crate) feed: Arc<Feed>,
    published: AtomicU64,
    stopped: AtomicBool,
    hung: AtomicBool,
    retired: AtomicBool,
    /// When the batch in hand was begun, in milliseconds since `start` plus one; zero between batches.
    busy_since: AtomicU64,
    start: Instant,
    fatal: FatalHandler,
}

impl Desk {
    pub(crate) fn new(queue: Queue, feed: Arc<Feed>, last: Sequence, fatal: FatalHandler) -> Self {
        Self {
            queue,
            feed,
            published: AtomicU64::new(last.number()),
            stopped: AtomicBool::new(false),
            hung: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            busy_since: AtomicU64::new(0),
            start: Instant::now(),
            fatal,
        }
    }

    /// The last commit that is durable and visible.
    pub(crate) fn published(&self) -> Sequence {
        Sequence::new(self.published.load(Ordering::Acquire))
    }

    /// How long the batch in hand has taken so far; zero between batches.
    pub(crate) fn busy_for(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self.start.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }

    /// Ends the store for good. The handler is called once.
    pub(crate) fn stop(&self, reason: Fatal) {
        if !self.stopped.swap(true, Ordering::AcqRel) {
            self.hung.store(matches!(reason, Fatal::Stalled(_)), Ordering::Release);
            self.queue.stop();
            self.feed.close();
            (self.fatal)(&reason);
        }
    }

    /// Whether it was stopped because the writer makes no progress.
    pub(crate) fn is_hung(&self) -> bool {
        self.hung.load(Ordering::Acquire)
    }

    /// Tells the watchdog that there is nothing to watch any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    fn begin_batch(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.busy_since.store(now + 1, Ordering::Relaxed);
    }

    fn end_batch(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) desk: Arc<Desk>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) window: Window,
    pub(crate) last: Sequence,
    pub(crate) disk_reserve: ByteSize,
}

/// A transaction that may commit.
struct Admitted {
    request: Request,
    sequence: Sequence,
    keys: Vec<Key>,
}

impl Writer {
    /// Works until the line is closed and empty, or the store is stopped.
    pub(crate) fn run(mut self) {
        let desk = Arc::clone(&self.desk);
        let guard = PanicGuard(&desk);
        while let Some(requests) = self.desk.queue.take(BATCH_MAX) {
            self.desk.begin_batch();
            let ended = self.write(requests);
            self.desk.end_batch();
            if let Err(why) = ended {
                std::mem::forget(guard);
                return self.desk.stop(Fatal::Write(why));
            }
        }
        std::mem::forget(guard);
        self.desk.feed.close();
        if let Err(error) = self.driver.close() {
            tracing::warn!(%error, "the store did not close cleanly; everything acknowledged is on disk all the same");
        }
    }

    fn write(&mut self, requests: Vec<Request>) -> Result<(), String> {
        let room = Room::look(&*self.driver, self.disk_reserve);
        let mut batch = Batch { last: self.last, ..Batch::default() };
        let mut admitted = Vec::with_capacity(requests.len());
        let mut refused = Vec::new();
        for mut request in requests {
            match self.judge(&request, &batch, room) {
                None => {
                    batch.last = batch.last.next();
                    let keys = stage(&mut request, &mut batch);
                    admitted.push(Admitted { sequence: batch.last, request, keys });
                }
                Some(outcome) => refused.push((request, outcome)),
            }
        }
        if !admitted.is_empty() {
            match self.driver.apply(&batch) {
                Ok(()) => self.publish(batch.last, admitted),
                Err(ApplyError::Full) => {
                    let error = room.full_error(self.disk_reserve);
                    refused.extend(admitted.into_iter().map(|it| (it.request, Outcome::Refused(error.clone()))));
                }
                Err(ApplyError::Fatal(why)) => return Err(why),
            }
        }
        // Only now: what made it a conflict was not visible before, and a new try would have met it again.
        for (request, outcome) in refused {
            answer(request, outcome);
        }
        Ok(())
    }

    /// None: it may commit.
    fn judge(&self, request: &Request, batch: &Batch, room: Room) -> Option<Outcome> {
        let draft = &request.draft;
        if self.window.changed(draft.snapshot, &draft.reads) || changed_in(batch, &draft.reads) {
            return Some(Outcome::Conflict);
        }
        let has_room = match room {
            Room::Ample => true,
            Room::Scarce { .. } => draft.only_deletes(),
            Room::None { .. } => false,
        };
        (!has_room).then(|| Outcome::Refused(room.full_error(self.disk_reserve)))
    }

    /// Makes a batch that is on disk known: visible first, then told, then acknowledged.
    fn publish(&mut self, last: Sequence, admitted: Vec<Admitted>) {
        self.last = last;
        for commit in &admitted {
            self.window.record(commit.sequence, &commit.keys);
        }
        self.desk.published.store(last.number(), Ordering::Release);
        self.desk.feed.publish(admitted.iter().map(|commit| (commit.sequence, &commit.keys[..])));
        for commit in admitted {
            answer(commit.request, Outcome::Committed(commit.sequence));
        }
    }
}

/// Moves a transaction's writes into the batch, and gives its appends their keys.
fn stage(request: &mut Request, batch: &mut Batch) -> Vec<Key> {
    let writes = std::mem::take(&mut request.draft.writes);
    let appends = std::mem::take(&mut request.draft.appends);
    let mut keys = Vec::with_capacity(writes.len() + appends.len());
    let stamped = appends
        .into_iter()
        .enumerate()
        .map(|(index, (prefix, value))| (prefix.with(batch.last).with(index as u64), Some(value)));
    let staged: Vec<(Key, Option<Bytes>)> = writes.into_iter().chain(stamped).collect();
    for (key, value) in staged {
        keys.push(key.clone());
        batch.writes.insert(key, value);
    }
    keys
}

/// Whether a transaction read what an earlier one of the same batch changes.
fn changed_in(batch: &Batch, reads: &Reads) -> bool {
    !batch.writes.is_empty()
        && (reads.points.iter().any(|key| batch.writes.contains_key(key))
            || reads.ranges.iter().any(|range| batch.touches(range)))
}

/// Lets go of what the transaction held, and tells its owner, who may have gone.
fn answer(request: Request, outcome: Outcome) {
    let Request { draft, ack, .. } = request;
    drop(draft);
    let _nobody_waits_any_more = ack.send(outcome);
}

/// How the disk stands.
#[derive(Clone, Copy, Debug)]
enum Room {
    Ample,
    /// Deleting is still let through, or one could never make room.
    Scarce {
        free: u64,
    },
    /// Not even that: tombstones take room too.
    None {
        free: u64,
    },
}

impl Room {
    fn look(driver: &dyn Driver, reserve: ByteSize) -> Self {
        match driver.free_bytes() {
            Some(free) if free < reserve.bytes() / 4 => Self::None { free },
            Some(free) if free < reserve.bytes() => Self::Scarce { free },
            Some(_) | None => Self::Ample,
        }
    }

    fn full_error(self, reserve: ByteSize) -> Error {
        let free = match self {
            // The engine found the disk full although it looked ample: somebody else was faster.
            Self::Ample => 0,
            Self::Scarce { free } | Self::None { free } => free,
        };
        Error::DiskFull { free: ByteSize(free), reserve }
    }
}

/// Dropped only when the writer panics.
struct PanicGuard<'a>(&'a Desk);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        self.0.stop(Fatal::Panicked);
    }
}
