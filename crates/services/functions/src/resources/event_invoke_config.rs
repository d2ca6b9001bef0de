//! `AWS::Lambda::EventInvokeConfig`. Its physical id is the function's name and the qualifier that it is for.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::{GONE, step};

/// The type.
pub(super) struct EventInvokeConfig;

const DESTINATION: Form = Form::Fields(&[required("Destination", Form::Text)]);

const FIELDS: &[Field] = &[
    optional(
        "DestinationConfig",
        Form::Fields(&[optional("OnFailure", DESTINATION), optional("OnSuccess", DESTINATION)]),
    ),
    required("FunctionName", Form::Text),
    optional("MaximumEventAgeInSeconds", Form::Whole),
    optional("MaximumRetryAttempts", Form::Whole),
    required("Qualifier", Form::Text),
];

impl ResourceType for EventInvokeConfig {
    fn name(&self) -> &'static str {
        "AWS::Lambda::EventInvokeConfig"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, properties: &Document, _naming: &Naming) -> Option<String> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str);
        Some(format!("{}|{}", text("FunctionName")?, text("Qualifier")?))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        Ok(vec![put(read(properties, FIELDS)?)])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        if self.physical_id(new, naming).as_deref() != Some(physical_id) {
            return Ok(Change::Replace);
        }
        let (old, new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        // Putting sets everything anew, so what the template no longer says goes back to its default.
        Ok(Change::InPlace(if old == new { Vec::new() } else { vec![put(new)] }))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteFunctionEventInvokeConfig>(named(physical_id)).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetFunctionEventInvokeConfig>(named(physical_id)))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: Vec::new() }
    }
}

/// A configuration that says nothing but whose it is says that both numbers are the defaults.
fn put(mut input: Map<String, Value>) -> Step {
    input.entry("MaximumRetryAttempts").or_insert(json!(2));
    input.entry("MaximumEventAgeInSeconds").or_insert(json!(21_600));
    step::<op::PutFunctionEventInvokeConfig>(Value::Object(input))
}

fn named(physical_id: &str) -> Document {
    let (function, qualifier) = physical_id.rsplit_once('|').unwrap_or((physical_id, "$LATEST"));
    json!({ "FunctionName": function, "Qualifier": qualifier })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    #[test]
    fn a_configuration_is_put_changed_and_replaced() {
        let old = json!({ "FunctionName": "greet", "Qualifier": "$LATEST", "MaximumRetryAttempts": "0" });
        let steps = EventInvokeConfig.create(&old, &naming()).unwrap();
        assert_eq!(operations(&steps), ["PutFunctionEventInvokeConfig"]);
        assert_eq!(steps[0].input["MaximumRetryAttempts"], 0);
        assert_eq!(steps[0].input["MaximumEventAgeInSeconds"], 21_600);
        let id = EventInvokeConfig.physical_id(&old, &naming()).unwrap();
        assert_eq!(id, "greet|$LATEST");
        for (new, expected) in [
            (old.clone(), Some(vec![])),
            (json!({ "FunctionName": "greet", "Qualifier": "$LATEST" }), Some(vec!["PutFunctionEventInvokeConfig"])),
            (json!({ "FunctionName": "greet", "Qualifier": "live" }), None),
        ] {
            let change = EventInvokeConfig.update(&id, &naming(), &old, &new).unwrap();
            assert_eq!(changes(&change), expected, "{new}");
        }
        let gone = EventInvokeConfig.delete(&id, &old);
        assert_eq!(gone[0].input, json!({ "FunctionName": "greet", "Qualifier": "$LATEST" }));
    }
}
