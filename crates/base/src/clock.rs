//! Time, handed in. [`Clock::system`] is the product's; [`Clock::manual`] is a test's, and moves only when it is told to.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

/// A source of time. Cheap to clone; all clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { start: Instant },
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock that stands at `start` until [`ManualClock::advance`] moves it.
    pub fn manual(start: Timestamp) -> (Self, Arc<ManualClock>) {
        let manual = Arc::new(ManualClock { start, passed: watch::Sender::new(Duration::ZERO), order: Mutex::new(()) });
        (Self(Source::Manual(Arc::clone(&manual))), manual)
    }

    /// The time of day. May jump when the machine's clock is set; never use it to measure how long something took.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => Timestamp::try_from(std::time::SystemTime::now())
                .expect("the system clock is within the years 1 to 9999"),
            Source::Manual(manual) => manual.start + *manual.passed.borrow(),
        }
    }

    /// Milliseconds since the Unix epoch: what AWS's wire formats and our records carry.
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// Time passed since this clock was made. Never goes back; the difference of two readings is a duration.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(manual) => *manual.passed.borrow(),
        }
    }

    /// Returns once [`Clock::elapsed`] has grown by `duration`. Safe to drop.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System { .. } => tokio::time::sleep(duration).await,
            Source::Manual(manual) => {
                let mut passed = manual.passed.subscribe();
                let until = *passed.borrow() + duration;
                // An error means that the clock is gone, and then nobody can move it any more.
                if passed.wait_for(|now| *now >= until).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// The handle that moves a manual clock.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    passed: watch::Sender<Duration>,
    order: Mutex<()>,
}

impl ManualClock {
    /// Moves the clock forward and wakes whoever sleeps on it.
    pub fn advance(&self, by: Duration) {
        let _one_at_a_time = self.order.lock().expect("nothing panics while it holds this lock");
        self.passed.send_modify(|passed| *passed += by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manual_clock_moves_only_when_told() {
        let (clock, hand) = Clock::manual(Timestamp::from_second(1_000).expect("in range"));
        assert_eq!(clock.now_ms(), 1_000_000);
        let sleeper = clock.clone();
        let mut sleep = std::pin::pin!(sleeper.sleep(Duration::from_secs(86_400)));
        assert!(futures_poll(&mut sleep).await.is_none());
        hand.advance(Duration::from_secs(86_399));
        assert!(futures_poll(&mut sleep).await.is_none());
        hand.advance(Duration::from_secs(1));
        sleep.await;
        assert_eq!(clock.now_ms(), 87_400_000);
    }

    /// Polls once: `Some` if it was ready.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
