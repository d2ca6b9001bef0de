//! What a pipe does with a batch: shape it, enrich it, shape it again, bring it to its target.
//!
//! Where the batch comes from, and what becomes of what failed, is the business of the two sinks: of queues here, of streams in
//! `shards.rs`.
//!
//! The enrichment and a function as target are given the whole batch as one list. Every other target is given the events one by one, so
//! that those which failed are known, and come again alone.

pub(crate) mod shards;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::caller::BoxFuture;
use contract::{Call, Document, Fault, Origin, Principal, Trace};
use delivery::Acting;
use delivery::target::{self, OnBus, Options};
use mapping::answer::{self, Report};
use mapping::{Batch, Handed, Sink, Tools};
use serde_json::{Value, json};

use crate::model::path::Path;
use crate::model::source::Source;
use crate::model::template::{Known, Template};
use crate::model::{Course, Pipe, Scope};

/// The longest that one call may take: a function's fifteen minutes, and some time to start.
const CALL_MAX: Duration = Duration::from_secs(960);

/// One pipe at work.
pub(crate) struct Flow {
    scope: Scope,
    pipe: Arc<Pipe>,
    course: Course,
    tools: Tools,
    arn: String,
    role: Arc<str>,
    session: Arc<str>,
}

/// A batch, wherever it comes from.
struct Given<'a> {
    events: Vec<Value>,
    /// What a function may call each of them by.
    ids: &'a [Vec<&'a str>],
    order: Order,
}

/// What follows for the events after one that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// They are brought to the target all the same.
    Free,
    /// They count as failed too, and come again behind it.
    Kept,
}

/// Why a batch did not get through.
enum Stuck {
    /// A call was refused.
    Refused(Fault),
    /// A function failed.
    Function(String),
}

impl Flow {
    pub(crate) fn new(scope: &Scope, pipe: &Arc<Pipe>, course: Course, tools: &Tools) -> Self {
        Self {
            scope: scope.clone(),
            pipe: Arc::clone(pipe),
            course,
            tools: tools.clone(),
            arn: scope.arn(&pipe.name).to_string(),
            role: pipe.role.as_str().into(),
            session: pipe.name.as_str().into(),
        }
    }

    /// Brings events to the target. Gives the places of those that failed.
    async fn run(&self, given: Given<'_>) -> Result<BTreeSet<usize>, Stuck> {
        let Given { mut events, ids, order } = given;
        let count = events.len();
        if !self.pipe.enrichment.is_empty() {
            let shaped = self.shaped(self.course.enrichment_template.as_ref(), events);
            events = list_of(self.invoke(&self.pipe.enrichment, &Value::Array(shaped)).await?);
        }
        if events.is_empty() {
            // The enrichment left nothing: the target is not called.
            return Ok(BTreeSet::new());
        }
        let shaped = self.shaped(self.course.target_template.as_ref(), events);
        if self.is_function() {
            return self.to_function(ids, &Value::Array(shaped)).await;
        }
        // Events that became more or fewer are not known by their places any more.
        let same = shaped.len() == count;
        let mut failed = BTreeSet::new();
        let mut last = None;
        for (place, event) in shaped.iter().enumerate() {
            let Err(fault) = self.to_target(event).await else { continue };
            if !same {
                return Err(Stuck::Refused(fault));
            }
            last = Some(fault);
            failed.insert(place);
            if order == Order::Kept {
                failed.extend(place..count);
                break;
            }
        }
        match last {
            // Nothing got through: whatever is wrong may pass, and then nothing has to wait until it is shown again.
            Some(fault) if failed.len() == count => Err(Stuck::Refused(fault)),
            Some(_) | None => Ok(failed),
        }
    }

    fn shaped(&self, template: Option<&Template>, events: Vec<Value>) -> Vec<Value> {
        let Some(template) = template else { return events };
        let ingestion_time = self.tools.clock.now().to_string();
        let known = Known {
            pipe_arn: &self.arn,
            pipe_name: &self.pipe.name,
            source_arn: &self.pipe.source,
            enrichment_arn: &self.pipe.enrichment,
            target_arn: &self.pipe.target,
            ingestion_time: &ingestion_time,
        };
        events.iter().map(|event| template.fill(event, &known)).collect()
    }

