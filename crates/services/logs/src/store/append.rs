//! Taking events in: many batches of many streams in one transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use store::Transaction;

use super::groups::{NewGroup, make_group};
use super::records::{GroupRecord, SpanRecord, StreamRecord, Swept, Tally};
use super::streams::make_stream;
use super::{Archive, Keys, Scope};
use crate::chunk::{Chunk, ChunkId, OPEN_BYTES_MAX, Summary};
use crate::error::Error;
use crate::lines::Lines;
use crate::model::{GroupClass, GroupId, Position, StreamId};

/// What to do where the group or the stream is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Refuse.
    Refuse,
    /// Make them.
    Make,
}

/// A batch of one stream.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose.
    pub scope: Scope,
    /// The group's name.
    pub group: String,
    /// The stream's name.
    pub stream: String,
    /// What to do where they are not there.
    pub missing: Missing,
    /// The events, in order of time.
    pub lines: Lines,
}

impl Append {
    /// What it counts for in limits and queues.
    pub fn bytes(&self) -> usize {
        self.lines.bytes()
    }
}

impl Archive {
    /// Takes batches in, in one transaction: durable when this returns. Each has its own answer: the position of its
    /// last event, or why it was refused.
    pub async fn append(&self, batches: &[Append]) -> Result<Vec<Result<Position, Error>>, Error> {
        self.store
            .transact(|tx| async move {
                let mut desk = Desk { archive: self, tx, groups: HashMap::new(), streams: HashMap::new() };
                let mut answers = Vec::with_capacity(batches.len());
                for batch in batches {
                    answers.push(match desk.take(batch).await {
                        Err(error @ (Error::GroupMissing | Error::StreamMissing)) => Err(error),
                        other => Ok(other?),
                    });
                }
                desk.finish();
                Ok(answers)
            })
            .await
    }
}

/// One transaction's work.
struct Desk<'a> {
    archive: &'a Archive,
    tx: Transaction,
    groups: HashMap<(Scope, String), OpenGroup>,
    streams: HashMap<(Scope, GroupId, String), OpenStream>,
}

struct OpenGroup {
    id: GroupId,
    tally: Tally,
    swept: Swept,
    swept_is_changed: bool,
}

struct OpenStream {
    record: StreamRecord,
    chunk: Option<Chunk>,
}

impl Desk<'_> {
    async fn take(&mut self, batch: &Append) -> Result<Position, Error> {
        let keys = Keys::of(&batch.scope);
        let place = (batch.scope.clone(), batch.group.clone());
        let group = match self.groups.entry(place) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(free) => free.insert(OpenGroup::find(self.archive, &self.tx, &keys, batch).await?),
        };
        let place = (batch.scope.clone(), group.id, batch.stream.clone());
        let stream = match self.streams.entry(place) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(free) => free.insert(OpenStream::find(self.archive, &self.tx, &keys, group, batch).await?),
        };
        let mut last = Position::start_of(self.archive.now_ms());
        // One number for each stretch of a batch that goes into one chunk: so a number never spans two chunks, and an
        // event's place among those of its number is its place in the chunk.
        let mut stretch = None;
        for (time_ms, message) in batch.lines.iter() {
            let time_ms = time_ms.min(Position::TIME_MS_MAX);
            let has_room = stream.chunk.as_ref().is_some_and(|chunk| chunk.has_room(time_ms, message));
            if !has_room {
                stream.seal(&self.tx, &keys, group);
                stretch = None;
            }
            let (number, index) = match stretch {
                Some((number, index)) => (number, index + 1),
                None => (self.archive.next_batch(stream.last_batch()), 1),
            };
            stretch = Some((number, index));
            stream.push(time_ms, number, message);
            last = Position { time_ms, batch: number, stream: StreamId(stream.record.id), index };
        }
        Ok(last)
    }

    fn finish(self) {
        let mut groups: HashMap<(Scope, GroupId), OpenGroup> =
            self.groups.into_iter().map(|((scope, _), group)| ((scope, group.id), group)).collect();
        for ((scope, id, name), mut stream) in self.streams {
            let keys = Keys::of(&scope);
            if let Some(group) = groups.get_mut(&(scope, id)) {
                stream.seal(&self.tx, &keys, group);
            }
            self.tx.put_record(keys.stream(id, &name), &stream.record);
        }
        for ((scope, id), group) in groups {
            let keys = Keys::of(&scope);
            self.tx.put_record(keys.tally(id), &group.tally);
            if group.swept_is_changed {
                self.tx.put_record(keys.swept(id), &group.swept);
            }
        }
    }
}

