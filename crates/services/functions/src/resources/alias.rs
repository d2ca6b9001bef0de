//! `AWS::Lambda::Alias`. Its physical id is its ARN.

use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::properties::{Field, Form, optional, read, required};
use super::{GONE, step, text_at};

/// The type.
pub(super) struct Alias;

const FIELDS: &[Field] = &[
    optional("Description", Form::Text),
    required("FunctionName", Form::Text),
    required("FunctionVersion", Form::Text),
    required("Name", Form::Text),
    optional(
        "RoutingConfig",
        Form::Fields(&[optional(
            "AdditionalVersionWeights",
            Form::ListOf(&Form::Fields(&[
                required("FunctionVersion", Form::Text),
                required("FunctionWeight", Form::Fraction),
            ])),
        )]),
    ),
];

impl ResourceType for Alias {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Alias"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, _properties: &Document, _naming: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        if let Some(routing) = input.remove("RoutingConfig") {
            input.insert("RoutingConfig".into(), weights(Some(&routing)));
        }
        Ok(vec![step::<op::CreateAlias>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/AliasArn")).filter(|arn| !arn.is_empty())
    }

    fn update(
        &self,
        _physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        if ["FunctionName", "Name"].into_iter().any(|fixed| old.get(fixed) != new.get(fixed)) {
            return Ok(Change::Replace);
        }
        if old == new {
            return Ok(Change::InPlace(Vec::new()));
        }
        let routing = weights(new.get("RoutingConfig"));
        new.insert("RoutingConfig".into(), routing);
        new.entry("Description").or_insert_with(|| "".into());
        Ok(Change::InPlace(vec![step::<op::UpdateAlias>(Value::Object(new))]))
    }

    fn delete(&self, _physical_id: &str, properties: &Document) -> Vec<Step> {
        let input = json!({ "FunctionName": properties["FunctionName"], "Name": properties["Name"] });
        vec![step::<op::DeleteAlias>(input).tolerating(GONE)]
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("AliasArn", physical_id.into())] }
    }
}

/// The list of the template as the map of the operation.
fn weights(routing: Option<&Value>) -> Value {
    let list = routing.and_then(|routing| routing.get("AdditionalVersionWeights")).and_then(Value::as_array);
    let pair = |item: &Value| Some((item["FunctionVersion"].as_str()?.to_owned(), item["FunctionWeight"].clone()));
    let map: Map<String, Value> = list.into_iter().flatten().filter_map(pair).collect();
    json!({ "AdditionalVersionWeights": map })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    #[test]
    fn an_alias_is_made_moved_and_divided() {
        let old = json!({ "FunctionName": "greet", "FunctionVersion": 1, "Name": "live" });
        let steps = Alias.create(&old, &naming()).unwrap();
        assert_eq!(operations(&steps), ["CreateAlias"]);
        assert_eq!(steps[0].input["FunctionVersion"], "1");
        let new = json!({
            "FunctionName": "greet", "FunctionVersion": "1", "Name": "live",
            "RoutingConfig": { "AdditionalVersionWeights": [{ "FunctionVersion": "2", "FunctionWeight": "0.5" }] },
        });
        let Change::InPlace(steps) = Alias.update("arn", &naming(), &old, &new).unwrap() else {
            panic!("it can be done in place")
        };
        assert_eq!(steps[0].input["RoutingConfig"], json!({ "AdditionalVersionWeights": { "2": 0.5 } }));
        let Change::InPlace(steps) = Alias.update("arn", &naming(), &new, &old).unwrap() else {
            panic!("it can be done in place")
        };
        assert_eq!(steps[0].input["RoutingConfig"], json!({ "AdditionalVersionWeights": {} }));
        let renamed = json!({ "FunctionName": "greet", "FunctionVersion": 1, "Name": "next" });
        assert_eq!(changes(&Alias.update("arn", &naming(), &old, &renamed).unwrap()), None);
        assert_eq!(Alias.delete("arn", &old)[0].input, json!({ "FunctionName": "greet", "Name": "live" }));
    }
}
