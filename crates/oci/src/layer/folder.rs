//! A folder held open, and what is directly in it. Nothing here follows a link: every step is one name in one folder.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// How many names are taken at a time from a folder that is being emptied.
const NAMES_AT_A_TIME: usize = 1024;

/// A folder, and its path from the root that it was reached from: without links, without a slash in front.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: Vec<u8>,
    depth: usize,
}

/// What a name in a folder is.
pub(crate) enum Found {
    Folder(Folder),
    /// A symbolic link, to this.
    Link(Vec<u8>),
    Other,
    Nothing,
}

const OPEN: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a root.
    pub(crate) fn root(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: rustix::fs::open(path, OPEN, Mode::empty())?, path: Vec::new(), depth: 0 })
    }

    /// The same folder once more.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, path: self.path.clone(), depth: self.depth })
    }

    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// How many steps it is from the root.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The path of a name in it.
    pub(crate) fn join(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path, &b"/"[..], name].concat() }
    }

    /// Looks a name up.
    pub(crate) fn look(&self, name: &[u8]) -> io::Result<Found> {
        match rustix::fs::openat(&self.fd, os(name), OPEN, Mode::empty()) {
            Ok(fd) => Ok(Found::Folder(Self { fd, path: self.join(name), depth: self.depth + 1 })),
            Err(Errno::NOENT) => Ok(Found::Nothing),
            Err(Errno::NOTDIR | Errno::LOOP) => match rustix::fs::readlinkat(&self.fd, os(name), Vec::new()) {
                Ok(target) => Ok(Found::Link(target.into_bytes())),
                Err(Errno::INVAL) => Ok(Found::Other),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The folder that this one is in; itself, at the root.
    pub(crate) fn parent(&self) -> io::Result<Self> {
        if self.depth == 0 {
            return self.again();
        }
        let fd = rustix::fs::openat(&self.fd, "..", OPEN, Mode::empty())?;
        let end = self.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Ok(Self { fd, path: self.path[..end].to_vec(), depth: self.depth - 1 })
    }

    /// Goes down a path that has no links; `None` if there is no such folder.
    pub(crate) fn descend(&self, path: &[u8]) -> io::Result<Option<Self>> {
        let mut at = self.again()?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match at.look(name)? {
                Found::Folder(next) => at = next,
                Found::Link(_) | Found::Other | Found::Nothing => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Makes a folder in it, which is not there yet.
    pub(crate) fn make(&self, name: &[u8], mode: u32) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, os(name), Mode::RWXU)?;
        let fd = rustix::fs::openat(&self.fd, os(name), OPEN, Mode::empty())?;
        let made = Self { fd, path: self.join(name), depth: self.depth + 1 };
        made.set_mode(mode)?;
        Ok(made)
    }

    /// Its permissions, and when it was changed last.
    pub(crate) fn settings(&self) -> io::Result<(u32, (i64, u32))> {
        let found = rustix::fs::fstat(&self.fd)?;
        Ok((found.st_mode & 0o7777, (found.st_mtime, u32::try_from(found.st_mtime_nsec).unwrap_or_default())))
    }

    /// Sets its own permissions, whatever the process's mask.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?)
    }

    /// Makes a file in it, which is not there yet.
    pub(crate) fn create(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, os(name), flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Opens a file in it for reading, if it is an ordinary one.
    fn open(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.fd, os(name), flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Makes a symbolic link in it.
    pub(crate) fn symlink(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(os(target), &self.fd, os(name))?)
    }

    /// What kind of thing a name is, if it is there.
    pub(crate) fn kind(&self, name: &[u8]) -> io::Result<Option<FileType>> {
        match rustix::fs::statat(&self.fd, os(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets when something in it was changed last.
    pub(crate) fn touch(&self, name: &[u8], modified: (i64, u32)) -> io::Result<()> {
        Ok(rustix::fs::utimensat(&self.fd, os(name), &timestamps(modified), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets when it was changed last itself.
    pub(crate) fn touch_self(&self, modified: (i64, u32)) -> io::Result<()> {
        Ok(rustix::fs::futimens(&self.fd, &timestamps(modified))?)
    }

    /// Removes a name and all that is below it.
    pub(crate) fn remove(&self, name: &[u8]) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, os(name), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        match self.look(name)? {
            Found::Folder(folder) => folder.empty()?,
            Found::Link(_) | Found::Other | Found::Nothing => {}
        }
        Ok(rustix::fs::unlinkat(&self.fd, os(name), AtFlags::REMOVEDIR)?)
    }

    /// Removes all that is in it.
    pub(crate) fn empty(&self) -> io::Result<()> {
        loop {
            // Some file systems lose their place in a folder that shrinks, so it is begun again each time.
            let names = self.names()?.take(NAMES_AT_A_TIME).collect::<io::Result<Vec<_>>>()?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                self.remove(&name)?;
            }
        }
    }

    /// The names in it, in no particular order.
    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        let names = Dir::read_from(&self.fd)?.map(|entry| Ok(entry?.file_name().to_bytes().to_vec()));
        Ok(names.filter(|name| !matches!(name.as_deref(), Ok(b"." | b".."))))
    }
}

/// Gives a file a second name, or, where a file can have no more names, copies it; true if it was copied. The second name must not be
/// there yet.
pub(crate) fn copy_or_link(from: (&Folder, &[u8]), to: (&Folder, &[u8])) -> io::Result<bool> {
    match rustix::fs::linkat(from.0.fd(), os(from.1), to.0.fd(), os(to.1), AtFlags::empty()) {
        Ok(()) => return Ok(false),
        Err(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    let found = rustix::fs::statat(from.0.fd(), os(from.1), AtFlags::SYMLINK_NOFOLLOW)?;
    let modified = (found.st_mtime, u32::try_from(found.st_mtime_nsec).unwrap_or_default());
    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
        let target = rustix::fs::readlinkat(from.0.fd(), os(from.1), Vec::new())?;
        to.0.symlink(to.1, target.as_bytes())?;
    } else {
        let mut source = from.0.open(from.1)?;
        let mut target = to.0.create(to.1)?;
        // Where the disk can share the bytes, it does.
        if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
            io::copy(&mut source, &mut target)?;
        }
        rustix::fs::fchmod(&target, Mode::from_raw_mode(found.st_mode))?;
    }
    to.0.touch(to.1, modified)?;
    Ok(true)
}

fn timestamps((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}
