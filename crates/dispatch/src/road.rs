//! The road itself: the order in which every call is checked, run and accounted for.

use std::any::TypeId;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use contract::{Arn, Call, Cause, Effect, Fault, Operation, OperationId, Origin};
use futures_util::FutureExt;
use policy::Context;
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::Instrument;
use wire::Shape;
use wire::fault::{malformed, violated};

use crate::admission::{Admission, Limits};
use crate::audit::{self, Ended};
use crate::authority::{self, Attachments, Authority, Question};
use crate::metrics::{Metrics, Outcome, Shown};
use crate::registry::{Entry, Errand, Known};

/// The way in for every call. Cheap to clone.
#[derive(Clone, Default)]
pub struct Dispatch(Arc<OnceLock<Arc<Inner>>>);

/// What the road is built from.
#[derive(Clone)]
pub struct Parts {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// The node's tasks: shutdown waits for calls that change something.
    pub tasks: Tasks,
    /// Where calls are counted.
    pub metrics: Metrics,
    /// Who knows what identities may do.
    pub authority: Arc<dyn Authority>,
    /// How much runs at once.
    pub limits: Limits,
}

impl Dispatch {
    /// Calls an operation by its type. Input that breaks the model's constraints is refused, as if it had come through the door.
    pub async fn call<Op>(&self, call: &Call, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Op: Operation,
        Op::Input: Shape,
    {
        let inner = self.inner()?;
        let entry = inner.types.get(&TypeId::of::<Op>()).ok_or_else(|| unserved(Op::ID))?;
        let service = service_of(Op::ID)?;
        let input = wire::check(&input).map(|()| input).map_err(|why| violated(service, &why));
        let errand = input.map(|input| entry.handler.take(Box::new(input)));
        let output = inner.travel(entry, call, errand).await?.output_typed();
        Ok(*output.downcast().expect("a handler answers with its operation's output"))
    }

    /// Calls an operation with a JSON document of AWS's member names (blobs in base64); answers one.
    pub async fn call_document(&self, id: OperationId, call: &Call, input: Value) -> Result<Value, Fault> {
        let service = service_of(id)?;
        let mut input = Some(input);
        let fill = |shape: &mut dyn Shape| {
            let document = input.take().unwrap_or_default();
            let missing = wire::document::read_into(shape, document).map_err(|why| malformed(service, &why))?;
            wire::check::check_read(shape, &missing).map_err(|why| violated(service, &why))
        };
        let output = self.call_wire(id, call, fill).await?;
        Ok(wire::document::write(&*output))
    }

    /// Calls an operation whose input `fill` reads from somewhere, a request's body for instance. Input that cannot be read
    /// is counted and audited as a call too.
    pub async fn call_wire(
        &self,
        id: OperationId,
        call: &Call,
        mut fill: impl FnMut(&mut dyn Shape) -> Result<(), Fault> + Send,
    ) -> Result<Box<dyn Shape>, Fault> {
        let inner = self.inner()?;
        let entry = inner.entries.get(&id).ok_or_else(|| unserved(id))?;
        // Read before the future is made, so that it borrows nothing of the request.
        let errand = entry.handler.read(&mut fill);
        Ok(inner.travel(entry, call, errand).await?.output())
    }

    /// Whether the call may do all of `actions` to `resource`: for what does not come as an operation, such as a request to a
    /// function's URL. `service` says whose resource it is, `context` adds condition keys. Nothing else of the road is done.
    pub async fn authorise(
        &self,
        service: &str,
        call: &Call,
        actions: &[&str],
        resource: &Arn,
        context: Context<'_>,
    ) -> Result<(), Fault> {
        self.decide(service, Question { call, actions, resource, input: None, context }).await
    }

    /// The same for one of several resources that an operation touches: `input` is what it is given, for the service to tell its own
    /// condition keys of it.
    pub async fn authorise_part(
        &self,
        service: &str,
        call: &Call,
        actions: &[&str],
        resource: &Arn,
        input: &dyn Shape,
    ) -> Result<(), Fault> {
        let question = Question { call, actions, resource, input: Some(input), context: Context::new() };
        self.decide(service, question).await
    }

    async fn decide(&self, service: &str, question: Question<'_>) -> Result<(), Fault> {
        let inner = self.inner()?;
        let Parts { authority, clock, .. } = &inner.parts;
        authority::authorise(&**authority, inner.attachments.get(service), clock, question).await
    }

    /// The way in for what itself is reached by it.
    pub fn within(&self) -> Within {
        Within(Arc::downgrade(&self.0))
    }

    /// What is known of an operation that is named at run time; a fault that says whether anybody could know it.
    pub fn find(&self, service: &str, name: &str) -> Result<Known, Fault> {
        let inner = self.inner()?;
        let found = inner.entries.values().find(|entry| entry.id.service == service && entry.id.name == name);
        match found {
            Some(entry) => Ok(Known { id: entry.id, effect: entry.effect }),
            None if wire::service(service).is_some_and(|known| known.operation(name).is_some()) => {
                Err(Fault::unserved(service, name))
            }
            None => {
                let message = format!("There is no operation {name} of a service {service}.");
                Err(Fault::new(Cause::NotFound, "UnknownOperationException", message))
            }
        }
    }

    /// What is known of an operation; nothing if it is not served.
    pub fn known(&self, id: OperationId) -> Option<Known> {
        let entry = self.0.get()?.entries.get(&id)?;
        Some(Known { id: entry.id, effect: entry.effect })
    }

    /// Everything that is served, in order of name.
    pub fn operations(&self) -> Vec<Known> {
        let entries = self.0.get().map(|inner| inner.entries.values()).into_iter().flatten();
        let mut all: Vec<Known> = entries.map(|entry| Known { id: entry.id, effect: entry.effect }).collect();
        all.sort_unstable_by_key(|known| known.id);
        all
    }

    /// The node's metrics.
    pub fn metrics(&self) -> Option<Metrics> {
        self.0.get().map(|inner| inner.parts.metrics.clone())
    }

    pub(crate) fn open(&self, inner: Inner) {
        assert!(self.0.set(Arc::new(inner)).is_ok(), "a registry is opened once, for it is consumed");
    }

    fn inner(&self) -> Result<&Arc<Inner>, Fault> {
        self.0.get().ok_or_else(|| {
            Fault::new(Cause::Unavailable, "ServiceUnavailable", "The node is starting. Try again in a moment.")
        })
    }
}

impl contract::Caller for Dispatch {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Value,
    ) -> contract::BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(self.call_document(operation, call, input))
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        Self::find(self, service, name).map(|known| known.id)
    }
}

