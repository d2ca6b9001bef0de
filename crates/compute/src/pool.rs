//! The instances of one image, and who waits for one.
//!
//! A call takes the idle instance that was used last, or waits; whoever waits longest gets the first that becomes free, be it an old
//! or a new one. A new instance is started when the expected wait is longer than the expected start, so that a burst of short
//! calls does not start a hundred processes on two cores.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::task::Kind;
use tokio::sync::oneshot;

use crate::attempt::Attempt;
use crate::image::Image;
use crate::instance::Instance;
use crate::invocation::{Invocation, RunFault, Throttle};
use crate::shared::{Admission, Shared};
use crate::start;

/// What a start is expected to take before one was measured.
const START_GUESS: Duration = Duration::from_millis(80);
/// How much one measurement moves an average.
const WEIGHT: f64 = 0.2;

/// See the file.
pub(crate) struct Pool {
    state: Mutex<State>,
    function_counter: Arc<AtomicU32>,
}

struct State {
    /// The one used last is last.
    #[expect(clippy::vec_box, reason = "they are handed on, and a box moves faster than what is in it")]
    idle: Vec<Box<Instance>>,
    waiting: VecDeque<Waiter>,
    /// Started or starting, busy or idle.
    live: u32,
    starting: u32,
    retired: bool,
    /// Averages, in milliseconds. A run is unknown until one was measured.
    run_ms: Option<f64>,
    start_ms: f64,
}

struct Waiter {
    since: Instant,
    image: Arc<Image>,
    invocation: Invocation,
    admission: Admission,
    answer: oneshot::Sender<Result<Attempt, RunFault>>,
}

/// What the decision to start an instance depends on.
#[derive(Clone, Copy, Debug)]
struct View {
    live: u32,
    starting: u32,
    waiting: u32,
    run_ms: Option<f64>,
    start_ms: f64,
    longest_wait_ms: f64,
}

impl View {
    /// The rule of the file's head, as a number: how many instances should be starting that are not.
    fn wanted(&self) -> u32 {
        let unserved = self.waiting.saturating_sub(self.starting);
        if unserved == 0 {
            return 0;
        }
        let ready = self.live - self.starting;
        if self.live == 0 {
            return 1;
        }
        if self.longest_wait_ms > self.start_ms && ready > 0 || self.longest_wait_ms > 2.0 * self.start_ms {
            // Whatever was expected, it has already taken longer than a start.
            return unserved;
        }
        let Some(run_ms) = self.run_ms else {
            return 0;
        };
        // Those that can be served by what is there within the time of a start need nothing.
        let served = (f64::from(self.live) * self.start_ms / run_ms.max(0.001)).floor();
        (f64::from(self.waiting) - served).clamp(0.0, f64::from(unserved)) as u32
    }
}

impl Pool {
    /// Empty. `function_counter` counts the attempts of the function over all its versions.
    pub(crate) fn new(function_counter: Arc<AtomicU32>) -> Self {
        Self {
            state: Mutex::new(State {
                idle: Vec::new(),
                waiting: VecDeque::new(),
                live: 0,
                starting: 0,
                retired: false,
                run_ms: None,
                start_ms: START_GUESS.as_secs_f64() * 1000.0,
            }),
            function_counter,
        }
    }

    pub(crate) fn function_counter(&self) -> &Arc<AtomicU32> {
        &self.function_counter
    }

