//! What a storage engine must give; everything else (validation, order, feed, limits) lies above and is the same for all.
//!
//! The contract, which the suite in `tests/` checks for every driver:
//! - [`Driver::apply`] is called by one thread at a time. When it returns, all of the batch is on disk and visible to new
//!   views; if the process or the machine dies before, all or nothing of it is there at the next opening. It may block.
//! - [`Driver::view`] shows all batches applied before the call, and none, or all, of each later one. Views do not block
//!   `apply`, nor it them. Engines keep old versions for a view's sake, so the layer above limits its age.
//! - After an error of kind [`ApplyError::Fatal`] nothing is known about the batch, and the driver is not called again.
//!
//! Views answer inline, on the caller's thread: what is asked for is small and mostly cached. A driver behind a network
//! gets a second, async arm in `view.rs`; the public reads are async already.

mod embedded;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod memory;
mod sqlite;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::options::{Location, Options};
use crate::{Error, Key, OpenError, Page, Range, Scan, Sequence};

/// An engine, opened.
pub(crate) trait Driver: Send + Sync {
    /// Makes a batch durable and visible.
    fn apply(&self, batch: &Batch) -> Result<(), ApplyError>;

    /// The state of now.
    fn view(&self) -> Result<Box<dyn View>, Error>;

    /// Bytes that can still be written; none where there is no disk.
    fn free_bytes(&self) -> Option<u64>;

    /// Leaves everything in order for the next opening. Called once, after the last `apply`.
    fn close(&self) -> Result<(), Error>;
}

/// An unchanging picture of the store.
pub(crate) trait View: Send + Sync {
    /// The value of `key`.
    fn get(&self, key: &Key) -> Result<Option<Bytes>, Error>;

    /// The pairs in `range`: at most `scan.limit`, at most as many as make [`Scan::PAGE_BYTES_MAX`].
    fn scan(&self, range: &Range, scan: Scan) -> Result<Page, Error>;
}

/// The driver for a location, and the last commit that it holds.
pub(crate) fn open(options: &Options) -> Result<(Arc<dyn Driver>, Sequence), OpenError> {
    Ok(match &options.location {
        Location::Memory => (Arc::new(memory::Memory::default()), Sequence::ZERO),
        Location::Embedded(path) => {
            let (driver, last) = embedded::open(path, options.cache_bytes)?;
            (Arc::new(driver), last)
        }
        Location::Sqlite(path) => {
            let (driver, last) = sqlite::open(path, options.cache_bytes)?;
            (Arc::new(driver), last)
        }
    })
}

/// What one sync makes durable: the outcome of some commits, each key once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The sequence number of the last of them, to be stored in the same breath.
    pub(crate) last: Sequence,
    /// The new values; none: deleted.
    pub(crate) writes: BTreeMap<Key, Option<Bytes>>,
}

impl Batch {
    /// Whether it changes a key in `range`.
    pub(crate) fn touches(&self, range: &Range) -> bool {
        !range.is_empty()
            && self
                .writes
                .range::<[u8], _>((Bound::Included(&range.start[..]), Bound::Excluded(&range.end[..])))
                .next()
                .is_some()
    }
}

/// Why a batch was not applied.
#[derive(Debug)]
pub(crate) enum ApplyError {
    /// There was no room; nothing was written, and the next batch may be tried.
    Full,
    /// It is not known what was written.
    Fatal(String),
}

/// Gathers pairs into a page until it is full.
pub(crate) struct PageBuilder<'a> {
    range: &'a Range,
    scan: Scan,
    items: Vec<(Key, Bytes)>,
    bytes: usize,
}

impl<'a> PageBuilder<'a> {
    pub(crate) fn new(range: &'a Range, scan: Scan) -> Self {
        Self { range, scan, items: Vec::new(), bytes: 0 }
    }

    /// Whether another pair would be too much. Ask before reading it.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= self.scan.limit || self.bytes >= Scan::PAGE_BYTES_MAX
    }

    pub(crate) fn push(&mut self, key: Key, value: Bytes) {
        self.bytes += value.len();
        self.items.push((key, value));
    }

    /// The page, when nothing follows in the range.
    pub(crate) fn whole(self) -> Page {
        Page { items: self.items, rest: None }
    }

    /// The page, when something may follow.
    pub(crate) fn cut(self) -> Page {
        Page::cut(self.items, self.range, self.scan.order)
    }
}
