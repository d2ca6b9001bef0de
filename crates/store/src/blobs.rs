//! Blobs: large, immutable byte strings, named by their content.
//!
//! A blob is written and synced before anything refers to it, and is visible whole or not at all. What refers to it says
//! so in the same transaction that stores the referring record ([`Blobs::retain`], [`Blobs::release`]); a sweep removes
//! blobs without references. A blob that was just put has none yet: it is pinned while its [`Stored`] is held, and young
//! ones are left alone. So: `put`, then `transact` with `retain`, then let go of `Stored`.
//!
//! Blobs know nothing of what they hold. One process owns a folder of blobs, as it does a store.

mod damage;
mod disk;
mod draft;
mod files;
mod gather;
mod id;
mod memory;
mod pins;
mod reading;
mod remote;
mod scrub;
mod seal;
mod sealed;
mod sweep;
mod wish;

use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{Context, SHA256};
use base::{ByteSize, Clock, Random};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};

pub use damage::Damage;
pub use id::BlobId;
pub use remote::Bucket;
pub use scrub::{Condition, Scrubbed};
pub use sweep::Swept;

use crate::{Error, Key, OpenError, Snapshot, Transaction};
use damage::Damages;
use draft::Draft;
use files::Files;
use memory::Memory;
use pins::{Pin, Pins};
use remote::Remote;
use scrub::Pace;
use sweep::Candidate;
use wish::Wish;

/// A folder of blobs, blobs in memory, or in somebody's bucket. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    pins: Arc<Pins>,
    damages: Damages,
    scrubbed: Mutex<Scrubbed>,
    clock: Clock,
}

enum Shelf {
    Files(Files),
    Memory(Memory),
    Remote(Remote),
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

/// While this is held no sweep removes a blob.
#[derive(Debug)]
pub struct Held {
    _pin: Pin,
}

/// A blob's bytes, piece by piece.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;

impl Blobs {
    /// The most that [`Blobs::read`] returns in one piece.
    pub const READ_MAX: ByteSize = ByteSize::mib(64);

    /// The longest blob. What is known of it while it is written, eight bytes for each 64 KiB, has to fit into memory.
    pub const LEN_MAX: ByteSize = ByteSize::gib(1 << 10);

    /// The room on the disk that blobs leave free, unless told otherwise: what the store needs to go on, and to record
    /// that something was deleted.
    pub const RESERVE: ByteSize = ByteSize::mib(256);

    /// Opens, or makes, a folder of blobs. What was being written when the last process ended is removed.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        Self::open_with_reserve(path, clock, Self::RESERVE)
    }

    /// The same, with another reserve.
    pub fn open_with_reserve(path: &Path, clock: Clock, reserve: ByteSize) -> Result<Self, OpenError> {
        Ok(Self::on(Shelf::Files(Files::open(path, reserve)?), clock))
    }

    /// Blobs that are gone when the process ends.
    pub fn memory(clock: Clock) -> Self {
        Self::on(Shelf::Memory(Memory::default()), clock)
    }

    /// Opens, or takes, a place in a bucket. What is on its way there lies in a folder, which has one owner, as the place
    /// has.
    pub async fn in_bucket(bucket: Bucket, spool: &Path, clock: Clock, random: &Random) -> Result<Self, OpenError> {
        Ok(Self::on(Shelf::Remote(Remote::open(bucket, spool, Self::RESERVE, random).await?), clock))
    }

    fn on(shelf: Shelf, clock: Clock) -> Self {
        let (pins, damages, scrubbed) = <(Arc<Pins>, Damages, Mutex<Scrubbed>)>::default();
        Self(Arc::new(Inner { shelf, pins, damages, scrubbed, clock }))
    }

