//! What was done since the start, by kind of source.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What happened to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Delivered,
    Retried,
    GivenUp,
}

/// How many deliveries of one kind of source had which fate since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// They are there.
    pub delivered: u64,
    /// Tries that failed and were, or will be, followed by another.
    pub retried: u64,
    /// Sent to a dead letter, kept as failed, or let go.
    pub given_up: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, KindCounts>>);

impl Counts {
    pub(crate) fn count(&self, kind: &str, event: Event) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = match counts.get_mut(kind) {
            Some(counts) => counts,
            None => counts.entry(kind.to_owned()).or_default(),
        };
        match event {
            Event::Delivered => counts.delivered += 1,
            Event::Retried => counts.retried += 1,
            Event::GivenUp => counts.given_up += 1,
        }
    }

    pub(crate) fn show(&self) -> BTreeMap<String, KindCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
