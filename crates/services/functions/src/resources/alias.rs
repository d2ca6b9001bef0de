//! `AWS::Lambda::Alias`. Its physical id is its ARN.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::lambda as op;

use super::{GONE, arn_of, provision, step, text_at};

/// The type.
pub(super) struct Alias;

const FIELDS: &[Field] = &[
    optional("Description", Form::Text),
    required("FunctionName", Form::Text),
    required("FunctionVersion", Form::Text),
    required("Name", Form::Text),
    provision::FIELD,
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

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        let read = read(properties, FIELDS).ok()?;
        arn_of(naming, read.get("FunctionName")?.as_str()?, Some(read.get("Name")?.as_str()?))
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        input.remove(provision::NAME);
        if let Some(routing) = input.remove("RoutingConfig") {
            input.insert("RoutingConfig".into(), weights(Some(&routing)));
        }
        Ok(vec![step::<op::CreateAlias>(Value::Object(input))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first().map(|answer| text_at(answer, "/AliasArn")).filter(|arn| !arn.is_empty())
    }

    fn complete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        let read = read(properties, FIELDS).unwrap_or_default();
        provision::put(physical_id, &read).into_iter().collect()
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
        let (mut old, mut new) = (read(old, FIELDS)?, read(new, FIELDS)?);
        let mut steps: Vec<Step> = provision::change(physical_id, &old, &new).into_iter().collect();
        old.remove(provision::NAME);
        new.remove(provision::NAME);
        if old == new {
            return Ok(Change::InPlace(steps));
        }
        let routing = weights(new.get("RoutingConfig"));
        new.insert("RoutingConfig".into(), routing);
        new.entry("Description").or_insert_with(|| "".into());
        // First where it points, or what is provisioned would be started of the wrong version.
        steps.insert(0, step::<op::UpdateAlias>(Value::Object(new)));
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![step::<op::DeleteAlias>(address(physical_id)).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(step::<op::GetAlias>(address(physical_id)))
    }

    fn awaits(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        provision::awaits(physical_id, properties)
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        provision::settled(answer)
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("AliasArn", physical_id.into())] }
    }
}

/// The alias's ARN as the operations want it: the function's, and the alias's name.
fn address(physical_id: &str) -> Value {
    let (function, name) = physical_id.rsplit_once(':').unwrap_or((physical_id, ""));
    json!({ "FunctionName": function, "Name": name })
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

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:greet";
    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:greet:live";

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
        let Change::InPlace(steps) = Alias.update(ARN, &naming(), &old, &new).unwrap() else {
            panic!("it can be done in place")
        };
        assert_eq!(steps[0].input["RoutingConfig"], json!({ "AdditionalVersionWeights": { "2": 0.5 } }));
        let Change::InPlace(steps) = Alias.update(ARN, &naming(), &new, &old).unwrap() else {
            panic!("it can be done in place")
        };
        assert_eq!(steps[0].input["RoutingConfig"], json!({ "AdditionalVersionWeights": {} }));
        let mut ready = new.clone();
        ready["ProvisionedConcurrencyConfig"] = json!({ "ProvisionedConcurrentExecutions": 2 });
        let both = Some(vec!["UpdateAlias", "PutProvisionedConcurrencyConfig"]);
        assert_eq!(changes(&Alias.update(ARN, &naming(), &old, &ready).unwrap()), both);
        let neither = Some(vec!["DeleteProvisionedConcurrencyConfig"]);
        assert_eq!(changes(&Alias.update(ARN, &naming(), &ready, &new).unwrap()), neither);
        assert_eq!(operations(&Alias.create(&ready, &naming()).unwrap()), ["CreateAlias"]);
        assert_eq!(Alias.complete(ARN, &ready)[0].input["Qualifier"], "live");
        assert_eq!(Alias.awaits(ARN, &ready).unwrap().operation.name, "GetProvisionedConcurrencyConfig");
        let renamed = json!({ "FunctionName": "greet", "FunctionVersion": 1, "Name": "next" });
        assert_eq!(changes(&Alias.update(ARN, &naming(), &old, &renamed).unwrap()), None);
        let respelled = json!({ "FunctionName": FUNCTION, "FunctionVersion": 1, "Name": "live" });
        assert_eq!(changes(&Alias.update(ARN, &naming(), &old, &respelled).unwrap()), Some(vec!["UpdateAlias"]));
    }

    #[test]
    fn its_id_is_known_before_it_is_made_and_finds_it_again() {
        for name in ["greet", "000000000000:greet", FUNCTION] {
            let properties = json!({ "FunctionName": name, "FunctionVersion": 1, "Name": "live" });
            assert_eq!(Alias.physical_id(&properties, &naming()).as_deref(), Some(ARN), "{name}");
        }
        for elsewhere in ["111122223333:greet", "greet:next"] {
            let properties = json!({ "FunctionName": elsewhere, "FunctionVersion": 1, "Name": "live" });
            assert_eq!(Alias.physical_id(&properties, &naming()), None, "{elsewhere}");
        }
        let found = json!({ "FunctionName": FUNCTION, "Name": "live" });
        assert_eq!(Alias.delete(ARN, &Value::Null)[0].input, found);
        assert_eq!(Alias.read(ARN, &Value::Null).unwrap().input, found);
    }
}