    fn is_function(&self) -> bool {
        contract::Arn::parse(&self.pipe.target).is_some_and(|arn| arn.service == "lambda")
    }

    /// A function as target: it may say which events failed, as one behind an event source mapping.
    async fn to_function(&self, ids: &[Vec<&str>], events: &Value) -> Result<BTreeSet<usize>, Stuck> {
        let invocation = self.parameter("/LambdaFunctionParameters/InvocationType");
        if invocation.as_deref() == Some("FIRE_AND_FORGET") {
            let input = json!({
                "FunctionName": self.pipe.target, "InvocationType": "Event", "Payload": STANDARD.encode(events.to_string()),
            });
            self.call("lambda", "Invoke", input).await.map_err(Stuck::Refused)?;
            return Ok(BTreeSet::new());
        }
        let answer = self.invoke(&self.pipe.target, events).await?;
        // Only an answer that speaks of failures is read as one that does: a function may answer whatever it likes.
        if !answer.as_object().is_some_and(|members| members.contains_key("batchItemFailures")) {
            return Ok(BTreeSet::new());
        }
        match answer::read_value(&answer, ids.iter().flatten().copied()) {
            Report::Failed(failed) => {
                let is_failed = |ids: &Vec<&str>| ids.iter().any(|id| failed.contains(*id));
                Ok(ids.iter().enumerate().filter(|(_, ids)| is_failed(ids)).map(|(place, _)| place).collect())
            }
            Report::Unreadable(why) => Err(Stuck::Function(why.to_owned())),
        }
    }

    /// Invokes a function, and waits for its answer.
    async fn invoke(&self, function: &str, events: &Value) -> Result<Value, Stuck> {
        let input = json!({ "FunctionName": function, "Payload": STANDARD.encode(events.to_string()) });
        let answer = self.call("lambda", "Invoke", input).await.map_err(Stuck::Refused)?;
        let payload = answer.get("Payload").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let payload: Value = serde_json::from_slice(&payload.unwrap_or_default()).unwrap_or_default();
        match answer.get("FunctionError") {
            Some(Value::String(_)) => Err(Stuck::Function(payload["errorMessage"].as_str().unwrap_or("").to_owned())),
            Some(_) | None => Ok(payload),
        }
    }

