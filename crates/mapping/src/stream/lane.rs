//! One lane of a shard: its records in order, cut into batches, one of them in hand.

use std::collections::VecDeque;

use serde_json::Value;

use crate::gathering::BATCH_BYTES_MAX;

use super::{Attempt, Discard, Ending, Reason, Record, Settings, Window, millis};

/// Records that are tried again together.
#[derive(Clone, Debug)]
struct Again {
    records: Vec<Record>,
    tries: u32,
}

/// A lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Failed ones, first in line.
    again: VecDeque<Again>,
    /// Those that were in no batch yet, and when each came.
    waiting: VecDeque<(Record, i64)>,
    window: Option<Window>,
    /// How long its state is as JSON.
    state_bytes: usize,
    /// How often the end of the window was handed over in vain.
    window_tries: u32,
    in_hand: bool,
}

/// What ended with an attempt.
pub(super) struct Ended {
    pub(super) done: Vec<Record>,
    pub(super) discard: Option<Discard>,
}

impl Lane {
    pub(super) fn new(window: Option<Window>) -> Self {
        let state_bytes = window.as_ref().map_or(0, |window| json_bytes(&window.state));
        Self { again: VecDeque::new(), waiting: VecDeque::new(), window, state_bytes, window_tries: 0, in_hand: false }
    }

    pub(super) fn push(&mut self, record: Record, now_ms: i64) {
        self.waiting.push_back((record, now_ms));
    }

    pub(super) fn window(&self) -> Option<Window> {
        self.window.clone()
    }

    pub(super) fn has_no_window(&self) -> bool {
        self.window.is_none()
    }

    /// Takes out what arrived before a time, as far as it stands first in line and is not in hand.
    pub(super) fn drop_older(&mut self, before_ms: i64) -> Option<Discard> {
        if self.in_hand {
            return None;
        }
        let (mut records, mut tries) = (Vec::new(), 0);
        while let Some(again) = self.again.front_mut() {
            let young = again.records.iter().position(|record| record.arrived_ms >= before_ms);
            records.extend(again.records.drain(..young.unwrap_or(again.records.len())));
            tries = tries.max(again.tries);
            if young.is_some() {
                break;
            }
            self.again.pop_front();
        }
        while self.again.is_empty() && self.waiting.front().is_some_and(|(record, _)| record.arrived_ms < before_ms) {
            records.extend(self.waiting.pop_front().map(|(record, _)| record));
        }
        (!records.is_empty()).then_some(Discard { records, tries, reason: Reason::Age })
    }

    /// The next attempt, if it is time for one.
    pub(super) fn next(&mut self, lane: usize, settings: &Settings, now_ms: i64) -> Option<Attempt> {
        if self.in_hand {
            return None;
        }
        let ends_early = self.state_bytes > Window::STATE_BYTES_MAX;
        let again = if ends_early { None } else { self.again.pop_front() };
        let attempt = match again {
            Some(Again { mut records, tries }) => {
                // The state may have grown since they were cut.
                let rest = records.split_off(self.fitting(records.iter()));
                if !rest.is_empty() {
                    self.again.push_front(Again { records: rest, tries });
                }
                self.attempt(lane, records, tries, settings)
            }
            None if ends_early || self.window_is_over(settings, now_ms) => Attempt {
                lane,
                records: Vec::new(),
                tries: self.window_tries,
                window: self.window.clone(),
                last_of_window: true,
                ended_early: ends_early,
            },
            None => {
                let count = self.ready(settings, now_ms)?;
                let records = self.waiting.drain(..count).map(|(record, _)| record).collect();
                self.attempt(lane, records, 0, settings)
            }
        };
        self.in_hand = true;
        Some(attempt)
    }

    fn attempt(&mut self, lane: usize, records: Vec<Record>, tries: u32, settings: &Settings) -> Attempt {
        if self.window.is_none() && settings.tumbling.is_some() {
            self.window = records.first().and_then(|first| window_of(first, settings));
        }
        Attempt { lane, records, tries, window: self.window.clone(), last_of_window: false, ended_early: false }
    }

    /// The open window has seen its last record: its time is over, or the next record is of a later one.
    fn window_is_over(&self, settings: &Settings, now_ms: i64) -> bool {
        let Some(window) = self.window.as_ref().filter(|_| settings.tumbling.is_some()) else { return false };
        match self.waiting.front() {
            Some((record, _)) => record.arrived_ms >= window.end_ms,
            None => now_ms >= window.end_ms,
        }
    }

