//! What the door mounts at `/_stacks`: a path and a JSON document in, a stream of JSON lines out. The command line uses it over HTTP and,
//! where it runs the node itself, in process.
//!
//! | path | body | lines |
//! |---|---|---|
//! | `deploy` | `StackName`, `Template` (a document) or `TemplateBody` (text), `Parameters` (names and values) | `{"Event": …}` for each, then `{"Result": {"Stack": …, "Changed": …}}` |
//! | `plan` | the same | `{"Result": {"Changes": […]}}` |
//! | `delete` | `StackName` | `{"Event": …}` for each, then `{"Result": {}}` |
//! | `list` | nothing | `{"Result": {"Stacks": […]}}` |
//! | `describe` | `StackName`, `EventsMax` (100) | `{"Result": {"Stack": …, "Resources": […], "Events": […]}}` |
//! | `template` | `StackName` | `{"Result": {"Template": …}}` |
//!
//! A refusal is the last line: `{"Fault": {"__type": code, "message": …}}`, with `Resource` and `Path` (such as `Properties.Code`) where
//! it is about a place of the template whose line is not known here: documents have none. The first line tells whether an operation began, so the door
//! may take its status from a fault that comes first ([`fault_of`]).

use contract::{Call, Fault};
use serde_json::{Map, Value, json};
use template::Node;
use tokio::sync::mpsc;

use crate::Error;
use crate::engine::{Engine, Wish};
use crate::model::{Event, ResourceState, Stack};
use crate::plan::Planned;

/// How many lines wait for a slow reader; further events are only in the stack's history, and the last line always comes.
const LINES_MAX: usize = 1_000;
/// How many events are described where nobody says how many.
const EVENTS: usize = 100;

/// Serves one request. Lines come as they happen; what was begun goes on if nobody reads them.
pub fn handle(engine: &Engine, call: Call, path: &str, body: Value) -> mpsc::Receiver<Value> {
    let (lines, reader) = mpsc::channel(LINES_MAX);
    let (engine, path) = (engine.clone(), path.trim_matches('/').to_owned());
    base::task::spawn(base::task::Kind::Work, "stacks-api", async move {
        let (events, mut happening) = mpsc::channel(LINES_MAX);
        let answer = answer(&engine, &call, &path, &body, events);
        tokio::pin!(answer);
        let last = loop {
            tokio::select! {
                biased;
                Some(event) = happening.recv() => {
                    let _full_or_gone = lines.try_send(json!({ "Event": event_document(&event) }));
                }
                last = &mut answer => break last,
            }
        };
        while let Ok(event) = happening.try_recv() {
            let _full_or_gone = lines.try_send(json!({ "Event": event_document(&event) }));
        }
        let last = match last {
            Ok(result) => json!({ "Result": result }),
            Err(error) => fault_line(error),
        };
        let _nobody_reads = lines.send(last).await;
    });
    reader
}

/// The code and message of the fault that a line stands for; none if it is another line.
pub fn fault_of(line: &Value) -> Option<(&str, &str)> {
    let fault = line.get("Fault")?;
    Some((fault.get("__type")?.as_str()?, fault.get("message")?.as_str()?))
}

async fn answer(
    engine: &Engine,
    call: &Call,
    path: &str,
    body: &Value,
    events: mpsc::Sender<Event>,
) -> Result<Value, Error> {
    match path {
        "deploy" => {
            let applied = engine.apply(call, wish(body)?, Some(events)).await?;
            Ok(json!({ "Stack": stack_document(&applied.stack), "Changed": applied.changed }))
        }
        "plan" => {
            let changes = engine.plan(call, &wish(body)?).await?;
            Ok(json!({ "Changes": changes.iter().map(planned_document).collect::<Vec<_>>() }))
        }
        "delete" => {
            engine.delete(call, name(body)?, Some(events)).await?;
            Ok(json!({}))
        }
        "list" => {
            let stacks = engine.list(call).await?;
            Ok(json!({ "Stacks": stacks.iter().map(stack_document).collect::<Vec<_>>() }))
        }
        "describe" => {
            let count =
                body.get("EventsMax").and_then(Value::as_u64).map_or(EVENTS, |count| count.min(10_000) as usize);
            let found = engine.describe(call, name(body)?, count).await?;
            Ok(json!({
                "Stack": stack_document(&found.stack),
                "Resources": found.resources.iter().map(resource_document).collect::<Vec<_>>(),
                "Events": found.events.iter().map(event_document).collect::<Vec<_>>(),
            }))
        }
        "template" => Ok(json!({ "Template": engine.template(call, name(body)?).await? })),
        _ => Err(Error::Body(format!(
            "/_stacks/{path} is not there; there are deploy, plan, delete, list, describe and template"
        ))),
    }
}