    /// Waits for an instance, and begins the attempt on it.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        image: &Arc<Image>,
        invocation: Invocation,
        admission: Admission,
    ) -> Result<Attempt, RunFault> {
        let idle = self.lock().idle.pop();
        if let Some(instance) = idle {
            return Ok(Attempt::begin(shared, instance, invocation, admission));
        }
        let (answer, waiting) = oneshot::channel();
        let waiter = Waiter { since: Instant::now(), image: Arc::clone(image), invocation, admission, answer };
        let instance = {
            let mut state = self.lock();
            // One may have come back since.
            match state.idle.pop() {
                Some(instance) => Some((instance, waiter)),
                None => {
                    state.waiting.push_back(waiter);
                    None
                }
            }
        };
        if let Some((instance, waiter)) = instance {
            return Ok(Attempt::begin(shared, instance, waiter.invocation, waiter.admission));
        }
        shared.monitor.stir();
        self.start_wanted(shared);
        // The sender is dropped only by a node that stops.
        waiting.await.unwrap_or(Err(RunFault::Stopping))
    }

    /// Gives an instance back: to who waits longest, or to the idle ones.
    ///
    /// The next attempt is begun here and not by the task that waits for it, so that the guest works while that task wakes up.
    pub(crate) fn give(self: &Arc<Self>, shared: &Arc<Shared>, mut instance: Box<Instance>, run: Option<Duration>) {
        let (next, left_over) = {
            let mut state = self.lock();
            if let Some(run) = run {
                let run_ms = run.as_secs_f64() * 1000.0;
                state.run_ms = Some(state.run_ms.map_or(run_ms, |average| average + WEIGHT * (run_ms - average)));
            }
            let is_wanted = instance.is_usable() && !shared.is_stopping();
            match if is_wanted { state.next_waiter() } else { None } {
                Some(waiter) => (Some((waiter, instance)), None),
                None if is_wanted && !state.retired && instance.is_ready() => {
                    instance.rest();
                    state.idle.push(instance);
                    (None, None)
                }
                None => (None, Some(instance)),
            }
        };
        if let Some((waiter, instance)) = next {
            let attempt = Attempt::begin(shared, instance, waiter.invocation, waiter.admission);
            // A caller that went away just now leaves an attempt that finishes by itself.
            drop(waiter.answer.send(Ok(attempt)));
        }
        if left_over.is_some() {
            // Out of the lock: its seat comes back here.
            drop(left_over);
            self.start_wanted(shared);
        }
    }

    /// Lets go of who has waited enough, and starts what should be started. True if anybody waits.
    pub(crate) fn reconsider(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let given_up = self.lock().give_up(shared.is_stopping());
        for (waiter, fault) in given_up {
            // Its place under the limits is free before the caller hears of it.
            drop(waiter.admission);
            drop(waiter.answer.send(Err(fault)));
        }
        self.start_wanted(shared)
    }

    /// Starts what should be started. True if anybody waits.
    fn start_wanted(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let (wanted, image) = {
            let state = self.lock();
            let Some(first) = state.waiting.front() else {
                return false;
            };
            let image = Arc::clone(&first.image);
            (state.view().wanted(), image)
        };
        for _ in 0..wanted {
            if !self.start(shared, &image) {
                break;
            }
        }
        true
    }

    /// Starts one instance in the background. False if the node has no room now.
    fn start(self: &Arc<Self>, shared: &Arc<Shared>, image: &Arc<Image>) -> bool {
        if !shared.starts.begin() {
            return false;
        }
        {
            let mut state = self.lock();
            state.live += 1;
            state.starting += 1;
        }
        let Some(seat) = shared.seat(self, image.memory_mb) else {
            shared.starts.end();
            let mut state = self.lock();
            state.live -= 1;
            state.starting -= 1;
            return false;
        };
        let (pool, shared, image) = (Arc::clone(self), Arc::clone(shared), Arc::clone(image));
        let tasks = shared.tasks.clone();
        tasks.spawn(Kind::Work, "start an instance", async move {
            let began = Instant::now();
            let started = start::start(&shared, &image, seat).await;
            shared.starts.end();
            {
                let mut state = pool.lock();
                state.starting -= 1;
                let start_ms = began.elapsed().as_secs_f64() * 1000.0;
                state.start_ms += WEIGHT * (start_ms - state.start_ms);
            }
            match started {
                Ok(instance) => pool.give(&shared, instance, None),
                Err(fault) => {
                    pool.refuse(fault);
                    pool.start_wanted(&shared);
                }
            }
        });
        true
    }

    /// Tells who waits longest that no instance could be made.
    fn refuse(&self, fault: RunFault) {
        let waiter = self.lock().next_waiter();
        if let Some(waiter) = waiter {
            // A receiver that is gone by now needs no answer.
            drop(waiter.answer.send(Err(fault)));
        }
    }

    /// Idle instances end; busy ones will.
    pub(crate) fn retire(&self) {
        let idle = {
            let mut state = self.lock();
            state.retired = true;
            std::mem::take(&mut state.idle)
        };
        drop(idle);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.lock().retired
    }

    /// Ends what had nothing to do for that long.
    pub(crate) fn retire_unused(&self, keep_alive: Duration) {
        let unused: Vec<Box<Instance>> = {
            let mut state = self.lock();
            let first_used = state.idle.partition_point(|instance| instance.idle_since().elapsed() > keep_alive);
            state.idle.drain(..first_used).collect()
        };
        drop(unused);
    }

    /// Since when its longest idle instance is idle.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.lock().idle.first().map(|instance| instance.idle_since())
    }

    /// Its longest idle instance.
    pub(crate) fn take_oldest(&self) -> Option<Box<Instance>> {
        let mut state = self.lock();
        (!state.idle.is_empty()).then(|| state.idle.remove(0))
    }

    /// An instance's seat is free again.
    pub(crate) fn left(&self) {
        self.lock().live -= 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    fn view(&self) -> View {
        View {
            live: self.live,
            starting: self.starting,
            waiting: self.waiting.len() as u32,
            run_ms: self.run_ms,
            start_ms: self.start_ms,
            longest_wait_ms: self.waiting.front().map_or(0.0, |first| first.since.elapsed().as_secs_f64() * 1000.0),
        }
    }

    /// Who waits longest and still cares.
    fn next_waiter(&mut self) -> Option<Waiter> {
        loop {
            let waiter = self.waiting.pop_front()?;
            if !waiter.answer.is_closed() {
                return Some(waiter);
            }
        }
    }

    /// Drops callers that went away, and gives back those whose patience is over.
    fn give_up(&mut self, stopping: bool) -> Vec<(Waiter, RunFault)> {
        let mut given_up = Vec::new();
        for waiter in std::mem::take(&mut self.waiting) {
            let waited = waiter.since.elapsed();
            if waiter.answer.is_closed() {
                continue;
            }
            if stopping {
                given_up.push((waiter, RunFault::Stopping));
            } else if waited > waiter.invocation.patience {
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                given_up.push((waiter, RunFault::Throttled { reason: Throttle::Patience { waited_ms } }));
            } else {
                self.waiting.push_back(waiter);
            }
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_started_when_waiting_costs_more() {
        let view = |live, starting, waiting, run_ms, longest_wait_ms| View {
            live,
            starting,
            waiting,
            run_ms,
            start_ms: 80.0,
            longest_wait_ms,
        };
        for (view, expected, why) in [
            (view(0, 0, 1, None, 0.0), 1, "nothing is there"),
            (view(0, 0, 100, None, 0.0), 1, "a burst on a cold function starts one and sees"),
            (view(1, 1, 100, None, 50.0), 0, "the first is still starting"),
            (view(1, 0, 31, Some(0.05), 1.0), 0, "a burst of short calls"),
            (view(1, 0, 1, Some(200.0), 0.0), 1, "one long call ahead"),
            (view(1, 1, 1, Some(200.0), 0.0), 0, "and the start for it is under way"),
            (view(2, 0, 10, Some(40.0), 0.0), 6, "four of ten are served within the time of a start"),
            (view(1, 0, 99, None, 100.0), 99, "they have waited longer than a start takes"),
            (view(5, 4, 99, None, 100.0), 95, "and some starts are under way"),
        ] {
            assert_eq!(view.wanted(), expected, "{why}: {view:?}");
        }
    }
}
