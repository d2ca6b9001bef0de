//! Files under names: a folder's, or a tar archive's, which is read once to know where in it each file lies.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packing::Unpacked;

use crate::error::ArchiveFault;
use crate::layer::Place;
use crate::layers::Scratch;
use crate::limits::{ARCHIVE_ENTRIES_MAX, DOCUMENT_BYTES_MAX};
use crate::tar::{Archive, Input, Kind, TarError};
use crate::{Error, Layers};

/// After so many bytes that are unpacked the disk is asked for its room.
const ROOM_EVERY: u64 = 4 << 20;
/// Links in a row that are followed within an archive.
const LINKS_MAX: usize = 8;

/// Files under names.
pub(super) struct Files {
    /// What the person named.
    path: PathBuf,
    kept: Kept,
}

enum Kept {
    Folder,
    Archive(Index),
}

/// Where in an archive each file is.
struct Index {
    file: Arc<Path>,
    members: HashMap<Vec<u8>, Member>,
    /// The archive without its packing, if it had one.
    scratch: Option<Arc<Scratch>>,
}

enum Member {
    File {
        offset: u64,
        len: u64,
    },
    /// The same as another: older tools save equal layers so.
    Link(Vec<u8>),
}

impl Files {
    /// Opens a folder, or reads through an archive.
    pub(super) fn open(path: &Path, layers: &Layers) -> Result<Self, Error> {
        let no_image = |why: &str| Error::NotAnImage { path: path.to_owned(), why: why.to_owned() };
        let found = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_image("there is nothing of that name"),
            _ => Error::disk("opening", path, error),
        })?;
        let kept = if found.is_dir() {
            Kept::Folder
        } else if found.is_file() {
            Kept::Archive(Index::read(path, layers)?)
        } else {
            return Err(no_image("it is neither a folder nor a file"));
        };
        Ok(Self { path: path.to_owned(), kept })
    }

    /// What the person named.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// That this is no image.
    pub(super) fn no_image(&self, why: impl Into<String>) -> Error {
        Error::NotAnImage { path: self.path.clone(), why: why.into() }
    }

    /// What must live for as long as its places are read.
    pub(super) fn scratch(&self) -> Option<Arc<Scratch>> {
        match &self.kept {
            Kept::Folder => None,
            Kept::Archive(index) => index.scratch.clone(),
        }
    }

    /// Where a file is, if it is there.
    pub(super) fn place(&self, name: &str) -> Result<Option<Place>, Error> {
        let Some(clean) = clean(name.as_bytes(), b"") else {
            return Err(self.no_image(format!("it names a file outside itself: '{}'", name.escape_debug())));
        };
        match &self.kept {
            Kept::Archive(index) => Ok(index.place(&clean)),
            Kept::Folder => {
                let path = self.path.join(std::ffi::OsStr::new(name));
                match fs::metadata(&path) {
                    Ok(found) if found.is_file() => Ok(Some(Place { path: path.into(), offset: 0, len: found.len() })),
                    Ok(_) => Ok(None),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::disk("opening", &path, error)),
                }
            }
        }
    }

    /// Where a file is that must be there.
    pub(super) fn need(&self, name: &str) -> Result<Place, Error> {
        self.place(name)?
            .ok_or_else(|| self.no_image(format!("it lacks '{}', which it refers to", name.escape_debug())))
    }

    /// A document that must be there.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.need(name)?.read(&format!("'{name}' in {}", self.path.display()), DOCUMENT_BYTES_MAX)
    }
}

