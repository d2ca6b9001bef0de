//! Functions' code, unpacked once, content-addressed, read-only and shared by all instances.
//!
//! A cache, not a store: folders are trusted only within the boot of the machine that wrote them, because nothing here is synced to
//! disk. Whoever keeps the packages prepares them again when [`Codes::path`] says that one is not there.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use base::Random;
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use wasm::PrepareError;
use zip::ZipArchive;

mod layers;

/// Lambda's limit on all files together, unpacked.
pub const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// The most entries of a package: far above real ones, and small enough that inodes last.
pub const ENTRIES_MAX: usize = 200_000;
/// The longest name of an entry, and the longest target of a link, in bytes and in parts between slashes.
const NAME_BYTES_MAX: usize = 1024;
const NAME_PARTS_MAX: usize = 64;
/// Folders younger than this are never swept: their function may not be recorded yet.
const SWEEP_AGE: Duration = Duration::from_secs(900);

/// Which code: the SHA-256 of its package.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeId(String);

impl CodeId {
    /// The id of a package.
    pub fn of(package: &[u8]) -> Self {
        Self(hex::encode(digest::digest(&digest::SHA256, package)))
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let fits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned()))
    }

    /// As 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a package was refused. The first two read as AWS says them.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// It is no zip archive, or a broken one.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotZip {
        /// For the log.
        reason: String,
    },
    /// It unpacks to too much.
    #[error("Unzipped size must be smaller than {limit} bytes")]
    TooLarge {
        /// [`UNZIPPED_BYTES_MAX`].
        limit: u64,
    },
    /// It has too many entries, or its names make too many folders.
    #[error("A package may have at most {limit} entries and as many folders, and this one has {entries}")]
    TooMany {
        /// How many it has, or the first that is too many.
        entries: usize,
        /// [`ENTRIES_MAX`].
        limit: usize,
    },
    /// An entry's name, or what a link leads to, is longer than any program's.
    #[error(
        "An entry of a package may have a name of at most {bytes_max} bytes in {parts_max} parts, which this one has not: {name}…"
    )]
    LongName {
        /// How it begins.
        name: String,
        /// [`NAME_BYTES_MAX`].
        bytes_max: usize,
        /// [`NAME_PARTS_MAX`].
        parts_max: usize,
    },
    /// An entry or a link leads out of the package, or one entry lies under another that is a file.
    #[error("The package has an entry that does not stay inside it: {name}")]
    Escapes {
        /// The entry.
        name: String,
    },
    /// The handler names a WebAssembly binary that is not in the package.
    #[error("The handler names {name}, and the package has no such file")]
    NoBinary {
        /// The file.
        name: String,
    },
    /// A WebAssembly binary cannot be run.
    #[error("{name} cannot be run: {reason}")]
    Wasm {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: PrepareError,
    },
    /// There is no engine for WebAssembly: no fault of the package.
    #[error("WebAssembly cannot be run on this node: {reason}")]
    Engine {
        /// Why not.
        reason: String,
    },
    /// The disk refused: no fault of the package.
    #[error("the package could not be unpacked: {source}")]
    Disk {
        /// What the system said.
        source: io::Error,
    },
}

impl From<io::Error> for CodeError {
    fn from(source: io::Error) -> Self {
        Self::Disk { source }
    }
}

/// The folder of all code.
#[derive(Debug)]
pub(crate) struct Codes {
    dir: PathBuf,
    random: Random,
}

impl Codes {
    /// Opens the folder, empty if the machine was booted since it was last used.
    pub(crate) fn open(dir: PathBuf, random: Random) -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mark = dir.join("boot");
        if fs::read_to_string(&mark).ok().as_deref() != Some(boot.as_str()) {
            remove(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        fs::write(mark, boot)?;
        for entry in fs::read_dir(&dir)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("new-") {
                // Left by a node that was killed while it unpacked.
                remove(&entry.path())?;
            }
        }
        Ok(Self { dir, random })
    }

    /// Where the code is, if it is here.
    pub(crate) fn path(&self, code: &CodeId) -> Option<PathBuf> {
        let path = self.dir.join(&code.0);
        path.is_dir().then_some(path)
    }

    /// Checks and unpacks a package; at once if it is here already. Blocks.
    pub(crate) fn prepare(&self, package: &[u8]) -> Result<CodeId, CodeError> {
        let code = CodeId::of(package);
        if let Some(path) = self.path(&code) {
            // As good as new: whoever prepared it now has not written that down yet.
            touch(&path)?;
            return Ok(code);
        }
        let new = self.dir.join(format!("new-{}", self.random.uuid()));
        let unpacked = unpack(package, &new).and_then(|()| publish(&new, &self.dir.join(&code.0)));
        if unpacked.is_err() {
            remove(&new)?;
        }
        unpacked.map(|()| code)
    }

    /// Removes all code that is neither wanted nor new.
    pub(crate) fn retain(&self, wanted: &HashSet<CodeId>) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)?.flatten() {
            let Some(code) = entry.file_name().to_str().and_then(CodeId::from_hex) else {
                continue;
            };
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age > SWEEP_AGE && !wanted.contains(&code) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Makes a folder as new as this moment.
fn touch(path: &Path) -> io::Result<()> {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
    Ok(rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::empty())?)
}

/// Gives finished code its name. Losing to another who prepares the same is as good.
fn publish(new: &Path, code: &Path) -> Result<(), CodeError> {
    match fs::rename(new, code) {
        Ok(()) => Ok(()),
        Err(_) if code.is_dir() => Ok(remove(new)?),
        Err(error) => Err(error.into()),
    }
}

fn broken(error: zip::result::ZipError) -> CodeError {
    CodeError::NotZip { reason: error.to_string() }
}