/// The way in for what the road itself leads to, services and what carries for them: it keeps none of them alive, so that a node that
/// was shut down is gone.
#[derive(Clone)]
pub struct Within(Weak<OnceLock<Arc<Inner>>>);

impl Within {
    fn dispatch(&self) -> Result<Dispatch, Fault> {
        let gone =
            || Fault::new(Cause::Unavailable, "ServiceUnavailable", "The node is stopping. Try again in a moment.");
        self.0.upgrade().map(Dispatch).ok_or_else(gone)
    }

    /// [`Dispatch::call`], for services that need of another one what documents do not carry, such as a body that streams.
    pub async fn call_typed<Op>(&self, call: &Call, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Op: Operation,
        Op::Input: Shape,
    {
        self.dispatch()?.call::<Op>(call, input).await
    }

    /// [`Dispatch::authorise`], for services whose operations touch more than one resource.
    pub async fn authorise(
        &self,
        service: &str,
        call: &Call,
        actions: &[&str],
        resource: &Arn,
        context: Context<'_>,
    ) -> Result<(), Fault> {
        self.dispatch()?.authorise(service, call, actions, resource, context).await
    }

    /// [`Dispatch::authorise_part`], for services whose operations touch more than one resource and tell of what is done to each.
    pub async fn authorise_part(
        &self,
        service: &str,
        call: &Call,
        actions: &[&str],
        resource: &Arn,
        input: &dyn Shape,
    ) -> Result<(), Fault> {
        self.dispatch()?.authorise_part(service, call, actions, resource, input).await
    }
}

impl std::fmt::Debug for Within {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Within").finish_non_exhaustive()
    }
}

impl contract::Caller for Within {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Value,
    ) -> contract::BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async move { self.dispatch()?.call_document(operation, call, input).await })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        self.dispatch()?.find(service, name).map(|known| known.id)
    }
}

fn service_of(id: OperationId) -> Result<&'static wire::Service, Fault> {
    wire::service(id.service).ok_or_else(|| unserved(id))
}

fn unserved(id: OperationId) -> Fault {
    Fault::unserved(id.service, id.name)
}

pub(crate) struct Inner {
    parts: Parts,
    admission: Admission,
    entries: HashMap<OperationId, Arc<Entry>>,
    types: HashMap<TypeId, Arc<Entry>>,
    attachments: HashMap<&'static str, Arc<dyn Attachments>>,
}

impl Inner {
    pub(crate) fn new(
        parts: Parts,
        entries: HashMap<OperationId, Arc<Entry>>,
        types: HashMap<TypeId, Arc<Entry>>,
        attachments: HashMap<&'static str, Arc<dyn Attachments>>,
    ) -> Self {
        let admission = Admission::new(parts.limits);
        let running = Shown(admission.running());
        parts.metrics.register(|registry| registry.register("calls_running", "Calls that run now", running));
        Self { parts, admission, entries, types, attachments }
    }

