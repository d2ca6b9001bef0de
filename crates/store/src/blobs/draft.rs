//! A blob that is being written: a file under `tmp`, removed when it is dropped before it has its name.
//!
//! Bytes are gathered to 512 KiB, and while those are hashed and written on a blocking thread the next are gathered: two
//! such pieces are in memory at most, and whoever brings the bytes (and hashes them in a way of its own) does not wait
//! for the disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use base::ByteSize;
use bytes::{Buf, Bytes};
use tokio::task::JoinHandle;

use super::BlobId;
use super::disk::Desk;
use super::seal::{CHUNK, Sums};
use crate::Error;

/// What is handed to the disk at a time.
const STEP: usize = 8 * CHUNK as usize;

/// Where drafts lie.
pub(super) struct Drafts {
    desk: Desk,
    path: PathBuf,
    count: AtomicU64,
}

impl Drafts {
    /// In a folder that is locked. What was being written when the last process ended is removed.
    pub(super) fn open(folder: &Path, reserve: ByteSize) -> io::Result<Self> {
        let path = folder.join("tmp");
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Self { desk: Desk::new(folder, reserve), path, count: AtomicU64::new(0) })
    }

    /// Begins one.
    pub(super) fn begin(&self) -> Draft {
        Draft { desk: self.desk.clone(), path: self.path(), pending: Vec::new(), hand: Hand::Here(None) }
    }

    /// A path that nothing has.
    pub(super) fn path(&self) -> PathBuf {
        self.path.join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Where steps of writing are made.
    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }
}

/// A blob whose bytes are coming in. Its file is made when there is something to write.
pub(super) struct Draft {
    desk: Desk,
    path: PathBuf,
    /// What was not handed over yet: less than a step.
    pending: Vec<u8>,
    hand: Hand,
}

/// Who has the file.
enum Hand {
    Here(Option<Ink>),
    /// It comes back with a buffer to use again.
    There(JoinHandle<Result<(Ink, Vec<u8>), Error>>),
    /// A step failed: nothing comes of it.
    Broken,
}

/// A whole blob that has no name yet.
pub(super) struct Written {
    pub(super) file: File,
    pub(super) path: Temporary,
    pub(super) id: BlobId,
}

impl Draft {
    /// Adds a piece. An error is final.
    pub(super) async fn write(&mut self, mut piece: Bytes) -> Result<(), Error> {
        while piece.has_remaining() {
            let taken = piece.split_to(piece.len().min(STEP - self.pending.len()));
            self.pending.extend_from_slice(&taken);
            if self.pending.len() == STEP {
                let (ink, spare) = self.settle().await?;
                let full = std::mem::replace(&mut self.pending, spare);
                let path = self.path.clone();
                let write = move |desk: &Desk| {
                    desk.check_room(full.len() as u64)?;
                    Ok((Ink::given(ink, path)?.write(&full)?, full))
                };
                self.hand = Hand::There(self.desk.start("writing a blob", write).await);
            }
        }
        Ok(())
    }

    /// Writes the rest and the seal, and names it.
    pub(super) async fn finish(mut self) -> Result<Written, Error> {
        let (ink, _) = self.settle().await?;
        let (path, rest) = (self.path, self.pending);
        let seal = move |desk: &Desk| {
            desk.check_room(rest.len() as u64)?;
            Ink::given(ink, path)?.write(&rest)?.seal()
        };
        self.desk.step("writing a blob", seal).await
    }

    /// The file, once nobody else has it.
    async fn settle(&mut self) -> Result<(Option<Ink>, Vec<u8>), Error> {
        match std::mem::replace(&mut self.hand, Hand::Broken) {
            Hand::Here(ink) => Ok((ink, Vec::new())),
            Hand::There(job) => {
                let (ink, mut spare) = job.await.map_err(|error| Error::engine("writing a blob", error))??;
                spare.clear();
                Ok((Some(ink), spare))
            }
            Hand::Broken => Err(Error::engine("writing a blob", "an earlier step failed")),
        }
    }
}

/// Seals what there is already. Blocks.
pub(super) fn adopted(bare: &mut dyn Read, path: PathBuf) -> io::Result<Written> {
    let mut ink = Ink::given(None, path)?;
    let mut step = Vec::with_capacity(STEP);
    loop {
        step.clear();
        if bare.take(STEP as u64).read_to_end(&mut step)? == 0 {
            return ink.seal();
        }
        ink = ink.write(&step)?;
    }
}

/// The file, and what is known of what is in it.
struct Ink {
    file: File,
    path: Temporary,
    digest: Context,
    sums: Sums,
    len: u64,
}

impl Ink {
    /// What came back from the step before, or a new file.
    fn given(ink: Option<Self>, path: PathBuf) -> io::Result<Self> {
        match ink {
            Some(ink) => Ok(ink),
            None => {
                // Read again where it is carried elsewhere.
                let file = File::options().create_new(true).read(true).write(true).mode(0o444).open(&path)?;
                let digest = Context::new(&SHA256);
                Ok(Self { file, path: Temporary(path), digest, sums: Sums::default(), len: 0 })
            }
        }
    }

    fn write(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.digest.update(bytes);
        self.sums.add(bytes);
        self.len += bytes.len() as u64;
        self.file.write_all(bytes)?;
        Ok(self)
    }

    fn seal(mut self) -> io::Result<Written> {
        let id = BlobId::from_digest(&self.digest.finish());
        self.file.write_all(&self.sums.seal(id, self.len))?;
        Ok(Written { file: self.file, path: self.path, id })
    }
}

/// A path under `tmp`, removed when it is dropped; renamed by then, there is nothing to remove.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

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
