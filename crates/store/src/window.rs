//! Who changed what of late: enough to tell, without asking the engine, whether a transaction read something that was
//! changed after its snapshot.
//!
//! The window is bounded. A snapshot older than its beginning counts as changed: its transaction runs again on a new one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::transaction::Reads;
use crate::{Key, Range, Sequence};

/// The most recent changes of a store.
#[derive(Debug)]
pub(crate) struct Window {
    /// For each key the last commit that changed it.
    newest: BTreeMap<Key, Sequence>,
    /// All changes in order.
    log: VecDeque<(Sequence, Key)>,
    key_bytes: usize,
    limits: Limits,
    /// Every change after this one is in the window.
    begins_after: Sequence,
}

/// How much a window remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) changes: usize,
    pub(crate) key_bytes: usize,
}

impl Limits {
    /// About a second of the fastest load that was measured, in some 20 MiB; nothing at rest.
    pub(crate) const PRODUCT: Self = Self { changes: 100_000, key_bytes: 16 << 20 };
}

/// Fewer changes than this since a snapshot are looked through one by one for a range.
const FEW: usize = 256;

impl Window {
    pub(crate) fn new(last: Sequence, limits: Limits) -> Self {
        Self { newest: BTreeMap::new(), log: VecDeque::new(), key_bytes: 0, limits, begins_after: last }
    }

    /// Whether something of `reads` was changed after `snapshot`, or may have been.
    pub(crate) fn changed(&self, snapshot: Sequence, reads: &Reads) -> bool {
        if reads.is_empty() {
            return false;
        }
        snapshot < self.begins_after
            || reads.points.iter().any(|key| self.newest.get(key).is_some_and(|changed| *changed > snapshot))
            || (!reads.ranges.is_empty() && self.changed_ranges(snapshot, &reads.ranges))
    }

    fn changed_ranges(&self, snapshot: Sequence, ranges: &[Range]) -> bool {
        let since = self.log.partition_point(|(sequence, _)| *sequence <= snapshot);
        let few = self.log.len() - since <= FEW;
        ranges.iter().filter(|range| !range.is_empty()).any(|range| {
            if few {
                return self.log.range(since..).any(|(_, key)| range.contains(key));
            }
            let bounds = (Bound::Included(&range.start[..]), Bound::Excluded(&range.end[..]));
            self.newest.range::<[u8], _>(bounds).any(|(_, changed)| *changed > snapshot)
        })
    }

    /// Remembers a commit.
    pub(crate) fn record(&mut self, sequence: Sequence, keys: &[Key]) {
        for key in keys {
            self.key_bytes += key.as_bytes().len();
            self.newest.insert(key.clone(), sequence);
            self.log.push_back((sequence, key.clone()));
        }
        while self.log.len() > self.limits.changes || self.key_bytes > self.limits.key_bytes {
            let Some((oldest, key)) = self.log.pop_front() else { break };
            self.key_bytes -= key.as_bytes().len();
            self.begins_after = oldest;
            if self.newest.get(&key) == Some(&oldest) {
                self.newest.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u64) -> Key {
        Key::new("k").with(number)
    }

    proptest! {
        /// Never misses a change, and, while nothing was forgotten, never invents one.
        #[test]
        fn tells_what_was_changed(
            commits in proptest::collection::vec(proptest::collection::vec(0..30_u64, 1..4), 1..400),
            limit in prop_oneof![Just(20), Just(10_000)],
            questions in proptest::collection::vec((0..400_u64, 0..30_u64, 0..30_u64), 1..40),
        ) {
            let mut window = Window::new(Sequence::ZERO, Limits { changes: limit, key_bytes: usize::MAX });
            let mut sequence = Sequence::ZERO;
            for commit in &commits {
                sequence = sequence.next();
                window.record(sequence, &commit.iter().copied().map(key).collect::<Vec<_>>());
                prop_assert!(window.log.len() <= limit && window.newest.len() <= window.log.len());
            }
            for (snapshot, start, end) in questions {
                let since = commits.iter().skip(snapshot as usize).flatten();
                let point = Reads { points: [key(start)].into(), ranges: Vec::new() };
                let range = Reads { points: Default::default(), ranges: vec![Range::between(&key(start), &key(end))] };
                for (reads, truth) in [
                    (point, since.clone().any(|changed| *changed == start)),
                    (range, since.clone().any(|changed| (start..end).contains(changed))),
                ] {
                    let snapshot = Sequence::new(snapshot);
                    let told = window.changed(snapshot, &reads);
                    prop_assert_eq!(told, truth || snapshot < window.begins_after);
                }
            }
            prop_assert!(!window.changed(Sequence::ZERO, &Reads::default()));
        }
    }
}
