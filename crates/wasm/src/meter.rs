//! What an attempt takes, and how it is told that it has ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base::ByteSize;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::guest;

/// From here on the kernel is asked how long a guest held a processor. Asking twice costs a microsecond, as much as many a guest takes
/// in all; and in less than this hardly anybody else gets the processor.
const PRECISE_FROM: Duration = Duration::from_millis(1);

/// What an attempt took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the call until the guest ended.
    pub wall: Duration,
    /// How long it held a processor, with what the host did for it meanwhile. Where an instance answers several requests at once, its
    /// time is shared out evenly among them.
    pub cpu: Duration,
    /// The most memory that its instance had.
    pub memory_peak: ByteSize,
    /// Bytes of the request's body that it took, or of a command's input.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were taken from it, or of a command's output.
    pub bytes_out: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What it took.
    pub usage: Usage,
    /// Why the guest ended before its time, if it did.
    pub failure: Option<Failure>,
}

/// An attempt that gave its answer and may still go on.
#[derive(Debug)]
pub struct Attempt(oneshot::Receiver<Ended>);

impl Attempt {
    /// Returns when the guest has ended and the answer's body is read to its end or dropped. Safe to drop.
    pub async fn ended(self) -> Ended {
        self.0.await.expect("an ending tells before it is gone")
    }
}

/// The counters of one attempt.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    /// In nanoseconds; zero while it runs.
    wall: AtomicU64,
    cpu: AtomicU64,
    memory_peak: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// Held by everything that belongs to an attempt: its guest, its bodies. When the last one lets go, the attempt has ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) meter: Meter,
    /// Set when the guest has ended.
    outcome: OnceLock<Option<Failure>>,
    /// Nobody will say when the guest has ended; that all is read is a good end.
    ends_well: AtomicBool,
    tell: Option<oneshot::Sender<Ended>>,
}

impl Ending {
    /// Begins now.
    pub(crate) fn begin() -> (Arc<Self>, Attempt) {
        let (tell, told) = oneshot::channel();
        let (outcome, ends_well) = (OnceLock::new(), AtomicBool::new(false));
        (Arc::new(Self { meter: Meter::new(), outcome, ends_well, tell: Some(tell) }), Attempt(told))
    }

    /// The guest has ended. What is said first counts.
    pub(crate) fn finish(&self, failure: Option<Failure>) {
        if self.outcome.set(failure).is_ok() {
            self.meter.stop();
        }
    }

    /// What fails from now on fails after the answer, and it ends when nobody holds it any more.
    pub(crate) fn answered(&self) {
        self.ends_well.store(true, Ordering::Relaxed);
    }

    /// Why the guest failed, if it has.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.outcome.get().and_then(Option::as_ref)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let usage = self.meter.usage();
        let unsaid = if *self.ends_well.get_mut() { None } else { Some(Failure::CutOff) };
        let failure = self.outcome.take().unwrap_or(unsaid);
        if let Some(tell) = self.tell.take() {
            // Nobody has to listen.
            let _ = tell.send(Ended { usage, failure });
        }
    }
}

impl Meter {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            wall: AtomicU64::new(0),
            cpu: AtomicU64::new(0),
            memory_peak: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn cpu(&self, more: Duration) {
        self.cpu.fetch_add(nanos(more), Ordering::Relaxed);
    }

    pub(crate) fn memory(&self, used: u64) {
        self.memory_peak.fetch_max(used, Ordering::Relaxed);
    }

    pub(crate) fn bytes_in(&self, more: usize) {
        self.bytes_in.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes_out(&self, more: usize) {
        self.bytes_out.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        let wall = match self.wall.load(Ordering::Relaxed) {
            0 => self.started.elapsed(),
            wall => Duration::from_nanos(wall),
        };
        Usage {
            wall,
            cpu: Duration::from_nanos(self.cpu.load(Ordering::Relaxed)),
            memory_peak: ByteSize(self.memory_peak.load(Ordering::Relaxed)),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    fn stop(&self) {
        self.wall.store(nanos(self.started.elapsed()).max(1), Ordering::Relaxed);
    }
}

/// Tells how long a guest held the processor, poll for poll.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    precise: bool,
}

/// A poll that goes on.
pub(crate) struct Lap {
    begun: Instant,
    on_cpu: Option<Duration>,
}

impl Stopwatch {
    pub(crate) fn begin(&self) -> Lap {
        let begun = Instant::now();
        guest::begin_turn(begun);
        Lap { begun, on_cpu: self.precise.then(thread_time) }
    }

    /// How long it was on the processor, and what time it is.
    pub(crate) fn end(&mut self, lap: &Lap) -> (Duration, Instant) {
        let now = Instant::now();
        let wall = now.saturating_duration_since(lap.begun);
        let cpu = lap.on_cpu.map_or(wall, |before| thread_time().saturating_sub(before));
        self.precise = wall >= PRECISE_FROM;
        (cpu, now)
    }
}

/// How long this thread was on a processor.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_ends_with_whoever_holds_it_longest() {
        let (ending, attempt) = Ending::begin();
        let body = Arc::clone(&ending);
        ending.meter.bytes_in(3);
        ending.finish(None);
        ending.finish(Some(Failure::NoAnswer));
        drop(ending);
        body.meter.bytes_out(5);
        drop(body);
        let ended = attempt.ended().await;
        assert_eq!((ended.usage.bytes_in, ended.usage.bytes_out), (3, 5));
        assert!(ended.failure.is_none(), "what is said first counts");
        assert!(ended.usage.wall > Duration::ZERO);
    }

    #[tokio::test]
    async fn a_guest_that_was_dropped_was_cut_off() {
        let (ending, attempt) = Ending::begin();
        drop(ending);
        assert!(matches!(attempt.ended().await.failure, Some(Failure::CutOff)));
    }

    #[test]
    fn long_polls_are_measured_by_the_kernel() {
        let mut watch = Stopwatch::default();
        let mut work = 0_u64;
        let mut compute = |least: Duration| {
            let lap = watch.begin();
            let until = Instant::now() + least;
            while Instant::now() < until {
                work = work.wrapping_mul(31).wrapping_add(1);
            }
            let precise = lap.on_cpu.is_some();
            (watch.end(&lap).0, precise)
        };
        let (first, precise) = compute(Duration::from_millis(3));
        assert!(first >= Duration::from_millis(3) && !precise);
        let (second, precise) = compute(Duration::from_millis(3));
        assert!(second > Duration::ZERO && precise);
    }
}
