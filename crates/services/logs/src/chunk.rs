//! Chunks: many events of one stream in one value, as it lies on disk. Pure: events in, bytes out, and back.
//!
//! What always holds: a chunk's events come from one stream and within [`SPAN_MS_MAX`] of its first timestamp, which is in
//! its key; so a reader who wants a time need look back no farther than that. A chunk is appended to only while it is
//! small ([`OPEN_BYTES_MAX`]), so appending never rewrites much.
//!
//! The bytes: a version, how it is packed, the unpacked length, and for each event the time since the chunk's start, the
//! step of the batch number, the length and the message. All numbers are in groups of seven bits.

use bytes::Bytes;

use crate::model::{EVENT_OVERHEAD_BYTES, Event, Position, StreamId};

/// How far the events of a chunk may lie apart. Every read looks back in the index by as much, which is what a tail of a
/// busy stream costs; but what comes more slowly than this makes a chunk of each event. Ten seconds hold a usual
/// invocation, and are some thousand index entries of one that prints without end.
pub const SPAN_MS_MAX: u64 = 10_000;

/// A chunk takes no further event beyond this, unpacked. One large event makes a chunk by itself.
pub const BYTES_MAX: usize = 60 << 10;

/// A chunk that is longer than this, unpacked, is not appended to any more.
pub const OPEN_BYTES_MAX: usize = 4 << 10;

/// The longest event that the service takes, with room for its numbers; nothing unpacks to more.
const UNPACKED_BYTES_MAX: usize = (1 << 20) + (64 << 10);

/// A value holds this much of a packed chunk; the rest is in further values.
const PART_BYTES_MAX: usize = 60 << 10;

/// Below this, packing saves nothing.
const PACK_BYTES_MIN: usize = 192;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// What a chunk's key says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkId {
    /// The earliest timestamp.
    pub start_ms: u64,
    /// Its first batch's number.
    pub batch: u64,
    /// Its stream.
    pub stream: StreamId,
}

/// What an index says of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The latest timestamp.
    pub end_ms: u64,
    /// Its last batch's number.
    pub last_batch: u64,
    /// How many events it has.
    pub events: u32,
    /// What they count for in `storedBytes`.
    pub stored_bytes: u64,
    /// Its length, unpacked.
    pub bytes: u32,
    /// Over how many values it is spread.
    pub parts: u16,
}

/// Stored bytes that are no chunk, or no index entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Written by a later version of the program.
    #[error("a chunk of version {0} was written by a newer program; this one knows version {VERSION}")]
    Newer(u8),
    /// Not what was written.
    #[error("a chunk is damaged: {0}")]
    Damaged(&'static str),
}

/// A chunk in the making.
#[derive(Clone, Debug)]
pub struct Chunk {
    id: ChunkId,
    end_ms: u64,
    last_batch: u64,
    events: u32,
    stored_bytes: u64,
    body: Vec<u8>,
}

impl Chunk {
    /// An empty chunk, which begins with its first event.
    pub fn new(id: ChunkId) -> Self {
        Self { id, end_ms: id.start_ms, last_batch: id.batch, events: 0, stored_bytes: 0, body: Vec::new() }
    }

    /// Goes on with a chunk that was stored.
    pub fn reopen(id: ChunkId, summary: &Summary, stored: &[Bytes]) -> Result<Self, ChunkError> {
        let body = unpack(stored)?;
        let Summary { end_ms, last_batch, events, stored_bytes, .. } = *summary;
        Ok(Self { id, end_ms, last_batch, events, stored_bytes, body })
    }

    /// Its key.
    pub fn id(&self) -> ChunkId {
        self.id
    }

    /// What its events count for in `storedBytes`.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Whether an event would fit.
    pub fn has_room(&self, time_ms: u64, message: &str) -> bool {
        self.events == 0
            || (time_ms >= self.id.start_ms
                && time_ms - self.id.start_ms <= SPAN_MS_MAX
                && self.body.len() + message.len() + 16 <= BYTES_MAX)
    }

