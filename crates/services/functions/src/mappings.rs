//! Event source mappings at work: their pollers, and functions as what handles the batches.
//!
//! The table follows the store as that of the functions does: what is committed is taken in before it is answered. A mapping whose
//! function is missing, paused or throttled keeps its messages in the queue, and says so.

mod farewell;
mod shards;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::caller::BoxFuture;
use contract::{Call, Caller, Cause, Fault, Operation, Origin, Principal, Trace};
use mapping::answer::{self, Report};
use mapping::{Batch, Handed, Plan, Pollers, Progress, Readers, Reading, Sink, Tools, Workers};
use serde_json::{Value, json};
use uuid::Uuid;
use wire::lambda as op;

use crate::Functions;
use crate::active::Runner;
use crate::model::mapping::Mapping;
use crate::name::{Reference, Scope};
use crate::store::mapping as stored;

/// The longest that an invocation may take, with its wait for an instance.
const INVOKE_MAX: Duration = Duration::from_secs(960);

/// All mappings of the node.
#[derive(Default)]
pub(crate) struct Mappings {
    table: Mutex<BTreeMap<(Scope, Uuid), Kept>>,
    tools: OnceLock<Tools>,
    /// One at a time may change a mapping, so that table and store agree.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

/// A mapping and who works for it.
struct Kept {
    mapping: Mapping,
    pollers: Option<Workers>,
    /// Those of earlier settings, who finish what they have in hand.
    leaving: Vec<Workers>,
}

/// How a mapping is doing.
pub(crate) struct Doing {
    /// Pollers of earlier settings have something in hand.
    pub(crate) leaving: bool,
    pub(crate) progress: Progress,
}

impl Mappings {
    fn table(&self) -> MutexGuard<'_, BTreeMap<(Scope, Uuid), Kept>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to queues; none while the node starts.
    pub(crate) fn tools(&self) -> Option<&Tools> {
        self.tools.get()
    }

    pub(crate) fn doing(&self, scope: &Scope, id: &Uuid) -> Doing {
        let table = self.table();
        let kept = table.get(&(scope.clone(), *id));
        Doing {
            leaving: kept.is_some_and(|kept| kept.leaving.iter().any(|pollers| !pollers.has_stopped())),
            progress: kept.and_then(|kept| kept.pollers.as_ref()).map(Workers::progress).unwrap_or_default(),
        }
    }
}

impl Functions {
    /// Begins to poll for every mapping that is enabled: as soon as there is a way to queues and functions. Pollers are tasks of
    /// `tools`, and end with them.
    pub fn poll(self: &Arc<Self>, tools: Tools) {
        if self.mappings.tools.set(tools).is_err() {
            return;
        }
        let mut table = self.mappings.table();
        for ((scope, _), kept) in table.iter_mut() {
            kept.pollers = self.workers(scope, &kept.mapping, &kept.leaving);
        }
    }

    /// Takes in what the store says of a mapping now.
    pub(crate) fn settle_mapping(&self, scope: &Scope, id: Uuid, mapping: Option<Mapping>) {
        let mut table = self.mappings.table();
        let place = (scope.clone(), id);
        let Some(mapping) = mapping else {
            if let Some(Kept { pollers: Some(pollers), .. }) = table.remove(&place) {
                pollers.stop();
            }
            return;
        };
        match table.get_mut(&place) {
            Some(kept) if kept.mapping.polls_like(&mapping) => kept.mapping = mapping,
            Some(kept) => {
                kept.leaving.retain(|pollers| !pollers.has_stopped());
                if let Some(pollers) = kept.pollers.take() {
                    pollers.stop();
                    kept.leaving.push(pollers);
                }
                kept.pollers = self.workers(scope, &mapping, &kept.leaving);
                kept.mapping = mapping;
            }
            None => {
                let pollers = self.workers(scope, &mapping, &[]);
                table.insert(place, Kept { mapping, pollers, leaving: Vec::new() });
            }
        }
    }

    /// Reads all mappings again.
    pub(crate) async fn resync_mappings(&self) -> Result<(), ::store::Error> {
        let _one_at_a_time = self.mappings.changing.lock().await;
        let stored = stored::everywhere(&self.store.snapshot()).await?;
        let known: Vec<(Scope, Uuid)> = self.mappings.table().keys().cloned().collect();
        for (scope, id) in known {
            if !stored.iter().any(|(there, mapping)| *there == scope && mapping.id == id) {
                self.settle_mapping(&scope, id, None);
            }
        }
        for (scope, mapping) in stored {
            self.settle_mapping(&scope, mapping.id, Some(mapping));
        }
        Ok(())
    }

