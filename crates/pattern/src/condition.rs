//! What a pattern asks of one leaf of an event.

use serde_json::{Number, Value};

use crate::address::{Address, Network};
use crate::number::{Comparable, millionths};
use crate::wildcard::Wildcard;

/// A leaf of an event: what is neither object nor array.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf<'a> {
    Null,
    Boolean(bool),
    Number(&'a Number),
    Text(&'a str),
}

impl<'a> Leaf<'a> {
    /// Nothing for objects and arrays.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(boolean) => Some(Self::Boolean(*boolean)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Null,
    Boolean(bool),
    Text(Box<str>),
    /// A text that is an address: it equals every other spelling of it.
    Address(Address),
    Number(Comparable),
    /// Folded texts are compared with what [`fold`] makes of the leaf.
    Folded(Box<str>),
    Prefix(Box<str>),
    PrefixFolded(Box<str>),
    Suffix(Box<str>),
    SuffixFolded(Box<str>),
    Wildcard(Wildcard),
    /// Millionths, both ends included.
    Range {
        low: i64,
        high: i64,
    },
    Network(Network),
    But(But),
    /// There is a leaf, whatever it is.
    Present,
    /// There is no such leaf in the whole event. Never asked of a leaf.
    Absent,
}

/// Everything but these; a leaf of another type is none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum But {
    Texts(Box<[Box<str>]>),
    /// Millionths.
    Numbers(Box<[i64]>),
    Folded(Box<[Box<str>]>),
    Prefixes(Box<[Box<str>]>),
    Suffixes(Box<[Box<str>]>),
    Wildcards(Box<[Wildcard]>),
}

impl Condition {
    pub(crate) fn holds(&self, leaf: Leaf<'_>) -> bool {
        match (self, leaf) {
            (Self::Present, _) => true,
            (Self::But(but), leaf) => !but.contains(leaf),
            (Self::Null, Leaf::Null) => true,
            (Self::Boolean(wanted), Leaf::Boolean(found)) => *wanted == found,
            (Self::Number(wanted), Leaf::Number(found)) => *wanted == Comparable::of(found),
            (Self::Range { low, high }, Leaf::Number(found)) => {
                millionths(found).is_some_and(|found| (*low..=*high).contains(&found))
            }
            (_, Leaf::Text(text)) => self.holds_of_text(text),
            (_, Leaf::Null | Leaf::Boolean(_) | Leaf::Number(_)) => false,
        }
    }

    fn holds_of_text(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => **wanted == *text,
            Self::Address(wanted) => Address::parse(text) == Some(*wanted),
            Self::Folded(wanted) => fold(text) == **wanted,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::PrefixFolded(prefix) => fold(text).starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::SuffixFolded(suffix) => fold(text).ends_with(&**suffix),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Network(network) => Address::parse(text).is_some_and(|address| network.contains(address)),
            Self::But(but) => !but.contains(Leaf::Text(text)),
            Self::Present => true,
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::Range { .. } | Self::Absent => false,
        }
    }
}

impl But {
    fn contains(&self, leaf: Leaf<'_>) -> bool {
        match (self, leaf) {
            (Self::Texts(texts), Leaf::Text(text)) => texts.iter().any(|one| **one == *text),
            (Self::Numbers(numbers), Leaf::Number(number)) => {
                millionths(number).is_some_and(|number| numbers.contains(&number))
            }
            (Self::Folded(texts), Leaf::Text(text)) => {
                let folded = fold(text);
                texts.iter().any(|one| **one == *folded)
            }
            (Self::Prefixes(prefixes), Leaf::Text(text)) => prefixes.iter().any(|one| text.starts_with(&**one)),
            (Self::Suffixes(suffixes), Leaf::Text(text)) => suffixes.iter().any(|one| text.ends_with(&**one)),
            (Self::Wildcards(wildcards), Leaf::Text(text)) => wildcards.iter().any(|one| one.matches(text)),
            (_, Leaf::Null | Leaf::Boolean(_) | Leaf::Number(_) | Leaf::Text(_)) => false,
        }
    }
}

/// The text without its case, letter by letter: what a letter becomes does not depend on its neighbours.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
