//! What buses, rules and targets are in memory, and the pure decisions about them.

pub mod event;
pub mod input;
pub mod name;
pub mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use pattern::{Index, Pattern};
use policy::Policy;
use timetable::Timetable;

pub use event::Event;
pub use input::Input;
pub use name::Scope;
pub use target::Target;

use crate::store::{ArchiveRecord, BusRecord, RuleRecord};

/// The name of the bus that is always there.
pub const DEFAULT: &str = "default";

/// A bus with its rules and archives.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    pub(crate) record: BusRecord,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) rules: BTreeMap<String, Rule>,
    /// The patterns of the rules that are enabled.
    index: Index<String>,
    pub(crate) archives: BTreeMap<String, Archive>,
}

/// A rule with its targets.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) record: RuleRecord,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) timetable: Option<Timetable>,
    /// By id.
    pub(crate) targets: BTreeMap<String, Arc<Target>>,
}

/// An archive of a bus.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) record: ArchiveRecord,
    pub(crate) pattern: Option<Pattern>,
}

/// A rule that wants an event, and where it sends it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) rule: String,
    pub(crate) targets: Vec<Arc<Target>>,
}

impl Bus {
    pub(crate) fn put_rule(&mut self, name: &str, rule: Rule) {
        match &rule.pattern {
            Some(pattern) if rule.is_enabled() => self.index.insert(name.to_owned(), pattern),
            Some(_) | None => {
                self.index.remove(&name.to_owned());
            }
        }
        self.rules.insert(name.to_owned(), rule);
    }

    pub(crate) fn remove_rule(&mut self, name: &str) {
        self.index.remove(&name.to_owned());
        self.rules.remove(name);
    }

    /// Which rules want the event.
    pub(crate) fn wanted(&self, event: &serde_json::Value) -> Vec<Wanted> {
        let rules = self.index.matches(event).into_iter();
        rules.filter_map(|rule| Some(Wanted { targets: self.rules.get(&rule)?.all_targets(), rule })).collect()
    }

    /// Which archives keep the event.
    pub(crate) fn archives_of(&self, event: &serde_json::Value) -> Vec<(String, ArchiveRecord)> {
        let keeps = |archive: &&Archive| archive.pattern.as_ref().is_none_or(|pattern| pattern.matches(event));
        let archives = self.archives.iter().filter(|(_, archive)| keeps(archive));
        archives.map(|(name, archive)| (name.clone(), archive.record.clone())).collect()
    }
}

impl Rule {
    pub(crate) fn is_enabled(&self) -> bool {
        self.record.state != "DISABLED"
    }

    pub(crate) fn all_targets(&self) -> Vec<Arc<Target>> {
        self.targets.values().cloned().collect()
    }
}
