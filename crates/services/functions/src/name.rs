//! How callers name functions: by name, partial ARN or full ARN, each with or without a qualifier, and how we name them back.
//!
//! What was read here is well-formed and lies in the caller's account and region; whether it exists is for the store to say.

use std::fmt;

use contract::{AccountId, Call, Fault, Region};

use crate::faults;

/// The unqualified name of a function: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(String);

impl FunctionName {
    /// The longest name that a new function may have.
    pub const LENGTH_MAX: usize = 64;

    /// Reads a bare name of any length that a reference may have; [`FunctionName::for_new`] is stricter.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(is_name_byte)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a name that is too long for a new function.
    pub fn for_new(self) -> Result<Self, Fault> {
        if self.0.len() > Self::LENGTH_MAX {
            return Err(faults::invalid(format!(
                "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: Member must have \
                 length less than or equal to {}",
                self.0,
                Self::LENGTH_MAX
            )));
        }
        Ok(self)
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What comes after the name: `$LATEST`, a version's number or an alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qualifier {
    /// The one that can be changed.
    Latest,
    /// A published version, from 1.
    Version(u64),
    /// A name for a version.
    Alias(String),
}

impl Qualifier {
    /// Reads a qualifier; none if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "$LATEST" {
            return Some(Self::Latest);
        }
        if text.is_empty() || text.len() > 128 || !text.bytes().all(is_name_byte) {
            return None;
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number that no version can have is still well-formed: nothing will be found under it.
            return Some(Self::Version(text.parse().unwrap_or(u64::MAX)));
        }
        Some(Self::Alias(text.to_owned()))
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(number) => write!(f, "{number}"),
            Self::Alias(name) => f.write_str(name),
        }
    }
}

/// The account and region that a call is about. Everything of this service lies in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

impl Scope {
    /// Where a call's resources are.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
    pub fn arn(&self, name: &FunctionName) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account)
    }

    /// The same with `:QUALIFIER`.
    pub fn arn_qualified(&self, name: &FunctionName, qualifier: &Qualifier) -> String {
        format!("{}:{qualifier}", self.arn(name))
    }

    /// With the qualifier where there is one.
    pub fn arn_of(&self, reference: &Reference) -> String {
        match &reference.qualifier {
            Some(qualifier) => self.arn_qualified(&reference.name, qualifier),
            None => self.arn(&reference.name),
        }
    }
}

/// A function, and perhaps which of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The function.
    pub name: FunctionName,
    /// Which one; none is `$LATEST` to most operations, and the whole function to some.
    pub qualifier: Option<Qualifier>,
}

impl Reference {
    /// Reads `FunctionName` as AWS does: a name, `ACCOUNT:NAME`, `REGION:ACCOUNT:function:NAME`, an ARN; each may end in a qualifier.
    pub fn parse(scope: &Scope, text: &str) -> Result<Self, Fault> {
        let parts = Parts::split(text).ok_or_else(|| faults::malformed_name(text))?;
        if let Some(region) = parts.region
            && region != scope.region.as_str()
        {
            return Err(faults::not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                scope.region
            )));
        }
        if let Some(account) = parts.account
            && account != scope.account.to_string()
        {
            return Err(faults::denied(format!(
                "The function is in the account {account}, which this node does not have; its only account is {}.",
                scope.account
            )));
        }
        let name = FunctionName::parse(parts.name).ok_or_else(|| faults::malformed_name(text))?;
        let qualifier = match parts.qualifier {
            Some(qualifier) => Some(Qualifier::parse(qualifier).ok_or_else(|| faults::malformed_name(text))?),
            None => None,
        };
        Ok(Self { name, qualifier })
    }

    /// The same, with the operation's own `Qualifier` member, which must not contradict.
    pub fn parse_qualified(scope: &Scope, text: &str, qualifier: Option<&str>) -> Result<Self, Fault> {
        let mut reference = Self::parse(scope, text)?;
        let Some(explicit) = qualifier else { return Ok(reference) };
        let explicit = Qualifier::parse(explicit).ok_or_else(|| faults::malformed_qualifier(explicit))?;
        if reference.qualifier.as_ref().is_some_and(|derived| *derived != explicit) {
            return Err(faults::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        reference.qualifier = Some(explicit);
        Ok(reference)
    }

    /// For operations on the whole function or on `$LATEST`: another qualifier is refused.
    pub fn parse_unqualified(scope: &Scope, text: &str) -> Result<FunctionName, Fault> {
        let reference = Self::parse(scope, text)?;
        match reference.qualifier {
            None | Some(Qualifier::Latest) => Ok(reference.name),
            Some(Qualifier::Version(_) | Qualifier::Alias(_)) => Err(faults::invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.",
            )),
        }
    }

    /// The qualifier, with `$LATEST` where none was given.
    pub fn or_latest(&self) -> Qualifier {
        self.qualifier.clone().unwrap_or(Qualifier::Latest)
    }
}

