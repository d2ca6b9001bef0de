//! Reading and writing as one.
//!
//! A transaction reads from a snapshot and remembers what it read, points and ranges; its writes wait in memory. The
//! writer refuses it if anything that it read was changed since, and [`crate::Store::transact`] runs it again.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::lease::{self, Lease};
use crate::range::{Order, seen};
use crate::record::{self, Record};
use crate::view::SharedView;
use crate::{Error, Key, Page, Range, Scan, Sequence};

/// A handle on a running transaction: clones are the same transaction. Writes that cannot be (a key or value that is too
/// long, too many of them) are refused when it commits, and then none of it happens.
#[derive(Clone)]
pub struct Transaction {
    view: Arc<SharedView>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    finished: bool,
    refused: Option<Error>,
    reads: Reads,
    writes: BTreeMap<Key, Option<Bytes>>,
    appends: Vec<(Key, Bytes)>,
    bytes: usize,
    is_wide: bool,
    fences: Vec<(String, u64)>,
    guards: Vec<Box<dyn Any + Send>>,
}

/// What a transaction looked at, and must find unchanged.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) points: BTreeSet<Key>,
    pub(crate) ranges: Vec<Range>,
}

impl Reads {
    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.ranges.is_empty()
    }
}

/// What the writer gets.
pub(crate) struct Draft {
    pub(crate) snapshot: Sequence,
    pub(crate) reads: Reads,
    pub(crate) writes: BTreeMap<Key, Option<Bytes>>,
    pub(crate) appends: Vec<(Key, Bytes)>,
    /// Held until the outcome is known, see [`Transaction::hold`].
    #[expect(dead_code, reason = "held to be dropped with the draft")]
    pub(crate) guards: Vec<Box<dyn Any + Send>>,
}

impl Draft {
    pub(crate) fn changes_nothing(&self) -> bool {
        self.writes.is_empty() && self.appends.is_empty()
    }

    /// Whether it only deletes, and so is let through when the disk is nearly full.
    pub(crate) fn only_deletes(&self) -> bool {
        self.appends.is_empty() && self.writes.values().all(Option::is_none)
    }
}

impl Transaction {
    /// The longest value.
    pub const VALUE_BYTES_MAX: usize = 64 << 10;

    /// The most keys and values of one transaction together.
    pub const BYTES_MAX: usize = 16 << 20;

    /// The same of one that may be wide, see [`Transaction::widen`].
    pub const BYTES_WIDE_MAX: usize = 128 << 20;

    /// The most writes of one transaction.
    pub const WRITES_MAX: usize = 50_000;

    /// The most keys and ranges that one transaction reads.
    pub const READS_MAX: usize = 100_000;

    /// Two numbers of at most 9 bytes each.
    const STAMP_BYTES_MAX: usize = 18;

    pub(crate) fn new(view: Arc<SharedView>) -> Self {
        Self { view, state: Arc::default() }
    }

    /// Every commit up to this one can be seen in it.
    pub fn snapshot_sequence(&self) -> Sequence {
        self.view.sequence
    }

    /// Lets it hold up to [`Transaction::BYTES_WIDE_MAX`], all of which is in memory until it is committed: for what cannot be split,
    /// and whoever asks for it sees to it that few such are under way at a time.
    pub fn widen(&self) {
        self.lock().is_wide = true;
    }

