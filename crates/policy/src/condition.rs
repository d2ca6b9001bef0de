//! One compiled condition: an operator, a key, and the values to compare with.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::operator::{Comparison, Family, Operator, Quantifier};
use crate::pattern::{ArnPattern, Case, Pattern, Syntax};
use crate::{Context, Effect};

/// One compiled condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    operator: Operator,
    key: Box<str>,
    wanted: Wanted,
}

/// The policy's values, read once.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Texts(Box<[Pattern]>),
    Arns(Box<[ArnPattern]>),
    Numbers(Comparison, Box<[f64]>),
    Dates(Comparison, Box<[Timestamp]>),
    Bools(Box<[bool]>),
    Bytes(Box<[Box<[u8]>]>),
    Networks(Box<[Network]>),
    /// Whether the key must be missing.
    Missing(Box<[bool]>),
}

impl Condition {
    /// Compiles a condition; the fault is the value that the operator cannot take.
    pub(crate) fn compile(operator: Operator, key: &str, values: &[String], variables: bool) -> Result<Self, String> {
        let texts = |wildcards, case| {
            let compile = |text: &String| Pattern::compile(text, Syntax { wildcards, variables }, case);
            values.iter().map(compile).collect::<Result<_, _>>().map(Wanted::Texts)
        };
        let wanted = match operator.family {
            Family::StringEquals => texts(false, Case::Exact)?,
            Family::StringEqualsIgnoreCase => texts(false, Case::Folded)?,
            Family::StringLike => texts(true, Case::Exact)?,
            Family::Arn => {
                let compile = |text: &String| match text.as_str() == "*" || text.starts_with("arn:") {
                    true => ArnPattern::compile(text, Syntax { wildcards: true, variables }),
                    false => Err(text.clone()),
                };
                Wanted::Arns(values.iter().map(compile).collect::<Result<_, _>>()?)
            }
            Family::Numeric(comparison) => Wanted::Numbers(comparison, each(values, number)?),
            Family::Date(comparison) => Wanted::Dates(comparison, each(values, date)?),
            Family::Bool => Wanted::Bools(each(values, boolean)?),
            Family::Binary => Wanted::Bytes(each(values, binary)?),
            Family::IpAddress => Wanted::Networks(each(values, Network::parse)?),
            Family::Null => Wanted::Missing(each(values, boolean)?),
        };
        Ok(Self { operator, key: key.into(), wanted })
    }

    /// The key that it asks for, as it is written; keys compare without case.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the request fulfils it, in a statement of that effect. An operator without a quantifier is for keys of one value; where a
    /// request has several all the same, it allows what fits with each, and denies what fits with any.
    pub(crate) fn holds(&self, context: &Context<'_>, effect: Effect) -> bool {
        let values = context.values(&self.key);
        if let Wanted::Missing(wanted) = &self.wanted {
            return wanted.contains(&values.is_empty());
        }
        if values.is_empty() {
            let Operator { quantifier, negated, if_exists, .. } = self.operator;
            return if_exists
                || match quantifier {
                    // A refusal to fit is fulfilled by what is not there.
                    Quantifier::Single => negated,
                    Quantifier::Any => false,
                    Quantifier::All => true,
                };
        }
        let fits = |value: &str| self.fits(value, context) != self.operator.negated;
        match (self.operator.quantifier, effect) {
            (Quantifier::All, _) | (Quantifier::Single, Effect::Allow) => values.iter().all(|value| fits(value)),
            (Quantifier::Any, _) | (Quantifier::Single, Effect::Deny) => values.iter().any(|value| fits(value)),
        }
    }

