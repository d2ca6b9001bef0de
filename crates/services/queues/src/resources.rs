//! `AWS::SQS::Queue` and `AWS::SQS::QueuePolicy`, as maps from properties to operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::properties::{TagChange, fault, known, plain, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::sqs::{CreateQueue, DeleteQueue, GetQueueAttributes, SetQueueAttributes, TagQueue, UntagQueue};

use crate::model::name::FIFO_SUFFIX;

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Queue), Arc::new(QueuePolicy)]
}

const NAME_MAX: usize = 80;
const GONE: &[&str] = &["QueueDoesNotExist"];

/// Properties that are attributes of the same name, and what each is when it is taken out of the template.
const ATTRIBUTES: [(&str, &str); 13] = [
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("VisibilityTimeout", "30"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedrivePolicy", ""),
    ("RedriveAllowPolicy", ""),
    ("KmsMasterKeyId", ""),
    ("KmsDataKeyReusePeriodSeconds", "300"),
    ("SqsManagedSseEnabled", "true"),
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

/// `AWS::SQS::Queue`. `Ref` is the address, as in CloudFormation; so the physical id is known only when the queue was made. To make it
/// twice makes nothing twice: the same name with the same attributes is the same queue.
#[derive(Debug)]
pub struct Queue;

impl ResourceType for Queue {
    fn name(&self) -> &'static str {
        "AWS::SQS::Queue"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let mut names: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
        names.extend(["QueueName", "FifoQueue", "Tags"]);
        known(properties, &names)?;
        attributes(properties)?;
        tags(properties)?;
        match &properties["QueueName"] {
            Value::Null => Ok(()),
            Value::String(name) if is_fifo(properties) && !name.ends_with(FIFO_SUFFIX) => {
                Err(fault("QueueName", "must end in .fifo, as the queue keeps order"))
            }
            Value::String(_) => Ok(()),
            _ => Err(fault("QueueName", "must be a string")),
        }
    }

    fn physical_id(&self, _properties: &Document, _naming: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let mut attributes = attributes(properties)?;
        if is_fifo(properties) {
            attributes.insert("FifoQueue", "true".to_owned());
        }
        let input = json!({
            "QueueName": queue_name(properties, naming),
            "Attributes": attributes,
            "tags": tags(properties)?,
        });
        Ok(vec![Step::new(CreateQueue::ID, input)])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first()?["QueueUrl"].as_str().map(str::to_owned)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        if physical_id.rsplit('/').next() != Some(&queue_name(new, naming)) || is_fifo(old) != is_fifo(new) {
            return Ok(Change::Replace);
        }
        let (before, after) = (attributes(old)?, attributes(new)?);
        let changed: BTreeMap<&str, String> = ATTRIBUTES
            .iter()
            .filter(|(name, _)| before.get(name) != after.get(name))
            .map(|(name, default)| (*name, after.get(name).cloned().unwrap_or_else(|| (*default).to_owned())))
            .collect();
        let mut steps = Vec::new();
        if !changed.is_empty() {
            let input = json!({ "QueueUrl": physical_id, "Attributes": changed });
            steps.push(Step::new(SetQueueAttributes::ID, input));
        }
        let TagChange { gone, set } = TagChange::between(old, new)?;
        if !gone.is_empty() {
            steps.push(Step::new(UntagQueue::ID, json!({ "QueueUrl": physical_id, "TagKeys": gone })));
        }
        if !set.is_empty() {
            steps.push(Step::new(TagQueue::ID, json!({ "QueueUrl": physical_id, "Tags": set })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteQueue::ID, json!({ "QueueUrl": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        let input = json!({ "QueueUrl": physical_id, "AttributeNames": ["QueueArn"] });
        Some(Step::new(GetQueueAttributes::ID, input))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let name = physical_id.rsplit('/').next().unwrap_or_default();
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Arn", answer["Attributes"]["QueueArn"].clone()),
                ("QueueName", json!(name)),
                ("QueueUrl", json!(physical_id)),
            ],
        }
    }
}

/// `AWS::SQS::QueuePolicy`: one policy for several queues.
#[derive(Debug)]
pub struct QueuePolicy;

impl ResourceType for QueuePolicy {
    fn name(&self) -> &'static str {
        "AWS::SQS::QueuePolicy"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(properties, &["Queues", "PolicyDocument"])?;
        if !properties["PolicyDocument"].is_object() {
            return Err(fault("PolicyDocument", "must be a policy"));
        }
        match properties["Queues"].as_array() {
            Some(queues) if !queues.is_empty() => Ok(()),
            Some(_) | None => Err(fault("Queues", "must be a list of queues")),
        }
    }

    fn physical_id(&self, _properties: &Document, naming: &Naming) -> Option<String> {
        Some(naming.physical(NAME_MAX))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let policy = properties["PolicyDocument"].to_string();
        Ok(queues(properties).map(|url| set_policy(url, &policy)).collect())
    }

    fn update(
        &self,
        _physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let mut steps = self.create(new, naming)?;
        let kept: Vec<&Value> = queues(new).collect();
        steps.extend(queues(old).filter(|url| !kept.contains(url)).map(|url| set_policy(url, "").tolerating(GONE)));
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, _physical_id: &str, properties: &Document) -> Vec<Step> {
        queues(properties).map(|url| set_policy(url, "").tolerating(GONE)).collect()
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Id", json!(physical_id))] }
    }
}

fn queues(properties: &Document) -> impl Iterator<Item = &Value> {
    properties["Queues"].as_array().into_iter().flatten()
}

fn set_policy(url: &Value, policy: &str) -> Step {
    Step::new(SetQueueAttributes::ID, json!({ "QueueUrl": url, "Attributes": { "Policy": policy } }))
}

fn queue_name(properties: &Document, naming: &Naming) -> String {
    match properties["QueueName"].as_str() {
        Some(name) => name.to_owned(),
        None if is_fifo(properties) => naming.physical(NAME_MAX - FIFO_SUFFIX.len()) + FIFO_SUFFIX,
        None => naming.physical(NAME_MAX),
    }
}

fn is_fifo(properties: &Document) -> bool {
    plain(&properties["FifoQueue"]).as_deref() == Some("true")
}

/// The attributes that the template sets, as text.
fn attributes(properties: &Document) -> Result<BTreeMap<&'static str, String>, PropertyFault> {
    let mut set = BTreeMap::new();
    for (name, _) in ATTRIBUTES {
        match &properties[name] {
            Value::Null => {}
            policy @ Value::Object(_) if name.ends_with("Policy") => drop(set.insert(name, policy.to_string())),
            value => {
                let text = plain(value).ok_or_else(|| fault(name, "must be a text, a number or a truth"))?;
                set.insert(name, text);
            }
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Jobs".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    fn calls(steps: &[Step]) -> Vec<(&'static str, Value)> {
        steps.iter().map(|step| (step.operation.name, step.input.clone())).collect()
    }

    #[test]
    fn a_queue_is_made_with_what_the_template_says() {
        let properties = json!({
            "FifoQueue": true,
            "DelaySeconds": 5,
            "RedrivePolicy": { "deadLetterTargetArn": "arn", "maxReceiveCount": 3 },
            "Tags": [{ "Key": "a", "Value": 1 }],
        });
        let expected = json!({
            "QueueName": "shop-Jobs-1A2B.fifo",
            "Attributes": {
                "DelaySeconds": "5",
                "FifoQueue": "true",
                "RedrivePolicy": r#"{"deadLetterTargetArn":"arn","maxReceiveCount":3}"#,
            },
            "tags": { "a": "1" },
        });
        assert_eq!(calls(&Queue.create(&properties, &naming()).unwrap()), [("CreateQueue", expected)]);
        let url = "http://localhost:4566/000000000000/jobs";
        assert_eq!(Queue.identify(&[json!({ "QueueUrl": url })]).as_deref(), Some(url));
        let shown = Queue.attributes(url, &json!({}), &json!({ "Attributes": { "QueueArn": "arn" } }));
        assert_eq!(shown.reference, url);
        assert_eq!(shown.named[..2], [("Arn", json!("arn")), ("QueueName", json!("jobs"))]);
    }

    #[test]
    fn changes_are_made_where_they_can_be() {
        let url = "http://localhost:4566/000000000000/jobs";
        let old = json!({ "QueueName": "jobs", "DelaySeconds": 5, "VisibilityTimeout": 7 });
        let new = json!({ "QueueName": "jobs", "VisibilityTimeout": 8, "Tags": [{ "Key": "a", "Value": "b" }] });
        let Change::InPlace(steps) = Queue.update(url, &naming(), &old, &new).unwrap() else { panic!("in place") };
        let attributes = json!({ "DelaySeconds": "0", "VisibilityTimeout": "8" });
        assert_eq!(
            calls(&steps),
            [
                ("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": attributes })),
                ("TagQueue", json!({ "QueueUrl": url, "Tags": { "a": "b" } })),
            ]
        );
        let renamed = json!({ "QueueName": "other" });
        assert_eq!(Queue.update(url, &naming(), &old, &renamed).unwrap(), Change::Replace);
    }

    #[test]
    fn a_policy_is_set_and_taken_back() {
        let properties = json!({ "Queues": ["u1", "u2"], "PolicyDocument": { "Statement": [] } });
        let made = calls(&QueuePolicy.create(&properties, &naming()).unwrap());
        let set = |url: &str, policy: &str| {
            ("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": { "Policy": policy } }))
        };
        assert_eq!(made, [set("u1", r#"{"Statement":[]}"#), set("u2", r#"{"Statement":[]}"#)]);
        let fewer = json!({ "Queues": ["u1"], "PolicyDocument": {} });
        let Change::InPlace(steps) = QueuePolicy.update("p", &naming(), &properties, &fewer).unwrap() else {
            panic!("in place")
        };
        assert_eq!(calls(&steps), [set("u1", "{}"), set("u2", "")]);
        assert_eq!(calls(&QueuePolicy.delete("p", &fewer)), [set("u1", "")]);
    }

    #[test]
    fn wrong_properties_are_named() {
        for (properties, expected) in [
            (json!({ "QueuName": "a" }), "QueuName: there is no such property. Did you mean 'QueueName'?"),
            (json!({ "DelaySeconds": [] }), "DelaySeconds: must be a text, a number or a truth"),
            (json!({ "QueueName": "a", "FifoQueue": true }), "QueueName: must end in .fifo, as the queue keeps order"),
            (json!({ "Tags": [{}] }), "Tags[0]: must have a Key and a Value"),
        ] {
            let fault = Queue.check(&properties).unwrap_err();
            assert_eq!(format!("{}: {}", fault.path, fault.message), expected);
        }
        assert!(QueuePolicy.check(&json!({ "Queues": [] })).is_err());
    }
}
