//! Taking away what is deleted or expired, some at a time.

use store::{Key, Range, Scan, Transaction};

use super::records::{self, ExpireRecord, GroupRecord, SweepRecord, Swept};
use super::{Archive, Keys, Scope};
use crate::chunk::{ChunkId, Summary};
use crate::error::Error;
use crate::model::{GroupId, StreamId};

/// How many keys, or chunks, one transaction takes away.
const AT_ONCE: usize = 500;

/// How many notes one look finds.
const NOTES_MAX: usize = 1_000;

/// What a note says is to be swept away, and how far that is.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    note: Key,
    scope: Scope,
    group: GroupId,
    stream: Option<StreamId>,
    /// What is left, so that no pass walks over what an earlier one deleted. Not kept across a restart: then one pass
    /// is slow.
    rest: Vec<Range>,
}

impl Sweep {
    /// The note that says it.
    pub(crate) fn note(&self) -> &Key {
        &self.note
    }
}

/// A group whose events expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
}

impl Archive {
    /// The key under which a note appears when there is something to sweep away.
    pub(crate) fn sweep_notes() -> Key {
        super::keys::sweeps()
    }

    /// What is deleted and not yet swept away.
    pub(crate) async fn sweeps(&self) -> Result<Vec<Sweep>, Error> {
        let page = self.store.snapshot().scan(Range::prefix(&super::keys::sweeps()), Scan::first(NOTES_MAX)).await?;
        let sweeps = page.items.into_iter().map(|(note, value)| {
            let record: SweepRecord = store::record::decode(&value)?;
            let Some(scope) = records::scope(&record.account, &record.region) else {
                tracing::error!(%note, "a note of something deleted cannot be read; its logs stay on disk");
                return Ok(None);
            };
            let (keys, group) = (Keys::of(&scope), GroupId(record.group));
            let stream = record.stream.map(StreamId);
            let rest = match stream {
                Some(stream) => vec![Range::prefix(&keys.by_stream(group, stream))],
                None => {
                    [keys.journal(group), keys.streams(group), keys.names(group)].iter().map(Range::prefix).collect()
                }
            };
            Ok(Some(Sweep { note, scope, group, stream, rest }))
        });
        sweeps.filter_map(Result::transpose).collect()
    }

    /// Takes some of it away. True: that was all, and the note is gone too.
    pub(crate) async fn sweep(&self, sweep: &mut Sweep) -> Result<bool, Error> {
        let Some(range) = sweep.rest.pop() else {
            let note = &sweep.note;
            self.store
                .transact(|tx| async move {
                    tx.delete(note.clone());
                    Ok::<_, Error>(())
                })
                .await?;
            return Ok(true);
        };
        let page = self.store.snapshot().scan(range, Scan::first(AT_ONCE)).await?;
        sweep.rest.extend(page.rest);
        match sweep.stream {
            None => self.delete(page.items.into_iter().map(|(key, _)| key).collect()).await?,
            Some(stream) => {
                let keys = Keys::of(&sweep.scope);
                let entry = |(key, value): &(Key, bytes::Bytes)| {
                    Ok::<_, Error>((keys.read_by_stream(sweep.group, stream, key)?, Summary::decode(value)?))
                };
                let chunks: Vec<_> = page.items.iter().map(entry).collect::<Result<_, _>>()?;
                self.delete_chunks(&keys, sweep.group, &chunks).await?;
            }
        }
        Ok(false)
    }

    async fn delete(&self, keys: Vec<Key>) -> Result<(), Error> {
        let keys = &keys;
        self.store
            .transact(|tx| async move {
                keys.iter().for_each(|key| tx.delete(key.clone()));
                Ok::<_, Error>(())
            })
            .await
    }