    /// How many records are a batch now; none if it waits for more.
    fn ready(&self, settings: &Settings, now_ms: i64) -> Option<usize> {
        let (first, came_ms) = self.waiting.front()?;
        // A batch lies in one window.
        let end_ms = match &self.window {
            Some(window) => Some(window.end_ms),
            None => window_of(first, settings).map(|window| window.end_ms),
        };
        let most = self.waiting.len().min(settings.batch.max(1));
        let inside = |(record, _): &&(Record, i64)| end_ms.is_none_or(|end_ms| record.arrived_ms < end_ms);
        let count = self.fitting(self.waiting.iter().take(most).take_while(inside).map(|(record, _)| record));
        let full = count == settings.batch.max(1) || count < most;
        let waited = now_ms.saturating_sub(*came_ms) >= millis(settings.window);
        ((full || waited) && count > 0).then_some(count)
    }

    /// How many of these go into one event, with the state: one at least.
    fn fitting<'a>(&self, records: impl Iterator<Item = &'a Record>) -> usize {
        let (mut bytes, mut first) = (self.state_bytes, true);
        let fits = |record: &&Record| {
            bytes += record.bytes + 1;
            std::mem::take(&mut first) || bytes <= BATCH_BYTES_MAX
        };
        records.take_while(fits).count()
    }

    pub(super) fn due_ms(&self, settings: &Settings) -> Option<i64> {
        if self.in_hand {
            return None;
        }
        let batch = self.waiting.front().map(|(_, came_ms)| came_ms.saturating_add(millis(settings.window)));
        let window = self.window.as_ref().map(|window| window.end_ms);
        batch.into_iter().chain(window).min()
    }

    /// An attempt has ended.
    pub(super) fn end(&mut self, attempt: Attempt, ending: Ending, settings: &Settings) -> Ended {
        self.in_hand = false;
        let Attempt { records, tries, last_of_window, ended_early, .. } = attempt;
        match ending {
            Ending::Done { state } => {
                if last_of_window {
                    self.end_window(ended_early);
                } else {
                    self.set_state(state);
                }
                Ended { done: records, discard: None }
            }
            Ending::UpTo { sequence, state } => {
                if let Some(state) = state {
                    self.set_state(state);
                }
                let (done, left): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.sequence < sequence);
                // Something was done, so this is no retry of the same: the rest begins anew.
                let tries = if done.is_empty() { tries } else { 0 };
                let discard = self.retry(left, tries, settings);
                Ended { done, discard }
            }
            Ending::Failed if records.is_empty() => {
                // The window's end has no records to give up; it is tried as often as a batch, and then the window is forgotten.
                self.window_tries = tries.saturating_add(1);
                if settings.retries_max.is_some_and(|most| self.window_tries > most) {
                    self.end_window(ended_early);
                }
                Ended { done: Vec::new(), discard: None }
            }
            Ending::Failed => Ended { done: Vec::new(), discard: self.failed(records, tries, settings) },
        }
    }

    /// What the window has aggregated is handled, or given up. One that ended early goes on as if it had just begun.
    fn end_window(&mut self, early: bool) {
        self.window = self.window.take().filter(|_| early);
        self.set_state(empty_state());
        self.window_tries = 0;
    }

    fn set_state(&mut self, state: Value) {
        match &mut self.window {
            Some(window) => {
                self.state_bytes = json_bytes(&state);
                window.state = state;
            }
            None => self.state_bytes = 0,
        }
    }

    fn failed(&mut self, mut records: Vec<Record>, tries: u32, settings: &Settings) -> Option<Discard> {
        if records.is_empty() {
            return None;
        }
        if settings.bisects && records.len() > 1 {
            // Halves are no retries, as on AWS: they look for the record that is to blame.
            let second = records.split_off(records.len() / 2);
            self.again.push_front(Again { records: second, tries });
            self.again.push_front(Again { records, tries });
            return None;
        }
        self.retry(records, tries, settings)
    }

    /// The same records again, in one piece: the handler has said which of them is to blame, or they cannot be cut.
    fn retry(&mut self, records: Vec<Record>, tries: u32, settings: &Settings) -> Option<Discard> {
        if records.is_empty() {
            return None;
        }
        let tries = tries.saturating_add(1);
        if settings.retries_max.is_some_and(|most| tries > most) {
            return Some(Discard { records, tries, reason: Reason::Retries });
        }
        self.again.push_front(Again { records, tries });
        None
    }
}

/// The tumbling window that a record lies in.
fn window_of(record: &Record, settings: &Settings) -> Option<Window> {
    let length = settings.tumbling.map(millis).filter(|length| *length > 0)?;
    let start_ms = record.arrived_ms - record.arrived_ms.rem_euclid(length);
    Some(Window { start_ms, end_ms: start_ms + length, state: empty_state() })
}

fn empty_state() -> Value {
    Value::Object(serde_json::Map::new())
}

fn json_bytes(value: &Value) -> usize {
    value.to_string().len()
}
