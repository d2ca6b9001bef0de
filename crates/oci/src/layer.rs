//! One layer on its way from packed bytes to a folder.
//!
//! The bytes are read once, from front to back: unpacked, summed, taken apart and written as they come. Nothing is believed until both
//! sums are right, and until then the folder has no name that anybody looks for.
//!
//! A layer's folder has three things: `fs` is its tree, `marks` says what it takes away from the layers below, `layer.json` what was
//! found while unpacking.

mod folder;
mod marks;
mod tree;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use packing::Unpacked;
use serde::{Deserialize, Serialize};

use crate::digest::Hasher;
use crate::error::LayerFault;
use crate::limits::Limits;
use crate::tar::{Archive, Stream, TarError};
use crate::{Digest, Error};
pub(crate) use folder::{Folder, Found, copy_or_link};
pub(crate) use marks::Marks;
use tree::Tree;

/// The tree within a layer's folder.
pub(crate) const TREE: &str = "fs";
const RECORD: &str = "layer.json";
const VERSION: u32 = 1;
const BUFFER: usize = 128 << 10;

/// Bytes on this disk: a whole file, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: Arc<Path>,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Place {
    /// Opens it, for reading from its beginning to its end.
    pub(crate) fn open(&self) -> io::Result<Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.len))
    }

    /// Reads a document.
    pub(crate) fn read(&self, what: &str, most: u64) -> Result<Vec<u8>, Error> {
        if self.len > most {
            return Err(Error::Document { what: what.to_owned(), why: format!("it has more than {most} bytes") });
        }
        let mut bytes = Vec::new();
        let read = self.open().and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| Error::disk("reading", &self.path, error))?;
        Ok(bytes)
    }
}

/// What may still be unpacked, shared by all layers of an image.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { left: AtomicU64::new(limit), limit }
    }

    /// Takes some; false if that is more than is left.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(crate) fn exceeded(&self) -> Error {
        Error::TooMuch { what: "bytes in its layers, unpacked", limit: self.limit }
    }
}

/// What was found while unpacking a layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// What its files have, holes included.
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// True if nothing below is to be seen at all.
    pub(crate) hides_all: bool,
    /// Why the layer cannot be part of an overlay, if it cannot.
    pub(crate) overlay_refusal: Option<String>,
}

impl Record {
    /// Reads a layer's record; `None` if there is no such layer, or one that another version made.
    pub(crate) fn read(layer: &Path) -> Option<Self> {
        let bytes = fs::read(layer.join(RECORD)).ok()?;
        serde_json::from_slice::<Self>(&bytes).ok().filter(|record| record.version == VERSION)
    }
}

/// A layer that is to be unpacked.
pub(crate) struct Work<'a> {
    /// Its bytes.
    pub(crate) place: &'a Place,
    /// What they should be. Archives of images do not say.
    pub(crate) packed: Option<&'a Digest>,
    /// What the layer should be, unpacked.
    pub(crate) layer: &'a Digest,
    /// The folder, which is not there yet.
    pub(crate) into: &'a Path,
    pub(crate) budget: &'a Budget,
    pub(crate) limits: Limits,
    /// Is told how many packed bytes were read.
    pub(crate) progress: &'a dyn Fn(u64),
}

/// Unpacks a layer and brings it to the disk. Blocks. Whoever gives the folder its name makes sure of that being on the disk, too.
pub(crate) fn unpack(work: &Work<'_>) -> Result<Record, Error> {
    let disk = |error| Error::disk("unpacking into", work.into, error);
    fs::DirBuilder::new().mode(0o700).create(work.into).map_err(disk)?;
    fs::create_dir(work.into.join(TREE)).map_err(disk)?;
    let reading = |error| Error::disk("reading", &work.place.path, error);
    let packed = Rc::new(RefCell::new(Tally::new(work.packed.map(Digest::hasher))));
    let input = Tallied { input: work.place.open().map_err(reading)?, tally: Rc::clone(&packed), told: work.progress };
    let filled = fill(work, BufReader::with_capacity(BUFFER, input));
    // A damaged layer shows in many ways. That it is damaged says most.
    match (&filled, work.packed) {
        (Ok(_), None) | (Err(Fail::Disk(_) | Fail::Budget), _) => {}
        (_, Some(expected)) => {
            let found = packed.take().rest(work.place)?;
            if found != *expected {
                let what = format!("layer {expected}");
                return Err(Error::DigestMismatch { what, expected: expected.clone(), found });
            }
        }
        (Err(Fail::Fault(_) | Fail::Other { .. }), None) => {}
    }
    let record = filled.map_err(|fail| fail.error(work))?;
    finish(work.into, &record).map_err(disk)?;
    Ok(record)
}

