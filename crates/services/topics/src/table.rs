//! The topics of a node and their subscriptions: in memory, so that no publisher waits for the store to learn who listens. Kept true by
//! the store's change feed, see `watching.rs`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use uuid::Uuid;

use crate::desk::Desk;
use crate::model::{Protocol, Scope, Subscription, Topic};

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Table(RwLock<Halls>);

#[derive(Debug, Default)]
struct Halls {
    by_name: BTreeMap<(Scope, String), Arc<Hall>>,
    by_id: HashMap<Uuid, Arc<Hall>>,
}

/// A topic and who listens.
#[derive(Debug)]
pub(crate) struct Hall {
    topic: ArcSwap<Topic>,
    listeners: RwLock<Listeners>,
    /// Where publishers to a topic with order stand in line.
    pub(crate) desk: Desk,
}

#[derive(Debug, Default)]
struct Listeners {
    by_id: BTreeMap<Uuid, Arc<Subscription>>,
    by_endpoint: HashMap<(Protocol, String), Uuid>,
    with_filter: usize,
}

/// How many subscriptions of a topic there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) confirmed: usize,
    pub(crate) pending: usize,
    pub(crate) with_filter: usize,
    pub(crate) all: usize,
}

impl Hall {
    fn new(topic: Topic) -> Self {
        Self { topic: ArcSwap::from_pointee(topic), listeners: RwLock::default(), desk: Desk::default() }
    }

    /// The topic as it is now.
    pub(crate) fn topic(&self) -> Arc<Topic> {
        self.topic.load_full()
    }

    /// Those that `wanted` says yes to, in order of their ids.
    pub(crate) fn listeners(&self, wanted: impl Fn(&Subscription) -> bool) -> Vec<Arc<Subscription>> {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.by_id.values().filter(|one| wanted(one)).cloned().collect()
    }

    /// The next ones that people see, after that id.
    pub(crate) fn shown(&self, after: Option<Uuid>, limit: usize) -> Vec<Arc<Subscription>> {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = listeners.by_id.range((start, Bound::Unbounded)).map(|(_, one)| one);
        rest.filter(|one| one.is_shown()).take(limit).cloned().collect()
    }

    pub(crate) fn listener(&self, id: Uuid) -> Option<Arc<Subscription>> {
        self.listeners.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// The one that is reached so.
    pub(crate) fn at(&self, protocol: Protocol, endpoint: &str) -> Option<Arc<Subscription>> {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let id = listeners.by_endpoint.get(&(protocol, endpoint.to_owned()))?;
        listeners.by_id.get(id).cloned()
    }

    pub(crate) fn count(&self) -> Counted {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let count = |wanted: fn(&Subscription) -> bool| listeners.by_id.values().filter(|one| wanted(one)).count();
        Counted {
            confirmed: count(Subscription::is_confirmed),
            pending: count(Subscription::is_pending),
            with_filter: listeners.with_filter,
            all: listeners.by_id.len(),
        }
    }

    /// Makes a subscription what it is now.
    pub(crate) fn set(&self, id: Uuid, now: Option<Subscription>) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = listeners.by_id.remove(&id) {
            let place = (before.protocol, before.endpoint.clone());
            if listeners.by_endpoint.get(&place) == Some(&id) {
                listeners.by_endpoint.remove(&place);
            }
            listeners.with_filter -= usize::from(before.wishes.filter.is_some());
        }
        if let Some(now) = now {
            if now.is_shown() {
                listeners.by_endpoint.insert((now.protocol, now.endpoint.clone()), id);
            }
            listeners.with_filter += usize::from(now.wishes.filter.is_some());
            listeners.by_id.insert(id, Arc::new(now));
        }
    }
}

impl Table {
    pub(crate) fn get(&self, scope: &Scope, name: &str) -> Option<Arc<Hall>> {
        self.read().by_name.get(&(scope.clone(), name.to_owned())).cloned()
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Hall>> {
        self.read().by_id.get(&id).cloned()
    }

    /// Makes a topic what it is now. True if it has no listeners yet because it was not known.
    pub(crate) fn set(&self, scope: &Scope, name: &str, now: Option<Topic>) -> Option<Arc<Hall>> {
        let mut halls = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (scope.clone(), name.to_owned());
        let before = halls.by_name.get(&key).cloned();
        match (before, now) {
            (Some(hall), Some(now)) if hall.topic().id == now.id => {
                hall.topic.store(Arc::new(now));
                None
            }
            (before, now) => {
                if let Some(before) = before {
                    halls.by_name.remove(&key);
                    halls.by_id.remove(&before.topic().id);
                }
                let hall = Arc::new(Hall::new(now?));
                halls.by_id.insert(hall.topic().id, Arc::clone(&hall));
                halls.by_name.insert(key, Arc::clone(&hall));
                Some(hall)
            }
        }
    }

    pub(crate) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Halls::default();
    }

    /// The topics of a scope whose name comes after `after`, in order of name; at most `limit`.
    pub(crate) fn list(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Vec<Arc<Hall>> {
        let start = match after {
            Some(after) => Bound::Excluded((scope.clone(), after.to_owned())),
            None => Bound::Included((scope.clone(), String::new())),
        };
        self.range(scope, start, limit)
    }

    /// The same, from that name on.
    pub(crate) fn list_from(&self, scope: &Scope, from: &str, limit: usize) -> Vec<Arc<Hall>> {
        self.range(scope, Bound::Included((scope.clone(), from.to_owned())), limit)
    }

    fn range(&self, scope: &Scope, start: Bound<(Scope, String)>, limit: usize) -> Vec<Arc<Hall>> {
        let halls = self.read();
        let rest = halls.by_name.range((start, Bound::Unbounded));
        rest.take_while(|((of, _), _)| of == scope).map(|(_, hall)| Arc::clone(hall)).take(limit).collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Hall>> {
        self.read().by_name.values().cloned().collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Halls> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
