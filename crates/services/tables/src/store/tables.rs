//! Tables themselves: made, changed, deleted, and what they leave behind.

use ::store::{Error as StoreError, Key, Range, Scan, Transaction};

use super::records::{CountsRecord, Gone, Made};
use super::{Cellar, Counts, changes, keys, versions};
use crate::error::Error;
use crate::model::{Scope, Table};

/// So many keys are taken away in one transaction.
const SWEPT: usize = 2_000;

/// Notes that a table is gone whose items are to be taken away.
pub(crate) fn note_gone(tx: &Transaction, table: u64) {
    tx.put_record(keys::gone(table), &Gone {});
}

/// Keeps what a table was that is gone, for the sake of its streams.
pub(crate) fn put_left(tx: &Transaction, scope: &Scope, table: &Table) {
    tx.put_record(keys::left(scope, table.number), table);
}

/// Notes how much lies in a table.
pub(crate) fn put_counts(tx: &Transaction, table: u64, counts: &Counts) {
    let of = counts.iter().map(|(of, (items, bytes))| (*of, *items, *bytes)).collect();
    tx.put_record(keys::counts(table), &CountsRecord { of });
}

impl Cellar {
    /// All tables.
    pub(crate) async fn tables(&self) -> Result<Vec<(Scope, Table)>, Error> {
        let snapshot = self.store.snapshot();
        let (mut tables, mut rest) = (Vec::new(), Some(Range::prefix(&keys::tables())));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(1_000)).await?;
            for (key, value) in page.items {
                tables.push((keys::read_table(&key)?, ::store::record::decode(&value)?));
            }
            rest = page.rest;
        }
        Ok(tables)
    }

    /// All deleted tables whose streams are kept.
    pub(crate) async fn left(&self) -> Result<Vec<(Scope, Table)>, Error> {
        let snapshot = self.store.snapshot();
        let (mut tables, mut rest) = (Vec::new(), Some(Range::prefix(&keys::all_left())));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(1_000)).await?;
            for (key, value) in page.items {
                tables.push((keys::read_left(&key)?, ::store::record::decode(&value)?));
            }
            rest = page.rest;
        }
        Ok(tables)
    }

    /// Keeps what a table was that is gone, if that is kept still.
    pub(crate) async fn save_left(&self, scope: &Scope, table: &Table) -> Result<(), Error> {
        let write = |tx: Transaction| async move {
            if tx.get(&keys::left(scope, table.number)).await?.is_none() {
                return Err(Error::table_missing(&table.name));
            }
            put_left(&tx, scope, table);
            Ok(())
        };
        self.store.transact(write).await
    }

    /// The streams of a deleted table are taken away, and with them what it was.
    pub(crate) async fn forget_left(&self, scope: &Scope, table: u64) -> Result<(), Error> {
        while self.clear(&changes::streams(table)).await? {}
        let write = |tx: Transaction| {
            tx.delete(keys::left(scope, table));
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }

    /// Makes a table and gives it its number. `also` writes what belongs to it.
    pub(crate) async fn create(
        &self,
        scope: &Scope,
        table: &Table,
        also: &(impl Fn(&Transaction, &Table) + Sync),
    ) -> Result<Table, Error> {
        self.store
            .transact(|tx| async move {
                let mut made: Made = tx.get_record(&keys::made()).await?.unwrap_or_default();
                made.tables += 1;
                tx.put_record(keys::made(), &made);
                let table = Table { number: made.tables, ..table.clone() };
                tx.put_record(keys::table(scope, &table.name), &table);
                also(&tx, &table);
                Ok::<_, Error>(table)
            })
            .await
    }

    /// Writes what a table is now. `also` writes what belongs to that.
    pub(crate) async fn save(
        &self,
        scope: &Scope,
        table: &Table,
        also: &(impl Fn(&Transaction) + Sync),
    ) -> Result<(), Error> {
        let write = |tx: Transaction| async move {
            tx.put_record(keys::table(scope, &table.name), table);
            also(&tx);
            Ok::<_, Error>(())
        };
        self.store.transact(write).await
    }

    /// Deletes a table: it is out of reach at once. `also` says what becomes of its items: taken away by [`Cellar::sweep`] once that is
    /// noted ([`note_gone`]), or kept for the backup that is made of them.
    pub(crate) async fn delete(
        &self,
        scope: &Scope,
        table: &Table,
        also: &(impl Fn(&Transaction) + Sync),
    ) -> Result<(), Error> {
        let write = |tx: Transaction| async move {
            tx.delete(keys::table(scope, &table.name));
            tx.delete(keys::counts(table.number));
            also(&tx);
            Ok::<_, Error>(())
        };
        self.store.transact(write).await
    }

    /// How much lies in a table, as it was last noted.
    pub(crate) async fn counts(&self, table: u64) -> Result<Counts, Error> {
        let record: CountsRecord = self.store.snapshot().get_record(&keys::counts(table)).await?.unwrap_or_default();
        Ok(record.of.into_iter().map(|(of, items, bytes)| (of, (items, bytes))).collect())
    }

    /// Notes how much lies in a table.
    pub(crate) async fn save_counts(&self, table: u64, counts: &Counts) -> Result<(), Error> {
        let write = |tx: Transaction| async move {
            put_counts(&tx, table, counts);
            Ok::<_, Error>(())
        };
        self.store.transact(write).await
    }

    /// Takes away what deleted tables left behind, a page at a time. False when nothing is left. Streams that are kept for another day
    /// are none of it: [`Cellar::forget_left`] takes them away.
    pub(crate) async fn sweep(&self) -> Result<bool, Error> {
        let snapshot = self.store.snapshot();
        let page = snapshot.scan(Range::prefix(&keys::all_gone()), Scan::first(1)).await?;
        let Some((note, _)) = page.items.into_iter().next() else { return Ok(false) };
        let table = keys::read_gone(&note)?;
        let has_streams = !snapshot.scan(Range::prefix(&keys::any_left(table)), Scan::first(1)).await?.items.is_empty();
        let left = [
            keys::items(table),
            keys::all_entries(table),
            keys::all_expiries(table),
            changes::former_recovery(table),
            versions::root(table),
        ];
        let streams = (!has_streams).then(|| changes::streams(table));
        for prefix in left.into_iter().chain(streams) {
            if self.clear(&prefix).await? {
                return Ok(true);
            }
        }
        self.store
            .transact(|tx| {
                std::future::ready({
                    tx.delete(note.clone());
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        Ok(true)
    }

    /// Takes away some of what lies under a prefix; true if there was something.
    pub(crate) async fn clear(&self, prefix: &Key) -> Result<bool, Error> {
        let page = self.store.snapshot().scan(Range::prefix(prefix), Scan::first(SWEPT)).await?;
        if page.items.is_empty() {
            return Ok(false);
        }
        let keys: &Vec<Key> = &page.items.into_iter().map(|(key, _)| key).collect();
        let write = |tx: Transaction| {
            keys.iter().for_each(|key| tx.delete(key.clone()));
            std::future::ready(Ok::<_, StoreError>(()))
        };
        self.store.transact(write).await?;
        Ok(true)
    }
}
