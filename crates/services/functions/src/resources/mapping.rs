//! `AWS::Lambda::EventSourceMapping`. Its physical id is its UUID, which follows from what it connects.

use contract::properties::{Field, Form, TagChange, optional, read, required, tags};
use contract::{AccountId, Arn, Attributes, Change, Document, Naming, PropertyFault, Region, ResourceType, Step};
use serde_json::{Value, json};
use wire::lambda as op;

use super::{GONE, step, text_at};
use crate::model::mapping::id_of;
use crate::name::{Reference, Scope};

/// The type.
pub(super) struct Mapping;

/// What a queue's mapping has no use for is passed on, so that the operation refuses it in its own words.
const FIELDS: &[Field] = &[
    optional("AmazonManagedKafkaEventSourceConfig", Form::Anything),
    optional("BatchSize", Form::Whole),
    optional("BisectBatchOnFunctionError", Form::Flag),
    optional("DestinationConfig", Form::Anything),
    optional("DocumentDBEventSourceConfig", Form::Anything),
    optional("Enabled", Form::Flag),
    optional("EventSourceArn", Form::Text),
    optional("FilterCriteria", Form::Fields(&[optional("Filters", Form::ListOf(&PATTERN))])),
    required("FunctionName", Form::Text),
    optional("FunctionResponseTypes", Form::ListOf(&Form::Text)),
    optional("KmsKeyArn", Form::Text),
    optional("LoggingConfig", Form::Anything),
    optional("MaximumBatchingWindowInSeconds", Form::Whole),
    optional("MaximumRecordAgeInSeconds", Form::Whole),
    optional("MaximumRetryAttempts", Form::Whole),
    optional("MetricsConfig", Form::Anything),
    optional("ParallelizationFactor", Form::Whole),
    optional("ProvisionedPollerConfig", Form::Anything),
    optional("Queues", Form::Anything),
    optional("ScalingConfig", Form::Fields(&[optional("MaximumConcurrency", Form::Whole)])),
    optional("SelfManagedEventSource", Form::Anything),
    optional("SelfManagedKafkaEventSourceConfig", Form::Anything),
    optional("SourceAccessConfigurations", Form::Anything),
    optional("StartingPosition", Form::Text),
    optional("StartingPositionTimestamp", Form::Anything),
    optional("Tags", Form::Anything),
    optional("Topics", Form::Anything),
    optional("TumblingWindowInSeconds", Form::Whole),
];

const PATTERN: Form = Form::Fields(&[optional("Pattern", Form::Text)]);

/// Where the operation spells a property differently.
const RENAMED: (&str, &str) = ("KmsKeyArn", "KMSKeyArn");

/// What a property that was taken out of the template goes back to.
fn defaults(source: Option<&str>) -> Vec<(&'static str, Value)> {
    let is_stream = source.and_then(Arn::parse).is_some_and(|source| source.service == "dynamodb");
    let mut defaults = vec![
        ("BatchSize", json!(if is_stream { 100 } else { 10 })),
        ("Enabled", json!(true)),
        ("FilterCriteria", json!({})),
        ("FunctionResponseTypes", json!([])),
        ("MaximumBatchingWindowInSeconds", json!(0)),
        ("ScalingConfig", json!({})),
    ];
    if is_stream {
        defaults.extend([
            ("BisectBatchOnFunctionError", json!(false)),
            ("DestinationConfig", json!({})),
            ("MaximumRecordAgeInSeconds", json!(-1)),
            ("MaximumRetryAttempts", json!(-1)),
            ("ParallelizationFactor", json!(1)),
            ("TumblingWindowInSeconds", json!(0)),
        ]);
    }
    defaults
}

