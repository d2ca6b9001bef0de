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

/// So many entries are taken away in one transaction.
const PAGE: usize = 1_000;

/// The oldest day whose versions are kept; none where none are.
fn oldest_day(table: &Table, now_ms: i64) -> Option<u64> {
    let recovery = table.recovery.map(|recovery| versions::day(recovery.earliest_ms(now_ms)).saturating_sub(1));
    table.holds.iter().map(|hold| hold.day).chain(recovery).min()
}

impl Tables {
    pub(crate) async fn trim(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        self.turn_shards(desk, now_ms).await?;
        let sight = desk.sight();
        if sight.table.stream.is_some() {
            self.trim_journal(desk, &changes::streams(desk.number), now_ms - STREAM_MS).await?;
        }
        self.trim_versions(desk, now_ms).await
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

    /// Begins a new shard every four hours, and forgets those that hold nothing any more.
    async fn turn_shards(&self, desk: &Arc<Desk>, now_ms: i64) -> Result<(), Error> {
        let is_old = |shard: &Shard| shard.ended.is_some_and(|(_, ended_ms)| ended_ms + STREAM_MS < now_ms);
        let is_over = |stream: &Stream| !stream.enabled && stream.shards.iter().all(is_old);
        let is_due = |stream: &Stream| {
            let last = stream.shards.last().filter(|last| stream.enabled && last.ended.is_none());
            last.is_some_and(|last| last.started_ms + SHARD_MS <= now_ms)
        };
        let table = &desk.sight().table;
        let turns = table.stream.as_ref().is_some_and(is_due);
        if !turns && !table.former_streams.iter().any(is_over) {
            return Ok(());
        }
        let turn = |table: &mut Table| {
            table.former_streams.retain(|stream| !is_over(stream));
            if let Some(stream) = table.stream.as_mut().filter(|stream| is_due(stream)) {
                stream.rotate(self.commit(), now_ms);
                stream.shards.retain(|shard| !is_old(shard));
            }
            Ok(())
        };
        self.change(desk, turn).await.map(|_| ())
    }

    /// Takes away what is older, from the oldest on. What was taken away before is not walked over again.
    async fn trim_journal(&self, desk: &Desk, prefix: &Key, oldest_ms: i64) -> Result<(), Error> {
        loop {
            let all = Range::prefix(prefix);
            let rest = match desk.trimmed(prefix) {
                Some(last) => all.after(&last),
                None => all,
            };
            let page = self.cellar.store.snapshot().scan(rest, Scan::first(PAGE)).await?;
            let mut old: Vec<Key> = Vec::new();
            // Pieces follow their head, and go with it.
            let (mut pieces, mut whole) = (0, 0);
            for (key, value) in page.items {
                if pieces == 0 {
                    if changes::Record::moment_of(&value).is_some_and(|moment| moment >= oldest_ms) {
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
            let is_full = old.len() == PAGE;
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
            if !is_full {
                return Ok(());
            }
        }
    }
}
