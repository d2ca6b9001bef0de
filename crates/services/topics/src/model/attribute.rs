//! Attributes of messages: what may be one, in AWS's words for what may not.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use wire::sns::MessageAttributeValue;

use crate::error::Error;

/// A message's attributes, by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `String.Array`, `Number` or `Binary`, or one of them with a label after a dot.
    pub data_type: String,
    /// What it is.
    pub value: Value,
}

/// What an attribute is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, also of numbers.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
    }
}

const NAME_CHARS_MAX: usize = 256;

/// How many bytes attributes count.
pub fn bytes_of(attributes: &Attributes) -> usize {
    let one = |(name, attribute): (&String, &Attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        };
        name.len() + attribute.data_type.len() + value
    };
    attributes.iter().map(one).sum()
}

/// Reads what a publisher gave.
pub fn read(given: BTreeMap<String, MessageAttributeValue>) -> Result<Attributes, Error> {
    given.into_iter().map(|(name, value)| read_one(&name, value).map(|attribute| (name, attribute))).collect()
}

fn read_one(name: &str, given: MessageAttributeValue) -> Result<Attribute, Error> {
    let MessageAttributeValue { data_type, string_value, binary_value } = given;
    check_name(name)?;
    let refused = |why: String| Err(Error::InvalidValue(why));
    let logical = data_type.split('.').next().unwrap_or_default();
    if data_type.is_empty() {
        return refused(format!("The message attribute '{name}' must contain non-empty message attribute type."));
    }
    let empty = || {
        Error::InvalidValue(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type \
             '{logical}'."
        ))
    };
    let value = match logical {
        "String" | "Number" => {
            let text = string_value.filter(|text| !text.is_empty()).ok_or_else(empty)?;
            if logical == "Number" && text.trim().parse::<f64>().map_or(true, |number| !number.is_finite()) {
                return refused(format!("Could not cast message attribute '{name}' value to number."));
            }
            let is_array = |text: &str| matches!(serde_json::from_str(text), Ok(Json::Array(_)));
            if data_type == "String.Array" && !is_array(&text) {
                return refused(format!(
                    "The message attribute '{name}' of type String.Array must contain a JSON array."
                ));
            }
            Value::Text(text)
        }
        "Binary" => Value::Bytes(binary_value.filter(|bytes| !bytes.is_empty()).ok_or_else(empty)?),
        _ => {
            return refused(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is \
                 Binary, Number, and String."
            ));
        }
    };
    Ok(Attribute { data_type, value })
}

fn check_name(name: &str) -> Result<(), Error> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let word = (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(good);
    let lower = name.to_ascii_lowercase();
    if !word || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(Error::InvalidValue(format!(
            "Invalid non-alphanumeric character was found in the message attribute name '{name}'. Can only include \
             alphanumeric characters, hyphens, underscores, or dots, and 1 to {NAME_CHARS_MAX} of them."
        )));
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(Error::InvalidValue(format!(
            "The message attribute name '{name}' begins with a prefix that is reserved for AWS: AWS. or Amazon."
        )));
    }
    Ok(())
}

/// As envelopes show them: `{"name": {"Type": …, "Value": …}}`, bytes in base64. None without any.
pub fn shown(attributes: &Attributes) -> Option<Json> {
    use base64::Engine;
    if attributes.is_empty() {
        return None;
    }
    let show = |attribute: &Attribute| match &attribute.value {
        Value::Text(text) => json!({ "Type": attribute.data_type, "Value": text }),
        Value::Bytes(bytes) => {
            json!({ "Type": attribute.data_type, "Value": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
    };
    Some(attributes.iter().map(|(name, attribute)| (name.clone(), show(attribute))).collect())
}

/// As a queue takes them with a message that is sent as it is.
pub fn for_queue(attributes: &Attributes) -> Json {
    use base64::Engine;
    let show = |attribute: &Attribute| match &attribute.value {
        Value::Text(text) => json!({ "DataType": attribute.data_type, "StringValue": text }),
        Value::Bytes(bytes) => json!({
            "DataType": attribute.data_type,
            "BinaryValue": base64::engine::general_purpose::STANDARD.encode(bytes),
        }),
    };
    attributes.iter().map(|(name, attribute)| (name.clone(), show(attribute))).collect()
}
