//! `AWS::Lambda::Url`. Its physical id is the ARN of the function or alias that it belongs to.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::{GONE, arn_of, step, text_at};

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

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        let read = read(properties, FIELDS).ok()?;
        let qualifier = read.get("Qualifier").and_then(Value::as_str);
        arn_of(naming, read.get("TargetFunctionArn")?.as_str()?, qualifier)
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
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        // Another spelling of the same function is no other function.
        if self.physical_id(new, naming).as_deref() != Some(physical_id) {
            return Ok(Change::Replace);
        }
        let (old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
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

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:greet";

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
            (json!({ "TargetFunctionArn": ARN, "AuthType": "NONE" }), Some(vec!["UpdateFunctionUrlConfig"])),
            (json!({ "TargetFunctionArn": "other", "AuthType": "NONE" }), None),
            (json!({ "TargetFunctionArn": "greet", "AuthType": "NONE", "Qualifier": "live" }), None),
        ] {
            assert_eq!(changes(&Url.update(ARN, &naming(), &old, &new).unwrap()), expected, "{new}");
        }
        let attributes = Url.attributes("arn:x", &old, &json!({ "FunctionUrl": "http://u/" }));
        assert_eq!(attributes.named[1], ("FunctionUrl", "http://u/".into()));
        assert_eq!(Url.check(&json!({ "AuthType": "NONE" })).unwrap_err().path, "TargetFunctionArn");
    }

    #[test]
    fn its_id_is_known_before_it_is_made() {
        let live = format!("{ARN}:live");
        for (target, qualifier, expected) in [
            ("greet", None, Some(ARN)),
            (ARN, None, Some(ARN)),
            ("000000000000:function:greet", None, Some(ARN)),
            (&live, None, Some(&*live)),
            ("greet", Some("live"), Some(&*live)),
            ("greet:next", Some("live"), None),
            ("arn:aws:lambda:eu-west-1:000000000000:function:greet", None, None),
            ("no such name", None, None),
        ] {
            let mut properties = json!({ "TargetFunctionArn": target, "AuthType": "NONE" });
            if let Some(qualifier) = qualifier {
                properties["Qualifier"] = qualifier.into();
            }
            assert_eq!(Url.physical_id(&properties, &naming()).as_deref(), expected, "{properties}");
        }
        assert_eq!(Url.physical_id(&json!({ "TargetFunctionArn": { "Ref": "F" } }), &naming()), None);
    }
}
