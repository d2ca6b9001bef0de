//! A sealed blob in an open file: what is read from it was checked.

use std::fs::File;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::BlobId;
use super::disk::Trouble;
use super::seal::{Flaw, Layout};

/// See the file. Blocks.
pub(super) struct Sealed {
    file: File,
    layout: Layout,
}

impl Sealed {
    pub(super) fn open(file: File, id: BlobId) -> Result<Self, Trouble> {
        let kept = file.metadata()?.len();
        let footer = read_exact(&file, kept.saturating_sub(Layout::FOOTER)..kept)?;
        Ok(Self { layout: Layout::read(&footer, kept, id)?, file })
    }

    /// The blob's length.
    pub(super) fn len(&self) -> u64 {
        self.layout.len
    }

    /// A part that lies within the blob.
    pub(super) fn read(&self, part: Range<u64>) -> Result<Bytes, Trouble> {
        if part.is_empty() {
            return Ok(Bytes::new());
        }
        let need = self.layout.need(&part);
        let chunks = read_exact(&self.file, need.chunks.clone())?;
        let sums = read_exact(&self.file, need.sums.clone())?;
        need.check(&chunks, &sums)?;
        Ok(Bytes::from(chunks).slice(need.part))
    }
}

/// Reads into memory that nobody has to make zeros of first.
pub(super) fn read_exact(file: &File, range: Range<u64>) -> Result<Vec<u8>, Trouble> {
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = range.start + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(Flaw("it is cut off".to_owned()).into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    // A vector may have got more room than it asked for.
    bytes.truncate(len);
    Ok(bytes)
}
