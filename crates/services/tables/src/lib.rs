//! Tables (DynamoDB): items that are found by their keys, and streams of their changes.
//!
//! Not here: what values are and what expressions mean (the crate `item`), and pollers that turn changes into invocations.
//!
//! What always holds:
//! - A write is acknowledged when it is on disk, with its entries in every index and its record in the stream: all in one
//!   transaction. So indexes are never behind, and reads from them are as consistent as reads from the table.
//! - Transactions over several items are serialisable with each other and with single writes.
//! - What a table is changes only while none of its items is being written (its desk's gate), so that no write misses an index.
//! - A backup, a restore and an export are the table as it was after one commit, whatever is written meanwhile; each goes on where a crash
//!   cut it off. A table that is neither backed up nor to be brought back to a moment pays nothing for that.
//!
//! Limits: AWS's. Items of 400 KB, keys of 2,048 and 1,024 bytes, 20 global and 5 local indexes, pages of 1 MB, batches of 25 writes and
//! 100 reads, transactions of 100 items. What AWS has for its own sake is not done: global tables (this is one node in one region).
//!
//! Start reading at `desk.rs`, then `model/table.rs` and `store.rs`; for tables as they were, at `store/versions.rs` and `store/past.rs`.

mod background;
mod buckets;
mod capacity;
mod describe;
mod desk;
mod error;
pub mod fuzzing;
mod intake;
mod managing;
pub mod model;
pub mod ops;
mod places;
mod policies;
mod question;
mod read;
pub mod resources;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod values;
mod write;

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, Random};
use dispatch::Within;

pub use crate::error::Error;
pub use crate::ops::register;

use crate::desk::{Desk, Desks};
use crate::model::table::State;
use crate::model::{Scope, TableRef};
use crate::store::{Cellar, Counts};

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where everything is kept.
    pub store: ::store::Store,
    /// Where what is in backups is kept.
    pub blobs: ::store::Blobs,
    /// The road to the buckets that tables are exported to and imported from.
    pub dispatch: Within,
    /// Time: of streams, of items that expire, of throttling.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
}

/// The service.
#[derive(Debug)]
pub struct Tables {
    /// For the tasks that it starts.
    itself: Weak<Self>,
    cellar: Cellar,
    blobs: ::store::Blobs,
    dispatch: Within,
    clock: Clock,
    random: Random,
    desks: Desks,
    /// Tables are made, changed and deleted one at a time, so that desks and store agree.
    managing: tokio::sync::Mutex<()>,
    /// Exports and imports are begun one at a time, so that a token begins one.
    transferring: tokio::sync::Mutex<()>,
    /// Long work on whole tables waits here for its turn.
    turns: tokio::sync::Semaphore,
    /// When backups whose time is over were last looked for.
    backups_expired_ms: AtomicI64,
    tasks: Tasks,
}

impl Tables {
    /// Starts the service: every table gets its desk, and what was being made goes on.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, Error> {
        let Deps { store, blobs, dispatch, clock, random } = deps;
        let tables = Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            cellar: Cellar::new(store),
            blobs,
            dispatch,
            clock,
            random,
            desks: Desks::default(),
            managing: tokio::sync::Mutex::default(),
            transferring: tokio::sync::Mutex::default(),
            turns: tokio::sync::Semaphore::new(background::AT_A_TIME),
            backups_expired_ms: AtomicI64::new(i64::MIN),
            tasks: Tasks::new(),
        });
        tables.resync().await?;
        tables.keep_up();
        Ok(tables)
    }

    /// Reads all tables anew: at the start, and when the store was emptied.
    pub async fn resync(&self) -> Result<(), Error> {
        let one_at_a_time = self.managing.lock().await;
        for desk in self.desks.clear() {
            desk.close();
        }
        for (scope, table) in self.cellar.tables().await? {
            let counts = self.cellar.counts(table.number).await?;
            let desk = Arc::new(Desk::new(scope, table, &counts));
            self.desks.put(Arc::clone(&desk));
            self.resume(&desk);
        }
        for (scope, table) in self.cellar.left().await? {
            self.desks.leave(Arc::new(Desk::new(scope, table, &Counts::new())));
        }
        drop(one_at_a_time);
        self.sweep();
        self.resume_jobs().await
    }

    /// Ends what runs by itself. What was acknowledged is on disk.
    pub async fn close(&self, patience: Duration) -> bool {
        let ended = self.tasks.shut_down(patience).await;
        self.save_counts().await;
        ended
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The desk of the table that an operation on items names.
    fn desk(&self, scope: &Scope, given: &str) -> Result<Arc<Desk>, Error> {
        let name = TableRef::parse(scope, given)?.name();
        let desk = self.desks.get(scope, name).ok_or_else(Error::no_table)?;
        // One that is being brought back is nobody's to read or write yet.
        if desk.sight().table.state == State::Active { Ok(desk) } else { Err(Error::no_table()) }
    }

    /// The desk of the table that an operation on backups names.
    fn backed_up(&self, scope: &Scope, given: &str) -> Result<Arc<Desk>, Error> {
        let name = TableRef::parse(scope, given)?.name();
        self.desks.get(scope, name).ok_or_else(|| Error::TableMissing(format!("Table not found: {name}")))
    }

    /// The desk of the table that an operation on tables names.
    fn managed(&self, scope: &Scope, given: &str) -> Result<Arc<Desk>, Error> {
        let name = TableRef::parse(scope, given)?.name();
        self.desks.get(scope, name).ok_or_else(|| Error::table_missing(name))
    }
}
