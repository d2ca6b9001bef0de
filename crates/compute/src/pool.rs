//! The instances of one image, and who waits for one.
//!
//! A call takes the idle instance that was used last, or waits; whoever waits longest gets the first that becomes free, be it an old
//! or a new one. Where calls are short, those that wait are laid ahead of a busy instance (`lane`), and taken back when another one
//! has nothing to do. A new instance is started (`launch`) when the expected wait is longer than the expected start (`scale`), so that a
//! burst of short calls does not start a hundred processes on two cores. What has nothing to do is frozen, and ends when nobody is
//! expected to call any more (`retire`); but for what is provisioned, which is there whether anybody calls or not (`provide`).

mod arrivals;
mod crowd;
mod lane;
mod launch;
mod provide;
mod retire;
mod scale;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::Clock;
use tokio::sync::oneshot;

use crate::attempt::Attempt;
use crate::image::Image;
use crate::instance::{Instance, Origin};
use crate::invocation::{Invocation, RunFault, Throttle};
use crate::monitor::TICK;
use crate::shared::{Admission, Shared};
use crate::tally::Tally;
pub(crate) use arrivals::Arrivals;
use crowd::Crowd;
pub(crate) use lane::Lane;
use provide::Provision;
pub use provide::Provisioned;
use scale::View;

/// What a start is expected to take before one was measured.
const START_GUESS: Duration = Duration::from_millis(80);
/// How much one measurement moves an average.
const WEIGHT: f64 = 0.2;
/// Calls that take less are laid ahead: one that has to wait behind another one is hardly late.
const QUICK_MS: f64 = 1.0;
/// What it takes to wake an idle instance, mostly on another processor. A call that waits no longer than that behind others is laid
/// there, and the idle one sleeps on.
const WAKE_MS: f64 = 0.1;

/// See the file.
pub(crate) struct Pool {
    state: Mutex<State>,
    tally: Arc<Tally>,
}

struct State {
    /// The one used last is last.
    #[expect(clippy::vec_box, reason = "they are handed on, and a box moves faster than what is in it")]
    idle: Vec<Box<Instance>>,
    waiting: VecDeque<Waiter>,
    /// The lanes of busy instances that have one.
    lanes: Vec<Lane>,
    /// Busy instances that take several calls at a time.
    crowds: Vec<Crowd>,
    /// Started or starting, busy or idle.
    live: u32,
    starting: u32,
    retired: bool,
    /// Averages, in milliseconds. A run is unknown until one was measured.
    run_ms: Option<f64>,
    start_ms: f64,
    /// Time, by which all that follows is told.
    clock: Clock,
    /// When a call ended last.
    ended: Duration,
    /// When a call came last.
    called: Duration,
    arrivals: Arrivals,
    /// Until when one was started before anybody called: what was the last call then.
    warmed: Option<Duration>,
    provision: Provision,
}

/// A call without an instance.
struct Waiter {
    since: Duration,
    image: Arc<Image>,
    invocation: Arc<Invocation>,
    admission: Admission,
    answer: Answer,
}

/// The way to whoever waits.
type Answer = oneshot::Sender<Result<Attempt, RunFault>>;

/// What an instance that was given back does next.
enum Next {
    /// A call that it has to be sent.
    Begins(Waiter),
    /// A call that was laid ahead of it.
    Follows(Waiter),
    /// Nothing.
    Rests,
    /// It is not needed any more.
    Ends,
}

