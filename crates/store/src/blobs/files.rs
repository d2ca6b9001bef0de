//! Blobs as files: `ab/cdef…`, by their SHA-256 in hexadecimal.
//!
//! A file is written under `tmp`, synced, renamed into its place, and the folder synced: so what has a blob's name is a
//! whole blob, after a crash too. Its modification time is when it was last put, by the store's clock; files are never
//! written again. All work on the disk happens on the pool of blocking threads, a few at a time.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::BlobId;
use super::pins::Doom;
use super::sweep::Candidate;
use crate::directory::{lock_folder, sync_folder};
use crate::{Error, OpenError};

const TEMPORARY: &str = "tmp";

/// So many steps of writing are on the disk at a time; others wait. More would only take threads from the pool.
const WRITES_MAX: usize = 32;

const PENDING_MAX: usize = 256 << 10;

pub(super) struct Files {
    path: PathBuf,
    uploads: AtomicU64,
    writes: Arc<Semaphore>,
    _lock: File,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let lock = lock_folder(path)?;
        let temporary = path.join(TEMPORARY);
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(io)?;
        }
        fs::create_dir(&temporary).map_err(io)?;
        path.parent().map_or(Ok(()), sync_folder).map_err(io)?;
        let writes = Arc::new(Semaphore::new(WRITES_MAX));
        Ok(Self { path: path.to_owned(), uploads: AtomicU64::new(0), writes, _lock: lock })
    }

    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.path.join(&name[..2]).join(&name[2..])
    }

    pub(super) async fn len(&self, id: BlobId) -> Result<u64, Error> {
        let path = self.path(id);
        blocking("looking at a blob", id, move || Ok(fs::metadata(path)?.len())).await
    }

    pub(super) async fn file(&self, id: BlobId) -> Result<File, Error> {
        let path = self.path(id);
        blocking("opening a blob", id, move || File::open(path)).await
    }

    /// Begins a new file. It is removed when the upload is dropped before it is in its place.
    pub(super) async fn begin(&self) -> Result<Upload, Error> {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(TEMPORARY).join(number.to_string());
        let places = Arc::clone(&self.writes);
        step(&self.writes, "beginning a blob", move || {
            let file = File::options().create_new(true).write(true).mode(0o444).open(&path)?;
            let digest = Context::new(&SHA256);
            Ok(Upload { file, path: Temporary(path), digest, pending: Vec::new(), writes: places })
        })
        .await
    }

    /// Gives a finished upload its name, unless the blob is there already; then only its time is set.
    pub(super) async fn place(&self, upload: Upload, id: BlobId, now_ms: i64) -> Result<(), Error> {
        let root = self.path.clone();
        let path = self.path(id);
        step(&self.writes, "keeping a blob", move || {
            let folder = path.parent().unwrap_or(&root);
            if !folder.exists() {
                fs::create_dir_all(folder)?;
                sync_folder(&root)?;
            }
            let times = FileTimes::new().set_modified(time(now_ms));
            match File::open(&path) {
                Ok(present) => present.set_times(times)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    upload.file.set_times(times)?;
                    upload.file.sync_all()?;
                    fs::rename(&upload.path.0, &path)?;
                }
                Err(error) => return Err(error),
            }
            // In both cases: whoever renamed a present one may not have come so far yet.
            sync_folder(folder)
        })
        .await
    }

    /// The blobs whose names begin with this byte.
    pub(super) async fn list(&self, first: u8) -> Result<Vec<Candidate>, Error> {
        let prefix = hex::encode([first]);
        let folder = self.path.join(&prefix);
        let list = move || {
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                other => other?,
            };
            let mut found = Vec::new();
            for entry in entries {
                let entry = entry?;
                let Ok(id) = format!("{prefix}{}", entry.file_name().to_string_lossy()).parse() else { continue };
                let metadata = entry.metadata()?;
                let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let put_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                found.push(Candidate { id, len: metadata.len(), put_ms });
            }
            Ok(found)
        };
        run(list).await.map_err(|error| Error::engine("listing blobs", error))
    }

    /// Removes a blob; `doom` is dropped after that, even if nobody waits for it any more.
    pub(super) async fn remove(&self, id: BlobId, doom: Doom) -> Result<(), Error> {
        let path = self.path(id);
        blocking("removing a blob", id, move || {
            let removed = fs::remove_file(path);
            drop(doom);
            removed
        })
        .await
    }
}

/// A file that is being written.
pub(super) struct Upload {
    file: File,
    path: Temporary,
    digest: Context,
    /// What was not handed to the file yet.
    pending: Vec<u8>,
    writes: Arc<Semaphore>,
}

impl Upload {
    /// Adds a piece. Small ones are gathered, since each step on the disk costs a change of threads.
    pub(super) async fn write(mut self, piece: Bytes) -> Result<Self, Error> {
        self.pending.extend_from_slice(&piece);
        if self.pending.len() < PENDING_MAX { Ok(self) } else { self.flush().await }
    }

    /// Names it by what was written.
    pub(super) async fn finish(self) -> Result<(BlobId, Self), Error> {
        let whole = self.flush().await?;
        Ok((BlobId::from_digest(&whole.digest.clone().finish()), whole))
    }

    async fn flush(mut self) -> Result<Self, Error> {
        let writes = Arc::clone(&self.writes);
        step(&writes, "writing a blob", move || {
            self.digest.update(&self.pending);
            self.file.write_all(&self.pending)?;
            self.pending.clear();
            Ok(self)
        })
        .await
    }
}

/// A path under `tmp`, removed when it is dropped; renamed by then, there is nothing to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.0.display(), %error, "a temporary file stays until the next start");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Reads exactly this part, and hands the file back.
pub(super) async fn read_at(file: File, range: Range<u64>) -> Result<(File, Bytes), Error> {
    let read = move || {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok((file, Bytes::from(bytes)))
    };
    run(read).await.map_err(|error| Error::engine("reading a blob", error))
}

/// The id that a file's content has.
pub(super) async fn digest(mut file: File) -> Result<BlobId, Error> {
    let digest = move || {
        let mut context = Context::new(&SHA256);
        let mut piece = vec![0; 256 << 10];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(BlobId::from_digest(&context.finish())),
                read => context.update(&piece[..read]),
            }
        }
    };
    run(digest).await.map_err(|error| Error::engine("reading a blob", error))
}

fn time(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

/// One step of writing: waits for a place, then runs.
async fn step<T: Send + 'static>(
    writes: &Arc<Semaphore>,
    doing: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let place = Arc::clone(writes).acquire_owned().await.expect("the semaphore of writes is never closed");
    let done = run(move || {
        let result = work();
        drop(place);
        result
    });
    done.await.map_err(|error| Error::engine(doing, error))
}

/// Something that a blob is needed for: that it is not there has an error of its own.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    id: BlobId,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    run(work).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::BlobMissing(id),
        _ => Error::engine(doing, error),
    })
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
