//! Topics (SNS): a message that is published once and delivered to everybody who subscribed.
//!
//! Not here: how deliveries are tried, retried and given up (the crate `delivery`), queues, functions.
//!
//! What always holds:
//! - A publication is acknowledged when the deliveries to all subscriptions whose filters want it are on disk; after a crash each of them
//!   is delivered at least once.
//! - A topic with order (`.fifo`) delivers the messages of a group in the order of their sequence numbers to each subscription, and keeps
//!   the first of duplicates within five minutes.
//! - Whoever subscribed before a publication was sent gets it; memory is what the store says, also when somebody else changed it.
//!
//! One publication's deliveries are one transaction up to [`fanout::BATCH_BYTES_MAX`] and [`fanout::BATCH_COUNT_MAX`]; more of them are
//! several, one after the other, and it is acknowledged after the last. A crash between them leaves a publication that nobody
//! acknowledged and that some got; who publishes it again delivers it to those twice, as at-least-once means.
//!
//! Limits: AWS's. Messages of 256 KiB, 10 a batch, 100,000 topics, 200 filter policies a topic, 50 tags, pages of 100. A topic may have
//! 100,000 subscriptions (AWS: 12.5 million), because all of them are in memory. What AWS has for its own sake is not done: nothing is
//! encrypted, throttled or logged to CloudWatch by topics' attributes (they are kept and shown), and data protection policies are kept and
//! shown and not applied. Messages are not archived, and Firehose is not served: both are told by a fault.
//!
//! Mail, short messages and pushes are letters in an outbox, which [`Topics::outbox`] shows; mail is sent on where there is somebody who
//! does that. The node serves the certificate of its signatures ([`Topics::certificate`]).
//!
//! Start reading at `fanout.rs`, then `model.rs`, `desk.rs` and `store.rs`.

mod background;
mod desk;
mod error;
pub mod fanout;
pub mod fuzzing;
pub mod mail;
pub mod model;
pub mod ops;
mod policies;
mod push;
pub mod resources;
mod signing;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, Random};

pub use crate::error::Error;
pub use crate::ops::register;
pub use crate::store::{Letter, Page};

use crate::model::Scope;
use crate::signing::Signer;
use crate::store::{Cellar, Letters};
use crate::table::{Hall, Table};

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where everything is kept.
    pub store: ::store::Store,
    /// Time: of messages, deduplication, confirmations.
    pub clock: Clock,
    /// Ids and tokens.
    pub random: Random,
    /// The name of the carrier that sends letters on as mail, where there is one.
    pub mail: Option<&'static str>,
}

/// The service.
#[derive(Debug)]
pub struct Topics {
    cellar: Cellar,
    clock: Clock,
    random: Random,
    mail: Option<&'static str>,
    table: Table,
    letters: Letters,
    signer: tokio::sync::OnceCell<Arc<Signer>>,
    /// Topics and subscriptions are made, changed and deleted one at a time, so that two cannot be the same.
    managing: tokio::sync::Mutex<()>,
    /// Memory is made what the store says by one at a time, so that nothing older overwrites what is newer.
    refreshing: tokio::sync::Mutex<()>,
    tasks: Tasks,
}

impl Topics {
    /// Starts the service.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, Error> {
        let Deps { store, clock, random, mail } = deps;
        let topics = Arc::new(Self {
            letters: Letters::new(store.clone()),
            cellar: Cellar::new(store),
            clock,
            random,
            mail,
            table: Table::default(),
            signer: tokio::sync::OnceCell::new(),
            managing: tokio::sync::Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            tasks: Tasks::new(),
        });
        topics.watch();
        topics.resync().await?;
        Ok(topics)
    }

    /// Ends what runs by itself.
    pub async fn close(&self, patience: Duration) -> bool {
        self.tasks.shut_down(patience).await
    }

    /// Letters, newest first: those before `before`, at most `limit` and at most 100.
    pub async fn outbox(&self, before: Option<&str>, limit: usize) -> Result<Page, Error> {
        self.letters.page(before, limit).await
    }

    /// The certificate at that path, if it is there.
    pub fn certificate(&self, path: &str) -> Option<&str> {
        let signer = self.signer.get()?;
        (signer.path() == path).then(|| signer.pem())
    }

    /// The key that signs, made when it is first asked for.
    pub(crate) async fn signer(&self) -> Result<&Arc<Signer>, Error> {
        self.signer
            .get_or_try_init(|| async {
                let broken = |error: signing::Broken| {
                    tracing::error!(%error, "messages cannot be signed");
                    Error::Internal
                };
                let kept = match self.cellar.key().await? {
                    Some(kept) => kept,
                    None => {
                        let (now_ms, serial) = (self.clock.now_ms(), self.random.u64());
                        let made = tokio::task::spawn_blocking(move || signing::make(now_ms, serial)).await;
                        let made = made.map_err(|_| Error::Internal)?.map_err(broken)?;
                        self.cellar.keep_key(&made).await?
                    }
                };
                Signer::new(&kept).map(Arc::new).map_err(broken)
            })
            .await
    }

    /// The hall of the topic that an ARN names. `parameter` is what AWS calls the ARN in its words.
    fn hall(&self, scope: &Scope, parameter: &str, arn: &str) -> Result<Arc<Hall>, Error> {
        self.table.get(scope, scope.topic(parameter, arn)?).ok_or(Error::TopicMissing)
    }
}
