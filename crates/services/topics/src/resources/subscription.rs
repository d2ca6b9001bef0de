//! `AWS::SNS::Subscription`. `Ref` is the ARN.

use std::collections::BTreeMap;

use contract::properties::{fault, known, plain};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::json;
use wire::sns::{GetSubscriptionAttributes, SetSubscriptionAttributes, Subscribe, Unsubscribe};

use super::attribute;
use crate::model::Protocol;
use crate::model::subscription::id_of;

/// Properties that are attributes of the same name.
const ATTRIBUTES: [&str; 7] = [
    "FilterPolicyScope",
    "FilterPolicy",
    "RawMessageDelivery",
    "DeliveryPolicy",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription;

impl ResourceType for Subscription {
    fn name(&self) -> &'static str {
        "AWS::SNS::Subscription"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let names: Vec<&str> = ATTRIBUTES.into_iter().chain(["TopicArn", "Protocol", "Endpoint", "Region"]).collect();
        known(properties, &names)?;
        for name in ["TopicArn", "Protocol"] {
            if properties[name].is_null() {
                return Err(fault(name, "is required"));
            }
        }
        match properties["Protocol"].as_str().map(Protocol::parse) {
            Some(Err(error)) => Err(fault("Protocol", error.to_string())),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn physical_id(&self, properties: &Document, _naming: &Naming) -> Option<String> {
        let topic = properties["TopicArn"].as_str()?;
        let protocol = Protocol::parse(properties["Protocol"].as_str()?).ok()?;
        let endpoint = plain(&properties["Endpoint"])?;
        Some(format!("{topic}:{}", id_of(topic, protocol, &endpoint)))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let input = json!({
            "TopicArn": properties["TopicArn"],
            "Protocol": properties["Protocol"],
            "Endpoint": plain(&properties["Endpoint"]),
            "Attributes": attributes(properties),
            "ReturnSubscriptionArn": true,
        });
        Ok(vec![Step::new(Subscribe::ID, input)])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first()?["SubscriptionArn"].as_str().map(str::to_owned)
    }

    fn update(
        &self,
        physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        if ["TopicArn", "Protocol", "Endpoint"].iter().any(|name| plain(&old[*name]) != plain(&new[*name])) {
            return Ok(Change::Replace);
        }
        let (before, after) = (attributes(old), attributes(new));
        let changed = ATTRIBUTES.into_iter().filter(|name| before.get(name) != after.get(name));
        let mut steps: Vec<Step> = changed
            .map(|name| {
                let default = if name == "RawMessageDelivery" { "false" } else { "" };
                let value = after.get(name).map_or(default, String::as_str);
                let input = json!({ "SubscriptionArn": physical_id, "AttributeName": name, "AttributeValue": value });
                Step::new(SetSubscriptionAttributes::ID, input)
            })
            .collect();
        // A policy that the new scope forbids goes before the scope, one that the old scope forbids comes after it.
        if plain(&new["FilterPolicyScope"]).as_deref() != Some("MessageBody") {
            steps.sort_by_key(|step| step.input["AttributeName"] == "FilterPolicyScope");
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        // Who was asked and never answered is forgotten by itself.
        let tolerated = &["NotFoundException", "InvalidParameterException"];
        vec![Step::new(Unsubscribe::ID, json!({ "SubscriptionArn": physical_id })).tolerating(tolerated)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(GetSubscriptionAttributes::ID, json!({ "SubscriptionArn": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Arn", json!(physical_id))] }
    }
}

fn attributes(properties: &Document) -> BTreeMap<&'static str, String> {
    ATTRIBUTES.into_iter().filter_map(|name| Some((name, attribute(&properties[name])?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_subscription_is_made_changed_and_ended() {
        let naming = Naming {
            stack: "s".into(),
            logical_id: "l".into(),
            suffix: "x".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        };
        let topic = "arn:aws:sns:us-east-1:000000000000:news";
        let old = json!({
            "TopicArn": topic,
            "Protocol": "sqs",
            "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q",
            "FilterPolicy": { "a": ["b"] },
            "RawMessageDelivery": true,
        });
        let arn = Subscription.physical_id(&old, &naming).expect("is known beforehand");
        assert!(arn.starts_with(&format!("{topic}:")));
        let made = Subscription.create(&old, &naming).expect("is made");
        assert_eq!(
            made[0].input["Attributes"],
            json!({ "FilterPolicy": r#"{"a":["b"]}"#, "RawMessageDelivery": "true" })
        );
        let mut new = old.clone();
        new["RawMessageDelivery"] = Value::Null;
        new["FilterPolicyScope"] = json!("MessageBody");
        new["FilterPolicy"] = json!({ "a": { "b": ["c"] } });
        let Change::InPlace(steps) = Subscription.update(&arn, &naming, &old, &new).expect("reads") else {
            panic!("in place")
        };
        let set: Vec<(&str, &str)> = steps
            .iter()
            .map(|step| {
                let text = |name: &str| step.input[name].as_str().expect("is text");
                (text("AttributeName"), text("AttributeValue"))
            })
            .collect();
        assert_eq!(
            set,
            [
                ("FilterPolicyScope", "MessageBody"),
                ("FilterPolicy", r#"{"a":{"b":["c"]}}"#),
                ("RawMessageDelivery", "false")
            ]
        );
        new["Endpoint"] = json!("other");
        assert_eq!(Subscription.update(&arn, &naming, &old, &new).expect("reads"), Change::Replace);
        assert!(Subscription.check(&json!({ "Protocol": "sqs" })).is_err());
        assert!(Subscription.check(&json!({ "TopicArn": topic, "Protocol": "pigeon" })).is_err());
    }
}
