//! The change feed: who watches a prefix is told of each commit that touches it, and of nothing else.
//!
//! A watcher that does not keep up loses what was kept for it and is told so ([`Change::Lagged`]): it reads again what it
//! watches, and goes on. So a slow watcher costs a bounded amount of memory and never slows the writer. The feed begins
//! when the watch is made and does not outlive the process; who must miss nothing across a restart keeps a journal.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::key::AFTER_ALL;
use crate::{Key, Sequence};

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A commit wrote or deleted these keys under the prefix.
    Commit {
        /// Which commit. They come in order.
        sequence: Sequence,
        /// The keys, without order.
        keys: Vec<Key>,
    },
    /// There was more than is kept for a watcher, and it is gone: read again what is watched, then go on.
    Lagged,
    /// The store was closed; nothing will come any more.
    Closed,
}

/// A watch on a prefix, see [`crate::Store::watch`]. It ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    feed: Arc<Feed>,
    prefix: Key,
    mailbox: Arc<Mailbox>,
}

impl Watch {
    /// Commits that are kept for a watcher.
    pub const COMMITS_MAX: usize = 1_024;

    /// Keys that are kept for a watcher.
    pub const KEYS_MAX: usize = 8_192;

    /// Waits for the next change. Safe to drop while waiting: nothing is lost.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.mailbox.take() {
                return change;
            }
            self.mailbox.wake.notified().await;
        }
    }

    /// The next change, if there is one already.
    pub fn try_next(&mut self) -> Option<Change> {
        self.mailbox.take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.feed.leave(&self.prefix, &self.mailbox);
    }
}

/// All watchers of a store.
#[derive(Debug, Default)]
pub(crate) struct Feed(RwLock<Watchers>);

#[derive(Debug, Default)]
struct Watchers {
    closed: bool,
    by_prefix: HashMap<Bytes, Vec<Arc<Mailbox>>>,
    /// The lengths of the prefixes, so that a key is looked up once for each length and not for each watcher.
    lengths: BTreeMap<usize, usize>,
}

#[derive(Debug, Default)]
struct Mailbox {
    letters: Mutex<Letters>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    commits: VecDeque<(Sequence, Vec<Key>)>,
    keys: usize,
    lagged: bool,
    closed: bool,
}

impl Feed {
    pub(crate) fn join(self: &Arc<Self>, prefix: Key) -> Watch {
        let mailbox = Arc::<Mailbox>::default();
        let mut watchers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if watchers.closed {
            mailbox.close();
        }
        *watchers.lengths.entry(prefix.as_bytes().len()).or_default() += 1;
        watchers.by_prefix.entry(prefix.bytes().clone()).or_default().push(Arc::clone(&mailbox));
        drop(watchers);
        Watch { feed: Arc::clone(self), prefix, mailbox }
    }

    /// Tells the watchers of commits, which must have become visible before.
    pub(crate) fn publish<'a>(&self, commits: impl Iterator<Item = (Sequence, &'a [Key])>) {
        let watchers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if watchers.by_prefix.is_empty() {
            return;
        }
        for (sequence, keys) in commits {
            for key in keys {
                watchers.tell(sequence, key);
            }
        }
    }

    /// Tells all watchers, present and future, that the store is closed.
    pub(crate) fn close(&self) {
        let mut watchers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        watchers.closed = true;
        watchers.by_prefix.values().flatten().for_each(|mailbox| mailbox.close());
    }

    fn leave(&self, prefix: &Key, mailbox: &Arc<Mailbox>) {
        let mut watchers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = watchers.by_prefix.get_mut(prefix.bytes()) {
            same.retain(|other| !Arc::ptr_eq(other, mailbox));
            if same.is_empty() {
                watchers.by_prefix.remove(prefix.bytes());
            }
        }
        let length = prefix.as_bytes().len();
        if let Some(count) = watchers.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                watchers.lengths.remove(&length);
            }
        }
    }
}

impl Watchers {
    fn tell(&self, sequence: Sequence, key: &Key) {
        let bytes = key.as_bytes();
        for &length in self.lengths.keys().take_while(|length| **length <= bytes.len()) {
            // As in Key::starts_with: a prefix ends where a part does.
            if bytes.get(length) == Some(&AFTER_ALL) {
                continue;
            }
            for mailbox in self.by_prefix.get(&bytes[..length]).into_iter().flatten() {
                mailbox.put(sequence, key);
            }
        }
    }
}

impl Mailbox {
    fn put(&self, sequence: Sequence, key: &Key) {
        let mut letters = self.lock();
        if letters.lagged {
            return;
        }
        match letters.commits.back_mut() {
            Some((last, keys)) if *last == sequence => keys.push(key.clone()),
            _ => letters.commits.push_back((sequence, vec![key.clone()])),
        }
        letters.keys += 1;
        if letters.keys > Watch::KEYS_MAX || letters.commits.len() > Watch::COMMITS_MAX {
            *letters = Letters { lagged: true, closed: letters.closed, ..Letters::default() };
        }
        drop(letters);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<Change> {
        let mut letters = self.lock();
        if std::mem::take(&mut letters.lagged) {
            return Some(Change::Lagged);
        }
        if let Some((sequence, keys)) = letters.commits.pop_front() {
            letters.keys -= keys.len();
            return Some(Change::Commit { sequence, keys });
        }
        letters.closed.then_some(Change::Closed)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
