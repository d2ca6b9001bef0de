//! `AWS::Lambda::Version`: publishes when it is made, and never again. Its physical id is the version's ARN.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::lambda as op;

use super::{GONE, provision, step, text_at};

/// The type.
pub(super) struct Version;

const FIELDS: &[Field] = &[
    optional("CodeSha256", Form::Text),
    optional("Description", Form::Text),
    required("FunctionName", Form::Text),
    provision::FIELD,
];

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
        let mut input = read(properties, FIELDS)?;
        input.remove(provision::NAME);
        Ok(vec![step::<op::PublishVersion>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/FunctionArn")).filter(|arn| !arn.is_empty())
    }

    fn complete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        let read = read(properties, FIELDS).unwrap_or_default();
        provision::put(physical_id, &read).into_iter().collect()
    }

    fn update(
        &self,
        physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (mut old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        let steps = provision::change(physical_id, &old, &new).into_iter().collect();
        old.remove(provision::NAME);
        new.remove(provision::NAME);
        match old == new {
            true => Ok(Change::InPlace(steps)),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteFunction>(json!({ "FunctionName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetFunctionConfiguration>(json!({ "FunctionName": physical_id })))
    }

    fn awaits(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        provision::awaits(physical_id, properties)
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        provision::settled(answer)
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
        assert_eq!(refused.path, "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions");
        let ready = json!({ "FunctionName": "greet", "ProvisionedConcurrencyConfig": { "ProvisionedConcurrentExecutions": "2" } });
        assert_eq!(operations(&Version.create(&ready, &naming()).unwrap()), ["PublishVersion"]);
        let put = &Version.complete("arn:greet:1", &ready)[0];
        let expected = json!({ "FunctionName": "arn:greet", "Qualifier": "1", "ProvisionedConcurrentExecutions": 2 });
        assert_eq!((put.operation.name, &put.input), ("PutProvisionedConcurrencyConfig", &expected));
        assert_eq!(Version.complete("arn:greet:1", &old), []);
        let put = Some(vec!["PutProvisionedConcurrencyConfig"]);
        assert_eq!(changes(&Version.update("arn:greet:1", &naming(), &old, &ready).unwrap()), put);
        assert!(Version.awaits("arn:greet:1", &ready).is_some() && Version.awaits("arn:greet:1", &old).is_none());
    }
}
