//! `AWS::Lambda::Url`. Its physical id is the ARN of the function or alias that it belongs to.

use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::properties::{Field, Form, optional, read, required};
use super::{GONE, step, text_at};

/// The type.
pub(super) struct Url;

const FIELDS: &[Field] = &[
    required("AuthType", Form::Text),
    optional(
        "Cors",
        Form::Fields(&[
            optional("AllowCredentials", Form::Flag),
            optional("AllowHeaders", Form::ListOf(&Form::Text)),
            optional("AllowMethods", Form::ListOf(&Form::Text)),
            optional("AllowOrigins", Form::ListOf(&Form::Text)),
            optional("ExposeHeaders", Form::ListOf(&Form::Text)),
            optional("MaxAge", Form::Whole),
        ]),
    ),
    optional("InvokeMode", Form::Text),
    optional("Qualifier", Form::Text),
    required("TargetFunctionArn", Form::Text),
];

impl ResourceType for Url {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Url"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, _properties: &Document, _naming: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        address(&mut input);
        Ok(vec![step::<op::CreateFunctionUrlConfig>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/FunctionArn")).filter(|arn| !arn.is_empty())
    }

    fn update(
        &self,
        physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        if ["TargetFunctionArn", "Qualifier"].into_iter().any(|fixed| old.get(fixed) != new.get(fixed)) {
            return Ok(Change::Replace);
        }
        if old == new {
            return Ok(Change::InPlace(Vec::new()));
        }
        new.remove("TargetFunctionArn");
        new.remove("Qualifier");
        new.insert("FunctionName".into(), physical_id.into());
        // An empty one takes it away.
        new.entry("Cors").or_insert_with(|| json!({}));
        new.entry("InvokeMode").or_insert_with(|| "BUFFERED".into());
        Ok(Change::InPlace(vec![step::<op::UpdateFunctionUrlConfig>(Value::Object(new))]))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteFunctionUrlConfig>(json!({ "FunctionName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetFunctionUrlConfig>(json!({ "FunctionName": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![("FunctionArn", physical_id.into()), ("FunctionUrl", text_at(answer, "/FunctionUrl").into())],
        }
    }
}

/// `TargetFunctionArn` is a name, an ARN, or the ARN of an alias: all that `FunctionName` takes.
fn address(input: &mut Map<String, Value>) {
    if let Some(target) = input.remove("TargetFunctionArn") {
        input.insert("FunctionName".into(), target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    #[test]
    fn a_url_is_made_changed_and_found_again_by_the_functions_arn() {
        let old = json!({ "TargetFunctionArn": "greet", "AuthType": "NONE", "Cors": { "MaxAge": "5" } });
        let steps = Url.create(&old, &naming()).unwrap();
        assert_eq!(operations(&steps), ["CreateFunctionUrlConfig"]);
        assert_eq!(steps[0].input, json!({ "AuthType": "NONE", "Cors": { "MaxAge": 5 }, "FunctionName": "greet" }));
        assert_eq!(Url.identify(&[json!({ "FunctionArn": "arn:x" })]).as_deref(), Some("arn:x"));
        assert_eq!(Url.identify(&[json!({})]), None);
        for (new, expected) in [
            (old.clone(), Some(vec![])),
            (json!({ "TargetFunctionArn": "greet", "AuthType": "AWS_IAM" }), Some(vec!["UpdateFunctionUrlConfig"])),
            (json!({ "TargetFunctionArn": "other", "AuthType": "NONE" }), None),
            (json!({ "TargetFunctionArn": "greet", "AuthType": "NONE", "Qualifier": "live" }), None),
        ] {
            assert_eq!(changes(&Url.update("arn:x", &naming(), &old, &new).unwrap()), expected);
        }
        let attributes = Url.attributes("arn:x", &old, &json!({ "FunctionUrl": "http://u/" }));
        assert_eq!(attributes.named[1], ("FunctionUrl", "http://u/".into()));
        assert_eq!(Url.check(&json!({ "AuthType": "NONE" })).unwrap_err().path, "TargetFunctionArn");
    }
}
