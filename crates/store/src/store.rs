//! The store itself: opening, transactions, snapshots, and closing in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::Clock;

use crate::driver::{self, Driver};
use crate::feed::{Feed, Watch};
use crate::lease::{self, Lease};
use crate::options::{Fatal, Location, Options};
use crate::queue::{Outcome, Queue};
use crate::snapshot::Snapshot;
use crate::transaction::Transaction;
use crate::view::{Reads, Views};
use crate::window::{Limits, Window};
use crate::writer::{Desk, Writer};
use crate::{Error, Key, OpenError, Sequence};

/// An open store. Cheap to clone. It closes when [`Store::close`] is called, or when the last clone goes: that waits, on
/// the thread that drops it, until the writer has finished what it has in hand.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    desk: Arc<Desk>,
    views: Arc<Views>,
    clock: Clock,
    /// Locked by the loser whose turn it is; the lock is first come, first served.
    losers: tokio::sync::Mutex<()>,
    /// Shared by all transactions, but for one that has lost too often: it has this alone.
    field: tokio::sync::RwLock<()>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    watchdog: Option<JoinHandle<()>>,
}

/// So many tries follow each other at once: each meets a newer snapshot, and each batch has a winner.
const TRIES_AT_ONCE: u32 = 4;

/// Who goes on losing gets in line with the other losers and tries when it is its turn, against newcomers only. That is
/// fairer than waiting for random times, and does not depend on how fast the disk is: a crowd on one key gets through at
/// one commit a batch.
///
/// Newcomers can win every time all the same, where they are many. After so many tries it waits until nobody else is in a
/// transaction, and tries alone: that costs everybody a batch, and is sure.
const TRIES_AMONG_OTHERS: u32 = 24;

/// Only writes that come from elsewhere, another process on the same data, can still be in the way then.
const TRIES_MAX: u32 = 128;

/// Then it goes on without: whoever has the turn may be slow, or, in a transaction inside a transaction, this one's outer.
const TURN_PATIENCE: Duration = Duration::from_secs(1);

impl Store {
    /// A store that keeps nothing.
    pub fn memory(clock: Clock) -> Self {
        let options = Options::new(Location::Memory, clock);
        Self::over(Arc::new(driver::memory::Memory::default()), Sequence::ZERO, options, Limits::PRODUCT)
    }

