//! `AWS::Scheduler::Schedule` and `AWS::Scheduler::ScheduleGroup`, as maps from properties to operations.

use std::sync::Arc;

use contract::properties::{Field, Form, TagChange, fault, optional, read, required, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wire::scheduler as op;

use crate::model::name::DEFAULT_GROUP;

/// What templates can make.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Schedule), Arc::new(ScheduleGroup)]
}

struct Schedule;
struct ScheduleGroup;

const NAME_MAX: usize = 64;
const GONE: &[&str] = &["ResourceNotFoundException"];

const SCHEDULE: &[Field] = &[
    optional("Description", Form::Text),
    optional("EndDate", Form::Text),
    required(
        "FlexibleTimeWindow",
        Form::Fields(&[optional("MaximumWindowInMinutes", Form::Whole), required("Mode", Form::Text)]),
    ),
    optional("GroupName", Form::Text),
    optional("KmsKeyArn", Form::Text),
    optional("Name", Form::Text),
    required("ScheduleExpression", Form::Text),
    optional("ScheduleExpressionTimezone", Form::Text),
    optional("StartDate", Form::Text),
    optional("State", Form::Text),
    required("Target", Form::Fields(TARGET)),
];

const TARGET: &[Field] = &[
    required("Arn", Form::Text),
    optional("DeadLetterConfig", Form::Fields(&[optional("Arn", Form::Text)])),
    optional("EcsParameters", Form::Anything),
    optional(
        "EventBridgeParameters",
        Form::Fields(&[required("DetailType", Form::Text), required("Source", Form::Text)]),
    ),
    optional("Input", Form::Text),
    optional("KinesisParameters", Form::Fields(&[required("PartitionKey", Form::Text)])),
    optional(
        "RetryPolicy",
        Form::Fields(&[
            optional("MaximumEventAgeInSeconds", Form::Whole),
            optional("MaximumRetryAttempts", Form::Whole),
        ]),
    ),
    required("RoleArn", Form::Text),
    optional("SageMakerPipelineParameters", Form::Anything),
    optional("SqsParameters", Form::Fields(&[optional("MessageGroupId", Form::Text)])),
];

const GROUP: &[Field] = &[optional("Name", Form::Text), optional("Tags", Form::Anything)];

