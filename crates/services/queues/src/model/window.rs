//! The part of a queue that is held in memory: which message may be received next, and when the others may.
//!
//! It holds every message that was received and is still there, every delayed one that was come by, and some that are next; never
//! the whole backlog. A queue without order gives what has been visible longest. One with order gives the messages of a group
//! in order, and nothing of a group of which something is in flight.
//!
//! What always holds: a message is in `ready` (or its group's head is) exactly when it may be received, and in `due` exactly when
//! a time will change that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::Message;

/// What is known of a message in the window.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// When it was sent.
    pub sent_ms: u64,
    /// In how many parts its content lies beside it.
    pub parts: u16,
    /// Its group, in a queue that keeps order.
    pub group: Option<Arc<str>>,
    /// How often it was received.
    pub receives: u32,
    /// When first.
    pub first_ms: u64,
    /// When last.
    pub last_ms: u64,
    /// Whether it may be received.
    pub state: State,
    /// Itself, as long as it is worth its room.
    pub message: Option<Arc<Message>>,
}

/// Whether a message may be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may, since then.
    Waiting {
        /// Since when.
        since_ms: u64,
    },
    /// Not yet.
    Delayed {
        /// From when on.
        until_ms: u64,
    },
    /// Somebody has it.
    Hidden {
        /// Until when.
        until_ms: u64,
    },
    /// It is on its way to another queue.
    Moving,
}

/// How many messages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That may be received, or are only waiting for others of their group.
    pub waiting: usize,
    /// In flight.
    pub hidden: usize,
    /// Delayed.
    pub delayed: usize,
}

/// The messages in memory.
#[derive(Debug)]
pub struct Window {
    entries: BTreeMap<u64, Entry>,
    ready: Ready,
    due: BTreeSet<(u64, u64)>,
    counts: Counts,
}

#[derive(Debug)]
enum Ready {
    /// By the time since when, and number.
    Any(BTreeSet<(u64, u64)>),
    /// The first messages of groups of which nothing is in flight.
    Groups { heads: BTreeSet<u64>, groups: HashMap<Arc<str>, Group> },
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeSet<u64>,
    /// How many are in flight or moving.
    shut: usize,
}

impl Window {
    /// An empty window.
    pub fn new(fifo: bool) -> Self {
        let ready = match fifo {
            true => Ready::Groups { heads: BTreeSet::new(), groups: HashMap::new() },
            false => Ready::Any(BTreeSet::new()),
        };
        Self { entries: BTreeMap::new(), ready, due: BTreeSet::new(), counts: Counts::default() }
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many are in which state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many messages it holds from that number on.
    pub fn count_from(&self, number: u64) -> usize {
        self.entries.range(number..).count()
    }

    /// The messages that nobody has had yet, and nothing is being done with.
    pub fn never_received(&self) -> Vec<u64> {
        let is_new = |entry: &Entry| entry.receives == 0 && entry.state != State::Moving;
        self.entries.iter().filter(|(_, entry)| is_new(entry)).map(|(number, _)| *number).collect()
    }

    /// The message of that number.
    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.get(&number)
    }

    /// The oldest.
    pub fn first(&self) -> Option<(u64, &Entry)> {
        self.entries.first_key_value().map(|(number, entry)| (*number, entry))
    }

    /// Adds a message.
    pub fn insert(&mut self, number: u64, entry: Entry) {
        self.remove(number);
        if let (Ready::Groups { groups, .. }, Some(group)) = (&mut self.ready, &entry.group) {
            groups.entry(Arc::clone(group)).or_default().members.insert(number);
        }
        let state = entry.state;
        self.entries.insert(number, entry);
        self.enter(number, state);
        self.settle_group(number);
    }

