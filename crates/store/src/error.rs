//! What the store refuses, and what can go wrong in it. Every refusal carries the value and the limit; none of these is
//! a fault that a caller from outside may see: the service above turns it into one of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;

/// Why a read, a transaction or a lease did not succeed. Unless the variant says otherwise, nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Others won every time. Retry later, or make the transaction touch less.
    #[error("gave up after {tries} tries: other transactions changed the same keys each time")]
    Contended {
        /// How often it was run.
        tries: u32,
    },
    /// The writer's queue stayed full. Retry later.
    #[error("the store is busy: {queued} transactions wait for the disk, and none was taken for {waited:?}")]
    Busy {
        /// How many wait: the queue's bound.
        queued: usize,
        /// How long this one waited for a place.
        waited: Duration,
    },
    /// A key is longer than any driver takes.
    #[error("a key of {bytes} bytes is longer than {limit}; hash its tail with Key::with_digest")]
    KeyTooLong {
        /// The encoded length.
        bytes: usize,
        /// [`crate::Key::BYTES_MAX`].
        limit: usize,
    },
    /// A value is too long for the store.
    #[error("a value of {bytes} bytes is longer than {limit}; put it into a blob and store the blob's id")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
        /// [`crate::Transaction::VALUE_BYTES_MAX`].
        limit: usize,
    },
    /// One transaction holds more than the store takes in one piece.
    #[error("a transaction with {found} {what} is larger than {limit}; split it")]
    TransactionTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        limit: usize,
    },
    /// A snapshot or transaction was held for too long; old versions are kept for its sake, so that has a limit.
    #[error("a snapshot was held for longer than {limit:?}; take a new one and resume from the last key")]
    Expired {
        /// The limit.
        limit: Duration,
    },
    /// A transaction was used after it had ended.
    #[error("the transaction has ended already")]
    Finished,
    /// The lease is not held (any more) by the one who says so.
    #[error("the lease '{name}' is no longer held with token {token}")]
    LeaseLost {
        /// The lease.
        name: String,
        /// The token that was shown.
        token: u64,
    },
    /// The disk is nearly full, so writes are refused before one can fail half-way. Deleting still works for a while.
    #[error("the disk is full: {free} are free where the store keeps {reserve} in reserve; make room and try again")]
    DiskFull {
        /// What is free.
        free: ByteSize,
        /// What is kept free.
        reserve: ByteSize,
    },
    /// The writer stopped while this waited for it: **whether it was committed is not known**.
    #[error("the store has stopped; whether the transaction was committed is known after a restart")]
    Stopped,
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
    /// A record was written by a newer version of the program.
    #[error("a record of kind '{kind}' has version {found}, this program knows versions up to {supported}; upgrade it")]
    Newer {
        /// The record's kind.
        kind: &'static str,
        /// The version that was found.
        found: u16,
        /// The newest version that is understood.
        supported: u16,
    },
    /// Stored bytes are not the record that they should be.
    #[error("a record of kind '{kind}' cannot be read: {why}")]
    Record {
        /// The kind that was expected.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A key does not have the parts that its reader expects.
    #[error("a key has {found} where {expected} was expected")]
    KeyPart {
        /// What the reader asked for.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// No blob has this id.
    #[error("there is no blob {0}")]
    BlobMissing(crate::BlobId),
    /// A blob's bytes are not what was put. Its damaged parts are never given out; putting the same bytes makes it whole.
    #[error("blob {id} is damaged: {why}; restore it from a backup, or put it again")]
    BlobDamaged {
        /// Which.
        id: crate::BlobId,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// A blob is longer than its writer allowed.
    #[error("a blob is longer than {limit}")]
    BlobTooLong {
        /// The limit that was given.
        limit: ByteSize,
    },
    /// A part of a blob was asked for that it does not have.
    #[error("bytes {start} to {end} of a blob of {len} bytes were asked for")]
    BlobRange {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// The blob's length.
        len: u64,
    },
    /// The source of a blob's bytes failed before its end.
    #[error("the source of a blob failed: {0}")]
    BlobSource(Arc<std::io::Error>),
    /// The bucket that blobs are kept in did not do what it was asked, though it was asked several times. Retry later.
    #[error("the bucket of blobs failed while {doing}: {why}")]
    Bucket {
        /// What was attempted.
        doing: &'static str,
        /// Its own words.
        why: Arc<str>,
    },
    /// The storage engine or the file system failed.
    #[error("storage failed while {doing}: {why}")]
    Engine {
        /// What was attempted.
        doing: &'static str,
        /// The engine's own words.
        why: Arc<str>,
    },
}

impl Error {
    /// Whether the same attempt may succeed later, with nothing changed by the caller.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Contended { .. }
                | Self::Busy { .. }
                | Self::DiskFull { .. }
                | Self::Expired { .. }
                | Self::Bucket { .. }
        )
    }

    pub(crate) fn engine(doing: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Engine { doing, why: why.to_string().into() }
    }
}

/// Why a store or a folder of blobs could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is in use by another node; stop that one, or give this one a folder of its own with --data",
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It was written by a newer version of the program.
    #[error(
        "{} has format {found}, written by a newer version; this one knows formats up to {supported}: upgrade it",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format on disk.
        found: u32,
        /// The newest format that is understood.
        supported: u32,
    },
    /// There is something there that this program did not write.
    #[error("{} does not look like a data folder: {why}", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is odd about it.
        why: String,
    },
    /// The file system refused.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// The bucket that blobs are kept in cannot be used.
    #[error("the bucket of blobs cannot be used: {0}")]
    Bucket(String),
    /// Commits that were on the disk are there no longer, and what was committed after them is: no power cut leaves that.
    #[error(
        "{} is damaged at byte {at}, before commits that were acknowledged: the disk has lost or changed what it held. The file is \
         left untouched. Check the disk, and bring the folder back from a backup",
        path.display()
    )]
    Rotten {
        /// The file.
        path: PathBuf,
        /// Where what does not hold begins.
        at: u64,
    },
    /// The storage engine refused.
    #[error("the storage engine cannot open {}: {why}", path.display())]
    Engine {
        /// The folder.
        path: PathBuf,
        /// Its words.
        why: String,
    },
}
