//! Whether a policy lets in people whom nobody named. Pure.
//!
//! By S3's own meaning of it: a statement is public that allows something to everybody, unless a condition holds it to values that are
//! fixed (without wildcards and variables) of one of the few keys that say where somebody belongs or comes from.

use std::net::IpAddr;

use serde_json::Value;

/// Keys whose fixed values name somebody.
const NAMING: [&str; 14] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:userid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];
/// What a condition must do with its values to hold somebody to them.
const HOLDING: [&str; 6] =
    ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "foranyvalue:stringequals"];
/// Networks wider than that are everybody's.
const FOUR_BITS_MIN: u8 = 8;
const SIX_BITS_MIN: u8 = 32;

/// Whether any of its statements is public.
pub(crate) fn is_public(text: &str) -> bool {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    some(&document["Statement"]).any(statement_is_public)
}

fn statement_is_public(statement: &Value) -> bool {
    if statement["Effect"] != "Allow" {
        return false;
    }
    // To spare some of everybody leaves everybody else.
    let everybody = statement.get("NotPrincipal").is_some() || names_everybody(&statement["Principal"]);
    everybody && !is_held(&statement["Condition"])
}

fn names_everybody(principal: &Value) -> bool {
    match principal {
        Value::Object(kinds) => kinds.values().flat_map(some).any(|named| named == "*"),
        one => one == "*",
    }
}

/// Whether a condition holds a statement to somebody.
fn is_held(condition: &Value) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators.filter_map(|(operator, keys)| Some((operator.to_ascii_lowercase(), keys.as_object()?))).any(
        |(operator, keys)| {
            keys.iter().any(|(key, values)| {
                let key = key.to_ascii_lowercase();
                let mut values = some(values).map(|value| value.as_str().unwrap_or_default());
                match operator.as_str() {
                    "ipaddress" => key == "aws:sourceip" && values.all(is_narrow),
                    holding if HOLDING.contains(&holding) => {
                        NAMING.contains(&key.as_str()) && values.all(|value| is_fixed(&key, value))
                    }
                    _ => false,
                }
            })
        },
    )
}

fn is_fixed(key: &str, value: &str) -> bool {
    let fixed = |text: &str| !text.contains(['*', '?']) && !text.contains("${");
    match key {
        // The name of an access point may be any, as long as it is some account's.
        "s3:dataaccesspointarn" => value.split(':').nth(4).is_some_and(|account| !account.is_empty() && fixed(account)),
        // A session's name may be any of a role's that is named.
        "aws:userid" if value.starts_with("AROA") => value.strip_suffix(":*").map_or_else(|| fixed(value), fixed),
        _ => fixed(value),
    }
}

/// Whether a network is narrow enough to be somebody's: a private one is.
fn is_narrow(network: &str) -> bool {
    let (address, bits) = network.split_once('/').map_or((network, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let (all, min) = match address {
        IpAddr::V4(_) => (32, FOUR_BITS_MIN),
        IpAddr::V6(_) => (128, SIX_BITS_MIN),
    };
    bits.map_or(Some(all), |bits| bits.parse().ok()).is_some_and(|bits: u8| bits >= min)
}

/// One or several.
fn some(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(all) => all.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(principal: &str, condition: &str, expected: bool) {
        let condition = if condition.is_empty() { String::new() } else { format!(r#","Condition":{condition}"#) };
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}}}"#
        );
        serde_json::from_str::<Value>(&text).expect("it is JSON");
        assert_eq!(is_public(&text), expected, "{text}");
    }

    #[test]
    fn everybody_is_public() {
        for (principal, expected) in [
            (r#""Principal":"*""#, true),
            (r#""Principal":{"AWS":"*"}"#, true),
            (r#""Principal":{"AWS":["arn:aws:iam::000000000000:root","*"]}"#, true),
            (r#""NotPrincipal":{"AWS":"arn:aws:iam::000000000000:root"}"#, true),
            (r#""Principal":{"AWS":"arn:aws:iam::000000000000:root"}"#, false),
            (r#""Principal":{"Service":"logging.s3.amazonaws.com"}"#, false),
        ] {
            check(principal, "", expected);
        }
        assert!(!is_public(r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#));
        assert!(!is_public("") && !is_public("[]"));
    }

    #[test]
    fn conditions_hold_it_to_somebody_or_not() {
        for (condition, expected) in [
            (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/1"]}}"#, true),
            (r#"{"IpAddress":{"aws:SourceIp":"::/0"}}"#, true),
            (r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, true),
            (r#"{"StringEquals":{"aws:SourceAccount":"000000000000"}}"#, false),
            (r#"{"StringEquals":{"aws:sourceaccount":["000000000000"]}}"#, false),
            (r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#, true),
            (r#"{"StringEquals":{"aws:SourceArn":"${aws:SourceArn}"}}"#, true),
            (r#"{"StringEqualsIfExists":{"aws:SourceAccount":"000000000000"}}"#, true),
            (r#"{"StringNotEquals":{"aws:SourceAccount":"000000000000"}}"#, true),
            (r#"{"StringEquals":{"s3:prefix":"public/"}}"#, true),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
            (r#"{"StringLike":{"aws:Referer":"https://example.com/"}}"#, true),
            (r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-east-1:000000000000:accesspoint/*"}}"#, false),
            (r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:*"}}"#, true),
        ] {
            check(r#""Principal":"*""#, condition, expected);
        }
    }
}
