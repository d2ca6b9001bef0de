//! Starting instances, in the background.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::task::{self, Kind};

use super::{Pool, WEIGHT};
use crate::image::Image;
use crate::instance::{Instance, Origin};
use crate::invocation::RunFault;
use crate::shared::Shared;
use crate::start;

impl Pool {
    /// How many of its instances are starting.
    pub(crate) fn starting(&self) -> u32 {
        self.lock().starting
    }

    /// Starts what should be started. True if anybody waits.
    pub(super) fn start_wanted(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let (wanted, image) = {
            let state = self.lock();
            let Some(first) = state.longest() else {
                return false;
            };
            (state.view(shared, &first.image).wanted(), Arc::clone(&first.image))
        };
        self.start_some(shared, &image, wanted);
        true
    }

    pub(super) fn start_some(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>, wanted: u32) {
        for _ in 0..wanted {
            if !self.start(shared, image, Origin::OnDemand) {
                break;
            }
        }
    }

    /// Starts one instance in the background. False if the node has no room now.
    pub(super) fn start(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>, origin: Origin) -> bool {
        let Some(slot) = shared.starts.begin() else {
            return false;
        };
        let starting = Starting::count(self, origin);
        let Some(seat) = shared.seat(self, image.memory_mb, origin) else {
            self.left(origin);
            return false;
        };
        let (pool, shared, image) = (Arc::clone(self), Arc::clone(shared), Arc::clone(image));
        let tasks = shared.tasks.clone();
        tasks.spawn(Kind::Work, "start an instance", async move {
            let began = Instant::now();
            let started = start::start(&shared, &image, seat, slot).await;
            starting.over(began.elapsed());
            match (started, origin) {
                (Ok(instance), Origin::OnDemand) => pool.enter(&shared, instance),
                (Ok(instance), Origin::Provisioned) => pool.provided(&shared, instance),
                (Err(fault), Origin::OnDemand) => {
                    pool.refuse(fault);
                    pool.start_wanted(&shared);
                }
                (Err(fault), Origin::Provisioned) => {
                    pool.not_provided(fault.to_string());
                    pool.start_wanted(&shared);
                }
            }
            pool.provide(&shared, &image);
        });
        true
    }

    /// A new instance begins its life here, and is buried as soon as it died.
    pub(super) fn enter(self: &Arc<Self>, shared: &Arc<Shared>, instance: Box<Instance>) {
        if let Some(mut ended) = instance.ended() {
            let (shared, image) = (Arc::downgrade(shared), Arc::downgrade(&instance.image));
            task::spawn(Kind::Work, "instance that will end", async move {
                // An error says that nobody watches it any more: it is gone.
                let _ = ended.wait_for(Option::is_some).await;
                if let (Some(shared), Some(image)) = (Weak::upgrade(&shared), Weak::upgrade(&image)) {
                    image.pool.bury();
                    image.pool.provide(&shared, &image);
                }
            });
        }
        self.give(shared, instance, None);
    }

    /// Lets go of idle instances whose guests died.
    fn bury(&self) {
        let dead = self.lock().take_dead();
        // Out of the lock: their seats come back here.
        drop(dead);
    }

    /// Tells who waits longest that no instance could be made.
    fn refuse(&self, fault: RunFault) {
        let waiter = self.lock().next_waiter();
        if let Some(waiter) = waiter {
            // A receiver that is gone by now needs no answer.
            drop(waiter.answer.send(Err(fault)));
        }
    }
}

/// An instance that starts, counted until it has or could not; that it lives is counted until its seat is given back.
struct Starting {
    pool: Arc<Pool>,
    origin: Origin,
}

impl Starting {
    fn count(pool: &Arc<Pool>, origin: Origin) -> Self {
        let mut state = pool.lock();
        state.live += 1;
        state.starting += 1;
        state.provision.begin(origin);
        drop(state);
        Self { pool: Arc::clone(pool), origin }
    }

    /// It took so long.
    fn over(self, took: Duration) {
        let mut state = self.pool.lock();
        state.start_ms += WEIGHT * (took.as_secs_f64() * 1000.0 - state.start_ms);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.starting -= 1;
        state.provision.end(self.origin);
    }
}
