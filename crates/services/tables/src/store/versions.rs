//! Items as they were before they were changed, for as long as somebody may want to see the table as it was.
//!
//! Of class journal, under `tables`: `v NUMBER DAY HASH [SORT] COMMIT ENTRY`. By item, so that a table as it was at a moment is read in
//! one pass over its items and these, in the order of keys and without memory for what was seen; by day before that, so that what is
//! older than it need be is taken away day by day and nothing is looked through for it. A version that is longer than a value may be
//! goes on in the next entries of its commit; its first byte says in how many.
//!
//! What always holds: what an item was after commit C is what its first version after C says, and where there is none, what it is.
//! A table writes versions only while [`crate::model::Table::keeps_versions`].

use std::collections::VecDeque;

use ::store::{Key, Range, Scan, Snapshot, Transaction};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use item::packed::Damaged;

use super::{Cellar, changes, keys};
use crate::error::Error;
use crate::places::Place;
use crate::stored::Stored;

const VERSION: u8 = 2;
const DAY_MS: i64 = 86_400_000;
/// Entries that are read at once of a day. Up to a month of days is read side by side, and an entry has up to 60 KB.
const STEP: usize = 32;

/// All versions of a table.
pub(crate) fn root(table: u64) -> Key {
    Key::journal("tables").with("v").with(table)
}

/// The versions that were made on a day.
pub(crate) fn of_day(table: u64, day: u64) -> Key {
    root(table).with(day)
}

/// The day that a moment is in.
pub(crate) fn day(ms: i64) -> u64 {
    u64::try_from(ms.div_euclid(DAY_MS)).unwrap_or_default()
}

/// Keeps what an item was before this transaction.
pub(crate) fn append(tx: &Transaction, table: u64, place: &Place, at_ms: i64, old: Option<&Stored>) {
    let mut out = vec![VERSION];
    out.put_i64_le(at_ms);
    out.put_slice(old.map_or(&[], Stored::bytes));
    changes::append(tx, &place.under(of_day(table, day(at_ms))), &out);
}

/// What an item was before a commit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) at_ms: i64,
    /// None where there was no item.
    pub(crate) old: Option<Stored>,
}

impl Version {
    /// What was kept.
    pub(crate) fn unpack(mut bytes: Bytes) -> Result<Self, Error> {
        const HEAD: usize = 9;
        if bytes.len() < HEAD || bytes.get_u8() != VERSION {
            return Err(Damaged::Wrong("an item as it was").into());
        }
        let at_ms = bytes.get_i64_le();
        let old = (!bytes.is_empty()).then(|| Stored::of_bytes(bytes)).transpose()?;
        Ok(Self { at_ms, old })
    }

    /// When it was made, of an entry that is the first of its version.
    pub(crate) fn moment_of(entry: &[u8]) -> Option<i64> {
        // Behind the byte that counts the pieces, and the version.
        entry.get(2..10)?.try_into().ok().map(i64::from_le_bytes)
    }
}

/// Where a version stands.
#[derive(Clone, Debug)]
struct Stand {
    /// The item's key.
    item: Key,
    /// What all versions of the item have before them, on this day.
    group: Key,
    commit: u64,
}

/// The first version after a commit of each item that has one on a day, in the order of the items.
#[derive(Debug)]
pub(crate) struct Cursor {
    table: u64,
    day: Key,
    has_range: bool,
    after: u64,
    rest: Option<Range>,
    page: VecDeque<(Key, Bytes)>,
    head: Option<(Key, u64, Version)>,
}

impl Cursor {
    /// Over the items behind `from` (all where there is none). It stands before the first.
    pub(crate) fn new(table: u64, day: u64, has_range: bool, after: u64, from: Option<&Key>) -> Result<Self, Error> {
        let day = of_day(table, day);
        let all = Range::prefix(&day);
        let rest = match from {
            Some(item) => all.after(&moved(item, table, &day, has_range)?),
            None => all,
        };
        Ok(Self { table, day, has_range, after, rest: Some(rest), page: VecDeque::new(), head: None })
    }

    /// The item that it stands at, with the commit of its version; none at the end.
    pub(crate) fn item(&self) -> Option<(&Key, u64)> {
        self.head.as_ref().map(|(item, commit, _)| (item, *commit))
    }

    /// Takes the version that it stands at.
    pub(crate) fn take(&mut self) -> Option<Version> {
        self.head.take().map(|(_, _, version)| version)
    }

    /// Goes to the next item.
    pub(crate) async fn advance(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.head = None;
        while let Some((key, value)) = self.next_pair(snapshot).await? {
            let stand = self.read(&key)?;
            if stand.commit <= self.after {
                // An item that was changed often before is not walked through.
                self.skip_to(&stand.group.clone().with(self.after.saturating_add(1)));
                continue;
            }
            let (pieces, body) = changes::split(&value)?;
            let mut whole = BytesMut::from(&body[..]);
            for _ in 0..pieces {
                let (_, piece) = self.next_pair(snapshot).await?.ok_or(Damaged::Cut)?;
                whole.put_slice(&piece);
            }
            self.head = Some((stand.item, stand.commit, Version::unpack(whole.freeze())?));
            self.skip_past(&stand.group);
            return Ok(());
        }
        Ok(())
    }

    async fn next_pair(&mut self, snapshot: &Snapshot) -> Result<Option<(Key, Bytes)>, Error> {
        loop {
            if let Some(pair) = self.page.pop_front() {
                return Ok(Some(pair));
            }
            let Some(range) = self.rest.take() else { return Ok(None) };
            let page = snapshot.scan(range, Scan::first(STEP)).await?;
            self.rest = page.rest;
            self.page = page.items.into();
        }
    }

