//! Blobs: large, immutable byte strings, named by their content.
//!
//! A blob is written and synced before anything refers to it, and is visible whole or not at all. What refers to it says
//! so in the same transaction that stores the referring record ([`Blobs::retain`], [`Blobs::release`]); a sweep removes
//! blobs without references. A blob that was just put has none yet: it is pinned while its [`Stored`] is held, and young
//! ones are left alone. So: `put`, then `transact` with `retain`, then let go of `Stored`.
//!
//! Blobs know nothing of what they hold. One process owns a folder of blobs, as it does a store.

mod files;
mod id;
mod memory;
mod pins;
mod sweep;

use std::fs::File;
use std::ops::{Bound, Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{ByteSize, Clock};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};

pub use id::BlobId;
pub use sweep::Swept;

use crate::{Error, Key, OpenError, Transaction};
use files::Files;
use memory::Memory;
use pins::{Pin, Pins};

/// A folder of blobs, or blobs in memory. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    pins: Arc<Pins>,
    clock: Clock,
}

enum Shelf {
    Files(Files),
    Memory(Memory),
}

/// A blob that was put. While this is held (clones included) no sweep removes the blob.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its name.
    pub id: BlobId,
    /// Its length in bytes.
    pub len: u64,
    _pin: Arc<Pin>,
}

/// A blob's bytes, piece by piece.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;

impl Blobs {
    /// The most that [`Blobs::read`] returns in one piece.
    pub const READ_MAX: ByteSize = ByteSize::mib(64);

    /// The length of a stream's pieces.
    const PIECE: u64 = 256 << 10;

