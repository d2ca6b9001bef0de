//! Log streams: made, found, listed, deleted.

use std::collections::BTreeMap;

use store::{Range, Scan, Snapshot, Transaction};

use super::records::{GroupRecord, StreamRecord, SweepRecord, Tally};
use super::{Archive, Keys, Scope};
use crate::error::Error;
use crate::model::{Direction, GroupId, Stream, StreamId};

/// In which order streams are listed, and after which one to go on.
#[derive(Clone, Debug)]
pub enum StreamOrder {
    /// By name, those that begin with `prefix`.
    Name {
        /// What the names begin with.
        prefix: String,
        /// The last name of the page before.
        after: Option<String>,
    },
    /// By the latest timestamp, then by name; a stream without events counts as having one at 0. There is no index for
    /// it, since that would cost a write and a tombstone for every batch: each page looks at all streams of the group
    /// and keeps no more than it shows.
    LastEvent {
        /// The last stream of the page before.
        after: Option<(u64, String)>,
    },
}

/// A page of streams.
#[derive(Debug, Default)]
pub struct StreamList {
    /// The streams, in order.
    pub streams: Vec<Stream>,
    /// Whether there are more.
    pub has_more: bool,
}

impl Archive {
    /// Makes a stream.
    pub async fn create_stream(&self, scope: &Scope, group: &str, name: &str) -> Result<(), Error> {
        let (keys, created_ms) = (Keys::of(scope), self.now_ms());
        self.store
            .transact(|tx| {
                let keys = &keys;
                async move {
                    let record: Option<GroupRecord> = tx.get_record(&keys.group(group)).await?;
                    let group = record.ok_or(Error::GroupMissing)?.named(group);
                    if tx.get(&keys.stream(group.id, name)).await?.is_some() {
                        return Err(Error::StreamExists);
                    }
                    let mut tally: Tally = tx.get_record(&keys.tally(group.id)).await?.unwrap_or_default();
                    let record = make_stream(&tx, keys, group.id, &mut tally, name, created_ms);
                    tx.put_record(keys.stream(group.id, name), &record);
                    tx.put_record(keys.tally(group.id), &tally);
                    Ok(())
                }
            })
            .await
    }

    /// The stream of that name.
    pub async fn stream(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        group: GroupId,
        name: &str,
    ) -> Result<Stream, Error> {
        let record: Option<StreamRecord> = snapshot.get_record(&Keys::of(scope).stream(group, name)).await?;
        Ok(record.ok_or(Error::StreamMissing)?.named(name))
    }

    /// The name of the stream with that number; none: it is deleted.
    pub(crate) async fn stream_name(
        &self,
        snapshot: &Snapshot,
        keys: &Keys,
        group: GroupId,
        stream: StreamId,
    ) -> Result<Option<String>, Error> {
        let name = snapshot.get(&keys.name(group, stream)).await?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Up to `limit` streams.
    pub async fn streams(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        group: GroupId,
        order: &StreamOrder,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamList, Error> {
        let streams = Keys::of(scope).streams(group);
        match order {
            StreamOrder::Name { prefix, after } => {
                let mut range = Range::text_prefix(&streams, prefix);
                let from = after.as_ref().map(|after| streams.clone().with(after));
                let scan = match direction {
                    Direction::Forward => Scan::first(limit),
                    Direction::Backward => Scan::last(limit),
                };
                match (from, direction) {
                    (Some(from), Direction::Forward) => range = range.after(&from),
                    (Some(from), Direction::Backward) => range = range.before(&from),
                    (None, _) => {}
                }
                let page = snapshot.scan(range, scan).await?;
                let found = page.items.iter().map(|(key, value)| decode(&streams, key, value));
                Ok(StreamList { streams: found.collect::<Result<_, _>>()?, has_more: page.rest.is_some() })
            }
            StreamOrder::LastEvent { after } => latest(snapshot, &streams, after.as_ref(), direction, limit).await,
        }
    }

    /// Deletes a stream and its events. They are gone when this returns; the room that they took comes back later.
    pub async fn delete_stream(&self, scope: &Scope, group: &str, name: &str) -> Result<(), Error> {
        let keys = Keys::of(scope);
        self.store
            .transact(|tx| {
                let keys = &keys;
                async move {
                    let record: Option<GroupRecord> = tx.get_record(&keys.group(group)).await?;
                    let group = record.ok_or(Error::GroupMissing)?.named(group).id;
                    let record: Option<StreamRecord> = tx.get_record(&keys.stream(group, name)).await?;
                    let stream = record.ok_or(Error::StreamMissing)?.named(name).id;
                    tx.delete(keys.stream(group, name));
                    tx.delete(keys.name(group, stream));
                    tx.put_record(keys.sweep(group, Some(stream)), &SweepRecord::of(scope, group, Some(stream)));
                    Ok(())
                }
            })
            .await
    }
}

/// Makes a stream that is not there. The caller stores the record and the tally.
pub(super) fn make_stream(
    tx: &Transaction,
    keys: &Keys,
    group: GroupId,
    tally: &mut Tally,
    name: &str,
    created_ms: u64,
) -> StreamRecord {
    tally.streams_made += 1;
    let id = tally.streams_made;
    tx.put(keys.name(group, StreamId(id)), name.to_owned());
    StreamRecord { id, created_ms, span: None }
}

fn decode(streams: &store::Key, key: &store::Key, value: &[u8]) -> Result<Stream, Error> {
    let name = key.parts_after(streams)?.text()?;
    Ok(store::record::decode::<StreamRecord>(value)?.named(&name))
}

/// The streams next in order of their latest event, of all that there are.
async fn latest(
    snapshot: &Snapshot,
    streams: &store::Key,
    after: Option<&(u64, String)>,
    direction: Direction,
    limit: usize,
) -> Result<StreamList, Error> {
    let mut kept: BTreeMap<(u64, String), Stream> = BTreeMap::new();
    let mut has_more = false;
    let mut rest = Some(Range::prefix(streams));
    while let Some(range) = rest.take() {
        let page = snapshot.scan(range, Scan::first(1_000)).await?;
        rest = page.rest;
        for (key, value) in &page.items {
            let stream = decode(streams, key, value)?;
            let place = (stream.span.map_or(0, |span| span.last_ms), stream.name.clone());
            let is_next = after.is_none_or(|after| match direction {
                Direction::Forward => place > *after,
                Direction::Backward => place < *after,
            });
            if !is_next {
                continue;
            }
            kept.insert(place, stream);
            if kept.len() > limit {
                has_more = true;
                match direction {
                    Direction::Forward => kept.pop_last(),
                    Direction::Backward => kept.pop_first(),
                };
            }
        }
        tokio::task::yield_now().await;
    }
    let in_order = kept.into_values();
    let streams = match direction {
        Direction::Forward => in_order.collect(),
        Direction::Backward => in_order.rev().collect(),
    };
    Ok(StreamList { streams, has_more })
}