    /// Opens, or creates, a store. Blocks while the engine recovers what was in flight when it was last stopped.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let (driver, last) = driver::open(&options)?;
        Ok(Self::over(driver, last, options, Limits::PRODUCT))
    }

    /// Runs `f` in a transaction and commits what it wrote, if it returns `Ok`: all of it or nothing, on disk when this
    /// returns, as if all transactions ran one after the other. When another transaction changed what it read, it is run
    /// again on a new snapshot, so `f` must have no effect but through its transaction. Cutting the future off while it
    /// waits for the commit does not undo the commit.
    pub async fn transact<T, E, F, Fut>(&self, f: F) -> Result<T, E>
    where
        F: FnMut(Transaction) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<Error>,
        T: Send,
    {
        Ok(self.transact_sequenced(f).await?.0)
    }

    /// The same, and tells the commit's number: the one that its appends carry. A transaction that wrote nothing has the
    /// number of its snapshot.
    pub async fn transact_sequenced<T, E, F, Fut>(&self, mut f: F) -> Result<(T, Sequence), E>
    where
        F: FnMut(Transaction) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<Error>,
        T: Send,
    {
        let mut turn = None;
        let mut alone = None;
        let mut among_others = self.patiently(self.0.field.read()).await;
        for tries in 1..=TRIES_MAX {
            let transaction = Transaction::new(self.0.views.at(self.sequence())?);
            let value = f(transaction.clone()).await?;
            match self.commit(transaction).await? {
                Outcome::Committed(sequence) => return Ok((value, sequence)),
                Outcome::Refused(error) => return Err(error.into()),
                Outcome::Conflict if tries >= TRIES_AT_ONCE && turn.is_none() => {
                    // Not while it is in the field: whoever has the turn may be waiting for the field to empty.
                    drop(among_others.take());
                    turn = self.patiently(self.0.losers.lock()).await;
                    among_others = self.patiently(self.0.field.read()).await;
                }
                Outcome::Conflict if tries >= TRIES_AMONG_OTHERS && alone.is_none() => {
                    drop(among_others.take());
                    alone = self.patiently(self.0.field.write()).await;
                }
                Outcome::Conflict => {}
            }
        }
        Err(Error::Contended { tries: TRIES_MAX }.into())
    }

    /// A lock, or none if that takes too long.
    async fn patiently<G>(&self, lock: impl Future<Output = G>) -> Option<G> {
        tokio::time::timeout(TURN_PATIENCE, lock).await.ok()
    }

    /// The store as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.0.views.at(self.sequence()))
    }

    /// Tells of every commit from now on that touches `prefix` or a key under it.
    pub fn watch(&self, prefix: Key) -> Watch {
        self.0.desk.feed.join(prefix)
    }

    /// Takes the lease `name` for `owner`; none while another holds it.
    pub async fn lease(&self, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>, Error> {
        lease::acquire(self, name, owner, ttl).await
    }

    /// The last commit that is on disk.
    pub fn sequence(&self) -> Sequence {
        self.0.desk.published()
    }

    /// How often the engine was asked since the store was opened.
    pub fn reads(&self) -> Reads {
        self.0.views.reads()
    }

    /// The store's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Takes nothing more, finishes what waits, and lets go of the data folder, for all clones. Snapshots that are still
    /// held stop working.
    pub async fn close(self) {
        self.0.desk.queue.close();
        // Joining a thread blocks, so not on a thread that runs tasks.
        let inner = Arc::clone(&self.0);
        if tokio::task::spawn_blocking(move || inner.end()).await.is_err() {
            tracing::error!("closing the store panicked; this is a bug");
        }
    }

    pub(crate) fn over(driver: Arc<dyn Driver>, last: Sequence, options: Options, limits: Limits) -> Self {
        let queue = Queue::new(options.queue_max, options.queue_patience);
        let desk = Arc::new(Desk::new(queue, Arc::<Feed>::default(), last, options.fatal));
        let views = Arc::new(Views::new(Arc::clone(&driver), options.clock.clone(), options.snapshot_age_max));
        let writer = Writer {
            desk: Arc::clone(&desk),
            driver,
            window: Window::new(last, limits),
            last,
            disk_reserve: options.disk_reserve,
        };
        let threads = Threads {
            writer: Some(thread("store-writer", move || writer.run())),
            watchdog: Some(thread("store-watchdog", {
                let (desk, views) = (Arc::clone(&desk), Arc::clone(&views));
                move || watch_over(&desk, &views, options.stall_max)
            })),
        };
        let (losers, field) = (tokio::sync::Mutex::default(), tokio::sync::RwLock::default());
        Self(Arc::new(Inner { desk, views, clock: options.clock, losers, field, threads: Mutex::new(threads) }))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, Error> {
        let draft = transaction.finish(self.0.clock.now_ms()).await?;
        if draft.changes_nothing() {
            // A snapshot is a moment in the serial order, so what only reads is right as it is.
            return Ok(Outcome::Committed(draft.snapshot));
        }
        self.0.desk.queue.submit(draft).await
    }
}

impl Inner {
    /// Waits for the writer, then takes everything down. Harmless when called again.
    fn end(&self) {
        self.desk.queue.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // A writer that hangs in the engine is left behind: it would be waited for in vain.
        if let Some(writer) = threads.writer.take()
            && !self.desk.is_hung()
        {
            join(writer);
        }
        self.views.close();
        if let Some(watchdog) = threads.watchdog.take() {
            self.desk.retire();
            watchdog.thread().unpark();
            join(watchdog);
        }
    }
}

/// Waits for a thread, unless it is this one: a fatal handler may drop the last clone of its store.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() {
        // A panic was reported by the thread's own guard.
        let _ended = thread.join();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("sequence", &self.sequence()).finish_non_exhaustive()
    }
}

/// Ends the store when the writer hangs, and takes old snapshots away.
fn watch_over(desk: &Desk, views: &Views, stall_max: Duration) {
    while !desk.is_retired() {
        std::thread::park_timeout(Duration::from_secs(1).min(stall_max / 4));
        views.reap();
        let busy = desk.busy_for();
        if busy > stall_max {
            desk.stop(Fatal::Stalled(busy));
        }
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("a process can start a thread while it starts")
}

#[cfg(test)]
mod tests;
