//! A guest as it runs: interrupted when others want a turn, measured, and ended when its time is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::time::Sleep;

use crate::meter::{Ending, Stopwatch};
use crate::ticker::Ticker;

/// Drives one guest. Dropping it ends the guest.
pub(crate) struct Supervised<T> {
    guest: BoxFuture<'static, T>,
    ticker: Arc<Ticker>,
    ending: Arc<Ending>,
    stopwatch: Stopwatch,
    deadline: Instant,
    /// Made when the guest waits for the first time: most never do.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// The guest's time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeUp;

impl<T> Supervised<T> {
    /// `time` counts from when `ending` began.
    pub(crate) fn new(guest: BoxFuture<'static, T>, ticker: Arc<Ticker>, ending: Arc<Ending>, time: Duration) -> Self {
        let deadline = deadline(ending.meter.started(), time);
        Self { guest, ticker, ending, stopwatch: Stopwatch::default(), deadline, alarm: None }
    }
}

impl<T> Future for Supervised<T> {
    type Output = Result<T, TimeUp>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lap = this.stopwatch.begin();
        let polled = {
            let _running = this.ticker.running();
            this.guest.as_mut().poll(cx)
        };
        let (cpu, now) = this.stopwatch.end(&lap);
        this.ending.meter.cpu(cpu);
        if let Poll::Ready(value) = polled {
            return Poll::Ready(Ok(value));
        }
        if now >= this.deadline {
            return Poll::Ready(Err(TimeUp));
        }
        let deadline = this.deadline;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        alarm.as_mut().poll(cx).map(|()| Err(TimeUp))
    }
}

/// A limit beyond what the clock can tell is none.
pub(crate) fn deadline(started: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    started + time.min(CENTURY)
}
