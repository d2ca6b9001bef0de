//! SAM's events that are rules of an event bus: `EventBridgeRule`, `CloudWatchEvent` and `Schedule`. Each becomes the rule with the
//! function as its target, the permission to call it, and, where it asks for one, a queue for what cannot be delivered.

use contract::properties::{Field, Form, fault, optional, read, required};
use contract::{Expansion, PropertyFault};
use serde_json::{Map, Value, json};

use super::Woken;

const RULE: &[Field] = &[
    optional("DeadLetterConfig", Form::Anything),
    optional("Enabled", Form::Flag),
    optional("EventBusName", Form::Text),
    optional("Input", Form::Text),
    optional("InputPath", Form::Text),
    optional("InputTransformer", Form::Anything),
    required("Pattern", Form::Anything),
    optional("RetryPolicy", Form::Anything),
    optional("RuleName", Form::Text),
    optional("State", Form::Text),
    optional("Target", Form::Anything),
];

const SCHEDULE: &[Field] = &[
    optional("DeadLetterConfig", Form::Anything),
    optional("Description", Form::Text),
    optional("Enabled", Form::Flag),
    optional("Input", Form::Text),
    optional("Name", Form::Text),
    optional("RetryPolicy", Form::Anything),
    required("Schedule", Form::Text),
    optional("State", Form::Text),
];

/// The longest id of a target.
const TARGET_ID_MAX: usize = 64;

/// `EventBridgeRule`, and `CloudWatchEvent`, its older name.
pub(super) fn pattern(
    woken: &Woken<'_>,
    name: &str,
    properties: &Value,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let properties = checked(name, properties, RULE)?;
    let mut rule =
        copied(&properties, &[("Pattern", "EventPattern"), ("EventBusName", "EventBusName"), ("RuleName", "Name")]);
    state(&properties, &mut rule);
    put(woken, name, rule, &properties, expansion)
}

/// `Schedule`.
pub(super) fn schedule(
    woken: &Woken<'_>,
    name: &str,
    properties: &Value,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let properties = checked(name, properties, SCHEDULE)?;
    let names = [("Schedule", "ScheduleExpression"), ("Description", "Description"), ("Name", "Name")];
    let mut rule = copied(&properties, &names);
    state(&properties, &mut rule);
    put(woken, name, rule, &properties, expansion)
}

fn checked(name: &str, properties: &Value, fields: &'static [Field]) -> Result<Map<String, Value>, PropertyFault> {
    let properties = read(properties, fields);
    properties.map_err(|PropertyFault { path, message }| fault(format!("Events.{name}.{path}"), message))
}

fn copied(properties: &Map<String, Value>, names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), properties.get(*from)?.clone()))).collect()
}

fn state(properties: &Map<String, Value>, rule: &mut Map<String, Value>) {
    let state = match (properties.get("State"), properties.get("Enabled")) {
        (Some(state), _) => state.clone(),
        (None, Some(Value::Bool(false))) => "DISABLED".into(),
        (None, Some(Value::Bool(true))) => "ENABLED".into(),
        (None, _) => return,
    };
    rule.insert("State".into(), state);
}

/// The rule with its target, and the permission.
fn put(
    woken: &Woken<'_>,
    name: &str,
    mut rule: Map<String, Value>,
    properties: &Map<String, Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let id = format!("{}{name}", woken.id);
    let same = ["Input", "InputPath", "InputTransformer", "RetryPolicy"].map(|name| (name, name));
    let mut target = copied(properties, &same);
    target.insert("Arn".into(), woken.arn());
    let own_id = properties.get("Target").and_then(|target| target["Id"].as_str());
    let mut target_id = own_id.map_or_else(|| format!("{id}LambdaTarget"), str::to_owned);
    target_id.truncate(TARGET_ID_MAX);
    target.insert("Id".into(), target_id.into());
    if let Some(config) = properties.get("DeadLetterConfig") {
        target.insert("DeadLetterConfig".into(), json!({ "Arn": dead_letters(name, &id, config, expansion)? }));
    }
    rule.insert("Targets".into(), json!([target]));
    let permission = woken.permission("events.amazonaws.com", ("SourceArn", json!({ "Fn::GetAtt": [id, "Arn"] })));
    expansion.resources.push((id.clone(), json!({ "Type": "AWS::Events::Rule", "Properties": rule })));
    expansion.resources.push((format!("{id}Permission"), permission));
    Ok(())
}

