//! Filter policies: which messages a subscription wants. Read once, with AWS's words for what is wrong (`filter/parse.rs`), and asked
//! for every message (`filter/matching.rs`). Pure.
//!
//! What always holds: a policy that was read is within AWS's limits, so that asking it is cheap whatever the message is.

mod matching;
mod parse;

use std::net::IpAddr;

use super::attribute::Attributes;

/// The most names at the top of a policy.
pub const KEYS_MAX: usize = 5;
/// The most combinations of values, where each value counts as often as its depth.
pub const COMBINATIONS_MAX: u64 = 150;
/// The longest policy: what a record holds beside the rest of a subscription. AWS has 256 KiB, of which its other limits leave little.
pub const BYTES_MAX: usize = 48 << 10;
/// The deepest nesting: AWS names none; the combinations would allow 150 names inside each other.
pub const DEPTH_MAX: usize = 32;

/// What a filter policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterScope {
    /// The message's attributes.
    #[default]
    MessageAttributes,
    /// The message itself, which must be a JSON object then.
    MessageBody,
}

impl FilterScope {
    /// As the attribute `FilterPolicyScope` has it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "MessageAttributes" => Some(Self::MessageAttributes),
            "MessageBody" => Some(Self::MessageBody),
            _ => None,
        }
    }

    /// The same as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageAttributes => "MessageAttributes",
            Self::MessageBody => "MessageBody",
        }
    }
}

/// A filter policy that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    scope: FilterScope,
    group: Group,
}

impl Filter {
    /// Reads a policy; the error is AWS's words without what stands before them. None of an empty one, which lets everything through.
    pub fn parse(text: &str, scope: FilterScope) -> Result<Option<Self>, String> {
        let group = parse::group(text, scope)?;
        Ok((!group.is_empty()).then_some(Self { scope, group }))
    }

    /// Whether a message with that body and those attributes is wanted. `body` is the message as JSON, read once for all subscriptions;
    /// none if it is none.
    pub fn wants(&self, body: Option<&serde_json::Value>, attributes: &Attributes) -> bool {
        match self.scope {
            FilterScope::MessageAttributes => matching::attributes(&self.group, attributes),
            FilterScope::MessageBody => body.is_some_and(|body| matching::body(&self.group, body)),
        }
    }

    /// What it looks at.
    pub fn scope(&self) -> FilterScope {
        self.scope
    }
}

/// Names that must all fit, and choices of which each must have one that fits.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    fields: Vec<(String, Field)>,
    choices: Vec<Vec<Group>>,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.choices.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    /// One of the rules must fit.
    Rules(Vec<Rule>),
    /// What is inside must fit.
    Inside(Group),
}

/// What one value must be.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Is(Plain),
    AnythingBut(Vec<Plain>),
    AnythingButPrefix(Vec<String>),
    AnythingButSuffix(Vec<String>),
    AnythingButIgnoreCase(Vec<String>),
    Prefix(String),
    Suffix(String),
    IgnoreCase(String),
    Numeric { low: Option<Bound>, high: Option<Bound> },
    Exists(bool),
    Cidr(Cidr),
}

/// A value in a policy.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Text(String),
    Number(f64),
    Truth(bool),
    Null,
}

/// One end of a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    at: f64,
    inclusive: bool,
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let kept = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & kept == u32::from(address) & kept
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let kept = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & kept == u128::from(address) & kept
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}
