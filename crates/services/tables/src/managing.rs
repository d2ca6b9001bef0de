//! How tables are made, changed and deleted: one at a time, and never while items of theirs are written.

use std::sync::Arc;

use ::store::Transaction;

use crate::Tables;
use crate::background::Job;
use crate::desk::{Desk, Sight};
use crate::error::Error;
use crate::model::backup::{self, Backup, Origin, Status};
use crate::model::table::State;
use crate::model::{Scope, Table, restore};
use crate::store::past::Past;
use crate::store::{Counts, backups, tables, versions};

/// Tables of one account and region.
const TABLES_MAX: usize = 2_500;
/// The backup of a deleted table is kept for 35 days.
const SYSTEM_BACKUP_MS: i64 = 35 * 86_400_000;

impl Tables {
    /// Makes a table.
    pub(crate) async fn make(&self, scope: &Scope, table: &Table) -> Result<Arc<Desk>, Error> {
        self.make_with(scope, table, &|_, _| ()).await
    }

    /// Makes a table, and writes what belongs to it in the same transaction.
    pub(crate) async fn make_with(
        &self,
        scope: &Scope,
        table: &Table,
        also: &(impl Fn(&Transaction, &Table) + Sync),
    ) -> Result<Arc<Desk>, Error> {
        let _one_at_a_time = self.managing.lock().await;
        if self.desks.get(scope, &table.name).is_some() {
            return Err(Error::InUse(format!("Table already exists: {}", table.name)));
        }
        if self.desks.list(scope, None, TABLES_MAX).len() >= TABLES_MAX {
            return Err(Error::Limit(format!("Subscriber limit exceeded: {TABLES_MAX} tables in one region at most")));
        }
        let table = self.cellar.create(scope, table, also).await?;
        let desk = Arc::new(Desk::new(scope.clone(), table, &Counts::new()));
        self.desks.put(Arc::clone(&desk));
        Ok(desk)
    }

    /// Changes what a table is, while nobody writes to it.
    pub(crate) async fn change<T: Sync>(
        &self,
        desk: &Arc<Desk>,
        change: impl FnOnce(&mut Table) -> Result<T, Error>,
    ) -> Result<(Arc<Sight>, T), Error> {
        self.change_with(desk, change, &|_, _| ()).await
    }

    /// Changes what a table is, and writes what belongs to that in the same transaction.
    pub(crate) async fn change_with<T: Sync>(
        &self,
        desk: &Arc<Desk>,
        change: impl FnOnce(&mut Table) -> Result<T, Error>,
        also: &(impl Fn(&Transaction, &T) + Sync),
    ) -> Result<(Arc<Sight>, T), Error> {
        let _one_at_a_time = self.managing.lock().await;
        let _nobody_writes = desk.shut().await;
        let old = desk.sight();
        if desk.is_gone() {
            return Err(Error::table_missing(&old.table.name));
        }
        check_made(&old.table)?;
        let mut table = old.table.clone();
        let answer = change(&mut table)?;
        if table != old.table {
            self.cellar.save(&desk.scope, &table, &|tx| also(tx, &answer)).await?;
            desk.set(table);
        }
        Ok((desk.sight(), answer))
    }

    /// Changes what a table is, or what is kept of one that is gone.
    pub(crate) async fn change_or_left<T: Sync>(
        &self,
        desk: &Arc<Desk>,
        change: impl FnOnce(&mut Table) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !desk.is_gone() {
            return Ok(self.change(desk, change).await?.1);
        }
        let _one_at_a_time = self.managing.lock().await;
        let mut table = desk.sight().table.clone();
        let answer = change(&mut table)?;
        self.cellar.save_left(&desk.scope, &table).await?;
        desk.set(table);
        Ok(answer)
    }

    /// Changes what only the service itself changes, whatever state the table is in. One that is gone is left alone.
    pub(crate) async fn alter(
        &self,
        desk: &Arc<Desk>,
        alter: impl FnOnce(&mut Table),
        also: impl Fn(&Transaction) + Sync,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.managing.lock().await;
        let _nobody_writes = desk.shut().await;
        if desk.is_gone() {
            return Ok(());
        }
        let old = desk.sight().table.clone();
        let mut new = old.clone();
        alter(&mut new);
        // In memory first: who reads in the store that it is done finds it so. Nobody writes until both are.
        desk.set(new.clone());
        let saved = self.cellar.save(&desk.scope, &new, &also).await;
        if saved.is_err() {
            desk.set(old);
        }
        saved
    }