/// Writes the tree and its marks.
fn fill(work: &Work<'_>, input: impl io::BufRead) -> Result<Record, Fail> {
    let unreadable = |error: io::Error| Fail::Fault(LayerFault::Unreadable { reason: error.to_string() });
    let unpacked = Rc::new(RefCell::new(Tally::new(Some(work.layer.hasher()))));
    let most = work.limits.image_bytes.bytes().saturating_add(work.limits.layer_entries.saturating_mul(2048));
    let input = Unpacked::seen(input).map_err(unreadable)?;
    let input = Tallied { input, tally: Rc::clone(&unpacked), told: &|_| () };
    let mut archive = Archive::new(Stream(Bounded { input, left: most, limit: most }));
    let mut tree = Tree::new(&work.into.join(TREE), work.budget)?;
    let mut entries = 0;
    while let Some(entry) = archive.next()? {
        entries += 1;
        if entries > work.limits.layer_entries {
            return Err(Fail::Fault(LayerFault::TooMuch { what: "entries", limit: work.limits.layer_entries }));
        }
        tree.add(&entry, &mut archive)?;
    }
    // What follows the archive's end belongs to the layer's sum all the same.
    io::copy(&mut archive.into_input(), &mut io::sink()).map_err(|error| Fail::from(TarError::Read(error)))?;
    let found = unpacked.take().finish();
    if let Some(found) = found.filter(|found| found != work.layer) {
        return Err(Fail::Other { found });
    }
    let bytes = tree.bytes();
    let marked = tree.finish()?;
    marked.marks.write(work.into)?;
    let hides_all = marked.marks.hides_all();
    Ok(Record { version: VERSION, bytes, entries, hides_all, overlay_refusal: marked.overlay_refusal })
}

/// Writes the record, and waits until all of the layer is on the disk.
fn finish(into: &Path, record: &Record) -> io::Result<()> {
    fs::write(into.join(RECORD), serde_json::to_vec(record)?)?;
    // One call for the whole file system costs less than one for each file, and layers have many.
    rustix::fs::syncfs(File::open(into)?)?;
    Ok(())
}

/// Why a layer was not unpacked.
enum Fail {
    Fault(LayerFault),
    Disk(io::Error),
    /// The image is too large.
    Budget,
    /// It is well-formed, and another layer.
    Other {
        found: Digest,
    },
}

impl Fail {
    fn error(self, work: &Work<'_>) -> Error {
        let layer = work.layer.clone();
        match self {
            Self::Fault(fault) => Error::Layer { layer, fault },
            Self::Disk(error) => Error::disk("unpacking into", work.into, error),
            Self::Budget => work.budget.exceeded(),
            Self::Other { found } => {
                Error::DigestMismatch { what: "what a layer unpacks to".to_owned(), expected: layer, found }
            }
        }
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<rustix::io::Errno> for Fail {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Disk(error.into())
    }
}

impl From<LayerFault> for Fail {
    fn from(fault: LayerFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TarError> for Fail {
    fn from(error: TarError) -> Self {
        Self::Fault(match error {
            TarError::Fault { fault, at } => LayerFault::Archive { fault, at },
            TarError::Read(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<OverBound>()) {
                Some(OverBound { limit }) => LayerFault::TooMuch { what: "bytes", limit: *limit },
                None => LayerFault::Unreadable { reason: error.to_string() },
            },
        })
    }
}

/// What went through a reader.
#[derive(Default)]
struct Tally {
    hasher: Option<Hasher>,
    bytes: u64,
}

impl Tally {
    fn new(hasher: Option<Hasher>) -> Self {
        Self { hasher, bytes: 0 }
    }

    fn finish(self) -> Option<Digest> {
        self.hasher.map(Hasher::finish)
    }

    /// The sum of the whole place, the part after what was read included.
    fn rest(self, place: &Place) -> Result<Digest, Error> {
        let mut hasher = self.hasher.expect("only called for what has a sum");
        let read = || -> io::Result<Digest> {
            let mut file = place.open()?.into_inner();
            file.seek(SeekFrom::Start(place.offset + self.bytes))?;
            let mut file = file.take(place.len - self.bytes);
            let mut buffer = vec![0; BUFFER];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hasher.finish()),
                    read => hasher.update(&buffer[..read]),
                }
            }
        };
        read().map_err(|error| Error::disk("reading", &place.path, error))
    }
}

/// Counts and sums what is read.
struct Tallied<'a, R> {
    input: R,
    tally: Rc<RefCell<Tally>>,
    told: &'a dyn Fn(u64),
}

impl<R: Read> Read for Tallied<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let mut tally = self.tally.borrow_mut();
        if let Some(hasher) = &mut tally.hasher {
            hasher.update(&buffer[..read]);
        }
        tally.bytes += read as u64;
        (self.told)(tally.bytes);
        Ok(read)
    }
}

/// Ends with an error when there is too much.
struct Bounded<R> {
    input: R,
    left: u64,
    limit: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("more than {limit} bytes")]
struct OverBound {
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.left =
            self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(OverBound { limit: self.limit }))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
