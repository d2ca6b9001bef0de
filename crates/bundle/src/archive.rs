//! Folders become zip archives, always the same bytes for the same contents: sorted by name, with one fixed time, and of all permissions
//! only whether a file can be executed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base::ByteSize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::Error;

/// The most code of one function, unpacked: AWS's limit.
pub const UNPACKED_MAX: ByteSize = ByteSize(262_144_000);
/// The most files of one function.
pub const FILES_MAX: usize = 50_000;
/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 64;

/// What never belongs to a function: other tools' own, and what interpreters write again anyway. `node_modules` does belong to it.
const LEFT_OUT: [&str; 11] = [
    ".git",
    ".hg",
    ".svn",
    ".freehold",
    ".aws-sam",
    ".serverless",
    ".terraform",
    ".venv",
    ".DS_Store",
    "__pycache__",
    ".pytest_cache",
];

/// Whether a file or folder of this name is left out of archives. Watchers may leave it out too.
pub fn is_left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name) || name.ends_with(".pyc")
}

/// Where a node keeps the format of its store, in its data folder.
const DATA_MARKS: [&str; 2] = ["store/FORMAT", "store-sqlite/FORMAT"];

/// Whether a folder is a node's data, under whatever name: it has the node's root key in it, and everything else that must never get
/// into a function.
fn is_data_folder(folder: &Path) -> bool {
    DATA_MARKS.iter().any(|mark| folder.join(mark).is_file())
}

/// Packs a folder, or a single file.
pub fn pack(path: &Path) -> Result<Vec<u8>, Error> {
    let files = match path.is_dir() {
        true => list(path)?,
        false => BTreeMap::from([(file_name(path)?, path.to_owned())]),
    };
    let failed = |why: &dyn std::fmt::Display| Error::Pack { path: path.to_owned(), why: why.to_string() };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = UNPACKED_MAX.bytes();
    for (name, file) in &files {
        let unreadable = |why: io::Error| Error::Read { path: file.clone(), why };
        let mut reader = File::open(file).map_err(unreadable)?;
        let mode = reader.metadata().map_err(unreadable)?.permissions().mode();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::default())
            .unix_permissions(if mode & 0o111 == 0 { 0o644 } else { 0o755 });
        writer.start_file(name.as_str(), options).map_err(|why| failed(&why))?;
        // One byte more than may be, so that a file that grows meanwhile is noticed too.
        let copied = io::copy(&mut reader.by_ref().take(left + 1), &mut writer).map_err(unreadable)?;
        left =
            left.checked_sub(copied).ok_or_else(|| Error::TooLarge { path: path.to_owned(), limit: UNPACKED_MAX })?;
    }
    Ok(writer.finish().map_err(|why| failed(&why))?.into_inner())
}

/// What a folder looks like from outside its files: while two looks are equal, so is what [`pack`] makes of it, but for what was written
/// in the same tick of the file system's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Over names, lengths, times, permissions and places of all files.
    digest: Vec<u8>,
    /// When the youngest of its files was written or changed otherwise, in milliseconds since the epoch.
    pub youngest_ms: i64,
}

/// Looks at a folder. Blocks.
pub fn look(path: &Path) -> Result<Look, Error> {
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut youngest_ms = i64::MIN;
    for (name, file) in list(path)? {
        let metadata = file.metadata().map_err(|why| Error::Read { path: file.clone(), why })?;
        let (written, changed) = (metadata.mtime(), metadata.ctime());
        let numbers = [
            written,
            metadata.mtime_nsec(),
            changed,
            metadata.ctime_nsec(),
            metadata.len() as i64,
            i64::from(metadata.mode()),
            metadata.ino() as i64,
        ];
        digest.update(&(name.len() as u64).to_be_bytes());
        digest.update(name.as_bytes());
        numbers.iter().for_each(|number| digest.update(&number.to_be_bytes()));
        youngest_ms = youngest_ms.max(written.max(changed).saturating_mul(1000) + 999);
    }
    Ok(Look { digest: digest.finish().as_ref().to_vec(), youngest_ms })
}

/// The files of a folder by their names in the archive.
fn list(root: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let canonical = root.canonicalize().map_err(|why| Error::Read { path: root.to_owned(), why })?;
    let mut walk = Walk { root, open: vec![canonical], files: BTreeMap::new() };
    walk.folder(root, "")?;
    Ok(walk.files)
}

struct Walk<'a> {
    root: &'a Path,
    /// The folders on the way here, links resolved: a link to one of them would go round for ever.
    open: Vec<PathBuf>,
    files: BTreeMap<String, PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        let unreadable = |why: io::Error| Error::Read { path: folder.to_owned(), why };
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = file_name(&path)?;
            if is_left_out(&name) {
                continue;
            }
            // Links that lead nowhere are left out: editors mark files that they have open with such.
            let Ok(metadata) = path.metadata() else { continue };
            let inside = format!("{prefix}{name}");
            if metadata.is_dir() && is_data_folder(&path) {
                continue;
            }
            if metadata.is_dir() {
                self.enter(&path, &format!("{inside}/"))?;
            } else if metadata.is_file() {
                self.files.insert(inside, path);
                if self.files.len() > FILES_MAX {
                    return Err(Error::TooManyFiles { path: self.root.to_owned(), limit: FILES_MAX });
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        let canonical = folder.canonicalize().map_err(|why| Error::Read { path: folder.to_owned(), why })?;
        if self.open.contains(&canonical) {
            return Err(Error::Circle { path: folder.to_owned() });
        }
        if self.open.len() > DEPTH_MAX {
            return Err(Error::TooDeep { path: folder.to_owned(), limit: DEPTH_MAX });
        }
        self.open.push(canonical);
        self.folder(folder, prefix)?;
        self.open.pop();
        Ok(())
    }
}

fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| Error::Name { path: path.to_owned() })
}
