//! What runs by itself: following the store's feed, and unpacking code again after a restart.

use std::collections::HashSet;
use std::time::Duration;

use ::store::Change;
use base::{Backoff, task};
use tokio_util::sync::CancellationToken;

use std::sync::Arc;

use crate::Functions;
use crate::store::{locate, root};

impl Functions {
    /// Starts both. They end when `tasks` is shut down.
    pub fn start(self: &Arc<Self>, tasks: &task::Tasks) {
        let (functions, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(task::Kind::Vital, "functions follow the store", async move { functions.follow(stop).await });
        let (functions, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(task::Kind::Work, "functions unpack again", async move { functions.unpack_all(stop).await });
    }

    /// Keeps the table true to what others commit: other nodes on the same store, and a reset. What this node commits was
    /// taken in before it was answered, and is skipped here.
    async fn follow(&self, stop: CancellationToken) {
        let mut watch = self.store.watch(root());
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        // Commits between opening the service and this watch.
        let mut behind = true;
        loop {
            if behind {
                match self.refresh_all().await {
                    Ok(()) => {
                        behind = false;
                        backoff.reset();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the table of functions could not be read again");
                        tokio::select! {
                            () = self.clock.sleep(backoff.next(&self.random)) => continue,
                            () = stop.cancelled() => return,
                        }
                    }
                }
            }
            let change = tokio::select! {
                change = watch.next() => change,
                () = stop.cancelled() => return,
            };
            match change {
                Change::Commit { sequence, keys } => {
                    let places: HashSet<_> = keys
                        .iter()
                        .filter_map(|key| locate(key).ok().flatten())
                        .map(|(scope, name, _)| (scope, name))
                        .collect();
                    for (scope, name) in places {
                        if let Err(error) = self.refresh_since(&scope, &name, sequence).await {
                            tracing::warn!(%error, "a function could not be read again");
                            behind = true;
                        }
                    }
                }
                Change::Lagged => behind = true,
                Change::Closed => return,
            }
        }
    }

    /// Unpacks what the last boot of the machine left packed, one after the other, `$LATEST` of every function first. A call
    /// that comes earlier does not wait for its turn: it unpacks its own.
    async fn unpack_all(&self, stop: CancellationToken) {
        let mut runners: Vec<_> =
            self.table.all().iter().flat_map(|active| active.runners().cloned().collect::<Vec<_>>()).collect();
        runners.sort_by_key(|runner| runner.number);
        for runner in runners {
            if stop.is_cancelled() {
                return;
            }
            if let Err(fault) = self.unpack_again(&runner).await {
                tracing::error!(function = %runner.settings.arn, version = %runner.version, %fault, "code cannot be unpacked again");
            }
        }
    }
}
