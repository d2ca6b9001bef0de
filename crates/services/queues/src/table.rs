//! The queues of a node, by name: in memory, so that no call has to ask the store which queue is meant.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::keeper::Desk;
use crate::model::{Queue, Scope};

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Table(RwLock<BTreeMap<(Scope, String), Arc<Desk>>>);

impl Table {
    pub(crate) fn get(&self, scope: &Scope, name: &str) -> Option<Arc<Desk>> {
        let desks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        desks.get(&(scope.clone(), name.to_owned())).cloned()
    }

    pub(crate) fn put(&self, desk: Arc<Desk>) {
        let queue = desk.queue();
        let key = (queue.scope.clone(), queue.name.to_string());
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, desk);
    }

    pub(crate) fn remove(&self, scope: &Scope, name: &str) -> Option<Arc<Desk>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&(scope.clone(), name.to_owned()))
    }

    /// Takes all out.
    pub(crate) fn clear(&self) -> Vec<Arc<Desk>> {
        std::mem::take(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }

    /// The queues of a scope whose name comes after `after`, in order of name, that `wanted` says yes to; at most `limit`.
    pub(crate) fn list(
        &self,
        scope: &Scope,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&Queue) -> bool,
    ) -> Vec<Arc<Queue>> {
        let desks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let start = match after {
            Some(after) => Bound::Excluded((scope.clone(), after.to_owned())),
            None => Bound::Included((scope.clone(), String::new())),
        };
        desks
            .range((start, Bound::Unbounded))
            .take_while(|((of, _), _)| of == scope)
            .map(|(_, desk)| desk.queue())
            .filter(|queue| wanted(queue))
            .take(limit)
            .collect()
    }
}
