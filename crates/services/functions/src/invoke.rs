//! Invoking: from a table entry to the function's answer, without touching the store.

use std::sync::Arc;

use ::compute::{Answer, Conversation, Invocation, LogWish, Outcome, Reply, RunFault, Throttle, Unanswered};
use bytes::Bytes;
use contract::{Call, Cause, Fault};

use crate::active::{Active, Runner, Target};
use crate::model::Recursion;
use crate::name::Qualifier;
use crate::{Functions, faults};

/// The largest event.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 << 20;

/// What a caller hands to a function.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// JSON; empty is `{}`.
    pub payload: Bytes,
    /// The client context as JSON text.
    pub client_context: Option<String>,
    /// Whether the end of the log is wanted.
    pub log: LogEnd,
}

/// Whether the end of an invocation's log is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogEnd {
    /// No.
    #[default]
    Unwanted,
    /// The last 4 KB.
    Wanted,
}

/// What came of an invocation, and which version it was.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) version: String,
}

impl Functions {
    /// Invokes what an address or a name led to; for the gateway. The event must be JSON: it is not looked at.
    ///
    /// Dropping the future does not stop an invocation that an instance has taken.
    ///
    /// Whoever called an address learns nothing of a function's error, so whoever runs the node is told of it ([`tell_failure`]).
    pub async fn invoke_target(&self, call: &Call, target: &Target, event: Event) -> Result<Outcome, Fault> {
        let outcome = self.invoke(call, &target.active, target.qualifier.as_ref(), event).await?.outcome;
        if outcome.error.is_some() {
            tell_failure(target.active.name.as_str(), &outcome.payload);
        }
        Ok(outcome)
    }

    /// Hands a request through to a function that is a web server ([`Target::is_server`]), and its answer back as it comes; for the
    /// gateway. None if the function failed before it answered.
    ///
    /// Dropping the future does not stop an invocation that an instance has taken.
    pub async fn converse_target(
        &self,
        call: &Call,
        target: &Target,
        conversation: Conversation,
        reply: &mut Reply,
    ) -> Result<Option<Answer>, Fault> {
        let qualifier = target.qualifier.as_ref();
        let active = &self.renewed(&target.active, qualifier).await?;
        let (runner, mut invocation) = self.admitted(call, active, qualifier, Event::default())?;
        invocation.conversation = Some(conversation);
        let invocation = Arc::new(invocation);
        let image = self.image(runner).await?;
        let answered = match self.compute.converse(image, Arc::clone(&invocation), reply).await {
            Err(Unanswered::Fault(RunFault::CodeMissing { .. })) => {
                self.unpack_again(runner).await?;
                self.compute.converse(image, invocation, reply).await
            }
            answered => answered,
        };
        match answered {
            Ok(answer) => Ok(Some(answer)),
            Err(Unanswered::Fault(fault)) => Err(fault_of(fault)),
            Err(Unanswered::Failed(outcome)) => {
                tell_failure(target.active.name.as_str(), &outcome.payload);
                Ok(None)
            }
        }
    }

    /// Runs one invocation.
    pub(crate) async fn invoke(
        &self,
        call: &Call,
        active: &Arc<Active>,
        qualifier: Option<&Qualifier>,
        event: Event,
    ) -> Result<Done, Fault> {
        let active = &self.renewed(active, qualifier).await?;
        let (runner, invocation) = self.admitted(call, active, qualifier, event)?;
        let outcome = self.attempt(runner, Arc::new(invocation)).await?;
        Ok(Done { outcome, version: runner.version.clone() })
    }

