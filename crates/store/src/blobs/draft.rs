//! A blob that is being written: a file under `tmp`, removed when it is dropped before it has its name.
//!
//! Bytes are gathered to 512 KiB, and while those are hashed and written on a blocking thread the next are gathered: two
//! such pieces are in memory at most, and whoever brings the bytes (and hashes them in a way of its own) does not wait
//! for the disk. Such pieces go to the disk past the page cache where it can be done: filling pages for what may be never
//! read costs more than the hashing does, and drives out what is read often.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use base::ByteSize;
use bytes::{Buf, Bytes};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::task::JoinHandle;

use super::BlobId;
use super::disk::Desk;
use super::seal::{CHUNK, Sums};
use crate::Error;

/// What is handed to the disk at a time.
const STEP: usize = 8 * CHUNK as usize;
/// What disks take at a time, or less: lengths and places in memory are multiples of it where the page cache is passed by.
const BLOCK: usize = 4096;

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
        Draft { desk: self.desk.clone(), path: self.path(), pending: Step::default(), hand: Hand::Here(None) }
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
    pending: Step,
    hand: Hand,
}

/// Who has the file.
enum Hand {
    Here(Option<Ink>),
    /// It comes back with a buffer to use again.
    There(JoinHandle<Result<(Ink, Step), Error>>),
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
            self.pending.fill(&mut piece);
            if self.pending.is_full() {
                let (ink, spare) = self.settle().await?;
                let full = std::mem::replace(&mut self.pending, spare);
                let path = self.path.clone();
                let write = move |desk: &Desk| {
                    desk.check_room(full.bytes().len() as u64)?;
                    let ink = ink.map_or_else(|| Ink::for_steps(path), Ok)?;
                    Ok((ink.write(full.bytes())?, full))
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
            desk.check_room(rest.bytes().len() as u64)?;
            let ink = ink.map_or_else(|| Ink::new(path), Ok)?;
            ink.write(rest.bytes())?.seal()
        };
        self.desk.step("writing a blob", seal).await
    }

    /// The file, once nobody else has it.
    async fn settle(&mut self) -> Result<(Option<Ink>, Step), Error> {
        match std::mem::replace(&mut self.hand, Hand::Broken) {
            Hand::Here(ink) => Ok((ink, Step::default())),
            Hand::There(job) => {
                let (ink, mut spare) = job.await.map_err(|error| Error::engine("writing a blob", error))??;
                spare.clear();
                Ok((Some(ink), spare))
            }
            Hand::Broken => Err(Error::engine("writing a blob", "an earlier step failed")),
        }
    }
}

/// Bytes gathered for one step, lying where the disk can take them from. Nothing is allocated before the first comes.
#[derive(Default)]
struct Step {
    buffer: Vec<u8>,
    start: usize,
}

impl Step {
    /// Takes as much of `piece` as there is room for.
    fn fill(&mut self, piece: &mut Bytes) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(STEP + BLOCK);
            self.start = self.buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
            self.buffer.resize(self.start, 0);
        }
        let taken = piece.split_to(piece.len().min(STEP - self.bytes().len()));
        self.buffer.extend_from_slice(&taken);
    }

    fn is_full(&self) -> bool {
        self.bytes().len() == STEP
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn clear(&mut self) {
        self.buffer.truncate(self.start);
    }
}

/// Seals what there is already. Blocks.
pub(super) fn adopted(bare: &mut dyn Read, path: PathBuf) -> io::Result<Written> {
    let mut ink = Ink::new(path)?;
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
    /// Whether the page cache is passed by.
    direct: bool,
}

impl Ink {
    /// A new file.
    fn new(path: PathBuf) -> io::Result<Self> {
        Self::open(path, OFlags::empty())
    }

    /// A new file that whole steps will be written to. Some file systems cannot do without the page cache.
    fn for_steps(path: PathBuf) -> io::Result<Self> {
        match Self::open(path.clone(), OFlags::DIRECT) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                // Some make the file before they refuse.
                remove_if_there(&path)?;
                Self::new(path)
            }
            other => other,
        }
    }

    fn open(path: PathBuf, flags: OFlags) -> io::Result<Self> {
        // Read again where it is carried elsewhere.
        let mut options = File::options();
        options.create_new(true).read(true).write(true).mode(0o444).custom_flags(flags.bits().cast_signed());
        let file = options.open(&path)?;
        let digest = Context::new(&SHA256);
        let direct = flags.contains(OFlags::DIRECT);
        Ok(Self { file, path: Temporary(path), digest, sums: Sums::default(), len: 0, direct })
    }

    fn write(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.digest.update(bytes);
        self.sums.add(bytes);
        self.put(bytes)?;
        self.len += bytes.len() as u64;
        Ok(self)
    }

    fn seal(mut self) -> io::Result<Written> {
        let id = BlobId::from_digest(&self.digest.clone().finish());
        let seal = std::mem::take(&mut self.sums).seal(id, self.len);
        // Even where the seal could go past it: the file may be read next, by who knows nothing of blocks.
        self.use_page_cache()?;
        self.put(&seal)?;
        Ok(Written { file: self.file, path: self.path, id })
    }

    /// Writes behind what there is.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.direct && !bytes.len().is_multiple_of(BLOCK) {
            self.use_page_cache()?;
        }
        match self.file.write_all_at(bytes, self.len) {
            // A disk of larger blocks than are known.
            Err(error) if self.direct && error.kind() == io::ErrorKind::InvalidInput => {
                self.use_page_cache()?;
                self.file.write_all_at(bytes, self.len)
            }
            other => other,
        }
    }

    fn use_page_cache(&mut self) -> io::Result<()> {
        if !self.direct {
            return Ok(());
        }
        fcntl_setfl(&self.file, fcntl_getfl(&self.file)? - OFlags::DIRECT)?;
        self.direct = false;
        Ok(())
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
        if let Err(error) = remove_if_there(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary file stays until the next start");
        }
    }
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealed::Sealed;
    use super::*;

    /// So many chunks have a seal that is as long as a block.
    const CHUNKS_OF_BLOCK: u64 = 505;

    #[tokio::test]
    async fn what_was_written_is_read_from_the_same_file_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::open(folder.path(), ByteSize(0)).unwrap();
        let step = STEP as u64;
        for len in [0, 1, BLOCK as u64, step - 1, step, step + 1, step + BLOCK as u64, CHUNKS_OF_BLOCK * CHUNK] {
            let bytes: Vec<u8> = (0..len).map(|at| (at / 251 + at) as u8).collect();
            let mut draft = drafts.begin();
            // Pieces that end nowhere in particular.
            for piece in bytes.chunks(100_003) {
                draft.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            let written = draft.finish().await.unwrap();
            assert!(!fcntl_getfl(&written.file).unwrap().contains(OFlags::DIRECT), "{len}");
            assert_eq!(written.id, BlobId::of(&bytes), "{len}");
            let Ok(sealed) = Sealed::open(written.file, written.id) else { panic!("{len}: it is not sealed") };
            let Ok(read) = sealed.read(0..len) else { panic!("{len}: it is not what was written") };
            assert!(read == bytes, "{len}");
        }
    }
}
