//! `ScheduleV2`: a schedule that invokes the function. Its role is one that SAM would make, if the template names none.

use contract::properties::{Field, Form, fault, optional, read, required};
use contract::{Expansion, PropertyFault};
use serde_json::{Map, Value, json};

use super::Woken;

const FIELDS: &[Field] = &[
    optional("DeadLetterConfig", Form::Anything),
    optional("Description", Form::Anything),
    optional("EndDate", Form::Anything),
    optional("FlexibleTimeWindow", Form::Anything),
    optional("GroupName", Form::Anything),
    optional("Input", Form::Anything),
    optional("KmsKeyArn", Form::Anything),
    optional("Name", Form::Anything),
    optional("OmitName", Form::Flag),
    optional("PermissionsBoundary", Form::Anything),
    optional("RetryPolicy", Form::Anything),
    optional("RoleArn", Form::Anything),
    required("ScheduleExpression", Form::Anything),
    optional("ScheduleExpressionTimezone", Form::Anything),
    optional("StartDate", Form::Anything),
    optional("State", Form::Anything),
];

/// What the schedule has by the same name.
const COPIED: &[&str] = &[
    "Description",
    "EndDate",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
];

/// Adds the schedule, and the queue for its dead letters where the template wants SAM to make one.
pub(super) fn expand(
    woken: &Woken<'_>,
    name: &str,
    properties: Map<String, Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let below = |wrong: PropertyFault| fault(format!("Events.{name}.{}", wrong.path), wrong.message);
    let given = read(&Value::Object(properties), FIELDS).map_err(below)?;
    let id = format!("{}{name}", woken.id);
    let role = || json!({ "Fn::Sub": format!("arn:aws:iam::${{AWS::AccountId}}:role/${{AWS::StackName}}-{id}Role") });
    let mut target = json!({
        "Arn": woken.arn(),
        "RoleArn": given.get("RoleArn").cloned().unwrap_or_else(role),
    });
    for member in ["Input", "RetryPolicy"] {
        if let Some(value) = given.get(member) {
            target[member] = value.clone();
        }
    }
    if let Some(config) = given.get("DeadLetterConfig") {
        target["DeadLetterConfig"] = json!({ "Arn": dead_letters(&id, name, config, expansion)? });
    }
    let mut schedule = json!({
        "FlexibleTimeWindow": given.get("FlexibleTimeWindow").cloned().unwrap_or_else(|| json!({ "Mode": "OFF" })),
        "Target": target,
    });
    for member in COPIED {
        if let Some(value) = given.get(*member) {
            schedule[*member] = value.clone();
        }
    }
    match (given.get("Name"), given.get("OmitName")) {
        (Some(named), _) => schedule["Name"] = named.clone(),
        (None, Some(Value::Bool(true))) => {}
        (None, _) => schedule["Name"] = id.as_str().into(),
    }
    expansion.resources.push((id, json!({ "Type": "AWS::Scheduler::Schedule", "Properties": schedule })));
    Ok(())
}

fn dead_letters(id: &str, name: &str, config: &Value, expansion: &mut Expansion) -> Result<Value, PropertyFault> {
    match (config.get("Arn"), config.get("Type").and_then(Value::as_str)) {
        (Some(arn), None) => Ok(arn.clone()),
        (None, Some("SQS")) => {
            let queue = config.get("QueueLogicalId").and_then(Value::as_str);
            let queue = queue.map_or_else(|| format!("{id}Queue"), str::to_owned);
            expansion.resources.push((queue.clone(), json!({ "Type": "AWS::SQS::Queue", "Properties": {} })));
            Ok(json!({ "Fn::GetAtt": [queue, "Arn"] }))
        }
        (_, _) => Err(fault(format!("Events.{name}.DeadLetterConfig"), "must have an Arn, or the Type SQS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(target: Value, properties: Value) -> Result<Expansion, PropertyFault> {
        let mut expansion = Expansion::default();
        let woken = Woken { id: "Worker", target };
        let Value::Object(properties) = properties else { panic!("properties are an object") };
        expand(&woken, "Nightly", properties, &mut expansion).map(|()| expansion)
    }

    #[test]
    fn a_schedule_calls_the_function() {
        let made = expanded(
            json!({ "Ref": "Worker" }),
            json!({ "ScheduleExpression": "rate(1 hour)", "Input": "{}", "RetryPolicy": { "MaximumRetryAttempts": 2 } }),
        );
        let expected = json!({
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": { "Mode": "OFF" },
                "Target": {
                    "Arn": { "Fn::GetAtt": ["Worker", "Arn"] },
                    "RoleArn": { "Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${AWS::StackName}-WorkerNightlyRole" },
                    "Input": "{}",
                    "RetryPolicy": { "MaximumRetryAttempts": 2 },
                },
                "ScheduleExpression": "rate(1 hour)",
                "Name": "WorkerNightly",
            },
        });
        assert_eq!(made.unwrap().resources, [("WorkerNightly".to_owned(), expected)]);
    }

    #[test]
    fn an_alias_is_called_by_its_own_arn_and_dead_letters_get_a_queue() {
        let alias = json!({ "Ref": "WorkerAliaslive" });
        let properties = json!({
            "ScheduleExpression": { "Ref": "When" }, "OmitName": true, "DeadLetterConfig": { "Type": "SQS" },
        });
        let made = expanded(alias.clone(), properties).unwrap().resources;
        assert_eq!(made[0].0, "WorkerNightlyQueue");
        let schedule = &made[1].1["Properties"];
        assert_eq!(schedule["Target"]["Arn"], alias);
        assert_eq!(
            schedule["Target"]["DeadLetterConfig"],
            json!({ "Arn": { "Fn::GetAtt": ["WorkerNightlyQueue", "Arn"] } })
        );
        assert_eq!(schedule.get("Name"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (properties, path) in [
            (json!({}), "Events.Nightly.ScheduleExpression"),
            (json!({ "ScheduleExpression": "rate(1 hour)", "Scedule": 1 }), "Events.Nightly.Scedule"),
            (
                json!({ "ScheduleExpression": "rate(1 hour)", "DeadLetterConfig": {} }),
                "Events.Nightly.DeadLetterConfig",
            ),
        ] {
            assert_eq!(expanded(json!({ "Ref": "Worker" }), properties).unwrap_err().path, path);
        }
    }
}
