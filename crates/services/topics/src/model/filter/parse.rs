//! From a filter policy's text to what is asked for every message, with AWS's words for what is wrong.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{BYTES_MAX, Bound, COMBINATIONS_MAX, Cidr, DEPTH_MAX, Field, FilterScope, Group, KEYS_MAX, Plain, Rule};

type Wrong = String;

pub(super) fn group(text: &str, scope: FilterScope) -> Result<Group, Wrong> {
    if text.len() > BYTES_MAX {
        return Err(format!("Filter policy is too long: {} bytes of at most {BYTES_MAX}", text.len()));
    }
    let document: Value = serde_json::from_str(text).map_err(|error| format!("failed to parse JSON. {error}"))?;
    let Value::Object(members) = document else { return Err("Filter policy must be a JSON object".to_owned()) };
    if members.len() > KEYS_MAX {
        return Err(format!("Filter policy can not have more than {KEYS_MAX} keys"));
    }
    let group = read_group(&members, scope, 1)?;
    match combinations(&group, 1) {
        Some(count) if count <= COMBINATIONS_MAX => Ok(group),
        Some(_) | None => Err("Filter policy is too complex".to_owned()),
    }
}

fn read_group(members: &Map<String, Value>, scope: FilterScope, depth: usize) -> Result<Group, Wrong> {
    if depth > DEPTH_MAX {
        return Err("Filter policy is too complex".to_owned());
    }
    let mut group = Group::default();
    for (name, value) in members {
        match value {
            Value::Array(list) if name == "$or" && is_choice(list) => {
                let read = |one: &Value| match one {
                    Value::Object(members) => read_group(members, scope, depth),
                    _ => Err("\"$or\" must be an array of objects".to_owned()),
                };
                group.choices.push(list.iter().map(read).collect::<Result<_, _>>()?);
            }
            Value::Array(list) if list.is_empty() => return Err("Empty arrays are not allowed".to_owned()),
            Value::Array(list) => {
                let rules = list.iter().map(rule).collect::<Result<_, _>>()?;
                group.fields.push((name.clone(), Field::Rules(rules)));
            }
            Value::Object(_) if scope == FilterScope::MessageAttributes => {
                return Err("Filter policy scope MessageAttributes does not support nested filter policy".to_owned());
            }
            Value::Object(inside) if inside.is_empty() => return Err("Empty objects are not allowed".to_owned()),
            Value::Object(inside) => {
                group.fields.push((name.clone(), Field::Inside(read_group(inside, scope, depth + 1)?)));
            }
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(group)
}

/// `$or` is a choice where its value is one; else it is a name like any other.
fn is_choice(list: &[Value]) -> bool {
    list.len() >= 2 && list.iter().all(|one| one.as_object().is_some_and(|members| !members.is_empty()))
}

/// How many combinations of values there are: none if more than can be counted.
fn combinations(group: &Group, depth: u64) -> Option<u64> {
    let mut count: u64 = 1;
    for (_, field) in &group.fields {
        count = count.checked_mul(match field {
            Field::Rules(rules) => depth.checked_mul(rules.len() as u64)?,
            Field::Inside(inside) => combinations(inside, depth + 1)?,
        })?;
    }
    for choice in &group.choices {
        let mut either: u64 = 0;
        for one in choice {
            either = either.checked_add(combinations(one, depth)?)?;
        }
        count = count.checked_mul(either)?;
    }
    Some(count)
}

fn rule(value: &Value) -> Result<Rule, Wrong> {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(_) => return Err("Match value must be String, number, true, false, or null".to_owned()),
        plain_one => return Ok(Rule::Is(plain(plain_one)?)),
    };
    let mut members = members.iter();
    let (Some((operator, operand)), None) = (members.next(), members.next()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    Ok(match operator.as_str() {
        "prefix" => Rule::Prefix(text("prefix", operand)?),
        "suffix" => Rule::Suffix(text("suffix", operand)?),
        "equals-ignore-case" => Rule::IgnoreCase(text("equals-ignore-case", operand)?.to_lowercase()),
        "exists" => Rule::Exists(
            operand.as_bool().ok_or_else(|| "exists match pattern must be either true or false.".to_owned())?,
        ),
        "numeric" => numeric(operand)?,
        "cidr" => Rule::Cidr(cidr(operand)?),
        "anything-but" => anything_but(operand)?,
        unknown => return Err(format!("Unrecognized match type {unknown}")),
    })
}

fn plain(value: &Value) -> Result<Plain, Wrong> {
    match value {
        Value::String(text) => Ok(Plain::Text(text.clone())),
        Value::Number(number) => Ok(Plain::Number(number.as_f64().unwrap_or(f64::NAN))),
        Value::Bool(truth) => Ok(Plain::Truth(*truth)),
        Value::Null => Ok(Plain::Null),
        Value::Array(_) | Value::Object(_) => {
            Err("Match value must be String, number, true, false, or null".to_owned())
        }
    }
}

fn text(operator: &str, operand: &Value) -> Result<String, Wrong> {
    match operand {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::String(_) => Err(format!("Null {operator} not allowed")),
        _ => Err(format!("{operator} match pattern must be a string")),
    }
}

fn texts(operator: &str, operand: &Value) -> Result<Vec<String>, Wrong> {
    match operand {
        Value::Array(list) if !list.is_empty() => list.iter().map(|one| text(operator, one)).collect(),
        one => Ok(vec![text(operator, one)?]),
    }
}

fn anything_but(operand: &Value) -> Result<Rule, Wrong> {
    match operand {
        Value::Object(members) => {
            let mut members = members.iter();
            let (Some((operator, operand)), None) = (members.next(), members.next()) else {
                return Err("Only one key allowed in match expression".to_owned());
            };
            match operator.as_str() {
                "prefix" => Ok(Rule::AnythingButPrefix(texts("prefix", operand)?)),
                "suffix" => Ok(Rule::AnythingButSuffix(texts("suffix", operand)?)),
                "equals-ignore-case" => {
                    let texts = texts("equals-ignore-case", operand)?;
                    Ok(Rule::AnythingButIgnoreCase(texts.iter().map(|text| text.to_lowercase()).collect()))
                }
                unknown => Err(format!("Unsupported anything-but pattern: {unknown}")),
            }
        }
        Value::Array(list) if list.is_empty() => Err("Empty arrays are not allowed".to_owned()),
        Value::Array(list) => Ok(Rule::AnythingBut(list.iter().map(anything_but_value).collect::<Result<_, _>>()?)),
        one => Ok(Rule::AnythingBut(vec![anything_but_value(one)?])),
    }
}

fn anything_but_value(value: &Value) -> Result<Plain, Wrong> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            Err("Inside anything but list, start|null|boolean is not supported.".to_owned())
        }
        one => plain(one),
    }
}

