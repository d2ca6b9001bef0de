//! `EventInvokeConfig` and `DeadLetterQueue` of a serverless function: what becomes of its asynchronous invocations.

use contract::properties::{Field, Form, fault, optional, read, required};
use contract::{Expansion, PropertyFault};
use serde_json::{Map, Value, json};

const CONFIG: &[Field] = &[
    optional(
        "DestinationConfig",
        Form::Fields(&[optional("OnFailure", Form::Anything), optional("OnSuccess", Form::Anything)]),
    ),
    optional("MaximumEventAgeInSeconds", Form::Whole),
    optional("MaximumRetryAttempts", Form::Whole),
];

const DESTINATION: &[Field] = &[optional("Destination", Form::Text), required("Type", Form::Text)];

const DEAD_LETTER: &[Field] = &[required("TargetArn", Form::Text), required("Type", Form::Text)];

/// Adds the configuration, and the queues and topics that it names no ARN for.
pub(super) fn configure(
    id: &str,
    alias: Option<(&str, String)>,
    config: &Value,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let within = |problem: PropertyFault| fault(format!("EventInvokeConfig.{}", problem.path), problem.message);
    let mut config = read(config, CONFIG).map_err(within)?;
    if let Some(Value::Object(destinations)) = config.remove("DestinationConfig") {
        let mut wanted = Map::new();
        for (side, destination) in destinations {
            let path = format!("EventInvokeConfig.DestinationConfig.{side}");
            let arn = arn_of(id, &side, &destination, &path, expansion)?;
            wanted.insert(side, json!({ "Destination": arn }));
        }
        config.insert("DestinationConfig".into(), Value::Object(wanted));
    }
    config.insert("FunctionName".into(), json!({ "Ref": id }));
    let mut document = json!({ "Type": "AWS::Lambda::EventInvokeConfig" });
    match alias {
        Some((name, alias_id)) => {
            config.insert("Qualifier".into(), name.into());
            document["DependsOn"] = json!([alias_id]);
        }
        None => {
            config.insert("Qualifier".into(), "$LATEST".into());
        }
    }
    document["Properties"] = Value::Object(config);
    expansion.resources.push((format!("{id}EventInvokeConfig"), document));
    Ok(())
}

/// `DeadLetterConfig` of the function.
pub(super) fn dead_letter(queue: &Value) -> Result<Value, PropertyFault> {
    let within = |problem: PropertyFault| fault(format!("DeadLetterQueue.{}", problem.path), problem.message);
    let queue = read(queue, DEAD_LETTER).map_err(within)?;
    match queue["Type"].as_str() {
        Some("SQS" | "SNS") => Ok(json!({ "TargetArn": queue["TargetArn"] })),
        Some(_) | None => Err(fault("DeadLetterQueue.Type", "must be SQS or SNS")),
    }
}

/// The destination's ARN; a queue or a topic is made where none is named.
fn arn_of(
    id: &str,
    side: &str,
    destination: &Value,
    path: &str,
    expansion: &mut Expansion,
) -> Result<Value, PropertyFault> {
    let read =
        read(destination, DESTINATION).map_err(|problem| fault(format!("{path}.{}", problem.path), problem.message))?;
    let named = read.get("Destination").cloned();
    match (read["Type"].as_str(), named) {
        (Some("SQS" | "SNS" | "Lambda" | "EventBridge"), Some(arn)) => Ok(arn),
        (Some("SQS"), None) => {
            let queue = format!("{id}EventInvokeConfig{side}Queue");
            expansion.resources.push((queue.clone(), json!({ "Type": "AWS::SQS::Queue", "Properties": {} })));
            Ok(json!({ "Fn::GetAtt": [queue, "Arn"] }))
        }
        (Some("SNS"), None) => {
            let topic = format!("{id}EventInvokeConfig{side}Topic");
            expansion.resources.push((topic.clone(), json!({ "Type": "AWS::SNS::Topic", "Properties": {} })));
            Ok(json!({ "Ref": topic }))
        }
        (Some("Lambda" | "EventBridge"), None) => Err(fault(format!("{path}.Destination"), "is required")),
        (Some(_) | None, _) => Err(fault(format!("{path}.Type"), "must be SQS, SNS, Lambda or EventBridge")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(config: Value) -> Result<Expansion, PropertyFault> {
        let mut expansion = Expansion::default();
        configure("Hello", None, &config, &mut expansion).map(|()| expansion)
    }

    #[test]
    fn destinations_are_named_or_made() {
        let made = configured(json!({
            "MaximumRetryAttempts": "1",
            "DestinationConfig": {
                "OnFailure": { "Type": "SQS" },
                "OnSuccess": { "Type": "SNS", "Destination": { "Ref": "Topic" } },
            },
        }));
        assert_eq!(
            made.unwrap().resources,
            [
                (
                    "HelloEventInvokeConfigOnFailureQueue".to_owned(),
                    json!({ "Type": "AWS::SQS::Queue", "Properties": {} })
                ),
                (
                    "HelloEventInvokeConfig".to_owned(),
                    json!({
                        "Type": "AWS::Lambda::EventInvokeConfig",
                        "Properties": {
                            "MaximumRetryAttempts": 1,
                            "DestinationConfig": {
                                "OnFailure": { "Destination": { "Fn::GetAtt": ["HelloEventInvokeConfigOnFailureQueue", "Arn"] } },
                                "OnSuccess": { "Destination": { "Ref": "Topic" } },
                            },
                            "FunctionName": { "Ref": "Hello" },
                            "Qualifier": "$LATEST",
                        },
                    })
                ),
            ]
        );
        let mut expansion = Expansion::default();
        configure("Hello", Some(("live", "HelloAliaslive".into())), &json!({}), &mut expansion).unwrap();
        assert_eq!(expansion.resources[0].1["DependsOn"], json!(["HelloAliaslive"]));
        assert_eq!(expansion.resources[0].1["Properties"]["Qualifier"], "live");
    }

    #[test]
    fn mistakes_are_named() {
        for (config, path) in [
            (json!({ "Retries": 1 }), "EventInvokeConfig.Retries"),
            (
                json!({ "DestinationConfig": { "OnFailure": { "Type": "S3" } } }),
                "EventInvokeConfig.DestinationConfig.OnFailure.Type",
            ),
            (
                json!({ "DestinationConfig": { "OnFailure": { "Type": "Lambda" } } }),
                "EventInvokeConfig.DestinationConfig.OnFailure.Destination",
            ),
        ] {
            assert_eq!(configured(config).unwrap_err().path, path);
        }
        assert_eq!(dead_letter(&json!({ "Type": "SQS" })).unwrap_err().path, "DeadLetterQueue.TargetArn");
        assert_eq!(dead_letter(&json!({ "Type": "SQS", "TargetArn": "a" })).unwrap(), json!({ "TargetArn": "a" }));
    }
}