    /// Which version is to run, and what it gets; counted among what is in flight.
    pub(crate) fn admitted<'a>(
        &self,
        call: &Call,
        active: &'a Active,
        qualifier: Option<&Qualifier>,
        event: Event,
    ) -> Result<(&'a Arc<Runner>, Invocation), Fault> {
        if event.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(faults::too_large(format!(
                "Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
            )));
        }
        let runner = active
            .runner(qualifier, || self.random.u64())
            .ok_or_else(|| faults::function_not_found(invoked_arn(active, qualifier)))?;
        let place = self.table.scope(&active.scope).admit(active, runner.number).inspect_err(|_| {
            // Compute never sees this call, but it counts what its functions are refused.
            self.compute.throttled(&active.arn);
        })?;
        let left = call.deadline.saturating_sub(self.clock.elapsed());
        let invocation = Invocation {
            request_id: call.id.to_string(),
            payload: if event.payload.is_empty() { Bytes::from_static(b"{}") } else { event.payload },
            invoked_arn: invoked_arn(active, qualifier),
            trace: Some(match active.recursion() {
                Recursion::Terminate => call.trace.amzn_after(call.hops.saturating_add(1)),
                Recursion::Allow => call.trace.amzn(),
            }),
            client_context: event.client_context,
            cognito_identity: None,
            timeout: None,
            patience: left,
            log: match event.log {
                LogEnd::Unwanted => LogWish::None,
                LogEnd::Wanted => LogWish::Tail,
            },
            // The place stays taken as long as the instance is, even if whoever called hangs up.
            held: Some(Arc::new(place)),
            conversation: None,
            pieces: None,
        };
        Ok((runner, invocation))
    }

    /// Runs on the image. Code that was swept from the cache between two calls is unpacked again, once.
    async fn attempt(&self, runner: &Runner, invocation: Arc<Invocation>) -> Result<Outcome, Fault> {
        let image = self.image(runner).await?;
        match self.compute.run(image, Arc::clone(&invocation)).await {
            Ok(outcome) => Ok(outcome),
            Err(RunFault::CodeMissing { .. }) => {
                self.unpack_again(runner).await?;
                self.compute.run(image, invocation).await.map_err(fault_of)
            }
            Err(other) => Err(fault_of(other)),
        }
    }
}

/// Of an error that is longer than this, only that it was is told.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Tells that a function failed, with the type and the message of its error, as an event of its own target: `freehold up` shows those to
/// the function's author, at whatever level the node's own log is.
pub(crate) fn tell_failure(function: &str, payload: &Bytes) {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Said {
        error_type: String,
        error_message: String,
    }
    if !tracing::enabled!(target: "function_failed", tracing::Level::INFO) {
        return;
    }
    let known = Some(payload).filter(|payload| payload.len() <= ERROR_BYTES_MAX);
    let said: Said = known.and_then(|payload| serde_json::from_slice(payload).ok()).unwrap_or_default();
    let Said { error_type: kind, error_message: error } = said;
    tracing::info!(target: "function_failed", function, kind, error, "a function failed");
}

pub(crate) fn invoked_arn(active: &Active, qualifier: Option<&Qualifier>) -> String {
    match qualifier {
        Some(qualifier) => format!("{}:{qualifier}", active.arn),
        None => active.arn.clone(),
    }
}

pub(crate) fn fault_of(fault: RunFault) -> Fault {
    match &fault {
        RunFault::Throttled { reason } => match reason {
            Throttle::Reserved { .. } => faults::throttled("ReservedFunctionConcurrentInvocationLimitExceeded"),
            Throttle::Concurrency { .. } | Throttle::Patience { .. } => {
                faults::throttled("ConcurrentInvocationLimitExceeded")
            }
        },
        RunFault::Stopping => unavailable(fault.to_string()),
        RunFault::CodeMissing { .. } | RunFault::Start { .. } => {
            tracing::error!(error = %fault, "a function could not be started");
            unavailable(format!("The function could not be started, for no fault of its own: {fault}."))
        }
    }
}

fn unavailable(message: String) -> Fault {
    let mut fault = Fault::new(Cause::Unavailable, "ServiceException", message).with("Type", "Service");
    fault.status = Some(500);
    fault
}
