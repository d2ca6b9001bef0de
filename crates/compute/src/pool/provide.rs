//! Instances that are there whether anybody calls or not: provisioned concurrency.
//!
//! They are started as soon as there is room, take calls before all others, stay while idle, and are replaced when they die or grow old.
//! They are not moved to make room for another function's, nor ended when the machine is short of memory. A call that finds all of them
//! busy is served like any other. What is wanted no longer becomes an ordinary instance, and ends as those do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Pool;
use crate::image::Image;
use crate::instance::{Instance, Origin};
use crate::shared::Shared;

/// The longest pause before one that could not be started is tried again; the first is a hundredth of it.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// AWS's word for a function that fails as it is initialised.
const INIT_FAILURE: &str = "FUNCTION_ERROR_INIT_FAILURE";

/// What is provisioned of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// How many instances are wanted.
    pub wanted: u32,
    /// How many have a place, those that are starting among them.
    pub allocated: u32,
    /// How many are initialised, busy or idle.
    pub available: u32,
    /// Why there are not more, if the last one could not be started.
    pub failure: Option<String>,
}

/// The same as the pool has it.
#[derive(Debug, Default)]
pub(super) struct Provision {
    wanted: u32,
    by: Means,
    /// Started or starting.
    live: u32,
    starting: u32,
    failure: Option<Failure>,
}

/// What is kept ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Means {
    /// Instances.
    #[default]
    Instances,
    /// Nothing: what runs within our own process begins in microseconds.
    InProcess,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    count: u32,
    not_before: Instant,
}

impl Pool {
    /// From now on so many are wanted.
    pub(crate) fn provision(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>, wanted: u32) {
        {
            let mut state = self.lock();
            if state.retired {
                return;
            }
            if state.provision.wanted != wanted {
                state.provision.failure = None;
            }
            state.provision.wanted = wanted;
            let super::State { provision, idle, .. } = &mut *state;
            idle.iter_mut().for_each(|instance| provision.spare(instance));
        }
        self.provide(shared, image);
    }

    /// The same for what runs within our own process: it is always ready.
    pub(crate) fn provision_in_process(&self, wanted: u32) {
        let mut state = self.lock();
        state.provision.by = Means::InProcess;
        state.provision.wanted = wanted;
    }

    /// What has come of it.
    pub(crate) fn provisioned(&self) -> Provisioned {
        self.lock().provision.told()
    }

    /// Starts what lacks, as far as there is room.
    pub(crate) fn provide(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>) {
        while !shared.is_stopping() {
            let counted = {
                let mut state = self.lock();
                if state.retired || !state.provision.lacks(Instant::now()) {
                    return;
                }
                self.count(&mut state, shared, 1, Origin::Provisioned)
            };
            if !self.start(shared, image, counted) {
                if !shared.has_room(image.memory_mb) {
                    let memory_mb = image.memory_mb;
                    self.not_provided(format!("The node has no room for another instance of {memory_mb} MB."));
                }
                // Where only too many are starting at a time, the next one that has started looks again, and the sweep does.
                return;
            }
        }
    }

    /// One has started, or has failed to initialise.
    pub(super) fn provided(self: &Arc<Self>, shared: &Arc<Shared>, mut instance: Box<Instance>) {
        if !instance.is_ready() {
            drop(instance);
            self.not_provided(INIT_FAILURE.to_owned());
            self.start_wanted(shared);
            return;
        }
        // Nobody waited for that, and nobody pays for it.
        instance.init = None;
        self.lock().provision.failure = None;
        self.enter(shared, instance);
    }

    /// One could not be started: the next try is later and later.
    pub(super) fn not_provided(&self, reason: String) {
        self.lock().provision.fail(reason);
    }
}

impl Provision {
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// Nothing is wanted any more.
    pub(super) fn clear(&mut self) {
        self.wanted = 0;
    }

    /// One more is starting.
    pub(super) fn begin(&mut self, origin: Origin) {
        if origin == Origin::Provisioned {
            self.live += 1;
            self.starting += 1;
        }
    }

    /// It is starting no longer.
    pub(super) fn end(&mut self, origin: Origin) {
        if origin == Origin::Provisioned {
            self.starting -= 1;
        }
    }

    /// One has given its seat back.
    pub(super) fn left(&mut self, origin: Origin) {
        if origin == Origin::Provisioned {
            self.live -= 1;
        }
    }

    /// Makes an instance an ordinary one, if there are more than are wanted.
    pub(super) fn spare(&mut self, instance: &mut Instance) {
        if self.live > self.wanted && instance.origin() == Origin::Provisioned {
            instance.release();
            self.live -= 1;
        }
    }

    fn lacks(&self, now: Instant) -> bool {
        let may_try = self.failure.as_ref().is_none_or(|failure| failure.not_before <= now);
        self.by == Means::Instances && self.live < self.wanted && may_try
    }

    fn fail(&mut self, reason: String) {
        let count = self.failure.as_ref().map_or(0, |failure| failure.count) + 1;
        let pause = (RETRY_MAX / 100).saturating_mul(1 << count.min(16)).min(RETRY_MAX);
        self.failure = Some(Failure { reason, count, not_before: Instant::now() + pause });
    }

    fn told(&self) -> Provisioned {
        let (allocated, available) = match self.by {
            // One that gave its seat back a moment before it is counted out is not starting.
            Means::Instances => (self.live, self.live.saturating_sub(self.starting)),
            Means::InProcess => (self.wanted, self.wanted),
        };
        let failure = self.failure.as_ref().map(|failure| failure.reason.clone());
        Provisioned {
            wanted: self.wanted,
            allocated: allocated.min(self.wanted),
            available: available.min(self.wanted),
            failure,
        }
    }
}
