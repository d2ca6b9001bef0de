//! An event as the leaves that somebody asks for.
//!
//! A leaf is found by its path, the names from the root joined by dots, so that `{"a.b": 1}` and `{"a": {"b": 1}}` are the same to
//! a pattern. Arrays add nothing to a path; each leaf remembers which element of which arrays it is in.

use serde_json::Value;

use crate::condition::Leaf;

/// Which of its elements a leaf is in, for an array of this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Element {
    pub(crate) array: u32,
    pub(crate) index: u32,
}

/// A leaf that somebody asks for.
pub(crate) struct Found<'a> {
    pub(crate) path: u32,
    pub(crate) leaf: Leaf<'a>,
    /// The arrays around it, outermost first.
    pub(crate) elements: Box<[Element]>,
}

/// All leaves asked for, by path.
pub(crate) struct Fields<'a>(Vec<Found<'a>>);

impl<'a> Fields<'a> {
    /// Walks the event once; `number_of` gives the paths that matter their numbers.
    pub(crate) fn of(event: &'a Value, number_of: &dyn Fn(&str) -> Option<u32>) -> Self {
        let mut walk =
            Walk { number_of, path: String::with_capacity(64), elements: Vec::new(), arrays: 0, found: Vec::new() };
        walk.value(event);
        let mut found = walk.found;
        found.sort_by_key(|found| found.path);
        Self(found)
    }

    /// The leaves at one path.
    pub(crate) fn at(&self, path: u32) -> &[Found<'a>] {
        let start = self.0.partition_point(|found| found.path < path);
        let length = self.0[start..].partition_point(|found| found.path == path);
        &self.0[start..start + length]
    }

    /// Every leaf, by path.
    pub(crate) fn all(&self) -> &[Found<'a>] {
        &self.0
    }
}

struct Walk<'a, 'w> {
    number_of: &'w dyn Fn(&str) -> Option<u32>,
    path: String,
    elements: Vec<Element>,
    arrays: u32,
    found: Vec<Found<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Object(members) => {
                let length = self.path.len();
                for (name, member) in members {
                    if length > 0 {
                        self.path.push('.');
                    }
                    self.path.push_str(name);
                    self.value(member);
                    self.path.truncate(length);
                }
            }
            Value::Array(elements) => {
                let array = self.arrays;
                self.arrays += 1;
                for (index, element) in (0_u32..).zip(elements) {
                    self.elements.push(Element { array, index });
                    self.value(element);
                    self.elements.pop();
                }
            }
            leaf => {
                if let (Some(leaf), Some(path)) = (Leaf::of(leaf), (self.number_of)(&self.path)) {
                    self.found.push(Found { path, leaf, elements: self.elements.as_slice().into() });
                }
            }
        }
    }
}