/// The pieces of a reference, not yet judged.
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Optional pieces are taken greedily from the left as long as a name is left over: `function:prod` is the function
    /// `prod`, `function` alone is the function `function`.
    fn split(text: &'a str) -> Option<Self> {
        let pieces: Vec<&str> = text.splitn(9, ':').collect();
        let mut rest = match pieces.as_slice() {
            ["arn", partition, "lambda", rest @ ..] if partition.starts_with("aws") => rest,
            all => all,
        };
        let mut take = |is_piece: fn(&str) -> bool| match rest {
            [first, more @ ..] if !more.is_empty() && is_piece(first) => {
                rest = more;
                Some(*first)
            }
            _ => None,
        };
        let region = take(looks_like_region);
        let account = take(|piece| AccountId::parse(piece).is_some());
        take(|piece| piece == "function");
        match rest {
            [name] => Some(Self { region, account, name, qualifier: None }),
            [name, qualifier] => Some(Self { region, account, name, qualifier: Some(qualifier) }),
            _ => None,
        }
    }
}

/// `us-east-1`, `us-gov-west-1`: letters, hyphens and one digit at the end. A function may be called that too, but then it
/// cannot be named with a qualifier, as on AWS.
fn looks_like_region(text: &str) -> bool {
    let pieces: Vec<&str> = text.split('-').collect();
    pieces.len() >= 3
        && pieces[0].len() == 2
        && pieces[..pieces.len() - 1]
            .iter()
            .all(|piece| !piece.is_empty() && piece.bytes().all(|b| b.is_ascii_lowercase()))
        && pieces[pieces.len() - 1].len() == 1
        && pieces[pieces.len() - 1].bytes().all(|b| b.is_ascii_digit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope() -> Scope {
        Scope { account: AccountId::ONLY, region: Region::default_one() }
    }

    fn check(text: &str, expected: Result<(&str, Option<&str>), &str>) {
        let found = Reference::parse(&scope(), text);
        match (found, expected) {
            (Ok(reference), Ok((name, qualifier))) => {
                assert_eq!(reference.name.as_str(), name, "{text}");
                assert_eq!(reference.qualifier.map(|q| q.to_string()).as_deref(), qualifier, "{text}");
            }
            (Err(fault), Err(code)) => assert_eq!(fault.code, code, "{text}: {fault}"),
            (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn every_form_of_a_name_is_read() {
        for (text, name, qualifier) in [
            ("greet", "greet", None),
            ("greet:prod", "greet", Some("prod")),
            ("greet:$LATEST", "greet", Some("$LATEST")),
            ("greet:7", "greet", Some("7")),
            ("function:greet", "greet", None),
            ("function", "function", None),
            ("function:function:function", "function", Some("function")),
            ("000000000000:greet", "greet", None),
            ("000000000000:function:greet:1", "greet", Some("1")),
            ("us-east-1:000000000000:function:greet", "greet", None),
            ("us-east-1", "us-east-1", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:greet", "greet", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:greet:prod", "greet", Some("prod")),
            ("arn:aws-cn:lambda:us-east-1:000000000000:function:greet", "greet", None),
            ("arn", "arn", None),
        ] {
            check(text, Ok((name, qualifier)));
        }
    }

    #[test]
    fn what_is_malformed_or_elsewhere_is_refused() {
        for (text, code) in [
            ("", "ValidationException"),
            ("gr eet", "ValidationException"),
            ("greet:", "ValidationException"),
            (":greet", "ValidationException"),
            ("greet:a:b", "ValidationException"),
            ("greet:$NEWEST", "ValidationException"),
            ("arn:aws:lambda:us-east-1:000000000000:layer:greet:1", "ValidationException"),
            ("arn:aws:s3:us-east-1:000000000000:function:greet", "ValidationException"),
            ("arn:aws:lambda:eu-west-1:000000000000:function:greet", "ResourceNotFoundException"),
            ("111122223333:greet", "AccessDeniedException"),
        ] {
            check(text, Err(code));
        }
    }

    #[test]
    fn a_contradicting_qualifier_is_refused() {
        let both = |text, qualifier| Reference::parse_qualified(&scope(), text, Some(qualifier));
        assert_eq!(both("greet:1", "1").map(|r| r.or_latest()), Ok(Qualifier::Version(1)));
        assert_eq!(both("greet", "prod").map(|r| r.or_latest()), Ok(Qualifier::Alias("prod".into())));
        let fault = both("greet:1", "2").expect_err("they differ");
        assert_eq!(fault.code, "InvalidParameterValueException");
        assert_eq!(
            fault.message,
            "The derived qualifier from the function name does not match the specified qualifier."
        );
        assert!(Reference::parse_unqualified(&scope(), "greet:1").is_err());
    }

    proptest! {
        #[test]
        fn what_we_write_we_read(name in "[a-zA-Z0-9_-]{1,64}", qualifier in proptest::option::of("\\$LATEST|[1-9][0-9]{0,5}|[a-z][a-zA-Z0-9_-]{0,20}")) {
            let scope = scope();
            let reference = Reference {
                name: FunctionName::parse(&name).expect("it is well-formed"),
                qualifier: qualifier.map(|q| Qualifier::parse(&q).expect("it is well-formed")),
            };
            let arn = scope.arn_of(&reference);
            prop_assert_eq!(Reference::parse(&scope, &arn), Ok(reference.clone()));
            let partial = arn.strip_prefix("arn:aws:lambda:us-east-1:").expect("it begins so");
            prop_assert_eq!(Reference::parse(&scope, partial), Ok(reference));
        }

        #[test]
        fn anything_at_all_is_read_or_refused(text in "[a-z0-9:$ -]{0,40}|.{0,40}") {
            if let Ok(reference) = Reference::parse(&scope(), &text) {
                prop_assert!(text.contains(reference.name.as_str()));
            }
        }
    }
}
