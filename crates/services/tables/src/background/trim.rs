//! Takes away changes that are older than they need be kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::store::{Key, Range, Scan, Transaction};

use crate::Tables;
use crate::desk::Desk;
use crate::error::Error;
use crate::model::{Shard, Stream, Table};
use crate::store::{changes, versions};

/// Records of streams are kept for a day.
pub(crate) const STREAM_MS: i64 = 24 * 3_600_000;

/// A shard takes changes for so long.
const SHARD_MS: i64 = 4 * 3_600_000;

/// The streams of so many deleted tables are kept; of more the longest gone go before their day is over.
const LEFT_MAX: usize = 1_000;

/// So many entries are taken away in one transaction.
const PAGE: usize = 1_000;

/// Nothing lies in the shard that is to be kept.
fn is_old(shard: &Shard, now_ms: i64) -> bool {
    shard.ended.is_some_and(|(_, ended_ms)| ended_ms + STREAM_MS < now_ms)
}

/// Nothing lies in the stream that is to be kept, and nothing will.
fn is_over(stream: &Stream, now_ms: i64) -> bool {
    !stream.enabled && stream.shards.iter().all(|shard| is_old(shard, now_ms))
}

/// When the last of a table's streams ended.
fn last_change_ms(table: &Table) -> Option<i64> {
    let shards = table.streams().flat_map(|stream| &stream.shards);
    shards.filter_map(|shard| shard.ended.map(|(_, ended_ms)| ended_ms)).max()
}

/// The oldest day whose versions are kept; none where none are.
fn oldest_day(table: &Table, now_ms: i64) -> Option<u64> {
    let recovery = table.recovery.map(|recovery| versions::day(recovery.earliest_ms(now_ms)).saturating_sub(1));
    table.holds.iter().map(|hold| hold.day).chain(recovery).min()
}

impl Tables {
    pub(crate) async fn trim(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        // Before the shards that it was in are forgotten.
        if desk.sight().table.streams().next().is_some() {
            self.trim_journal(desk, &changes::streams(desk.number), now_ms - STREAM_MS).await?;
        }
        self.turn_shards(desk, now_ms).await?;
        self.trim_versions(desk, now_ms).await
    }

    /// Takes away what is old of the streams that deleted tables have left.
    pub(crate) async fn trim_left(&self, now_ms: i64) -> Result<(), Error> {
        self.trim_left_to(LEFT_MAX, now_ms).await
    }

    /// The same, with so many at most that are kept.
    pub(crate) async fn trim_left_to(&self, most: usize, now_ms: i64) -> Result<(), Error> {
        let mut left = self.desks.all_left();
        let too_many = left.len().saturating_sub(most);
        if too_many > 0 {
            left.sort_by_cached_key(|desk| last_change_ms(&desk.sight().table));
        }
        for (at, desk) in left.iter().enumerate() {
            if at >= too_many && desk.sight().table.streams().any(|stream| !is_over(stream, now_ms)) {
                self.trim_journal(desk, &changes::streams(desk.number), now_ms - STREAM_MS).await?;
            } else {
                self.cellar.forget_left(&desk.scope, desk.number).await?;
                self.desks.forget_left(desk.number);
            }
        }
        Ok(())
    }

    /// Takes away versions of days that nobody looks at any more; all of them where none are kept.
    async fn trim_versions(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        let root = versions::root(desk.number);
        loop {
            // Whether they are kept must not change meanwhile.
            let _open = desk.enter().await;
            let table = &desk.sight().table;
            if !table.keeps_versions() && desk.bare.load(Ordering::Acquire) {
                return Ok(());
            }
            let all = Range::prefix(&root);
            let rest = match desk.trimmed(&root) {
                Some(last) => all.after(&last),
                None => all,
            };
            let first = self.cellar.store.snapshot().scan(rest, Scan::first(1)).await?.items.into_iter().next();
            let Some((key, _)) = first else {
                desk.bare.store(!table.keeps_versions(), Ordering::Release);
                return Ok(());
            };
            desk.bare.store(false, Ordering::Release);
            let day = key.parts_after(&root)?.number()?;
            if oldest_day(table, now_ms).is_some_and(|oldest| day >= oldest) {
                // No version is added to the days before, and what was taken away there is not walked over again.
                desk.set_trimmed(&root, versions::of_day(desk.number, day.saturating_sub(1)));
                return Ok(());
            }
            self.cellar.clear(&versions::of_day(desk.number, day)).await?;
        }
    }

