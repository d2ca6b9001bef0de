//! What is known in memory of what waits, and the decision what goes out next: no store, no time, no tasks in here.
//!
//! What always holds:
//! - A lane in order has at most one delivery out, and it is the first of all that the lane has.
//! - A lane has no more out than it may, and than are free in the whole node: a lane alone may take half of what the node carries at
//!   once, two a third each, and so on. One each is allowed to every lane beyond that, up to twice the node's number, so that slow
//!   targets, as long as they are fewer, never keep others from being tried.
//! - Memory holds a window of each lane, from its oldest on, and a mark behind which the rest lies in the store.
//! - A lane of which nothing is left is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::outbox::{Page, Place};
use crate::{Failure, LaneId, Order};

/// How much is carried at once and remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deliveries that are carried at once. Default: 2,048. Twice as many where that many lanes have one each.
    pub carried_max: usize,
    /// Deliveries of a lane that memory knows of; the others are read when there is room. Default: 65,536.
    pub window_max: usize,
    /// Deliveries that memory knows of in all; beyond, lanes are known 256 at a time. Default: 500,000.
    pub known_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { carried_max: 2_048, window_max: 65_536, known_max: 500_000 }
    }
}

/// The window of a lane where memory is short.
const WINDOW_MIN: usize = 256;

/// All lanes that have something.
#[derive(Debug)]
pub(crate) struct Lanes {
    limits: Limits,
    lanes: HashMap<Arc<LaneId>, Lane>,
    /// What waits for its time, soonest first.
    due: BTreeSet<(i64, Arc<LaneId>, Place)>,
    /// Lanes that could have more out if there were room.
    hungry: VecDeque<Arc<LaneId>>,
    out: usize,
    known: usize,
    halted: bool,
}

#[derive(Debug, Default)]
struct Lane {
    ready: BTreeMap<Place, Time>,
    waiting: BTreeMap<Place, i64>,
    out: BTreeSet<Place>,
    /// The last one that memory ever knew: what comes before it is here, or done.
    known: Place,
    behind: Option<Behind>,
    hungry: bool,
    failure: Option<Failure>,
}

/// What lies in the store behind the window.
#[derive(Debug)]
struct Behind {
    count: u64,
    latest: u64,
    reading: bool,
}

/// Whether it is known that a delivery's time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Its record tells.
    Unknown,
    /// It has come.
    Come,
}

/// Something to be done, outside of the lock.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Carry this one.
    Carry { lane: Arc<LaneId>, place: Place, time: Time },
    /// Read what lies behind this one.
    Read { lane: Arc<LaneId>, after: Place, most: usize },
}

/// What became of a delivery that was out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// The lane has it no more.
    Gone,
    /// It is to be tried again then; if that is because of a failure, what that was.
    Again { due_ms: i64, failure: Option<Failure> },
}

/// What people are shown of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) lane: Arc<LaneId>,
    pub(crate) waiting: u64,
    pub(crate) out: usize,
    pub(crate) failure: Option<Failure>,
    pub(crate) next_ms: Option<i64>,
}

impl Default for Place {
    /// Before all others: commits are counted from 1.
    fn default() -> Self {
        Self { sequence: 0, index: 0 }
    }
}

impl Lane {
    fn len(&self) -> usize {
        self.ready.len() + self.waiting.len() + self.out.len()
    }

    /// What may go out next, if the order allows any.
    fn next(&self, order: Order) -> Option<(Place, Time)> {
        let (place, time) = self.ready.first_key_value().map(|(place, time)| (*place, *time))?;
        let may = match order {
            Order::Any { .. } => true,
            Order::InOrder => {
                self.out.is_empty() && self.waiting.first_key_value().is_none_or(|(waiting, _)| place < *waiting)
            }
        };
        may.then_some((place, time))
    }

    fn is_idle(&self) -> bool {
        self.len() == 0 && self.behind.is_none()
    }
}