    /// Takes a message out.
    pub fn remove(&mut self, number: u64) -> Option<Entry> {
        let state = self.entries.get(&number)?.state;
        self.leave(number, state);
        let entry = self.entries.remove(&number)?;
        if let (Ready::Groups { heads, groups }, Some(name)) = (&mut self.ready, &entry.group) {
            heads.remove(&number);
            if let Some(group) = groups.get_mut(name) {
                group.members.remove(&number);
                match group.members.first() {
                    None => {
                        groups.remove(name);
                    }
                    Some(next) => {
                        let next = *next;
                        self.settle_group(next);
                    }
                }
            }
        }
        Some(entry)
    }

    /// Changes what is known of a message, its state included.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let before = entry.state;
        change(entry);
        let after = entry.state;
        if before != after {
            self.leave(number, before);
            self.enter(number, after);
            self.settle_group(number);
        }
    }

    /// Up to `most` messages that may be received together, in order. They stay until their state is changed.
    pub fn pick(&self, most: usize) -> Vec<u64> {
        match &self.ready {
            Ready::Any(ready) => ready.iter().take(most).map(|(_, number)| *number).collect(),
            Ready::Groups { heads, groups } => {
                let mut picked = Vec::new();
                for head in heads {
                    let group = self.entries[head].group.as_ref().and_then(|name| groups.get(name));
                    let members = group.into_iter().flat_map(|group| group.members.iter());
                    let free = members.take_while(|number| matches!(self.entries[number].state, State::Waiting { .. }));
                    picked.extend(free.take(most - picked.len()).copied());
                    if picked.len() >= most {
                        break;
                    }
                }
                picked
            }
        }
    }

    /// Whether there is something to receive.
    pub fn has_ready(&self) -> bool {
        match &self.ready {
            Ready::Any(ready) => !ready.is_empty(),
            Ready::Groups { heads, .. } => !heads.is_empty(),
        }
    }

    /// When the next message may be received whose time is still to come.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Lets everything be received whose time has come.
    pub fn wake(&mut self, now_ms: u64) {
        while let Some((at, number)) = self.due.first().copied().filter(|(at, _)| *at <= now_ms) {
            self.change(number, |entry| entry.state = State::Waiting { since_ms: at });
        }
    }

    fn enter(&mut self, number: u64, state: State) {
        match state {
            State::Waiting { since_ms } => {
                self.counts.waiting += 1;
                if let Ready::Any(ready) = &mut self.ready {
                    ready.insert((since_ms, number));
                }
            }
            State::Delayed { until_ms } => {
                self.counts.delayed += 1;
                self.due.insert((until_ms, number));
            }
            State::Hidden { until_ms } => {
                self.counts.hidden += 1;
                self.due.insert((until_ms, number));
                self.shut(number, true);
            }
            State::Moving => self.shut(number, true),
        }
    }

    fn leave(&mut self, number: u64, state: State) {
        match state {
            State::Waiting { since_ms } => {
                self.counts.waiting -= 1;
                if let Ready::Any(ready) = &mut self.ready {
                    ready.remove(&(since_ms, number));
                }
            }
            State::Delayed { until_ms } => {
                self.counts.delayed -= 1;
                self.due.remove(&(until_ms, number));
            }
            State::Hidden { until_ms } => {
                self.counts.hidden -= 1;
                self.due.remove(&(until_ms, number));
                self.shut(number, false);
            }
            State::Moving => self.shut(number, false),
        }
    }

    fn shut(&mut self, number: u64, more: bool) {
        let Ready::Groups { groups, .. } = &mut self.ready else { return };
        let name = self.entries.get(&number).and_then(|entry| entry.group.as_ref());
        if let Some(group) = name.and_then(|name| groups.get_mut(name)) {
            group.shut = if more { group.shut + 1 } else { group.shut.saturating_sub(1) };
        }
    }

    /// Sees to it that the head of the message's group, and no other of it, is among the heads, if it may be received.
    fn settle_group(&mut self, number: u64) {
        let Ready::Groups { heads, groups } = &mut self.ready else { return };
        heads.remove(&number);
        let name = self.entries.get(&number).and_then(|entry| entry.group.as_ref());
        let Some(group) = name.and_then(|name| groups.get(name)) else { return };
        let mut members = group.members.iter();
        let Some(head) = members.next() else { return };
        if let Some(second) = members.next() {
            heads.remove(second);
        }
        let is_waiting = matches!(self.entries[head].state, State::Waiting { .. });
        if group.shut == 0 && is_waiting {
            heads.insert(*head);
        } else {
            heads.remove(head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(group: Option<&str>, state: State) -> Entry {
        Entry {
            id: Uuid::nil(),
            sent_ms: 0,
            parts: 0,
            group: group.map(Arc::from),
            receives: 0,
            first_ms: 0,
            last_ms: 0,
            state,
            message: None,
        }
    }

    fn state(kind: u8, time: u64) -> State {
        match kind % 4 {
            0 => State::Waiting { since_ms: time },
            1 => State::Delayed { until_ms: time },
            2 => State::Hidden { until_ms: time },
            _ => State::Moving,
        }
    }

    /// What the window says, computed from the list of all messages.
    fn naive(all: &BTreeMap<u64, (u8, State)>, fifo: bool, most: usize) -> Vec<u64> {
        let waiting = |state: &State| matches!(state, State::Waiting { .. });
        if !fifo {
            let mut ready: Vec<(u64, u64)> = all
                .iter()
                .filter_map(|(number, (_, state))| match state {
                    State::Waiting { since_ms } => Some((*since_ms, *number)),
                    _ => None,
                })
                .collect();
            ready.sort_unstable();
            return ready.into_iter().take(most).map(|(_, number)| number).collect();
        }
        let mut groups: BTreeMap<u8, Vec<(u64, State)>> = BTreeMap::new();
        for (number, (group, state)) in all {
            groups.entry(*group).or_default().push((*number, *state));
        }
        let mut open: Vec<Vec<u64>> = groups
            .into_values()
            .filter(|group| !group.iter().any(|(_, state)| matches!(state, State::Hidden { .. } | State::Moving)))
            .map(|group| group.into_iter().take_while(|(_, state)| waiting(state)).map(|(number, _)| number).collect())
            .filter(|group: &Vec<u64>| !group.is_empty())
            .collect();
        open.sort_unstable();
        open.into_iter().flatten().take(most).collect()
    }

    proptest! {
        #[test]
        fn a_window_gives_what_a_list_would_give(
            fifo: bool,
            steps in proptest::collection::vec((0..4_u8, 0..24_u64, 0..4_u8, 0..4_u8, 0..50_u64), 1..120),
        ) {
            let (mut window, mut all) = (Window::new(fifo), BTreeMap::new());
            for (step, number, group, kind, time) in steps {
                let state = state(kind, time);
                match step {
                    0 => {
                        let name = fifo.then(|| group.to_string());
                        window.insert(number, entry(name.as_deref(), state));
                        all.insert(number, (group, state));
                    }
                    1 => {
                        prop_assert_eq!(window.remove(number).is_some(), all.remove(&number).is_some());
                    }
                    2 => {
                        window.change(number, |entry| entry.state = state);
                        all.entry(number).and_modify(|(_, held)| *held = state);
                    }
                    _ => {
                        window.wake(time);
                        for (_, held) in all.values_mut() {
                            match *held {
                                State::Delayed { until_ms } | State::Hidden { until_ms } if until_ms <= time => {
                                    *held = State::Waiting { since_ms: until_ms };
                                }
                                _ => {}
                            }
                        }
                    }
                }
                let most = usize::from(kind) + 1;
                prop_assert_eq!(window.pick(most), naive(&all, fifo, most));
                prop_assert_eq!(window.has_ready(), !naive(&all, fifo, 1).is_empty());
                let count = |wanted: fn(&State) -> bool| all.values().filter(|(_, state)| wanted(state)).count();
                let counts = Counts {
                    waiting: count(|state| matches!(state, State::Waiting { .. })),
                    hidden: count(|state| matches!(state, State::Hidden { .. })),
                    delayed: count(|state| matches!(state, State::Delayed { .. })),
                };
                prop_assert_eq!(window.counts(), counts);
            }
        }
    }
}
