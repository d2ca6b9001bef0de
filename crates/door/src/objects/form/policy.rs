//! The policy of a form: until when it is good, and what its fields must be. Pure.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{Cause, Fault};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Fields;
use crate::objects::body::bad;

/// A policy that is still good.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Equals { field: String, value: String },
    StartsWith { field: String, value: String },
    Length(RangeInclusive<u64>),
}

/// Fields that a policy need not name: what proves it, and the file.
const FREE: [&str; 5] = ["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"];

impl Policy {
    /// Reads what a form brings, in base64.
    pub(crate) fn read(text: &str, now: Timestamp) -> Result<Self, Fault> {
        let text: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(text).map_err(|_| invalid("Invalid base64."))?;
        let document: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid JSON."))?;
        if let Some(other) = document.keys().find(|key| !["expiration", "conditions"].contains(&key.as_str())) {
            return Err(invalid(&format!("Unexpected: '{}'", short(other))));
        }
        let expiration = document.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = document.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let until: Option<Timestamp> = expiration.as_str().and_then(|text| text.parse().ok());
        let until = until.ok_or_else(|| {
            invalid(&format!("Invalid 'expiration' value: '{}'", short(expiration.as_str().unwrap_or_default())))
        })?;
        let conditions = conditions.as_array().ok_or_else(|| invalid("Conditions must be a list."))?;
        let conditions = conditions.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
        if until <= now {
            return Err(against("Policy expired."));
        }
        Ok(Self { conditions })
    }

    /// Whether every field is what the policy wants, and wanted by it; how long the file may be.
    pub(crate) fn check(&self, fields: &Fields, bucket: &str) -> Result<RangeInclusive<u64>, Fault> {
        let (mut min, mut max) = (0, u64::MAX);
        for condition in &self.conditions {
            let (field, wanted) = match condition {
                Condition::Length(lengths) => {
                    (min, max) = (min.max(*lengths.start()), max.min(*lengths.end()));
                    continue;
                }
                Condition::Equals { field, value } | Condition::StartsWith { field, value } => (field, value),
            };
            let given = if field == "bucket" { bucket } else { fields.get(field).unwrap_or_default() };
            let holds = match condition {
                Condition::Equals { .. } => given == wanted,
                // Several types may be given, and each of them must begin so.
                Condition::StartsWith { .. } if field == "content-type" => {
                    given.split(',').all(|given| given.trim_start().starts_with(wanted.as_str()))
                }
                Condition::StartsWith { .. } => given.starts_with(wanted.as_str()),
                Condition::Length(_) => true,
            };
            if !holds {
                return Err(against(&format!("Policy Condition failed: {}", condition.shown())));
            }
        }
        let named = |name: &str| self.conditions.iter().any(|condition| condition.field() == Some(name));
        let is_free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-");
        let names = fields.iter().map(|(name, _)| name.to_ascii_lowercase());
        match names.into_iter().find(|name| !is_free(name) && !named(name)) {
            Some(extra) => Err(against(&format!("Extra input fields: {extra}"))),
            None => Ok(min..=max),
        }
    }
}

impl Condition {
    fn field(&self) -> Option<&str> {
        match self {
            Self::Equals { field, .. } | Self::StartsWith { field, .. } => Some(field),
            Self::Length(_) => None,
        }
    }

    /// As it stands in refusals.
    fn shown(&self) -> String {
        match self {
            Self::Equals { field, value } => format!("[\"eq\", \"${field}\", \"{value}\"]"),
            Self::StartsWith { field, value } => format!("[\"starts-with\", \"${field}\", \"{value}\"]"),
            Self::Length(lengths) => format!("[\"content-length-range\", {}, {}]", lengths.start(), lengths.end()),
        }
    }
}

fn condition(value: &Value) -> Result<Condition, Fault> {
    match value {
        Value::Object(pairs) => {
            let mut pairs = pairs.iter();
            let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                let why = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
                return Err(invalid(why));
            };
            let value = value.as_str().ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
            Ok(Condition::Equals { field: field.to_ascii_lowercase(), value: value.to_owned() })
        }
        Value::Array(parts) => listed(parts),
        _ => Err(invalid("Invalid Condition: a condition is an object or a list.")),
    }
}

