//! `AWS::Lambda::Version`: publishes when it is made, and never again. Its physical id is the version's ARN.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::lambda as op;

use super::{GONE, step, text_at};

/// The type.
pub(super) struct Version;

const FIELDS: &[Field] =
    &[optional("CodeSha256", Form::Text), optional("Description", Form::Text), required("FunctionName", Form::Text)];

impl ResourceType for Version {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Version"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, _properties: &Document, _naming: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        Ok(vec![step::<op::PublishVersion>(Value::Object(read(properties, FIELDS)?))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/FunctionArn")).filter(|arn| !arn.is_empty())
    }

    fn update(
        &self,
        _physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        match read(old, FIELDS)? == read(new, FIELDS)? {
            true => Ok(Change::InPlace(Vec::new())),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteFunction>(json!({ "FunctionName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetFunctionConfiguration>(json!({ "FunctionName": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![("FunctionArn", physical_id.into()), ("Version", text_at(answer, "/Version").into())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    #[test]
    fn a_version_is_published_once() {
        let old = json!({ "FunctionName": "greet" });
        assert_eq!(operations(&Version.create(&old, &naming()).unwrap()), ["PublishVersion"]);
        assert_eq!(changes(&Version.update("arn:1", &naming(), &old, &old).unwrap()), Some(vec![]));
        let new = json!({ "FunctionName": "greet", "Description": "second" });
        assert_eq!(changes(&Version.update("arn:1", &naming(), &old, &new).unwrap()), None);
        assert_eq!(Version.delete("arn:1", &old)[0].input, json!({ "FunctionName": "arn:1" }));
        let attributes = Version.attributes("arn:1", &old, &json!({ "Version": "1" }));
        assert_eq!(attributes.named[1], ("Version", "1".into()));
        let refused = Version.check(&json!({ "FunctionName": "f", "ProvisionedConcurrencyConfig": {} })).unwrap_err();
        assert_eq!(refused.path, "ProvisionedConcurrencyConfig");
    }
}
