//! Branches by a text that values begin with.

use std::collections::{BTreeMap, HashMap};

/// One look for each length that there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Affixes {
    drawers: HashMap<Box<[u8]>, Vec<u32>>,
    /// How many drawers have texts of which length.
    lengths: BTreeMap<usize, usize>,
}

impl Affixes {
    pub(super) fn insert(&mut self, text: impl Iterator<Item = u8>, number: u32) {
        let text: Box<[u8]> = text.collect();
        let length = text.len();
        let drawer = self.drawers.entry(text).or_default();
        if drawer.is_empty() {
            *self.lengths.entry(length).or_default() += 1;
        }
        drawer.push(number);
    }

    pub(super) fn remove(&mut self, text: impl Iterator<Item = u8>, number: u32) {
        let text: Box<[u8]> = text.collect();
        let Some(drawer) = self.drawers.get_mut(&text) else { return };
        drawer.retain(|one| *one != number);
        if !drawer.is_empty() {
            return;
        }
        self.drawers.remove(&text);
        if let Some(count) = self.lengths.get_mut(&text.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&text.len());
            }
        }
    }

    pub(super) fn crowd(&self, text: impl Iterator<Item = u8>) -> usize {
        let text: Vec<u8> = text.collect();
        self.drawers.get(text.as_slice()).map_or(0, Vec::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.drawers.is_empty()
    }

    /// All branches under a text that the value begins with.
    pub(super) fn open(&self, value: &[u8], into: &mut Vec<u32>) {
        for length in self.lengths.range(..=value.len()).map(|(length, _)| *length) {
            into.extend(self.drawers.get(&value[..length]).into_iter().flatten());
        }
    }
}