    /// Takes a call from its caller to its end: where the caller waits for a read, in a task of its own otherwise. Gives back the
    /// errand, which has its output by then.
    async fn travel(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        call: &Call,
        errand: Result<Box<dyn Errand>, Fault>,
    ) -> Result<Box<dyn Errand>, Fault> {
        let left = call.deadline.saturating_sub(self.parts.clock.elapsed());
        // What was refused already changes nothing, so nothing has to outlive the caller.
        if entry.effect == Effect::Read || errand.is_err() {
            return self.walk(entry, call, errand, left).await;
        }
        let (tell, told) = oneshot::channel();
        let (inner, entry_there, call_there) = (Arc::clone(self), Arc::clone(entry), call.clone());
        self.parts.tasks.spawn(Kind::Work, "call", async move {
            let ended = inner.walk(&entry_there, &call_there, errand, Duration::MAX).await;
            // Nobody listens any more where the caller hung up.
            tell.send(ended).ok();
        });
        tokio::select! {
            biased;
            ended = told => ended.unwrap_or_else(|_| Err(Fault::internal())),
            () = self.parts.clock.sleep(left) => Err(timed_out(entry)),
        }
    }

    /// Every step in order, and the account of it. Dropped, it accounts for an abandoned call.
    async fn walk(
        &self,
        entry: &Entry,
        call: &Call,
        errand: Result<Box<dyn Errand>, Fault>,
        left: Duration,
    ) -> Result<Box<dyn Errand>, Fault> {
        let span = tracing::info_span!(
            "call",
            service = entry.id.service,
            operation = entry.id.name,
            request = %call.id,
            trace = %call.trace,
        );
        let started = self.parts.clock.elapsed();
        let mut journey = Journey { inner: self, entry, call, resource: None, started, ended: false };
        let steps = async {
            if call.hops > Call::HOPS_MAX {
                return Err(looping(call));
            }
            let mut errand = errand?;
            let resource = &*journey.resource.insert(errand.resource(call));
            let has_a_say = entry.attachments.is_some() || !authority::is_owner(&call.principal);
            if has_a_say && !entry.always_allowed {
                let (actions, input) = (&[&*entry.action], Some(errand.input()));
                let question = Question { call, actions, resource, input, context: Context::new() };
                let Parts { authority, clock, .. } = &self.parts;
                authority::authorise(&**authority, entry.attachments.as_ref(), clock, question).await?;
            }
            // From outside, whatever it says of how deep it is.
            let depth = if matches!(call.origin, Origin::Door { .. }) { 0 } else { call.hops };
            let _permit = self.admission.admit(depth)?;
            if call.deadline <= self.parts.clock.elapsed() {
                return Err(timed_out(entry));
            }
            errand.run(call).await?;
            Ok(errand)
        };
        let steps = AssertUnwindSafe(steps.instrument(span)).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = steps => ended.unwrap_or_else(|_panic| {
                tracing::error!(request = %call.id, operation = %entry.id, "a handler panicked; this is a bug");
                Err(Fault::internal())
            }),
            () = self.wait(left) => Err(timed_out(entry)),
        };
        journey.end(ended.as_ref().err());
        ended
    }

    async fn wait(&self, left: Duration) {
        match left {
            Duration::MAX => std::future::pending().await,
            left => self.parts.clock.sleep(left).await,
        }
    }
}

/// Accounts for a call, however it ends.
struct Journey<'a> {
    inner: &'a Inner,
    entry: &'a Entry,
    call: &'a Call,
    resource: Option<Arn>,
    started: Duration,
    ended: bool,
}

impl Journey<'_> {
    fn end(mut self, fault: Option<&Fault>) {
        self.ended = true;
        self.account(fault.map_or(Outcome::Ok, Outcome::from), fault);
    }

    fn account(&self, outcome: Outcome, fault: Option<&Fault>) {
        let took = self.inner.parts.clock.elapsed().saturating_sub(self.started);
        self.entry.metrics.count(outcome, took);
        let (operation, call, resource) = (self.entry.id, self.call, self.resource.as_ref());
        audit::write(&Ended { operation, call, resource, outcome, fault, took });
    }
}

impl Drop for Journey<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.account(Outcome::Abandoned, None);
        }
    }
}

fn looping(call: &Call) -> Fault {
    Fault::new(
        Cause::Invalid,
        "RecursiveInvocationException",
        format!(
            "This call was caused by {} calls inside the node, each by the one before; the limit is {}. It looks like a loop, \
             such as a function that writes to what it is triggered by.",
            call.hops,
            Call::HOPS_MAX
        ),
    )
}

fn timed_out(entry: &Entry) -> Fault {
    let message = match entry.effect {
        Effect::Read => format!("The time allowed for {} is over.", entry.id),
        Effect::Write | Effect::Run => {
            format!("The time allowed for {} is over; it goes on, and may still have its effect.", entry.id)
        }
    };
    Fault::new(Cause::TimedOut, "RequestTimeoutException", message)
}

#[cfg(test)]
#[path = "road/tests.rs"]
mod tests;