impl ResourceType for Mapping {
    fn name(&self) -> &'static str {
        "AWS::Lambda::EventSourceMapping"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        let read = read(properties, FIELDS).ok()?;
        let scope = Scope { account: AccountId::parse(&naming.account)?, region: Region::parse(&naming.region)? };
        let source = Arn::parse(read.get("EventSourceArn")?.as_str()?)?;
        let function = Reference::parse(&scope, read.get("FunctionName")?.as_str()?).ok()?;
        Some(id_of(&scope, &source, &function).to_string())
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        input.remove("Tags");
        if let Some(value) = input.remove(RENAMED.0) {
            input.insert(RENAMED.1.to_owned(), value);
        }
        let tags = tags(properties)?;
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), json!(tags));
        }
        Ok(vec![step::<op::CreateEventSourceMapping>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/UUID")).filter(|id| !id.is_empty())
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let retagged = TagChange::between(old, new)?;
        let (mut old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        let source = new.get("EventSourceArn").and_then(Value::as_str).map(str::to_owned);
        for fixed in ["EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "SelfManagedEventSource"] {
            if old.remove(fixed) != new.remove(fixed) {
                return Ok(Change::Replace);
            }
        }
        old.remove("Tags");
        new.remove("Tags");
        let mut steps = Vec::new();
        if old != new {
            if let Some(value) = new.remove(RENAMED.0) {
                new.insert(RENAMED.1.to_owned(), value);
            }
            for (name, value) in defaults(source.as_deref()) {
                new.entry(name).or_insert(value);
            }
            new.insert("UUID".to_owned(), physical_id.into());
            steps.push(step::<op::UpdateEventSourceMapping>(Value::Object(new)));
        }
        let arn = format!("arn:aws:lambda:{}:{}:event-source-mapping:{physical_id}", naming.region, naming.account);
        if !retagged.gone.is_empty() {
            steps.push(step::<op::UntagResource>(json!({ "Resource": arn, "TagKeys": retagged.gone })));
        }
        if !retagged.set.is_empty() {
            steps.push(step::<op::TagResource>(json!({ "Resource": arn, "Tags": retagged.set })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteEventSourceMapping>(json!({ "UUID": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetEventSourceMapping>(json!({ "UUID": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Id", physical_id.into()),
                ("EventSourceMappingArn", text_at(answer, "/EventSourceMappingArn").into()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    fn plain() -> Value {
        json!({ "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:jobs", "FunctionName": "worker", "BatchSize": "5" })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut properties = plain();
        properties[name] = value;
        properties
    }

    #[test]
    fn a_mapping_is_made_under_an_id_that_is_known_before() {
        let tagged = with("Tags", json!([{ "Key": "a", "Value": "1" }]));
        let steps = Mapping.create(&tagged, &naming()).unwrap();
        assert_eq!(operations(&steps), ["CreateEventSourceMapping"]);
        assert_eq!((&steps[0].input["BatchSize"], &steps[0].input["Tags"]), (&json!(5), &json!({ "a": "1" })));
        let id = Mapping.physical_id(&plain(), &naming()).unwrap();
        let arn = with("FunctionName", json!("arn:aws:lambda:us-east-1:000000000000:function:worker"));
        assert_eq!(Mapping.physical_id(&arn, &naming()), Some(id.clone()));
        assert_eq!(Mapping.delete(&id, &Value::Null)[0].input, json!({ "UUID": id }));
    }

    #[test]
    fn changes_are_made_in_place_but_for_another_source() {
        let change = |new: Value| Mapping.update("id", &naming(), &plain(), &new).unwrap();
        assert_eq!(changes(&change(plain())), Some(vec![]));
        let Change::InPlace(steps) = change(with("ScalingConfig", json!({ "MaximumConcurrency": "7" }))) else {
            panic!("it can be done in place")
        };
        assert_eq!(operations(&steps), ["UpdateEventSourceMapping"]);
        assert_eq!(steps[0].input["ScalingConfig"], json!({ "MaximumConcurrency": 7 }));
        assert_eq!((&steps[0].input["UUID"], &steps[0].input["FilterCriteria"]), (&json!("id"), &json!({})));
        assert_eq!(changes(&change(with("EventSourceArn", json!("arn:aws:sqs:us-east-1:000000000000:other")))), None);
        let of_stream = |attempts: Option<u32>| {
            let mut properties = json!({
                "EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1", "FunctionName": "worker",
            });
            attempts.iter().for_each(|most| properties["MaximumRetryAttempts"] = json!(most));
            properties
        };
        let Change::InPlace(steps) = Mapping.update("id", &naming(), &of_stream(Some(2)), &of_stream(None)).unwrap()
        else {
            panic!("it can be done in place")
        };
        assert_eq!((&steps[0].input["MaximumRetryAttempts"], &steps[0].input["BatchSize"]), (&json!(-1), &json!(100)));
        let retagged = change(with("Tags", json!([{ "Key": "a", "Value": "1" }])));
        assert_eq!(changes(&retagged), Some(vec!["TagResource"]));
    }
}
