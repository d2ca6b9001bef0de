//! The drawers of one path: where branches lie that are filed under it, by what they ask of its value.

use std::collections::HashMap;

use super::affixes::Affixes;
use super::spans::Spans;
use crate::address::{Address, Network};
use crate::condition::{Condition, Leaf, fold};
use crate::number::{Comparable, millionths};

/// A branch lies in a drawer for each condition of its field, because one of them is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawers {
    texts: HashMap<Box<str>, Vec<u32>>,
    folded: HashMap<Box<str>, Vec<u32>>,
    numbers: HashMap<Comparable, Vec<u32>>,
    addresses: HashMap<Address, Vec<u32>>,
    nulls: Vec<u32>,
    /// False, true.
    booleans: [Vec<u32>; 2],
    prefixes: Affixes,
    prefixes_folded: Affixes,
    /// Backwards.
    suffixes: Affixes,
    suffixes_folded: Affixes,
    ranges: Spans,
    /// Version 4, version 6.
    networks: [Spans; 2],
    /// What a value alone cannot tell apart.
    present: Vec<u32>,
}

/// A drawer that every value opens is worse than one that few open: so many more may lie in the others.
const PRESENT_HANDICAP: usize = 64;

/// Where a condition's branches lie.
enum Place<'c> {
    Text(&'c str),
    Folded(&'c str),
    Number(&'c Comparable),
    Address(Address),
    Null,
    Boolean(bool),
    Prefix(&'c str),
    PrefixFolded(&'c str),
    Suffix(&'c str),
    SuffixFolded(&'c str),
    Range(u128, u128),
    Network(&'c Network),
    Present,
}

fn place(condition: &Condition) -> Place<'_> {
    match condition {
        Condition::Null => Place::Null,
        Condition::Boolean(boolean) => Place::Boolean(*boolean),
        Condition::Text(text) => Place::Text(text),
        Condition::Address(address) => Place::Address(*address),
        Condition::Number(number) => Place::Number(number),
        Condition::Folded(text) => Place::Folded(text),
        Condition::Prefix(text) => Place::Prefix(text),
        Condition::PrefixFolded(text) => Place::PrefixFolded(text),
        Condition::Suffix(text) => Place::Suffix(text),
        Condition::SuffixFolded(text) => Place::SuffixFolded(text),
        Condition::Wildcard(wildcard) if !wildcard.prefix().is_empty() => Place::Prefix(wildcard.prefix()),
        Condition::Wildcard(wildcard) => Place::Suffix(wildcard.suffix()),
        Condition::Range { low, high } => Place::Range(ordered(*low), ordered(*high)),
        Condition::Network(network) => Place::Network(network),
        // What only an absent leaf satisfies is never an anchor.
        Condition::But(_) | Condition::Present | Condition::Absent => Place::Present,
    }
}

/// Numbers from zero up, in the same order.
fn ordered(millionths: i64) -> u128 {
    u128::from(millionths.cast_unsigned() ^ (1 << 63))
}

fn backwards(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().rev()
}

impl Drawers {
    pub(super) fn insert(&mut self, conditions: &[Condition], number: u32) {
        for condition in conditions {
            match place(condition) {
                Place::Text(text) => self.texts.entry(text.into()).or_default().push(number),
                Place::Folded(text) => self.folded.entry(text.into()).or_default().push(number),
                Place::Number(value) => self.numbers.entry(value.clone()).or_default().push(number),
                Place::Address(address) => self.addresses.entry(address).or_default().push(number),
                Place::Null => self.nulls.push(number),
                Place::Boolean(boolean) => self.booleans[usize::from(boolean)].push(number),
                Place::Prefix(text) => self.prefixes.insert(text.bytes(), number),
                Place::PrefixFolded(text) => self.prefixes_folded.insert(text.bytes(), number),
                Place::Suffix(text) => self.suffixes.insert(backwards(text), number),
                Place::SuffixFolded(text) => self.suffixes_folded.insert(backwards(text), number),
                Place::Range(first, last) => self.ranges.insert(first, last, number),
                Place::Network(network) => {
                    self.networks[usize::from(network.is_v6)].insert(network.first, network.last, number);
                }
                Place::Present => self.present.push(number),
            }
        }
    }

    pub(super) fn remove(&mut self, conditions: &[Condition], number: u32) {
        for condition in conditions {
            match place(condition) {
                Place::Text(text) => take(&mut self.texts, text, number),
                Place::Folded(text) => take(&mut self.folded, text, number),
                Place::Number(value) => take(&mut self.numbers, value, number),
                Place::Address(address) => take(&mut self.addresses, &address, number),
                Place::Null => self.nulls.retain(|one| *one != number),
                Place::Boolean(boolean) => self.booleans[usize::from(boolean)].retain(|one| *one != number),
                Place::Prefix(text) => self.prefixes.remove(text.bytes(), number),
                Place::PrefixFolded(text) => self.prefixes_folded.remove(text.bytes(), number),
                Place::Suffix(text) => self.suffixes.remove(backwards(text), number),
                Place::SuffixFolded(text) => self.suffixes_folded.remove(backwards(text), number),
                Place::Range(first, last) => self.ranges.remove(first, last, number),
                Place::Network(network) => {
                    self.networks[usize::from(network.is_v6)].remove(network.first, network.last, number);
                }
                Place::Present => self.present.retain(|one| *one != number),
            }
        }
    }

    /// How many branches the fullest of the drawers holds that these conditions would go to.
    pub(super) fn crowd(&self, conditions: &[Condition]) -> usize {
        let crowd = |condition: &Condition| match place(condition) {
            Place::Text(text) => self.texts.get(text).map_or(0, Vec::len),
            Place::Folded(text) => self.folded.get(text).map_or(0, Vec::len),
            Place::Number(value) => self.numbers.get(value).map_or(0, Vec::len),
            Place::Address(address) => self.addresses.get(&address).map_or(0, Vec::len),
            Place::Null => self.nulls.len(),
            Place::Boolean(boolean) => self.booleans[usize::from(boolean)].len(),
            Place::Prefix(text) => self.prefixes.crowd(text.bytes()),
            Place::PrefixFolded(text) => self.prefixes_folded.crowd(text.bytes()),
            Place::Suffix(text) => self.suffixes.crowd(backwards(text)),
            Place::SuffixFolded(text) => self.suffixes_folded.crowd(backwards(text)),
            Place::Range(first, last) => self.ranges.crowd(first, last),
            Place::Network(network) => self.networks[usize::from(network.is_v6)].crowd(network.first, network.last),
            Place::Present => self.present.len() + PRESENT_HANDICAP,
        };
        conditions.iter().map(crowd).max().unwrap_or(0)
    }

    /// All branches that a value may satisfy.
    pub(super) fn open(&self, leaf: Leaf<'_>, into: &mut Vec<u32>) {
        into.extend(&self.present);
        match leaf {
            Leaf::Null => into.extend(&self.nulls),
            Leaf::Boolean(boolean) => into.extend(&self.booleans[usize::from(boolean)]),
            Leaf::Number(number) => {
                if !self.numbers.is_empty() {
                    into.extend(self.numbers.get(&Comparable::of(number)).into_iter().flatten());
                }
                if let Some(millionths) = millionths(number).filter(|_| !self.ranges.is_empty()) {
                    self.ranges.open(ordered(millionths), into);
                }
            }
            Leaf::Text(text) => self.open_by_text(text, into),
        }
    }

    fn open_by_text(&self, text: &str, into: &mut Vec<u32>) {
        into.extend(self.texts.get(text).into_iter().flatten());
        self.prefixes.open(text.as_bytes(), into);
        if !self.suffixes.is_empty() {
            self.suffixes.open(&backwards(text).collect::<Vec<u8>>(), into);
        }
        if !(self.folded.is_empty() && self.prefixes_folded.is_empty() && self.suffixes_folded.is_empty()) {
            let folded = fold(text);
            into.extend(self.folded.get(folded.as_str()).into_iter().flatten());
            self.prefixes_folded.open(folded.as_bytes(), into);
            self.suffixes_folded.open(&backwards(&folded).collect::<Vec<u8>>(), into);
        }
        if self.addresses.is_empty() && self.networks.iter().all(Spans::is_empty) {
            return;
        }
        if let Some(address) = Address::parse(text) {
            into.extend(self.addresses.get(&address).into_iter().flatten());
            self.networks[usize::from(address.is_v6)].open(address.bits, into);
        }
    }
}

fn take<K: Eq + std::hash::Hash + std::borrow::Borrow<Q>, Q: Eq + std::hash::Hash + ?Sized>(
    drawers: &mut HashMap<K, Vec<u32>>,
    key: &Q,
    number: u32,
) {
    if let Some(drawer) = drawers.get_mut(key) {
        drawer.retain(|one| *one != number);
        if drawer.is_empty() {
            drawers.remove(key);
        }
    }
}
