//! Telling that the store was emptied under the engine, as the reset of a node in memory does it: then every stack is gone, and nobody
//! deleted it. Whoever deployed something deploys it again.

use std::time::Duration;

use store::{Change, Watch};

use super::Engine;
use crate::Error;

/// How long the store is left alone after it was emptied.
const QUIET: Duration = Duration::from_millis(50);

/// Waits for the store to be emptied. It knows by a mark of its own in the store, which nothing else removes.
pub struct Emptied {
    engine: Engine,
    changes: Watch,
    /// It was emptied, and nobody was told yet.
    is_due: bool,
}

impl Engine {
    /// Watches from now on.
    pub async fn watch_emptied(&self) -> Result<Emptied, Error> {
        let changes = self.0.ledger.watch_mark();
        self.0.ledger.mark().await?;
        Ok(Emptied { engine: self.clone(), changes, is_due: false })
    }
}

impl Emptied {
    /// Returns once the store was emptied since the last time. It may still be: what is written meanwhile may be taken away again, and
    /// then this returns again. Safe to drop.
    pub async fn next(&mut self) -> Result<(), Error> {
        let ledger = &self.engine.0.ledger;
        loop {
            self.is_due = self.is_due || !ledger.is_marked().await?;
            if self.is_due {
                // Emptying takes away whatever comes meanwhile: better not to be in its way at once.
                self.engine.0.deps.clock.sleep(QUIET).await;
                ledger.mark().await?;
                self.is_due = false;
                return Ok(());
            }
            match self.changes.next().await {
                Change::Commit { .. } | Change::Lagged => {}
                Change::Closed => return Err(store::Error::Closed.into()),
            }
        }
    }
}
