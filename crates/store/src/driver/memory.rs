//! The driver that keeps nothing: a sorted map in memory, with old versions for as long as a view can see them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::{ApplyError, Batch, Driver, PageBuilder, View};
use crate::range::Order;
use crate::{Error, Key, Page, Range, Scan, Sequence};

/// An empty store.
#[derive(Default)]
pub(crate) struct Memory(Arc<RwLock<State>>);

#[derive(Default)]
struct State {
    last: Sequence,
    /// For each key its versions, oldest first, never empty.
    keys: BTreeMap<Key, Vec<Version>>,
    /// How many views look at each sequence.
    viewed: BTreeMap<Sequence, usize>,
    /// Keys of which a version was outdated by the commit of this number, in order.
    outdated: VecDeque<(Sequence, Key)>,
}

struct Version {
    at: Sequence,
    value: Option<Bytes>,
}

impl Driver for Memory {
    fn apply(&self, batch: &Batch) -> Result<(), ApplyError> {
        let mut state = write(&self.0);
        state.last = batch.last;
        for (key, value) in &batch.writes {
            let versions = state.keys.entry(key.clone()).or_default();
            versions.push(Version { at: batch.last, value: value.clone() });
            if versions.len() > 1 || value.is_none() {
                state.outdated.push_back((batch.last, key.clone()));
            }
        }
        state.forget();
        Ok(())
    }

    fn view(&self) -> Result<Box<dyn View>, Error> {
        let mut state = write(&self.0);
        let at = state.last;
        *state.viewed.entry(at).or_default() += 1;
        Ok(Box::new(MemoryView { state: Arc::clone(&self.0), at }))
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl State {
    /// Drops the versions that no view, and no later one, can see.
    fn forget(&mut self) {
        let oldest = self.viewed.keys().next().copied().unwrap_or(self.last);
        while let Some((_, key)) = self.outdated.pop_front_if(|(since, _)| *since <= oldest) {
            let Some(versions) = self.keys.get_mut(&key) else { continue };
            let visible = versions.iter().rposition(|version| version.at <= oldest).unwrap_or(0);
            versions.drain(..visible);
            if versions.len() == 1 && versions[0].value.is_none() && versions[0].at <= oldest {
                self.keys.remove(&key);
            }
        }
    }
}

struct MemoryView {
    state: Arc<RwLock<State>>,
    at: Sequence,
}

impl MemoryView {
    fn visible<'a>(&self, versions: &'a [Version]) -> Option<&'a Bytes> {
        versions.iter().rev().find(|version| version.at <= self.at)?.value.as_ref()
    }

    fn fill<'a>(&self, mut page: PageBuilder<'_>, pairs: impl Iterator<Item = (&'a Key, &'a Vec<Version>)>) -> Page {
        for (key, versions) in pairs {
            let Some(value) = self.visible(versions) else { continue };
            if page.is_full() {
                return page.cut();
            }
            page.push(key.clone(), value.clone());
        }
        page.whole()
    }
}

impl View for MemoryView {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        let state = read(&self.state);
        Ok(state.keys.get(key).and_then(|versions| self.visible(versions)).cloned())
    }

    fn scan(&self, range: &Range, scan: Scan) -> Result<Page, Error> {
        if range.is_empty() {
            return Ok(Page::empty());
        }
        let state = read(&self.state);
        let pairs = state.keys.range::<[u8], _>((Bound::Included(&range.start[..]), Bound::Excluded(&range.end[..])));
        let page = PageBuilder::new(range, scan);
        Ok(match scan.order {
            Order::Ascending => self.fill(page, pairs),
            Order::Descending => self.fill(page, pairs.rev()),
        })
    }
}

impl Drop for MemoryView {
    fn drop(&mut self) {
        let mut state = write(&self.state);
        if let Some(viewers) = state.viewed.get_mut(&self.at) {
            *viewers -= 1;
            if *viewers == 0 {
                state.viewed.remove(&self.at);
            }
        }
    }
}

// A panic under these locks is one of ours in plain map code; the state it leaves is still the best there is.
fn read(state: &RwLock<State>) -> RwLockReadGuard<'_, State> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(state: &RwLock<State>) -> RwLockWriteGuard<'_, State> {
    state.write().unwrap_or_else(PoisonError::into_inner)
}
