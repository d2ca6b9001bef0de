//! The part of many events that one answer holds.
//!
//! A [`Collector`] is offered events in any order and keeps the first ones (or the last ones), as many as fit: so a
//! reader may go over overlapping chunks and never holds more than one page. What it dropped once it never takes again,
//! so a page is always a stretch without gaps.

use std::collections::BTreeMap;

use super::{Event, Position};

/// Which end of the events a page takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The earliest first.
    Forward,
    /// The latest first.
    Backward,
}

/// Keeps what fits.
#[derive(Debug)]
pub struct Collector {
    direction: Direction,
    limit: usize,
    bytes: u64,
    kept: BTreeMap<Position, Event>,
    /// The nearest event that did not fit.
    cut: Option<Position>,
}

/// A stretch of events, earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub events: Vec<Event>,
    /// Whether some did not fit.
    pub is_cut: bool,
}

impl Collector {
    /// A page holds this much, unless its first event alone is larger.
    pub const BYTES_MAX: u64 = 1_048_576;

    /// A page holds this many events.
    pub const EVENTS_MAX: usize = 10_000;

    /// At most `limit` events.
    pub fn new(direction: Direction, limit: usize) -> Self {
        let limit = limit.clamp(1, Self::EVENTS_MAX);
        Self { direction, limit, bytes: 0, kept: BTreeMap::new(), cut: None }
    }

    /// Whether an event there could still get into the page.
    pub fn wants(&self, position: &Position) -> bool {
        match (self.cut, self.direction) {
            (None, _) => true,
            (Some(cut), Direction::Forward) => *position < cut,
            (Some(cut), Direction::Backward) => *position > cut,
        }
    }

    /// Whether events from `time_ms` on (forward: or later; backward: or earlier) could still get into the page.
    pub fn wants_time(&self, time_ms: u64) -> bool {
        match (self.cut, self.direction) {
            (None, _) => true,
            (Some(cut), Direction::Forward) => time_ms <= cut.time_ms,
            (Some(cut), Direction::Backward) => time_ms >= cut.time_ms,
        }
    }

    /// Takes the event, if it fits, or if a farther one can make room.
    pub fn offer(&mut self, event: Event) {
        if !self.wants(&event.position) {
            return;
        }
        self.bytes += event.bytes();
        self.kept.insert(event.position, event);
        while self.kept.len() > 1 && (self.kept.len() > self.limit || self.bytes > Self::BYTES_MAX) {
            let farthest = match self.direction {
                Direction::Forward => self.kept.pop_last(),
                Direction::Backward => self.kept.pop_first(),
            };
            if let Some((position, event)) = farthest {
                self.bytes -= event.bytes();
                self.cut = Some(position);
            }
        }
    }

    /// Drops what lies at `time_ms` or later: a reader that stops early has not seen all of it.
    pub fn forget_from(&mut self, time_ms: u64) {
        let forgotten = self.kept.split_off(&Position::start_of(time_ms));
        self.bytes -= forgotten.values().map(Event::bytes).sum::<u64>();
    }

    /// The page.
    pub fn finish(self) -> Page {
        Page { events: self.kept.into_values().collect(), is_cut: self.cut.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamId;
    use proptest::prelude::*;

    fn event(time_ms: u64, index: u32, bytes: usize) -> Event {
        let position = Position { time_ms, batch: 1, stream: StreamId(1), index };
        Event { position, message: "x".repeat(bytes) }
    }

    proptest! {
        #[test]
        fn a_page_is_the_naive_one(times in prop::collection::vec((0u64..20, 1usize..400_000), 0..40), limit in 1usize..12, backward: bool) {
            let events: Vec<Event> = times.iter().zip(1..).map(|((time, bytes), index)| event(*time, index, *bytes)).collect();
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let mut collector = Collector::new(direction, limit);
            events.iter().for_each(|event| collector.offer(event.clone()));

            let mut sorted = events;
            sorted.sort_by_key(|event| event.position);
            if backward { sorted.reverse(); }
            let mut bytes = 0;
            let mut naive: Vec<Event> = sorted.iter().take(limit).take_while(|event| {
                let first = bytes == 0;
                bytes += event.bytes();
                first || bytes <= Collector::BYTES_MAX
            }).cloned().collect();
            let is_cut = naive.len() < sorted.len();
            if backward { naive.reverse(); }
            prop_assert_eq!(collector.finish(), Page { events: naive, is_cut });
        }
    }
}
