//! The data folder: who may use it, and what is in it.
//!
//! `LOCK` is held for as long as the store is open, `FORMAT` says which engine wrote the folder in which version, and the
//! engine's files lie in a folder of their own. `FORMAT` is written last, once the engine has made a whole, empty store:
//! a folder without it was never finished (the machine stopped in the first moments), holds nothing, and is begun anew.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::OpenError;

/// The version of the layout of keys, records and files under an engine. Raised when an older program could not cope.
const FORMAT: u32 = 1;

const LOCK_FILE: &str = "LOCK";
const FORMAT_FILE: &str = "FORMAT";
const FORMAT_WORDS: &str = "freehold-store";

/// A locked data folder.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    engine: &'static str,
    _lock: File,
}

impl Directory {
    /// Locks the folder for `engine`, making it if needed, and checks that this program can read it.
    pub(crate) fn open(path: &Path, engine: &'static str) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let directory = Self { path: path.to_owned(), engine, _lock: lock_folder(path)? };
        if !directory.check_format()? && directory.engine_path().exists() {
            tracing::info!(path = %path.display(), "the data folder was never finished; beginning anew");
            fs::remove_dir_all(directory.engine_path()).map_err(io)?;
        }
        fs::create_dir_all(directory.engine_path()).map_err(io)?;
        Ok(directory)
    }

    /// Where the engine keeps its files.
    pub(crate) fn engine_path(&self) -> PathBuf {
        self.path.join(self.engine)
    }

    /// Says that the engine's store is whole. Harmless when it said so before.
    pub(crate) fn finish(&self) -> Result<(), OpenError> {
        let io = |source| OpenError::Io { path: self.path.clone(), source };
        if self.check_format()? {
            return Ok(());
        }
        let text = format!("{FORMAT_WORDS} {FORMAT} {}\n", self.engine);
        replace_file(&self.path.join(FORMAT_FILE), text.as_bytes()).map_err(io)?;
        // The folder itself may be new, too.
        self.path.parent().map_or(Ok(()), sync_folder).map_err(io)
    }

    /// Bytes that can still be written here.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        rustix::fs::statvfs(&self.path).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether the format is stated; fails if it is not ours to read.
    fn check_format(&self) -> Result<bool, OpenError> {
        let text = match fs::read_to_string(self.path.join(FORMAT_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(OpenError::Io { path: self.path.join(FORMAT_FILE), source }),
        };
        let foreign = |why| OpenError::Foreign { path: self.path.clone(), why };
        let mut words = text.split_whitespace();
        let (Some(FORMAT_WORDS), Some(Ok(found))) = (words.next(), words.next().map(str::parse::<u32>)) else {
            return Err(foreign(format!("its file {FORMAT_FILE} says '{}'", text.trim())));
        };
        if found > FORMAT {
            return Err(OpenError::Newer { path: self.path.clone(), found, supported: FORMAT });
        }
        match words.next() {
            Some(engine) if engine == self.engine => Ok(true),
            other => Err(foreign(format!(
                "it was made for the engine '{}' and is being opened with '{}'",
                other.unwrap_or_default(),
                self.engine
            ))),
        }
    }
}

/// Makes a folder, if needed, and keeps other processes out for as long as the file is held.
pub(crate) fn lock_folder(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(io)?;
    let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK_FILE)).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Puts a file in place whole: after a crash it has its old content or the new one.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes what was renamed in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // The parent of a relative path of one step is the empty path.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_opened_only_by_whom_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let open = || Directory::open(&path, "fjall").map(drop).map_err(|error| error.to_string());

        let held = Directory::open(&path, "fjall").unwrap();
        held.finish().unwrap();
        assert!(matches!(Directory::open(&path, "fjall"), Err(OpenError::Locked { .. })));
        drop(held);
        assert_eq!(open(), Ok(()));

        let shown = path.display();
        for (format, expected) in [
            ("freehold-store 1 fjall", Ok(())),
            (
                "freehold-store 2 fjall",
                Err(format!(
                    "{shown} has format 2, written by a newer version; this one knows formats up to 1: upgrade it"
                )),
            ),
            (
                "freehold-store 1 sqlite",
                Err(format!(
                    "{shown} does not look like a data folder: it was made for the engine 'sqlite' and is being opened with 'fjall'"
                )),
            ),
            ("hello", Err(format!("{shown} does not look like a data folder: its file FORMAT says 'hello'"))),
        ] {
            fs::write(path.join(FORMAT_FILE), format).unwrap();
            assert_eq!(open(), expected);
        }
    }

    #[test]
    fn what_was_never_finished_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = Directory::open(folder.path(), "fjall").unwrap();
        let leftover = unfinished.engine_path().join("0.jnl");
        fs::write(&leftover, "half").unwrap();
        drop(unfinished);
        let again = Directory::open(folder.path(), "fjall").unwrap();
        assert!(!leftover.exists());
        again.finish().unwrap();
        fs::write(&leftover, "whole").unwrap();
        drop(again);
        Directory::open(folder.path(), "fjall").unwrap();
        assert!(leftover.exists());
    }
}
