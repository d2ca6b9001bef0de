//! Who changed what of late: enough to tell, without asking the engine, whether a transaction read something that was
//! changed after its snapshot.
//!
//! The window is bounded. A snapshot older than its beginning counts as changed: its transaction runs again on a new one.

use std::collections::{HashMap, VecDeque};

use crate::transaction::Reads;
use crate::{Key, Range, Sequence};

/// The most recent changes of a store.
///
/// One sorted map would answer everything, but keeping a hundred thousand random keys in order costs the writer more
/// than the rest of its checks. So points are hashed, and for ranges the changes lie in blocks, each sorted once it is
/// full: most snapshots are a few blocks old, and only those are looked through.
#[derive(Debug)]
pub(crate) struct Window {
    /// For each key the last commit that changed it.
    newest: HashMap<Key, Sequence>,
    /// All changes but the most recent, oldest block first.
    blocks: VecDeque<Block>,
    /// The most recent changes, in order of time.
    open: Vec<(Key, Sequence)>,
    changes: usize,
    key_bytes: usize,
    limits: Limits,
    /// Every change after this one is in the window.
    begins_after: Sequence,
}

/// Changes that are sorted by key.
#[derive(Debug)]
struct Block {
    last: Sequence,
    changes: Vec<(Key, Sequence)>,
}

/// How much a window remembers, to a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) changes: usize,
    pub(crate) key_bytes: usize,
}

impl Limits {
    /// About a second of the fastest load that was measured, in some 20 MiB; nothing at rest.
    pub(crate) const PRODUCT: Self = Self { changes: 100_000, key_bytes: 16 << 20 };
}

/// So many changes make a block. Fewer are looked through one by one.
const BLOCK: usize = 256;

impl Window {
    pub(crate) fn new(last: Sequence, limits: Limits) -> Self {
        Self {
            newest: HashMap::new(),
            blocks: VecDeque::new(),
            open: Vec::new(),
            changes: 0,
            key_bytes: 0,
            limits,
            begins_after: last,
        }
    }

    /// Whether something of `reads` was changed after `snapshot`, or may have been.
    pub(crate) fn changed(&self, snapshot: Sequence, reads: &Reads) -> bool {
        if reads.is_empty() {
            return false;
        }
        snapshot < self.begins_after
            || reads.points.iter().any(|key| self.newest.get(key).is_some_and(|changed| *changed > snapshot))
            || reads.ranges.iter().any(|range| self.changed_range(snapshot, range))
    }

    fn changed_range(&self, snapshot: Sequence, range: &Range) -> bool {
        let newer = |(key, changed): &(Key, Sequence)| *changed > snapshot && range.contains(key);
        self.open.iter().any(newer)
            || self.blocks.iter().rev().take_while(|block| block.last > snapshot).any(|block| {
                let start = block.changes.partition_point(|(key, _)| key.as_bytes() < &range.start[..]);
                let inside = block.changes[start..].iter().take_while(|(key, _)| key.as_bytes() < &range.end[..]);
                inside.into_iter().any(newer)
            })
    }

    /// Remembers a commit.
    pub(crate) fn record(&mut self, sequence: Sequence, keys: &[Key]) {
        for key in keys {
            self.key_bytes += key.as_bytes().len();
            self.newest.insert(key.clone(), sequence);
            self.open.push((key.clone(), sequence));
        }
        self.changes += keys.len();
        if self.open.len() >= BLOCK {
            let mut changes = std::mem::replace(&mut self.open, Vec::with_capacity(BLOCK));
            changes.sort_unstable();
            self.blocks.push_back(Block { last: sequence, changes });
        }
        while self.changes > self.limits.changes || self.key_bytes > self.limits.key_bytes {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.forget(oldest);
        }
    }

    fn forget(&mut self, block: Block) {
        self.begins_after = block.last;
        self.changes -= block.changes.len();
        for (key, changed) in block.changes {
            self.key_bytes -= key.as_bytes().len();
            if self.newest.get(&key) == Some(&changed) {
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
            commits in proptest::collection::vec(proptest::collection::vec(0..30_u64, 1..8), 1..400),
            limit in prop_oneof![Just(300), Just(10_000)],
            questions in proptest::collection::vec((0..400_u64, 0..30_u64, 0..30_u64), 1..40),
        ) {
            let mut window = Window::new(Sequence::ZERO, Limits { changes: limit, key_bytes: usize::MAX });
            let mut sequence = Sequence::ZERO;
            for commit in &commits {
                sequence = sequence.next();
                window.record(sequence, &commit.iter().copied().map(key).collect::<Vec<_>>());
                prop_assert!(window.changes < limit + BLOCK && window.newest.len() <= window.changes);
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
