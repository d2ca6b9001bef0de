//! A table as it was after a commit: its items and what they were before later changes, merged in the order of their keys.
//!
//! It is read page by page, each from a snapshot of its own, so that nothing is held for long: whenever a page is read, it says the
//! same. Who reads has a hold on the table (or the table is gone), so that versions are written and none is taken away meanwhile.

use ::store::{Key, Range};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::items::{Source, Walk, Way};
use super::versions::{self, Cursor};
use super::{Cellar, keys};
use crate::error::Error;
use crate::stored::Stored;

/// A page ends with the item that makes it longer than this.
const PAGE_BYTES: usize = 1 << 20;

/// A table, and the last commit that is to be seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) table: u64,
    /// Whether its items have a sort key.
    pub(crate) has_range: bool,
    pub(crate) commit: u64,
    /// No change after that commit was made before this day.
    pub(crate) day: u64,
}

/// Some items, and where the next page begins; none at the end.
#[derive(Debug, Default)]
pub(crate) struct PastPage {
    pub(crate) items: Vec<Stored>,
    pub(crate) next: Option<Key>,
}

impl Cellar {
    /// The items behind `after`, as they were; of so many places of items at most.
    pub(crate) async fn past(&self, past: &Past, after: Option<&Key>, limit: usize) -> Result<PastPage, Error> {
        let snapshot = self.store.snapshot();
        let all = Range::prefix(&keys::items(past.table));
        let rest = after.map_or(all.clone(), |after| all.after(after));
        let parts = 4 + usize::from(past.has_range);
        let mut walk = Walk::new(Source::Snapshot(&snapshot), rest, parts, Way::Up, Some(limit));
        let mut present = walk.next().await?;
        let mut cursors = Vec::new();
        for day in versions::days(&snapshot, past.table, past.day).await? {
            let mut cursor = Cursor::new(past.table, day, past.has_range, past.commit, after)?;
            cursor.advance(&snapshot).await?;
            cursors.push(cursor);
        }
        let (mut page, mut bytes, mut last) = (PastPage::default(), 0, None);
        for _ in 0..limit {
            let Some(key) = first(present.as_ref(), &cursors) else { return Ok(page) };
            let now = match present.take_if(|(at, _)| *at == key) {
                Some((_, value)) => {
                    present = walk.next().await?;
                    Some(Stored::of_bytes(value)?)
                }
                None => None,
            };
            // The oldest of the changes since says what was there before all of them.
            let mut oldest: Option<(u64, Option<Stored>)> = None;
            for cursor in &mut cursors {
                let Some((_, commit)) = cursor.item().filter(|(item, _)| **item == key) else { continue };
                let version = cursor.take();
                if oldest.as_ref().is_none_or(|(known, _)| commit < *known) {
                    oldest = Some((commit, version.and_then(|version| version.old)));
                }
                cursor.advance(&snapshot).await?;
            }
            if let Some(item) = oldest.map_or(now, |(_, old)| old) {
                bytes += item.bytes().len();
                page.items.push(item);
            }
            last = Some(key);
            if bytes > PAGE_BYTES {
                break;
            }
        }
        if first(present.as_ref(), &cursors).is_some() {
            page.next = last;
        }
        Ok(page)
    }
}

/// The first place that anything is said of.
fn first(present: Option<&(Key, Bytes)>, cursors: &[Cursor]) -> Option<Key> {
    let changed = cursors.iter().filter_map(Cursor::item).map(|(item, _)| item);
    present.map(|(key, _)| key).into_iter().chain(changed).min().cloned()
}
