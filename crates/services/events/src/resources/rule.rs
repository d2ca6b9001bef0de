//! `AWS::Events::Rule`, with its targets.

use contract::properties::{TagChange, fault, known, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::events::{DeleteRule, DescribeRule, PutRule, PutTargets, RemoveTargets, TagResource, UntagResource};

use super::{GONE, as_text, copied, is_textual, name_of, tag_list};
use crate::model::DEFAULT;
use crate::model::name::bus_of;

const NAME_MAX: usize = 64;

/// The type. The physical id is the rule's name; on a bus of its own, `BUS|NAME`, as CloudFormation has it.
#[derive(Debug)]
pub(super) struct Rule;

impl ResourceType for Rule {
    fn name(&self) -> &'static str {
        "AWS::Events::Rule"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(
            properties,
            &[
                "Name",
                "Description",
                "EventBusName",
                "EventPattern",
                "ScheduleExpression",
                "State",
                "RoleArn",
                "Targets",
                "Tags",
            ],
        )?;
        tags(properties)?;
        if properties["EventPattern"].is_null() && properties["ScheduleExpression"].is_null() {
            return Err(fault("EventPattern", "is missing, and so is ScheduleExpression: a rule needs one of them"));
        }
        if !is_textual(&properties["Name"]) {
            return Err(fault("Name", "must be a string"));
        }
        for (at, target) in targets(properties)?.iter().enumerate() {
            for name in ["Id", "Arn"] {
                if target[name].is_null() {
                    return Err(fault(format!("Targets[{at}].{name}"), "is missing"));
                }
            }
        }
        Ok(())
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(id(bus(properties), &name_of(properties, "Name", || naming.physical(NAME_MAX))))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let id = id(bus(properties), &name_of(properties, "Name", || naming.physical(NAME_MAX)));
        let mut rule = put(&id, properties);
        rule["Tags"] = tag_list(&tags(properties)?);
        let mut steps = vec![Step::new(PutRule::ID, rule)];
        steps.extend(put_targets(&id, properties)?);
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
        if self.physical_id(new, naming).as_deref() != Some(physical_id) {
            return Ok(Change::Replace);
        }
        let mut steps = vec![Step::new(PutRule::ID, put(physical_id, new))];
        let kept = targets(new)?;
        let is_kept = |id: &Value| kept.iter().any(|target| target["Id"] == *id);
        let gone: Vec<&Value> = targets(old)?.iter().map(|target| &target["Id"]).filter(|id| !is_kept(id)).collect();
        if !gone.is_empty() {
            let (bus, name) = parts(physical_id);
            let input = json!({ "Rule": name, "EventBusName": bus, "Ids": gone });
            steps.push(Step::new(RemoveTargets::ID, input));
        }
        steps.extend(put_targets(physical_id, new)?);
        let TagChange { gone, set } = TagChange::between(old, new)?;
        let (bus, name) = parts(physical_id);
        let resource = match bus {
            DEFAULT => format!("rule/{name}"),
            bus => format!("rule/{bus}/{name}"),
        };
        let arn = format!("arn:aws:events:{}:{}:{resource}", naming.region, naming.account);
        if !gone.is_empty() {
            steps.push(Step::new(UntagResource::ID, json!({ "ResourceARN": arn, "TagKeys": gone })));
        }
        if !set.is_empty() {
            steps.push(Step::new(TagResource::ID, json!({ "ResourceARN": arn, "Tags": tag_list(&set) })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        let (bus, name) = parts(physical_id);
        let mut steps = Vec::new();
        let ids: Vec<&Value> = targets(properties).unwrap_or_default().iter().map(|target| &target["Id"]).collect();
        if !ids.is_empty() {
            let input = json!({ "Rule": name, "EventBusName": bus, "Ids": ids });
            steps.push(Step::new(RemoveTargets::ID, input).tolerating(GONE));
        }
        steps.push(Step::new(DeleteRule::ID, json!({ "Name": name, "EventBusName": bus })).tolerating(GONE));
        steps
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        let (bus, name) = parts(physical_id);
        Some(Step::new(DescribeRule::ID, json!({ "Name": name, "EventBusName": bus })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Arn", answer["Arn"].clone())] }
    }
}

fn bus(properties: &Document) -> &str {
    bus_of(properties["EventBusName"].as_str())
}

fn id(bus: &str, name: &str) -> String {
    match bus {
        DEFAULT => name.to_owned(),
        bus => format!("{bus}|{name}"),
    }
}

fn parts(physical_id: &str) -> (&str, &str) {
    physical_id.split_once('|').unwrap_or((DEFAULT, physical_id))
}

fn put(physical_id: &str, properties: &Document) -> Value {
    let (bus, name) = parts(physical_id);
    let same = ["Description", "ScheduleExpression", "State", "RoleArn"].map(|name| (name, name));
    let mut input = copied(properties, &same);
    input.insert("Name".into(), name.into());
    input.insert("EventBusName".into(), bus.into());
    if let Some(pattern) = as_text(&properties["EventPattern"]) {
        input.insert("EventPattern".into(), pattern);
    }
    Value::Object(input)
}

fn targets(properties: &Document) -> Result<&[Value], PropertyFault> {
    match &properties["Targets"] {
        Value::Null => Ok(&[]),
        Value::Array(targets) => Ok(targets),
        other if contract::properties::is_unresolved(other) => Ok(&[]),
        _ => Err(fault("Targets", "must be a list")),
    }
}

fn put_targets(physical_id: &str, properties: &Document) -> Result<Option<Step>, PropertyFault> {
    let (bus, name) = parts(physical_id);
    let targets = targets(properties)?;
    let input = json!({ "Rule": name, "EventBusName": bus, "Targets": targets });
    Ok((!targets.is_empty()).then(|| Step::new(PutTargets::ID, input)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Rule".into(),
            suffix: "abc".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        }
    }

    fn steps(steps: Vec<Step>) -> Vec<(&'static str, Value)> {
        steps.into_iter().map(|step| (step.operation.name, step.input)).collect()
    }

    #[test]
    fn a_rule_is_made_with_its_targets() {
        let properties = json!({
            "EventPattern": {"source": ["shop"]}, "Targets": [{"Id": "q", "Arn": "arn"}], "Tags": [{"Key": "k", "Value": "v"}],
        });
        assert_eq!(Rule.physical_id(&properties, &naming()).as_deref(), Some("shop-Rule-abc"));
        let expected = [
            (
                "PutRule",
                json!({
                    "Name": "shop-Rule-abc", "EventBusName": "default", "EventPattern": "{\"source\":[\"shop\"]}",
                    "Tags": [{"Key": "k", "Value": "v"}],
                }),
            ),
            (
                "PutTargets",
                json!({"Rule": "shop-Rule-abc", "EventBusName": "default", "Targets": [{"Id": "q", "Arn": "arn"}]}),
            ),
        ];
        assert_eq!(steps(Rule.create(&properties, &naming()).unwrap()), expected);
    }

    #[test]
    fn targets_that_are_gone_are_removed() {
        let old = json!({"Name": "r", "EventBusName": "b", "EventPattern": {"a": [1]}, "Targets": [{"Id": "1", "Arn": "a"}, {"Id": "2", "Arn": "a"}]});
        let new =
            json!({"Name": "r", "EventBusName": "b", "EventPattern": {"a": [2]}, "Targets": [{"Id": "2", "Arn": "b"}]});
        let Ok(Change::InPlace(changed)) = Rule.update("b|r", &naming(), &old, &new) else {
            panic!("it changes in place")
        };
        let names: Vec<&str> = steps(changed.clone()).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["PutRule", "RemoveTargets", "PutTargets"]);
        assert_eq!(changed[1].input, json!({"Rule": "r", "EventBusName": "b", "Ids": ["1"]}));
        let renamed = json!({"Name": "s", "EventBusName": "b", "EventPattern": {"a": [2]}});
        assert_eq!(Rule.update("b|r", &naming(), &old, &renamed), Ok(Change::Replace));
        let removed = steps(Rule.delete("b|r", &old));
        assert_eq!(removed[0], ("RemoveTargets", json!({"Rule": "r", "EventBusName": "b", "Ids": ["1", "2"]})));
        assert_eq!(removed[1], ("DeleteRule", json!({"Name": "r", "EventBusName": "b"})));
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let check = |properties: Value, expected: &str| {
            let fault = Rule.check(&properties).unwrap_err();
            assert!(format!("{}: {}", fault.path, fault.message).contains(expected), "{fault:?}");
        };
        check(json!({}), "EventPattern: is missing");
        check(json!({"EventPattern": {}, "Target": []}), "Target");
        check(json!({"EventPattern": {}, "Targets": {}}), "Targets: must be a list");
        check(json!({"EventPattern": {}, "Targets": [{"Id": "1"}]}), "Targets[0].Arn: is missing");
    }
}
