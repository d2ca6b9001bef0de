//! `AWS::SNS::Topic`. `Ref` is the ARN.

use std::collections::BTreeMap;

use contract::properties::{TagChange, fault, known, plain, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::sns::{
    CreateTopic, DeleteTopic, GetTopicAttributes, PutDataProtectionPolicy, SetTopicAttributes, Subscribe, TagResource,
    Unsubscribe, UntagResource,
};

use super::{GONE, attribute};
use crate::model::Protocol;
use crate::model::name::FIFO_SUFFIX;
use crate::model::subscription::id_of;

const NAME_MAX: usize = 256;

/// Properties that are attributes of the same name, and what each is when it is taken out of the template.
const ATTRIBUTES: [(&str, &str); 7] = [
    ("DisplayName", ""),
    ("KmsMasterKeyId", ""),
    ("SignatureVersion", "1"),
    ("TracingConfig", "PassThrough"),
    ("ContentBasedDeduplication", "false"),
    ("FifoThroughputScope", "Topic"),
    ("ArchivePolicy", ""),
];

/// A topic, with subscriptions that are made and ended with it.
#[derive(Debug)]
pub(super) struct Topic;

impl ResourceType for Topic {
    fn name(&self) -> &'static str {
        "AWS::SNS::Topic"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let mut names: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
        names.extend([
            "TopicName",
            "FifoTopic",
            "Tags",
            "Subscription",
            "DataProtectionPolicy",
            "DeliveryStatusLogging",
        ]);
        known(properties, &names)?;
        attributes(properties)?;
        tags(properties)?;
        subscriptions(properties)?;
        match &properties["TopicName"] {
            Value::Null => Ok(()),
            Value::String(name) if is_fifo(properties) && !name.ends_with(FIFO_SUFFIX) => {
                Err(fault("TopicName", "must end in .fifo, as the topic keeps order"))
            }
            Value::String(_) => Ok(()),
            _ => Err(fault("TopicName", "must be a string")),
        }
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(arn(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let mut attributes = attributes(properties)?;
        if is_fifo(properties) {
            attributes.insert("FifoTopic".to_owned(), "true".to_owned());
        }
        let input = json!({
            "Name": topic_name(properties, naming),
            "Attributes": attributes,
            "Tags": tag_list(tags(properties)?),
        });
        let arn = arn(properties, naming);
        let mut steps = vec![Step::new(CreateTopic::ID, input)];
        steps.extend(attribute(&properties["DataProtectionPolicy"]).map(|policy| protect(&arn, &policy)));
        steps.extend(subscriptions(properties)?.iter().map(|one| subscribe(&arn, one)));
        Ok(steps)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        if physical_id != arn(new, naming) || is_fifo(old) != is_fifo(new) {
            return Ok(Change::Replace);
        }
        let (before, after) = (attributes(old)?, attributes(new)?);
        let default = |name: &str| {
            let known = ATTRIBUTES.iter().find(|(known, _)| *known == name);
            known.map_or(String::new(), |(_, default)| (*default).to_owned())
        };
        let mut steps = Vec::new();
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
            let value = after.get(name).cloned().unwrap_or_else(|| default(name));
            let input = json!({ "TopicArn": physical_id, "AttributeName": name, "AttributeValue": value });
            steps.push(Step::new(SetTopicAttributes::ID, input));
        }
        if old["DataProtectionPolicy"] != new["DataProtectionPolicy"] {
            steps.push(protect(physical_id, &attribute(&new["DataProtectionPolicy"]).unwrap_or_default()));
        }
        let TagChange { gone, set } = TagChange::between(old, new)?;
        if !gone.is_empty() {
            steps.push(Step::new(UntagResource::ID, json!({ "ResourceArn": physical_id, "TagKeys": gone })));
        }
        if !set.is_empty() {
            let input = json!({ "ResourceArn": physical_id, "Tags": tag_list(set) });
            steps.push(Step::new(TagResource::ID, input));
        }
        let (before, after) = (subscriptions(old)?, subscriptions(new)?);
        steps.extend(before.iter().filter(|one| !after.contains(one)).map(|one| unsubscribe(physical_id, one)));
        steps.extend(after.iter().filter(|one| !before.contains(one)).map(|one| subscribe(physical_id, one)));
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteTopic::ID, json!({ "TopicArn": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(GetTopicAttributes::ID, json!({ "TopicArn": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        let name = physical_id.rsplit(':').next().unwrap_or_default();
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![("TopicArn", json!(physical_id)), ("TopicName", json!(name))],
        }
    }
}

fn arn(properties: &Document, naming: &Naming) -> String {
    format!("arn:aws:sns:{}:{}:{}", naming.region, naming.account, topic_name(properties, naming))
}

fn topic_name(properties: &Document, naming: &Naming) -> String {
    match properties["TopicName"].as_str() {
        Some(name) => name.to_owned(),
        None if is_fifo(properties) => naming.physical(NAME_MAX - FIFO_SUFFIX.len()) + FIFO_SUFFIX,
        None => naming.physical(NAME_MAX),
    }
}

fn is_fifo(properties: &Document) -> bool {
    plain(&properties["FifoTopic"]).as_deref() == Some("true")
}

/// The attributes that the template sets, as text.
fn attributes(properties: &Document) -> Result<BTreeMap<String, String>, PropertyFault> {
    let set = ATTRIBUTES.iter().filter_map(|(name, _)| Some(((*name).to_owned(), attribute(&properties[*name])?)));
    let mut set: BTreeMap<String, String> = set.collect();
    let logging = match &properties["DeliveryStatusLogging"] {
        Value::Null => return Ok(set),
        Value::Array(list) => list,
        _ => return Err(fault("DeliveryStatusLogging", "must be a list")),
    };
    for (index, one) in logging.iter().enumerate() {
        let path = format!("DeliveryStatusLogging[{index}]");
        known(one, &["Protocol", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"])?;
        let protocol = match one["Protocol"].as_str() {
            Some("http" | "http/s") => "HTTP",
            Some("sqs") => "SQS",
            Some("lambda") => "Lambda",
            Some("firehose") => "Firehose",
            Some("application") => "Application",
            Some(_) | None => return Err(fault(path, "must have a Protocol")),
        };
        for name in ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"] {
            set.extend(attribute(&one[name]).map(|value| (format!("{protocol}{name}"), value)));
        }
    }
    Ok(set)
}

/// Protocols and endpoints.
fn subscriptions(properties: &Document) -> Result<Vec<(String, String)>, PropertyFault> {
    let list = match &properties["Subscription"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(fault("Subscription", "must be a list")),
    };
    let pair = |(index, one): (usize, &Value)| {
        known(one, &["Protocol", "Endpoint"])?;
        // An endpoint that is not known yet passes: it is there when the steps are asked for.
        let endpoint = plain(&one["Endpoint"]).or_else(|| one["Endpoint"].is_object().then(String::new));
        let pair = one["Protocol"].as_str().map(str::to_owned).zip(endpoint);
        pair.ok_or_else(|| fault(format!("Subscription[{index}]"), "must have a Protocol and an Endpoint"))
    };
    list.iter().enumerate().map(pair).collect()
}

fn subscribe(arn: &str, (protocol, endpoint): &(String, String)) -> Step {
    Step::new(Subscribe::ID, json!({ "TopicArn": arn, "Protocol": protocol, "Endpoint": endpoint }))
}

fn unsubscribe(arn: &str, (protocol, endpoint): &(String, String)) -> Step {
    // What is no protocol was never subscribed, and is not found.
    let id = Protocol::parse(protocol).map_or_else(|_| uuid::Uuid::nil(), |protocol| id_of(arn, protocol, endpoint));
    // Pending ones expire by themselves.
    let tolerated = &["NotFoundException", "InvalidParameterException"];
    Step::new(Unsubscribe::ID, json!({ "SubscriptionArn": format!("{arn}:{id}") })).tolerating(tolerated)
}

fn protect(arn: &str, policy: &str) -> Step {
    Step::new(PutDataProtectionPolicy::ID, json!({ "ResourceArn": arn, "DataProtectionPolicy": policy }))
}

fn tag_list(tags: BTreeMap<String, String>) -> Value {
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "News".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    fn calls(steps: &[Step]) -> Vec<(&'static str, Value)> {
        steps.iter().map(|step| (step.operation.name, step.input.clone())).collect()
    }

    #[test]
    fn a_topic_is_made_with_its_subscriptions() {
        let properties = json!({
            "FifoTopic": true,
            "ContentBasedDeduplication": true,
            "Tags": [{ "Key": "a", "Value": 1 }],
            "Subscription": [{ "Protocol": "sqs", "Endpoint": "arn:aws:sqs:eu-west-1:000000000000:q.fifo" }],
        });
        let arn = "arn:aws:sns:eu-west-1:000000000000:shop-News-1A2B.fifo";
        assert_eq!(Topic.physical_id(&properties, &naming()).as_deref(), Some(arn));
        let create = json!({
            "Name": "shop-News-1A2B.fifo",
            "Attributes": { "ContentBasedDeduplication": "true", "FifoTopic": "true" },
            "Tags": [{ "Key": "a", "Value": "1" }],
        });
        let subscribe = json!({
            "TopicArn": arn,
            "Protocol": "sqs",
            "Endpoint": "arn:aws:sqs:eu-west-1:000000000000:q.fifo",
        });
        let made = calls(&Topic.create(&properties, &naming()).expect("is made"));
        assert_eq!(made, [("CreateTopic", create), ("Subscribe", subscribe)]);
        let shown = Topic.attributes(arn, &properties, &Value::Null);
        assert_eq!((shown.reference.as_str(), shown.named.len()), (arn, 2));
    }

    #[test]
    fn changes_are_made_where_they_can_be() {
        let arn = "arn:aws:sns:eu-west-1:000000000000:news";
        let one = json!({ "Protocol": "email", "Endpoint": "a@example.com" });
        let old = json!({ "TopicName": "news", "DisplayName": "News", "Subscription": [one] });
        let new = json!({ "TopicName": "news", "SignatureVersion": 2 });
        let Change::InPlace(steps) = Topic.update(arn, &naming(), &old, &new).expect("reads") else {
            panic!("in place")
        };
        let names: Vec<(&str, &Value)> =
            steps.iter().map(|step| (step.operation.name, &step.input["AttributeValue"])).collect();
        assert_eq!(
            names,
            [("SetTopicAttributes", &json!("")), ("SetTopicAttributes", &json!("2")), ("Unsubscribe", &Value::Null)]
        );
        let renamed = json!({ "TopicName": "other" });
        assert_eq!(Topic.update(arn, &naming(), &old, &renamed).expect("reads"), Change::Replace);
    }

    #[test]
    fn wrong_properties_are_named() {
        for (properties, path) in [
            (json!({ "TopicNam": "a" }), "TopicNam"),
            (json!({ "TopicName": "a", "FifoTopic": true }), "TopicName"),
            (json!({ "Subscription": [{ "Protocol": "sqs" }] }), "Subscription[0]"),
            (json!({ "DeliveryStatusLogging": [{}] }), "DeliveryStatusLogging[0]"),
        ] {
            assert_eq!(Topic.check(&properties).expect_err("is wrong").path, path);
        }
    }
}
