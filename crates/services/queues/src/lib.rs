//! Queues (SQS): messages that are kept until somebody has handled them.
//!
//! Not here: topics, and pollers that turn messages into invocations.
//!
//! What always holds:
//! - A send is acknowledged when the message is on disk, a delete when it is gone from there, a receive when the message's new
//!   hiding is. After a crash nothing acknowledged is lost, and nothing deleted comes back.
//! - A queue without order delivers each message at least once. One with order (`.fifo`) delivers the messages of a group in order,
//!   and nothing of a group while something of it is in flight; of duplicates within five minutes it keeps the first.
//! - A message moves to another queue (dead letters and back) in one transaction: it is never in both, nor in neither.
//! - A waiting receiver is woken by what it waits for; nothing here polls.
//!
//! Limits: AWS's. Messages and batches of 1 MiB, 10 messages a batch, 120,000 messages in flight, 50 tags, names of 80 characters.
//! Beyond AWS's: a queue holds half a million messages at once that are delayed or were received; further delayed ones are come to
//! when there is room. What AWS has for its own sake is not done: a name can be used again at once when its queue was deleted, groups
//! are not throttled, and messages are not encrypted (the attributes for it are kept and shown).
//!
//! Inside the node messages are sent as outside: [`dispatch::Dispatch::call`] with a call of the sender's own principal, so that the
//! queue's policy is asked. `QueueUrl` may be the queue's ARN then.
//!
//! Start reading at `keeper.rs`, then `model/window.rs` and `store.rs`.

mod background;
mod error;
mod keeper;
pub mod model;
pub mod ops;
mod policies;
pub mod resources;
mod store;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use tokio_util::sync::CancellationToken;

pub use crate::error::Error;
pub use crate::ops::register;

use crate::keeper::{Desk, Tools};
use crate::model::{Queue, Scope};
use crate::store::Cellar;
use crate::table::Table;

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where everything is kept.
    pub store: ::store::Store,
    /// Time: of messages, hidings, delays, retention.
    pub clock: Clock,
    /// Ids of messages.
    pub random: Random,
}

/// The service.
#[derive(Debug)]
pub struct Queues {
    /// For the tasks that it starts.
    itself: Weak<Self>,
    cellar: Cellar,
    clock: Clock,
    random: Random,
    table: Arc<Table>,
    /// Queues are made, changed and deleted one at a time, so that table and store agree.
    managing: tokio::sync::Mutex<()>,
    tasks: Tasks,
    hurry: CancellationToken,
}

impl Queues {
    /// Starts the service: every queue gets its keeper, and moves of dead letters go on.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, Error> {
        let Deps { store, clock, random } = deps;
        let queues = Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            cellar: Cellar::new(store),
            clock,
            random,
            table: Arc::default(),
            managing: tokio::sync::Mutex::default(),
            tasks: Tasks::new(),
            hurry: CancellationToken::new(),
        });
        queues.resync().await?;
        Ok(queues)
    }

    /// Reads all queues anew: at the start, and when the store was emptied.
    pub async fn resync(self: &Arc<Self>) -> Result<(), Error> {
        let _one_at_a_time = self.managing.lock().await;
        for desk in self.table.clear() {
            desk.close();
        }
        for queue in self.cellar.queues().await? {
            self.keep(queue);
        }
        self.sweep();
        self.resume_tasks().await
    }

    /// Sends home who waits for messages, now and from now on: the node is about to stop.
    pub fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Ends all keepers. What was acknowledged is on disk; who still waits for an answer is told to try again.
    pub async fn close(&self, patience: Duration) -> bool {
        self.hurry();
        self.tasks.shut_down(patience).await
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or_default()
    }

    /// Gives a queue its keeper.
    fn keep(&self, queue: Queue) -> Arc<Desk> {
        let tools = Tools {
            cellar: self.cellar.clone(),
            clock: self.clock.clone(),
            table: Arc::downgrade(&self.table),
            hurry: self.hurry.clone(),
            stop: self.tasks.stopping(),
        };
        let (desk, keeper) = Desk::open(queue, tools);
        self.table.put(Arc::clone(&desk));
        let (itself, kept) = (Weak::clone(&self.itself), Arc::clone(&desk));
        self.tasks.spawn(Kind::Vital, "queue-keeper", async move {
            keeper.run().await;
            // Only now: what a keeper still had in hand would be written behind the broom.
            if kept.is_gone()
                && let Some(queues) = itself.upgrade()
            {
                queues.sweep();
            }
        });
        desk
    }

    /// The desk of the queue that an address names.
    fn desk(&self, scope: &Scope, url: &str) -> Result<Arc<Desk>, Error> {
        let name = model::name::of_url(scope, url).ok_or(Error::QueueMissing)?;
        self.table.get(scope, name).ok_or(Error::QueueMissing)
    }

    /// The desk of the queue that an ARN names.
    fn desk_of_arn(&self, scope: &Scope, arn: &str) -> Option<Arc<Desk>> {
        self.table.get(scope, model::name::of_arn(scope, arn)?)
    }
}
