//! `AWS::Events::EventBus`, `AWS::Events::EventBusPolicy` and `AWS::Events::Archive`.

use contract::properties::{TagChange, fault, known, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::events::{
    CreateArchive, CreateEventBus, DeleteArchive, DeleteEventBus, DescribeArchive, DescribeEventBus, PutPermission,
    RemovePermission, TagResource, UntagResource, UpdateArchive, UpdateEventBus,
};

use super::{GONE, as_text, copied, name_of, required, tag_list};
use crate::model::name::bus_of;

/// `AWS::Events::EventBus`. The physical id is the name.
#[derive(Debug)]
pub(super) struct EventBus;

const BUS: &[(&str, &str)] = &[
    ("Description", "Description"),
    ("KmsKeyIdentifier", "KmsKeyIdentifier"),
    ("DeadLetterConfig", "DeadLetterConfig"),
    ("LogConfig", "LogConfig"),
];

impl ResourceType for EventBus {
    fn name(&self) -> &'static str {
        "AWS::Events::EventBus"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(
            properties,
            &[
                "Name",
                "Description",
                "KmsKeyIdentifier",
                "DeadLetterConfig",
                "LogConfig",
                "EventSourceName",
                "Policy",
                "Tags",
            ],
        )?;
        if !properties["EventSourceName"].is_null() {
            return Err(fault("EventSourceName", "partner event sources are not served; leave it out"));
        }
        tags(properties)?;
        required(properties, &["Name"])
    }

    fn physical_id(&self, properties: &Document, _naming: &Naming) -> Option<String> {
        properties["Name"].as_str().map(str::to_owned)
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let mut input = copied(properties, BUS);
        input.insert("Name".into(), properties["Name"].clone());
        input.insert("Tags".into(), tag_list(&tags(properties)?));
        let mut steps = vec![Step::new(CreateEventBus::ID, Value::Object(input))];
        steps.extend(policy(&properties["Name"], &properties["Policy"]));
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
        if new["Name"].as_str() != Some(physical_id) {
            return Ok(Change::Replace);
        }
        let mut input = copied(new, BUS);
        if new["Description"].is_null() {
            input.insert("Description".into(), "".into());
        }
        input.insert("Name".into(), physical_id.into());
        let mut steps = vec![Step::new(UpdateEventBus::ID, Value::Object(input))];
        match (&old["Policy"], &new["Policy"]) {
            (old, new) if old == new => {}
            (_, Value::Null) => {
                let input = json!({ "EventBusName": physical_id, "RemoveAllPermissions": true });
                steps.push(Step::new(RemovePermission::ID, input));
            }
            (_, new) => steps.extend(policy(&physical_id.into(), new)),
        }
        let arn = format!("arn:aws:events:{}:{}:event-bus/{physical_id}", naming.region, naming.account);
        let TagChange { gone, set } = TagChange::between(old, new)?;
        if !gone.is_empty() {
            steps.push(Step::new(UntagResource::ID, json!({ "ResourceARN": arn, "TagKeys": gone })));
        }
        if !set.is_empty() {
            steps.push(Step::new(TagResource::ID, json!({ "ResourceARN": arn, "Tags": tag_list(&set) })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteEventBus::ID, json!({ "Name": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeEventBus::ID, json!({ "Name": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let named = ["Arn", "Name", "Policy"].map(|name| (name, answer[name].clone()));
        Attributes { reference: physical_id.to_owned(), named: named.into() }
    }
}

fn policy(bus: &Value, policy: &Value) -> Option<Step> {
    let policy = as_text(policy)?;
    Some(Step::new(PutPermission::ID, json!({ "EventBusName": bus, "Policy": policy })))
}

/// `AWS::Events::EventBusPolicy`: one statement. With `Statement` it is the bus's whole policy; with `Action` and `Principal` it is one
/// of several. The physical id is `BUS|STATEMENT`.
#[derive(Debug)]
pub(super) struct EventBusPolicy;

impl ResourceType for EventBusPolicy {
    fn name(&self) -> &'static str {
        "AWS::Events::EventBusPolicy"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(properties, &["EventBusName", "StatementId", "Statement", "Action", "Principal", "Condition"])?;
        required(properties, &["StatementId"])?;
        match properties["Statement"].is_null() {
            true => required(properties, &["Action", "Principal"]),
            false => Ok(()),
        }
    }

    fn physical_id(&self, properties: &Document, _naming: &Naming) -> Option<String> {
        let id = properties["StatementId"].as_str()?;
        Some(format!("{}|{id}", bus_of(properties["EventBusName"].as_str())))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        Ok(vec![Step::new(PutPermission::ID, permission(properties))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        _old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        match self.physical_id(new, naming).as_deref() == Some(physical_id) {
            true => Ok(Change::InPlace(vec![Step::new(PutPermission::ID, permission(new))])),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        let (bus, id) = physical_id.split_once('|').unwrap_or(("default", physical_id));
        let input = json!({ "EventBusName": bus, "StatementId": id });
        vec![Step::new(RemovePermission::ID, input).tolerating(GONE)]
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: Vec::new() }
    }
}

fn permission(properties: &Document) -> Value {
    let bus = bus_of(properties["EventBusName"].as_str());
    if let Value::Object(statement) = &properties["Statement"] {
        let mut statement = statement.clone();
        statement.insert("Sid".into(), properties["StatementId"].clone());
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        return json!({ "EventBusName": bus, "Policy": policy.to_string() });
    }
    let same = ["StatementId", "Action", "Principal", "Condition"].map(|name| (name, name));
    let mut input = copied(properties, &same);
    input.insert("EventBusName".into(), bus.into());
    Value::Object(input)
}

/// `AWS::Events::Archive`. The physical id is the name.
#[derive(Debug)]
pub(super) struct Archive;

const ARCHIVE_NAME_MAX: usize = 48;

impl Archive {
    fn input(properties: &Document, name: &str) -> serde_json::Map<String, Value> {
        let same = ["Description", "RetentionDays", "KmsKeyIdentifier"].map(|name| (name, name));
        let mut input = copied(properties, &same);
        input.insert("ArchiveName".into(), name.into());
        if let Some(pattern) = as_text(&properties["EventPattern"]) {
            input.insert("EventPattern".into(), pattern);
        }
        input
    }
}

impl ResourceType for Archive {
    fn name(&self) -> &'static str {
        "AWS::Events::Archive"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(
            properties,
            &["ArchiveName", "SourceArn", "Description", "EventPattern", "RetentionDays", "KmsKeyIdentifier"],
        )?;
        required(properties, &["SourceArn"])
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(name_of(properties, "ArchiveName", || naming.physical(ARCHIVE_NAME_MAX)))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let name = name_of(properties, "ArchiveName", || naming.physical(ARCHIVE_NAME_MAX));
        let mut input = Self::input(properties, &name);
        input.insert("EventSourceArn".into(), properties["SourceArn"].clone());
        Ok(vec![Step::new(CreateArchive::ID, Value::Object(input))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        if self.physical_id(new, naming).as_deref() != Some(physical_id) || old["SourceArn"] != new["SourceArn"] {
            return Ok(Change::Replace);
        }
        let mut input = Self::input(new, physical_id);
        // What is taken out of the template is as if it had never been there.
        for (name, nothing) in [("Description", json!("")), ("EventPattern", json!("")), ("RetentionDays", json!(0))] {
            input.entry(name).or_insert(nothing);
        }
        Ok(Change::InPlace(vec![Step::new(UpdateArchive::ID, Value::Object(input))]))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteArchive::ID, json!({ "ArchiveName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeArchive::ID, json!({ "ArchiveName": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let named = vec![("Arn", answer["ArchiveArn"].clone()), ("ArchiveName", physical_id.into())];
        Attributes { reference: physical_id.to_owned(), named }
    }
}
