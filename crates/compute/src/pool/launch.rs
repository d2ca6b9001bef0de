//! Starting instances, in the background.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::task::{self, Kind};

use super::{Pool, State, WEIGHT};
use crate::image::Image;
use crate::instance::{Instance, Origin};
use crate::invocation::RunFault;
use crate::shared::{Shared, Start};
use crate::start;

impl Pool {
    /// How many of its instances are starting.
    pub(crate) fn starting(&self) -> u32 {
        self.lock().starting
    }

    /// Starts what should be started. True if anybody waits.
    pub(super) fn start_wanted(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let (counted, image) = {
            let mut state = self.lock();
            let Some(image) = state.longest().map(|first| Arc::clone(&first.image)) else {
                return false;
            };
            let wanted = state.view(shared, &image).wanted();
            (self.count(&mut state, shared, wanted, Origin::OnDemand), image)
        };
        self.start(shared, &image, counted);
        true
    }

    /// Counts in as many of those that are wanted as may start now: under the lock under which that was decided, or two who look at the
    /// same time would each start one for the same call.
    pub(super) fn count(
        self: &Arc<Self>,
        state: &mut State,
        shared: &Shared,
        wanted: u32,
        origin: Origin,
    ) -> Vec<(Starting, Start)> {
        let slots = (0..wanted).map_while(|_| shared.starts.begin());
        slots.map(|slot| (Starting::count(self, state, origin), slot)).collect()
    }

    /// Starts what was counted in, in the background. False if that is nothing, or the node has no room for it now.
    pub(super) fn start(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        image: &Arc<Image>,
        counted: Vec<(Starting, Start)>,
    ) -> bool {
        counted.into_iter().fold(false, |any, (starting, slot)| any | self.start_one(shared, image, starting, slot))
    }

    fn start_one(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>, starting: Starting, slot: Start) -> bool {
        let origin = starting.origin;
        let Some(seat) = shared.seat(self, image.memory_mb, origin) else {
            self.left(origin);
            return false;
        };
        let (pool, shared, image) = (Arc::clone(self), Arc::clone(shared), Arc::clone(image));
        let tasks = shared.tasks.clone();
        tasks.spawn(Kind::Work, "start an instance", async move {
            let began = Instant::now();
            let started = start::start(&shared, &image, seat, slot).await;
            starting.took(began.elapsed());
            match started {
                Ok(instance) => {
                    match origin {
                        Origin::OnDemand => pool.enter(&shared, instance),
                        Origin::Provisioned => pool.provided(&shared, instance),
                    }
                    // Not before it has taken who waits for it: the clock would start another one for the same call.
                    drop(starting);
                }
                Err(fault) => {
                    drop(starting);
                    match origin {
                        Origin::OnDemand => pool.refuse(fault),
                        Origin::Provisioned => pool.not_provided(fault.to_string()),
                    }
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

/// An instance that starts, counted until it is given to the pool or could not be started; that it lives is counted until its seat is given back.
pub(super) struct Starting {
    pool: Arc<Pool>,
    origin: Origin,
}

impl Starting {
    fn count(pool: &Arc<Pool>, state: &mut State, origin: Origin) -> Self {
        state.live += 1;
        state.starting += 1;
        state.provision.begin(origin);
        Self { pool: Arc::clone(pool), origin }
    }

    /// It took so long.
    fn took(&self, took: Duration) {
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