impl Pool {
    /// Empty. The tally is the function's, over all its versions: what one of them learned of when calls come, the next one knows.
    pub(crate) fn new(tally: Arc<Tally>, clock: Clock) -> Self {
        let now = clock.elapsed();
        Self {
            state: Mutex::new(State {
                idle: Vec::new(),
                waiting: VecDeque::new(),
                lanes: Vec::new(),
                crowds: Vec::new(),
                live: 0,
                starting: 0,
                retired: false,
                run_ms: None,
                start_ms: START_GUESS.as_secs_f64() * 1000.0,
                clock,
                ended: now,
                called: now,
                arrivals: tally.arrivals(),
                warmed: None,
                provision: Provision::default(),
            }),
            tally,
        }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Waits for an instance, and begins the attempt on it.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        image: &Arc<Image>,
        invocation: Arc<Invocation>,
        admission: Admission,
    ) -> Result<Attempt, RunFault> {
        let (waiting, counted, dead) = {
            let mut state = self.lock();
            let now = state.call();
            let idle = if state.is_near(&invocation) { None } else { state.take(shared) };
            if let Some(mut instance) = idle {
                state.occupy(&mut instance, &invocation);
                // Sent before the lock is free: nothing may be laid ahead of the instance before its own call.
                return Ok(Attempt::begin(shared, instance, invocation, admission));
            }
            let (answer, waiting) = oneshot::channel();
            let waiter = Waiter { since: now, image: Arc::clone(image), invocation, admission, answer };
            state.waiting.push_back(waiter);
            state.lay_ahead(shared);
            let dead = state.take_dead();
            let view = state.view(shared, image);
            // Those are counted until they are dropped, which is out of the lock: their seats come back there.
            let view = View { live: view.live.saturating_sub(dead.len() as u32), ..view };
            (waiting, self.count(&mut state, shared, view.wanted(), Origin::OnDemand), dead)
        };
        drop(dead);
        shared.monitor.stir();
        self.start(shared, image, counted);
        // The sender is dropped only by a node that stops.
        waiting.await.unwrap_or(Err(RunFault::Stopping))
    }

    /// Gives an instance back: to who waits longest, or to the idle ones.
    ///
    /// The next attempt is begun here and not by the task that waits for it, so that the guest works while that task wakes up.
    pub(crate) fn give(self: &Arc<Self>, shared: &Arc<Shared>, mut instance: Box<Instance>, run: Option<Duration>) {
        if instance.is_berth() || instance.has_berths() {
            return self.give_several(shared, instance, run);
        }
        let begun = {
            let mut state = self.lock();
            if let Some(run) = run {
                state.learn(run);
            }
            // A call is sent before the lock is free: nothing may be laid ahead of the instance before its own call.
            let begun = match state.next(shared, &mut instance) {
                Next::Begins(Waiter { invocation, admission, answer, .. }) => {
                    Ok((answer, Attempt::begin(shared, instance, invocation, admission)))
                }
                Next::Follows(Waiter { invocation, admission, answer, .. }) => {
                    Ok((answer, Attempt::follow(shared, instance, invocation, admission)))
                }
                Next::Rests => {
                    instance.rest(state.clock.elapsed());
                    state.provision.spare(&mut instance);
                    state.idle.push(instance);
                    return;
                }
                Next::Ends => Err(instance),
            };
            state.lay_ahead(shared);
            begun
        };
        let (waiter, attempt) = match begun {
            Ok(begun) => begun,
            Err(instance) => {
                // Out of the lock: its seat comes back here.
                drop(instance);
                self.start_wanted(shared);
                return;
            }
        };
        // A caller that went away just now leaves an attempt that finishes by itself.
        drop(waiter.send(Ok(attempt)));
    }

