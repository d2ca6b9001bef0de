//! Who may start: what is needed comes first, and no more than so many at a time.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Edges;

/// How many resources of one stack are worked on at a time.
pub(crate) const PARALLEL_MAX: usize = 8;

/// Things with an order among them.
pub(crate) struct Schedule {
    /// What is not started, and what each still waits for.
    waiting: BTreeMap<String, BTreeSet<String>>,
    running: usize,
}

impl Schedule {
    /// Everything in `edges`; names that are not among them are not waited for.
    pub(crate) fn new(edges: &Edges) -> Self {
        let known = |needs: &BTreeSet<String>| needs.iter().filter(|need| edges.contains_key(*need)).cloned().collect();
        Self { waiting: edges.iter().map(|(name, needs)| (name.clone(), known(needs))).collect(), running: 0 }
    }

    /// The next that may start.
    pub(crate) fn start(&mut self) -> Option<String> {
        if self.running >= PARALLEL_MAX {
            return None;
        }
        let name = self.waiting.iter().find(|(_, needs)| needs.is_empty()).map(|(name, _)| name.clone())?;
        self.waiting.remove(&name);
        self.running += 1;
        Some(name)
    }

    /// One is done, and those that waited for it may start.
    pub(crate) fn done(&mut self, name: &str) {
        self.running -= 1;
        for needs in self.waiting.values_mut() {
            needs.remove(name);
        }
    }

    /// One failed, and what waits for it never starts.
    pub(crate) fn failed(&mut self) {
        self.running -= 1;
    }

    /// Whether something waits and nothing runs.
    pub(crate) fn is_stuck(&self) -> bool {
        self.running == 0 && !self.waiting.is_empty()
    }

    /// What was not started.
    pub(crate) fn left(&self) -> BTreeSet<String> {
        self.waiting.keys().cloned().collect()
    }

    /// Forgets all order: what waits in a circle may start.
    pub(crate) fn release(&mut self) {
        self.waiting.values_mut().for_each(BTreeSet::clear);
    }
}
