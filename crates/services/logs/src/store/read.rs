//! Reading events: one page of a group or of some of its streams, in order of time, from either end.
//!
//! The index is walked in order of the chunks' first timestamps. Since a chunk reaches [`SPAN_MS_MAX`] at most, the walk
//! begins that much before the wanted time, and knows when no later chunk can change the page. A page that looks through
//! much and finds little stops after [`LOOKED_AT_BYTES_MAX`] and says where to go on.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use bytes::Bytes;
use store::{Key, Range, Scan, Snapshot};

use super::records::{Swept, Tally};
use super::{Archive, Keys, Scope};
use crate::chunk::{self, ChunkId, SPAN_MS_MAX, Summary};
use crate::error::Error;
use crate::model::{Collector, Direction, Event, GroupId, Page, Position, StreamId};
use crate::pattern::Pattern;

/// How much of chunks, unpacked, one page looks through.
const LOOKED_AT_BYTES_MAX: u64 = 16 << 20;

/// How many index entries one page looks at.
const LOOKED_AT_ENTRIES_MAX: u64 = 20_000;

/// How many index entries are read at a time, of one stream and of a whole group.
const ENTRIES_OF_STREAM: usize = 32;
const ENTRIES_OF_GROUP: usize = 256;

/// Which streams.
#[derive(Clone, Debug)]
pub enum Sought {
    /// All whose name begins with this; with nothing, all.
    Prefix(String),
    /// These.
    Streams(Vec<(StreamId, String)>),
}

/// What to read.
#[derive(Debug)]
pub struct Query<'a> {
    /// The group.
    pub group: GroupId,
    /// Which of its streams.
    pub sought: Sought,
    /// The earliest timestamp.
    pub from_ms: u64,
    /// The first timestamp that is not wanted any more.
    pub until_ms: u64,
    /// Only events after this (forward), or before it (backward).
    pub start: Option<Position>,
    /// From which end.
    pub direction: Direction,
    /// How many events at most.
    pub limit: usize,
    /// Which messages.
    pub pattern: &'a Pattern,
}

/// A page of events.
#[derive(Debug, Default)]
pub struct Found {
    /// The events, earliest first.
    pub events: Vec<Event>,
    /// The names of their streams.
    pub names: HashMap<StreamId, String>,
    /// Where to go on, in the direction that was asked for; none: there is nothing more now.
    pub next: Option<Position>,
}

/// An entry of the index, on the walk.
type Entry = (ChunkId, Summary);

impl Archive {
    /// Reads a page.
    pub async fn events(&self, snapshot: &Snapshot, scope: &Scope, query: &Query<'_>) -> Result<Found, Error> {
        let keys = Keys::of(scope);
        let swept: Swept = snapshot.get_record(&keys.swept(query.group)).await?.unwrap_or_default();
        let mut search = Search {
            archive: self,
            snapshot,
            keys: &keys,
            query,
            page: Collector::new(query.direction, query.limit),
            names: HashMap::new(),
        };
        if let Sought::Streams(streams) = &query.sought {
            search.names.extend(streams.iter().map(|(id, name)| (*id, Some(name.clone()))));
        }
        let stopped_at = search.run(swept.oldest_ms).await?;
        Ok(search.finish(stopped_at))
    }

    /// The events of one chunk that `wanted` says yes to; none if it is gone.
    pub(crate) async fn chunk_events(
        &self,
        snapshot: &Snapshot,
        keys: &Keys,
        group: GroupId,
        (id, summary): Entry,
        wanted: impl FnMut(&Position, &str) -> bool,
    ) -> Result<Vec<Event>, Error> {
        let mut parts: Vec<Bytes> = Vec::with_capacity(summary.parts.into());
        for number in 0..summary.parts {
            match snapshot.get(&keys.part(group, id, number)).await? {
                Some(part) => parts.push(part),
                None => return Ok(Vec::new()),
            }
        }
        Ok(chunk::events(id, &parts, wanted)?)
    }

    /// The last batch that the group took in.
    pub(crate) async fn last_batch(&self, snapshot: &Snapshot, keys: &Keys, group: GroupId) -> Result<u64, Error> {
        let tally: Option<Tally> = snapshot.get_record(&keys.tally(group)).await?;
        Ok(tally.unwrap_or_default().last_batch)
    }

    /// Where the group's index by time lies, without what was deleted of it.
    pub(crate) async fn index_range(&self, snapshot: &Snapshot, keys: &Keys, group: GroupId) -> Result<Range, Error> {
        let swept: Swept = snapshot.get_record(&keys.swept(group)).await?.unwrap_or_default();
        let index = keys.by_time(group);
        Ok(Range::prefix(&index).from(&index.with(swept.oldest_ms)))
    }