    /// Deletes a table. Its streams are disabled, and can be read for another day.
    pub(crate) async fn unmake(&self, desk: &Arc<Desk>) -> Result<Arc<Sight>, Error> {
        let _one_at_a_time = self.managing.lock().await;
        let _nobody_writes = desk.shut().await;
        let sight = desk.sight();
        if desk.is_gone() {
            return Err(Error::table_missing(&sight.table.name));
        }
        if sight.table.protected {
            return Err(Error::Invalid(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
                    .to_owned(),
            ));
        }
        check_made(&sight.table)?;
        if !sight.table.holds.is_empty() {
            return Err(Error::InUse(format!(
                "Attempt to change a resource which is still in use: Table is being backed up, exported or restored from: {}",
                sight.table.name
            )));
        }
        let backup = self.last_backup(desk, &sight.table);
        let left = self.left(&desk.scope, &sight.table);
        let also = |tx: &Transaction| {
            match &backup {
                Some(backup) => backups::put(tx, &desk.scope, backup),
                None => tables::note_gone(tx, desk.number),
            }
            if let Some(left) = &left {
                tables::put_left(tx, &desk.scope, left);
            }
        };
        self.cellar.delete(&desk.scope, &sight.table, &also).await?;
        desk.close();
        if let Some(left) = left {
            desk.set(left);
            self.desks.leave(Arc::clone(desk));
        }
        self.desks.remove(&desk.scope, &sight.table.name);
        match backup {
            Some(backup) => self.start(Job::Backup(desk.scope.clone(), backup.reference())),
            None => self.sweep(),
        }
        Ok(sight)
    }

    /// Takes away a table that was never made, and writes what belongs to that.
    pub(crate) async fn discard(&self, desk: &Arc<Desk>, also: &(impl Fn(&Transaction) + Sync)) -> Result<(), Error> {
        let _one_at_a_time = self.managing.lock().await;
        let _nobody_writes = desk.shut().await;
        let sight = desk.sight();
        let both = |tx: &Transaction| {
            tables::note_gone(tx, desk.number);
            also(tx);
        };
        // Out of memory first: who reads in the store why it was not made finds it gone.
        self.desks.remove(&desk.scope, &sight.table.name);
        if let Err(error) = self.cellar.delete(&desk.scope, &sight.table, &both).await {
            self.desks.put(Arc::clone(desk));
            return Err(error);
        }
        desk.close();
        self.sweep();
        Ok(())
    }

    /// What is left of a table that is deleted while it has streams. Nobody writes to it at this moment.
    fn left(&self, scope: &Scope, table: &Table) -> Option<Table> {
        table.streams().next()?;
        let mut left = table.clone();
        left.policies.remove(&left.arn(scope));
        if let Some(stream) = left.stream.as_mut().filter(|stream| stream.enabled) {
            stream.disable(self.commit(), self.now_ms());
        }
        Some(left)
    }

    /// The backup that is made of a table which is deleted while it could be brought back to any moment.
    fn last_backup(&self, desk: &Desk, table: &Table) -> Option<Backup> {
        table.recovery?;
        let now_ms = self.now_ms();
        let origin = Origin::Deletion { expires_ms: now_ms + SYSTEM_BACKUP_MS };
        Some(self.new_backup(desk, table, format!("{}$DeletedTableBackup", table.name), origin))
    }

    /// A backup of the table as it is now, which nobody writes to at this moment.
    pub(crate) fn new_backup(&self, desk: &Desk, table: &Table, name: String, origin: Origin) -> Backup {
        let (now_ms, number) = (self.now_ms(), self.random.u64());
        let (items, bytes) = desk.counted(None);
        Backup {
            number,
            id: backup::id(now_ms, number),
            name,
            created_ms: now_ms,
            origin,
            table: restore::essence(table),
            past: self.past_now(table, now_ms),
            status: Status::Creating,
            items: items.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
        }
    }

    /// The table as it is now, while nobody writes to it.
    pub(crate) fn past_now(&self, table: &Table, now_ms: i64) -> Past {
        let has_range = table.keys.range.is_some();
        Past { table: table.number, has_range, commit: self.commit(), day: versions::day(now_ms).saturating_sub(1) }
    }
}

/// Refuses to change a table that is not made yet.
fn check_made(table: &Table) -> Result<(), Error> {
    match table.state {
        State::Active => Ok(()),
        State::Creating => Err(Error::InUse(format!(
            "Attempt to change a resource which is still in use: Table is being created: {}",
            table.name
        ))),
    }
}
