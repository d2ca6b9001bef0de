//! What runs by itself: taking away what deleted tables left behind, noting how much lies in tables. Each begins again where it was when
//! the node starts.

use std::sync::Arc;
use std::time::Duration;

use base::task::Kind;

use crate::Tables;
use crate::desk::Desk;
use crate::model::{IndexStatus, Table, change};

/// How long before something is tried again that the store refused.
const PATIENCE: Duration = Duration::from_secs(1);

impl Tables {
    /// Takes away what deleted tables left behind.
    pub(crate) fn sweep(&self) {
        let (cellar, clock, stop) = (self.cellar.clone(), self.clock.clone(), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "tables-sweep", async move {
            while !stop.is_cancelled() {
                match cellar.sweep().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "what deleted tables left behind could not be taken away; trying again");
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = clock.sleep(PATIENCE) => {}
                        }
                    }
                }
            }
        });
    }

    /// Goes on with what was being made of a table, until nothing is left to make.
    pub(crate) fn resume(&self, desk: &Arc<Desk>) {
        let is_busy = desk.sight().table.indexes().any(|index| index.status != IndexStatus::Active);
        let Some(tables) = self.itself.upgrade().filter(|_| is_busy) else { return };
        let desk = Arc::clone(desk);
        self.tasks.spawn(Kind::Work, "tables-indexes", async move {
            let settle = |table: &mut Table| {
                table.globals.retain(|index| index.status != IndexStatus::Deleting);
                table.globals.iter_mut().for_each(|index| index.status = IndexStatus::Active);
                table.attributes = change::used(std::mem::take(&mut table.attributes), table);
                Ok(())
            };
            if let Err(error) = tables.change(&desk, settle).await {
                tracing::warn!(%error, "an index could not be made");
            }
        });
    }

    /// Notes how much lies in the tables whose counts have changed.
    pub(crate) async fn save_counts(&self) {
        for desk in self.desks.all() {
            if let Some(counts) = desk.take_counts()
                && let Err(error) = self.cellar.save_counts(desk.number, &counts).await
            {
                tracing::warn!(%error, "how much lies in a table could not be noted");
            }
        }
    }
}