    /// Whether any of the policy's values fits this one of the request's.
    fn fits(&self, value: &str, context: &Context<'_>) -> bool {
        match &self.wanted {
            Wanted::Texts(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Wanted::Arns(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Wanted::Numbers(comparison, wanted) => {
                number(value).is_some_and(|value| wanted.iter().any(|w| comparison.fits(value.partial_cmp(w))))
            }
            Wanted::Dates(comparison, wanted) => {
                date(value).is_some_and(|value| wanted.iter().any(|w| comparison.fits(Some(value.cmp(w)))))
            }
            Wanted::Bools(wanted) => boolean(value).is_some_and(|value| wanted.contains(&value)),
            Wanted::Bytes(wanted) => binary(value).is_some_and(|value| wanted.contains(&value)),
            Wanted::Networks(networks) => {
                value.parse().is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            Wanted::Missing(_) => false,
        }
    }
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Option<T>) -> Result<Box<[T]>, String> {
    values.iter().map(|text| read(text).ok_or_else(|| text.clone())).collect()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn binary(text: &str) -> Option<Box<[u8]>> {
    STANDARD.decode(text).ok().map(Vec::into_boxed_slice)
}

/// The W3C's profile of ISO 8601 (a date alone is its first moment in UTC), or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        // A bare year is a year: 2026 as a moment would be half an hour past midnight in 1970.
        return if (1000..=9999).contains(&seconds) { civil(&format!("{text}-01-01")) } else { second(seconds) };
    }
    text.parse().ok().or_else(|| civil(text)).or_else(|| civil(&format!("{text}-01")))
}

fn second(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

fn civil(text: &str) -> Option<Timestamp> {
    text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `203.0.113.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    mask: u128,
    four: bool,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = length.unwrap_or(bits_max);
        if bits > bits_max {
            return None;
        }
        let mask = u128::MAX.checked_shl(bits_max - bits).unwrap_or(0);
        Some(Self { address: number_of(address) & mask, mask, four: address.is_ipv4() })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.four && number_of(address) & self.mask == self.address
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(u32::from(four)),
        IpAddr::V6(six) => u128::from(six),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operator: &str, values: &[&str], given: &[&str], expected: bool) {
        check_in(Effect::Allow, operator, values, given, expected);
    }

    fn check_in(effect: Effect, operator: &str, values: &[&str], given: &[&str], expected: bool) {
        let values: Vec<String> = values.iter().map(|text| (*text).to_owned()).collect();
        let parsed = Operator::parse(operator).expect("an operator");
        let condition = Condition::compile(parsed, "Some:Key", &values, true).expect("compiles");
        let mut context = Context::new().with("aws:username", "ada");
        for value in given {
            context.insert("some:key", *value);
        }
        assert_eq!(condition.holds(&context, effect), expected, "{operator} {values:?} given {given:?}");
    }

    #[test]
    fn strings_and_arns() {
        for (operator, values, given, expected) in [
            ("StringEquals", &["a", "b"][..], &["b"][..], true),
            ("StringEquals", &["a"], &["A"], false),
            ("StringEquals", &["a*"], &["ab"], false),
            ("StringEquals", &["${aws:username}"], &["ada"], true),
            ("StringEquals", &["a"], &[], false),
            ("StringNotEquals", &["a", "b"], &["c"], true),
            ("StringNotEquals", &["a", "b"], &["b"], false),
            ("StringNotEquals", &["a"], &[], true),
            ("StringEqualsIfExists", &["a"], &[], true),
            ("StringEqualsIfExists", &["a"], &["b"], false),
            ("StringEqualsIgnoreCase", &["AbC"], &["aBc"], true),
            ("StringNotEqualsIgnoreCase", &["AbC"], &["aBc"], false),
            ("StringLike", &["a*"], &["ab"], true),
            ("StringNotLike", &["a*"], &["ab"], false),
            ("ArnLike", &["arn:aws:s3:::b/*"], &["arn:aws:s3:::b/k"], true),
            ("ArnEquals", &["arn:aws:s3:::*"], &["arn:aws:s3:::b"], true),
            ("ArnNotLike", &["arn:aws:s3:::b"], &["arn:aws:s3:::c"], true),
        ] {
            check(operator, values, given, expected);
        }
    }

    #[test]
    fn numbers_dates_bools_bytes() {
        for (operator, value, given, expected) in [
            ("NumericEquals", "10", "10.0", true),
            ("NumericNotEquals", "10", "10", false),
            ("NumericLessThan", "10", "9", true),
            ("NumericLessThan", "10", "10", false),
            ("NumericLessThanEquals", "10", "10", true),
            ("NumericGreaterThan", "10", "x", false),
            ("NumericGreaterThanEquals", "10", "11", true),
            ("DateEquals", "2026-11-21", "2026-11-21T00:00:00Z", true),
            ("DateLessThan", "2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z", true),
            ("DateGreaterThan", "2026", "1767225601", true),
            ("DateGreaterThan", "2026-06", "2026-05-31T23:59:59Z", false),
            ("DateGreaterThan", "0", "1", true),
            ("Bool", "true", "TRUE", true),
            ("Bool", "false", "true", false),
            ("BinaryEquals", "QUI=", "QUI=", true),
            ("BinaryEquals", "QUI=", "QUM=", false),
            ("IpAddress", "203.0.113.0/24", "203.0.113.9", true),
            ("IpAddress", "203.0.113.0/24", "203.0.114.9", false),
            ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("IpAddress", "0.0.0.0/0", "::1", false),
            ("IpAddress", "::/0", "::1", true),
            ("NotIpAddress", "10.0.0.1", "10.0.0.2", true),
            ("NotIpAddress", "10.0.0.1", "10.0.0.1", false),
            ("Null", "true", "here", false),
            ("Null", "false", "here", true),
        ] {
            check(operator, &[value], &[given], expected);
        }
        check("Null", &["true"], &[], true);
        check("Null", &["false"], &[], false);
        check("NumericEquals", &["1", "2"], &["2"], true);
    }

    #[test]
    fn sets_of_values() {
        for (operator, given, expected) in [
            ("ForAllValues:StringEquals", &["a", "b"][..], true),
            ("ForAllValues:StringEquals", &["a", "x"], false),
            ("ForAllValues:StringEquals", &[], true),
            ("ForAnyValue:StringEquals", &["x", "b"], true),
            ("ForAnyValue:StringEquals", &["x"], false),
            ("ForAnyValue:StringEquals", &[], false),
            ("ForAllValues:StringNotEquals", &["x", "y"], true),
            ("ForAllValues:StringNotEquals", &["x", "a"], false),
            ("ForAnyValue:StringNotEquals", &["x", "a"], true),
            ("ForAnyValue:StringNotEquals", &["b", "a"], false),
            ("ForAnyValue:StringEqualsIfExists", &[], true),
        ] {
            check(operator, &["a", "b"], given, expected);
        }
    }

    #[test]
    fn several_values_without_a_quantifier() {
        for (operator, given, allows, denies) in [
            ("StringEquals", &["a", "b"][..], true, true),
            ("StringEquals", &["a", "x"], false, true),
            ("StringEquals", &["x", "y"], false, false),
            ("StringNotEquals", &["x", "y"], true, true),
            ("StringNotEquals", &["a", "x"], false, true),
            ("StringNotEquals", &["a", "b"], false, false),
        ] {
            check_in(Effect::Allow, operator, &["a", "b"], given, allows);
            check_in(Effect::Deny, operator, &["a", "b"], given, denies);
        }
    }

    #[test]
    fn values_that_an_operator_cannot_take() {
        for (operator, value) in [
            ("NumericEquals", "ten"),
            ("NumericEquals", "NaN"),
            ("DateEquals", "tomorrow"),
            ("Bool", "yes"),
            ("BinaryEquals", "&"),
            ("IpAddress", "10.0.0.0/33"),
            ("IpAddress", "localhost"),
            ("ArnLike", "bucket"),
            ("StringLike", "${"),
            ("Null", "maybe"),
        ] {
            let parsed = Operator::parse(operator).expect("an operator");
            assert_eq!(Condition::compile(parsed, "k", &[value.to_owned()], true), Err(value.to_owned()), "{operator}");
        }
    }
}
