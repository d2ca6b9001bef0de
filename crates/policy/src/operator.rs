//! The names of condition operators, taken apart: `ForAnyValue:StringNotLikeIfExists` is a quantifier, a family, a negation
//! and a suffix.

use std::cmp::Ordering;

/// A condition operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) quantifier: Quantifier,
    pub(crate) family: Family,
    /// `Not…`: true where no value of the policy fits.
    pub(crate) negated: bool,
    /// `…IfExists`: true where the request does not carry the key.
    pub(crate) if_exists: bool,
}

/// How many of the request's values must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// No prefix: the key has one value.
    Single,
    /// `ForAnyValue:`; a missing key is false.
    Any,
    /// `ForAllValues:`; a missing key is true.
    All,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Arn,
    Numeric(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    IpAddress,
    Null,
}

/// Which order fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn fits(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equals => order == Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Operator {
    /// Reads a name; AWS compares it without case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = match lower.split_once(':') {
            None => (Quantifier::Single, lower.as_str()),
            Some(("foranyvalue", rest)) => (Quantifier::Any, rest),
            Some(("forallvalues", rest)) => (Quantifier::All, rest),
            Some(_) => return None,
        };
        let (base, if_exists) = match rest.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (family, negated) = family(base)?;
        // Null asks about existence itself, so neither prefix nor suffix means anything with it.
        let lonely = family == Family::Null && (if_exists || quantifier != Quantifier::Single);
        (!lonely).then_some(Self { quantifier, family, negated, if_exists })
    }
}

fn family(base: &str) -> Option<(Family, bool)> {
    let compared = |rest: &str| match rest {
        "equals" => Some((Comparison::Equals, false)),
        "notequals" => Some((Comparison::Equals, true)),
        "lessthan" => Some((Comparison::Less, false)),
        "lessthanequals" => Some((Comparison::LessOrEqual, false)),
        "greaterthan" => Some((Comparison::Greater, false)),
        "greaterthanequals" => Some((Comparison::GreaterOrEqual, false)),
        _ => None,
    };
    if let Some(rest) = base.strip_prefix("numeric") {
        return compared(rest).map(|(comparison, negated)| (Family::Numeric(comparison), negated));
    }
    if let Some(rest) = base.strip_prefix("date") {
        return compared(rest).map(|(comparison, negated)| (Family::Date(comparison), negated));
    }
    Some(match base {
        "stringequals" => (Family::StringEquals, false),
        "stringnotequals" => (Family::StringEquals, true),
        "stringequalsignorecase" => (Family::StringEqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (Family::StringEqualsIgnoreCase, true),
        "stringlike" => (Family::StringLike, false),
        "stringnotlike" => (Family::StringLike, true),
        "arnequals" | "arnlike" => (Family::Arn, false),
        "arnnotequals" | "arnnotlike" => (Family::Arn, true),
        "bool" => (Family::Bool, false),
        "binaryequals" => (Family::Binary, false),
        "ipaddress" => (Family::IpAddress, false),
        "notipaddress" => (Family::IpAddress, true),
        "null" => (Family::Null, false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_taken_apart() {
        let one =
            |family, negated, if_exists| Some(Operator { quantifier: Quantifier::Single, family, negated, if_exists });
        for (name, expected) in [
            ("StringEquals", one(Family::StringEquals, false, false)),
            ("stringequals", one(Family::StringEquals, false, false)),
            ("StringNotLikeIfExists", one(Family::StringLike, true, true)),
            ("ArnEquals", one(Family::Arn, false, false)),
            ("NumericLessThanEquals", one(Family::Numeric(Comparison::LessOrEqual), false, false)),
            ("DateNotEquals", one(Family::Date(Comparison::Equals), true, false)),
            ("NotIpAddress", one(Family::IpAddress, true, false)),
            ("Null", one(Family::Null, false, false)),
            (
                "ForAllValues:StringLike",
                Some(Operator {
                    quantifier: Quantifier::All,
                    family: Family::StringLike,
                    negated: false,
                    if_exists: false,
                }),
            ),
            ("NullIfExists", None),
            ("ForAnyValue:Null", None),
            ("ForSomeValues:StringLike", None),
            ("StringMatches", None),
            ("Numeric", None),
            ("", None),
        ] {
            assert_eq!(Operator::parse(name), expected, "{name}");
        }
    }
}
