//! What a function has done since the node started, over all its versions: for people who watch, and for the bill.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::invocation::Outcome;
use crate::pool::Arrivals;

/// Two of them are one doubling; the last one is everything beyond half an hour.
const BUCKETS: usize = 64;

/// Counted as calls come and end, without a lock; and what was learned of when they come, which one version leaves to the next.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Attempts that run or wait now.
    pub(crate) in_flight: AtomicU32,
    calls: AtomicU64,
    errors: AtomicU64,
    cold: AtomicU64,
    throttled: AtomicU64,
    billed_mb_ms: AtomicU64,
    durations: [AtomicU64; BUCKETS],
    /// When the version was called last that told this, by the node's clock.
    arrivals: Mutex<(Duration, Arrivals)>,
}

/// What a function has done, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts that run or wait now.
    pub in_flight: u32,
    /// Attempts that have ended.
    pub calls: u64,
    /// Those of them whose answer was an error.
    pub errors: u64,
    /// Those of them for which an instance was started.
    pub cold: u64,
    /// Calls that were refused because of a limit on concurrency.
    pub throttled: u64,
    /// What all of them took, as Lambda bills it: MB of memory times milliseconds.
    pub billed_mb_ms: u64,
    /// How many attempts took how long: the one at `i` counts those of 2^(i/2) microseconds or less, down to the one before it.
    pub durations: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            cold: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            billed_mb_ms: AtomicU64::new(0),
            durations: [const { AtomicU64::new(0) }; BUCKETS],
            arrivals: Mutex::default(),
        }
    }
}

impl Tally {
    /// An attempt has ended that could use so much memory.
    pub(crate) fn ended(&self, outcome: &Outcome, memory_mb: u32) {
        let report = &outcome.report;
        let billed_ms = u64::try_from(report.billed.as_millis()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.billed_mb_ms.fetch_add(billed_ms.saturating_mul(u64::from(memory_mb)), Ordering::Relaxed);
        self.durations[bucket(report.duration)].fetch_add(1, Ordering::Relaxed);
        if outcome.error.is_some() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        if report.cold {
            self.cold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call was refused.
    pub(crate) fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    /// What the version learned that was called last.
    pub(crate) fn arrivals(&self) -> Arrivals {
        self.arrivals.lock().expect("nothing panics while it holds this lock").1.clone()
    }

    /// A version that was called last at that time has learned this.
    pub(crate) fn remember(&self, called: Duration, arrivals: &Arrivals) {
        let mut known = self.arrivals.lock().expect("nothing panics while it holds this lock");
        if called >= known.0 {
            *known = (called, arrivals.clone());
        }
    }

    /// What it comes to now.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            cold: self.cold.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
            billed_mb_ms: self.billed_mb_ms.load(Ordering::Relaxed),
            durations: self.durations.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
        }
    }
}

/// The first whose edge is not below the duration, by integers alone: 2^(i/2) squared is 2^i.
fn bucket(duration: Duration) -> usize {
    let micros = duration.as_micros().max(1);
    let squared = micros.saturating_mul(micros);
    let ceiling = u128::BITS - (squared - 1).leading_zeros();
    (ceiling as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_where_they_belong() {
        for (micros, expected) in [
            (0, 0),
            (1, 0),
            (2, 2),
            (3, 4),
            (4, 4),
            (5, 5),
            (1_000, 20),
            (1_024, 20),
            (1_025, 21),
            (900_000_000, 60),
            (u64::MAX, BUCKETS - 1),
        ] {
            assert_eq!(bucket(Duration::from_micros(micros)), expected, "{micros} µs");
        }
    }
}
