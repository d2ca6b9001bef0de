//! Views of the engine, shared and limited in age.
//!
//! Snapshots that are taken while nothing is committed share one view, so that a burst of transactions costs the engine
//! one. A view that is held for too long is taken away from its holders: whoever holds it, old versions go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use base::Clock;
use bytes::Bytes;

use crate::driver::{Driver, View};
use crate::{Error, Key, Page, Range, Scan, Sequence};

/// A view is given to newcomers for so long; then they get one with its whole life before it.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// A scan reads so many pairs before it lets other tasks run.
const SCAN_STEP: usize = 512;

/// How often the engine was asked: what an operation costs, whatever the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// For one key.
    pub gets: u64,
    /// For a range, a step at a time: some hundred pairs.
    pub scans: u64,
}

#[derive(Default)]
struct Counted {
    gets: AtomicU64,
    scans: AtomicU64,
}

/// Makes views, and takes them away again.
pub(crate) struct Views {
    state: Mutex<State>,
    counted: Arc<Counted>,
    clock: Clock,
    age_max: Duration,
}

struct State {
    /// None once closed.
    driver: Option<Arc<dyn Driver>>,
    latest: Weak<SharedView>,
    live: Vec<Weak<SharedView>>,
    tidy_at: usize,
}

impl Views {
    pub(crate) fn new(driver: Arc<dyn Driver>, clock: Clock, age_max: Duration) -> Self {
        let state = State { driver: Some(driver), latest: Weak::new(), live: Vec::new(), tidy_at: 64 };
        Self { state: Mutex::new(state), counted: Arc::default(), clock, age_max }
    }

    /// How often the engine was asked since the store was opened.
    pub(crate) fn reads(&self) -> Reads {
        let Counted { gets, scans } = &*self.counted;
        Reads { gets: gets.load(Ordering::Relaxed), scans: scans.load(Ordering::Relaxed) }
    }

    /// A view of the store at `published` or later. `published` must have been read before the call.
    pub(crate) fn at(&self, published: Sequence) -> Result<Arc<SharedView>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        if let Some(latest) = state.latest.upgrade()
            && latest.sequence >= published
            && now.saturating_sub(latest.opened) < SHARED_FOR.min(self.age_max)
        {
            return Ok(latest);
        }
        let engine = state.driver.as_ref().ok_or(Error::Closed)?.view()?;
        let view = Arc::new(SharedView {
            sequence: published,
            opened: now,
            age_max: self.age_max,
            clock: self.clock.clone(),
            counted: Arc::clone(&self.counted),
            engine: RwLock::new(Some(engine)),
        });
        state.latest = Arc::downgrade(&view);
        if state.live.len() >= state.tidy_at {
            state.live.retain(|view| view.strong_count() > 0);
            state.tidy_at = (state.live.len() * 2).max(64);
        }
        state.live.push(Arc::downgrade(&view));
        Ok(view)
    }

    /// Takes away what is too old. A view that is being read at this moment goes the next time.
    pub(crate) fn reap(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live.retain(|view| view.upgrade().is_some_and(|view| !(view.is_too_old() && view.take())));
    }

    /// Takes all views away, and lets go of the engine.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.driver = None;
        state.latest = Weak::new();
        for view in state.live.drain(..).filter_map(|view| view.upgrade()) {
            *view.engine.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

/// One view, in the hands of any number of snapshots and transactions.
pub(crate) struct SharedView {
    /// Everything up to this commit is in it, and perhaps a little more.
    pub(crate) sequence: Sequence,
    opened: Duration,
    age_max: Duration,
    clock: Clock,
    counted: Arc<Counted>,
    engine: RwLock<Option<Box<dyn View>>>,
}

impl SharedView {
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        key.check()?;
        self.counted.gets.fetch_add(1, Ordering::Relaxed);
        self.read(|view| view.get(key))
    }

    pub(crate) async fn scan(&self, range: &Range, scan: Scan) -> Result<Page, Error> {
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut rest = Some(range.clone());
        while let Some(range) = rest.take() {
            let step = Scan { limit: SCAN_STEP.min(scan.limit - items.len()), order: scan.order };
            self.counted.scans.fetch_add(1, Ordering::Relaxed);
            let page = self.read(|view| view.scan(&range, step))?;
            bytes += page.items.iter().map(|(_, value)| value.len()).sum::<usize>();
            items.extend(page.items);
            rest = page.rest;
            if items.len() >= scan.limit || bytes >= Scan::PAGE_BYTES_MAX {
                break;
            }
            if rest.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Ok(Page { items, rest })
    }

    fn read<T>(&self, read: impl FnOnce(&dyn View) -> Result<T, Error>) -> Result<T, Error> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        match engine.as_deref() {
            Some(view) if !self.is_too_old() => read(view),
            _ => Err(Error::Expired { limit: self.age_max }),
        }
    }

    fn is_too_old(&self) -> bool {
        self.clock.elapsed().saturating_sub(self.opened) > self.age_max
    }

    /// Whether it could be taken away.
    fn take(&self) -> bool {
        self.engine.try_write().map(|mut engine| *engine = None).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::memory::Memory;

    #[test]
    fn old_views_are_taken_away_from_whoever_holds_them() {
        let (clock, hand) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let minute = Duration::from_secs(60);
        let views = Views::new(Arc::new(Memory::default()), clock, minute);
        let is_open = |view: &Arc<SharedView>| view.engine.read().unwrap().is_some();

        let first = views.at(Sequence::ZERO).unwrap();
        assert!(Arc::ptr_eq(&first, &views.at(Sequence::ZERO).unwrap()), "nothing was committed in between");
        hand.advance(SHARED_FOR);
        let second = views.at(Sequence::ZERO).unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "the first has less than its whole life before it");
        assert!(!Arc::ptr_eq(&second, &views.at(Sequence::new(1)).unwrap()), "the second lacks a commit");

        hand.advance(minute);
        views.reap();
        assert_eq!((is_open(&first), is_open(&second)), (false, true));
        hand.advance(SHARED_FOR);
        views.reap();
        assert!(!is_open(&second));

        let third = views.at(Sequence::ZERO).unwrap();
        views.close();
        assert!(!is_open(&third));
        assert!(matches!(views.at(Sequence::ZERO), Err(Error::Closed)));
    }

    #[test]
    fn views_that_nobody_holds_are_forgotten() {
        let (clock, _hand) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let views = Views::new(Arc::new(Memory::default()), clock, Duration::from_secs(60));
        for number in 0..1_000 {
            views.at(Sequence::new(number)).unwrap();
        }
        assert!(views.state.lock().unwrap().live.len() <= 64);
    }
}