    fn skip_to(&mut self, key: &Key) {
        while self.page.front().is_some_and(|(next, _)| next < key) {
            self.page.pop_front();
        }
        if self.page.is_empty() {
            self.rest = self.rest.take().map(|rest| rest.from(key));
        }
    }

    fn skip_past(&mut self, group: &Key) {
        while self.page.front().is_some_and(|(next, _)| next.starts_with(group)) {
            self.page.pop_front();
        }
        if self.page.is_empty() {
            self.rest = self.rest.take().map(|rest| rest.after(group));
        }
    }

    fn read(&self, key: &Key) -> Result<Stand, Error> {
        read_stand(key, self.table, &self.day, self.has_range)
    }
}

fn read_stand(key: &Key, table: u64, day: &Key, has_range: bool) -> Result<Stand, Error> {
    let mut parts = key.parts_after(day)?;
    let hash = parts.id()?;
    let (mut item, mut group) = (keys::items(table).with(hash), day.clone().with(hash));
    if has_range {
        let sort = parts.bytes()?;
        (item, group) = (item.with(&sort[..]), group.with(&sort[..]));
    }
    Ok(Stand { item, group, commit: parts.number()? })
}

/// The place of a table's item under another prefix.
fn moved(item: &Key, table: u64, prefix: &Key, has_range: bool) -> Result<Key, Error> {
    let mut parts = item.parts_after(&keys::items(table))?;
    let key = prefix.clone().with(parts.id()?);
    Ok(if has_range { key.with(&parts.bytes()?[..]) } else { key })
}

/// What all versions of an item have before them that were made on a day.
pub(crate) fn group(item: &Key, table: u64, day: u64, has_range: bool) -> Result<Key, Error> {
    moved(item, table, &of_day(table, day), has_range)
}

/// The days on which versions were made, from one on.
pub(crate) async fn days(snapshot: &Snapshot, table: u64, from: u64) -> Result<Vec<u64>, Error> {
    let root = root(table);
    let mut rest = Range::prefix(&root).from(&root.clone().with(from));
    let mut days = Vec::new();
    while let Some((key, _)) = snapshot.scan(rest.clone(), Scan::first(1)).await?.items.into_iter().next() {
        let day = key.parts_after(&root)?.number()?;
        days.push(day);
        rest = rest.after(&root.clone().with(day));
    }
    Ok(days)
}

impl Cellar {
    /// The last commit before the first change that was made after a moment. What was acknowledged by that moment is in what it
    /// stands for, what was begun later is not, and of no transaction there is only a part in it. `latest` where nothing was
    /// changed since.
    pub(crate) async fn commit_at(
        &self,
        table: u64,
        has_range: bool,
        moment_ms: i64,
        latest: u64,
    ) -> Result<u64, Error> {
        let mut first = latest.saturating_add(1);
        let mut found_on = None;
        // A transaction takes its time before its commit, so around midnight two days have to be looked at.
        for day in days(&self.store.snapshot(), table, day(moment_ms)).await? {
            if found_on.is_some_and(|found| day > found + 1) {
                break;
            }
            if let Some(commit) = self.first_after(table, day, has_range, moment_ms).await? {
                first = first.min(commit);
                found_on = found_on.or(Some(day));
            }
        }
        Ok(first - 1)
    }

    /// The first commit on a day that was begun after a moment.
    async fn first_after(&self, table: u64, day: u64, has_range: bool, after_ms: i64) -> Result<Option<u64>, Error> {
        const PAGE: usize = 1_000;
        let prefix = of_day(table, day);
        let (mut first, mut pieces) = (None, 0);
        let mut rest = Some(Range::prefix(&prefix));
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
            rest = page.rest;
            for (key, value) in page.items {
                if pieces > 0 {
                    pieces -= 1;
                    continue;
                }
                pieces = changes::split(&value)?.0;
                if Version::moment_of(&value).ok_or(Damaged::Cut)? > after_ms {
                    let commit = read_stand(&key, table, &prefix, has_range)?.commit;
                    first = Some(first.map_or(commit, |first: u64| first.min(commit)));
                }
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use base::Random;
    use item::{Item, Value};

    use super::*;

    #[test]
    fn versions_are_read_as_they_were_kept_and_damage_is_no_panic() {
        let old = Stored::new(&Item::from([("id".to_owned(), Value::from("a"))]));
        for kept in [None, Some(&old)] {
            let mut packed = vec![VERSION];
            packed.put_i64_le(1_795_262_400_123);
            packed.put_slice(kept.map_or(&[], Stored::bytes));
            let read = Version::unpack(Bytes::from(packed.clone())).unwrap();
            assert_eq!(read, Version { at_ms: 1_795_262_400_123, old: kept.cloned() });
            let entry: Vec<u8> = std::iter::once(0).chain(packed.iter().copied()).collect();
            assert_eq!(Version::moment_of(&entry), Some(1_795_262_400_123));
            for seed in 0..1_000 {
                let random = Random::seeded(seed);
                let mut damaged = packed.clone();
                let at = random.below(damaged.len() as u64) as usize;
                match random.below(2) {
                    0 => damaged[at] = random.u64() as u8,
                    _ => damaged.truncate(at),
                }
                if let Ok(Version { old: Some(old), .. }) = Version::unpack(Bytes::from(damaged)) {
                    let _whatever_it_is = old.item();
                }
            }
        }
    }

    #[test]
    fn days_are_counted_from_the_epoch() {
        for (ms, expected) in [(0, 0), (86_399_999, 0), (86_400_000, 1), (-1, 0), (1_795_262_400_000, 20_778)] {
            assert_eq!(day(ms), expected, "{ms}");
        }
    }
}
