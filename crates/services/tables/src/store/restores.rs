//! Restores that are on their way: where a new table's items come from, and how far they have come.
//!
//! Of class record, under `tables`: `restore NUMBER`, by the number of the table that is filled. Its progress is written in the
//! transaction that writes the items.

use ::store::{Key, Range, Record, Scan, Transaction};
use serde::{Deserialize, Serialize};

use super::past::Past;
use super::{Cellar, keys};
use crate::error::Error;

/// A restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restore {
    /// The number of the table that is filled.
    pub(crate) target: u64,
    pub(crate) source: Source,
}

/// Where its items come from, and which of them come next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A backup: the chunk, and the item in it.
    Backup { backup: u64, chunk: u64, item: u64 },
    /// A table as it was at a moment, which has a hold of this job. The commit is looked for first.
    Moment { job: u64, moment_ms: i64, latest: bool, past: Past, is_known: bool, next: Option<String> },
    /// All items are there.
    Done { job: Option<u64> },
}

impl Record for Restore {
    const KIND: &'static str = "table-restore";
    const VERSION: u16 = 1;
}

fn all() -> Key {
    keys::root().with("restore")
}

/// Writes how far a restore is.
pub(crate) fn put(tx: &Transaction, restore: &Restore) {
    tx.put_record(all().with(restore.target), restore);
}

/// A restore has ended.
pub(crate) fn delete(tx: &Transaction, target: u64) {
    tx.delete(all().with(target));
}

/// All restores, as a transaction sees them. There are at most as many as may be under way.
pub(crate) async fn list(tx: &Transaction) -> Result<Vec<Restore>, Error> {
    let page = tx.scan(Range::prefix(&all()), Scan::first(Scan::PAGE_MAX)).await?;
    page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
}

impl Cellar {
    /// All restores.
    pub(crate) async fn restores(&self) -> Result<Vec<Restore>, Error> {
        let page = self.store.snapshot().scan(Range::prefix(&all()), Scan::first(Scan::PAGE_MAX)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// A table's restore.
    pub(crate) async fn restore_of(&self, target: u64) -> Result<Option<Restore>, Error> {
        Ok(self.store.snapshot().get_record(&all().with(target)).await?)
    }
}