    /// Opens, or makes, a folder of blobs. What was being written when the last process ended is removed.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        Ok(Self::on(Shelf::Files(Files::open(path)?), clock))
    }

    /// Blobs that are gone when the process ends.
    pub fn memory(clock: Clock) -> Self {
        Self::on(Shelf::Memory(Memory::default()), clock)
    }

    fn on(shelf: Shelf, clock: Clock) -> Self {
        Self(Arc::new(Inner { shelf, pins: Arc::default(), clock }))
    }

    /// Keeps `bytes`. On disk when this returns; cut off before, nothing is kept.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<Stored, Error> {
        let bytes = bytes.into();
        let len_max = ByteSize(bytes.len() as u64);
        self.put_stream(futures_util::stream::iter([Ok(bytes)]), len_max).await
    }

    /// Keeps what the stream gives, if it is not longer than `len_max` ([`Error::BlobTooLong`]) and ends without an
    /// error ([`Error::BlobSource`]). Some 256 KiB of it and one piece are in memory at a time.
    pub async fn put_stream<S>(&self, mut stream: S, len_max: ByteSize) -> Result<Stored, Error>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    {
        let now_ms = self.0.clock.now_ms();
        let mut upload = match &self.0.shelf {
            Shelf::Files(files) => Upload::File(files.begin().await?),
            Shelf::Memory(_) => Upload::Memory(Vec::new()),
        };
        let mut len = 0;
        while let Some(piece) = stream.try_next().await.map_err(|error| Error::BlobSource(Arc::new(error)))? {
            len += piece.len() as u64;
            if len > len_max.bytes() {
                return Err(Error::BlobTooLong { limit: len_max });
            }
            upload = upload.write(piece).await?;
        }
        match (&self.0.shelf, upload) {
            (Shelf::Files(files), Upload::File(upload)) => {
                let (id, upload) = upload.finish().await?;
                // Pinned before it is in its place, so that no sweep can come between.
                let pin = self.0.pins.pin(id).await;
                files.place(upload, id, now_ms).await?;
                Ok(Stored { id, len, _pin: Arc::new(pin) })
            }
            (Shelf::Memory(memory), Upload::Memory(bytes)) => {
                let id = BlobId::of(&bytes);
                let pin = self.0.pins.pin(id).await;
                memory.place(id, bytes.into(), now_ms);
                Ok(Stored { id, len, _pin: Arc::new(pin) })
            }
            (Shelf::Files(_), Upload::Memory(_)) | (Shelf::Memory(_), Upload::File(_)) => {
                unreachable!("an upload was begun on the shelf that it ends on")
            }
        }
    }

    /// The length of a blob.
    pub async fn len(&self, id: BlobId) -> Result<u64, Error> {
        match &self.0.shelf {
            Shelf::Files(files) => files.len(id).await,
            Shelf::Memory(memory) => Ok(memory.get(id)?.len() as u64),
        }
    }

    /// A part of a blob (`..` for all of it), of at most [`Blobs::READ_MAX`].
    pub async fn read(&self, id: BlobId, range: impl RangeBounds<u64>) -> Result<Bytes, Error> {
        let range = within(&range, self.len(id).await?)?;
        if range.end - range.start > Self::READ_MAX.bytes() {
            return Err(Error::BlobTooLong { limit: Self::READ_MAX });
        }
        match &self.0.shelf {
            Shelf::Files(files) => {
                let file = files.file(id).await?;
                Ok(files::read_at(file, range).await?.1)
            }
            Shelf::Memory(memory) => Ok(memory.get(id)?.slice(range.start as usize..range.end as usize)),
        }
    }

    /// A part of a blob of any length, in pieces of at most 256 KiB.
    pub async fn stream(&self, id: BlobId, range: impl RangeBounds<u64>) -> Result<BlobStream, Error> {
        let range = within(&range, self.len(id).await?)?;
        match &self.0.shelf {
            Shelf::Files(files) => {
                let begin = (files.file(id).await?, range);
                let pieces = futures_util::stream::try_unfold(begin, |(file, range)| async move {
                    if range.is_empty() {
                        return Ok(None);
                    }
                    let middle = range.end.min(range.start + Self::PIECE);
                    let (file, piece) = files::read_at(file, range.start..middle).await?;
                    Ok(Some((piece, (file, middle..range.end))))
                });
                Ok(pieces.boxed())
            }
            Shelf::Memory(memory) => {
                let bytes = memory.get(id)?.slice(range.start as usize..range.end as usize);
                Ok(futures_util::stream::iter([Ok(bytes)]).boxed())
            }
        }
    }

    /// A blob as an open file, for what wants to seek in it or to map it. It must not be written to.
    pub async fn file(&self, id: BlobId) -> Result<File, Error> {
        match &self.0.shelf {
            Shelf::Files(files) => files.file(id).await,
            Shelf::Memory(memory) => memory.file(id),
        }
    }

    /// Where a blob lies, if it is a file; whether there is one is not looked at. None in memory: use [`Blobs::file`].
    pub fn path(&self, id: BlobId) -> Option<PathBuf> {
        match &self.0.shelf {
            Shelf::Files(files) => Some(files.path(id)),
            Shelf::Memory(_) => None,
        }
    }

    /// Whether a blob's bytes still are what its name says: reads all of it.
    pub async fn verify(&self, id: BlobId) -> Result<bool, Error> {
        match &self.0.shelf {
            Shelf::Files(files) => Ok(files::digest(files.file(id).await?).await? == id),
            Shelf::Memory(memory) => Ok(BlobId::of(&memory.get(id)?) == id),
        }
    }

    /// Says, in the transaction, that `owner` refers to the blob; fails if there is no such blob. Saying it twice is the
    /// same as once.
    pub async fn retain(&self, tx: &Transaction, id: BlobId, owner: &Key) -> Result<(), Error> {
        // Held until the transaction is over: no sweep falls between looking and committing.
        tx.hold(self.0.pins.pin(id).await);
        self.len(id).await?;
        tx.put(reference(id, owner), Bytes::new());
        Ok(())
    }

    /// Says, in the transaction, that `owner` does not refer to the blob any more.
    pub fn release(&self, tx: &Transaction, id: BlobId, owner: &Key) {
        tx.delete(reference(id, owner));
    }
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

/// Bytes on their way.
enum Upload {
    File(files::Upload),
    Memory(Vec<u8>),
}

impl Upload {
    async fn write(self, piece: Bytes) -> Result<Self, Error> {
        match self {
            Self::File(upload) => upload.write(piece).await.map(Self::File),
            Self::Memory(mut bytes) => {
                bytes.extend_from_slice(&piece);
                Ok(Self::Memory(bytes))
            }
        }
    }
}

/// Every key that says that something refers to the blob lies under this one.
fn references(id: BlobId) -> Key {
    Key::new("_blob").with(id)
}

fn reference(id: BlobId, owner: &Key) -> Key {
    /// A longer owner would make the key too long; its digest does as well, only less readably.
    const READABLE_MAX: usize = 1_000;
    match owner.as_bytes() {
        short if short.len() <= READABLE_MAX => references(id).with(short),
        long => references(id).with(BlobId::of(long)),
    }
}

fn within(range: &impl RangeBounds<u64>, len: u64) -> Result<Range<u64>, Error> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => len,
    };
    if start > end || end > len { Err(Error::BlobRange { start, end, len }) } else { Ok(start..end) }
}
