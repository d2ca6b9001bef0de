//! What runs by itself: following the store's feed, unpacking code again after a restart, and removing what nobody needs. The
//! packages themselves are blobs, which the node sweeps for all services.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::store::{Change, Watch};
use base::{Backoff, task};
use tokio_util::sync::CancellationToken;

use crate::Functions;
use crate::store::locate;

/// Between two looks for unpacked code that nobody needs.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

impl Functions {
    /// Starts them, once. They end when `tasks` is shut down.
    pub fn start(self: &Arc<Self>, tasks: &task::Tasks) {
        let Some(watch) = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let (functions, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(
            task::Kind::Vital,
            "functions follow the store",
            async move { functions.follow(watch, stop).await },
        );
        let (functions, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(task::Kind::Work, "functions unpack and sweep", async move {
            functions.provide_all().await;
            functions.unpack_all(&stop).await;
            functions.sweep(&stop).await;
        });
    }

    /// Keeps the table true to what others commit: other nodes on the same store, and a reset. What this node commits was
    /// taken in before it was answered, and is skipped here.
    async fn follow(&self, mut watch: Watch, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut behind = false;
        loop {
            if behind {
                match self.resync().await {
                    Ok(()) => {
                        self.provide_all().await;
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
    async fn unpack_all(&self, stop: &CancellationToken) {
        let mut runners: Vec<_> =
            self.table.all().iter().flat_map(|active| active.runners().cloned().collect::<Vec<_>>()).collect();
        runners.sort_by_key(|runner| runner.number);
        for runner in runners {
            if stop.is_cancelled() {
                return;
            }
            if let Err(fault) = self.unpack_again(&runner).await {
                tracing::error!(function = %runner.settings.arn, version = %runner.version, %fault, "code cannot be unpacked again");
            } else if runner.settings.container.is_some() && runner.number.is_none() {
                // What was expected at the start could not be booted ahead without its root.
                let (compute, settings) = (self.compute.clone(), runner.settings.clone());
                if let Err(error) = tokio::task::spawn_blocking(move || compute.expect(&settings)).await {
                    tracing::warn!(%error, "a container image is not booted ahead");
                }
            }
        }
    }

    /// Tells compute what functions there are, so that guests of their kinds are there when one of them is called after a long time.
    async fn keep_expecting(&self) {
        let (compute, all) = (self.compute.clone(), self.table.all());
        // It reads files.
        let told = tokio::task::spawn_blocking(move || {
            all.iter().for_each(|active| active.runners().for_each(|runner| compute.keep_expecting(&runner.settings)));
        });
        if let Err(error) = told.await {
            tracing::warn!(%error, "what functions there are was not told");
        }
    }

    /// Removes unpacked code that no version has any more. What is removed by mistake, because a function was just being made of
    /// it, is unpacked again when it is called.
    async fn sweep(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = self.clock.sleep(SWEEP_EVERY) => {}
                () = stop.cancelled() => return,
            }
            self.keep_expecting().await;
            let all = self.table.all();
            let wanted = all.iter().flat_map(|active| active.codes()).collect();
            let containers = all.iter().flat_map(|active| active.containers()).collect();
            if let Err(error) = self.compute.retain_code(wanted, containers).await {
                tracing::warn!(%error, "unpacked code could not be swept; trying again in an hour");
            }
        }
    }
}
