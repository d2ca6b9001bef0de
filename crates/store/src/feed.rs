//! The change feed: who watches a prefix is told of each commit that touches it, and of nothing else; of all that it touches there at once,
//! for half of a commit is a state that never was.
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
    /// Keys of the commit that is being told.
    arriving: Vec<Key>,
    /// All of these keys.
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
        let mut told = Vec::new();
        for (sequence, keys) in commits {
            keys.iter().for_each(|key| watchers.tell(key, &mut told));
            told.drain(..).for_each(|mailbox: &Arc<Mailbox>| mailbox.send(sequence));
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
    /// Gives a key of a commit to those who watch it, and notes for whom it is the first one.
    fn tell<'a>(&'a self, key: &Key, told: &mut Vec<&'a Arc<Mailbox>>) {
        let bytes = key.as_bytes();
        for &length in self.lengths.keys().take_while(|length| **length <= bytes.len()) {
            // As in Key::starts_with: a prefix ends where a part does.
            if bytes.get(length) == Some(&AFTER_ALL) {
                continue;
            }
            for mailbox in self.by_prefix.get(&bytes[..length]).into_iter().flatten() {
                if mailbox.put(key) {
                    told.push(mailbox);
                }
            }
        }
    }
}

impl Letters {
    /// There are too many: they go, and that is told in their place.
    fn lag(&mut self) {
        *self = Self { lagged: true, closed: self.closed, ..Self::default() };
    }
}

impl Mailbox {
    /// Adds a key to the commit that arrives. True for the first one.
    fn put(&self, key: &Key) -> bool {
        let mut letters = self.lock();
        if letters.lagged {
            return false;
        }
        letters.arriving.push(key.clone());
        letters.keys += 1;
        let is_first = letters.arriving.len() == 1;
        if letters.keys > Watch::KEYS_MAX {
            letters.lag();
        }
        is_first
    }

    /// The commit has arrived.
    fn send(&self, sequence: Sequence) {
        let mut letters = self.lock();
        let keys = std::mem::take(&mut letters.arriving);
        // None where there were too many of them.
        if !keys.is_empty() {
            letters.commits.push_back((sequence, keys));
        }
        if letters.commits.len() > Watch::COMMITS_MAX {
            letters.lag();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a watcher is told while a commit of so many keys arrives, before each key and after the last one.
    fn told(keys: usize) -> Vec<Option<Change>> {
        let feed = Arc::<Feed>::default();
        let mut watch = feed.join(Key::new("a"));
        let watchers = feed.0.read().unwrap();
        let (mut first, mut changes) = (Vec::new(), Vec::new());
        for number in 0..keys {
            changes.push(watch.try_next());
            watchers.tell(&Key::new("a").with(number as u64), &mut first);
            watchers.tell(&Key::new("b").with(number as u64), &mut first);
        }
        first.drain(..).for_each(|mailbox| mailbox.send(Sequence::new(7)));
        drop(watchers);
        changes.extend([watch.try_next(), watch.try_next()]);
        changes.retain(Option::is_some);
        changes
    }

    #[test]
    fn a_commit_is_told_whole_or_not_at_all() {
        let keys = |count: u64| (0..count).map(|number| Key::new("a").with(number)).collect();
        let commit = |count| Some(Change::Commit { sequence: Sequence::new(7), keys: keys(count) });
        assert_eq!(told(1), [commit(1)]);
        assert_eq!(told(3), [commit(3)]);
        assert_eq!(told(Watch::KEYS_MAX), [commit(Watch::KEYS_MAX as u64)]);
        assert_eq!(told(Watch::KEYS_MAX + 1), [Some(Change::Lagged)]);
    }
}
