//! All buses in memory, so that no event has to ask the store who wants it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use pattern::Pattern;
use policy::{Kind, Policy};
use timetable::{Dialect, Expression, Timetable, Zone};

use crate::error::Error;
use crate::model::{Archive, Bus, DEFAULT, Rule, Scope, Target};
use crate::store::{ArchiveRecord, BusRecord, RuleRecord};

/// All buses. The default bus of a scope is made when something is put on it.
#[derive(Debug, Default)]
pub(crate) struct Table(RwLock<BTreeMap<(Scope, String), Bus>>);

impl Table {
    /// Looks at a bus. A default bus that nothing was put on is an empty one.
    pub(crate) fn look<T>(&self, scope: &Scope, name: &str, look: impl FnOnce(&Bus) -> T) -> Result<T, Error> {
        let buses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match buses.get(&(scope.clone(), name.to_owned())) {
            Some(bus) => Ok(look(bus)),
            None if name == DEFAULT => Ok(look(&Bus::default())),
            None => Err(Error::Missing(format!("Event bus {name} does not exist."))),
        }
    }

    /// Looks at a rule.
    pub(crate) fn rule(&self, scope: &Scope, bus: &str, name: &str) -> Result<Rule, Error> {
        let found = self.look(scope, bus, |bus| bus.rules.get(name).cloned())?;
        found.ok_or_else(|| Error::Missing(format!("Rule {name} does not exist on EventBus {bus}.")))
    }

    /// An archive, whatever bus it belongs to.
    pub(crate) fn archive(&self, scope: &Scope, name: &str) -> Option<ArchiveRecord> {
        let buses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut of_scope = buses.range((scope.clone(), String::new())..).take_while(|((of, _), _)| of == scope);
        of_scope.find_map(|(_, bus)| Some(bus.archives.get(name)?.record.clone()))
    }

    /// All archives of a scope, by name.
    pub(crate) fn archives(&self, scope: &Scope) -> BTreeMap<String, ArchiveRecord> {
        let buses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_scope = buses.range((scope.clone(), String::new())..).take_while(|((of, _), _)| of == scope);
        of_scope
            .flat_map(|(_, bus)| bus.archives.iter().map(|(name, archive)| (name.clone(), archive.record.clone())))
            .collect()
    }

    /// All archives of all scopes.
    pub(crate) fn all_archives(&self) -> Vec<(Scope, String, ArchiveRecord)> {
        let buses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of = |((scope, _), bus): (&(Scope, String), &Bus)| {
            let archives = bus.archives.iter();
            archives.map(|(name, archive)| (scope.clone(), name.clone(), archive.record.clone())).collect::<Vec<_>>()
        };
        buses.iter().flat_map(of).collect()
    }

    /// Buses of a scope whose names come after `after` and begin so, at most `limit`. The default bus is always among them.
    pub(crate) fn buses(
        &self,
        scope: &Scope,
        after: Option<&str>,
        prefix: &str,
        limit: usize,
    ) -> Vec<(String, BusRecord)> {
        let buses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_scope = buses.range((Bound::Included((scope.clone(), String::new())), Bound::Unbounded));
        let of_scope = of_scope.take_while(|((of, _), _)| of == scope);
        let mut found: BTreeMap<String, BusRecord> =
            of_scope.map(|((_, name), bus)| (name.clone(), bus.record.clone())).collect();
        found.entry(DEFAULT.to_owned()).or_default();
        let wanted =
            found.into_iter().filter(|(name, _)| name.starts_with(prefix) && after.is_none_or(|after| **name > *after));
        wanted.take(limit).collect()
    }

    pub(crate) fn put_bus(&self, scope: &Scope, name: &str, record: Option<BusRecord>) {
        let mut buses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (scope.clone(), name.to_owned());
        let Some(record) = record else {
            // Rules of the default bus outlive its record.
            if name != DEFAULT {
                buses.remove(&key);
            }
            return;
        };
        let bus = buses.entry(key).or_default();
        bus.policy = record.policy.as_deref().and_then(|text| Policy::parse(text, Kind::Resource).ok()).map(Arc::new);
        bus.record = record;
    }

    pub(crate) fn put_rule(
        &self,
        scope: &Scope,
        bus: &str,
        name: &str,
        record: RuleRecord,
        targets: Vec<Target>,
    ) -> Result<(), Error> {
        let pattern = record.pattern.as_deref().map(Pattern::compile).transpose()?;
        let timetable = match &record.schedule {
            Some(text) => Some(timetable(text, record.scheduled_ms)?),
            None => None,
        };
        let targets = targets.into_iter().map(|target| (target.id.clone(), Arc::new(target))).collect();
        let mut buses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let bus = buses.entry((scope.clone(), bus.to_owned())).or_default();
        bus.put_rule(name, Rule { record, pattern, timetable, targets });
        Ok(())
    }

    pub(crate) fn remove_rule(&self, scope: &Scope, bus: &str, name: &str) {
        let mut buses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(bus) = buses.get_mut(&(scope.clone(), bus.to_owned())) {
            bus.remove_rule(name);
        }
    }

    pub(crate) fn put_archive(&self, scope: &Scope, name: &str, record: Option<ArchiveRecord>) -> Result<(), Error> {
        let pattern = match record.as_ref().and_then(|record| record.pattern.as_deref()) {
            Some(text) => Some(Pattern::compile(text)?),
            None => None,
        };
        let mut buses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        buses.iter_mut().filter(|((of, _), _)| of == scope).for_each(|(_, bus)| {
            bus.archives.remove(name);
        });
        if let Some(record) = record {
            let bus = buses.entry((scope.clone(), record.bus.clone())).or_default();
            bus.archives.insert(name.to_owned(), Archive { record, pattern });
        }
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// When a rule with this schedule is due.
pub(crate) fn timetable(text: &str, since_ms: i64) -> Result<Timetable, Error> {
    let refused = |error: timetable::Error| Error::Invalid(error.fault(Dialect::Rule, text));
    let expression = Expression::parse(text, Dialect::Rule).map_err(refused)?;
    Ok(Timetable::new(expression, Zone::parse("UTC").map_err(refused)?, since_ms))
}
