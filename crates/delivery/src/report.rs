//! What people and metrics are shown: the lanes, and what stands still in them.

use std::collections::BTreeMap;

use crate::counts::KindCounts;
use crate::engine::failed::Shown as Failed;
use crate::lanes::Shown as Waiting;
use crate::{Failure, LaneId};

/// A lane that has something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneState {
    /// Which.
    pub lane: LaneId,
    /// Deliveries that wait, for their turn or for their next try.
    pub waiting: u64,
    /// Deliveries that are being carried.
    pub in_flight: u64,
    /// Deliveries that were given up and are kept.
    pub failed: u64,
    /// What went wrong last.
    pub failure: Option<Failure>,
    /// When the next one is tried, in milliseconds since the epoch, where all wait for their time.
    pub next_ms: Option<i64>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Lanes, in order of name.
    pub lanes: Vec<LaneState>,
    /// By kind of source.
    pub counts: BTreeMap<String, KindCounts>,
    /// How many deliveries memory knows of.
    pub known: usize,
}

impl LaneState {
    pub(crate) fn gather(waiting: Vec<Waiting>, failed: Vec<Failed>) -> Vec<Self> {
        let mut lanes: BTreeMap<LaneId, Self> = BTreeMap::new();
        for Waiting { lane, waiting, out, failure, next_ms } in waiting {
            let state = Self::new(&lane);
            lanes.insert((*lane).clone(), Self { waiting, in_flight: out as u64, failure, next_ms, ..state });
        }
        for Failed { lane, failed, failure } in failed {
            let state = lanes.entry(lane.clone()).or_insert_with(|| Self::new(&lane));
            state.failed = failed;
            state.failure = state.failure.take().or(failure);
        }
        lanes.into_values().collect()
    }

    fn new(lane: &LaneId) -> Self {
        Self { lane: lane.clone(), waiting: 0, in_flight: 0, failed: 0, failure: None, next_ms: None }
    }
}