    /// Who works for a mapping, if it is to poll and there is a way to. Of a stream they begin when those before them have ended.
    fn workers(&self, scope: &Scope, mapping: &Mapping, before: &[Workers]) -> Option<Workers> {
        let tools = self.mappings.tools().filter(|_| mapping.enabled)?;
        let filters = match mapping.settings.compiled() {
            Ok(filters) => filters,
            Err(fault) => {
                // It was checked before it was stored; without its filters the function would get what it must not.
                tracing::error!(mapping = %mapping.id, %fault, "a stored filter cannot be read");
                return None;
            }
        };
        let function = Function {
            functions: Weak::clone(&self.itself),
            tools: tools.clone(),
            arn: scope.arn_of(&mapping.function),
            scope: scope.clone(),
            name: mapping.function.clone(),
        };
        if let (Some(stream), Some(settings)) = (&mapping.settings.stream, mapping.settings.reading()) {
            let sink = shards::Shards {
                function,
                mapping: mapping.id,
                reader: stream.reader,
                stream: mapping.source.to_string(),
                reports_failures: mapping.settings.reports_failures,
                on_failure: stream.on_failure.clone(),
            };
            let reading = Reading {
                stream: mapping.source.clone(),
                account: scope.account,
                region: scope.region.clone(),
                settings,
                filters,
            };
            let before = before.iter().filter_map(Workers::ended).collect();
            return Some(Workers::OfStream(Readers::start(reading, Arc::new(sink), tools, before)));
        }
        let plan = Plan {
            queue: mapping.source.clone(),
            account: scope.account,
            region: scope.region.clone(),
            limits: mapping.settings.limits(),
            filters,
            concurrency_max: mapping.settings.concurrency_max.map_or(mapping::scale::MOST, |most| most as usize),
        };
        let sink = FunctionSink { function, reports_failures: mapping.settings.reports_failures };
        Some(Workers::OfQueue(Pollers::start(plan, Arc::new(sink), tools)))
    }
}

/// The function of a mapping.
struct Function {
    functions: Weak<Functions>,
    tools: Tools,
    scope: Scope,
    name: Reference,
    arn: String,
}

impl Function {
    fn with_runner<T>(&self, see: impl FnOnce(&Runner, bool) -> T) -> Option<T> {
        let active = self.functions.upgrade()?.table.get(&self.scope, self.name.name.as_str())?;
        let runner = active.runner(self.name.qualifier.as_ref(), || 0)?;
        Some(see(runner, active.is_paused()))
    }

    /// An ordinary invocation, and its call's id. The mapping's owner has asked for it by making the mapping, so no policy of the
    /// function is needed, as on AWS.
    async fn invoke(&self, event: &Value) -> (Uuid, Result<Value, Fault>) {
        let Tools { clock, random, base_url, caller, .. } = &self.tools;
        let call = Call {
            id: random.uuid(),
            principal: Principal::Root,
            account: self.scope.account,
            region: self.scope.region.clone(),
            deadline: clock.elapsed() + INVOKE_MAX,
            trace: Trace::start(clock, random),
            hops: 1,
            origin: Origin::Inside { part: "mapping", base_url: Arc::clone(base_url) },
        };
        let input = json!({ "FunctionName": self.arn, "Payload": STANDARD.encode(event.to_string()) });
        (call.id, caller.call(op::Invoke::ID, &call, input).await)
    }

    /// The function's own role, as on AWS: it must be allowed to read what it is given.
    fn principal(&self) -> Principal {
        let role = self.with_runner(|runner, _| Arc::clone(&runner.role));
        Principal::Role { role: role.unwrap_or_else(|| "".into()), session: self.name.name.as_str().into() }
    }
}

/// A function that handles batches of a queue.
struct FunctionSink {
    function: Function,
    reports_failures: bool,
}

impl FunctionSink {
    fn judge(&self, batch: &Batch, answered: Result<Value, Fault>) -> Handed {
        let answer = match answered {
            Ok(answer) => answer,
            Err(fault) => return judge_fault(&fault),
        };
        if answer.get("FunctionError").is_some_and(Value::is_string) {
            return Handed::Failed { why: "Function call failed".to_owned() };
        }
        if !self.reports_failures {
            return Handed::Done { failed: Default::default() };
        }
        let payload = answer.get("Payload").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let ids = batch.messages.iter().map(|message| message.id.as_str());
        match answer::read(&payload.unwrap_or_default(), ids) {
            Report::Failed(failed) => Handed::Done { failed },
            Report::Unreadable(why) => Handed::Failed { why: format!("Function call failed: {why}") },
        }
    }
}

/// A batch that is too large for the function, or that it is not given, fails; whatever may pass is waited for.
fn judge_fault(fault: &Fault) -> Handed {
    let why = format!("{}: {}", fault.code, fault.message);
    match fault.cause {
        Cause::TooLarge | Cause::Invalid => Handed::Failed { why },
        Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::Throttled
        | Cause::Unserved
        | Cause::TimedOut
        | Cause::Unavailable
        | Cause::Internal => Handed::Busy { why },
    }
}

impl Sink for FunctionSink {
    fn hand<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Handed> {
        Box::pin(async move {
            let records: Vec<&Value> = batch.messages.iter().map(|message| &message.record).collect();
            let (_, answered) = self.function.invoke(&json!({ "Records": records })).await;
            self.judge(batch, answered)
        })
    }

    fn principal(&self) -> Principal {
        self.function.principal()
    }

    fn obstacle(&self) -> Option<String> {
        match self.function.with_runner(|_, paused| paused) {
            None => Some(format!("Function not found: {}", self.function.arn)),
            Some(true) => Some("Rate Exceeded: the function's reserved concurrency is 0.".to_owned()),
            Some(false) => None,
        }
    }
}

/// Asks something of a queue in a role's name.
pub(crate) async fn ask_queue(
    caller: &dyn Caller,
    call: &Call,
    queue: &contract::Arn,
    attributes: &[&str],
) -> Result<Value, Fault> {
    const ATTRIBUTES: contract::OperationId = contract::OperationId { service: "sqs", name: "GetQueueAttributes" };
    caller.call(ATTRIBUTES, call, json!({ "QueueUrl": queue.to_string(), "AttributeNames": attributes })).await
}