impl ResourceType for Schedule {
    fn name(&self) -> &'static str {
        "AWS::Scheduler::Schedule"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        wanted(properties).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(named(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = wanted(properties)?;
        input.insert("Name".into(), named(properties, naming).into());
        // A create whose answer a crash swallowed is repeated, and must find what it made.
        input.insert("ClientToken".into(), format!("stack-{}", naming.suffix).into());
        Ok(vec![Step::new(op::CreateSchedule::ID, Value::Object(input))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (before, mut after) = (wanted(old)?, wanted(new)?);
        let moved = before.get("GroupName") != after.get("GroupName");
        if moved || new["Name"].as_str().is_some_and(|name| name != physical_id) || named(new, naming) != physical_id {
            return Ok(Change::Replace);
        }
        if before == after {
            return Ok(Change::InPlace(Vec::new()));
        }
        after.insert("Name".into(), physical_id.into());
        Ok(Change::InPlace(vec![Step::new(op::UpdateSchedule::ID, Value::Object(after))]))
    }

    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        vec![Step::new(op::DeleteSchedule::ID, address(physical_id, properties)).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        Some(Step::new(op::GetSchedule::ID, address(physical_id, properties)))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Arn", answer["Arn"].clone())] }
    }
}

impl ResourceType for ScheduleGroup {
    fn name(&self) -> &'static str {
        "AWS::Scheduler::ScheduleGroup"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, GROUP)?;
        tags(properties).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(named(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let input = json!({
            "Name": named(properties, naming),
            "ClientToken": format!("stack-{}", naming.suffix),
            "Tags": pairs(tags(properties)?),
        });
        Ok(vec![Step::new(op::CreateScheduleGroup::ID, input)])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        if named(new, naming) != physical_id {
            return Ok(Change::Replace);
        }
        let TagChange { gone, set } = TagChange::between(old, new)?;
        let arn = format!("arn:aws:scheduler:{}:{}:schedule-group/{physical_id}", naming.region, naming.account);
        let mut steps = Vec::new();
        if !gone.is_empty() {
            steps.push(Step::new(op::UntagResource::ID, json!({ "ResourceArn": arn, "TagKeys": gone })));
        }
        if !set.is_empty() {
            steps.push(Step::new(op::TagResource::ID, json!({ "ResourceArn": arn, "Tags": pairs(set) })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(op::DeleteScheduleGroup::ID, json!({ "Name": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(op::GetScheduleGroup::ID, json!({ "Name": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let named = ["Arn", "CreationDate", "LastModificationDate", "State"];
        let named = named.map(|name| (name, answer[name].clone())).into();
        Attributes { reference: physical_id.to_owned(), named }
    }
}

/// The properties as the operations take them, but for the name.
fn wanted(properties: &Document) -> Result<Map<String, Value>, PropertyFault> {
    let mut input = read(properties, SCHEDULE)?;
    input.remove("Name");
    for name in ["StartDate", "EndDate"] {
        if let Some(Value::String(text)) = input.get(name) {
            let time: Timestamp = text
                .parse()
                .map_err(|_| fault(name, format!("must be a time such as 2030-01-31T12:00:00Z, not {text}")))?;
            input.insert(name.into(), (time.as_millisecond() as f64 / 1_000.0).into());
        }
    }
    Ok(input)
}

fn named(properties: &Document, naming: &Naming) -> String {
    properties["Name"].as_str().map_or_else(|| naming.physical(NAME_MAX), str::to_owned)
}

fn address(physical_id: &str, properties: &Document) -> Value {
    json!({ "Name": physical_id, "GroupName": properties["GroupName"].as_str().unwrap_or(DEFAULT_GROUP) })
}

fn pairs(tags: impl IntoIterator<Item = (String, String)>) -> Value {
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Nightly".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    fn plain() -> Value {
        json!({
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "ScheduleExpression": "rate(5 minutes)",
            "Target": { "Arn": "arn", "RoleArn": "role", "RetryPolicy": { "MaximumRetryAttempts": "3" } },
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut properties = plain();
        properties[name] = value;
        properties
    }

    fn names(steps: &[Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.operation.name).collect()
    }

    #[test]
    fn a_schedule_is_made_with_what_the_template_says() {
        let steps = Schedule.create(&with("StartDate", json!("2030-01-31T12:00:00.500Z")), &naming()).unwrap();
        assert_eq!(names(&steps), ["CreateSchedule"]);
        let input = &steps[0].input;
        assert_eq!(input["Name"], "shop-Nightly-1A2B");
        assert_eq!(input["ClientToken"], "stack-1A2B");
        assert_eq!(input["StartDate"], json!(1_896_091_200.5));
        assert_eq!(input["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 3);
        let shown = Schedule.attributes("nightly", &plain(), &json!({ "Arn": "a" }));
        assert_eq!((shown.reference.as_str(), &shown.named[0]), ("nightly", &("Arn", json!("a"))));
    }

    #[test]
    fn a_schedule_changes_in_place_unless_its_name_does() {
        let id = "shop-Nightly-1A2B";
        let update = |new: &Value| Schedule.update(id, &naming(), &plain(), new).unwrap();
        assert_eq!(update(&plain()), Change::InPlace(vec![]));
        let Change::InPlace(steps) = update(&with("State", json!("DISABLED"))) else { panic!("in place") };
        assert_eq!(names(&steps), ["UpdateSchedule"]);
        assert_eq!((&steps[0].input["Name"], &steps[0].input["State"]), (&json!(id), &json!("DISABLED")));
        assert_eq!(update(&with("Name", json!("other"))), Change::Replace);
        assert_eq!(update(&with("GroupName", json!("other"))), Change::Replace);
        let gone = Schedule.delete(id, &with("GroupName", json!("g")));
        assert_eq!(gone[0].input, json!({ "Name": id, "GroupName": "g" }));
    }

    #[test]
    fn groups_keep_their_tags_true() {
        let old = json!({ "Name": "g", "Tags": [{ "Key": "a", "Value": "1" }] });
        let new = json!({ "Name": "g", "Tags": [{ "Key": "b", "Value": 2 }] });
        let steps = ScheduleGroup.create(&old, &naming()).unwrap();
        assert_eq!(steps[0].input["Tags"], json!([{ "Key": "a", "Value": "1" }]));
        let Change::InPlace(steps) = ScheduleGroup.update("g", &naming(), &old, &new).unwrap() else {
            panic!("in place")
        };
        assert_eq!(names(&steps), ["UntagResource", "TagResource"]);
        assert_eq!(steps[0].input["ResourceArn"], "arn:aws:scheduler:eu-west-1:000000000000:schedule-group/g");
    }

    #[test]
    fn wrong_properties_are_named() {
        for (properties, path) in [
            (json!({}), "FlexibleTimeWindow"),
            (with("Taget", json!({})), "Taget"),
            (with("StartDate", json!("tomorrow")), "StartDate"),
            (with("Target", json!({ "Arn": "a" })), "Target.RoleArn"),
        ] {
            assert_eq!(Schedule.check(&properties).unwrap_err().path, path);
        }
        assert_eq!(ScheduleGroup.check(&json!({ "Nam": 1 })).unwrap_err().path, "Nam");
    }
}
