//! What properties a type has, and of which form: one table per type, from which they are checked and brought into the form that
//! operations take. CloudFormation is generous with scalars (`"30"` is a number, `true` a text), operations are not.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::{Document, PropertyFault};

/// What a property may be.
#[derive(Debug)]
pub enum Form {
    /// Text; numbers and flags are written out.
    Text,
    /// A whole number, also as text.
    Whole,
    /// Any number, also as text.
    Fraction,
    /// True or false, also as text.
    Flag,
    /// Any JSON: an operation will judge it.
    Anything,
    /// A list of the same.
    ListOf(&'static Form),
    /// A map from free keys to the same.
    MapOf(&'static Form),
    /// An object with known members.
    Fields(&'static [Field]),
}

/// One property.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub form: Form,
    need: Need,
}

#[derive(Debug)]
enum Need {
    Optional,
    Required,
}

/// A property that may be there.
pub const fn optional(name: &'static str, form: Form) -> Field {
    Field { name, form, need: Need::Optional }
}

/// A property that must be there.
pub const fn required(name: &'static str, form: Form) -> Field {
    Field { name, form, need: Need::Required }
}

/// The properties in the form that operations take. Functions that are not resolved yet (`{"Ref": …}`) pass as they are.
pub fn read(properties: &Document, fields: &'static [Field]) -> Result<Map<String, Value>, PropertyFault> {
    match properties {
        Value::Object(_) => members("", properties, fields),
        Value::Null => members("", &Value::Object(Map::new()), fields),
        other => Err(fault("Properties", format!("must be an object, not {}", kind(other)))),
    }
}

/// A refusal of one property.
pub fn fault(path: impl Into<String>, message: impl Into<String>) -> PropertyFault {
    PropertyFault { path: path.into(), message: message.into() }
}

/// Refuses properties of which none is called so: for types that read theirs one by one.
pub fn known(properties: &Document, names: &[&str]) -> Result<(), PropertyFault> {
    match properties {
        Value::Null => Ok(()),
        Value::Object(members) => match members.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(fault(name, no_such_property(name, names))),
            None => Ok(()),
        },
        other => Err(fault("Properties", format!("must be an object, not {}", kind(other)))),
    }
}

/// A scalar as text; none of what is no scalar.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The `Tags` of a resource, a list of keys and values, as a map.
pub fn tags(properties: &Document) -> Result<BTreeMap<String, String>, PropertyFault> {
    let list = match &properties["Tags"] {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Array(list) => list,
        other => return Err(fault("Tags", format!("must be a list, not {}", kind(other)))),
    };
    let pair = |(index, tag): (usize, &Value)| {
        let pair = tag["Key"].as_str().map(str::to_owned).zip(plain(&tag["Value"]));
        pair.ok_or_else(|| fault(format!("Tags[{index}]"), "must have a Key and a Value"))
    };
    list.iter().enumerate().map(pair).collect()
}

/// What it takes to come from some tags to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    /// Keys to take away.
    pub gone: Vec<String>,
    /// Tags to set.
    pub set: BTreeMap<String, String>,
}

impl TagChange {
    /// Between what the template said and what it says.
    pub fn between(old: &Document, new: &Document) -> Result<Self, PropertyFault> {
        let (before, after) = (tags(old)?, tags(new)?);
        let gone = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
        let set = after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        Ok(Self { gone, set })
    }
}

/// Which property may have been meant; which there are, if none is near and they are few.
pub fn no_such_property(name: &str, known: &[&str]) -> String {
    const FEW: usize = 8;
    let advice = base::did_you_mean(name, known.iter().copied());
    let few = (known.len() <= FEW).then(|| format!("There are {}.", known.join(", ")));
    let advice = advice.or(few).unwrap_or_else(|| "Take it out: nothing here would heed it.".to_owned());
    format!("there is no such property. {advice}")
}

/// Whether a value is a function of the template that stands for what is known later.
pub fn is_unresolved(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object.len() == 1 && object.keys().all(|key| key == "Ref" || key == "Condition" || key.starts_with("Fn::"))
    })
}

fn members(path: &str, value: &Value, fields: &'static [Field]) -> Result<Map<String, Value>, PropertyFault> {
    let Value::Object(object) = value else {
        return Err(fault(path, format!("must be an object, not {}", kind(value))));
    };
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(unknown) = object.keys().find(|key| fields.iter().all(|field| field.name != key.as_str())) {
        let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
        return Err(fault(below(unknown), no_such_property(unknown, &known)));
    }
    let mut read = Map::new();
    for field in fields {
        match (object.get(field.name), &field.need) {
            (None | Some(Value::Null), Need::Required) => return Err(fault(below(field.name), "is required")),
            (None | Some(Value::Null), Need::Optional) => {}
            (Some(value), Need::Required | Need::Optional) => {
                read.insert(field.name.to_owned(), formed(&below(field.name), value, &field.form)?);
            }
        }
    }
    Ok(read)
}