fn listed(parts: &[Value]) -> Result<Condition, Fault> {
    let [operation, first, second] = parts else {
        return Err(invalid("Invalid Condition: wrong number of arguments."));
    };
    let operation = operation.as_str().unwrap_or_default().to_ascii_lowercase();
    if operation == "content-length-range" {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        return match (number(first), number(second)) {
            (Some(min), Some(max)) => Ok(Condition::Length(min..=max)),
            _ => Err(invalid("Invalid content-length-range: lower and upper must be numbers.")),
        };
    }
    let field = first.as_str().and_then(|field| field.strip_prefix('$'));
    let (Some(field), Some(value)) = (field, second.as_str()) else {
        return Err(invalid("Invalid Condition: Match names must start with '$' and values must be strings."));
    };
    let (field, value) = (field.to_ascii_lowercase(), value.to_owned());
    match operation.as_str() {
        "eq" => Ok(Condition::Equals { field, value }),
        "starts-with" => Ok(Condition::StartsWith { field, value }),
        unknown => Err(invalid(&format!("Invalid Condition: unknown operation '{}'.", short(unknown)))),
    }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

fn invalid(why: &str) -> Fault {
    bad(400, "InvalidPolicyDocument", &format!("Invalid Policy: {why}"))
}

fn against(why: &str) -> Fault {
    let message = format!("Invalid according to Policy: {why}");
    Fault { status: Some(403), ..Fault::new(Cause::Denied, "AccessDenied", message) }
}

#[cfg(test)]
mod tests {
    use base::Random;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const CONDITIONS: &str = r#"[{"bucket":"b"},["eq","$acl","private"],["starts-with","$Key","in/"],
        ["starts-with","$Content-Type","image/"],["content-length-range",1,"10"]]"#;

    fn policy(conditions: &str) -> Result<Policy, Fault> {
        let text = format!(r#"{{"expiration":"1970-01-01T00:00:01Z","conditions":{conditions}}}"#);
        Policy::read(&STANDARD.encode(text), NOW)
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.add(name, (*value).to_owned());
        }
        fields
    }

    #[test]
    fn every_field_is_wanted_and_as_it_is_wanted() {
        let policy = policy(CONDITIONS).expect("a policy");
        let good = [("key", "in/k"), ("ACL", "private"), ("Content-Type", "image/png, image/gif"), ("policy", "p")];
        assert_eq!(policy.check(&fields(&good), "b").expect("good"), 1..=10);
        for (bucket, changed, expected) in [
            ("c", ("x-ignore-a", "b"), "Policy Condition failed: [\"eq\", \"$bucket\", \"b\"]"),
            ("b", ("x-amz-meta-a", "b"), "Extra input fields: x-amz-meta-a"),
            ("b", ("key", "out/k"), "Policy Condition failed: [\"starts-with\", \"$key\", \"in/\"]"),
            ("b", ("acl", "public-read"), "Policy Condition failed: [\"eq\", \"$acl\", \"private\"]"),
            (
                "b",
                ("content-type", "image/png, text/html"),
                "Policy Condition failed: [\"starts-with\", \"$content-type\", \"image/\"]",
            ),
        ] {
            let kept = good.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(changed.0));
            let all: Vec<_> = kept.copied().chain([changed]).collect();
            let fault = policy.check(&fields(&all), bucket).expect_err("refused");
            assert_eq!(fault.message, format!("Invalid according to Policy: {expected}"));
            assert_eq!((fault.code.as_str(), fault.status), ("AccessDenied", Some(403)));
        }
    }

    #[test]
    fn what_is_no_policy_is_told() {
        for (text, code) in [
            ("{}", "InvalidPolicyDocument"),
            ("[]", "InvalidPolicyDocument"),
            (r#"{"conditions":[]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"tomorrow","conditions":[]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z"}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z","conditions":[1]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z","conditions":[{"a":"b","c":"d"}]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z","conditions":[["like","$a","b"]]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z","conditions":[["eq","a","b"]]}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:01Z","conditions":[],"more":1}"#, "InvalidPolicyDocument"),
            (r#"{"expiration":"1970-01-01T00:00:00Z","conditions":[]}"#, "AccessDenied"),
        ] {
            let read = Policy::read(&STANDARD.encode(text), NOW);
            assert_eq!(read.map_err(|fault| fault.code), Err(code.to_owned()), "{text}");
        }
        assert_eq!(Policy::read("%", NOW).map_err(|fault| fault.code), Err("InvalidPolicyDocument".into()));
    }

    #[test]
    fn damaged_policies_never_panic() {
        let random = Random::seeded(11);
        let whole = format!(r#"{{"expiration":"1970-01-01T00:00:01Z","conditions":{CONDITIONS}}}"#);
        for _ in 0..3_000 {
            let mut text = whole.clone().into_bytes();
            for _ in 0..=random.below(3) {
                let at = random.below(text.len() as u64) as usize;
                text[at] = random.below(256) as u8;
            }
            crate::fuzzing::form_policy(&text);
        }
    }
}
