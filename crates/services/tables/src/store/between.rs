//! What was changed of a table between two commits: of each item that was, what it was before, what it was after, and when it was last
//! changed. Read page by page, as `past.rs` reads what a table was.

use ::store::{Key, Range, Scan, Snapshot};

use super::items::Source;
use super::past::Past;
use super::versions::{self, Cursor, Version};
use super::{Cellar, changes};
use crate::error::Error;
use crate::stored::Stored;

/// A page ends with the change that makes it longer than this.
const PAGE_BYTES: usize = 1 << 20;

/// What became of an item.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) old: Option<Stored>,
    pub(crate) new: Option<Stored>,
    pub(crate) at_ms: i64,
}

/// Some changes, and where the next page begins; none at the end.
#[derive(Debug, Default)]
pub(crate) struct ChangedPage {
    pub(crate) items: Vec<Changed>,
    pub(crate) next: Option<Key>,
}

impl Cellar {
    /// What was changed after `past` and up to a commit, of the items behind `after`; of so many items at most.
    pub(crate) async fn changed(
        &self,
        past: &Past,
        until: u64,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ChangedPage, Error> {
        let snapshot = self.store.snapshot();
        let (mut since, mut beyond) = (Vec::new(), Vec::new());
        for day in versions::days(&snapshot, past.table, past.day).await? {
            for (cursors, commit) in [(&mut since, past.commit), (&mut beyond, until)] {
                let mut cursor = Cursor::new(past.table, day, past.has_range, commit, after)?;
                cursor.advance(&snapshot).await?;
                cursors.push(cursor);
            }
        }
        let (mut page, mut bytes) = (ChangedPage::default(), 0);
        for _ in 0..limit {
            let Some(key) = since.iter().filter_map(Cursor::item).map(|(item, _)| item).min().cloned() else {
                page.next = None;
                return Ok(page);
            };
            let first = oldest(&mut since, &key, &snapshot).await?;
            let later = oldest(&mut beyond, &key, &snapshot).await?;
            page.next = Some(key.clone());
            let Some((_, version)) = first.filter(|(commit, _)| *commit <= until) else { continue };
            let new = match later {
                Some((_, version)) => version.old,
                None => Source::Snapshot(&snapshot).item(&key).await?.map(Stored::of_bytes).transpose()?,
            };
            // What came and went in between was never there to whoever looks at both ends.
            if version.old.is_none() && new.is_none() {
                continue;
            }
            bytes += [&version.old, &new].into_iter().flatten().map(|item| item.bytes().len()).sum::<usize>();
            let at_ms = last_change(&snapshot, past, until, &key).await?.unwrap_or(version.at_ms);
            page.items.push(Changed { old: version.old, new, at_ms });
            if bytes > PAGE_BYTES {
                break;
            }
        }
        if !since.iter().any(|cursor| cursor.item().is_some()) {
            page.next = None;
        }
        Ok(page)
    }
}

/// The oldest version of an item that any of the cursors stands at, which then stand behind it.
async fn oldest(cursors: &mut [Cursor], key: &Key, snapshot: &Snapshot) -> Result<Option<(u64, Version)>, Error> {
    let mut oldest: Option<(u64, Version)> = None;
    for cursor in cursors {
        let Some((_, commit)) = cursor.item().filter(|(item, _)| **item == *key) else { continue };
        let version = cursor.take();
        if oldest.as_ref().is_none_or(|(known, _)| commit < *known) {
            oldest = version.map(|version| (commit, version));
        }
        cursor.advance(snapshot).await?;
    }
    Ok(oldest)
}

/// When an item was last changed, up to a commit.
async fn last_change(snapshot: &Snapshot, past: &Past, until: u64, key: &Key) -> Result<Option<i64>, Error> {
    let mut last: Option<(u64, i64)> = None;
    for day in versions::days(snapshot, past.table, past.day).await? {
        let group = versions::group(key, past.table, day, past.has_range)?;
        let range = Range::prefix(&group).before(&group.clone().with(until.saturating_add(1)));
        let Some((entry, _)) = snapshot.scan(range, Scan::last(1)).await?.items.into_iter().next() else { continue };
        let commit = changes::Stand::read(&group, &entry)?.commit;
        if last.is_some_and(|(known, _)| known > commit) {
            continue;
        }
        // The entry may be a piece: the first of its commit tells the time.
        let first = snapshot.scan(Range::prefix(&group.with(commit)), Scan::first(1)).await?;
        last = first.items.first().and_then(|(_, head)| Version::moment_of(head)).map(|at_ms| (commit, at_ms));
    }
    Ok(last.map(|(_, at_ms)| at_ms))
}
