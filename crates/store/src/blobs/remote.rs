//! Blobs in a bucket of somebody's object storage: `PREFIX/ab/cdef….1`, in the same layout as in a folder, so that
//! copying one to the other moves all blobs.
//!
//! A blob's name is its hash, which is known at its end. So the bytes are gathered in a file first, as for a folder, and
//! are sent when the name is known, small ones whole, long ones in parts. The other way, to send them at once under a
//! name of their own and to have them copied, was not taken: S3 copies no more than 5 GiB at a time, a copy costs as
//! much as a second upload, and whatever was cut off would lie in the bucket. Here the bucket only ever has whole blobs
//! under their names. It costs room on the local disk for what is on its way, which [`Error::DiskFull`] guards.
//!
//! A bucket syncs before it answers, so nothing is synced here. Its clock says how old a blob is. Uploads in parts that
//! a dying process left open are invisible; let the bucket's lifecycle abort them.
//!
//! Two nodes that swept the same place would remove each other's blobs, so a place has one owner: `PREFIX/OWNER` holds
//! an id that is kept in the spool folder too.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use base::task::{Kind, spawn};
use base::{ByteSize, Random};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Location;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart};
use tokio::sync::oneshot;

use super::disk::{Trouble, run};
use super::draft::{Draft, Drafts, Written};
use super::pins::Doom;
use super::reading::PIECE;
use super::seal::{CHUNK, Flaw, Layout, SEALED};
use super::sealed::read_exact;
use super::sweep::Candidate;
use super::{BlobId, Wish};
use crate::directory::{lock_folder, replace_file};
use crate::{Error, OpenError};

/// What is longer is sent in parts of this length, some at a time.
const PART: u64 = 8 << 20;
const PARTS_AT_ONCE: usize = 4;
/// No bucket takes more than ten thousand parts.
const PARTS_MAX: u64 = 9_000;
/// How much a stream asks for at a time; the next such piece is under way meanwhile.
const BATCH: u64 = 4 << 20;
/// The first look at a blob: all of a small one.
const GLANCE: u64 = CHUNK + 64;

const OWNER: &str = "OWNER";

/// A place in a bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Who is talked to.
    pub store: Arc<dyn ObjectStore>,
    /// What all names begin with; may be empty.
    pub prefix: String,
}

pub(super) struct Remote {
    bucket: Bucket,
    drafts: Drafts,
    _lock: File,
}