    /// Adds an event. `batch` is not below the one before.
    pub fn push(&mut self, time_ms: u64, batch: u64, message: &str) {
        put_number(&mut self.body, time_ms - self.id.start_ms);
        put_number(&mut self.body, batch - self.last_batch);
        put_number(&mut self.body, message.len() as u64);
        self.body.extend_from_slice(message.as_bytes());
        self.end_ms = self.end_ms.max(time_ms);
        self.last_batch = batch;
        self.events += 1;
        self.stored_bytes += message.len() as u64 + EVENT_OVERHEAD_BYTES;
    }

    /// The values to store, and the index entry.
    pub fn pack(&self) -> (Vec<Bytes>, Summary) {
        let mut packed = vec![VERSION, PLAIN];
        put_number(&mut packed, self.body.len() as u64);
        let plain_bytes = packed.len() + self.body.len();
        if self.body.len() >= PACK_BYTES_MIN {
            packed[1] = LZ4;
            packed.extend_from_slice(&lz4_flex::block::compress(&self.body));
        }
        if self.body.len() < PACK_BYTES_MIN || packed.len() >= plain_bytes {
            packed[1] = PLAIN;
            packed.truncate(plain_bytes - self.body.len());
            packed.extend_from_slice(&self.body);
        }
        let packed = Bytes::from(packed);
        let parts: Vec<Bytes> = (0..packed.len())
            .step_by(PART_BYTES_MAX)
            .map(|start| packed.slice(start..packed.len().min(start + PART_BYTES_MAX)))
            .collect();
        let summary = Summary {
            end_ms: self.end_ms,
            last_batch: self.last_batch,
            events: self.events,
            stored_bytes: self.stored_bytes,
            bytes: self.body.len() as u32,
            parts: parts.len() as u16,
        };
        (parts, summary)
    }
}

/// The events of a stored chunk that `wanted` says yes to, by position; their messages are only made when it did.
pub fn events(
    id: ChunkId,
    stored: &[Bytes],
    mut wanted: impl FnMut(&Position, &str) -> bool,
) -> Result<Vec<Event>, ChunkError> {
    let body = unpack(stored)?;
    let mut rest = &body[..];
    let mut found = Vec::new();
    let (mut batch, mut index) = (id.batch, 0);
    while !rest.is_empty() {
        let time_ms = id.start_ms.checked_add(take_number(&mut rest)?).ok_or(ChunkError::Damaged("a time"))?;
        let step = take_number(&mut rest)?;
        if step > 0 {
            batch = batch.checked_add(step).ok_or(ChunkError::Damaged("a batch number"))?;
            index = 0;
        }
        index += 1;
        let length = usize::try_from(take_number(&mut rest)?).map_err(|_| ChunkError::Damaged("a length"))?;
        let (message, after) = rest.split_at_checked(length).ok_or(ChunkError::Damaged("its end is missing"))?;
        rest = after;
        let message = std::str::from_utf8(message).map_err(|_| ChunkError::Damaged("a message is not text"))?;
        let position = Position { time_ms, batch, stream: id.stream, index };
        if wanted(&position, message) {
            found.push(Event { position, message: message.to_owned() });
        }
    }
    Ok(found)
}

impl Summary {
    /// The index entry's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        for number in
            [self.end_ms, self.last_batch, self.events.into(), self.stored_bytes, self.bytes.into(), self.parts.into()]
        {
            put_number(&mut out, number);
        }
        out.into()
    }

    /// Reads an index entry.
    pub fn decode(stored: &[u8]) -> Result<Self, ChunkError> {
        let mut rest = after_version(stored)?;
        let mut next = || take_number(&mut rest);
        let (end_ms, last_batch, events, stored_bytes, bytes, parts) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let wrong = ChunkError::Damaged("a number of its index entry");
        Ok(Self {
            end_ms,
            last_batch,
            events: events.try_into().map_err(|_| wrong)?,
            stored_bytes,
            bytes: bytes.try_into().map_err(|_| wrong)?,
            parts: parts.try_into().map_err(|_| wrong)?,
        })
    }
}