impl Lanes {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            due: BTreeSet::new(),
            hungry: VecDeque::new(),
            out: 0,
            known: 0,
            halted: false,
        }
    }

    /// A delivery that is in the store. They must come in order within a lane; those that are known already are no matter.
    pub(crate) fn add(&mut self, lane: LaneId, place: Place, due_ms: Option<i64>) -> Arc<LaneId> {
        let id = match self.lanes.get_key_value(&lane) {
            Some((id, _)) => Arc::clone(id),
            None => Arc::new(lane),
        };
        let window = self.window();
        let lane = self.lanes.entry(Arc::clone(&id)).or_default();
        if place <= lane.known {
            return id;
        }
        if let Some(behind) = &mut lane.behind {
            behind.latest = behind.latest.max(place.sequence);
            behind.count += 1;
        } else if lane.len() >= window {
            lane.behind = Some(Behind { count: 1, latest: place.sequence, reading: false });
        } else {
            self.learn(&id, place, due_ms);
        }
        id
    }

    /// A page that was read behind a lane's window.
    pub(crate) fn read(&mut self, id: &Arc<LaneId>, page: Page) -> Vec<Action> {
        for (place, due_ms) in &page.items {
            if self.lanes.get(id).is_some_and(|lane| lane.known < *place) {
                self.learn(id, *place, *due_ms);
            }
        }
        if let Some(lane) = self.lanes.get_mut(id)
            && let Some(behind) = &mut lane.behind
        {
            behind.reading = false;
            behind.count = behind.count.saturating_sub(page.items.len() as u64);
            if page.is_last && page.as_of.number() >= behind.latest {
                lane.behind = None;
            }
        }
        self.go(id)
    }

    /// A page could not be read: it is asked for again with the next change of the lane.
    pub(crate) fn unread(&mut self, id: &Arc<LaneId>) -> Vec<Action> {
        if let Some(behind) = self.lanes.get_mut(id).and_then(|lane| lane.behind.as_mut()) {
            behind.reading = false;
        }
        self.go(id)
    }

    /// Takes note of what became of a delivery that was out.
    pub(crate) fn ended(&mut self, id: &Arc<LaneId>, place: Place, fate: Fate) -> Vec<Action> {
        let Some(lane) = self.lanes.get_mut(id) else { return Vec::new() };
        if !lane.out.remove(&place) {
            return Vec::new();
        }
        self.out -= 1;
        match fate {
            Fate::Gone => {
                self.known -= 1;
                lane.failure = lane.failure.take().filter(|_| !lane.waiting.is_empty());
            }
            Fate::Again { due_ms, failure } => {
                lane.failure = failure.or(lane.failure.take());
                lane.waiting.insert(place, due_ms);
                self.due.insert((due_ms, Arc::clone(id), place));
            }
        }
        let mut actions = self.go(id);
        self.feed_hungry(&mut actions);
        actions
    }

    /// What is due by now may go.
    pub(crate) fn wake(&mut self, now_ms: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some((due_ms, id, place)) = self.due.pop_first() {
            if due_ms > now_ms {
                self.due.insert((due_ms, id, place));
                break;
            }
            if let Some(lane) = self.lanes.get_mut(&id)
                && lane.waiting.remove(&place).is_some()
            {
                lane.ready.insert(place, Time::Come);
                actions.append(&mut self.go(&id));
            }
        }
        actions
    }

    /// Everything that waits for its time may go now, in one lane or in all.
    pub(crate) fn hurry(&mut self, only: Option<&str>) -> Vec<Action> {
        let meant = |id: &Arc<LaneId>| only.is_none_or(|name| id.to_string() == name);
        let ids: Vec<Arc<LaneId>> = self.lanes.keys().filter(|id| meant(id)).cloned().collect();
        let mut actions = Vec::new();
        for id in ids {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            for (place, due_ms) in std::mem::take(&mut lane.waiting) {
                self.due.remove(&(due_ms, Arc::clone(&id), place));
                lane.ready.insert(place, Time::Come);
            }
            actions.append(&mut self.go(&id));
        }
        actions
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.due.first().map(|(due_ms, _, _)| *due_ms)
    }

    /// What is to be done now in one lane: carried, or read from behind the window.
    pub(crate) fn go(&mut self, id: &Arc<LaneId>) -> Vec<Action> {
        let mut actions = Vec::new();
        let window = self.window();
        let Some(lane) = self.lanes.get_mut(id).filter(|_| !self.halted) else { return actions };
        let at_once = match id.order() {
            Order::InOrder => 1,
            Order::Any { at_once } => usize::from(at_once.max(1)),
        };
        while let Some((place, time)) = lane.next(id.order()) {
            let free = self.limits.carried_max.saturating_sub(self.out);
            if lane.out.len() >= at_once {
                break;
            }
            let is_first = lane.out.is_empty() && self.out < self.limits.carried_max * 2;
            if !is_first && lane.out.len() >= free {
                if !std::mem::replace(&mut lane.hungry, true) {
                    self.hungry.push_back(Arc::clone(id));
                }
                break;
            }
            lane.ready.remove(&place);
            lane.out.insert(place);
            self.out += 1;
            actions.push(Action::Carry { lane: Arc::clone(id), place, time });
        }
        let (known, after) = (lane.len(), lane.known);
        if let Some(behind) = lane.behind.as_mut().filter(|behind| known < window.div_ceil(2) && !behind.reading) {
            behind.reading = true;
            actions.push(Action::Read { lane: Arc::clone(id), after, most: window - known });
        }
        if lane.is_idle() {
            self.lanes.remove(id);
        }
        actions
    }

    /// Everything that may go, in all lanes: after the start.
    pub(crate) fn go_all(&mut self) -> Vec<Action> {
        let ids: Vec<Arc<LaneId>> = self.lanes.keys().cloned().collect();
        ids.iter().flat_map(|id| self.go(id)).collect()
    }

    /// Nothing goes out any more.
    pub(crate) fn halt(&mut self) {
        self.halted = true;
    }

    /// Before everything in the store is [added](Self::add) again: what lies behind the windows is counted anew.
    pub(crate) fn recount(&mut self) {
        self.lanes.values_mut().filter_map(|lane| lane.behind.as_mut()).for_each(|behind| behind.count = 0);
    }

    /// Forgets all that is not out: the store was emptied.
    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.hungry.clear();
        self.lanes.retain(|_, lane| {
            lane.ready.clear();
            lane.waiting.clear();
            (lane.behind, lane.hungry, lane.failure) = (None, false, None);
            !lane.out.is_empty()
        });
        self.known = self.out;
    }

    /// What is remembered of why a lane stands still.
    pub(crate) fn remember(&mut self, id: &Arc<LaneId>, failure: Option<Failure>) {
        if let Some(lane) = self.lanes.get_mut(id)
            && failure.is_some()
        {
            lane.failure = failure;
        }
    }

    pub(crate) fn show(&self) -> Vec<Shown> {
        let shown = self.lanes.iter().map(|(id, lane)| Shown {
            lane: Arc::clone(id),
            waiting: (lane.ready.len() + lane.waiting.len()) as u64 + lane.behind.as_ref().map_or(0, |b| b.count),
            out: lane.out.len(),
            failure: lane.failure.clone(),
            next_ms: match lane.ready.is_empty() {
                true => lane.waiting.values().min().copied(),
                false => None,
            },
        });
        shown.collect()
    }

    /// How many deliveries memory knows of.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    fn window(&self) -> usize {
        match self.known < self.limits.known_max {
            true => self.limits.window_max,
            false => self.limits.window_max.min(WINDOW_MIN),
        }
    }

    fn learn(&mut self, id: &Arc<LaneId>, place: Place, due_ms: Option<i64>) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.known = place;
        self.known += 1;
        match due_ms {
            None => {
                lane.ready.insert(place, Time::Unknown);
            }
            Some(due_ms) => {
                lane.waiting.insert(place, due_ms);
                self.due.insert((due_ms, Arc::clone(id), place));
            }
        }
    }

    /// Lanes that had to wait for room, longest first. Some of them each time: every end of a delivery comes here.
    fn feed_hungry(&mut self, actions: &mut Vec<Action>) {
        for _ in 0..self.hungry.len().min(8) {
            let Some(id) = self.hungry.pop_front() else { return };
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.hungry = false;
                actions.append(&mut self.go(&id));
            }
        }
    }
}
