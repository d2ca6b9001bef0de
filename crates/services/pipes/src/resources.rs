//! `AWS::Pipes::Pipe`, as a map from properties to operations. Its physical id is its name.

use std::sync::Arc;

use contract::properties::{Field, Form, TagChange, optional, read, required};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::pipes as op;

/// The types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Pipe)]
}

struct Pipe;

/// Tags are a map here, unlike in most types. Parameters have the operation's own form, so that it judges them.
const FIELDS: &[Field] = &[
    optional("Description", Form::Text),
    optional("DesiredState", Form::Text),
    optional("Enrichment", Form::Text),
    optional("EnrichmentParameters", Form::Anything),
    optional("KmsKeyIdentifier", Form::Text),
    optional("LogConfiguration", Form::Anything),
    optional("Name", Form::Text),
    required("RoleArn", Form::Text),
    required("Source", Form::Text),
    optional("SourceParameters", Form::Anything),
    optional("Tags", Form::MapOf(&Form::Text)),
    required("Target", Form::Text),
    optional("TargetParameters", Form::Anything),
];

const NAME_LENGTH_MAX: usize = 64;
const STREAM: &str = "DynamoDBStreamParameters";
const GONE: &[&str] = &["NotFoundException"];

fn step<Op: Operation>(input: Document) -> Step {
    Step::new(Op::ID, input)
}

impl ResourceType for Pipe {
    fn name(&self) -> &'static str {
        "AWS::Pipes::Pipe"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(named(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        input.insert("Name".to_owned(), named(properties, naming).into());
        Ok(vec![step::<op::CreatePipe>(Value::Object(numbered(input)))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        let renamed = new.get("Name").and_then(Value::as_str).is_some_and(|name| name != physical_id);
        let start = |properties: &Map<String, Value>| {
            let parameters = properties.get("SourceParameters");
            parameters.and_then(|all| all.get(STREAM)?.get("StartingPosition")).cloned()
        };
        if renamed || old.get("Source") != new.get("Source") || start(&old) != start(&new) {
            return Ok(Change::Replace);
        }
        let (before, after) = (old.get("Tags").cloned(), new.remove("Tags"));
        let still = |properties: &Map<String, Value>| {
            let mut properties = properties.clone();
            properties.remove("Tags");
            properties.remove("Name");
            properties
        };
        let mut steps = Vec::new();
        if still(&old) != still(&new) {
            new.remove("Source");
            new.insert("Name".to_owned(), physical_id.into());
            // What was taken out of the template goes back to nothing.
            for (name, value) in [
                ("Description", json!("")),
                ("DesiredState", json!("RUNNING")),
                ("Enrichment", json!("")),
                ("EnrichmentParameters", json!({ "InputTemplate": "" })),
            ] {
                new.entry(name).or_insert(value);
            }
            if let Some(Value::Object(stream)) = new.get_mut("SourceParameters").and_then(|all| all.get_mut(STREAM)) {
                // It is the same, and an update does not speak of it.
                stream.remove("StartingPosition");
            }
            steps.push(step::<op::UpdatePipe>(Value::Object(numbered(new))));
        }
        let arn = format!("arn:aws:pipes:{}:{}:pipe/{physical_id}", naming.region, naming.account);
        let change = TagChange::between(&listed(before), &listed(after))?;
        if !change.gone.is_empty() {
            steps.push(step::<op::UntagResource>(json!({ "resourceArn": arn, "tagKeys": change.gone })));
        }
        if !change.set.is_empty() {
            steps.push(step::<op::TagResource>(json!({ "resourceArn": arn, "tags": change.set })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeletePipe>(json!({ "Name": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::DescribePipe>(json!({ "Name": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let text = |name: &str| answer.get(name).cloned().unwrap_or_else(|| "".into());
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Arn", text("Arn")),
                ("CreationTime", text("CreationTime")),
                ("CurrentState", text("CurrentState")),
                ("LastModifiedTime", text("LastModifiedTime")),
                ("StateReason", text("StateReason")),
            ],
        }
    }
}

fn named(properties: &Document, naming: &Naming) -> String {
    match properties.get("Name").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => naming.physical(NAME_LENGTH_MAX),
    }
}

/// Numbers that the template has as text, in the places where sources have some.
fn numbered(mut input: Map<String, Value>) -> Map<String, Value> {
    for source in ["SqsQueueParameters", STREAM] {
        let found = input.get_mut("SourceParameters").and_then(|parameters| parameters.get_mut(source));
        let Some(Value::Object(found)) = found else { continue };
        for value in found.values_mut() {
            if let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok()) {
                *value = number.into();
            }
        }
    }
    input
}

/// A map of tags as the list that the comparison wants.
fn listed(tags: Option<Value>) -> Document {
    let pairs = tags.as_ref().and_then(Value::as_object).into_iter().flatten();
    let list: Vec<Value> = pairs.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    json!({ "Tags": list })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "stack".into(),
            logical_id: "Flow".into(),
            suffix: "abc123".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        }
    }

    fn plain() -> Value {
        json!({ "RoleArn": "r", "Source": "s", "Target": "t", "SourceParameters": { "SqsQueueParameters": { "BatchSize": "5" } } })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut properties = plain();
        properties[name] = value;
        properties
    }

    #[test]
    fn a_pipe_is_made_under_its_name() {
        let steps = Pipe.create(&plain(), &naming()).unwrap();
        assert_eq!(steps[0].operation, op::CreatePipe::ID);
        assert_eq!(steps[0].input["Name"], "stack-Flow-abc123");
        assert_eq!(steps[0].input["SourceParameters"]["SqsQueueParameters"]["BatchSize"], 5);
        assert_eq!(Pipe.physical_id(&with("Name", json!("own")), &naming()).as_deref(), Some("own"));
        assert!(Pipe.check(&json!({ "Source": "s" })).is_err());
    }

    #[test]
    fn changes_are_made_in_place_but_for_another_source_or_name() {
        let change = |new: Value| Pipe.update("stack-Flow-abc123", &naming(), &plain(), &new).unwrap();
        assert_eq!(change(plain()), Change::InPlace(Vec::new()));
        for replaced in [with("Source", json!("other")), with("Name", json!("other"))] {
            assert_eq!(change(replaced), Change::Replace);
        }
        let Change::InPlace(steps) = change(with("Target", json!("u"))) else { panic!("it can be done in place") };
        assert_eq!((&steps[0].input["Target"], &steps[0].input["Enrichment"]), (&json!("u"), &json!("")));
        let stream = |start: &str, size: &str| {
            with("SourceParameters", json!({ STREAM: { "StartingPosition": start, "BatchSize": size } }))
        };
        let update = |new: Value| Pipe.update("stack-Flow-abc123", &naming(), &stream("LATEST", "5"), &new).unwrap();
        assert_eq!(update(stream("TRIM_HORIZON", "5")), Change::Replace);
        let Change::InPlace(steps) = update(stream("LATEST", "6")) else { panic!("it can be done in place") };
        assert_eq!(steps[0].input["SourceParameters"], json!({ STREAM: { "BatchSize": 6 } }));
        let Change::InPlace(steps) = change(with("Tags", json!({ "a": "1" }))) else {
            panic!("it can be done in place")
        };
        assert_eq!((steps.len(), &steps[0].input["tags"]), (1, &json!({ "a": "1" })));
    }
}
