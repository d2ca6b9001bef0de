//! How tables are made, changed and deleted: one at a time, and never while items of theirs are written.

use std::sync::Arc;

use crate::Tables;
use crate::desk::{Desk, Sight};
use crate::error::Error;
use crate::model::{Scope, Table};
use crate::store::Counts;

/// Tables of one account and region.
const TABLES_MAX: usize = 2_500;

impl Tables {
    /// Makes a table.
    pub(crate) async fn make(&self, scope: &Scope, table: &Table) -> Result<Arc<Desk>, Error> {
        let _one_at_a_time = self.managing.lock().await;
        if self.desks.get(scope, &table.name).is_some() {
            return Err(Error::InUse(format!("Table already exists: {}", table.name)));
        }
        if self.desks.list(scope, None, TABLES_MAX).len() >= TABLES_MAX {
            return Err(Error::Limit(format!("Subscriber limit exceeded: {TABLES_MAX} tables in one region at most")));
        }
        let table = self.cellar.create(scope, table).await?;
        let desk = Arc::new(Desk::new(scope.clone(), table, &Counts::new()));
        self.desks.put(Arc::clone(&desk));
        Ok(desk)
    }

    /// Changes what a table is, while nobody writes to it.
    pub(crate) async fn change<T>(
        &self,
        desk: &Arc<Desk>,
        change: impl FnOnce(&mut Table) -> Result<T, Error>,
    ) -> Result<(Arc<Sight>, T), Error> {
        let _one_at_a_time = self.managing.lock().await;
        let _nobody_writes = desk.shut().await;
        let old = desk.sight();
        if desk.is_gone() {
            return Err(Error::table_missing(&old.table.name));
        }
        let mut table = old.table.clone();
        let answer = change(&mut table)?;
        if table != old.table {
            self.cellar.save(&desk.scope, &table).await?;
            desk.set(table);
        }
        Ok((desk.sight(), answer))
    }

    /// Deletes a table.
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
        self.cellar.delete(&desk.scope, &sight.table).await?;
        desk.close();
        self.desks.remove(&desk.scope, &sight.table.name);
        self.sweep();
        Ok(sight)
    }
}