    /// Brings one event to a target that is no function.
    async fn to_target(&self, event: &Value) -> Result<(), Fault> {
        let text = match event {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let options = Options {
            message_group: self.of_event("/SqsQueueParameters/MessageGroupId", event),
            deduplication: self.of_event("/SqsQueueParameters/MessageDeduplicationId", event),
            on_bus: OnBus {
                source: self
                    .of_event("/EventBridgeEventBusParameters/Source", event)
                    .unwrap_or_else(|| format!("Pipe {}", self.pipe.name)),
                detail_type: self
                    .of_event("/EventBridgeEventBusParameters/DetailType", event)
                    .unwrap_or_else(|| format!("Event from aws:{}", self.source_service())),
                resources: self.resources(event),
            },
            partition_key: self.of_event("/KinesisStreamParameters/PartitionKey", event),
            ..Options::new(text, self.acting(), self.tools.clock.now_ms())
        };
        let task =
            target::of_arn(&self.pipe.target, options).map_err(|error| crate::faults::invalid(error.to_string()))?;
        for before in &task.before {
            match self.call(&task.service, &before.operation, before.input.clone()).await {
                Ok(_) => {}
                Err(fault) if before.tolerate.iter().any(|code| *code == fault.code) => {}
                Err(fault) => return Err(fault),
            }
        }
        let answer = self.call(&task.service, &task.operation, task.input).await?;
        // A bus tells of each entry by itself.
        match answer.pointer("/Entries/0/ErrorCode").and_then(Value::as_str) {
            None => Ok(()),
            Some(code) => {
                let message = answer.pointer("/Entries/0/ErrorMessage").and_then(Value::as_str).unwrap_or_default();
                Err(Fault::new(contract::Cause::Unavailable, code, message))
            }
        }
    }

    fn parameter(&self, pointer: &str) -> Option<String> {
        self.pipe.target_parameters.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    /// A parameter of the target, which may be a path into the event.
    fn of_event(&self, pointer: &str, event: &Value) -> Option<String> {
        self.parameter(pointer).and_then(|text| from_event(&text, event))
    }

    fn resources(&self, event: &Value) -> Vec<String> {
        let listed = self.pipe.target_parameters.pointer("/EventBridgeEventBusParameters/Resources");
        let listed = listed.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        listed.filter_map(|text| from_event(text, event)).collect()
    }

    fn source_service(&self) -> &'static str {
        match self.course.source {
            Source::Queue { .. } => "sqs",
            Source::Stream(_) => "dynamodb",
        }
    }

    fn acting(&self) -> Acting {
        Acting::Role { role: Arc::clone(&self.role), session: Arc::clone(&self.session) }
    }

    async fn call(&self, service: &str, operation: &str, input: Document) -> Result<Document, Fault> {
        let Tools { caller, clock, random, base_url, .. } = &self.tools;
        let call = Call {
            id: random.uuid(),
            principal: self.principal(),
            account: self.scope.account,
            region: self.scope.region.clone(),
            deadline: clock.elapsed() + CALL_MAX,
            trace: Trace::start(clock, random),
            hops: 1,
            origin: Origin::Inside { part: "pipe", base_url: Arc::clone(base_url) },
        };
        caller.call(caller.find(service, operation)?, &call, input).await
    }
}

/// What a text means for an event: itself, or what the path finds that it is.
fn from_event(text: &str, event: &Value) -> Option<String> {
    let Ok(path) = Path::parse(text) else { return Some(text.to_owned()) };
    match &*path.find(event)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// What an enrichment answered, as events: a list is one of each, nothing is none.
fn list_of(answer: Value) -> Vec<Value> {
    match answer {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::Object(members) if members.is_empty() => Vec::new(),
        Value::Array(events) => events,
        one => vec![one],
    }
}

impl Sink for Flow {
    fn hand<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Handed> {
        Box::pin(async move {
            let ids: Vec<Vec<&str>> = batch.messages.iter().map(|message| vec![message.id.as_str()]).collect();
            let events = batch.messages.iter().map(|message| message.record.clone()).collect();
            match self.run(Given { events, ids: &ids, order: Order::Free }).await {
                Ok(failed) => {
                    let id = |place: usize| batch.messages.get(place).map(|message| message.id.clone());
                    Handed::Done { failed: failed.into_iter().filter_map(id).collect::<HashSet<_>>() }
                }
                Err(Stuck::Refused(fault)) => {
                    let why = format!("{}: {}", fault.code, fault.message);
                    match fault.is_transient() {
                        true => Handed::Busy { why },
                        false => Handed::Failed { why },
                    }
                }
                Err(Stuck::Function(why)) => Handed::Failed { why: format!("Function call failed: {why}") },
            }
        })
    }

    fn principal(&self) -> Principal {
        self.acting().principal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_be_paths() {
        let event = json!({ "body": r#"{"customer":"c7"}"#, "n": 1 });
        for (text, expected) in
            [("fixed", Some("fixed")), ("$.body.customer", Some("c7")), ("$.n", Some("1")), ("$.missing", None)]
        {
            assert_eq!(from_event(text, &event).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn enrichments_answer_lists_or_one_or_nothing() {
        for (answer, expected) in [
            (json!([1, 2]), vec![json!(1), json!(2)]),
            (json!({ "a": 1 }), vec![json!({ "a": 1 })]),
            (json!("x"), vec![json!("x")]),
            (json!({}), vec![]),
            (json!([]), vec![]),
            (json!(""), vec![]),
            (json!(null), vec![]),
        ] {
            assert_eq!(list_of(answer), expected);
        }
    }
}
