//! `FilterCriteria`: which records are wanted. Patterns see a message's body as JSON where they ask for members of it. Pure.
//!
//! A pattern for the body that is a list (text) is held against bodies that are text, one that is an object against bodies that are JSON;
//! a body of the other form does not match, as AWS documents it. Records of streams have their data in base64, and are seen decoded.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pattern::Pattern;
use serde_json::Value;

/// The most patterns of one source.
pub const COUNT_MAX: usize = 5;

/// Where records have what filters look into.
const BODIES: [&[&str]; 3] = [&["body"], &["kinesis", "data"], &["data"]];

/// Patterns of which one must match; none at all wants everything.
#[derive(Clone, Debug, Default)]
pub struct Filters(Arc<[Pattern]>);

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFilter {
    /// Which, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Filters {
    /// Reads patterns.
    pub fn read<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadFilter> {
        let read = |(index, text): (usize, &'a str)| {
            Pattern::compile(text).map_err(|error| BadFilter { index, why: error.to_string() })
        };
        Ok(Self(patterns.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?.into()))
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record is wanted.
    pub fn matches(&self, record: &Value) -> bool {
        if self.is_empty() {
            return true;
        }
        let seen = opened(record);
        self.0.iter().any(|pattern| pattern.matches(&seen))
    }
}

/// The record with what is JSON in its body opened.
pub fn opened(record: &Value) -> Value {
    let mut seen = record.clone();
    for path in BODIES {
        let mut place = Some(&mut seen);
        for name in path {
            place = place.and_then(|value| value.get_mut(*name));
        }
        let Some(Value::String(text)) = place.as_deref() else { continue };
        let decoded = match *path {
            ["body"] => None,
            _ => STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
        };
        let text = decoded.as_deref().unwrap_or(text);
        let inside = match serde_json::from_str::<Value>(text) {
            Ok(inside @ (Value::Object(_) | Value::Array(_))) => Some(inside),
            Ok(_) | Err(_) => decoded.map(Value::String),
        };
        if let (Some(inside), Some(place)) = (inside, place) {
            *place = inside;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pattern: &str, record: Value, expected: bool) {
        let filters = Filters::read([pattern]).unwrap_or_else(|bad| panic!("{pattern}: {bad:?}"));
        assert_eq!(filters.matches(&record), expected, "{pattern} of {record}");
    }

    #[test]
    fn bodies_match_by_their_form() {
        let order = json!({ "body": r#"{"kind":"order","price":7}"# });
        let text = json!({ "body": "order" });
        check(r#"{"body":{"kind":["order"]}}"#, order.clone(), true);
        check(r#"{"body":{"kind":["invoice"]}}"#, order.clone(), false);
        check(r#"{"body":{"price":[{"numeric":[">",5]}]}}"#, order.clone(), true);
        check(r#"{"body":["order"]}"#, text.clone(), true);
        check(r#"{"body":["order"]}"#, order.clone(), false);
        check(r#"{"body":{"kind":["order"]}}"#, text, false);
        check(r#"{"awsRegion":["here"]}"#, json!({ "body": "x", "awsRegion": "here" }), true);
        check(r#"{"body":{"kind":["order"]}}"#, json!({ "body": "{" }), false);
    }

    #[test]
    fn data_of_streams_is_decoded() {
        let data = STANDARD.encode(r#"{"a":1}"#);
        check(r#"{"data":{"a":[1]}}"#, json!({ "data": data }), true);
        check(r#"{"kinesis":{"data":{"a":[1]}}}"#, json!({ "kinesis": { "data": data } }), true);
        check(r#"{"data":["x"]}"#, json!({ "data": STANDARD.encode("x") }), true);
    }

    #[test]
    fn one_of_several_is_enough_and_none_wants_everything() {
        let filters = Filters::read([r#"{"a":[1]}"#, r#"{"b":[1]}"#]).expect("they are patterns");
        assert!(filters.matches(&json!({ "b": 1 })) && !filters.matches(&json!({ "c": 1 })));
        assert!(Filters::default().matches(&json!(null)));
        assert_eq!(Filters::read([r#"{"a":[1]}"#, "{"]).expect_err("it is no pattern").index, 1);
    }
}