    /// Deletes chunks of a stream that is gone, of a group that is still there (if it is not, its own sweep counts).
    async fn delete_chunks(&self, keys: &Keys, group: GroupId, chunks: &[(ChunkId, Summary)]) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                let swept: Option<Swept> = tx.get_record(&keys.swept(group)).await?;
                let removed = delete_chunks(&tx, keys, group, chunks);
                if let Some(mut swept) = swept {
                    swept.removed_bytes += removed;
                    tx.put_record(keys.swept(group), &swept);
                }
                Ok(())
            })
            .await
    }

    /// The groups that have a retention, after the given one; a page of them.
    pub(crate) async fn expiring(&self, after: Option<&Key>) -> Result<Vec<(Key, Expired)>, Error> {
        let all = Range::prefix(&super::keys::expiries());
        let range = match after {
            Some(after) => all.after(after),
            None => all,
        };
        let page = self.store.snapshot().scan(range, Scan::first(NOTES_MAX)).await?;
        let groups = page.items.into_iter().map(|(note, value)| {
            let ExpireRecord { account, region, name } = store::record::decode(&value)?;
            let Some(scope) = records::scope(&account, &region) else {
                tracing::error!(%note, "a note of a retention cannot be read; its logs stay on disk");
                return Ok(None);
            };
            Ok(Some((note, Expired { scope, name })))
        });
        groups.filter_map(Result::transpose).collect()
    }

    /// Takes away chunks of a group whose events are all expired, a few hundred of them. True: nothing is left to take.
    pub(crate) async fn expire(&self, expired: &Expired) -> Result<bool, Error> {
        let (keys, now_ms) = (Keys::of(&expired.scope), self.now_ms());
        self.store
            .transact(|tx| {
                let keys = &keys;
                async move {
                    let record: Option<GroupRecord> = tx.get_record(&keys.group(&expired.name)).await?;
                    let Some(group) = record.map(|record| record.named(&expired.name)) else { return Ok(true) };
                    let before_ms = group.expired_before_ms(now_ms);
                    let swept: Swept = tx.get_record(&keys.swept(group.id)).await?.unwrap_or_default();
                    if swept.oldest_ms >= before_ms {
                        return Ok(true);
                    }
                    expire_some(&tx, keys, group.id, swept, before_ms).await
                }
            })
            .await
    }
}

async fn expire_some(
    tx: &Transaction,
    keys: &Keys,
    group: GroupId,
    mut swept: Swept,
    before_ms: u64,
) -> Result<bool, Error> {
    let by_time = keys.by_time(group);
    let range =
        Range::prefix(&by_time).from(&by_time.clone().with(swept.oldest_ms)).before(&by_time.clone().with(before_ms));
    // A transaction's scan: a writer who puts something into the range meanwhile, or goes on with a chunk of it, wins.
    let page = tx.scan(range, Scan::first(AT_ONCE)).await?;
    let mut expired = Vec::with_capacity(page.items.len());
    let mut oldest_ms = None;
    for (key, value) in &page.items {
        let (id, summary) = (keys.read_by_time(group, key)?, Summary::decode(value)?);
        if summary.end_ms < before_ms {
            expired.push((id, summary));
        } else {
            // It has an event that is not expired yet; everything that begins later stays findable from here.
            oldest_ms.get_or_insert(id.start_ms);
        }
    }
    let is_all = page.rest.is_none();
    let last_ms = page.items.last().map(|(key, _)| keys.read_by_time(group, key)).transpose()?.map(|id| id.start_ms);
    swept.removed_bytes += delete_chunks(tx, keys, group, &expired);
    swept.oldest_ms = oldest_ms.unwrap_or(match (is_all, last_ms) {
        (false, Some(last_ms)) => last_ms,
        (true, _) | (false, None) => before_ms,
    });
    tx.put_record(keys.swept(group), &swept);
    Ok(is_all || expired.is_empty())
}

fn delete_chunks(tx: &Transaction, keys: &Keys, group: GroupId, chunks: &[(ChunkId, Summary)]) -> u64 {
    for (id, summary) in chunks {
        tx.delete(keys.entry_by_time(group, *id));
        tx.delete(keys.entry_by_stream(group, *id));
        (0..summary.parts).for_each(|part| tx.delete(keys.part(group, *id, part)));
    }
    chunks.iter().map(|(_, summary)| summary.stored_bytes).sum()
}
