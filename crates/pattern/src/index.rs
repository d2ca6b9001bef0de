//! Many patterns, asked at once.
//!
//! Each branch of each pattern is filed under one of its fields, its anchor: in a drawer that only events open whose value at that
//! path could fit (`index/drawers.rs`). The anchor is the field whose drawer is emptiest, so that ten thousand rules for one source
//! spread over whatever tells them apart. An event opens a drawer or two for each of its values, and only the branches found there
//! are asked in full. Branches that only ask for what is absent have no anchor, and are always asked.

mod affixes;
mod drawers;
mod spans;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use serde_json::Value;

use crate::Pattern;
use crate::branch::{Branch, Field};
use crate::condition::Condition;
use crate::fields::Fields;

use drawers::Drawers;

/// Patterns by key. Not synchronised; share it behind a lock, or make it anew and swap it.
#[derive(Clone, Debug)]
pub struct Index<K> {
    /// Which branches each key has.
    keys: HashMap<K, Box<[u32]>>,
    branches: Vec<Option<Filed<K>>>,
    /// Free places in `branches`.
    free: Vec<u32>,
    paths: Paths,
    /// By number of path.
    drawers: Vec<Drawers>,
    /// Branches without an anchor.
    always: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Filed<K> {
    key: K,
    branch: Branch,
    /// Which of its fields it is filed under.
    anchor: Option<usize>,
}

impl<K: Clone + Ord + Hash> Index<K> {
    /// An empty index.
    pub fn new() -> Self {
        Self {
            keys: HashMap::new(),
            branches: Vec::new(),
            free: Vec::new(),
            paths: Paths::default(),
            drawers: Vec::new(),
            always: Vec::new(),
        }
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Files a pattern, in place of the one that this key had.
    pub fn insert(&mut self, key: K, pattern: &Pattern) {
        self.remove(&key);
        let numbers: Vec<u32> =
            pattern.branches.iter().map(|branch| self.file(key.clone(), branch, &pattern.paths)).collect();
        self.keys.insert(key, numbers.into());
    }

    /// Takes a pattern out. False if there was none.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(numbers) = self.keys.remove(key) else { return false };
        for number in numbers {
            let filed = self.branches[number as usize].take().expect("a key's branches are filed");
            match filed.anchor {
                None => self.always.retain(|one| *one != number),
                Some(anchor) => {
                    let Field { path, conditions } = &filed.branch.fields[anchor];
                    self.drawers[*path as usize].remove(conditions, number);
                }
            }
            for field in &filed.branch.fields {
                self.paths.release(field.path);
            }
            self.free.push(number);
        }
        true
    }

    /// The keys of all patterns that want the event, each once, in order.
    pub fn matches(&self, event: &Value) -> Vec<K> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        let fields = Fields::of(event, &|path| self.paths.number(path));
        let mut candidates = self.always.clone();
        for found in fields.all() {
            self.drawers[found.path as usize].open(found.leaf, &mut candidates);
        }
        candidates.sort_unstable();
        candidates.dedup();
        let filed = candidates.iter().filter_map(|number| self.branches[*number as usize].as_ref());
        let wanted = filed.filter(|filed| filed.branch.matches(&fields, Pattern::STEPS_MAX));
        let mut keys: Vec<K> = wanted.map(|filed| filed.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn file(&mut self, key: K, branch: &Branch, paths: &[Arc<str>]) -> u32 {
        let mut branch = branch.clone();
        for field in &mut branch.fields {
            field.path = self.paths.take(&paths[field.path as usize]);
        }
        self.drawers.resize_with(self.paths.names.len(), Drawers::default);
        let number = self.free.pop().unwrap_or_else(|| {
            self.branches.push(None);
            u32::try_from(self.branches.len() - 1).expect("memory ends before four thousand million branches")
        });
        let anchor = self.anchor(&branch);
        match anchor {
            None => self.always.push(number),
            Some(anchor) => {
                let Field { path, conditions } = &branch.fields[anchor];
                self.drawers[*path as usize].insert(conditions, number);
            }
        }
        self.branches[number as usize] = Some(Filed { key, branch, anchor });
        number
    }

    /// The field with the emptiest drawer, among those that only a present leaf can satisfy.
    fn anchor(&self, branch: &Branch) -> Option<usize> {
        let fields = branch.fields.iter().enumerate();
        let able = fields.filter(|(_, field)| !field.conditions.contains(&Condition::Absent));
        let crowded = able.map(|(at, field)| (self.drawers[field.path as usize].crowd(&field.conditions), at));
        crowded.min().map(|(_, at)| at)
    }
}

impl<K: Clone + Ord + Hash> Default for Index<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The paths that some branch asks for, numbered, and how many do.
#[derive(Clone, Debug, Default)]
struct Paths {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<(Arc<str>, usize)>,
    free: Vec<u32>,
}

impl Paths {
    fn number(&self, path: &str) -> Option<u32> {
        self.numbers.get(path).copied()
    }

    fn take(&mut self, path: &Arc<str>) -> u32 {
        if let Some(number) = self.number(path) {
            self.names[number as usize].1 += 1;
            return number;
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.names[number as usize] = (path.clone(), 1);
                number
            }
            None => {
                self.names.push((path.clone(), 1));
                u32::try_from(self.names.len() - 1).expect("memory ends before four thousand million paths")
            }
        };
        self.numbers.insert(path.clone(), number);
        number
    }

    fn release(&mut self, number: u32) {
        let (name, users) = &mut self.names[number as usize];
        *users -= 1;
        if *users == 0 {
            self.numbers.remove(name);
            self.free.push(number);
        }
    }
}
