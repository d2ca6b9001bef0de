//! The tables of a node in memory, so that no call has to ask the store what a table is.
//!
//! A desk is one table's: what it is, how much lies in it, and the gate that keeps writes of items and changes of the table apart.
//! Whoever writes items holds the gate open ([`Desk::enter`]) from before it looks at the table until its transaction has ended; who
//! changes the table closes it for that moment. The store itself would tell of a conflict only if every write read the table's
//! record, which would cost each write a read.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use policy::Policy;
use store::Key;

use crate::capacity::Buckets;
use crate::error::Error;
use crate::model::{Scope, Table};
use crate::store::Counts;

/// All desks.
#[derive(Debug, Default)]
pub(crate) struct Desks {
    tables: RwLock<BTreeMap<(Scope, String), Arc<Desk>>>,
    /// Those of deleted tables whose streams can still be read, by the table's number.
    left: RwLock<BTreeMap<u64, Arc<Desk>>>,
}

/// One table's desk.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) scope: Scope,
    /// The table's number, which never changes.
    pub(crate) number: u64,
    sight: ArcSwap<Sight>,
    gate: tokio::sync::RwLock<()>,
    gone: AtomicBool,
    /// What may be read and written just now, where that is provisioned.
    pub(crate) buckets: Buckets,
    /// Held by who fills its indexes.
    pub(crate) filling: tokio::sync::Mutex<()>,
    /// No expiry lies before this second.
    pub(crate) expired: AtomicU64,
    /// Nothing is kept of what items were before, so there is nothing to take away.
    pub(crate) bare: AtomicBool,
    /// How far journals of changes were taken away, by their prefix.
    trimmed: Mutex<HashMap<Key, Key>>,
    tallies: RwLock<HashMap<Option<u16>, Arc<Tally>>>,
    uncounted: AtomicBool,
}

/// A table as it is now, and what follows from that.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) table: Table,
    pub(crate) arn: String,
    /// The policies of the table and its stream, compiled, by the resource's ARN.
    pub(crate) policies: HashMap<String, Arc<Policy>>,
}

/// How many items lie in a table or index, and how many bytes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    items: AtomicI64,
    bytes: AtomicI64,
}

/// What a write changed of a tally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) items: i64,
    pub(crate) bytes: i64,
}

impl Desk {
    pub(crate) fn new(scope: Scope, table: Table, counts: &Counts) -> Self {
        let tally = |(of, (items, bytes)): (&Option<u16>, &(i64, i64))| {
            (*of, Arc::new(Tally { items: AtomicI64::new(*items), bytes: AtomicI64::new(*bytes) }))
        };
        Self {
            number: table.number,
            sight: ArcSwap::from_pointee(Sight::new(&scope, table)),
            scope,
            gate: tokio::sync::RwLock::default(),
            gone: AtomicBool::new(false),
            buckets: Buckets::default(),
            filling: tokio::sync::Mutex::default(),
            expired: AtomicU64::new(0),
            bare: AtomicBool::new(false),
            trimmed: Mutex::default(),
            tallies: RwLock::new(counts.iter().map(tally).collect()),
            uncounted: AtomicBool::new(false),
        }
    }

    /// The table as it is now.
    pub(crate) fn sight(&self) -> Arc<Sight> {
        self.sight.load_full()
    }

    /// The table as it is now, if there still is one.
    pub(crate) fn current(&self) -> Result<Arc<Sight>, Error> {
        if self.is_gone() { Err(Error::no_table()) } else { Ok(self.sight()) }
    }

    /// Lets nobody change the table while the guard is held. What the table is must be looked at afterwards.
    pub(crate) async fn enter(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }

    /// Waits until nobody writes, and lets nobody write while the guard is held.
    pub(crate) async fn shut(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    /// Puts another table in its place; the gate must be shut.
    pub(crate) fn set(&self, table: Table) {
        self.sight.store(Arc::new(Sight::new(&self.scope, table)));
    }

    /// The table is gone, or the desk is not its any more.
    pub(crate) fn close(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Counts what was written: of the table (none), or of an index.
    pub(crate) fn count(&self, of: Option<u16>, growth: Growth) {
        if growth == Growth::default() {
            return;
        }
        let tally = self.tally(of);
        tally.items.fetch_add(growth.items, Ordering::Relaxed);
        tally.bytes.fetch_add(growth.bytes, Ordering::Relaxed);
        self.uncounted.store(true, Ordering::Release);
    }

    /// How much lies in the table (none), or in an index: items and bytes.
    pub(crate) fn counted(&self, of: Option<u16>) -> (i64, i64) {
        let tally = self.tally(of);
        (tally.items.load(Ordering::Relaxed).max(0), tally.bytes.load(Ordering::Relaxed).max(0))
    }

    /// All counts, if they have changed since they were last taken.
    pub(crate) fn take_counts(&self) -> Option<Counts> {
        self.uncounted
            .swap(false, Ordering::AcqRel)
            .then(|| {
                let tallies = self.tallies.read().unwrap_or_else(PoisonError::into_inner);
                tallies.keys().copied().collect::<Vec<_>>()
            })
            .map(|names| names.into_iter().map(|of| (of, self.counted(of))).collect())
    }

    /// All counts, with what is about to be written.
    pub(crate) fn counts_with(&self, growth: &[(Option<u16>, Growth)]) -> Counts {
        let names: Vec<Option<u16>> =
            self.tallies.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let mut counts: Counts = names.into_iter().map(|of| (of, self.counted(of))).collect();
        for (of, growth) in growth {
            let count = counts.entry(*of).or_default();
            *count = (count.0 + growth.items, count.1 + growth.bytes);
        }
        counts
    }

    /// An index is gone, and with it its counts.
    pub(crate) fn forget(&self, index: u16) {
        self.tallies.write().unwrap_or_else(PoisonError::into_inner).remove(&Some(index));
    }

    /// An item's time will be over then.
    pub(crate) fn expects(&self, second: u64) {
        self.expired.fetch_min(second, Ordering::AcqRel);
    }

    /// The last key of a journal that was taken away.
    pub(crate) fn trimmed(&self, prefix: &Key) -> Option<Key> {
        self.trimmed.lock().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    pub(crate) fn set_trimmed(&self, prefix: &Key, last: Key) {
        self.trimmed.lock().unwrap_or_else(PoisonError::into_inner).insert(prefix.clone(), last);
    }

    fn tally(&self, of: Option<u16>) -> Arc<Tally> {
        let known = self.tallies.read().unwrap_or_else(PoisonError::into_inner).get(&of).cloned();
        known.unwrap_or_else(|| {
            Arc::clone(self.tallies.write().unwrap_or_else(PoisonError::into_inner).entry(of).or_default())
        })
    }
}

impl Sight {
    fn new(scope: &Scope, table: Table) -> Self {
        let compile = |(arn, policy): (&String, &crate::model::table::Policy)| {
            let compiled = Policy::parse(&policy.text, policy::Kind::Resource).ok()?;
            Some((arn.clone(), Arc::new(compiled)))
        };
        Self { arn: table.arn(scope), policies: table.policies.iter().filter_map(compile).collect(), table }
    }
}

impl Desks {
    pub(crate) fn get(&self, scope: &Scope, name: &str) -> Option<Arc<Desk>> {
        let desks = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        desks.get(&(scope.clone(), name.to_owned())).cloned()
    }

    pub(crate) fn put(&self, desk: Arc<Desk>) {
        let key = (desk.scope.clone(), desk.sight().table.name.clone());
        self.tables.write().unwrap_or_else(PoisonError::into_inner).insert(key, desk);
    }

    pub(crate) fn remove(&self, scope: &Scope, name: &str) {
        self.tables.write().unwrap_or_else(PoisonError::into_inner).remove(&(scope.clone(), name.to_owned()));
    }

    /// Takes all out.
    pub(crate) fn clear(&self) -> Vec<Arc<Desk>> {
        self.left.write().unwrap_or_else(PoisonError::into_inner).clear();
        std::mem::take(&mut *self.tables.write().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }

    /// Keeps the desk of a table that is gone, for the sake of its streams.
    pub(crate) fn leave(&self, desk: Arc<Desk>) {
        desk.close();
        self.left.write().unwrap_or_else(PoisonError::into_inner).insert(desk.number, desk);
    }

    /// Nothing is left of a table that is gone.
    pub(crate) fn forget_left(&self, number: u64) {
        self.left.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// The desks of all tables that are gone and have streams.
    pub(crate) fn all_left(&self) -> Vec<Arc<Desk>> {
        self.left.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The desks under which there may be streams of a table of that name: the one that is there, and then those that are gone.
    pub(crate) fn with_left(&self, scope: &Scope, name: &str) -> impl Iterator<Item = Arc<Desk>> {
        let of_name = move || -> Vec<Arc<Desk>> {
            let left = self.left.read().unwrap_or_else(PoisonError::into_inner);
            let is_of_name = |desk: &&Arc<Desk>| desk.scope == *scope && desk.sight().table.name == name;
            left.values().filter(is_of_name).cloned().collect()
        };
        self.get(scope, name).into_iter().chain(std::iter::once_with(of_name).flatten())
    }

    /// All of a node.
    pub(crate) fn all(&self) -> Vec<Arc<Desk>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The desks of a scope whose table's name comes after `after`, in order of name; at most `limit`.
    pub(crate) fn list(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Vec<Arc<Desk>> {
        let desks = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let start = match after {
            Some(after) => Bound::Excluded((scope.clone(), after.to_owned())),
            None => Bound::Included((scope.clone(), String::new())),
        };
        let of_scope = desks.range((start, Bound::Unbounded)).take_while(|((of, _), _)| of == scope);
        of_scope.map(|(_, desk)| Arc::clone(desk)).take(limit).collect()
    }
}
