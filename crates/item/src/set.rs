//! Sets: sorted, so that two equal ones are the same, whatever the order they came in.

use std::collections::BTreeSet;
use std::ops::Deref;

use bytes::Bytes;

use crate::{Number, Refusal};

/// At least one member, in order, no two equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<T>(Vec<T>);

/// What sets are made of.
pub trait Member: Ord + Sized {
    /// Why a collection is no set, in DynamoDB's words.
    fn check(members: &[Self]) -> Result<(), Refusal>;
    /// The refusal of a collection with two equal members.
    fn twice(members: &[&Self]) -> Refusal;
}

impl<T: Member + Clone> Set<T> {
    /// A set of those members, in any order.
    pub fn new(mut members: Vec<T>) -> Result<Self, Refusal> {
        T::check(&members)?;
        if members.is_sorted_by(|left, right| left < right) {
            return Ok(Self(members));
        }
        let sent = members.clone();
        members.sort_unstable();
        if members.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(T::twice(&as_found(&sent)));
        }
        Ok(Self(members))
    }

    /// These members and those.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(other.0.iter().filter(|member| !self.has(member)).cloned());
        all.sort_unstable();
        Self(all)
    }

    /// These members without those; none if nothing is left.
    pub fn without(&self, other: &Self) -> Option<Self> {
        let left: Vec<T> = self.0.iter().filter(|member| !other.has(member)).cloned().collect();
        (!left.is_empty()).then_some(Self(left))
    }

    /// Whether it is a member.
    pub fn has(&self, member: &T) -> bool {
        self.0.binary_search(member).is_ok()
    }

    /// The members, in order.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Set<T> {
    /// For what was a set when it was packed.
    pub(crate) fn trusted(members: Vec<T>) -> Self {
        Self(members)
    }
}

/// The members as DynamoDB names them: those before the first that was there already in order, then that one and the rest as
/// they were sent.
fn as_found<T: Ord>(sent: &[T]) -> Vec<&T> {
    let mut before = BTreeSet::new();
    let repeat = sent.iter().position(|member| !before.insert(member)).unwrap_or(sent.len());
    before.into_iter().chain(&sent[repeat..]).collect()
}

impl<T> Deref for Set<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl Member for String {
    fn check(members: &[Self]) -> Result<(), Refusal> {
        if members.is_empty() { Err(Refusal::TextSetEmpty) } else { Ok(()) }
    }

    fn twice(members: &[&Self]) -> Refusal {
        Refusal::TextSetTwice(listed(members.iter().map(|member| member.as_str()), ", "))
    }
}

impl Member for Number {
    fn check(members: &[Self]) -> Result<(), Refusal> {
        if members.is_empty() { Err(Refusal::NumberSetEmpty) } else { Ok(()) }
    }

    fn twice(_members: &[&Self]) -> Refusal {
        Refusal::NumberSetTwice
    }
}

impl Member for Bytes {
    fn check(members: &[Self]) -> Result<(), Refusal> {
        if members.is_empty() { Err(Refusal::BytesSetEmpty) } else { Ok(()) }
    }

    fn twice(members: &[&Self]) -> Refusal {
        let base64: Vec<String> = members.iter().map(|member| crate::json::base64(member)).collect();
        Refusal::BytesSetTwice(listed(base64.iter().map(String::as_str), ","))
    }
}

/// `["a", "b"]`, cut where nobody reads on.
fn listed<'a>(members: impl Iterator<Item = &'a str>, between: &str) -> String {
    const BYTES_MAX: usize = 4_096;
    let mut out = String::from("[");
    for (place, member) in members.enumerate() {
        if place > 0 {
            out.push_str(between);
        }
        if out.len() > BYTES_MAX {
            out.push('…');
            break;
        }
        out.push('"');
        out.push_str(&member[..member.floor_char_boundary(BYTES_MAX)]);
        out.push('"');
    }
    out.push(']');
    out
}
