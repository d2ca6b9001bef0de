//! Blobs as files: `ab/cdef….1`, by their SHA-256 in hexadecimal and the version of what stands behind their bytes.
//!
//! A file is written under `tmp`, synced, renamed into its place, and the folder synced: so what has a blob's name is a
//! whole blob, after a crash too. Its modification time is when it was last put, by the store's clock; files are never
//! written again, only replaced, by putting the same bytes: which is also how a damaged one becomes whole. All work on
//! the disk happens on the pool of blocking threads, a few at a time.
//!
//! What an older version wrote (`ab/cdef…`, bytes and nothing else) is checked against its name and taken over when it
//! is first read.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::ByteSize;
use bytes::Bytes;

use super::disk::{Desk, Trouble, look, run};
use super::draft::{Draft, Drafts, Written, adopted, remove_if_there};
use super::gather::Gather;
use super::pins::Doom;
use super::seal::{Flaw, Layout, SEALED};
use super::sealed::Sealed;
use super::sweep::Candidate;
use super::{BlobId, Wish};
use crate::directory::{lock_folder, sync_folder};
use crate::{Error, OpenError};

pub(super) struct Files {
    path: Arc<Path>,
    drafts: Drafts,
    /// Of each of the 256 folders.
    syncs: Arc<[Gather]>,
    _lock: File,
}

impl Files {
    pub(super) fn open(path: &Path, reserve: ByteSize) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let lock = lock_folder(path)?;
        let drafts = Drafts::open(path, reserve).map_err(io)?;
        path.parent().map_or(Ok(()), sync_folder).map_err(io)?;
        let syncs = (0..=u8::MAX).map(|_| Gather::default()).collect();
        Ok(Self { path: path.into(), drafts, syncs, _lock: lock })
    }

    /// Whether there is one.
    pub(super) async fn check(&self, id: BlobId) -> Result<(), Error> {
        let paths = Paths::new(&self.path, id);
        look("looking at a blob", id, move || match fs::metadata(&paths.sealed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(fs::metadata(&paths.bare).map(drop)?),
            other => Ok(other.map(drop)?),
        })
        .await
    }

    /// Opens a blob and reads the beginning of the part of it that is wished for, of at most `first` bytes.
    pub(super) async fn open_at(&self, id: BlobId, wish: Wish, first: u64) -> Result<Opened, Error> {
        let (paths, draft) = (Paths::new(&self.path, id), self.drafts.path());
        look("reading a blob", id, move || {
            let sealed = paths.open(id, draft)?;
            let range = wish.within(sealed.len())?;
            let middle = range.end.min(range.start.saturating_add(first));
            let bytes = sealed.read(range.start..middle)?;
            Ok(Opened { sealed: Arc::new(sealed), bytes, rest: middle..range.end })
        })
        .await
    }

    /// Begins a new one.
    pub(super) fn begin(&self) -> Draft {
        self.drafts.begin()
    }

    /// Gives what was written its name, in the place of what has it already.
    pub(super) async fn place(&self, written: Written, now_ms: i64) -> Result<(), Error> {
        let (root, syncs) = (Arc::clone(&self.path), Arc::clone(&self.syncs));
        let paths = Paths::new(&self.path, written.id);
        let place = move |_: &Desk| {
            let folder = paths.sealed.parent().unwrap_or(&root);
            if !folder.exists() {
                fs::create_dir_all(folder)?;
                sync_folder(&root)?;
            }
            written.file.set_times(FileTimes::new().set_modified(time(now_ms)))?;
            written.file.sync_all()?;
            fs::rename(written.path.path(), &paths.sealed)?;
            syncs[usize::from(written.id.sha256()[0])].run(|| sync_folder(folder))?;
            remove_if_there(&paths.bare)
        };
        self.drafts.desk().step("keeping a blob", place).await
    }

    /// The blobs whose names begin with this byte, in order.
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
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let (name, is_sealed) = name.strip_suffix(SEALED).map_or((&*name, false), |name| (name, true));
                let Ok(id) = format!("{prefix}{name}").parse() else { continue };
                let metadata = match entry.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other?,
                };
                let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let put_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                let len = if is_sealed { Layout::len_of(metadata.len()) } else { metadata.len() };
                found.push(Candidate { id, len, put_ms });
            }
            found.sort_by_key(|candidate| candidate.id);
            found.dedup_by_key(|candidate| candidate.id);
            Ok(found)
        };
        run(list).await.map_err(|error| Error::engine("listing blobs", error))
    }

    /// Removes a blob; `doom` is dropped after that, even if nobody waits for it any more.
    pub(super) async fn remove(&self, id: BlobId, doom: Doom) -> Result<(), Error> {
        let paths = Paths::new(&self.path, id);
        look("removing a blob", id, move || {
            remove_if_there(&paths.sealed)?;
            remove_if_there(&paths.bare)?;
            drop(doom);
            Ok(())
        })
        .await
    }
}

/// A blob, and the beginning of what is wished for.
pub(super) struct Opened {
    pub(super) sealed: Arc<Sealed>,
    pub(super) bytes: Bytes,
    pub(super) rest: std::ops::Range<u64>,
}

/// Where a blob may lie.
struct Paths {
    sealed: PathBuf,
    /// As an older version wrote it.
    bare: PathBuf,
}

impl Paths {
    fn new(root: &Path, id: BlobId) -> Self {
        let name = id.to_string();
        let folder = root.join(&name[..2]);
        Self { sealed: folder.join(format!("{}{SEALED}", &name[2..])), bare: folder.join(&name[2..]) }
    }

    fn open(&self, id: BlobId, temporary: PathBuf) -> Result<Sealed, Trouble> {
        match File::open(&self.sealed) {
            Ok(file) => Sealed::open(file, id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sealed = self.take_over(id, temporary)?;
                Sealed::open(sealed, id)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Seals what an older version wrote, if it still is what its name says. Nothing is lost if this is cut off.
    fn take_over(&self, id: BlobId, temporary: PathBuf) -> Result<File, Trouble> {
        let mut bare = File::open(&self.bare)?;
        let modified = bare.metadata()?.modified()?;
        let written = adopted(&mut bare as &mut dyn Read, temporary)?;
        if written.id != id {
            return Err(Flaw("its bytes are not what its name says".to_owned()).into());
        }
        written.file.set_times(FileTimes::new().set_modified(modified))?;
        written.file.sync_all()?;
        fs::rename(written.path.path(), &self.sealed)?;
        self.sealed.parent().map_or(Ok(()), sync_folder)?;
        // A sweep may have been here meanwhile.
        remove_if_there(&self.bare)?;
        Ok(written.file)
    }
}

fn time(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}
