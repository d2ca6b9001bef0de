//! What an attribute holds.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::{Number, Refusal, Set};

/// Attributes by name: an item, a key, the inside of a map.
pub type Item = BTreeMap<String, Value>;

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Bytes),
    /// A truth value.
    Bool(bool),
    /// Nothing, and known to be nothing.
    Null,
    /// Values by name.
    M(Item),
    /// Values in a row.
    L(Vec<Value>),
    /// A set of texts.
    Ss(Set<String>),
    /// A set of numbers.
    Ns(Set<Number>),
    /// A set of bytes.
    Bs(Set<Bytes>),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
    /// A truth value.
    Bool,
    /// Nothing.
    Null,
    /// Values by name.
    M,
    /// Values in a row.
    L,
    /// A set of texts.
    Ss,
    /// A set of numbers.
    Ns,
    /// A set of bytes.
    Bs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] =
        [Kind::S, Kind::N, Kind::B, Kind::Bool, Kind::Null, Kind::M, Kind::L, Kind::Ss, Kind::Ns, Kind::Bs];

    /// As AWS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
            Self::M => "M",
            Self::L => "L",
            Self::Ss => "SS",
            Self::Ns => "NS",
            Self::Bs => "BS",
        }
    }

    /// The type that AWS writes so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether its values have an order, and so can be a key.
    pub fn is_ordered(self) -> bool {
        match self {
            Self::S | Self::N | Self::B => true,
            Self::Bool | Self::Null | Self::M | Self::L | Self::Ss | Self::Ns | Self::Bs => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Value {
    /// The deepest value of an item: an attribute of the item itself is on the first level.
    pub const DEPTH_MAX: usize = 32;

    /// A number from its text.
    pub fn number(text: &str) -> Result<Self, Refusal> {
        text.parse().map(Self::N)
    }

    /// A set of texts.
    pub fn text_set(members: Vec<String>) -> Result<Self, Refusal> {
        Set::new(members).map(Self::Ss)
    }

    /// A set of numbers from their texts.
    pub fn number_set<T: AsRef<str>>(members: &[T]) -> Result<Self, Refusal> {
        let numbers: Result<Vec<Number>, Refusal> = members.iter().map(|member| member.as_ref().parse()).collect();
        Set::new(numbers?).map(Self::Ns)
    }

    /// A set of bytes.
    pub fn bytes_set(members: Vec<Bytes>) -> Result<Self, Refusal> {
        Set::new(members).map(Self::Bs)
    }

    /// The type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::S(_) => Kind::S,
            Self::N(_) => Kind::N,
            Self::B(_) => Kind::B,
            Self::Bool(_) => Kind::Bool,
            Self::Null => Kind::Null,
            Self::M(_) => Kind::M,
            Self::L(_) => Kind::L,
            Self::Ss(_) => Kind::Ss,
            Self::Ns(_) => Kind::Ns,
            Self::Bs(_) => Kind::Bs,
        }
    }

    /// Refuses a value that is nested deeper than DynamoDB stores. Never goes deeper itself.
    pub fn check_depth(&self) -> Result<(), Refusal> {
        self.check_levels(Self::DEPTH_MAX)
    }

    fn check_levels(&self, left: usize) -> Result<(), Refusal> {
        let Some(left) = left.checked_sub(1) else { return Err(Refusal::TooDeep) };
        match self {
            Self::M(entries) => entries.values().try_for_each(|value| value.check_levels(left)),
            Self::L(items) => items.iter().try_for_each(|value| value.check_levels(left)),
            Self::S(_)
            | Self::N(_)
            | Self::B(_)
            | Self::Bool(_)
            | Self::Null
            | Self::Ss(_)
            | Self::Ns(_)
            | Self::Bs(_) => Ok(()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::S(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::N(number.into())
    }
}
