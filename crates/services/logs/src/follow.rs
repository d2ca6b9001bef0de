//! Following a group: the events that are there from a time on, and then each new one as soon as it is on disk.
//!
//! What always holds: each event comes once, and none is left out, however late its timestamp says that it is; those that
//! become durable together come in order of time. Nothing polls: the store's feed wakes the follower. A follower who is
//! slow loses the feed, not events: it reads the index again and goes on from where it was. A group that is not there yet
//! is waited for; one that is deleted and made again is followed on.
//!
//! How nothing is lost or doubled: a stream's chunks have growing numbers, and only its last one is appended to. So for
//! each stream one number and one count say which events were seen.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use futures_util::Stream as AsyncStream;
use serde::Serialize;
use store::{Change, Key, Scan, Snapshot, Watch};

use crate::chunk::{ChunkId, Summary};
use crate::error::Error;
use crate::model::{Direction, Event, GroupId, Position, StreamId, ingested_ms};
use crate::pattern::Pattern;
use crate::store::{Archive, Keys, Query, Scope, Sought};

/// What to follow.
#[derive(Debug)]
pub struct FollowRequest {
    /// Whose, and where.
    pub scope: Scope,
    /// The group's name.
    pub group: String,
    /// Only streams whose name begins with this; with nothing, all.
    pub stream_prefix: String,
    /// Only messages that match.
    pub pattern: Pattern,
    /// First the events from this time on that are there already; none: new ones only.
    pub since_ms: Option<u64>,
}

/// An event that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its stream's name.
    pub stream: String,
    /// The event.
    pub event: Event,
}

/// A follower, see [`crate::Logs::follow`]. It ends when it is dropped.
pub struct Follow {
    archive: Archive,
    keys: Keys,
    request: FollowRequest,
    /// Tells when the group itself is made or deleted.
    group_changes: Watch,
    state: State,
}

enum State {
    Waiting,
    Following(Box<Following>),
}

struct Following {
    group: GroupId,
    changes: Watch,
    /// Where the events that were there at the start go on; none: all of them were given.
    past: Option<Option<Position>>,
    /// The last batch that was there at the start. All later ones come through the feed.
    floor: u64,
    seen: HashMap<StreamId, Seen>,
    /// Chunks that have something new, to be read in this order.
    pending: VecDeque<ChunkId>,
    /// The index is to be read again, since the feed was lost.
    is_lost: bool,
    names: HashMap<StreamId, String>,
}

/// How far a stream was seen.
#[derive(Clone, Copy)]
struct Seen {
    /// Its last chunk's number.
    chunk: u64,
    /// How many of that chunk's events.
    events: usize,
    /// The last of them has this batch number.
    batch: u64,
}

/// An answer of [`Follow::next`] ends with the chunk that fills it to this.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// How many chunks are noted at a time by one who reads the index again.
const PENDING_MAX: usize = 50_000;

/// How many streams a follower keeps track of, before it lets go of the half that was silent for longest.
const SEEN_MAX: usize = 50_000;

impl Follow {
    pub(crate) fn new(archive: Archive, request: FollowRequest) -> Self {
        let keys = Keys::of(&request.scope);
        let group_changes = archive.watch(keys.group(&request.group));
        Self { archive, keys, request, group_changes, state: State::Waiting }
    }

    /// The next events, at least one; waits for them. None when the store is closed. Who drops the future before it is
    /// done must drop the follower too: the events that it was reading are lost with it.
    pub async fn next(&mut self) -> Result<Option<Vec<Followed>>, Error> {
        loop {
            let following = match &mut self.state {
                State::Following(following) => following,
                State::Waiting => {
                    if self.find_group().await? {
                        continue;
                    }
                    match self.group_changes.next().await {
                        Change::Closed => return Ok(None),
                        Change::Commit { .. } | Change::Lagged => continue,
                    }
                }
            };
            let found = following.ready(&self.archive, &self.keys, &self.request).await?;
            if !found.is_empty() {
                return Ok(Some(found));
            }
            if following.is_busy() {
                continue;
            }
            if following.is_lost {
                following.look_again(&self.archive, &self.keys).await?;
                continue;
            }
            tokio::select! {
                change = following.changes.next() => match change {
                    Change::Closed => return Ok(None),
                    Change::Lagged => following.is_lost = true,
                    Change::Commit { keys, .. } => following.note(&self.keys, &keys)?,
                },
                change = self.group_changes.next() => match change {
                    Change::Closed => return Ok(None),
                    Change::Commit { .. } | Change::Lagged => self.check_group().await?,
                },
            }
        }
    }

