//! One delivery that is out: it is read, carried once, and what came of that is noted before anything else of its lane relies on it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use base::Backoff;
use futures_util::FutureExt;
use store::Error;

use super::Inner;
use crate::counts::Event;
use crate::lanes::{Fate, Time};
use crate::outbox::{Place, State, Stored, Tried};
use crate::{Carried, Delivery, Ending, Failure, Farewell, GivenUp, LaneId, Reason, Retry};

/// How long before the store is asked again that could not be read.
const UNREAD: Duration = Duration::from_secs(1);

/// How long before a delivery is looked at again whose carrier this program does not have: a newer one put it.
const UNKNOWN_CARRIER: Duration = Duration::from_secs(600);

/// What is to be noted.
enum Verdict {
    /// It ends here, and these follow.
    Done(Vec<Delivery>),
    /// It is tried again.
    Again(Tried),
    /// It is kept as failed.
    Failed(Tried),
}

impl Inner {
    pub(super) async fn carry(self: Arc<Self>, lane: Arc<LaneId>, place: Place, time: Time) {
        let fate = self.carry_once(&lane, place, time).await;
        let is_later = matches!(fate, Fate::Again { .. });
        let actions = self.lanes().ended(&lane, place, fate);
        self.perform(actions);
        if is_later {
            self.alarm.notify_one();
        }
    }

    async fn carry_once(&self, lane: &LaneId, place: Place, time: Time) -> Fate {
        let stored = match self.outbox.load(State::Waiting, lane, place).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Fate::Gone,
            Err(error @ (Error::Record { .. } | Error::Newer { .. })) => {
                // It stays where it is: a newer program may understand it.
                tracing::error!(%error, %lane, ?place, "a delivery cannot be read, and is left alone");
                return Fate::Gone;
            }
            Err(error) => {
                tracing::warn!(%error, %lane, "a delivery could not be read; trying again");
                return Fate::Again { due_ms: self.after(UNREAD), failure: None };
            }
        };
        if let Some(due_ms) = stored.due_ms
            && time == Time::Unknown
            && due_ms > self.clock.now_ms()
        {
            return Fate::Again { due_ms, failure: None };
        }
        let ending = match self.carriers.get(stored.carrier.as_str()) {
            Some(carrier) => {
                AssertUnwindSafe(carrier.carry(&stored.carried)).catch_unwind().await.unwrap_or_else(|_| {
                    tracing::error!(%lane, carrier = stored.carrier, "a carrier panicked; this is a bug");
                    Ending::Retry { why: Failure::new("InternalFailure", "The carrier panicked."), after: None }
                })
            }
            None => {
                let message = format!("This program has no carrier '{}'.", stored.carrier);
                Ending::Later { why: Failure::new("UnknownCarrier", message), after: Some(UNKNOWN_CARRIER) }
            }
        };
        let verdict = self.judge(&stored, ending);
        self.note(place, &stored, verdict).await
    }

    /// What an ending means, given what is left of the delivery's patience.
    fn judge(&self, stored: &Stored, ending: Ending) -> Verdict {
        let carried = &stored.carried;
        let tries = carried.tries.saturating_add(1);
        let (why, after, retries) = match ending {
            Ending::Delivered { then } => {
                self.counts.count(carried.lane.kind(), Event::Delivered);
                return Verdict::Done(then);
            }
            Ending::Refused { why } => return self.give_up(stored, Reason::Refused, why, None),
            Ending::GiveUp { reason, why, farewell } => return self.give_up(stored, reason, why, farewell),
            Ending::Retry { why, .. } if carried.retries >= carried.retry.retries_max => {
                return self.give_up(stored, Reason::Exhausted, why, None);
            }
            Ending::Retry { why, after } => (why, after, carried.retries.saturating_add(1)),
            Ending::Later { why, after } => (why, after, carried.retries),
        };
        let wait = after.unwrap_or_else(|| self.wait(&carried.retry, carried.tries));
        let due_ms = self.after(wait);
        // A try that would come too late is none.
        if carried.is_expired(due_ms) {
            return self.give_up(stored, Reason::Expired, why, None);
        }
        self.counts.count(carried.lane.kind(), Event::Retried);
        Verdict::Again(Tried { tries, retries, due_ms: Some(due_ms), failure: why })
    }

    fn give_up(&self, stored: &Stored, reason: Reason, why: Failure, farewell: Option<Farewell>) -> Verdict {
        let carried: &Carried = &stored.carried;
        let tries = carried.tries.saturating_add(1);
        self.counts.count(carried.lane.kind(), Event::GivenUp);
        let given_up = GivenUp { reason, why, tries, retries: carried.retries, now_ms: self.clock.now_ms() };
        tracing::warn!(
            lane = %carried.lane,
            ?reason,
            code = given_up.why.code,
            message = given_up.why.message,
            tries,
            "a delivery is given up"
        );
        let farewell = farewell.unwrap_or_else(|| match self.carriers.get(stored.carrier.as_str()) {
            Some(carrier) => carrier.farewell(carried, &given_up),
            None => Farewell::Keep,
        });
        let keep = || {
            let failure = given_up.why.clone();
            Verdict::Failed(Tried { tries, retries: carried.retries, due_ms: None, failure })
        };
        match (farewell, &carried.dead_letter) {
            (Farewell::Then(then), _) => Verdict::Done(then),
            (Farewell::DeadLetter, Some(letter)) => {
                Verdict::Done(vec![letter.sent(&stored.carrier, &carried.parcel, &carried.sender, &given_up)])
            }
            (Farewell::DeadLetter, None) | (Farewell::Keep, _) => keep(),
        }
    }

    /// Notes it in the store, however long that refuses: what was carried must not be forgotten while the node runs.
    async fn note(&self, place: Place, stored: &Stored, verdict: Verdict) -> Fate {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
        loop {
            let noted = match &verdict {
                Verdict::Done(then) => {
                    self.outbox.finish(State::Waiting, place, stored, then).await.map(|()| Fate::Gone)
                }
                Verdict::Again(tried) => {
                    let noted = self.outbox.postpone(place, stored, tried.clone()).await;
                    let due_ms = tried.due_ms.unwrap_or_default();
                    noted.map(|()| Fate::Again { due_ms, failure: Some(tried.failure.clone()) })
                }
                Verdict::Failed(tried) => self.keep_failed(place, stored, tried).await.map(|()| Fate::Gone),
            };
            match noted {
                Ok(fate) => return fate,
                // The node ends; the delivery is where it was.
                Err(Error::Closed | Error::Stopped) => return Fate::Gone,
                Err(error) => {
                    tracing::warn!(%error, lane = %stored.carried.lane, "what became of a delivery could not be noted; trying again");
                }
            }
            tokio::select! {
                () = self.clock.sleep(backoff.next(&self.random)) => {}
                () = self.halting.cancelled() => return Fate::Gone,
            }
        }
    }

    fn wait(&self, retry: &Retry, tries: u32) -> Duration {
        Backoff::new(retry.wait_first, retry.wait_max).resumed(tries).next(&self.random)
    }

    fn after(&self, wait: Duration) -> i64 {
        self.clock.now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    }
}
