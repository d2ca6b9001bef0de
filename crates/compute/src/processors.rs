//! How many of the machine's processors have nothing to do. Looked at while calls wait, and only then.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Over how long it is measured.
const SPAN: Duration = Duration::from_millis(100);
/// A measurement that is older says nothing.
const OLD: Duration = Duration::from_millis(500);
/// Nothing is known.
const UNKNOWN: u32 = u32::MAX;

/// See the file.
#[derive(Debug)]
pub(crate) struct Processors {
    cores: u32,
    /// In thousandths of a processor.
    idle: AtomicU32,
    last: Mutex<Option<Reading>>,
}

/// The machine's time so far, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    ticks: Ticks,
}

impl Processors {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Self { cores, idle: AtomicU32::new(UNKNOWN), last: Mutex::new(None) }
    }

    /// How many there are.
    pub(crate) fn cores(&self) -> u32 {
        self.cores
    }

    /// How many had nothing to do when last looked at.
    pub(crate) fn idle(&self) -> Option<f64> {
        let idle = self.idle.load(Ordering::Relaxed);
        (idle != UNKNOWN).then(|| f64::from(idle) / 1000.0)
    }

    /// Looks, if the last look is long enough ago.
    pub(crate) fn look(&self) {
        let mut last = self.last.lock().expect("nothing panics while it holds this lock");
        if last.is_some_and(|last| last.at.elapsed() < SPAN) {
            return;
        }
        // Not every system has it.
        let Some(ticks) = std::fs::read_to_string("/proc/stat").ok().and_then(|text| parse(&text)) else {
            return;
        };
        let before = last.replace(Reading { at: Instant::now(), ticks }).filter(|before| before.at.elapsed() < OLD);
        let share = before.and_then(|before| idle_share(before.ticks, ticks));
        let idle = share.map_or(UNKNOWN, |share| (share * f64::from(self.cores) * 1000.0) as u32);
        self.idle.store(idle, Ordering::Relaxed);
    }
}

fn idle_share(before: Ticks, now: Ticks) -> Option<f64> {
    let (idle, all) = (now.idle.saturating_sub(before.idle), now.all.saturating_sub(before.all));
    (all > 0).then(|| idle as f64 / all as f64)
}

/// The first line of `/proc/stat`: user, nice, system, idle, waiting for disks, interrupts…
fn parse(text: &str) -> Option<Ticks> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let numbers: Vec<u64> = fields.take(8).map_while(|field| field.parse().ok()).collect();
    let idle = numbers.get(3)? + numbers.get(4)?;
    Some(Ticks { idle, all: numbers.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts() {
        for (text, expected) in [
            ("cpu  10 1 20 300 5 0 2 1 0 0\ncpu0 1 2 3 4 5\n", Some(Ticks { idle: 305, all: 339 })),
            ("cpu  10 1 20 300 5\n", Some(Ticks { idle: 305, all: 336 })),
            ("cpu  10 1 20\n", None),
            ("intr 1\n", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_passed_between_two_looks_counts() {
        let before = Ticks { idle: 1000, all: 5000 };
        for (idle, all, expected) in [(0, 20, Some(0.0)), (5, 20, Some(0.25)), (20, 20, Some(1.0)), (0, 0, None)] {
            let now = Ticks { idle: before.idle + idle, all: before.all + all };
            assert_eq!(idle_share(before, now), expected, "{idle} of {all}");
        }
    }
}
