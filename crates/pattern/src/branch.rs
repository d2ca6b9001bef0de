//! One way in which a pattern can match: fields that must all have a leaf that fits, and those leaves must be of one element
//! wherever they share an array.

use std::collections::HashSet;
use std::sync::Arc;

use crate::condition::Condition;
use crate::fields::{Element, Fields};

/// All of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// By path, each path once.
    pub(crate) fields: Vec<Field>,
}

/// One of these conditions for the leaves at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) path: u32,
    pub(crate) conditions: Arc<[Condition]>,
}

/// The places of the leaves that fit one field; empty for a leaf that is in no array.
type Places<'f> = Vec<&'f [Element]>;

impl Branch {
    pub(crate) fn matches(&self, fields: &Fields<'_>, steps_max: usize) -> bool {
        let mut tied: Vec<Places<'_>> = Vec::new();
        for field in &self.fields {
            let found = fields.at(field.path);
            if found.is_empty() && field.conditions.contains(&Condition::Absent) {
                continue;
            }
            let mut places: Places<'_> = Vec::new();
            let mut is_free = false;
            for found in found {
                if field.conditions.iter().any(|condition| condition.holds(found.leaf)) {
                    if found.elements.is_empty() {
                        is_free = true;
                        break;
                    }
                    places.push(&found.elements);
                }
            }
            if !is_free {
                if places.is_empty() {
                    return false;
                }
                tied.push(places);
            }
        }
        tied.len() < 2 || agree(&tied, steps_max)
    }
}

/// Whether one place can be taken of each so that they name the same element of every array that they share.
///
/// Field by field, it keeps what the choices so far say about the arrays that later fields are in. Fields come in the order of their
/// paths, so that what was said about an inner array is soon forgotten, and few sayings are kept.
fn agree(tied: &[Places<'_>], steps_max: usize) -> bool {
    let mut steps = 0_usize;
    let mut sayings: HashSet<Vec<Element>> = HashSet::from([Vec::new()]);
    for (at, places) in tied.iter().enumerate() {
        let later: HashSet<u32> =
            tied[at + 1..].iter().flatten().flat_map(|place| place.iter()).map(|element| element.array).collect();
        let mut next = HashSet::new();
        for saying in &sayings {
            for place in places {
                steps += 1;
                if steps > steps_max {
                    return false;
                }
                if contradicts(saying, place) {
                    continue;
                }
                let mut said: Vec<Element> =
                    saying.iter().chain(*place).copied().filter(|e| later.contains(&e.array)).collect();
                said.sort_unstable();
                said.dedup();
                next.insert(said);
            }
        }
        if next.is_empty() {
            return false;
        }
        sayings = next;
    }
    true
}

fn contradicts(saying: &[Element], place: &[Element]) -> bool {
    place.iter().any(|one| saying.iter().any(|other| one.array == other.array && one.index != other.index))
}
