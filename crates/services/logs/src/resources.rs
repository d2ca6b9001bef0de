//! `AWS::Logs::LogGroup` and `AWS::Logs::LogStream`, as maps from properties to operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::properties::{TagChange, fault, known, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::logs::{
    CreateLogGroup, CreateLogStream, DeleteLogGroup, DeleteLogStream, DeleteRetentionPolicy, DescribeLogGroups,
    GetLogEvents, PutRetentionPolicy, TagLogGroup, UntagLogGroup,
};

use crate::model::RETENTION_DAYS;

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(LogGroup), Arc::new(LogStream)]
}

const NAME_MAX: usize = 512;
const CLASSES: &[&str] = &["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
const GONE: &[&str] = &["ResourceNotFoundException"];

/// `AWS::Logs::LogGroup`. `Ref` is the name, `Arn` ends in `:*`.
#[derive(Debug)]
pub struct LogGroup;

impl ResourceType for LogGroup {
    fn name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        Group::read(properties).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(name_or(properties, "LogGroupName", naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let group = Group::read(properties)?;
        let name = name_or(properties, "LogGroupName", naming);
        let mut input = Map::from_iter([("logGroupName".to_owned(), json!(name))]);
        if !group.tags.is_empty() {
            input.insert("tags".into(), json!(group.tags));
        }
        if let Some(class) = group.class {
            input.insert("logGroupClass".into(), json!(class));
        }
        if let Some(key) = group.kms_key {
            input.insert("kmsKeyId".into(), json!(key));
        }
        if group.is_protected {
            input.insert("deletionProtectionEnabled".into(), json!(true));
        }
        let mut steps = vec![Step::new(CreateLogGroup::ID, Value::Object(input))];
        if let Some(days) = group.retention_days {
            steps.push(put_retention(&name, days));
        }
        Ok(steps)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (before, after) = (Group::read(old)?, Group::read(new)?);
        if name_or(new, "LogGroupName", naming) != physical_id {
            return Ok(Change::Replace);
        }
        for (path, is_changed) in [
            ("LogGroupClass", before.class.unwrap_or("STANDARD") != after.class.unwrap_or("STANDARD")),
            ("KmsKeyId", before.kms_key != after.kms_key),
            ("DeletionProtectionEnabled", before.is_protected != after.is_protected),
        ] {
            if is_changed {
                let message = "cannot be changed once the log group exists; make another log group under another name";
                return Err(fault(path, message));
            }
        }
        let mut steps = Vec::new();
        match after.retention_days {
            days if days == before.retention_days => {}
            Some(days) => steps.push(put_retention(physical_id, days)),
            None => steps.push(Step::new(DeleteRetentionPolicy::ID, json!({ "logGroupName": physical_id }))),
        }
        let TagChange { gone, set } = TagChange::between(old, new)?;
        if !gone.is_empty() {
            steps.push(Step::new(UntagLogGroup::ID, json!({ "logGroupName": physical_id, "tags": gone })));
        }
        if !set.is_empty() {
            steps.push(Step::new(TagLogGroup::ID, json!({ "logGroupName": physical_id, "tags": set })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteLogGroup::ID, json!({ "logGroupName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeLogGroups::ID, json!({ "logGroupIdentifiers": [physical_id] })))
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        match answer["logGroups"].as_array().is_some_and(|groups| !groups.is_empty()) {
            true => Ok(true),
            false => Err("the log group is not there any more".into()),
        }
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let arn = answer["logGroups"][0]["arn"].clone();
        Attributes { reference: physical_id.to_owned(), named: vec![("Arn", arn)] }
    }
}

/// `AWS::Logs::LogStream`. `Ref` is the name.
#[derive(Debug)]
pub struct LogStream;

impl ResourceType for LogStream {
    fn name(&self) -> &'static str {
        "AWS::Logs::LogStream"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(properties, &["LogGroupName", "LogStreamName"])?;
        text(properties, "LogStreamName")?;
        text(properties, "LogGroupName")?.map(|_| ()).ok_or_else(|| fault("LogGroupName", "is missing"))
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(name_or(properties, "LogStreamName", naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let name = name_or(properties, "LogStreamName", naming);
        Ok(vec![Step::new(CreateLogStream::ID, of_stream(&name, properties))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        let is_same =
            old["LogGroupName"] == new["LogGroupName"] && name_or(new, "LogStreamName", naming) == physical_id;
        Ok(if is_same { Change::InPlace(Vec::new()) } else { Change::Replace })
    }

    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteLogStream::ID, of_stream(physical_id, properties)).tolerating(GONE)]
    }

    /// It has no operation of its own that tells one stream: its first event, or that there is none, tells that it is there. So one that
    /// somebody else made is known before anything is made under its name.
    fn read(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        let mut input = of_stream(physical_id, properties);
        input["limit"] = json!(1);
        Some(Step::new(GetLogEvents::ID, input))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: Vec::new() }
    }
}

/// A log group's properties, read.
struct Group<'a> {
    retention_days: Option<i64>,
    tags: BTreeMap<String, String>,
    class: Option<&'a str>,
    kms_key: Option<&'a str>,
    is_protected: bool,
}

impl<'a> Group<'a> {
    fn read(properties: &'a Document) -> Result<Self, PropertyFault> {
        const KNOWN: &[&str] =
            &["LogGroupName", "RetentionInDays", "Tags", "LogGroupClass", "KmsKeyId", "DeletionProtectionEnabled"];
        known(properties, KNOWN)?;
        text(properties, "LogGroupName")?;
        Ok(Self {
            retention_days: retention(properties)?,
            tags: tags(properties)?,
            class: class(properties)?,
            kms_key: text(properties, "KmsKeyId")?,
            is_protected: truth(properties, "DeletionProtectionEnabled")?.unwrap_or_default(),
        })
    }
}

/// Only some numbers of days are there to choose from: told before the group is made, and not after.
fn retention(properties: &Document) -> Result<Option<i64>, PropertyFault> {
    let Some(days) = whole(properties, "RetentionInDays")? else { return Ok(None) };
    match u32::try_from(days).is_ok_and(|days| RETENTION_DAYS.contains(&days)) {
        true => Ok(Some(days)),
        false => {
            let values = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            Err(fault("RetentionInDays", format!("{days} is not one of {values}")))
        }
    }
}

/// Text that is a class, or that will only be known later.
fn class(properties: &Document) -> Result<Option<&str>, PropertyFault> {
    match text(properties, "LogGroupClass")? {
        Some(other) if !CLASSES.contains(&other) => {
            Err(fault("LogGroupClass", format!("'{other}' is not one of {}", CLASSES.join(", "))))
        }
        class => Ok(class),
    }
}

fn put_retention(name: &str, days: i64) -> Step {
    Step::new(PutRetentionPolicy::ID, json!({ "logGroupName": name, "retentionInDays": days }))
}

fn of_stream(name: &str, properties: &Document) -> Document {
    json!({ "logGroupName": properties["LogGroupName"], "logStreamName": name })
}

fn name_or(properties: &Document, path: &str, naming: &Naming) -> String {
    properties[path].as_str().map_or_else(|| naming.physical(NAME_MAX), str::to_owned)
}

fn text<'a>(properties: &'a Document, path: &str) -> Result<Option<&'a str>, PropertyFault> {
    match &properties[path] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(fault(path, "must be a string")),
    }
}

/// A whole number, which templates may write as text.
fn whole(properties: &Document, path: &str) -> Result<Option<i64>, PropertyFault> {
    let value = &properties[path];
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    if value.is_null() || number.is_some() { Ok(number) } else { Err(fault(path, "must be a whole number")) }
}

/// A truth, which templates may write as text.
fn truth(properties: &Document, path: &str) -> Result<Option<bool>, PropertyFault> {
    let value = &properties[path];
    let truth = value.as_bool().or_else(|| value.as_str()?.parse().ok());
    if value.is_null() || truth.is_some() { Ok(truth) } else { Err(fault(path, "must be true or false")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Log".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    fn calls(steps: &[Step]) -> Vec<(&'static str, Value)> {
        steps.iter().map(|step| (step.operation.name, step.input.clone())).collect()
    }

    #[test]
    fn a_group_is_made_with_what_the_template_says() {
        let properties =
            json!({ "RetentionInDays": "7", "Tags": [{ "Key": "a", "Value": 1 }], "LogGroupClass": "STANDARD" });
        assert_eq!(LogGroup.physical_id(&properties, &naming()).as_deref(), Some("shop-Log-1A2B"));
        assert_eq!(
            calls(&LogGroup.create(&properties, &naming()).unwrap()),
            [
                (
                    "CreateLogGroup",
                    json!({ "logGroupName": "shop-Log-1A2B", "tags": { "a": "1" }, "logGroupClass": "STANDARD" })
                ),
                ("PutRetentionPolicy", json!({ "logGroupName": "shop-Log-1A2B", "retentionInDays": 7 })),
            ]
        );
        let empty = LogGroup.create(&json!({ "LogGroupName": "g" }), &naming()).unwrap();
        assert_eq!(calls(&empty), [("CreateLogGroup", json!({ "logGroupName": "g" }))]);
    }

    #[test]
    fn a_change_is_the_difference() {
        let tag = |name: &str, value: &str| json!({ "Key": name, "Value": value });
        let old =
            json!({ "LogGroupName": "g", "RetentionInDays": 7, "Tags": [tag("a", "1"), tag("b", "2"), tag("c", "3")] });
        let new = json!({ "LogGroupName": "g", "Tags": [tag("a", "1"), tag("b", "9")] });
        let Change::InPlace(steps) = LogGroup.update("g", &naming(), &old, &new).unwrap() else { panic!("replaced") };
        assert_eq!(
            calls(&steps),
            [
                ("DeleteRetentionPolicy", json!({ "logGroupName": "g" })),
                ("UntagLogGroup", json!({ "logGroupName": "g", "tags": ["c"] })),
                ("TagLogGroup", json!({ "logGroupName": "g", "tags": { "b": "9" } })),
            ]
        );
        assert_eq!(LogGroup.update("g", &naming(), &old, &old), Ok(Change::InPlace(Vec::new())));
        assert_eq!(LogGroup.update("g", &naming(), &old, &json!({ "LogGroupName": "h" })), Ok(Change::Replace));
        let class = json!({ "LogGroupName": "g", "LogGroupClass": "DELIVERY" });
        assert_eq!(LogGroup.update("g", &naming(), &old, &class).unwrap_err().path, "LogGroupClass");
    }

    #[test]
    fn a_stream_belongs_to_its_group() {
        let properties = json!({ "LogGroupName": "g" });
        let steps = LogStream.create(&properties, &naming()).unwrap();
        let input = json!({ "logGroupName": "g", "logStreamName": "shop-Log-1A2B" });
        assert_eq!(calls(&steps), [("CreateLogStream", input.clone())]);
        let steps = LogStream.delete("shop-Log-1A2B", &properties);
        assert_eq!(calls(&steps), [("DeleteLogStream", input)]);
        let read = LogStream.read("shop-Log-1A2B", &properties).unwrap();
        let input = json!({ "logGroupName": "g", "logStreamName": "shop-Log-1A2B", "limit": 1 });
        assert_eq!((read.operation.name, read.input), ("GetLogEvents", input));
        assert_eq!(steps[0].tolerate, GONE);
        let other = json!({ "LogGroupName": "h" });
        assert_eq!(LogStream.update("shop-Log-1A2B", &naming(), &properties, &other), Ok(Change::Replace));
    }

    #[test]
    fn wrong_properties_say_which() {
        for (properties, path) in [
            (json!({ "Retention": 1 }), "Retention"),
            (json!({ "RetentionInDays": "soon" }), "RetentionInDays"),
            (json!({ "RetentionInDays": 2 }), "RetentionInDays"),
            (json!({ "RetentionInDays": -7 }), "RetentionInDays"),
            (json!({ "LogGroupClass": "standard" }), "LogGroupClass"),
            (json!({ "Tags": {} }), "Tags"),
            (json!({ "Tags": [{ "Key": "a" }] }), "Tags[0]"),
            (json!({ "LogGroupName": 1 }), "LogGroupName"),
            (json!({ "DeletionProtectionEnabled": "maybe" }), "DeletionProtectionEnabled"),
            (json!([]), "Properties"),
        ] {
            assert_eq!(LogGroup.check(&properties).unwrap_err().path, path, "{properties}");
        }
        assert_eq!(LogStream.check(&json!({})).unwrap_err().path, "LogGroupName");
        let message = |name: &str| LogGroup.check(&json!({ name: 1 })).unwrap_err().message;
        assert_eq!(message("RetentionInDay"), "there is no such property. Did you mean 'RetentionInDays'?");
        let class = LogGroup.check(&json!({ "LogGroupClass": "Standard" })).unwrap_err().message;
        assert_eq!(class, "'Standard' is not one of STANDARD, INFREQUENT_ACCESS, DELIVERY");
        assert!(message("DataProtectionPolicy").ends_with(", LogGroupClass, KmsKeyId, DeletionProtectionEnabled."));
    }
}
