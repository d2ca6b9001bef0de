//! The engine: follows the outbox, carries what may go, and takes note of how that ended.
//!
//! Nothing polls. A commit that puts a delivery wakes the engine through the store's feed; one task sleeps until the next time that
//! something is due; each delivery that is out is a task of its own.

mod carry;
pub(crate) mod failed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Backoff, Clock, Random};
use contract::Caller;
use store::{Change, Error, Store, Watch};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::call::{self, Calls};
use crate::counts::Counts;
use crate::http::{self, Reach, World};
use crate::lanes::{Action, Lanes, Limits};
use crate::outbox::{self, Outbox, Place, State};
use crate::report::{LaneState, Report};
use crate::{Carrier, LaneId};
use failed::Failures;

/// What the engine stands on.
pub struct Deps {
    /// Where deliveries are kept.
    pub store: Store,
    /// The way to every operation.
    pub caller: Arc<dyn Caller>,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// How much at once.
    pub limits: Limits,
    /// What requests to the world may reach.
    pub reach: Reach,
    /// Carriers of services' own, by the name that [`crate::Delivery::carrier`] gives.
    pub carriers: Vec<(&'static str, Arc<dyn Carrier>)>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    outbox: Outbox,
    clock: Clock,
    random: Random,
    carriers: HashMap<&'static str, Arc<dyn Carrier>>,
    lanes: Mutex<Lanes>,
    failures: Mutex<Failures>,
    counts: Counts,
    /// Something may be due sooner than it was.
    alarm: Notify,
    tasks: Tasks,
    halting: CancellationToken,
}

impl Deliveries {
    /// Reads what waits in the store, and begins to carry it. From now on whatever is [put](crate::put) is carried.
    pub async fn start(deps: Deps) -> Result<Self, Error> {
        let Deps { store, caller, clock, random, limits, reach, carriers } = deps;
        let mut all: HashMap<&'static str, Arc<dyn Carrier>> = HashMap::new();
        all.insert(call::NAME, Arc::new(Calls { caller, clock: clock.clone(), random: random.clone() }));
        all.insert(http::NAME, Arc::new(World::new(reach)));
        for (name, carrier) in carriers {
            assert!(all.insert(name, carrier).is_none(), "two carriers have the name {name}");
        }
        let inner = Arc::new(Inner {
            outbox: Outbox::new(store),
            clock,
            random,
            carriers: all,
            lanes: Mutex::new(Lanes::new(limits)),
            failures: Mutex::default(),
            counts: Counts::default(),
            alarm: Notify::new(),
            tasks: Tasks::new(),
            halting: CancellationToken::new(),
        });
        // Before the first look, so that nothing falls between the two.
        let watch = inner.outbox.store().watch(outbox::waiting());
        inner.resync().await?;
        inner.tasks.spawn(Kind::Vital, "deliveries follow the store", Arc::clone(&inner).follow(watch));
        inner.tasks.spawn(Kind::Vital, "deliveries wait for their time", Arc::clone(&inner).keep_time());
        inner.tasks.spawn(Kind::Work, "failed deliveries expire", Arc::clone(&inner).expire());
        Ok(Self(inner))
    }

    /// Carries nothing more, from now on: the node is about to stop. What is out may end.
    pub fn hurry(&self) {
        self.0.lanes().halt();
        self.0.halting.cancel();
    }

    /// Waits for what is out, and ends. What has not ended by then is carried again after the restart. Call it before the store
    /// closes. False if something was still out.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        self.hurry();
        self.0.tasks.shut_down(patience).await
    }

    /// Forgets everything and reads it anew: the store was emptied.
    pub async fn resync(&self) -> Result<(), Error> {
        self.0.lanes().clear();
        self.0.failures().clear();
        self.0.resync().await
    }

    /// Every lane that has something, waiting, out or failed; in order of name.
    pub fn lanes(&self) -> Vec<LaneState> {
        let waiting = self.0.lanes().show();
        let failed = self.0.failures().show();
        LaneState::gather(waiting, failed)
    }

    /// All lanes, and what was done since the start.
    pub fn report(&self) -> Report {
        Report { lanes: self.lanes(), counts: self.0.counts.show(), known: self.0.lanes().known() }
    }