impl OpenGroup {
    async fn find(archive: &Archive, tx: &Transaction, keys: &Keys, batch: &Append) -> Result<Self, Error> {
        let record: Option<GroupRecord> = tx.get_record(&keys.group(&batch.group)).await?;
        let id = match (record, batch.missing) {
            (Some(record), _) => record.named(&batch.group).id,
            (None, Missing::Refuse) => return Err(Error::GroupMissing),
            (None, Missing::Make) => {
                let name = batch.group.clone();
                let new = NewGroup { name, class: GroupClass::Standard, is_protected: false, tags: Default::default() };
                make_group(tx, keys, &batch.scope, &new, archive.now_ms()).await?.id
            }
        };
        let tally = tx.get_record(&keys.tally(id)).await?.unwrap_or_default();
        let swept = tx.get_record(&keys.swept(id)).await?.unwrap_or_default();
        Ok(Self { id, tally, swept, swept_is_changed: false })
    }
}

impl OpenStream {
    async fn find(
        archive: &Archive,
        tx: &Transaction,
        keys: &Keys,
        group: &mut OpenGroup,
        batch: &Append,
    ) -> Result<Self, Error> {
        let record: Option<StreamRecord> = tx.get_record(&keys.stream(group.id, &batch.stream)).await?;
        let record = match (record, batch.missing) {
            (Some(record), _) => record,
            (None, Missing::Refuse) => return Err(Error::StreamMissing),
            (None, Missing::Make) => make_stream(tx, keys, group.id, &mut group.tally, &batch.stream, archive.now_ms()),
        };
        let chunk = reopen(tx, keys, group.id, &record).await?;
        if let Some(chunk) = &chunk {
            // It is counted again when it is sealed.
            group.tally.stored_bytes -= chunk.stored_bytes().min(group.tally.stored_bytes);
        }
        Ok(Self { record, chunk })
    }

    fn last_batch(&self) -> u64 {
        self.record.span.as_ref().map_or(0, |span| span.last_batch)
    }

    fn push(&mut self, time_ms: u64, batch: u64, message: &str) {
        let id = ChunkId { start_ms: time_ms, batch, stream: StreamId(self.record.id) };
        let chunk = self.chunk.get_or_insert_with(|| Chunk::new(id));
        chunk.push(time_ms, batch, message);
        let id = chunk.id();
        let (first_ms, last_ms) = match &self.record.span {
            Some(span) => (span.first_ms.min(time_ms), span.last_ms.max(time_ms)),
            None => (time_ms, time_ms),
        };
        let (chunk_start_ms, chunk_batch) = (id.start_ms, id.batch);
        self.record.span = Some(SpanRecord { first_ms, last_ms, last_batch: batch, chunk_start_ms, chunk_batch });
    }

    /// Writes the chunk, if there is one, and lets go of it.
    fn seal(&mut self, tx: &Transaction, keys: &Keys, group: &mut OpenGroup) {
        let Some(chunk) = self.chunk.take() else { return };
        let id = chunk.id();
        let (parts, summary) = chunk.pack();
        for (number, part) in (0..).zip(parts) {
            tx.put(keys.part(group.id, id, number), part);
        }
        tx.put(keys.entry_by_time(group.id, id), summary.encode());
        tx.put(keys.entry_by_stream(group.id, id), summary.encode());
        group.tally.stored_bytes += summary.stored_bytes;
        group.tally.last_batch = group.tally.last_batch.max(summary.last_batch);
        if id.start_ms < group.swept.oldest_ms {
            group.swept.oldest_ms = id.start_ms;
            group.swept_is_changed = true;
        }
    }
}

/// The stream's last chunk, if it is still there and small. One that cannot be read is left as it is: what comes begins another, and
/// batches of other streams, which share the transaction, are none the worse.
async fn reopen(tx: &Transaction, keys: &Keys, group: GroupId, stream: &StreamRecord) -> Result<Option<Chunk>, Error> {
    let Some(span) = &stream.span else { return Ok(None) };
    let id = ChunkId { start_ms: span.chunk_start_ms, batch: span.chunk_batch, stream: StreamId(stream.id) };
    match open_chunk(tx, keys, group, id).await {
        Err(Error::Chunk(error)) => {
            tracing::error!(group = group.0, ?id, %error, "a log chunk cannot be gone on with");
            Ok(None)
        }
        other => other,
    }
}

async fn open_chunk(tx: &Transaction, keys: &Keys, group: GroupId, id: ChunkId) -> Result<Option<Chunk>, Error> {
    let Some(entry) = tx.get(&keys.entry_by_time(group, id)).await? else { return Ok(None) };
    let summary = Summary::decode(&entry)?;
    if summary.bytes as usize > OPEN_BYTES_MAX || summary.parts != 1 {
        return Ok(None);
    }
    let Some(part) = tx.get(&keys.part(group, id, 0)).await? else { return Ok(None) };
    Ok(Some(Chunk::reopen(id, &summary, &[part])?))
}