impl Remote {
    pub(super) async fn open(
        bucket: Bucket,
        spool: &Path,
        reserve: ByteSize,
        random: &Random,
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: spool.to_owned(), source };
        let lock = lock_folder(spool)?;
        let drafts = Drafts::open(spool, reserve).map_err(io)?;
        let us = own_id(&spool.join(OWNER), random).map_err(io)?;
        claim(&bucket, &us).await?;
        Ok(Self { bucket, drafts, _lock: lock })
    }

    /// Whether there is one.
    pub(super) async fn check(&self, id: BlobId) -> Result<(), Error> {
        let head = self.bucket.store.head(&self.bucket.location(id)).await;
        head.map(drop).map_err(|error| trouble("looking at a blob", id, error))
    }

    /// Begins a new one.
    pub(super) fn begin(&self) -> Draft {
        self.drafts.begin()
    }

    /// Sends what was written, in the place of what has its name already. Goes on to its end even if nobody waits.
    pub(super) async fn place(&self, written: Written) -> Result<(), Error> {
        let (bucket, (tell, told)) = (self.bucket.clone(), oneshot::channel());
        spawn(Kind::Work, "blob-send", async move {
            // Nobody waits any more: the blob is there, and swept if nothing refers to it.
            drop(tell.send(bucket.send(written).await));
        });
        told.await.unwrap_or_else(|_| Err(Error::Bucket { doing: "sending a blob", why: "it was cut off".into() }))
    }

    pub(super) async fn open_blob(&self, id: BlobId) -> Result<Arc<Sealed>, Error> {
        let location = self.bucket.location(id);
        let range = Some(GetRange::Bounded(0..GLANCE));
        let options = GetOptions { range, ..GetOptions::default() };
        let glance = async {
            let found = self.bucket.store.get_opts(&location, options).await?;
            let kept = found.meta.size;
            let beginning = found.bytes().await?;
            if beginning.len() as u64 == kept {
                let footer = beginning.slice(beginning.len().saturating_sub(Layout::FOOTER as usize)..);
                return Ok((kept, footer, Some(beginning)));
            }
            let footer = self.bucket.store.get_range(&location, kept.saturating_sub(Layout::FOOTER)..kept).await?;
            Ok((kept, footer, None))
        };
        let (kept, footer, whole) = glance.await.map_err(|error| trouble("reading a blob", id, error))?;
        let layout = Layout::read(&footer, kept, id).map_err(|flaw| damaged(id, flaw))?;
        Ok(Arc::new(Sealed { bucket: self.bucket.clone(), location, id, layout, whole }))
    }

    pub(super) async fn read(&self, id: BlobId, wish: Wish) -> Result<Bytes, Error> {
        let sealed = self.open_blob(id).await?;
        let range = wish.within(sealed.len())?;
        sealed.read(range).await
    }

    pub(super) async fn stream(
        &self,
        id: BlobId,
        wish: Wish,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let sealed = self.open_blob(id).await?;
        let range = wish.within(sealed.len())?;
        let batches = stream::iter(batches(range)).map(move |batch| {
            let sealed = Arc::clone(&sealed);
            async move { sealed.read(batch).await }
        });
        let pieces = batches.buffered(2).map_ok(|batch| stream::iter(pieces(batch).map(Ok))).try_flatten();
        Ok(pieces.boxed())
    }

    /// The blobs whose names begin with this byte, in order.
    pub(super) async fn list(&self, first: u8) -> Result<Vec<Candidate>, Error> {
        let prefix = hex::encode([first]);
        let folder = self.bucket.named(&prefix);
        let list = self.bucket.store.list(Some(&folder)).try_filter_map(async |found| {
            let name = found.location.filename().and_then(|name| name.strip_suffix(SEALED)).unwrap_or_default();
            let candidate = format!("{prefix}{name}").parse().ok().map(|id| Candidate {
                id,
                len: Layout::len_of(found.size),
                put_ms: found.last_modified.timestamp_millis(),
            });
            Ok(candidate)
        });
        let list: Result<Vec<Candidate>, _> = list.try_collect().await;
        let mut list = list.map_err(|error| Error::Bucket { doing: "listing blobs", why: why(&error) })?;
        list.sort_by_key(|candidate| candidate.id);
        Ok(list)
    }

    /// Removes a blob, to the end even if nobody waits; `doom` is dropped after that.
    pub(super) async fn remove(&self, id: BlobId, doom: Doom) -> Result<(), Error> {
        let (bucket, (tell, told)) = (self.bucket.clone(), oneshot::channel());
        spawn(Kind::Work, "blob-remove", async move {
            let removed = match bucket.store.delete(&bucket.location(id)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(trouble("removing a blob", id, error)),
            };
            drop(doom);
            drop(tell.send(removed));
        });
        told.await.unwrap_or_else(|_| Err(Error::Bucket { doing: "removing a blob", why: "it was cut off".into() }))
    }
}

impl Bucket {
    fn named(&self, name: &str) -> Location {
        Location::from(format!("{}/{name}", self.prefix))
    }

    fn location(&self, id: BlobId) -> Location {
        let name = id.to_string();
        self.named(&format!("{}/{}{SEALED}", &name[..2], &name[2..]))
    }

    async fn send(&self, written: Written) -> Result<(), Error> {
        let Written { file, path: _path, id } = written;
        let doing = "sending a blob";
        let kept = file.metadata().map_err(|error| Error::engine(doing, error))?.len();
        let (location, file) = (self.location(id), Arc::new(file));
        let read = async |range: Range<u64>| {
            let file = Arc::clone(&file);
            let read = run(move || read_exact(&file, range).map_err(io_error)).await;
            read.map(Bytes::from).map_err(|error| Error::engine(doing, error))
        };
        if kept <= PART {
            let all = read(0..kept).await?;
            let put = self.store.put(&location, PutPayload::from_bytes(all)).await;
            return put.map(drop).map_err(|error| trouble(doing, id, error));
        }
        let part = PART.max(kept.div_ceil(PARTS_MAX));
        let upload = self.store.put_multipart(&location).await.map_err(|error| trouble(doing, id, error))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part as usize);
        let mut start = 0;
        while start < kept {
            let end = kept.min(start + part);
            let step = async {
                upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(|error| trouble(doing, id, error))?;
                read(start..end).await
            };
            match step.await {
                Ok(bytes) => upload.put(bytes),
                Err(error) => {
                    if let Err(error) = upload.abort().await {
                        tracing::warn!(%error, blob = %id, "an upload that failed stays open in the bucket");
                    }
                    return Err(error);
                }
            }
            start = end;
        }
        upload.finish().await.map(drop).map_err(|error| trouble(doing, id, error))
    }
}

