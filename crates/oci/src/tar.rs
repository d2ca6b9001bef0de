//! Reads tar archives: the old form, POSIX's with extended headers, and GNU's with long names; sparse files in all four ways.
//!
//! It reads from front to back, in bounded memory, and believes nothing: every length is checked before anything is kept for it.
//! Where readers differ on what bytes mean, it does as the common container tools do, or refuses. What entries *do*, such as leading
//! out of a folder, is not its matter.

mod extended;
mod header;
mod sparse;

use std::io::{self, Read};

use crate::error::ArchiveFault;
use crate::limits::PATH_BYTES_MAX;
use extended::Extended;
use header::{BLOCK, Header};
use sparse::Part;

/// Where an archive comes from.
pub(crate) trait Input: Read {
    /// Passes over some bytes. An end before that may show only with the next read.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

/// Bytes that can only be read.
pub(crate) struct Stream<R>(pub(crate) R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Input for Stream<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Why an archive cannot be read on.
#[derive(Debug)]
pub(crate) enum TarError {
    /// It is wrong.
    Fault { fault: ArchiveFault, at: u64 },
    /// What it comes from failed.
    Read(io::Error),
}

/// One entry, as the archive has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name: any bytes but zero.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Its permissions, and the bits for set-user-id and the like.
    pub(crate) mode: u32,
    /// When it was last changed, in seconds and nanoseconds.
    pub(crate) modified: (i64, u32),
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file of this size, of which so much is stored: less, where it has holes. Its data follows.
    File { size: u64, stored: u64 },
    /// Another name of an entry before it.
    HardLink { to: Vec<u8> },
    /// A symbolic link.
    Symlink { to: Vec<u8> },
    /// A folder.
    Folder,
    /// A device or a pipe.
    Special,
}

/// An archive that is being read.
pub(crate) struct Archive<I> {
    input: I,
    position: u64,
    /// Of the entry that was read last: stored bytes that were not read yet, and the padding after them.
    left: u64,
    padding: u64,
    /// Where the stored bytes go, in reverse.
    parts: Vec<Part>,
    ended: bool,
}

impl<I: Input> Archive<I> {
    pub(crate) fn new(input: I) -> Self {
        Self { input, position: 0, left: 0, padding: 0, parts: Vec::new(), ended: false }
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What it comes from, after what was read.
    pub(crate) fn into_input(self) -> I {
        self.input
    }

    /// The next entry, what is left of the last one being passed over; `None` at the end. After an error there is no next.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extended = Extended::default();
        let mut begun = false;
        loop {
            self.skip_rest()?;
            let header = match self.header()? {
                Some(header) => header,
                None if begun => return Err(self.fault(ArchiveFault::Ended)),
                None => return Ok(None),
            };
            begun = true;
            let size = header.size().map_err(|fault| self.fault(fault))?;
            match header.kind() {
                b'x' => {
                    let text = self.text(size, "extended header", extended::BYTES_MAX)?;
                    extended.take_records(&text).map_err(|fault| self.fault(fault))?;
                }
                b'L' => extended.gnu_path = Some(self.name(size)?),
                b'K' => extended.gnu_link = Some(self.name(size)?),
                // Said for all entries that follow, or of the archive itself: nothing that files depend on.
                b'g' | b'V' => {
                    begun = false;
                    self.expect(size, size)?;
                }
                _ => return self.entry(&header, extended).map(Some),
            }
        }
    }

    /// Reads some of a file's data: where in the file it belongs, and how much it is. `None` at its end. What no data is said to be
    /// for is zeros.
    pub(crate) fn read_data(&mut self, buffer: &mut [u8]) -> Result<Option<(u64, usize)>, TarError> {
        let Some(part) = self.parts.last_mut() else { return Ok(None) };
        let most = usize::try_from(part.len).unwrap_or(usize::MAX).min(buffer.len());
        let at = part.offset;
        let read = self.input.read(&mut buffer[..most]).map_err(TarError::Read)?;
        if read == 0 {
            return Err(self.fault(ArchiveFault::Ended));
        }
        part.offset += read as u64;
        part.len -= read as u64;
        if part.len == 0 {
            self.parts.pop();
        }
        self.left -= read as u64;
        self.position += read as u64;
        Ok(Some((at, read)))
    }

    fn fault(&self, fault: ArchiveFault) -> TarError {
        TarError::Fault { fault, at: self.position }
    }

