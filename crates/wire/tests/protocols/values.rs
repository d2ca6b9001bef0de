//! The cases' parameters and results as values, and the values as text that can be compared.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use wire::schema::Kind;
use wire::{Datum, Dynamic, Member, Schema};

/// The structure that a case's parameters or result are.
pub(crate) fn structure(schema: &'static Schema, value: &Value) -> Dynamic {
    let mut shape = Dynamic::new(schema);
    for (index, at) in schema.members().iter().enumerate() {
        if let Some(value) = value.get(at.name).filter(|value| !value.is_null()) {
            shape.set(index, datum(at, value));
        }
    }
    shape
}

fn datum(at: &'static Member, value: &Value) -> Datum {
    if value.is_null() {
        return Datum::Null;
    }
    if at.json_value {
        // Results give the JSON itself, parameters its text.
        return Datum::Document(match value {
            Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
            other => other.clone(),
        });
    }
    match at.target.kind {
        Kind::Boolean => Datum::Boolean(value.as_bool().expect("a truth value")),
        Kind::Integer | Kind::Long => Datum::Integer(value.as_i64().expect("a whole number")),
        Kind::Float => Datum::Float(number(value) as f32),
        Kind::Double => Datum::Double(number(value)),
        Kind::String => Datum::String(value.as_str().expect("a text").to_owned()),
        Kind::Blob => Datum::Blob(Bytes::copy_from_slice(value.as_str().expect("bytes as text").as_bytes())),
        Kind::Timestamp => Datum::Timestamp(
            Timestamp::from_millisecond((number(value) * 1000.0).round() as i64).expect("a point in time"),
        ),
        Kind::Document => Datum::Document(value.clone()),
        Kind::List(item) => {
            Datum::List(value.as_array().expect("a list").iter().map(|value| datum(item, value)).collect())
        }
        Kind::Map { value: held, .. } => {
            let entries = value.as_object().expect("a map").iter();
            Datum::Map(entries.map(|(key, value)| (key.clone(), datum(held, value))).collect())
        }
        Kind::Structure(_) | Kind::Union(_) => Datum::Structure(structure(at.target, value)),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(word) if word == "NaN" => f64::NAN,
        Value::String(word) if word == "Infinity" => f64::INFINITY,
        Value::String(word) if word == "-Infinity" => f64::NEG_INFINITY,
        other => other.as_f64().expect("a number"),
    }
}

/// The value for comparing: NaN is NaN here.
pub(crate) fn printed(shape: &Dynamic) -> String {
    let mut members = Vec::new();
    for (index, at) in wire::Shape::schema(shape).members().iter().enumerate() {
        members.extend(shape.get(index).map(|value| format!("{}: {}", at.name, print(value))));
    }
    format!("{{{}}}", members.join(", "))
}

fn print(value: &Datum) -> String {
    match value {
        Datum::Structure(shape) => printed(shape),
        Datum::List(items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(", ")),
        Datum::Map(entries) => {
            let all: Vec<String> = entries.iter().map(|(key, value)| format!("{key:?}: {}", print(value))).collect();
            format!("{{{}}}", all.join(", "))
        }
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Float(_)
        | Datum::Double(_)
        | Datum::String(_)
        | Datum::Blob(_)
        | Datum::Timestamp(_)
        | Datum::Document(_) => format!("{value:?}"),
    }
}