    /// The same as a body: one JSON object in a line for each event, with AWS's names.
    pub fn lines(self) -> impl AsyncStream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::unfold(Some(self), |follow| async {
            let mut follow = follow?;
            match follow.next().await {
                Ok(Some(events)) => Some((Ok(lines(&events)), Some(follow))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn find_group(&mut self) -> Result<bool, Error> {
        let snapshot = self.archive.snapshot();
        let group = match self.archive.group(&snapshot, &self.request.scope, &self.request.group).await {
            Ok(group) => group.id,
            Err(Error::GroupMissing) => {
                // Whatever is in it when it comes is new.
                self.request.since_ms = Some(0);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.start(group, self.request.since_ms).await?;
        Ok(true)
    }

    async fn check_group(&mut self) -> Result<(), Error> {
        let State::Following(following) = &self.state else { return Ok(()) };
        let snapshot = self.archive.snapshot();
        match self.archive.group(&snapshot, &self.request.scope, &self.request.group).await {
            Ok(group) if group.id == following.group => Ok(()),
            // Made again: all of it is new.
            Ok(group) => self.start(group.id, Some(0)).await,
            Err(Error::GroupMissing) => {
                self.state = State::Waiting;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn start(&mut self, group: GroupId, since_ms: Option<u64>) -> Result<(), Error> {
        // The watch comes first, the floor after it: what is above the floor comes through the watch.
        let changes = self.archive.watch(self.keys.by_time(group));
        let floor = self.archive.last_batch(&self.archive.snapshot(), &self.keys, group).await?;
        self.request.since_ms = since_ms;
        self.state = State::Following(Box::new(Following {
            group,
            changes,
            past: since_ms.map(|_| None),
            floor,
            seen: HashMap::new(),
            pending: VecDeque::new(),
            is_lost: false,
            names: HashMap::new(),
        }));
        Ok(())
    }
}

impl Following {
    fn is_busy(&self) -> bool {
        self.past.is_some() || !self.pending.is_empty()
    }

    /// Events that can be had without waiting.
    async fn ready(&mut self, archive: &Archive, keys: &Keys, request: &FollowRequest) -> Result<Vec<Followed>, Error> {
        if let Some(start) = self.past.take() {
            return self.past(archive, request, start).await;
        }
        let snapshot = archive.snapshot();
        let mut found = Vec::new();
        let mut bytes = 0;
        while bytes < ANSWER_BYTES_MAX
            && let Some(id) = self.pending.pop_front()
        {
            let events = self.read(archive, &snapshot, keys, request, id).await?;
            if events.is_empty() {
                continue;
            }
            let Some(stream) = self.name(archive, &snapshot, keys, id.stream).await? else { continue };
            if !stream.starts_with(&request.stream_prefix) {
                continue;
            }
            bytes += events.iter().map(Event::bytes).sum::<u64>();
            found.extend(events.into_iter().map(|event| Followed { stream: stream.clone(), event }));
        }
        found.sort_by_key(|followed| followed.event.position);
        self.forget_the_silent();
        Ok(found)
    }

    /// A page of what was there at the start.
    async fn past(
        &mut self,
        archive: &Archive,
        request: &FollowRequest,
        start: Option<Position>,
    ) -> Result<Vec<Followed>, Error> {
        let snapshot = archive.snapshot();
        // What is expired is out of sight, though it may be on disk still.
        let expired_ms = match archive.group(&snapshot, &request.scope, &request.group).await {
            Ok(group) => group.expired_before_ms(archive.now_ms()),
            Err(Error::GroupMissing) => 0,
            Err(error) => return Err(error),
        };
        let query = Query {
            group: self.group,
            sought: Sought::Prefix(request.stream_prefix.clone()),
            from_ms: request.since_ms.unwrap_or_default().max(expired_ms),
            until_ms: u64::MAX,
            start,
            direction: Direction::Forward,
            limit: 1_000,
            pattern: &request.pattern,
        };
        let page = archive.events(&snapshot, &request.scope, &query).await?;
        self.past = page.next.map(Some);
        let found = page.events.into_iter().filter(|event| event.position.batch <= self.floor);
        let named = found.filter_map(|event| {
            let stream = page.names.get(&event.position.stream)?.clone();
            Some(Followed { stream, event })
        });
        Ok(named.collect())
    }

    /// The new events of a chunk that match.
    async fn read(
        &mut self,
        archive: &Archive,
        snapshot: &Snapshot,
        keys: &Keys,
        request: &FollowRequest,
        id: ChunkId,
    ) -> Result<Vec<Event>, Error> {
        let done = match self.seen.get(&id.stream) {
            Some(seen) if id.batch < seen.chunk => return Ok(Vec::new()),
            Some(seen) if id.batch == seen.chunk => seen.events,
            Some(_) | None => 0,
        };
        let Some(summary) = archive.entry(snapshot, keys, self.group, id).await? else { return Ok(Vec::new()) };
        if summary.last_batch <= self.floor {
            return Ok(Vec::new());
        }
        let (mut count, floor) = (0, self.floor);
        let is_new = |position: &Position, message: &str| {
            count += 1;
            count > done && position.batch > floor && request.pattern.matches(message)
        };
        let read = archive.chunk_events(snapshot, keys, self.group, (id, summary), is_new).await;
        let (events, count) = match read {
            // As for other readers: one damaged chunk must not hide all others.
            Err(Error::Chunk(error)) => {
                tracing::error!(group = self.group.0, ?id, %error, "a log chunk is skipped");
                (Vec::new(), summary.events as usize)
            }
            events => (events?, count),
        };
        self.seen.insert(id.stream, Seen { chunk: id.batch, events: count, batch: summary.last_batch });
        Ok(events)
    }

    async fn name(
        &mut self,
        archive: &Archive,
        snapshot: &Snapshot,
        keys: &Keys,
        stream: StreamId,
    ) -> Result<Option<String>, Error> {
        if let Some(name) = self.names.get(&stream) {
            return Ok(Some(name.clone()));
        }
        let name = archive.stream_name(snapshot, keys, self.group, stream).await?;
        if let Some(name) = &name {
            self.names.insert(stream, name.clone());
        }
        Ok(name)
    }

    /// Notes the chunks that a commit changed.
    fn note(&mut self, keys: &Keys, changed: &[Key]) -> Result<(), Error> {
        let mut chunks: Vec<ChunkId> =
            changed.iter().map(|key| keys.read_by_time(self.group, key)).collect::<Result<_, _>>()?;
        chunks.sort_by_key(|id| (id.batch, id.stream));
        self.pending.extend(chunks);
        Ok(())
    }

    /// The feed was lost: notes every chunk of the index that has something new, oldest number first.
    async fn look_again(&mut self, archive: &Archive, keys: &Keys) -> Result<(), Error> {
        let snapshot = archive.snapshot();
        let mut chunks = BTreeSet::new();
        self.is_lost = false;
        let mut rest = Some(archive.index_range(&snapshot, keys, self.group).await?);
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(1_000)).await?;
            rest = page.rest;
            for (key, value) in &page.items {
                let (id, summary) = (keys.read_by_time(self.group, key)?, Summary::decode(value)?);
                let is_seen = match self.seen.get(&id.stream) {
                    Some(seen) => (id.batch, summary.events as usize) <= (seen.chunk, seen.events),
                    None => summary.last_batch <= self.floor,
                };
                if !is_seen {
                    chunks.insert((id.batch, id.stream, id.start_ms));
                }
                if chunks.len() > PENDING_MAX {
                    // The rest is found when these are done.
                    chunks.pop_last();
                    self.is_lost = true;
                }
            }
            tokio::task::yield_now().await;
        }
        let ids = chunks.into_iter().map(|(batch, stream, start_ms)| ChunkId { start_ms, batch, stream });
        self.pending = ids.collect();
        Ok(())
    }

    /// Bounds what is remembered. A batch number grows from commit to commit, so what was seen of a stream can be replaced
    /// by the floor, once the floor is as high.
    fn forget_the_silent(&mut self) {
        if self.seen.len() <= SEEN_MAX || self.is_busy() {
            return;
        }
        let mut batches: Vec<u64> = self.seen.values().map(|seen| seen.batch).collect();
        batches.sort_unstable();
        let limit = batches[batches.len() / 2];
        self.seen.retain(|_, seen| seen.batch > limit);
        self.names.retain(|stream, _| self.seen.contains_key(stream));
        self.floor = self.floor.max(limit);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    log_stream_name: &'a str,
    timestamp: u64,
    message: &'a str,
    ingestion_time: u64,
    event_id: String,
}

fn lines(events: &[Followed]) -> Bytes {
    let mut out = Vec::new();
    for Followed { stream, event } in events {
        let row = Row {
            log_stream_name: stream,
            timestamp: event.position.time_ms,
            message: &event.message,
            ingestion_time: ingested_ms(event.position.batch),
            event_id: event.position.to_string(),
        };
        serde_json::to_writer(&mut out, &row).expect("text and numbers become JSON, and memory takes them");
        out.push(b'\n');
    }
    out.into()
}
