//! What runs by itself: taking away what deleted topics left behind, subscriptions that nobody confirmed, and letters that are too many.

use std::sync::Arc;
use std::time::Duration;

use base::task::Kind;

use crate::Topics;
use crate::error::Error;

/// How long before something is tried again that the store refused.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often is looked for subscriptions that nobody confirmed in time.
const ROUND: Duration = Duration::from_secs(3_600);

impl Topics {
    /// Takes away what deleted topics left behind.
    pub(crate) fn sweep(&self) {
        let (cellar, clock, stop) = (self.cellar.clone(), self.clock.clone(), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "topics-sweep", async move {
            while !stop.is_cancelled() {
                match cellar.sweep().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "what deleted topics left behind could not be taken away; trying again");
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = clock.sleep(PATIENCE) => {}
                        }
                    }
                }
            }
        });
    }

    /// Takes away subscriptions whose time to be confirmed is over, now and every hour.
    pub fn start(self: &Arc<Self>) {
        let (topics, clock, stop) = (Arc::downgrade(self), self.clock.clone(), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "topics-expire", async move {
            loop {
                let Some(topics) = topics.upgrade() else { return };
                if let Err(error) = topics.expire().await {
                    tracing::warn!(%error, "subscriptions that nobody confirmed could not be taken away; trying later");
                }
                drop(topics);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = clock.sleep(ROUND) => {}
                }
            }
        });
    }

    /// Takes away subscriptions whose time to be confirmed is over.
    pub(crate) async fn expire(&self) -> Result<(), Error> {
        const AT_ONCE: usize = 1_000;
        let now_ms = self.clock.now_ms();
        for hall in self.table.all() {
            let over = hall.listeners(|one| one.token().is_some_and(|(_, until_ms)| until_ms <= now_ms));
            for some in over.chunks(AT_ONCE) {
                let ids: Vec<_> = some.iter().map(|one| one.id).collect();
                // Those that were ended before were counted then.
                let shown = some.iter().filter(|one| one.is_shown()).count() as u64;
                self.cellar.remove_subscriptions(&hall.topic(), &ids, shown).await?;
                for id in ids {
                    self.refresh_subscription(hall.topic().id, id).await?;
                }
            }
        }
        Ok(())
    }

    /// Counts letters that were written, and takes the oldest away where there are too many.
    pub(crate) async fn wrote_letters(&self, count: usize) {
        if count > 0
            && self.letters.counted(count)
            && let Err(error) = self.letters.trim().await
        {
            tracing::warn!(%error, "the oldest letters could not be taken away; trying with the next one");
        }
    }
}
