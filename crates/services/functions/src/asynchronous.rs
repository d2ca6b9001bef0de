//! Asynchronous invocations: an event that was accepted is on disk, and its function runs until it succeeds or the event's patience is
//! over; then results and failures go to their destinations, in the transaction that ends it.
//!
//! What always holds: all attempts of an event have the request id that its caller was told; the settings that count are those of the
//! time of the attempt; a failure of the function is tried again after one and two minutes, while throttles and failures of the node
//! are tried again for as long as the event may live.

mod gate;
mod job;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{Call, Cause, Fault, Principal};
use delivery::{Carried, Carrier, Delivery, Ending, Failure, Farewell, GivenUp, LaneId, Order, Reason, Retry, Sender};
use futures_util::future::BoxFuture;

use crate::active::Active;
use crate::invoke::{Done, Event, LogEnd};
use crate::model::EventInvoke;
use crate::name::{Qualifier, Scope};
use crate::store::Refusal;
use crate::{Functions, faults};

pub(crate) use gate::Gate;
pub(crate) use job::Job;
use outcome::{Condition, Ended, Response};

/// The name of the carrier.
pub const CARRIER: &str = "invocation";

/// The largest event: AWS's 1 MB since October 2025.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// How many events of a function run at once, unless the function has fewer of its own.
const AT_ONCE: u16 = 256;

/// How long after the first failure of a function its event is tried again; one more of it for each further one.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The longest that an attempt may take: it waits for an instance, and runs fifteen minutes at most.
const ATTEMPT_MAX: Duration = Duration::from_secs(1200);

/// Carries events to functions.
pub struct Invocations(pub Arc<Functions>);

impl Functions {
    /// Sends back to the outbox the events that wait for their turn: the node is about to stop.
    pub fn hurry(&self) {
        self.gate.close();
    }

    /// Takes an event for later; it is on disk when this returns.
    pub(crate) async fn accept(
        &self,
        call: &Call,
        active: &Active,
        qualifier: Option<&Qualifier>,
        event: Event,
    ) -> Result<(), Fault> {
        if event.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(faults::too_large(format!(
                "Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
            )));
        }
        let job = Job {
            name: active.name.to_string(),
            qualifier: qualifier.map(Qualifier::to_string),
            request_id: call.id,
            client_context: event.client_context,
            payload: if event.payload.is_empty() { Bytes::from_static(b"{}") } else { event.payload },
        };
        let lane = LaneId::new("function", Order::Any { at_once: AT_ONCE }, &active.arn);
        let delivery = Delivery {
            // The function's settings decide, when the time has come.
            retry: Retry {
                retries_max: EventInvoke::RETRIES_MAX,
                age_max: Duration::from_secs(u64::from(EventInvoke::AGE_MAX_S)),
                wait_first: Duration::from_secs(1),
                wait_max: Duration::from_secs(300),
            },
            ..Delivery::new(Sender::of(call, self.now_ms()), lane, CARRIER, job.to_parcel())
        };
        let delivery = &delivery;
        let committed = self.store.transact(|tx| async move {
            delivery::put(&tx, delivery);
            Ok::<_, Refusal>(())
        });
        Ok(committed.await?)
    }
}

impl Carrier for Invocations {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            match Job::from_parcel(&carried.parcel) {
                Ok(job) => self.0.attempt_event(carried, job).await,
                Err(error) => Ending::Refused { why: Failure::new("MalformedDelivery", error.to_string()) },
            }
        })
    }

    /// An event that was throttled until it was too old.
    fn farewell(&self, carried: &Carried, given_up: &GivenUp) -> Farewell {
        let Ok(job) = Job::from_parcel(&carried.parcel) else { return Farewell::Keep };
        let Some(target) = self.0.event_target(carried, &job) else { return Farewell::Keep };
        let condition = match given_up.reason {
            Reason::Expired => Condition::EventAgeExceeded,
            Reason::Exhausted | Reason::Refused => Condition::RetriesExhausted,
        };
        let ended = Ended { job: &job, condition, count: given_up.tries, why: &given_up.why, response: None };
        self.0.part(carried, &target, &ended)
    }
}

/// What an event goes to, at this moment.
pub(crate) struct EventTarget {
    active: Arc<Active>,
    qualifier: Option<Qualifier>,
    config: EventInvoke,
}

impl Functions {
    fn event_target(&self, carried: &Carried, job: &Job) -> Option<EventTarget> {
        let scope = Scope { account: carried.sender.account, region: carried.sender.region.clone() };
        let active = self.table.get(&scope, &job.name)?;
        let qualifier = match &job.qualifier {
            None => None,
            Some(text) => Some(Qualifier::parse(text)?),
        };
        active.runner(qualifier.as_ref(), || 0)?;
        let config = active.event_invoke(qualifier.as_ref()).cloned().unwrap_or_default();
        Some(EventTarget { active, qualifier, config })
    }

