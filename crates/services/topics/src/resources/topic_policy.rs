//! `AWS::SNS::TopicPolicy`: one policy for several topics.

use contract::properties::{fault, known};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::sns::SetTopicAttributes;

use super::GONE;

const NAME_MAX: usize = 128;

/// A policy.
#[derive(Debug)]
pub(super) struct TopicPolicy;

impl ResourceType for TopicPolicy {
    fn name(&self) -> &'static str {
        "AWS::SNS::TopicPolicy"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(properties, &["Topics", "PolicyDocument"])?;
        if !properties["PolicyDocument"].is_object() {
            return Err(fault("PolicyDocument", "must be a policy"));
        }
        match properties["Topics"].as_array() {
            Some(topics) if !topics.is_empty() => Ok(()),
            Some(_) | None => Err(fault("Topics", "must be a list of topics")),
        }
    }

    fn physical_id(&self, _properties: &Document, naming: &Naming) -> Option<String> {
        Some(naming.physical(NAME_MAX))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let policy = properties["PolicyDocument"].to_string();
        Ok(topics(properties).map(|arn| set_policy(arn, &policy)).collect())
    }

    fn update(
        &self,
        _physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let mut steps = self.create(new, naming)?;
        let kept: Vec<&Value> = topics(new).collect();
        steps.extend(topics(old).filter(|arn| !kept.contains(arn)).map(|arn| set_policy(arn, "").tolerating(GONE)));
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, _physical_id: &str, properties: &Document) -> Vec<Step> {
        topics(properties).map(|arn| set_policy(arn, "").tolerating(GONE)).collect()
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Id", json!(physical_id))] }
    }
}

fn topics(properties: &Document) -> impl Iterator<Item = &Value> {
    properties["Topics"].as_array().into_iter().flatten()
}

fn set_policy(arn: &Value, policy: &str) -> Step {
    let input = json!({ "TopicArn": arn, "AttributeName": "Policy", "AttributeValue": policy });
    Step::new(SetTopicAttributes::ID, input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_set_and_taken_back() {
        let naming = Naming {
            stack: "s".into(),
            logical_id: "l".into(),
            suffix: "x".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        };
        let set = |steps: Vec<Step>| -> Vec<(Value, Value)> {
            steps
                .into_iter()
                .map(|step| (step.input["TopicArn"].clone(), step.input["AttributeValue"].clone()))
                .collect()
        };
        let both = json!({ "Topics": ["t1", "t2"], "PolicyDocument": { "Statement": [] } });
        let policy = json!(r#"{"Statement":[]}"#);
        let made = TopicPolicy.create(&both, &naming).expect("is made");
        assert_eq!(set(made), [(json!("t1"), policy.clone()), (json!("t2"), policy)]);
        let fewer = json!({ "Topics": ["t1"], "PolicyDocument": {} });
        let Change::InPlace(steps) = TopicPolicy.update("p", &naming, &both, &fewer).expect("reads") else {
            panic!("in place")
        };
        assert_eq!(set(steps), [(json!("t1"), json!("{}")), (json!("t2"), json!(""))]);
        assert_eq!(set(TopicPolicy.delete("p", &fewer)), [(json!("t1"), json!(""))]);
        assert!(TopicPolicy.check(&json!({ "Topics": [] })).is_err());
    }
}