/// The ARN of the queue for what cannot be delivered: one that there is, or one that is made.
fn dead_letters(name: &str, id: &str, config: &Value, expansion: &mut Expansion) -> Result<Value, PropertyFault> {
    let path = format!("Events.{name}.DeadLetterConfig");
    match (&config["Arn"], config["Type"].as_str()) {
        (Value::Null, Some("SQS")) => {
            let queue = config["QueueLogicalId"].as_str().map_or_else(|| format!("{id}Queue"), str::to_owned);
            let arn = json!({ "Fn::GetAtt": [queue, "Arn"] });
            let policy = json!({
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{ "Ref": queue }],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Effect": "Allow",
                            "Principal": { "Service": "events.amazonaws.com" },
                            "Action": "sqs:SendMessage",
                            "Resource": arn,
                            "Condition": { "ArnEquals": { "aws:SourceArn": { "Fn::GetAtt": [id, "Arn"] } } },
                        }],
                    },
                },
            });
            expansion.resources.push((format!("{queue}Policy"), policy));
            expansion.resources.push((queue, json!({ "Type": "AWS::SQS::Queue", "Properties": {} })));
            Ok(arn)
        }
        (Value::Null, _) => Err(fault(path, "needs an Arn, or the Type SQS")),
        (arn, None) => Ok(arn.clone()),
        (_, Some(_)) => Err(fault(path, "has an Arn and a Type; leave one of them out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken() -> Woken<'static> {
        Woken { id: "Worker", target: json!({ "Ref": "Worker" }) }
    }

    #[test]
    fn a_rule_calls_the_function_and_may() {
        let mut expansion = Expansion::default();
        let properties = json!({
            "Pattern": {"source": ["shop"]}, "EventBusName": "orders", "InputPath": "$.detail", "DeadLetterConfig": {"Type": "SQS"},
        });
        pattern(&woken(), "Sold", &properties, &mut expansion).unwrap();
        let names: Vec<&str> = expansion.resources.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["WorkerSoldQueuePolicy", "WorkerSoldQueue", "WorkerSold", "WorkerSoldPermission"]);
        assert_eq!(
            expansion.resources[2].1,
            json!({
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["shop"]},
                    "EventBusName": "orders",
                    "Targets": [{
                        "InputPath": "$.detail",
                        "Arn": {"Fn::GetAtt": ["Worker", "Arn"]},
                        "Id": "WorkerSoldLambdaTarget",
                        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["WorkerSoldQueue", "Arn"]}},
                    }],
                },
            })
        );
        assert_eq!(expansion.resources[3].1["Properties"]["SourceArn"], json!({"Fn::GetAtt": ["WorkerSold", "Arn"]}));
    }

    #[test]
    fn a_schedule_may_be_off() {
        let mut expansion = Expansion::default();
        let properties = json!({"Schedule": "rate(1 hour)", "Enabled": false, "Input": "{}"});
        schedule(&woken(), "Hourly", &properties, &mut expansion).unwrap();
        let rule = &expansion.resources[0].1["Properties"];
        assert_eq!((&rule["ScheduleExpression"], &rule["State"]), (&json!("rate(1 hour)"), &json!("DISABLED")));
        assert_eq!(rule["Targets"][0]["Input"], "{}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |fault: Result<(), PropertyFault>, path: &str| assert_eq!(fault.unwrap_err().path, path);
        check(pattern(&woken(), "E", &json!({}), &mut Expansion::default()), "Events.E.Pattern");
        check(schedule(&woken(), "E", &json!({"Rate": "1"}), &mut Expansion::default()), "Events.E.Rate");
        let config = json!({"Schedule": "rate(1 hour)", "DeadLetterConfig": {}});
        check(schedule(&woken(), "E", &config, &mut Expansion::default()), "Events.E.DeadLetterConfig");
    }
}
