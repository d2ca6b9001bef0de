//! What runs by itself: taking away what deleted tables left behind, upkeep of the tables that are there (items whose time is over, old
//! records, counts), and filling new indexes. Each begins again where it was when the node starts.

mod backup;
mod expire;
mod export;
mod fill;
mod import;
mod jobs;
pub(crate) mod log;
mod restore;
mod trim;

pub(crate) use jobs::{AT_A_TIME, Job};
pub(crate) use trim::STREAM_MS;

use std::sync::Arc;
use std::time::Duration;

use base::task::Kind;

use crate::Tables;

/// How long before something is tried again that the store refused.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// How often upkeep is done.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

impl Tables {
    /// Takes away what deleted tables and backups left behind.
    pub(crate) fn sweep(&self) {
        let blobs = self.blobs.clone();
        let (cellar, clock, stop) = (self.cellar.clone(), self.clock.clone(), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "tables-sweep", async move {
            while !stop.is_cancelled() {
                let swept = match cellar.sweep().await {
                    Ok(false) => cellar.sweep_backups(&blobs).await,
                    tables => tables,
                };
                match swept {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "what deleted tables and backups left behind could not be taken away; trying again");
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = clock.sleep(PATIENCE) => {}
                        }
                    }
                }
            }
        });
    }

    /// Does what is due, again and again.
    pub(crate) fn keep_up(self: &Arc<Self>) {
        let (tables, stop) = (Arc::downgrade(self), self.tasks.stopping());
        let clock = self.clock.clone();
        self.tasks.spawn(Kind::Work, "tables-upkeep", async move {
            while !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = clock.sleep(UPKEEP_EVERY) => {}
                }
                let Some(tables) = tables.upgrade() else { return };
                tables.upkeep().await;
            }
        });
    }

    /// Does what is due, once.
    pub(crate) async fn upkeep(&self) {
        let now_ms = self.now_ms();
        for desk in self.desks.all() {
            if let Err(error) = self.expire(&desk, now_ms).await {
                tracing::warn!(%error, table = desk.number, "items whose time is over could not be deleted; trying again");
            }
            if let Err(error) = self.trim(&desk, now_ms).await {
                tracing::warn!(%error, table = desk.number, "old changes could not be taken away; trying again");
            }
        }
        if let Err(error) = self.trim_left(now_ms).await {
            tracing::warn!(%error, "old changes of deleted tables could not be taken away; trying again");
        }
        if let Err(error) = self.expire_backups(now_ms).await {
            tracing::warn!(%error, "backups whose time is over could not be deleted; trying again");
        }
        if let Err(error) = self.cellar.sweep_tokens(now_ms).await {
            tracing::warn!(%error, "old transactions could not be forgotten; trying again");
        }
        self.save_counts().await;
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
