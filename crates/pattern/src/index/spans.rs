//! Branches by a span of numbers that values lie in.
//!
//! A span is cut into aligned blocks whose sizes are powers of two, at most two of each size; a value lies in one block of each size,
//! so that it is found by one look for each size that there is, however many spans there are.

use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    /// By size (as a power of two) and place (in units of that size).
    drawers: HashMap<(u32, u128), Vec<u32>>,
    /// How many drawers have which size.
    sizes: BTreeMap<u32, usize>,
}

impl Spans {
    pub(super) fn insert(&mut self, first: u128, last: u128, number: u32) {
        for block in blocks(first, last) {
            let drawer = self.drawers.entry(block).or_default();
            if drawer.is_empty() {
                *self.sizes.entry(block.0).or_default() += 1;
            }
            drawer.push(number);
        }
    }

    pub(super) fn remove(&mut self, first: u128, last: u128, number: u32) {
        for block in blocks(first, last) {
            let Some(drawer) = self.drawers.get_mut(&block) else { continue };
            drawer.retain(|one| *one != number);
            if !drawer.is_empty() {
                continue;
            }
            self.drawers.remove(&block);
            if let Some(count) = self.sizes.get_mut(&block.0) {
                *count -= 1;
                if *count == 0 {
                    self.sizes.remove(&block.0);
                }
            }
        }
    }

    /// How full the fullest drawer of the span is.
    pub(super) fn crowd(&self, first: u128, last: u128) -> usize {
        blocks(first, last).filter_map(|block| self.drawers.get(&block)).map(Vec::len).max().unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.drawers.is_empty()
    }

    pub(super) fn open(&self, value: u128, into: &mut Vec<u32>) {
        for size in self.sizes.keys() {
            into.extend(self.drawers.get(&(*size, place(value, *size))).into_iter().flatten());
        }
    }
}

fn place(value: u128, size: u32) -> u128 {
    value.checked_shr(size).unwrap_or(0)
}

/// The blocks that make up a span, both ends included.
fn blocks(first: u128, last: u128) -> impl Iterator<Item = (u32, u128)> {
    let mut next = (first <= last).then_some(first);
    std::iter::from_fn(move || {
        let start = next?;
        // As large as its place allows, and no longer than the span.
        let mut size = start.trailing_zeros();
        while block_last(start, size) > last {
            size -= 1;
        }
        next = block_last(start, size).checked_add(1).filter(|after| *after <= last);
        Some((size, place(start, size)))
    })
}

fn block_last(start: u128, size: u32) -> u128 {
    start | !u128::MAX.checked_shl(size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_a_span_and_nothing_else() {
        for (first, last) in [(0, 0), (0, 7), (1, 6), (3, 200), (255, 256), (17, 16)] {
            let covered: Vec<u128> =
                blocks(first, last).flat_map(|(size, at)| (at << size)..((at + 1) << size)).collect();
            assert_eq!(covered, (first..=last).collect::<Vec<_>>(), "{first}..={last}");
        }
        assert_eq!(blocks(0, u128::MAX).collect::<Vec<_>>(), [(128, 0)]);
        assert!(blocks(1, u128::MAX - 1).count() <= 254);
    }

    #[test]
    fn a_value_opens_the_spans_around_it() {
        let mut spans = Spans::default();
        spans.insert(10, 20, 1);
        spans.insert(0, u128::MAX, 2);
        spans.insert(20, 30, 3);
        let open = |spans: &Spans, value| {
            let mut found = Vec::new();
            spans.open(value, &mut found);
            found.sort_unstable();
            found
        };
        assert_eq!(open(&spans, 20), [1, 2, 3]);
        assert_eq!(open(&spans, 9), [2]);
        spans.remove(0, u128::MAX, 2);
        assert_eq!(open(&spans, 15), [1]);
        spans.remove(10, 20, 1);
        spans.remove(20, 30, 3);
        assert!(spans.is_empty() && spans.sizes.is_empty());
    }
}