    /// The value of `key`, as this transaction left it. It commits only if nobody else has changed it by then.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        {
            let mut state = self.running()?;
            if let Some(written) = state.writes.get(key) {
                return Ok(written.clone());
            }
            state.reads.points.insert(key.clone());
            state.bound_reads()?;
        }
        self.view.get(key)
    }

    /// A page of pairs, with this transaction's own writes but not what it appends (those keys are not known yet). It
    /// commits only if nobody else has changed, added or removed anything in the part of the range that the page covers.
    pub async fn scan(&self, range: Range, scan: Scan) -> Result<Page, Error> {
        if range.is_empty() || scan.limit == 0 {
            return Ok(Page::cut(Vec::new(), &range, scan.order));
        }
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut rest = Some(range.clone());
        while items.len() < scan.limit && bytes < Scan::PAGE_BYTES_MAX {
            let Some(part) = rest.take() else { break };
            let page = self.view.scan(&part, Scan { limit: scan.limit - items.len(), order: scan.order }).await?;
            let covered = match (&page.rest, page.items.last()) {
                (Some(_), Some((last, _))) => seen(&part, last, scan.order),
                _ => part,
            };
            bytes += page.items.iter().map(|(_, value)| value.len()).sum::<usize>();
            self.running()?.merge(page.items, &covered, scan.order, &mut items);
            rest = page.rest;
        }
        let truncated = items.len() > scan.limit;
        items.truncate(scan.limit);
        let page = match truncated || rest.is_some() {
            true if items.is_empty() => Page { items, rest },
            true => Page::cut(items, &range, scan.order),
            false => Page { items, rest: None },
        };
        let covered = match (&page.rest, page.items.last()) {
            (Some(_), Some((last, _))) => seen(&range, last, scan.order),
            _ => range,
        };
        let mut state = self.running()?;
        state.reads.ranges.push(covered);
        state.bound_reads()?;
        Ok(page)
    }

    /// The record at `key`.
    pub async fn get_record<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        self.get(key).await?.map(|bytes| record::decode(&bytes)).transpose()
    }

    /// Sets `key`, whatever it was before: a write that was not preceded by a read never conflicts.
    pub fn put(&self, key: Key, value: impl Into<Bytes>) {
        self.write(key, Some(value.into()));
    }

    /// Sets `key` to a record.
    pub fn put_record<R: Record>(&self, key: Key, record: &R) {
        match record::encode(record) {
            Ok(bytes) => self.put(key, bytes),
            Err(error) => self.refuse(error),
        }
    }

    /// Removes `key`, if it is there.
    pub fn delete(&self, key: Key) {
        self.write(key, None);
    }

    /// Adds a value under `prefix`, at a key that ends in the sequence number of the commit and a number that counts the
    /// appends of this transaction: `prefix.with(sequence).with(index)`. Appends under one prefix are in commit order.
    pub fn append(&self, prefix: Key, value: impl Into<Bytes>) {
        let value = value.into();
        let mut state = self.lock();
        let key_bytes = prefix.as_bytes().len() + Self::STAMP_BYTES_MAX;
        state.admit(key_bytes, Some(&value));
        state.bytes += key_bytes + value.len();
        state.appends.push((prefix, value));
        state.bound_writes();
    }

    /// Appends a record.
    pub fn append_record<R: Record>(&self, prefix: Key, record: &R) {
        match record::encode(record) {
            Ok(bytes) => self.append(prefix, bytes),
            Err(error) => self.refuse(error),
        }
    }

    /// Lets the transaction commit only while `lease` is held; otherwise it fails with [`Error::LeaseLost`].
    pub fn fence(&self, lease: &Lease) {
        self.lock().fences.push((lease.name().to_owned(), lease.token()));
    }

    /// Fails the transaction: nothing of it will be committed.
    pub(crate) fn refuse(&self, error: Error) {
        self.lock().refused.get_or_insert(error);
    }

    /// Holds `guard` until the outcome of this try is known.
    pub(crate) fn hold(&self, guard: impl Any + Send) {
        self.lock().guards.push(Box::new(guard));
    }

    /// Ends it: what must be checked and written.
    pub(crate) async fn finish(&self, now_ms: i64) -> Result<Draft, Error> {
        let fences = std::mem::take(&mut self.running()?.fences);
        for (name, token) in fences {
            lease::check_held(self, name, token, now_ms).await?;
        }
        let ended = State { finished: true, ..State::default() };
        let state = std::mem::replace(&mut *self.running()?, ended);
        match state.refused {
            Some(error) => Err(error),
            None => Ok(Draft {
                snapshot: self.view.sequence,
                reads: state.reads,
                writes: state.writes,
                appends: state.appends,
                guards: state.guards,
            }),
        }
    }

    fn write(&self, key: Key, value: Option<Bytes>) {
        let mut state = self.lock();
        state.admit(key.as_bytes().len(), value.as_ref());
        state.bytes += key.as_bytes().len() + value.as_ref().map_or(0, Bytes::len);
        let key_bytes = key.as_bytes().len();
        if let Some(before) = state.writes.insert(key, value) {
            state.bytes -= key_bytes + before.map_or(0, |value| value.len());
        }
        state.bound_writes();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if state.finished { Err(Error::Finished) } else { Ok(state) }
    }
}

impl State {
    fn admit(&mut self, key_bytes: usize, value: Option<&Bytes>) {
        let value_bytes = value.map_or(0, Bytes::len);
        if key_bytes > Key::BYTES_MAX {
            self.refused.get_or_insert(Error::KeyTooLong { bytes: key_bytes, limit: Key::BYTES_MAX });
        }
        if value_bytes > Transaction::VALUE_BYTES_MAX {
            let limit = Transaction::VALUE_BYTES_MAX;
            self.refused.get_or_insert(Error::ValueTooLong { bytes: value_bytes, limit });
        }
    }

    fn bound_writes(&mut self) {
        let writes = self.writes.len() + self.appends.len();
        let bytes_max = if self.is_wide { Transaction::BYTES_WIDE_MAX } else { Transaction::BYTES_MAX };
        if let Err(error) =
            bound("writes", writes, Transaction::WRITES_MAX).and_then(|()| bound("bytes", self.bytes, bytes_max))
        {
            self.refused.get_or_insert(error);
            // It cannot commit any more; no need to hold on to more and more.
            self.writes.clear();
            self.appends.clear();
            self.bytes = 0;
        }
    }

    fn bound_reads(&self) -> Result<(), Error> {
        bound("reads", self.reads.points.len() + self.reads.ranges.len(), Transaction::READS_MAX)
    }

    /// Adds to `out` what the engine has in the part of a range, with the transaction's own writes laid over it.
    fn merge(&self, stored: Vec<(Key, Bytes)>, covered: &Range, order: Order, out: &mut Vec<(Key, Bytes)>) {
        if covered.is_empty() {
            return;
        }
        let bounds = (Bound::Included(&covered.start[..]), Bound::Excluded(&covered.end[..]));
        let mut written = self.writes.range::<[u8], _>(bounds).peekable();
        if written.peek().is_none() {
            out.extend(stored);
            return;
        }
        let mut merged: BTreeMap<Key, Bytes> = stored.into_iter().collect();
        for (key, value) in written {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        match order {
            Order::Ascending => out.extend(merged),
            Order::Descending => out.extend(merged.into_iter().rev()),
        }
    }
}

fn bound(what: &'static str, found: usize, limit: usize) -> Result<(), Error> {
    if found > limit { Err(Error::TransactionTooLarge { what, found, limit }) } else { Ok(()) }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("snapshot", &self.view.sequence).finish_non_exhaustive()
    }
}
