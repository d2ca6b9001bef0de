//! Pipes (EventBridge Pipes): from one source through a filter, perhaps an enrichment, to one target.
//!
//! What always holds:
//! - A message leaves its queue when the target has it (or the filter does not want it), and never before: nothing lies in the pipe.
//! - What fails comes again as the queue shows it again, and goes to the queue's own dead letters; of a batch only what failed, where
//!   the target takes events one by one or says which failed.
//! - A record of a stream is passed when the target has it, or when it was given up and its dead letter is on its way; records of a key
//!   are first handed over in their order.
//! - The pipe acts in its own role: what a policy denies the role, it denies the pipe.
//!
//! Not here: streams of anything but tables as sources and API destinations (each is refused with a fault that says so), pipes' own log,
//! how queues are polled and streams are read (`mapping`), what an ARN means as a target (`delivery`).
//!
//! Limits: batches of 10,000 messages and 6 MB, 5 filters, templates of 8 KiB, 50 tags.
//!
//! Start reading at `work.rs`, then `model/template.rs`.

mod faults;
pub mod fuzzing;
pub mod model;
mod ops;
pub mod resources;
mod store;
mod table;
mod work;

use std::sync::{Arc, OnceLock};

use ::store::Store;
use base::Clock;
use mapping::Tools;

pub use ops::register;

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where pipes are kept.
    pub store: Store,
    /// Time.
    pub clock: Clock,
}

/// The service. One per node; share it behind an `Arc`.
pub struct Pipes {
    store: Store,
    clock: Clock,
    table: table::Table,
    tools: OnceLock<Tools>,
    /// Pipes change one at a time, so that table and store agree.
    changing: tokio::sync::Mutex<()>,
}

impl Pipes {
    /// Opens the service on what the store holds. Nothing flows before [`Pipes::flow`].
    pub async fn open(deps: Deps) -> Result<Arc<Self>, ::store::Error> {
        let Deps { store, clock } = deps;
        let pipes = Arc::new(Self {
            table: table::Table::new(store.clone()),
            store,
            clock,
            tools: OnceLock::new(),
            changing: tokio::sync::Mutex::default(),
        });
        pipes.resync().await?;
        Ok(pipes)
    }

    /// Lets all pipes flow that are to run. What flows are tasks of `tools`, and end with them.
    pub fn flow(&self, tools: Tools) {
        if self.tools.set(tools.clone()).is_ok() {
            self.table.flow(&tools);
        }
    }

    /// Reads all pipes again: at the start, and when the store was emptied.
    pub async fn resync(&self) -> Result<(), ::store::Error> {
        let _one_at_a_time = self.changing.lock().await;
        let kept = store::everywhere(&self.store).await?;
        self.table.replace_all(kept, self.tools.get());
        Ok(())
    }
}