    fn entry(&mut self, header: &Header, extended: Extended) -> Result<Entry, TarError> {
        let fault = |fault| TarError::Fault { fault, at: self.position };
        let mut path = extended.path(header);
        let link = extended.link(header);
        let size = match extended.size {
            Some(size) => size,
            None => header.size().map_err(fault)?,
        };
        let modified = match extended.modified {
            Some(modified) => modified,
            None => (header.modified().map_err(fault)?, 0),
        };
        let mode = header.mode().map_err(fault)?;
        let kind = match header.kind() {
            b'0' | 0 if path.ends_with(b"/") => Kind::Folder,
            b'0' | 0 | b'7' | b'S' => Kind::File { size, stored: size },
            b'1' => Kind::HardLink { to: link },
            b'2' => Kind::Symlink { to: link },
            b'5' => Kind::Folder,
            b'3' | b'4' | b'6' => Kind::Special,
            other => return Err(fault(ArchiveFault::Type(char::from(other)))),
        };
        let kind = match kind {
            Kind::File { size: stored, .. } => {
                // GNU's own name of a sparse file counts: the header's is a made-up one.
                if let Some(name) = extended.sparse.name.clone() {
                    path = name;
                }
                let size = self.begin_data(header, extended, stored)?;
                Kind::File { size, stored: self.left }
            }
            // What else says to have data has none, whatever its size says.
            other => other,
        };
        let long = |what| TarError::Fault { fault: ArchiveFault::Long(what), at: self.position };
        if path.len() > PATH_BYTES_MAX {
            return Err(long("name"));
        }
        match &kind {
            Kind::HardLink { to } | Kind::Symlink { to } if to.len() > PATH_BYTES_MAX => Err(long("link's target")),
            _ => Ok(Entry { path, kind, mode, modified }),
        }
    }

    /// Makes ready to read a file's data; returns its size with all holes.
    fn begin_data(&mut self, header: &Header, extended: Extended, stored: u64) -> Result<u64, TarError> {
        self.expect(stored, stored)?;
        let (parts, size) = if header.kind() == b'S' {
            let mut parts = header.sparse_parts().map_err(|fault| self.fault(fault))?;
            let mut more = header.sparse_goes_on();
            // The rest of the map stands between header and data, and does not count as data.
            while more {
                let block = self.block()?.ok_or_else(|| self.fault(ArchiveFault::Ended))?;
                more = sparse::take_block(&block, &mut parts).map_err(|fault| self.fault(fault))?;
            }
            (parts, header.real_size().map_err(|fault| self.fault(fault))?)
        } else if extended.sparse.is_map_in_data() {
            let real = extended.sparse.real_size.ok_or_else(|| self.fault(ArchiveFault::Sparse))?;
            (self.map_in_data()?, real)
        } else if let Some(real) = extended.sparse.real_size {
            (extended.sparse.parts.unwrap_or_default(), real)
        } else {
            (vec![Part { offset: 0, len: stored }], stored)
        };
        self.parts = sparse::checked(parts, size, self.left).map_err(|fault| self.fault(fault))?;
        Ok(size)
    }

    /// The map that begins the data of a sparse file: numbers in decimal, one on each line, how many pairs first.
    fn map_in_data(&mut self) -> Result<Vec<Part>, TarError> {
        let mut map = sparse::Text::default();
        loop {
            if self.left < BLOCK as u64 {
                return Err(self.fault(ArchiveFault::Sparse));
            }
            let block = self.block()?.ok_or_else(|| self.fault(ArchiveFault::Ended))?;
            self.left -= BLOCK as u64;
            if map.take(&block).map_err(|fault| self.fault(fault))? {
                return Ok(map.into_parts());
            }
        }
    }

    /// Says that so many bytes of data follow, with padding to the next block.
    fn expect(&mut self, left: u64, stored: u64) -> Result<(), TarError> {
        self.left = left;
        self.padding = stored.wrapping_neg() % BLOCK as u64;
        match stored.checked_add(self.padding) {
            Some(_) => Ok(()),
            None => Err(self.fault(ArchiveFault::Number("size"))),
        }
    }

    fn skip_rest(&mut self) -> Result<(), TarError> {
        let rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        self.parts.clear();
        match self.input.skip(rest) {
            Ok(()) => {
                self.position += rest;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.fault(ArchiveFault::Ended)),
            Err(error) => Err(TarError::Read(error)),
        }
    }

    /// The next header, or the archive's end: two empty blocks, or nothing more at all.
    fn header(&mut self) -> Result<Option<Header>, TarError> {
        if self.ended {
            return Ok(None);
        }
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().any(|byte| *byte != 0) {
            return Header::new(block).map(Some).map_err(|fault| self.fault(fault));
        }
        self.ended = true;
        match self.block()? {
            Some(block) if block.iter().any(|byte| *byte != 0) => Err(self.fault(ArchiveFault::LoneZeros)),
            Some(_) | None => Ok(None),
        }
    }

    /// Reads one block; `None` if there is nothing more.
    fn block(&mut self) -> Result<Option<Box<[u8; BLOCK]>>, TarError> {
        let mut block = Box::new([0; BLOCK]);
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(self.fault(ArchiveFault::Ended)),
                Ok(read) => {
                    filled += read;
                    self.position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::Read(error)),
            }
        }
        Ok(Some(block))
    }

    /// The data of an entry that is part of another's header.
    fn text(&mut self, size: u64, what: &'static str, most: u64) -> Result<Vec<u8>, TarError> {
        if size > most {
            return Err(self.fault(ArchiveFault::Long(what)));
        }
        self.expect(size, size)?;
        let mut text = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut text).map_err(TarError::Read)?;
        self.position += text.len() as u64;
        self.left -= text.len() as u64;
        if self.left > 0 { Err(self.fault(ArchiveFault::Ended)) } else { Ok(text) }
    }

    /// GNU's long name, which ends with a zero.
    fn name(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.text(size, "name", PATH_BYTES_MAX as u64 + 1)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }
}

#[cfg(test)]
mod tests;
