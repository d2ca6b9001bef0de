//! How long a function's instances are worth keeping, learned from the gaps between its calls.
//!
//! After "Serverless in the Wild" (USENIX ATC 2020): a histogram of the gaps says when the next call is to be expected. Instances are
//! kept until nearly all gaps would be over; where even the shortest gaps are long, they end soon and one is started again shortly
//! before. A function that shows no pattern is kept for the usual time. Where the paper forecasts gaps that are too long for its
//! histogram, we let the function go: a start costs it milliseconds.

use std::time::Duration;

/// Shorter gaps belong to one burst.
const GAP_MIN: Duration = Duration::from_secs(1);
/// Two bins are one doubling: from a second to four hours and a half.
const BINS: usize = 28;
/// So few gaps say nothing.
const GAPS_MIN: u32 = 8;
/// With so many, all are halved, so that what was long ago counts less and less.
const GAPS_MAX: u32 = 256;
/// No instance ends sooner after a call.
const KEEP_MIN: Duration = Duration::from_secs(60);
/// What is expected may come so much sooner or later.
const MARGIN: f64 = 0.1;

/// The gaps between a function's calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    bins: [u32; BINS],
    /// Gaps beyond the last bin.
    longer: u32,
}

/// What to do in the time since the last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// Until then what is there stays.
    pub(super) leave: Duration,
    /// From then one should be there.
    pub(super) warm: Duration,
    /// Until then it stays.
    pub(super) keep: Duration,
}

impl Windows {
    /// Keep what is there for a time.
    fn keep(time: Duration) -> Self {
        Self { leave: time, warm: time, keep: time }
    }
}

impl Arrivals {
    /// A call came so long after the one before it.
    pub(super) fn gap(&mut self, gap: Duration) {
        if gap < GAP_MIN {
            return;
        }
        if self.count() >= GAPS_MAX {
            self.bins.iter_mut().chain([&mut self.longer]).for_each(|count| *count /= 2);
        }
        let bin = (gap.as_secs_f64().log2() * 2.0) as usize;
        *self.bins.get_mut(bin).unwrap_or(&mut self.longer) += 1;
    }

    /// What they advise; `usual` is how long instances stay where nothing is known.
    pub(super) fn windows(&self, usual: Duration) -> Windows {
        let count = self.count();
        if count < GAPS_MIN {
            return Windows::keep(usual);
        }
        if self.longer > count / 2 {
            return Windows::keep(KEEP_MIN.min(usual));
        }
        let first = self.edge(count / 20, 0).mul_f64(1.0 - MARGIN);
        let keep = self.edge(count - count / 100 - self.longer.min(count / 2), 1).mul_f64(1.0 + MARGIN).max(KEEP_MIN);
        if first > 2 * KEEP_MIN { Windows { leave: KEEP_MIN, warm: first, keep } } else { Windows::keep(keep) }
    }

    fn count(&self) -> u32 {
        self.bins.iter().sum::<u32>() + self.longer
    }

    /// The edge of the bin in which the gap of that rank lies: the lower one (`side` 0) or the upper one (1).
    fn edge(&self, rank: u32, side: usize) -> Duration {
        let mut seen = 0;
        let bin = self.bins.iter().position(|count| {
            seen += count;
            seen > 0 && seen >= rank
        });
        Duration::from_secs_f64(2f64.powf((bin.unwrap_or(BINS - 1) + side) as f64 / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(600);

    fn windows(gaps: &[(u64, u32)]) -> Windows {
        let mut arrivals = Arrivals::default();
        for (seconds, count) in gaps {
            (0..*count).for_each(|_| arrivals.gap(Duration::from_secs(*seconds)));
        }
        arrivals.windows(USUAL)
    }

    /// In seconds: until when what is there stays, from when one is started again, until when that stays.
    #[track_caller]
    fn check(gaps: &[(u64, u32)], leave: u64, warm: u64, keep: u64) {
        let windows = windows(gaps);
        let seconds = [windows.leave.as_secs(), windows.warm.as_secs(), windows.keep.as_secs()];
        assert_eq!(seconds, [leave, warm, keep], "{gaps:?}");
    }

    #[test]
    fn instances_stay_for_as_long_as_calls_are_expected() {
        check(&[], 600, 600, 600);
        // Too little is known.
        check(&[(5, 7)], 600, 600, 600);
        // A burst is no gap.
        check(&[(0, 100)], 600, 600, 600);
        // Every few seconds: a pause of a minute is new.
        check(&[(5, 100)], 60, 60, 60);
        // Every five minutes, now and then after half an hour.
        check(&[(5, 50), (300, 50), (1800, 5)], 2252, 2252, 2252);
        // One long night does not count.
        check(&[(300, 199), (12_000, 1)], 60, 230, 398);
        // Each hour: there shortly before, and gone soon after.
        check(&[(3600, 24)], 60, 2606, 4505);
        // Nobody knows when: mostly it is days.
        check(&[(100_000, 20), (30, 3)], 60, 60, 60);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut arrivals = Arrivals::default();
        (0..1_000).for_each(|_| arrivals.gap(Duration::from_secs(3_600)));
        let then = arrivals.windows(USUAL);
        (0..2_000).for_each(|_| arrivals.gap(Duration::from_secs(10)));
        let now = arrivals.windows(USUAL);
        assert!(then.keep > Duration::from_secs(3_600), "{then:?}");
        assert_eq!(now, Windows::keep(KEEP_MIN), "{now:?}");
        assert!(arrivals.count() <= GAPS_MAX);
    }
}
