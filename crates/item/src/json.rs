//! The form of a value in JSON: `{"S": "text"}`, `{"N": "1.5"}`, `{"M": {…}}`, as events and the command line show it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::{Item, Kind, Number, Refusal, Value};

/// Base64 as clients write it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The form of an item.
pub fn write_item(item: &Item) -> Json {
    Json::Object(item.iter().map(|(name, value)| (name.clone(), write(value))).collect())
}

/// The form of a value.
pub fn write(value: &Value) -> Json {
    let held = match value {
        Value::S(text) => text.as_str().into(),
        Value::N(number) => number.to_string().into(),
        Value::B(bytes) => base64(bytes).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Null => true.into(),
        Value::M(entries) => write_item(entries),
        Value::L(items) => items.iter().map(write).collect(),
        Value::Ss(members) => members.iter().map(String::as_str).collect(),
        Value::Ns(members) => members.iter().map(Number::to_string).collect(),
        Value::Bs(members) => members.iter().map(|member| base64(member)).collect(),
    };
    Json::Object(Map::from_iter([(value.kind().as_str().to_owned(), held)]))
}

/// The item of that form.
pub fn read_item(json: &Json) -> Result<Item, Refusal> {
    let entries = json.as_object().ok_or_else(|| mismatch(json, "a Map"))?;
    entries.iter().map(|(name, value)| Ok((name.clone(), read(value)?))).collect()
}

/// The value of that form. Goes as deep as the JSON does, which whoever read it has bounded.
pub fn read(json: &Json) -> Result<Value, Refusal> {
    let entries = json.as_object().ok_or_else(|| mismatch(json, "a Structure"))?;
    let mut typed = entries.iter().filter(|(_, held)| !held.is_null());
    let (name, held) = typed.next().ok_or(Refusal::NoType)?;
    if typed.next().is_some() {
        return Err(Refusal::ManyTypes);
    }
    match Kind::from_name(name).ok_or(Refusal::NoType)? {
        Kind::S => Ok(Value::S(text(held)?.to_owned())),
        Kind::N => Value::number(text(held)?),
        Kind::B => bytes(held).map(Value::B),
        Kind::Bool => truth(held).map(Value::Bool),
        Kind::Null => {
            if truth(held)? {
                Ok(Value::Null)
            } else {
                Err(Refusal::NullFalse)
            }
        }
        Kind::M => read_item(held).map(Value::M),
        Kind::L => list(held, read).map(Value::L),
        Kind::Ss => Value::text_set(list(held, |held| text(held).map(str::to_owned))?),
        Kind::Ns => Value::number_set(&list(held, text)?),
        Kind::Bs => Value::bytes_set(list(held, bytes)?),
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn text(json: &Json) -> Result<&str, Refusal> {
    json.as_str().ok_or_else(|| mismatch(json, "a String"))
}

fn truth(json: &Json) -> Result<bool, Refusal> {
    json.as_bool().ok_or_else(|| mismatch(json, "a Boolean"))
}

fn bytes(json: &Json) -> Result<Bytes, Refusal> {
    BASE64.decode(text(json)?).map(Bytes::from).map_err(|_| mismatch(json, "a Blob"))
}

fn list<'a, T>(json: &'a Json, item: impl Fn(&'a Json) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
    json.as_array().ok_or_else(|| mismatch(json, "a List"))?.iter().map(item).collect()
}

fn mismatch(found: &Json, wanted: &'static str) -> Refusal {
    let found = match found {
        Json::Null => "NULL_VALUE",
        Json::Bool(true) => "TRUE_VALUE",
        Json::Bool(false) => "FALSE_VALUE",
        Json::Number(_) => "NUMBER_VALUE",
        Json::String(_) => "STRING_VALUE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
    };
    Refusal::Json { found, wanted }
}