    /// Begins a new shard every four hours, and forgets the shards and streams that hold nothing any more.
    async fn turn_shards(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        let is_due = |stream: &Stream| {
            let last = stream.shards.last().filter(|last| stream.enabled && last.ended.is_none());
            last.is_some_and(|last| last.started_ms + SHARD_MS <= now_ms)
        };
        let is_to_turn = |stream: &Stream| is_due(stream) || stream.shards.iter().any(|shard| is_old(shard, now_ms));
        if !desk.sight().table.streams().any(is_to_turn) {
            return Ok(());
        }
        let turn = |table: &mut Table| {
            let over: Vec<String> = table
                .streams()
                .filter(|stream| is_over(stream, now_ms))
                .map(|stream| table.arn_of(stream, &desk.scope))
                .collect();
            table.policies.retain(|arn, _| !over.contains(arn));
            table.former_streams.retain(|stream| !is_over(stream, now_ms));
            table.stream = table.stream.take().filter(|stream| !is_over(stream, now_ms));
            if let Some(stream) = table.stream.as_mut().filter(|stream| is_due(stream)) {
                stream.rotate(self.commit(), now_ms);
            }
            for stream in table.former_streams.iter_mut().chain(&mut table.stream) {
                stream.shards.retain(|shard| !is_old(shard, now_ms));
            }
            Ok(())
        };
        self.change(desk, turn).await.map(|_| ())
    }

    /// Takes away what is older, from the oldest on. What was taken away before is not walked over again.
    async fn trim_journal(&self, desk: &Desk, prefix: &Key, oldest_ms: i64) -> Result<(), Error> {
        let is_young = |entry: &[u8]| changes::Record::moment_of(entry).is_some_and(|moment| moment >= oldest_ms);
        loop {
            let all = Range::prefix(prefix);
            let rest = match desk.trimmed(prefix) {
                Some(last) => all.after(&last),
                None => all,
            };
            let snapshot = self.cellar.store.snapshot();
            // Mostly nothing is old, and a page may be long.
            let first = snapshot.scan(rest.clone(), Scan::first(1)).await?.items;
            if first.first().is_none_or(|(_, entry)| is_young(entry)) {
                return Ok(());
            }
            let page = snapshot.scan(rest, Scan::first(PAGE)).await?;
            // A page ends with so many entries, or with so many bytes of them.
            let (mut is_all_old, goes_on) = (true, page.rest.is_some());
            let mut old: Vec<Key> = Vec::new();
            // Pieces follow their head, and go with it.
            let (mut pieces, mut whole) = (0, 0);
            for (key, value) in page.items {
                if pieces == 0 {
                    if is_young(&value) {
                        is_all_old = false;
                        break;
                    }
                    pieces = changes::split(&value)?.0;
                } else {
                    pieces -= 1;
                }
                old.push(key);
                if pieces == 0 {
                    whole = old.len();
                }
            }
            // A change of which the page has only the beginning goes with the next page.
            old.truncate(whole);
            let Some(last) = old.last().cloned() else { return Ok(()) };
            let old = &old;
            let write = |tx: Transaction| {
                old.iter().for_each(|key| tx.delete(key.clone()));
                std::future::ready(Ok::<_, Error>(()))
            };
            self.cellar.store.transact(write).await?;
            desk.set_trimmed(prefix, last);
            if !(is_all_old && goes_on) {
                return Ok(());
            }
        }
    }
}
