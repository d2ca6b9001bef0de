//! SAM's event `SNS`: a subscription of the function, with the permission that it needs; or, with `SqsSubscription`, a queue between.

use contract::properties::fault;
use contract::{Expansion, PropertyFault};
use serde_json::{Map, Value, json};

use super::{Woken, check_known};

const KNOWN: [&str; 6] = ["Topic", "FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy", "SqsSubscription"];
const QUEUE_KNOWN: [&str; 5] = ["QueueArn", "QueueUrl", "QueuePolicyLogicalId", "BatchSize", "Enabled"];

/// Adds the resources.
pub(super) fn expand(
    woken: &Woken<'_>,
    name: &str,
    properties: &Map<String, Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let path = |property: &str| format!("Events.{name}.{property}");
    check_known(name, properties, &KNOWN)?;
    let topic = properties.get("Topic").ok_or_else(|| fault(path("Topic"), "is required"))?;
    let id = format!("{}{name}", woken.id);
    let mut subscription = Map::from_iter([("TopicArn".to_owned(), topic.clone())]);
    for name in ["FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy"] {
        subscription.extend(properties.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let (protocol, endpoint) = match properties.get("SqsSubscription") {
        None | Some(Value::Bool(false) | Value::Null) => {
            let permission = woken.permission("sns.amazonaws.com", ("SourceArn", topic.clone()));
            expansion.resources.push((format!("{id}Permission"), permission));
            ("lambda", woken.arn())
        }
        Some(Value::Bool(true)) => {
            let queue = format!("{id}Queue");
            expansion.resources.push((queue.clone(), json!({ "Type": "AWS::SQS::Queue", "Properties": {} })));
            let address = (json!({ "Fn::GetAtt": [queue, "Arn"] }), json!({ "Ref": queue }));
            ("sqs", between(woken, &id, topic, address, &Map::new(), expansion))
        }
        Some(Value::Object(given)) => {
            check_known(&format!("{name}.SqsSubscription"), given, &QUEUE_KNOWN)?;
            let (Some(arn), Some(url)) = (given.get("QueueArn"), given.get("QueueUrl")) else {
                return Err(fault(path("SqsSubscription"), "must have QueueArn and QueueUrl"));
            };
            ("sqs", between(woken, &id, topic, (arn.clone(), url.clone()), given, expansion))
        }
        Some(_) => return Err(fault(path("SqsSubscription"), "must be true, false or an object")),
    };
    subscription.insert("Protocol".to_owned(), protocol.into());
    subscription.insert("Endpoint".to_owned(), endpoint);
    expansion.resources.push((id, json!({ "Type": "AWS::SNS::Subscription", "Properties": subscription })));
    Ok(())
}

/// The queue's policy and what reads it; answers the queue's ARN.
fn between(
    woken: &Woken<'_>,
    id: &str,
    topic: &Value,
    (arn, url): (Value, Value),
    given: &Map<String, Value>,
    expansion: &mut Expansion,
) -> Value {
    let statement = json!({
        "Effect": "Allow",
        "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let policy =
        json!({ "Type": "AWS::SQS::QueuePolicy", "Properties": { "Queues": [url], "PolicyDocument": policy } });
    let named = given.get("QueuePolicyLogicalId").and_then(Value::as_str).map(str::to_owned);
    expansion.resources.push((named.unwrap_or_else(|| format!("{id}QueuePolicy")), policy));
    let mut mapping = json!({
        "EventSourceArn": arn,
        "FunctionName": woken.target,
        "BatchSize": given.get("BatchSize").cloned().unwrap_or_else(|| json!(10)),
    });
    if let Some(enabled) = given.get("Enabled") {
        mapping["Enabled"] = enabled.clone();
    }
    let mapping = json!({ "Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping });
    expansion.resources.push((format!("{id}EventSourceMapping"), mapping));
    arn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(properties: Value) -> Result<Expansion, PropertyFault> {
        let mut expansion = Expansion::default();
        let woken = Woken { id: "Worker", target: json!({ "Ref": "Worker" }) };
        let properties = properties.as_object().cloned().unwrap_or_default();
        expand(&woken, "News", &properties, &mut expansion).map(|()| expansion)
    }

    fn ids(expansion: &Expansion) -> Vec<(&str, &str)> {
        expansion.resources.iter().map(|(id, resource)| (id.as_str(), resource["Type"].as_str().unwrap())).collect()
    }

    #[test]
    fn a_topic_becomes_a_subscription_and_a_permission() {
        let topic = json!({ "Ref": "Topic" });
        let made = expanded(json!({ "Topic": topic, "FilterPolicy": { "a": ["b"] } })).unwrap();
        assert_eq!(
            ids(&made),
            [("WorkerNewsPermission", "AWS::Lambda::Permission"), ("WorkerNews", "AWS::SNS::Subscription")]
        );
        assert_eq!(
            made.resources[1].1["Properties"],
            json!({
                "TopicArn": topic,
                "FilterPolicy": { "a": ["b"] },
                "Protocol": "lambda",
                "Endpoint": { "Fn::GetAtt": ["Worker", "Arn"] },
            })
        );
    }

    #[test]
    fn a_queue_may_stand_between() {
        let made = expanded(json!({ "Topic": "arn", "SqsSubscription": true })).unwrap();
        assert_eq!(
            ids(&made),
            [
                ("WorkerNewsQueue", "AWS::SQS::Queue"),
                ("WorkerNewsQueuePolicy", "AWS::SQS::QueuePolicy"),
                ("WorkerNewsEventSourceMapping", "AWS::Lambda::EventSourceMapping"),
                ("WorkerNews", "AWS::SNS::Subscription"),
            ]
        );
        let own = json!({ "QueueArn": "q", "QueueUrl": "u", "BatchSize": 3 });
        let made = expanded(json!({ "Topic": "arn", "SqsSubscription": own })).unwrap();
        assert_eq!(made.resources[1].1["Properties"]["BatchSize"], 3);
        assert_eq!(made.resources[2].1["Properties"]["Endpoint"], "q");
    }

    #[test]
    fn wrong_events_are_named() {
        for (properties, expected) in [
            (json!({}), "Events.News.Topic"),
            (json!({ "Topc": "a" }), "Events.News.Topc"),
            (json!({ "Topic": "a", "SqsSubscription": 1 }), "Events.News.SqsSubscription"),
            (json!({ "Topic": "a", "SqsSubscription": {} }), "Events.News.SqsSubscription"),
        ] {
            assert_eq!(expanded(properties).unwrap_err().path, expected);
        }
    }
}