    /// The index entry of a chunk; none if it is gone.
    pub(crate) async fn entry(
        &self,
        snapshot: &Snapshot,
        keys: &Keys,
        group: GroupId,
        id: ChunkId,
    ) -> Result<Option<Summary>, Error> {
        let entry = snapshot.get(&keys.entry_by_time(group, id)).await?;
        Ok(entry.map(|entry| Summary::decode(&entry)).transpose()?)
    }
}

/// One page in the making.
struct Search<'a> {
    archive: &'a Archive,
    snapshot: &'a Snapshot,
    keys: &'a Keys,
    query: &'a Query<'a>,
    page: Collector,
    /// What is known of streams' names; none: deleted, or not sought.
    names: HashMap<StreamId, Option<String>>,
}

impl Search<'_> {
    /// Walks over the chunks. Where it stops before the page is full or the range is done, it says at which time.
    async fn run(&mut self, oldest_ms: u64) -> Result<Option<u64>, Error> {
        let (from_ms, until_ms) = self.bounds();
        if from_ms >= until_ms {
            return Ok(None);
        }
        let walk_from_ms = from_ms.saturating_sub(SPAN_MS_MAX).max(oldest_ms);
        let mut walk = Walk::new(self, walk_from_ms, until_ms);
        let (mut bytes, mut entries) = (0, 0u64);
        while let Some((id, summary)) = walk.next(self.snapshot).await? {
            let nearest_ms = match self.query.direction {
                Direction::Forward => id.start_ms,
                Direction::Backward => id.start_ms.saturating_add(SPAN_MS_MAX),
            };
            if !self.page.wants_time(nearest_ms) {
                break;
            }
            let is_much = bytes > LOOKED_AT_BYTES_MAX || entries > LOOKED_AT_ENTRIES_MAX;
            if is_much && self.query.direction == Direction::Forward && id.start_ms > from_ms {
                return Ok(Some(id.start_ms));
            }
            entries += 1;
            let is_outside = summary.end_ms < from_ms
                || (self.query.direction == Direction::Backward && !self.page.wants_time(summary.end_ms));
            if is_outside || !self.seeks(id.stream).await? {
                continue;
            }
            bytes += u64::from(summary.bytes);
            self.read(id, summary, from_ms, until_ms).await?;
            if entries.is_multiple_of(16) {
                tokio::task::yield_now().await;
            }
        }
        Ok(None)
    }

    /// The times that are left when what lies before the start is left out.
    fn bounds(&self) -> (u64, u64) {
        let Query { from_ms, until_ms, start, direction, .. } = self.query;
        match (start, direction) {
            (Some(start), Direction::Forward) => (start.time_ms.max(*from_ms), *until_ms),
            (Some(start), Direction::Backward) => (*from_ms, start.time_ms.saturating_add(1).min(*until_ms)),
            (None, _) => (*from_ms, *until_ms),
        }
    }

    async fn read(&mut self, id: ChunkId, summary: Summary, from_ms: u64, until_ms: u64) -> Result<(), Error> {
        let (query, page) = (self.query, &self.page);
        let wanted = |position: &Position, message: &str| {
            let is_ahead = query.start.is_none_or(|start| match query.direction {
                Direction::Forward => *position > start,
                Direction::Backward => *position < start,
            });
            is_ahead
                && (from_ms..until_ms).contains(&position.time_ms)
                && page.wants(position)
                && query.pattern.matches(message)
        };
        let read = self.archive.chunk_events(self.snapshot, self.keys, query.group, (id, summary), wanted).await;
        match read {
            Ok(events) => events.into_iter().for_each(|event| self.page.offer(event)),
            // One damaged chunk must not hide all others. It is said, and what can be read is read.
            Err(Error::Chunk(error)) => tracing::error!(group = query.group.0, ?id, %error, "a log chunk is skipped"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn seeks(&mut self, stream: StreamId) -> Result<bool, Error> {
        let prefix = match &self.query.sought {
            Sought::Streams(_) => return Ok(true),
            Sought::Prefix(prefix) => prefix,
        };
        if let Some(known) = self.names.get(&stream) {
            return Ok(known.is_some());
        }
        let name = self.archive.stream_name(self.snapshot, self.keys, self.query.group, stream).await?;
        let sought = name.filter(|name| name.starts_with(prefix.as_str()));
        let is_sought = sought.is_some();
        self.names.insert(stream, sought);
        Ok(is_sought)
    }

    fn finish(mut self, stopped_at_ms: Option<u64>) -> Found {
        if let Some(time_ms) = stopped_at_ms {
            // Chunks that were not looked at may have events from then on.
            self.page.forget_from(time_ms);
        }
        let Page { events, is_cut } = self.page.finish();
        let next = match (stopped_at_ms, self.query.direction) {
            (Some(time_ms), _) => Some(Position::start_of(time_ms)),
            (None, Direction::Forward) => events.last().filter(|_| is_cut).map(|event| event.position),
            (None, Direction::Backward) => events.first().filter(|_| is_cut).map(|event| event.position),
        };
        let names = self.names.into_iter().filter_map(|(id, name)| Some((id, name?))).collect();
        Found { events, names, next }
    }
}

/// The entries of one or more ranges of the index, merged in order of the chunks' first timestamps.
struct Walk {
    keys: Keys,
    group: GroupId,
    lanes: Vec<Lane>,
    heads: BinaryHeap<(Reverse<ChunkId>, usize)>,
    tails: BinaryHeap<(ChunkId, usize)>,
    direction: Direction,
    is_started: bool,
}

struct Lane {
    rest: Option<Range>,
    ready: VecDeque<Entry>,
    index: Index,
    entries: usize,
}

/// Which of the two indexes.
#[derive(Clone, Copy)]
enum Index {
    Time,
    Stream(StreamId),
}

impl Index {
    fn prefix(self, keys: &Keys, group: GroupId) -> Key {
        match self {
            Self::Time => keys.by_time(group),
            Self::Stream(stream) => keys.by_stream(group, stream),
        }
    }

    fn read(self, keys: &Keys, group: GroupId, key: &Key) -> Result<ChunkId, store::Error> {
        match self {
            Self::Time => keys.read_by_time(group, key),
            Self::Stream(stream) => keys.read_by_stream(group, stream, key),
        }
    }
}

impl Walk {
    fn new(search: &Search<'_>, from_ms: u64, until_ms: u64) -> Self {
        let Query { group, direction, sought, .. } = search.query;
        let (group, direction) = (*group, *direction);
        let within =
            |index: Key| Range::prefix(&index).from(&index.clone().with(from_ms)).before(&index.with(until_ms));
        let keys = search.keys.clone();
        let lane = |index: Index, entries: usize| Lane {
            rest: Some(within(index.prefix(&keys, group))),
            ready: VecDeque::new(),
            index,
            entries,
        };
        let lanes = match sought {
            Sought::Prefix(_) => vec![lane(Index::Time, ENTRIES_OF_GROUP)],
            Sought::Streams(streams) => {
                streams.iter().map(|(stream, _)| lane(Index::Stream(*stream), ENTRIES_OF_STREAM)).collect()
            }
        };
        Self { keys, group, lanes, heads: BinaryHeap::new(), tails: BinaryHeap::new(), direction, is_started: false }
    }

    async fn next(&mut self, snapshot: &Snapshot) -> Result<Option<Entry>, Error> {
        if !self.is_started {
            self.is_started = true;
            for lane in 0..self.lanes.len() {
                self.line_up(lane, snapshot).await?;
            }
        }
        let lane = match self.direction {
            Direction::Forward => self.heads.pop().map(|(_, lane)| lane),
            Direction::Backward => self.tails.pop().map(|(_, lane)| lane),
        };
        let Some(lane) = lane else { return Ok(None) };
        let entry = self.lanes[lane].ready.pop_front();
        self.line_up(lane, snapshot).await?;
        Ok(entry)
    }

    /// Puts the lane's next entry among those that can come next.
    async fn line_up(&mut self, number: usize, snapshot: &Snapshot) -> Result<(), Error> {
        let lane = &mut self.lanes[number];
        while lane.ready.is_empty()
            && let Some(range) = lane.rest.take()
        {
            let scan = match self.direction {
                Direction::Forward => Scan::first(lane.entries),
                Direction::Backward => Scan::last(lane.entries),
            };
            let page = snapshot.scan(range, scan).await?;
            lane.rest = page.rest;
            for (key, value) in &page.items {
                let id = lane.index.read(&self.keys, self.group, key)?;
                lane.ready.push_back((id, Summary::decode(value)?));
            }
        }
        if let Some((id, _)) = lane.ready.front() {
            match self.direction {
                Direction::Forward => self.heads.push((Reverse(*id), number)),
                Direction::Backward => self.tails.push((*id, number)),
            }
        }
        Ok(())
    }
}