/// `["=", 1]`, `[">", 1]`, `[">=", 1, "<", 2]`.
fn numeric(operand: &Value) -> Result<Rule, Wrong> {
    let Value::Array(list) = operand else { return Err("Value of numeric must be an array.".to_owned()) };
    let mut list = list.iter();
    let operator = match list.next() {
        Some(Value::String(operator)) => operator.as_str(),
        Some(other) => return Err(format!("Invalid member in numeric match: {other}")),
        None => return Err("Invalid member in numeric match: ]".to_owned()),
    };
    if !["=", "<", "<=", ">", ">="].contains(&operator) {
        return Err(format!("Unrecognized numeric range operator: {operator}"));
    }
    let at = number(operator, list.next())?;
    let inclusive = operator.ends_with('=');
    let first = Some(Bound { at, inclusive });
    let Some(second) = list.next() else {
        return Ok(match operator {
            "=" => Rule::Numeric { low: first, high: first },
            "<" | "<=" => Rule::Numeric { low: None, high: first },
            _ => Rule::Numeric { low: first, high: None },
        });
    };
    if !operator.starts_with('>') {
        return Err("Too many elements in numeric expression".to_owned());
    }
    let operator = match second {
        Value::String(operator) if operator == "<" || operator == "<=" => operator.as_str(),
        Value::String(operator) => return Err(format!("Bad numeric range operator: {operator}")),
        other => return Err(format!("Bad numeric range operator: {other}")),
    };
    let high = Bound { at: number(operator, list.next())?, inclusive: operator == "<=" };
    if high.at <= at {
        return Err("Bottom must be less than top".to_owned());
    }
    match list.next() {
        Some(_) => Err("Too many terms in numeric range expression".to_owned()),
        None => Ok(Rule::Numeric { low: first, high: Some(high) }),
    }
}

fn number(operator: &str, value: Option<&Value>) -> Result<f64, Wrong> {
    let word = if operator == "=" { "equals" } else { operator };
    value.and_then(Value::as_f64).ok_or_else(|| format!("Value of {word} must be numeric"))
}

fn cidr(operand: &Value) -> Result<Cidr, Wrong> {
    // AWS's words, though they speak of a prefix.
    let text = operand.as_str().ok_or_else(|| "prefix match pattern must be a string".to_owned())?;
    let mut parts = text.split('/');
    let (Some(base), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("Malformed CIDR, one '/' required".to_owned());
    };
    let base: IpAddr = base.parse().map_err(|_| format!("Nonstandard IP address: {base}"))?;
    let bits: u8 = bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
    let most = if base.is_ipv4() { 32 } else { 128 };
    if bits > most {
        return Err(format!("Malformed CIDR, mask bits must be <= {most}"));
    }
    Ok(Cidr { base, bits })
}