fn name(body: &Value) -> Result<&str, Error> {
    let name = body.get("StackName").and_then(Value::as_str);
    name.ok_or_else(|| Error::Body("StackName is missing; it must be text".to_owned()))
}

fn wish(body: &Value) -> Result<Wish, Error> {
    let template = match (body.get("Template"), body.get("TemplateBody").and_then(Value::as_str)) {
        (Some(document @ Value::Object(_)), None) => Node::from_json(document, 0),
        (None, Some(text)) => template::read(text)?,
        _ => return Err(Error::Body("either Template (a document) or TemplateBody (text) is needed".to_owned())),
    };
    let mut parameters = std::collections::BTreeMap::new();
    if let Some(given) = body.get("Parameters").filter(|given| !given.is_null()) {
        let wrong = || Error::Body("Parameters must be a map of names and values".to_owned());
        for (name, value) in given.as_object().ok_or_else(wrong)? {
            let text = Node::from_json(value, 0).scalar().ok_or_else(wrong)?;
            parameters.insert(name.clone(), text);
        }
    }
    Ok(Wish { stack: name(body)?.to_owned(), template, parameters })
}

fn fault_line(error: Error) -> Value {
    let place = error.place().map(|(resource, path)| (resource.to_owned(), path));
    let fault = Fault::from(error);
    let (resource, path) = place.unzip();
    let fault = document([
        ("__type", Some(fault.code.into())),
        ("message", Some(fault.message.into())),
        ("Resource", resource.map(Value::from)),
        ("Path", path.map(Value::from)),
    ]);
    json!({ "Fault": fault })
}

fn stack_document(stack: &Stack) -> Value {
    let outputs = stack.outputs.iter().map(|output| {
        document([
            ("OutputKey", Some(output.name.clone().into())),
            ("OutputValue", Some(output.value.clone().into())),
            ("Description", output.description.clone().map(Value::from)),
            ("ExportName", output.export.clone().map(Value::from)),
        ])
    });
    document([
        ("StackName", Some(stack.name.clone().into())),
        ("StackId", Some(stack.id.clone().into())),
        ("StackStatus", Some(stack.status.as_str().into())),
        ("StackStatusReason", stack.reason.clone().map(Value::from)),
        ("Description", stack.description.clone().map(Value::from)),
        ("CreationTime", Some(stack.created_ms.into())),
        ("LastUpdatedTime", Some(stack.updated_ms.into())),
        ("Parameters", Some(json!(stack.shown_parameters()))),
        ("Outputs", Some(outputs.collect())),
    ])
}

fn resource_document(resource: &ResourceState) -> Value {
    let physical_id = resource.current.as_ref().and_then(|current| current.physical_id.clone());
    document([
        ("LogicalResourceId", Some(resource.id.clone().into())),
        ("PhysicalResourceId", physical_id.map(Value::from)),
        ("ResourceType", Some(resource.kind.clone().into())),
        ("ResourceStatus", Some(resource.status.into())),
        ("ResourceStatusReason", resource.reason.clone().map(Value::from)),
        ("Timestamp", Some(resource.updated_ms.into())),
        ("Attributes", resource.current.as_ref().map(|current| json!(current.attributes))),
    ])
}

fn event_document(event: &Event) -> Value {
    document([
        ("StackName", Some(event.stack.clone().into())),
        ("LogicalResourceId", Some(event.logical_id.clone().into())),
        ("PhysicalResourceId", event.physical_id.clone().map(Value::from)),
        ("ResourceType", Some(event.kind.clone().into())),
        ("ResourceStatus", Some(event.status.into())),
        ("ResourceStatusReason", event.reason.clone().map(Value::from)),
        ("Timestamp", Some(event.time_ms.into())),
    ])
}

fn planned_document(planned: &Planned) -> Value {
    document([
        ("LogicalResourceId", Some(planned.logical_id.clone().into())),
        ("PhysicalResourceId", planned.physical_id.clone().map(Value::from)),
        ("ResourceType", Some(planned.kind.clone().into())),
        ("Action", Some(planned.action.as_str().into())),
        ("Reason", Some(planned.reason.clone().into())),
    ])
}

fn document<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}