/// A blob in a bucket: what is read from it was checked.
pub(super) struct Sealed {
    bucket: Bucket,
    location: Location,
    id: BlobId,
    layout: Layout,
    /// All of a small one.
    whole: Option<Bytes>,
}

impl Sealed {
    pub(super) fn len(&self) -> u64 {
        self.layout.len
    }

    /// A part that lies within the blob.
    async fn read(&self, part: Range<u64>) -> Result<Bytes, Error> {
        if part.is_empty() {
            return Ok(Bytes::new());
        }
        let need = self.layout.need(&part);
        let (chunks, sums) = match &self.whole {
            Some(whole) => {
                let slice = |range: &Range<u64>| whole.slice(range.start as usize..range.end as usize);
                (slice(&need.chunks), slice(&need.sums))
            }
            None => {
                let ranges = [need.chunks.clone(), need.sums.clone()];
                let read = self.bucket.store.get_ranges(&self.location, &ranges).await;
                let mut read = read.map_err(|error| trouble("reading a blob", self.id, error))?.into_iter();
                (read.next().unwrap_or_default(), read.next().unwrap_or_default())
            }
        };
        if chunks.len() as u64 != need.chunks.end - need.chunks.start {
            return Err(damaged(self.id, Flaw("it is cut off".to_owned())));
        }
        need.check(&chunks, &sums).map_err(|flaw| damaged(self.id, flaw))?;
        Ok(chunks.slice(need.part))
    }
}

/// Steps that end where chunks do, so that none is asked for twice.
fn batches(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let batch = start..range.end.min(start / BATCH * BATCH + BATCH);
        start = batch.end;
        (!batch.is_empty()).then_some(batch)
    })
}

fn pieces(mut batch: Bytes) -> impl Iterator<Item = Bytes> + Send {
    std::iter::from_fn(move || {
        let piece = batch.split_to(batch.len().min(PIECE as usize));
        (!piece.is_empty()).then_some(piece)
    })
}

/// The id that this folder's owner has in buckets.
fn own_id(path: &Path, random: &Random) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(id) => Ok(id.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = random.uuid().to_string();
            replace_file(path, id.as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

/// Makes sure that the place is ours.
async fn claim(bucket: &Bucket, us: &str) -> Result<(), OpenError> {
    let location = bucket.named(OWNER);
    let options = PutMode::Create.into();
    let failed = |error: object_store::Error| OpenError::Bucket(why(&error).to_string());
    match bucket.store.put_opts(&location, us.to_owned().into(), options).await {
        Ok(_) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            let owner = bucket.store.get(&location).await.map_err(failed)?.bytes().await.map_err(failed)?;
            match owner == us {
                true => Ok(()),
                false => Err(OpenError::Bucket(format!(
                    "it holds the blobs of another node; give this one a prefix of its own, or, if that node is gone for good, \
                     delete the object {location}"
                ))),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

fn trouble(doing: &'static str, id: BlobId, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::BlobMissing(id),
        error => Error::Bucket { doing, why: why(&error) },
    }
}

fn damaged(id: BlobId, flaw: Flaw) -> Error {
    Trouble::Damaged(flaw).of_blob("reading a blob", id)
}

fn io_error(trouble: Trouble) -> io::Error {
    match trouble {
        Trouble::Io(error) => error,
        Trouble::Damaged(Flaw(why)) => io::Error::other(why),
        Trouble::Refused(error) => io::Error::other(error),
    }
}

/// What it says, and what is behind it.
fn why(error: &object_store::Error) -> Arc<str> {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.into()
}