fn unpack(package: &[u8], root: &Path) -> Result<(), CodeError> {
    let mut archive = ZipArchive::new(Cursor::new(package)).map_err(broken)?;
    if archive.len() > ENTRIES_MAX {
        return Err(CodeError::TooMany { entries: archive.len(), limit: ENTRIES_MAX });
    }
    let mut tree = Tree { root, folders: BTreeSet::new(), links: Vec::new(), left: UNZIPPED_BYTES_MAX };
    fs::DirBuilder::new().mode(0o755).create(root)?;
    for index in 0..archive.len() {
        tree.entry(&mut archive.by_index(index).map_err(broken)?)?;
    }
    tree.finish()
}

/// A package on its way to the disk.
struct Tree<'a> {
    root: &'a Path,
    folders: BTreeSet<PathBuf>,
    /// Where, and to what. Made last, so that nothing is ever written through one.
    links: Vec<(PathBuf, PathBuf)>,
    left: u64,
}

impl Tree<'_> {
    fn entry(&mut self, file: &mut zip::read::ZipFile<'_, Cursor<&[u8]>>) -> Result<(), CodeError> {
        let name = file.name().map_err(broken)?.into_owned();
        short(&name)?;
        let escapes = || CodeError::Escapes { name: name.clone() };
        let path = inside(Path::new(&name)).ok_or_else(escapes)?;
        let mode = file.unix_mode().unwrap_or(0o644);
        if file.is_dir() {
            return self.folders(&path, escapes);
        }
        self.folders(path.parent().unwrap_or(Path::new("")), escapes)?;
        if file.is_symlink() {
            let target = text(file)?;
            short(&target)?;
            self.take(target.len() as u64)?;
            let target = PathBuf::from(target);
            let from = path.parent().unwrap_or(Path::new("")).join(&target);
            if target.is_absolute() || inside(&from).is_none() {
                return Err(escapes());
            }
            self.links.push((path, target));
            return Ok(());
        }
        self.file(&path, mode, file)
    }

    fn file(&mut self, path: &Path, mode: u32, content: &mut impl Read) -> Result<(), CodeError> {
        let mode = if mode & 0o111 != 0 { 0o555 } else { 0o444 };
        let target = self.root.join(path);
        // A name that comes twice: the later one counts, as with other unpackers.
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CodeError::Escapes { name: path.display().to_string() });
            }
            Ok(()) | Err(_) => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(target)?;
        // One more than is left, so that "exactly full" and "too much" differ.
        let mut limited = Reader { inner: content.take(self.left + 1), broken: None };
        let copied = io::copy(&mut limited, &mut file);
        if let Some(reason) = limited.broken {
            return Err(CodeError::NotZip { reason });
        }
        let copied = copied?;
        self.take(copied)?;
        // The mask of the process does not decide what guests may read.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// So much more is unpacked.
    fn take(&mut self, bytes: u64) -> Result<(), CodeError> {
        self.left = self.left.checked_sub(bytes).ok_or(CodeError::TooLarge { limit: UNZIPPED_BYTES_MAX })?;
        Ok(())
    }

    /// Makes a folder and all that it lies in, where they are not there yet.
    fn folders(&mut self, path: &Path, escapes: impl Fn() -> CodeError) -> Result<(), CodeError> {
        let mut folder = PathBuf::new();
        for part in path.components() {
            folder.push(part);
            if self.folders.contains(&folder) {
                continue;
            }
            if self.folders.len() == ENTRIES_MAX {
                return Err(CodeError::TooMany { entries: ENTRIES_MAX + 1, limit: ENTRIES_MAX });
            }
            let full = self.root.join(&folder);
            if !full.is_dir() {
                fs::DirBuilder::new().mode(0o755).create(full).map_err(|_| escapes())?;
            }
            self.folders.insert(folder.clone());
        }
        Ok(())
    }

    /// Makes the links and takes away the right to write.
    fn finish(self) -> Result<(), CodeError> {
        let root = self.root.canonicalize()?;
        for (path, target) in &self.links {
            let at = root.join(path);
            symlink(target, &at).map_err(|_| CodeError::Escapes { name: path.display().to_string() })?;
        }
        for (path, _) in &self.links {
            // Links that lead through links can lead further than their text says.
            if root.join(path).canonicalize().is_ok_and(|end| !end.starts_with(&root)) {
                return Err(CodeError::Escapes { name: path.display().to_string() });
            }
        }
        for folder in self.folders.iter().rev() {
            fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o555))?;
        }
        Ok(fs::set_permissions(&root, fs::Permissions::from_mode(0o555))?)
    }
}

/// Tells a broken archive from a broken disk: both are `io::Error` to a copy.
struct Reader<R> {
    inner: R,
    broken: Option<String>,
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.broken = Some(error.to_string()))
    }
}

/// Whether a name may be one: what is longer costs more folders than it can be worth.
fn short(name: &str) -> Result<(), CodeError> {
    if name.len() <= NAME_BYTES_MAX && name.split('/').count() <= NAME_PARTS_MAX {
        return Ok(());
    }
    let name = name.chars().take(100).collect();
    Err(CodeError::LongName { name, bytes_max: NAME_BYTES_MAX, parts_max: NAME_PARTS_MAX })
}

/// What a link entry leads to: its content.
fn text(file: &mut impl Read) -> Result<String, CodeError> {
    let mut target = String::new();
    let broken = |error: io::Error| CodeError::NotZip { reason: error.to_string() };
    file.take(NAME_BYTES_MAX as u64 + 1).read_to_string(&mut target).map_err(broken)?;
    Ok(target)
}

/// The path without `.` and `..`, or nothing if it leaves where it starts.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Removes a folder whose folders may be read-only.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(path)
}

#[cfg(test)]
pub(crate) mod tests;
