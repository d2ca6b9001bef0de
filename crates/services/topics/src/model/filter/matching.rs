//! Whether a message fits a filter policy.

use std::net::IpAddr;

use serde_json::Value;

use super::{Bound, Field, Group, Plain, Rule};
use crate::model::attribute::{Attribute, Attributes};

/// A value in a message.
enum Seen<'a> {
    Text(&'a str),
    Number(f64),
    Truth(bool),
    Null,
}

/// By attributes: every name must be one, but where the rule wants it to be missing.
pub(super) fn attributes(group: &Group, attributes: &Attributes) -> bool {
    let fields = group.fields.iter().all(|(name, field)| match field {
        Field::Rules(rules) => match attributes.get(name) {
            None => rules.iter().any(|rule| matches!(rule, Rule::Exists(false))),
            Some(attribute) => attribute_fits(rules, attribute),
        },
        // Not there: such policies are refused for this scope.
        Field::Inside(_) => false,
    });
    fields && group.choices.iter().all(|choice| choice.iter().any(|one| self::attributes(one, attributes)))
}

fn attribute_fits(rules: &[Rule], attribute: &Attribute) -> bool {
    if rules.iter().any(|rule| matches!(rule, Rule::Exists(true))) {
        return true;
    }
    match attribute {
        Attribute { data_type, .. } if data_type.starts_with("Binary") => false,
        Attribute { data_type, value } => {
            let Some(text) = value.text() else { return false };
            if data_type == "String.Array" {
                let list: Value = serde_json::from_str(text).unwrap_or(Value::Null);
                return list.as_array().into_iter().flatten().filter_map(seen).any(|seen| fits(rules, &seen));
            }
            match data_type.split('.').next() {
                Some("Number") => text.trim().parse().is_ok_and(|number| fits(rules, &Seen::Number(number))),
                Some(_) | None => fits(rules, &Seen::Text(text)),
            }
        }
    }
}

/// By the message itself.
pub(super) fn body(group: &Group, body: &Value) -> bool {
    body.is_object() && inside(group, Some(body))
}

/// Of a list, one element must fit as a whole; what is not there can fit rules that want it to be missing, and so can an empty list.
fn inside(group: &Group, value: Option<&Value>) -> bool {
    if let Some(Value::Array(list)) = value {
        return if list.is_empty() { inside(group, None) } else { list.iter().any(|one| inside(group, Some(one))) };
    }
    let member = |name: &str| value.and_then(Value::as_object).and_then(|members| members.get(name));
    let fields = group.fields.iter().all(|(name, field)| match field {
        Field::Rules(rules) => leaf_fits(rules, member(name)),
        Field::Inside(group) => inside(group, member(name)),
    });
    fields && group.choices.iter().all(|choice| choice.iter().any(|one| inside(one, value)))
}

fn leaf_fits(rules: &[Rule], value: Option<&Value>) -> bool {
    let mut leaves = Vec::new();
    if let Some(value) = value {
        collect(value, &mut leaves);
    }
    let there = !leaves.is_empty();
    rules.iter().any(|rule| matches!(rule, Rule::Exists(wanted) if *wanted == there))
        || leaves.iter().any(|seen| fits(rules, seen))
}

fn collect<'a>(value: &'a Value, leaves: &mut Vec<Seen<'a>>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, leaves)),
        one => leaves.extend(seen(one)),
    }
}

fn seen(value: &Value) -> Option<Seen<'_>> {
    match value {
        Value::String(text) => Some(Seen::Text(text)),
        Value::Number(number) => number.as_f64().map(Seen::Number),
        Value::Bool(truth) => Some(Seen::Truth(*truth)),
        Value::Null => Some(Seen::Null),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn fits(rules: &[Rule], seen: &Seen<'_>) -> bool {
    rules.iter().any(|rule| fits_rule(rule, seen))
}

fn fits_rule(rule: &Rule, seen: &Seen<'_>) -> bool {
    let text = match seen {
        Seen::Text(text) => Some(*text),
        Seen::Number(_) | Seen::Truth(_) | Seen::Null => None,
    };
    match rule {
        Rule::Is(plain) => is(plain, seen),
        Rule::AnythingBut(list) => !list.iter().any(|plain| is(plain, seen)),
        Rule::AnythingButPrefix(list) => text.is_some_and(|text| !list.iter().any(|one| text.starts_with(one))),
        Rule::AnythingButSuffix(list) => text.is_some_and(|text| !list.iter().any(|one| text.ends_with(one))),
        Rule::AnythingButIgnoreCase(list) => text.is_some_and(|text| !list.contains(&text.to_lowercase())),
        Rule::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
        Rule::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
        Rule::IgnoreCase(lower) => text.is_some_and(|text| text.to_lowercase() == *lower),
        Rule::Numeric { low, high } => match seen {
            Seen::Number(number) => {
                low.is_none_or(|Bound { at, inclusive }| *number > at || inclusive && *number == at)
                    && high.is_none_or(|Bound { at, inclusive }| *number < at || inclusive && *number == at)
            }
            Seen::Text(_) | Seen::Truth(_) | Seen::Null => false,
        },
        Rule::Cidr(cidr) => text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|ip| cidr.contains(ip)),
        // Asked where it is known what is there.
        Rule::Exists(_) => false,
    }
}

fn is(plain: &Plain, seen: &Seen<'_>) -> bool {
    match (plain, seen) {
        (Plain::Text(wanted), Seen::Text(text)) => wanted == text,
        (Plain::Number(wanted), Seen::Number(number)) => wanted == number,
        (Plain::Truth(wanted), Seen::Truth(truth)) => wanted == truth,
        (Plain::Null, Seen::Null) => true,
        (Plain::Text(_) | Plain::Number(_) | Plain::Truth(_) | Plain::Null, _) => false,
    }
}
