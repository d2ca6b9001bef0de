//! Attributes of messages: what may be one, and the MD5 by which SDKs check them.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use wire::sqs::{MessageAttributeValue, MessageSystemAttributeValue};

use super::message::{Attribute, Value};
use crate::error::Error;

/// The most attributes of one message.
pub const COUNT_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 256;
const TYPE_CHARS_MAX: usize = 256;

/// The name of the one system attribute that senders may set.
pub const TRACE_HEADER: &str = "AWSTraceHeader";

/// MD5 in hexadecimal.
pub fn md5(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// The MD5 of attributes: each as name, type, kind of value and value, each with its length, in order of name. None without any.
pub fn md5_of<'a>(attributes: impl Iterator<Item = (&'a str, &'a Attribute)>) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    let add = |digest: &mut Md5, bytes: &[u8]| {
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for (name, attribute) in attributes {
        any = true;
        add(&mut digest, name.as_bytes());
        add(&mut digest, attribute.data_type.as_bytes());
        match &attribute.value {
            Value::Text(text) => {
                digest.update([1]);
                add(&mut digest, text.as_bytes());
            }
            Value::Bytes(bytes) => {
                digest.update([2]);
                add(&mut digest, bytes);
            }
        }
    }
    any.then(|| hex::encode(digest.finalize()))
}

/// Reads what a sender gave.
pub fn read(given: BTreeMap<String, MessageAttributeValue>) -> Result<BTreeMap<String, Attribute>, Error> {
    if given.len() > COUNT_MAX {
        let count = given.len();
        return Err(Error::InvalidValue(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [{COUNT_MAX}]."
        )));
    }
    let mut attributes = BTreeMap::new();
    for (name, value) in given {
        check_name(&name)?;
        let MessageAttributeValue { string_value, binary_value, data_type, .. } = value;
        let attribute = typed("message (user) attribute", &name, data_type, string_value, binary_value)?;
        attributes.insert(name, attribute);
    }
    Ok(attributes)
}

/// Reads the system attributes that a sender gave: there is one.
pub fn read_system(given: BTreeMap<String, MessageSystemAttributeValue>) -> Result<Option<Attribute>, Error> {
    let mut trace_header = None;
    for (name, value) in given {
        if name != TRACE_HEADER {
            return Err(Error::InvalidValue(format!(
                "Message system attribute name '{name}' is invalid. The supported name is '{TRACE_HEADER}'."
            )));
        }
        let MessageSystemAttributeValue { string_value, binary_value, data_type, .. } = value;
        if data_type != "String" {
            return Err(Error::InvalidValue(format!(
                "The message system attribute '{name}' has an invalid message attribute type, the only supported type is \
                 String."
            )));
        }
        trace_header = Some(typed("message (system) attribute", &name, data_type, string_value, binary_value)?);
    }
    Ok(trace_header)
}

fn check_name(name: &str) -> Result<(), Error> {
    let fault = |why: &str| Err(Error::InvalidValue(why.to_owned()));
    if name.is_empty() {
        return fault("The message attribute name must not be empty.");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return fault("Length of message attribute name must be less than 256 bytes.");
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return fault(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are \
                      reserved for internal use.",
        );
    }
    let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !good || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(Error::InvalidValue(format!(
            "Invalid message attribute name '{name}'. It can contain alphanumeric characters, hyphens, underscores and \
             periods, and must not start or end with a period or have periods in succession."
        )));
    }
    Ok(())
}

fn typed(
    what: &str,
    name: &str,
    data_type: String,
    text: Option<String>,
    bytes: Option<bytes::Bytes>,
) -> Result<Attribute, Error> {
    let logical = data_type.split('.').next().unwrap_or_default();
    if data_type.is_empty() {
        return Err(Error::InvalidValue(format!(
            "The {what} '{name}' must contain a non-empty message attribute type."
        )));
    }
    if data_type.len() > TYPE_CHARS_MAX {
        return Err(Error::InvalidValue(format!(
            "Length of message attribute type of '{name}' must be less than 256 bytes."
        )));
    }
    let empty =
        || Error::InvalidValue(format!("The {what} '{name}' must contain a non-empty value of type '{logical}'."));
    let value = match logical {
        "String" | "Number" => {
            let text = text.filter(|text| !text.is_empty()).ok_or_else(empty)?;
            if logical == "Number" && text.trim().parse::<f64>().map_or(true, |number| !number.is_finite()) {
                return Err(Error::InvalidValue(format!("Can't cast the value of {what} '{name}' to a number.")));
            }
            if let Some(bad) = crate::ops::forbidden_character(&text) {
                return Err(Error::InvalidValue(format!(
                    "Invalid binary character '#x{bad:X}' was found in the {what} '{name}', the set of allowed characters is \
                     #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
                )));
            }
            Value::Text(text)
        }
        "Binary" => Value::Bytes(bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(empty)?),
        _ => {
            return Err(Error::InvalidValue(format!(
                "The {what} '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, \
                 Number, and String."
            )));
        }
    };
    Ok(Attribute { data_type, value })
}

/// Whether a receiver who asks for `wanted` gets the attribute: by name, by `All`, or by a prefix such as `trace.*`.
pub fn is_wanted(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|pattern| match pattern.as_str() {
        "All" | ".*" => true,
        pattern => match pattern.strip_suffix(".*") {
            Some(prefix) => name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
            None => pattern == name,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_md5_is_what_sdks_compute() {
        // As botocore computes it for {"a": String "x", "b": Binary 0x01}.
        let attributes: BTreeMap<String, Attribute> = [
            ("b".to_owned(), Attribute { data_type: "Binary".into(), value: Value::Bytes(vec![1].into()) }),
            ("a".to_owned(), Attribute { data_type: "String".into(), value: Value::Text("x".into()) }),
        ]
        .into();
        let mut bytes = Vec::new();
        bytes.extend(b"\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x01x");
        bytes.extend(b"\0\0\0\x01b\0\0\0\x06Binary\x02\0\0\0\x01\x01");
        let found = md5_of(attributes.iter().map(|(name, attribute)| (name.as_str(), attribute)));
        assert_eq!(found, Some(md5(&bytes)));
        assert_eq!(md5_of(std::iter::empty()), None);
        assert_eq!(md5(b"hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn receivers_name_attributes_whole_or_by_their_start() {
        for (wanted, name, expected) in [
            ("All", "a", true),
            (".*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a.*", "a.b", true),
            ("a.*", "ab", false),
        ] {
            assert_eq!(is_wanted(&[wanted.to_owned()], name), expected, "{wanted} {name}");
        }
        assert!(!is_wanted(&[], "a"));
    }
}