impl Index {
    fn read(path: &Path, layers: &Layers) -> Result<Self, Error> {
        let (file, scratch) = plain(path, layers)?;
        let reading = |error| Error::disk("reading", path, error);
        let open = File::open(&file).map_err(reading)?;
        let total = open.metadata().map_err(reading)?.len();
        let no_image = |why: String| Error::NotAnImage { path: path.to_owned(), why };
        let wrong = |error| match error {
            TarError::Fault { fault, at } => no_image(format!("{fault} (at byte {at})")),
            TarError::Read(error) => reading(error),
        };
        let mut archive = Archive::new(Seeking(BufReader::new(open)));
        let mut members = HashMap::new();
        while let Some(entry) = archive.next().map_err(wrong)? {
            if members.len() == ARCHIVE_ENTRIES_MAX {
                return Err(no_image(format!(
                    "it has more than {ARCHIVE_ENTRIES_MAX} entries, so it is no archive of images"
                )));
            }
            let Some(name) = clean(&entry.path, b"") else {
                return Err(no_image(format!("its entry '{}' leads out of it", String::from_utf8_lossy(&entry.path))));
            };
            let member = match &entry.kind {
                Kind::File { size, stored } if size == stored => {
                    Member::File { offset: archive.position(), len: *size }
                }
                Kind::File { .. } => {
                    return Err(no_image("it was packed with sparse files: pack it without".to_owned()));
                }
                Kind::HardLink { to } => clean(to, b"").map_or(Member::Link(Vec::new()), Member::Link),
                Kind::Symlink { to } => clean(to, &name).map_or(Member::Link(Vec::new()), Member::Link),
                Kind::Folder | Kind::Special => continue,
            };
            match member {
                // What is passed over by seeking shows its end only here.
                Member::File { offset, len } if offset.checked_add(len).is_none_or(|end| end > total) => {
                    return Err(wrong(TarError::Fault { fault: ArchiveFault::Ended, at: offset }));
                }
                member => members.insert(name, member),
            };
        }
        Ok(Self { file, members, scratch })
    }

    fn place(&self, name: &[u8]) -> Option<Place> {
        let mut name = name;
        for _ in 0..=LINKS_MAX {
            match self.members.get(name)? {
                Member::File { offset, len } => {
                    return Some(Place { path: Arc::clone(&self.file), offset: *offset, len: *len });
                }
                Member::Link(to) => name = to,
            }
        }
        None
    }
}

/// The archive without packing: itself, or a copy that lives as long as its guard.
fn plain(path: &Path, layers: &Layers) -> Result<(Arc<Path>, Option<Arc<Scratch>>), Error> {
    let reading = |error| Error::disk("reading", path, error);
    let file = BufReader::with_capacity(128 << 10, File::open(path).map_err(reading)?);
    let unpacked = Unpacked::seen(file).map_err(reading)?;
    if unpacked.is_plain() {
        return Ok((path.into(), None));
    }
    let scratch = Scratch(layers.temporary());
    let writing = |error| Error::disk("unpacking into", &scratch.0, error);
    // Everything in it is a layer or a small document.
    let limit = layers.limits().image_bytes.bytes().saturating_mul(2);
    let mut target = File::create(&scratch.0).map_err(writing)?;
    let mut unpacked = unpacked.take(limit.saturating_add(1));
    let mut buffer = vec![0; 128 << 10];
    let (mut total, mut asked_at) = (0, 0);
    loop {
        let read = unpacked.read(&mut buffer).map_err(|error| Error::NotAnImage {
            path: path.to_owned(),
            why: format!("its bytes cannot be unpacked: {error}"),
        })?;
        if read == 0 {
            break;
        }
        total += read as u64;
        if total >= asked_at {
            layers.check_reserve()?;
            asked_at = total + ROOM_EVERY;
        }
        if total > limit {
            return Err(Error::TooMuch { what: "bytes in its archive", limit });
        }
        io::Write::write_all(&mut target, &buffer[..read]).map_err(writing)?;
    }
    Ok((scratch.0.as_path().into(), Some(Arc::new(scratch))))
}

/// A path without `.` and `..`; nothing if it leaves where it starts. `beside` is the entry that a relative one is beside of.
fn clean(path: &[u8], beside: &[u8]) -> Option<Vec<u8>> {
    let mut clean: Vec<&[u8]> = Vec::new();
    if !path.starts_with(b"/") {
        clean.extend(beside.split(|byte| *byte == b'/').filter(|name| !name.is_empty()));
        clean.pop();
    }
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                clean.pop()?;
            }
            name => clean.push(name),
        }
    }
    Some(clean.join(&b'/'))
}

/// A file that is passed over without being read.
struct Seeking(BufReader<File>);

impl Read for Seeking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Seeking {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        // Past the end there is nothing to read, and that is seen then.
        if self.0.stream_position()?.checked_add_signed(bytes).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.seek_relative(bytes)
    }
}