    /// Keeps `bytes`. On disk when this returns; cut off before, nothing is kept.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<Stored, Error> {
        let bytes = bytes.into();
        let len_max = ByteSize(bytes.len() as u64);
        self.put_stream(futures_util::stream::iter([Ok(bytes)]), len_max).await
    }

    /// Keeps what the stream gives, if it is not longer than `len_max` ([`Error::BlobTooLong`]) and ends without an
    /// error ([`Error::BlobSource`]). Some 1 MiB of it and one piece are in memory at a time; 40 MiB on the
    /// way to a bucket. A disk without room
    /// ([`Error::DiskFull`]) has the room again that was taken by then.
    pub async fn put_stream<S>(&self, mut stream: S, len_max: ByteSize) -> Result<Stored, Error>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    {
        let now_ms = self.0.clock.now_ms();
        let len_max = len_max.min(Self::LEN_MAX);
        let mut upload = match &self.0.shelf {
            Shelf::Files(files) => Upload::File(files.begin()),
            Shelf::Remote(remote) => Upload::File(remote.begin()),
            Shelf::Memory(_) => Upload::Memory(Vec::new()),
        };
        let mut len = 0;
        while let Some(piece) = stream.try_next().await.map_err(|error| Error::BlobSource(Arc::new(error)))? {
            len += piece.len() as u64;
            if len > len_max.bytes() {
                return Err(Error::BlobTooLong { limit: len_max });
            }
            match &mut upload {
                Upload::File(draft) => draft.write(piece).await?,
                Upload::Memory(bytes) => bytes.extend_from_slice(&piece),
            }
        }
        let (id, pin) = match (&self.0.shelf, upload) {
            (Shelf::Files(files), Upload::File(draft)) => {
                let written = draft.finish().await?;
                // Pinned before it is in its place, so that no sweep can come between.
                let (id, pin) = (written.id, self.0.pins.pin(written.id).await);
                files.place(written, now_ms).await?;
                (id, pin)
            }
            (Shelf::Remote(remote), Upload::File(draft)) => {
                let written = draft.finish().await?;
                let (id, pin) = (written.id, self.0.pins.pin(written.id).await);
                remote.place(written).await?;
                (id, pin)
            }
            (Shelf::Memory(memory), Upload::Memory(bytes)) => {
                let id = BlobId::of(&bytes);
                let pin = self.0.pins.pin(id).await;
                memory.place(id, bytes.into(), now_ms);
                (id, pin)
            }
            (Shelf::Files(_) | Shelf::Remote(_), Upload::Memory(_)) | (Shelf::Memory(_), Upload::File(_)) => {
                unreachable!("an upload was begun on the shelf that it ends on")
            }
        };
        self.0.damages.forget(id);
        Ok(Stored { id, len, _pin: Arc::new(pin) })
    }

    /// The length of a blob.
    pub async fn len(&self, id: BlobId) -> Result<u64, Error> {
        match &self.0.shelf {
            Shelf::Files(files) => {
                let opened = files.open_at(id, Wish::new(&(0..0), 0), 0).await;
                Ok(self.0.noted(opened)?.sealed.len())
            }
            Shelf::Remote(remote) => Ok(self.0.noted(remote.open_blob(id).await)?.len()),
            Shelf::Memory(memory) => Ok(memory.get(id)?.len() as u64),
        }
    }

    /// A part of a blob (`..` for all of it), of at most [`Blobs::READ_MAX`]. What it returns is what was put:
    /// otherwise [`Error::BlobDamaged`].
    pub async fn read(&self, id: BlobId, range: impl RangeBounds<u64>) -> Result<Bytes, Error> {
        let wish = Wish::new(&range, Self::READ_MAX.bytes());
        match &self.0.shelf {
            Shelf::Files(files) => Ok(self.0.noted(files.open_at(id, wish, u64::MAX).await)?.bytes),
            Shelf::Remote(remote) => self.0.noted(remote.read(id, wish).await),
            Shelf::Memory(memory) => memory.read(id, wish),
        }
    }

    /// A part of a blob of any length, in pieces of at most 256 KiB; 2 MiB are in memory at a time, and 12 MiB from a
    /// bucket. Each piece is what
    /// was put: otherwise the stream ends with [`Error::BlobDamaged`].
    pub async fn stream(&self, id: BlobId, range: impl RangeBounds<u64>) -> Result<BlobStream, Error> {
        let wish = Wish::new(&range, u64::MAX);
        match &self.0.shelf {
            Shelf::Files(files) => {
                let opened = self.0.noted(files.open_at(id, wish, reading::PIECE).await)?;
                Ok(reading::stream(id, opened, Arc::clone(&self.0)))
            }
            Shelf::Remote(remote) => {
                let pieces = self.0.noted(remote.stream(id, wish).await)?;
                Ok(reading::noted(Arc::clone(&self.0), pieces))
            }
            Shelf::Memory(memory) => Ok(futures_util::stream::iter([Ok(memory.read(id, wish)?)]).boxed()),
        }
    }

    /// Whether a blob's bytes still are what its name says: reads all of it.
    pub async fn verify(&self, id: BlobId) -> Result<bool, Error> {
        self.verify_at(id, &mut Pace::new(self.0.clock.clone(), ByteSize(u64::MAX))).await
    }

    /// The same, no faster than it may.
    async fn verify_at(&self, id: BlobId, pace: &mut Pace) -> Result<bool, Error> {
        let digest = async {
            let mut context = Context::new(&SHA256);
            let mut pieces = self.stream(id, ..).await?;
            while let Some(piece) = pieces.try_next().await? {
                context.update(&piece);
                pace.read(piece.len() as u64).await;
            }
            Ok(BlobId::from_digest(&context.finish()))
        };
        match digest.await {
            Ok(found) if found == id => {
                self.0.damages.forget(id);
                Ok(true)
            }
            Ok(_) => {
                let why = "its bytes are not what its name says".into();
                self.0.damages.note(&Error::BlobDamaged { id, why }, self.0.clock.now_ms());
                Ok(false)
            }
            Err(Error::BlobDamaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The blobs whose names begin with this byte, in order.
    async fn list(&self, first: u8) -> Result<Vec<Candidate>, Error> {
        match &self.0.shelf {
            Shelf::Files(files) => files.list(first).await,
            Shelf::Remote(remote) => remote.list(first).await,
            Shelf::Memory(memory) => Ok(memory.list(first)),
        }
    }

    /// Says, in the transaction, that `owner` refers to the blob; fails if there is no such blob. Saying it twice is the
    /// same as once.
    pub async fn retain(&self, tx: &Transaction, id: BlobId, owner: &Key) -> Result<(), Error> {
        // Held until the transaction is over: no sweep falls between looking and committing.
        tx.hold(self.0.pins.pin(id).await);
        match &self.0.shelf {
            Shelf::Files(files) => files.check(id).await?,
            Shelf::Remote(remote) => remote.check(id).await?,
            Shelf::Memory(memory) => drop(memory.get(id)?),
        }
        tx.put(reference(id, owner), Bytes::new());
        Ok(())
    }

    /// Keeps a blob from being swept, for who is about to read it. It may be gone by now: who was told of it by an older
    /// snapshot looks afterwards whether it [is retained](Blobs::is_retained) still, or there.
    pub async fn hold(&self, id: BlobId) -> Held {
        Held { _pin: self.0.pins.pin(id).await }
    }

    /// Whether `owner` refers to the blob, as the snapshot has it.
    pub async fn is_retained(&self, snapshot: &Snapshot, id: BlobId, owner: &Key) -> Result<bool, Error> {
        Ok(snapshot.get(&reference(id, owner)).await?.is_some())
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

impl Inner {
    /// A result whose error is taken note of, if it tells of damage.
    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| self.damages.note(error, self.clock.now_ms()))
    }
}

/// Bytes on their way.
enum Upload {
    File(Draft),
    Memory(Vec<u8>),
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