    /// Puts what failed in a lane into the outbox again, as of now, and tries at once what waits there for its time. `None`: in all
    /// lanes. Gives the number of failed deliveries that go again.
    pub async fn redrive(&self, lane: Option<&str>) -> Result<u64, Error> {
        let redriven = self.0.redrive(lane).await?;
        let actions = self.0.lanes().hurry(lane);
        self.0.perform(actions);
        Ok(redriven)
    }
}

impl Inner {
    /// Holds memory against the store: at the start, and when the feed was too fast.
    async fn resync(self: &Arc<Self>) -> Result<(), Error> {
        self.lanes().recount();
        self.outbox
            .scan(State::Waiting, |found| {
                let mut lanes = self.lanes();
                let id = lanes.add(found.lane, found.place, found.due_ms);
                lanes.remember(&id, found.failure);
            })
            .await?;
        self.read_failures().await?;
        let actions = self.lanes().go_all();
        self.perform(actions);
        self.alarm.notify_one();
        Ok(())
    }

    /// Hears of what is put.
    async fn follow(self: Arc<Self>, mut watch: Watch) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut behind = false;
        loop {
            if behind {
                match self.resync().await {
                    Ok(()) => {
                        behind = false;
                        backoff.reset();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the outbox could not be read again");
                        tokio::select! {
                            () = self.clock.sleep(backoff.next(&self.random)) => continue,
                            () = self.halting.cancelled() => return,
                        }
                    }
                }
            }
            let change = tokio::select! {
                change = watch.next() => change,
                () = self.halting.cancelled() => return,
            };
            match change {
                Change::Commit { sequence, keys } => {
                    let mut new: Vec<(LaneId, Place)> = keys
                        .iter()
                        .filter_map(|key| Place::of(key).ok())
                        .filter(|(_, place)| place.sequence == sequence.number())
                        .collect();
                    new.sort_unstable_by_key(|(_, place)| place.index);
                    self.hear(new);
                }
                Change::Lagged => behind = true,
                Change::Closed => return,
            }
        }
    }

    fn hear(self: &Arc<Self>, new: Vec<(LaneId, Place)>) {
        if new.is_empty() {
            return;
        }
        let mut actions = Vec::new();
        {
            let mut lanes = self.lanes();
            for (lane, place) in new {
                let id = lanes.add(lane, place, None);
                actions.append(&mut lanes.go(&id));
            }
        }
        self.perform(actions);
    }

    /// Sleeps until something is due.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let next = self.lanes().next_due();
            let wait = next.map(|due_ms| {
                let left = due_ms.saturating_sub(self.clock.now_ms());
                // The time of day may be set: at the latest after a minute it is looked at again.
                Duration::from_millis(u64::try_from(left).unwrap_or_default()).min(Duration::from_secs(60))
            });
            match wait {
                Some(wait) => tokio::select! {
                    () = self.clock.sleep(wait) => {}
                    () = self.alarm.notified() => {}
                    () = self.halting.cancelled() => return,
                },
                None => tokio::select! {
                    () = self.alarm.notified() => {}
                    () = self.halting.cancelled() => return,
                },
            }
            let actions = self.lanes().wake(self.clock.now_ms());
            self.perform(actions);
        }
    }

    fn perform(self: &Arc<Self>, actions: Vec<Action>) {
        for action in actions {
            let inner = Arc::clone(self);
            match action {
                Action::Carry { lane, place, time } => {
                    self.tasks.spawn(Kind::Work, "delivery", inner.carry(lane, place, time));
                }
                Action::Read { lane, after, most } => {
                    self.tasks.spawn(Kind::Work, "outbox page", inner.read_on(lane, after, most));
                }
            }
        }
    }

    async fn read_on(self: Arc<Self>, lane: Arc<LaneId>, after: Place, most: usize) {
        let actions = match self.outbox.behind(&lane, after, most).await {
            Ok(page) => self.lanes().read(&lane, page),
            Err(error) => {
                tracing::warn!(%error, %lane, "a lane could not be read on; trying again");
                tokio::select! {
                    () = self.clock.sleep(Duration::from_secs(1)) => {}
                    () = self.halting.cancelled() => return,
                }
                self.lanes().unread(&lane)
            }
        };
        self.perform(actions);
        self.alarm.notify_one();
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}
