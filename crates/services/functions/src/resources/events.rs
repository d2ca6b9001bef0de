//! SAM's `Events` of a function: what wakes it, each as the resources that it stands for.

mod bucket;
mod rule;
mod schedule;
mod topic;

use contract::properties::{fault, no_such_property};
use contract::{Expansion, PropertyFault};
use serde_json::{Map, Value, json};

/// Whom the events wake: the function, or the alias that is published with it.
pub(super) struct Woken<'a> {
    /// The function's logical id.
    pub(super) id: &'a str,
    /// What `Ref` gives the name or ARN of.
    pub(super) target: Value,
}

impl Woken<'_> {
    /// The ARN of whom the events wake.
    fn arn(&self) -> Value {
        match self.target == json!({ "Ref": self.id }) {
            true => json!({ "Fn::GetAtt": [self.id, "Arn"] }),
            // An alias's reference is its ARN.
            false => self.target.clone(),
        }
    }

    /// The permission that a service needs to wake it, narrowed to where its events come from.
    fn permission(&self, service: &str, (narrowed, source): (&str, Value)) -> Value {
        json!({
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": self.target,
                "Principal": service,
                narrowed: source,
            },
        })
    }
}

/// That an event has no properties but those.
fn check_known(name: &str, properties: &Map<String, Value>, known: &[&str]) -> Result<(), PropertyFault> {
    match properties.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(fault(format!("Events.{name}.{unknown}"), no_such_property(unknown, known))),
        None => Ok(()),
    }
}

/// Adds the resources of all events. Their logical ids are the function's and the event's together, as SAM has them.
pub(super) fn expand(
    woken: &Woken<'_>,
    events: Option<&Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let events = match events {
        None => return Ok(()),
        Some(Value::Object(events)) => events,
        Some(_) => return Err(fault("Events", "must be an object")),
    };
    for (name, event) in events {
        let properties = match event.get("Properties") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(properties)) => properties.clone(),
            Some(_) => return Err(fault(format!("Events.{name}.Properties"), "must be an object")),
        };
        match event.get("Type").and_then(Value::as_str) {
            Some("CloudWatchEvent" | "EventBridgeRule") => {
                rule::pattern(woken, name, &Value::Object(properties), expansion)?;
            }
            Some("Schedule") => rule::schedule(woken, name, &Value::Object(properties), expansion)?,
            Some("SQS") => mapping(woken, name, "Queue", properties, expansion)?,
            Some("DynamoDB") => mapping(woken, name, "Stream", properties, expansion)?,
            Some("ScheduleV2") => schedule::expand(woken, name, properties, expansion)?,
            Some("S3") => bucket::expand(woken, name, &properties, expansion)?,
            Some("SNS") => topic::expand(woken, name, &properties, expansion)?,
            kind => {
                return Err(fault(
                    format!("Events.{name}"),
                    format!(
                        "events of type {} are not served yet; FunctionUrlConfig gives a function an address",
                        kind.unwrap_or("without a Type")
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// `SQS` and `DynamoDB`: an event source mapping of what that property names.
fn mapping(
    woken: &Woken<'_>,
    name: &str,
    source: &str,
    mut properties: Map<String, Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let arn = properties.remove(source).ok_or_else(|| fault(format!("Events.{name}.{source}"), "is required"))?;
    properties.insert("EventSourceArn".to_owned(), arn);
    properties.insert("FunctionName".to_owned(), woken.target.clone());
    let mapping = json!({ "Type": "AWS::Lambda::EventSourceMapping", "Properties": properties });
    expansion.resources.push((format!("{}{name}", woken.id), mapping));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(events: Value) -> Result<Expansion, PropertyFault> {
        let mut expansion = Expansion::default();
        let woken = Woken { id: "Worker", target: json!({ "Ref": "Worker" }) };
        expand(&woken, Some(&events), &mut expansion).map(|()| expansion)
    }

    #[test]
    fn a_queue_or_a_stream_becomes_a_mapping() {
        let queue = json!({ "Fn::GetAtt": ["Jobs", "Arn"] });
        let made =
            expanded(json!({ "Jobs": { "Type": "SQS", "Properties": { "Queue": queue, "BatchSize": 3 } } })).unwrap();
        assert_eq!(
            made.resources,
            [(
                "WorkerJobs".to_owned(),
                json!({
                    "Type": "AWS::Lambda::EventSourceMapping",
                    "Properties": { "EventSourceArn": queue, "FunctionName": { "Ref": "Worker" }, "BatchSize": 3 },
                })
            )]
        );
        let stream = json!({ "Fn::GetAtt": ["Orders", "StreamArn"] });
        let made = expanded(json!({
            "Changes": { "Type": "DynamoDB", "Properties": { "Stream": stream, "StartingPosition": "LATEST" } },
        }));
        let properties =
            json!({ "EventSourceArn": stream, "FunctionName": { "Ref": "Worker" }, "StartingPosition": "LATEST" });
        assert_eq!(made.unwrap().resources[0].1["Properties"], properties);
        let fault = expanded(json!({ "Jobs": { "Type": "SQS" } })).unwrap_err();
        assert_eq!((fault.path.as_str(), fault.message.as_str()), ("Events.Jobs.Queue", "is required"));
    }
}
