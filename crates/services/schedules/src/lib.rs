//! Schedules (EventBridge Scheduler): calls that are made at their time.
//!
//! Not here: what expressions mean (`timetable`), how a call reaches its target and what becomes of it when that fails (`delivery`),
//! and the schedules of an event bus's rules.
//!
//! What always holds:
//! - When a schedule is due lies in the store, in order of time; memory holds the next moment and nothing else, so a million schedules
//!   cost what one does. Nothing polls: the clerk sleeps until the next moment, or until the store tells that there is an earlier one.
//! - Firing is one transaction: the delivery goes into the outbox, and the schedule's next time takes the place of this one. So each
//!   due time is delivered once, also across crashes; what becomes of it then is the delivery's promise (at least once).
//! - Within a flexible window a schedule has a place of its own, which follows from its ARN: many schedules of one time are spread, and
//!   each comes as regularly as without a window.
//! - What passed while the node was down is made up for once: of several times that passed the youngest is delivered, the older ones
//!   are not. A delivery that is older than its schedule's `MaximumEventAgeInSeconds` is not tried, and goes to the dead letters as AWS
//!   sends what became too old.
//!
//! Where AWS says little: a `rate` counts from its start date, or else from when it was made or its expression last changed, and is due
//! then at once; other changes leave its times as they are. An `at` that is not more than a minute past is due at once (AWS is that
//! precise); an older one is kept and never due. A target whose operation this node does not serve is refused when the schedule is made.
//!
//! Limits: AWS's. Beyond: an input has at most 256 KiB. A `ClientToken` makes a repeated create harmless; deletes do not remember theirs.
//!
//! Start reading at `background.rs`, then `model/due.rs` and `store.rs`.

mod background;
mod carrier;
mod error;
mod manual;
pub mod model;
pub mod ops;
pub mod resources;
mod store;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use contract::Caller;

pub use crate::error::Error;
pub use crate::manual::{Fired, Listed};
pub use crate::ops::register;

use crate::store::Cabinet;

/// What the service needs.
#[derive(Clone)]
pub struct Deps {
    /// Where everything is kept.
    pub store: ::store::Store,
    /// Time.
    pub clock: Clock,
    /// Ids of executions.
    pub random: Random,
    /// Who knows which operations there are.
    pub caller: Arc<dyn Caller>,
    /// What addresses that are handed out begin with.
    pub base_url: Arc<str>,
}

/// The service.
pub struct Schedules {
    cabinet: Cabinet,
    clock: Clock,
    random: Random,
    caller: Arc<dyn Caller>,
    base_url: Arc<str>,
    /// Nothing is due before this time: deleted entries before it need not be walked over.
    head_ms: Mutex<i64>,
    /// When the service was opened: the default groups are as old.
    opened_ms: i64,
}

impl Schedules {
    /// The service, of which nothing runs yet.
    pub fn open(deps: Deps) -> Arc<Self> {
        let Deps { store, clock, random, caller, base_url } = deps;
        let opened_ms = clock.now_ms();
        let cabinet = Cabinet::new(store);
        Arc::new(Self { cabinet, clock, random, caller, base_url, head_ms: Mutex::new(i64::MIN), opened_ms })
    }

    /// Starts what runs by itself: firing, and taking away what deleted groups held. Both go on where they were.
    pub fn start(self: &Arc<Self>, tasks: &Tasks) {
        let (clerk, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Vital, "schedules-clerk", async move { clerk.run(stop).await });
        let (broom, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Vital, "schedules-sweep", async move { broom.sweep_groups(stop).await });
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}