    async fn attempt_event(&self, carried: &Carried, job: Job) -> Ending {
        let Some(target) = self.event_target(carried, &job) else {
            let message = format!("The function {} is not there any more.", job.name);
            return Ending::Refused { why: Failure::new("ResourceNotFoundException", message) };
        };
        // Waiting here for those of the same function costs neither a retry nor a pause.
        let _turn = match target.active.concurrency() {
            Some(limit) => match self.gate.enter(&target.active.arn, limit).await {
                Some(turn) => Some(turn),
                None => {
                    let why = Failure::new("ServiceException", "The node is stopping.");
                    return Ending::Later { why, after: Some(Duration::ZERO) };
                }
            },
            None => None,
        };
        if self.is_too_old(carried, &target.config) {
            let why = Failure::new("EventAgeExceeded", "The event is older than it may become.");
            let ended = Ended {
                job: &job,
                condition: Condition::EventAgeExceeded,
                count: carried.tries,
                why: &why,
                response: None,
            };
            let farewell = Some(self.part(carried, &target, &ended));
            return Ending::GiveUp { reason: Reason::Expired, why, farewell };
        }
        let function: Arc<str> = target.active.arn.as_str().into();
        let acting = Principal::Service { name: "lambda.amazonaws.com", source: Some(function) };
        let deadline = self.clock.elapsed() + ATTEMPT_MAX;
        let call = Call { id: job.request_id, ..carried.call(&self.random, acting, deadline) };
        let event =
            Event { payload: job.payload.clone(), client_context: job.client_context.clone(), log: LogEnd::Unwanted };
        match self.invoke(&call, &target.active, target.qualifier.as_ref(), event).await {
            Ok(done) => self.event_ended(carried, &job, &target, done),
            Err(fault) => Self::event_refused(&fault),
        }
    }

    fn is_too_old(&self, carried: &Carried, config: &EventInvoke) -> bool {
        let age_ms = self.now_ms().saturating_sub(carried.sender.since_ms);
        age_ms > i64::from(config.age_s()) * 1000
    }

    /// The function ran, and returned or failed.
    fn event_ended(&self, carried: &Carried, job: &Job, target: &EventTarget, done: Done) -> Ending {
        let count = carried.tries.saturating_add(1);
        let response = Response { payload: done.outcome.payload, error: done.outcome.error, version: done.version };
        let Some(error) = response.error else {
            let ended = Ended {
                job,
                condition: Condition::Success,
                count,
                why: &Failure::default(),
                response: Some(&response),
            };
            let then = self.destination(carried, target, target.config.on_success.as_deref(), &ended);
            return Ending::Delivered { then: then.into_iter().collect() };
        };
        let why = Failure::new(error.name(), outcome::message_of(&response.payload));
        if carried.retries < target.config.retries() {
            return Ending::Retry { why, after: Some(RETRY_AFTER * carried.retries.saturating_add(1)) };
        }
        let ended = Ended { job, condition: Condition::RetriesExhausted, count, why: &why, response: Some(&response) };
        let farewell = Some(self.part(carried, target, &ended));
        Ending::GiveUp { reason: Reason::Exhausted, why, farewell }
    }

    /// It did not run: throttled, or the node could not.
    fn event_refused(fault: &Fault) -> Ending {
        let why = Failure::new(fault.code.clone(), fault.message.clone());
        match fault.cause {
            Cause::Throttled | Cause::TimedOut | Cause::Unavailable | Cause::Internal => {
                Ending::Later { why, after: None }
            }
            Cause::Invalid
            | Cause::Unauthenticated
            | Cause::Denied
            | Cause::NotFound
            | Cause::Conflict
            | Cause::TooLarge
            | Cause::Unserved => Ending::Refused { why },
        }
    }

    /// What goes out of an event that is given up: to the dead-letter target, and to the destination. With neither it is kept, where
    /// AWS lets it go.
    fn part(&self, carried: &Carried, target: &EventTarget, ended: &Ended<'_>) -> Farewell {
        let letter = target.active.dead_letter(target.qualifier.as_ref());
        let letter = letter.map(|arn| ended.dead_letter(&self.route(carried, target, arn)));
        let destination = self.destination(carried, target, target.config.on_failure.as_deref(), ended);
        let then: Vec<Delivery> = letter.into_iter().chain(destination).collect();
        if then.is_empty() { Farewell::Keep } else { Farewell::Then(then) }
    }

    fn destination(
        &self,
        carried: &Carried,
        target: &EventTarget,
        arn: Option<&str>,
        ended: &Ended<'_>,
    ) -> Option<Delivery> {
        ended.destination(&self.route(carried, target, arn?))
    }

    fn route<'a>(&self, carried: &'a Carried, target: &EventTarget, to: &'a str) -> outcome::Route<'a> {
        let qualifier = target.qualifier.clone().unwrap_or(Qualifier::Latest);
        outcome::Route {
            to,
            function: format!("{}:{qualifier}", target.active.arn),
            role: target.active.role(target.qualifier.as_ref()),
            session: target.active.name.to_string(),
            sender: &carried.sender,
            now_ms: self.now_ms(),
        }
    }
}