fn unpack(stored: &[Bytes]) -> Result<Vec<u8>, ChunkError> {
    let joined;
    let packed = match stored {
        [one] => &one[..],
        many => {
            joined = many.concat();
            &joined[..]
        }
    };
    let rest = after_version(packed)?;
    let (packing, mut rest) = rest.split_first().ok_or(ChunkError::Damaged("it has no head"))?;
    let length = usize::try_from(take_number(&mut rest)?).unwrap_or(usize::MAX);
    if length > UNPACKED_BYTES_MAX {
        return Err(ChunkError::Damaged("it is too long"));
    }
    let body = match *packing {
        PLAIN => rest.to_vec(),
        LZ4 => lz4_flex::block::decompress(rest, length).map_err(|_| ChunkError::Damaged("it cannot be unpacked"))?,
        _ => return Err(ChunkError::Damaged("its packing is unknown")),
    };
    if body.len() == length { Ok(body) } else { Err(ChunkError::Damaged("its length is another")) }
}

fn after_version(stored: &[u8]) -> Result<&[u8], ChunkError> {
    match stored.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&version, _)) => Err(ChunkError::Newer(version)),
        None => Err(ChunkError::Damaged("it is empty")),
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(rest: &mut &[u8]) -> Result<u64, ChunkError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(ChunkError::Damaged("its end is missing"))?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ChunkError::Damaged("a number is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: ChunkId = ChunkId { start_ms: 1_700_000_000_000, batch: 50, stream: StreamId(3) };

    #[test]
    fn a_large_event_spreads_over_values() {
        let mut noise = 1u32;
        let message: String = (0..900_000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b' ' + (noise >> 24) as u8 % 95)
            })
            .collect();
        let mut chunk = Chunk::new(ID);
        assert!(chunk.has_room(ID.start_ms, &message));
        chunk.push(ID.start_ms, 50, &message);
        assert!(!chunk.has_room(ID.start_ms, "x"));
        let (parts, summary) = chunk.pack();
        assert!(parts.len() > 10 && parts.iter().all(|part| part.len() <= store::Transaction::VALUE_BYTES_MAX));
        assert_eq!(usize::from(summary.parts), parts.len());
        assert_eq!(events(ID, &parts, |_, _| true).unwrap()[0].message, message);
    }

    #[test]
    fn text_packs_well() {
        let mut chunk = Chunk::new(ID);
        let mut batch = ID.batch;
        while chunk.has_room(ID.start_ms, &"x".repeat(120)) {
            batch += 1;
            chunk.push(
                ID.start_ms,
                batch,
                &format!("INFO request {batch} of user {} took {} ms", batch * 7, batch % 90),
            );
        }
        let (parts, summary) = chunk.pack();
        assert_eq!(parts.len(), 1);
        assert!(parts[0].len() * 3 < summary.bytes as usize, "{} of {}", parts[0].len(), summary.bytes);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(lines in prop::collection::vec((0u64..=SPAN_MS_MAX, 0u64..3, "\\PC{0,80}"), 1..60), cut in 0usize..60) {
            let (mut chunk, mut batch) = (Chunk::new(ID), ID.batch);
            let mut expected: Vec<Event> = Vec::new();
            for (at, (offset, step, message)) in lines.iter().enumerate() {
                if at == cut {
                    let (parts, summary) = chunk.pack();
                    prop_assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
                    chunk = Chunk::reopen(ID, &summary, &parts).unwrap();
                }
                batch += step;
                let time_ms = ID.start_ms + offset;
                let index = match expected.last() {
                    Some(last) if last.position.batch == batch => last.position.index + 1,
                    _ => 1,
                };
                chunk.push(time_ms, batch, message);
                let position = Position { time_ms, batch, stream: ID.stream, index };
                expected.push(Event { position, message: message.clone() });
            }
            let (parts, summary) = chunk.pack();
            prop_assert_eq!(summary.events as usize, lines.len());
            prop_assert_eq!(summary.stored_bytes, expected.iter().map(Event::bytes).sum::<u64>());
            prop_assert_eq!(summary.last_batch, batch);
            prop_assert_eq!(events(ID, &parts, |_, _| true).unwrap(), expected);
        }

        #[test]
        fn damaged_chunks_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), packing in 0u8..3) {
            crate::fuzz::chunk(&bytes);
            bytes.splice(0..0, [VERSION, packing]);
            crate::fuzz::chunk(&bytes);
        }
    }
}