    /// Lets go of who has waited enough, gives those that lay behind a long call to idle instances, and starts what should be started.
    /// True if anybody waits.
    pub(crate) fn reconsider(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let (given_up, found) = {
            let mut state = self.lock();
            state.take_back_late();
            (state.give_up(shared.is_stopping()), state.pair_up(shared))
        };
        for (answer, attempt) in found {
            // A caller that went away just now leaves an attempt that finishes by itself.
            drop(answer.send(Ok(attempt)));
        }
        for (waiter, fault) in given_up {
            // Its place under the limits is free before the caller hears of it.
            drop(waiter.admission);
            drop(waiter.answer.send(Err(fault)));
        }
        self.start_wanted(shared)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    fn view(&self, shared: &Shared, image: &Image) -> View {
        let longest = self.longest();
        View {
            live: self.live,
            // One that could not be started gives its seat back a moment before it is counted out.
            starting: self.starting.min(self.live),
            each: image.calls_at_a_time,
            waiting: (self.waiting.len() + self.lanes.iter().map(Lane::len).sum::<usize>()) as u32,
            run_ms: self.run_ms,
            start_ms: self.start_ms,
            stalled_ms: longest.map_or(0.0, |first| {
                self.clock.elapsed().saturating_sub(first.since.max(self.ended)).as_secs_f64() * 1000.0
            }),
            idle_cores: shared.processors.idle(),
            cores: shared.processors.cores(),
        }
    }

    /// Who waits longest.
    fn longest(&self) -> Option<&Waiter> {
        self.lanes.iter().filter_map(Lane::first).chain(self.waiting.front()).min_by_key(|waiter| waiter.since)
    }

    /// A call comes, now.
    fn call(&mut self) -> Duration {
        let now = self.clock.elapsed();
        self.arrivals.gap(now.saturating_sub(self.active()));
        self.called = now;
        now
    }

    /// When there was anything to do last.
    fn active(&self) -> Duration {
        self.ended.max(self.called)
    }

    /// A call has ended. Short ones are believed sooner than long ones: the first is slow because everything is new to it, and a
    /// crowded processor makes all of them look long.
    fn learn(&mut self, run: Duration) {
        self.ended = self.clock.elapsed();
        let run_ms = run.as_secs_f64() * 1000.0;
        self.run_ms = Some(self.run_ms.map_or(run_ms, |average| {
            let weight = if run_ms < average { 2.0 * WEIGHT } else { WEIGHT };
            average + weight * (run_ms - average)
        }));
    }

    /// An idle instance begins a call.
    fn occupy(&mut self, instance: &mut Instance, invocation: &Invocation) {
        instance.thaw();
        if let Some(mut lane) = instance.lane.take() {
            lane.begin(invocation, instance.output.is_loud());
            self.lanes.push(lane);
        }
    }

    /// What an instance does that has just ended a call, or has just started.
    fn next(&mut self, shared: &Shared, instance: &mut Instance) -> Next {
        let at = instance.feed().and_then(|feed| self.lanes.iter().position(|lane| lane.is(&feed)));
        let is_usable = instance.is_usable();
        let is_old = instance.is_old(self.clock.elapsed());
        let alone = is_old || instance.output.is_loud();
        // It may have begun that one already: a node that stops waits for it, too.
        if is_usable && let Some(waiter) = at.and_then(|at| self.lanes[at].next(alone)) {
            return Next::Follows(waiter);
        }
        let is_wanted = is_usable && !is_old && !shared.is_stopping();
        if is_wanted && let Some(waiter) = self.next_waiter().or_else(|| self.steal()) {
            match at {
                Some(at) => self.lanes[at].begin(&waiter.invocation, alone),
                None => self.occupy(instance, &waiter.invocation),
            }
            return Next::Begins(waiter);
        }
        let lane = at.map(|at| self.lanes.swap_remove(at));
        if is_wanted && !self.retired && instance.is_ready() {
            instance.lane = lane.or_else(|| instance.lane.take());
            return Next::Rests;
        }
        if let Some(mut lane) = lane {
            self.put_back(lane.clear());
        }
        Next::Ends
    }

    /// Lays those that wait ahead of busy instances, in order, where calls are short.
    fn lay_ahead(&mut self, shared: &Shared) {
        if self.run_ms.is_none_or(|run_ms| run_ms > QUICK_MS) {
            return;
        }
        while let Some(first) = self.waiting.front()
            && lane::fits(&first.invocation)
            && let Some(at) = self.lane()
            && let Some(waiter) = self.waiting.pop_front()
        {
            if waiter.answer.is_closed() {
                continue;
            }
            let deadline_ms = waiter.invocation.deadline_ms(&waiter.image, &shared.options.clock);
            if let Err(waiter) = self.lanes[at].lay(waiter, deadline_ms) {
                self.waiting.push_front(waiter);
                return;
            }
        }
    }

    /// How many calls may lie ahead of an instance before it pays to wake another one.
    fn depth(&self) -> usize {
        self.run_ms.map_or(0, |run_ms| (WAKE_MS / run_ms.max(0.001)) as usize)
    }

    /// True if a call would begin sooner behind others than on an idle instance.
    fn is_near(&self, invocation: &Invocation) -> bool {
        let depth = self.depth();
        self.waiting.is_empty()
            && self.lanes.iter().any(|lane| lane.len() < depth && lane.has_room())
            && lane::fits(invocation)
    }

    /// Where the next call is laid: where the most lie, as long as none waits long there, so that few instances do all the work and
    /// the others sleep; else where the fewest lie.
    fn lane(&self) -> Option<usize> {
        let depth = self.depth();
        let open = || self.lanes.iter().enumerate().filter(|(_, lane)| lane.has_room());
        let near = open().filter(|(_, lane)| lane.len() < depth).max_by_key(|(_, lane)| lane.len());
        near.or_else(|| open().min_by_key(|(_, lane)| lane.len())).map(|(at, _)| at)
    }

    /// A call that lies ahead of another instance, for one that has nothing to do.
    fn steal(&mut self) -> Option<Waiter> {
        let depth = self.depth();
        let fullest = self.lanes.iter_mut().max_by_key(|lane| lane.len()).filter(|lane| lane.len() > depth)?;
        let back = fullest.take_back();
        self.put_back(back);
        self.next_waiter()
    }

    /// Takes calls back that lie ahead of an instance whose present call turned out long.
    fn take_back_late(&mut self) {
        let late = self.lanes.iter_mut().filter(|lane| lane.len() > 0 && lane.since.elapsed() > TICK);
        let back: Vec<VecDeque<Waiter>> = late.map(Lane::take_back).collect();
        back.into_iter().for_each(|back| self.put_back(back));
    }

    /// Who waits although an instance is idle begins on that one.
    fn pair_up(&mut self, shared: &Arc<Shared>) -> Vec<(Answer, Attempt)> {
        let mut found = Vec::new();
        while self.has_waiter()
            && let Some(mut instance) = self.take(shared)
            && let Some(waiter) = self.next_waiter()
        {
            self.occupy(&mut instance, &waiter.invocation);
            let Waiter { invocation, admission, answer, .. } = waiter;
            found.push((answer, Attempt::begin(shared, instance, invocation, admission)));
        }
        found
    }

    /// Calls that were laid ahead wait again, before those that never were.
    fn put_back(&mut self, mut back: VecDeque<Waiter>) {
        back.append(&mut self.waiting);
        self.waiting = back;
    }

    /// What can begin a call now: room on a busy instance that takes several, or an idle one.
    fn take(&mut self, shared: &Shared) -> Option<Box<Instance>> {
        match self.take_berth(shared) {
            Some(berth) => Some(berth),
            None => {
                let idle = self.take_idle()?;
                Some(self.crowd(shared, idle))
            }
        }
    }

    /// The idle instance that was used last, of those that are provisioned if there is one: the others may end the sooner. One that
    /// died meanwhile is passed over.
    fn take_idle(&mut self) -> Option<Box<Instance>> {
        let last = |origin: Option<Origin>| {
            let is_it = |instance: &Instance| origin.is_none_or(|origin| instance.origin() == origin);
            self.idle.iter().rposition(|instance| !instance.has_ended() && is_it(instance))
        };
        let provisioned = if self.provision.is_wanted() { last(Some(Origin::Provisioned)) } else { None };
        let at = provisioned.or_else(|| last(None))?;
        Some(self.idle.remove(at))
    }

    /// The idle instances whose guests died. Whoever takes them drops them out of the lock.
    #[expect(clippy::vec_box, reason = "they are handed on, and a box moves faster than what is in it")]
    fn take_dead(&mut self) -> Vec<Box<Instance>> {
        self.idle.extract_if(.., |instance| instance.has_ended()).collect()
    }

    /// True if anybody waits who still cares; forgets those who do not.
    fn has_waiter(&mut self) -> bool {
        while self.waiting.front().is_some_and(|waiter| waiter.answer.is_closed()) {
            self.waiting.pop_front();
        }
        !self.waiting.is_empty()
    }

    /// Who waits longest and still cares.
    fn next_waiter(&mut self) -> Option<Waiter> {
        self.has_waiter().then(|| self.waiting.pop_front()).flatten()
    }

    /// Drops callers that went away, and gives back those whose patience is over.
    fn give_up(&mut self, stopping: bool) -> Vec<(Waiter, RunFault)> {
        let mut given_up = Vec::new();
        let now = self.clock.elapsed();
        for waiter in std::mem::take(&mut self.waiting) {
            let waited = now.saturating_sub(waiter.since);
            if waiter.answer.is_closed() {
                continue;
            }
            if stopping {
                given_up.push((waiter, RunFault::Stopping));
            } else if waited > waiter.invocation.patience {
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                waiter.admission.throttled();
                given_up.push((waiter, RunFault::Throttled { reason: Throttle::Patience { waited_ms } }));
            } else {
                self.waiting.push_back(waiter);
            }
        }
        given_up
    }
}
