//! Keeping memory what the store says: after a change of our own before it is answered, and by the change feed for all others.

use std::sync::Arc;

use ::store::{Change, Key};
use base::task::Kind;

use crate::Topics;
use crate::error::Error;
use crate::model::{Scope, Topic};
use crate::store::{Cellar, Touched, root};

impl Topics {
    /// Follows the store.
    pub(crate) fn watch(self: &Arc<Self>) {
        let (mut watch, stop) = (self.cellar.store.watch(root()), self.tasks.stopping());
        let topics = Arc::downgrade(self);
        self.tasks.spawn(Kind::Vital, "topics-watch", async move {
            loop {
                let change = tokio::select! {
                    () = stop.cancelled() => return,
                    change = watch.next() => change,
                };
                let Some(topics) = topics.upgrade() else { return };
                let refreshed = match change {
                    Change::Commit { keys, .. } => topics.refresh_keys(&keys).await,
                    Change::Lagged => topics.resync().await,
                    Change::Closed => return,
                };
                if let Err(error) = refreshed {
                    tracing::error!(%error, "topics in memory may not be what is stored");
                }
            }
        });
    }

    /// Reads everything anew: at the start, and when the store was emptied.
    pub async fn resync(self: &Arc<Self>) -> Result<(), Error> {
        {
            let _alone = self.refreshing.lock().await;
            self.table.clear();
            self.letters.forget();
            for topic in self.cellar.topics().await? {
                self.set_topic(&topic.scope.clone(), topic.name.clone().as_str(), Some(topic)).await?;
            }
        }
        if self.cellar.key().await?.is_some() {
            self.signer().await?;
        }
        self.sweep();
        Ok(())
    }

    async fn refresh_keys(&self, keys: &[Key]) -> Result<(), Error> {
        for key in keys {
            match Cellar::touched(key)? {
                Touched::Topic(scope, name) => self.refresh_topic(&scope, &name).await?,
                Touched::Subscription { topic, id } => self.refresh_subscription(topic, id).await?,
                Touched::Other => {}
            }
        }
        Ok(())
    }

    /// Makes a topic in memory what it is in the store.
    pub(crate) async fn refresh_topic(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let _alone = self.refreshing.lock().await;
        let topic = self.cellar.topic(scope, name).await?;
        self.set_topic(scope, name, topic).await
    }

    /// Makes a subscription in memory what it is in the store.
    pub(crate) async fn refresh_subscription(&self, topic: uuid::Uuid, id: uuid::Uuid) -> Result<(), Error> {
        let _alone = self.refreshing.lock().await;
        let Some(hall) = self.table.by_id(topic) else { return Ok(()) };
        hall.set(id, self.cellar.subscription(&hall.topic(), id).await?);
        Ok(())
    }

    async fn set_topic(&self, scope: &Scope, name: &str, topic: Option<Topic>) -> Result<(), Error> {
        if let Some(hall) = self.table.set(scope, name, topic) {
            for subscription in self.cellar.subscriptions(&hall.topic()).await? {
                hall.set(subscription.id, Some(subscription));
            }
        }
        Ok(())
    }
}