fn formed(path: &str, value: &Value, form: &'static Form) -> Result<Value, PropertyFault> {
    if is_unresolved(value) {
        return Ok(value.clone());
    }
    let wrong = |expected: &str| Err(fault(path, format!("must be {expected}, not {}", kind(value))));
    match form {
        Form::Anything => Ok(value.clone()),
        Form::Text => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(Value::String(value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => wrong("text"),
        },
        Form::Whole => match value {
            Value::Number(number) if number.is_i64() => Ok(value.clone()),
            Value::String(text) if text.parse::<i64>().is_ok() => {
                Ok(Value::from(text.parse::<i64>().unwrap_or_default()))
            }
            _ => wrong("a whole number"),
        },
        Form::Fraction => {
            let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            match number.and_then(Number::from_f64) {
                Some(number) => Ok(Value::Number(number)),
                None => wrong("a number"),
            }
        }
        Form::Flag => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) if text == "true" || text == "false" => Ok(Value::Bool(text == "true")),
            _ => wrong("true or false"),
        },
        Form::ListOf(item) => match value {
            Value::Array(items) => {
                let items =
                    items.iter().enumerate().map(|(index, value)| formed(&format!("{path}[{index}]"), value, item));
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            _ => wrong("a list"),
        },
        Form::MapOf(item) => match value {
            Value::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), formed(&format!("{path}.{key}"), value, item)?)));
                entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            _ => wrong("a map"),
        },
        Form::Fields(fields) => members(path, value, fields).map(Value::Object),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PET: &[Field] = &[
        required("Name", Form::Text),
        optional("Legs", Form::Whole),
        optional("Weight", Form::Fraction),
        optional("Tame", Form::Flag),
        optional("Toys", Form::ListOf(&Form::Text)),
        optional("Home", Form::Fields(&[required("Street", Form::Text)])),
        optional("Notes", Form::MapOf(&Form::Text)),
    ];

    fn check(properties: Value, expected: Result<Value, (&str, &str)>) {
        let found = read(&properties, PET).map(Value::Object);
        let expected = expected.map_err(|(path, message)| fault(path, message));
        assert_eq!(found, expected);
    }

    #[test]
    fn scalars_take_the_form_that_operations_want() {
        check(
            json!({"Name": 7, "Legs": "4", "Weight": "2.5", "Tame": "true", "Toys": [1, "ball"], "Notes": {"a": false}}),
            Ok(
                json!({"Name": "7", "Legs": 4, "Weight": 2.5, "Tame": true, "Toys": ["1", "ball"], "Notes": {"a": "false"}}),
            ),
        );
        let later = json!({"Name": {"Ref": "Other"}, "Legs": {"Fn::GetAtt": ["A", "B"]}, "Home": {"Fn::If": []}});
        check(later.clone(), Ok(later));
    }

    #[test]
    fn tags_change_by_their_difference() {
        let tags = |pairs: &[(&str, &str)]| {
            let list: Vec<Value> = pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            json!({ "Tags": list })
        };
        let change = TagChange::between(&tags(&[("a", "1"), ("b", "2"), ("c", "3")]), &tags(&[("a", "1"), ("b", "9")]));
        let expected = TagChange { gone: vec!["c".into()], set: BTreeMap::from([("b".into(), "9".into())]) };
        assert_eq!(change, Ok(expected));
        let wrong = json!({ "Tags": [{ "Key": "a" }] });
        assert_eq!(super::tags(&wrong), Err(fault("Tags[0]", "must have a Key and a Value")));
        assert_eq!(super::tags(&json!({ "Tags": {} })), Err(fault("Tags", "must be a list, not an object")));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        check(json!({}), Err(("Name", "is required")));
        check(
            json!({"Name": "x", "Home": {"Streat": "y"}}),
            Err(("Home.Streat", "there is no such property. Did you mean 'Street'?")),
        );
        check(
            json!({"Name": "x", "Wings": 2}),
            Err(("Wings", "there is no such property. There are Name, Legs, Weight, Tame, Toys, Home, Notes.")),
        );
        let many = ["Architectures", "Code", "Handler", "Layers", "MemorySize", "Role", "Runtime", "Tags", "Timeout"];
        assert_eq!(no_such_property("Handlr", &many), "there is no such property. Did you mean 'Handler'?");
        assert_eq!(
            no_such_property("Zzz", &many),
            "there is no such property. Take it out: nothing here would heed it."
        );
        check(json!({"Name": "x", "Home": {}}), Err(("Home.Street", "is required")));
        check(json!({"Name": "x", "Legs": "four"}), Err(("Legs", "must be a whole number, not text")));
        check(json!({"Name": "x", "Legs": 1.5}), Err(("Legs", "must be a whole number, not a number")));
        check(json!({"Name": "x", "Toys": [[]]}), Err(("Toys[0]", "must be text, not a list")));
        check(json!({"Name": "x", "Tame": 1}), Err(("Tame", "must be true or false, not a number")));
        check(json!([]), Err(("Properties", "must be an object, not a list")));
    }
}
