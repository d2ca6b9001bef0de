//! Where a node's data lies: the store, the blobs, the root key, and the folder in which code is unpacked.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base::{Clock, Random};
use identity::RootKey;
use store::{Blobs, Location, Options, Store};
use tempfile::TempDir;

use crate::config::{Data, Engine};
use crate::start_error::StartError;

/// Everything that a node keeps.
pub(crate) struct Storage {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) root: RootKey,
    /// Unpacked code and bootstraps: can be made again from the blobs.
    pub(crate) code: PathBuf,
    /// Deletes the folder of a node in memory when it stops.
    pub(crate) temporary: Option<TempDir>,
}

impl Storage {
    /// Opens what is there, or makes it. The store comes first: its lock tells whether another node is using the folder, and until
    /// it is held nothing is written.
    pub(crate) fn open(data: &Data, clock: &Clock, random: &Random) -> Result<Self, StartError> {
        match data {
            Data::Folder { path, engine } => Self::in_folder(path, *engine, clock, random),
            Data::Memory => Self::in_memory(clock, random),
        }
    }

    fn in_folder(path: &Path, engine: Engine, clock: &Clock, random: &Random) -> Result<Self, StartError> {
        // Code, variables and logs are in it, and other users of the machine have no part in them. Guests get theirs by mounts.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| StartError::Folder { path: path.to_owned(), source })?;
        // Functions see absolute paths, and nodes are started from anywhere.
        let path = path.canonicalize().map_err(|source| StartError::Folder { path: path.to_owned(), source })?;
        let location = match engine {
            Engine::Embedded => Location::Embedded(path.join("store")),
            Engine::Sqlite => Location::Sqlite(path.join("store-sqlite")),
        };
        let store = Store::open(Options::new(location, clock.clone()))?;
        let blobs = Blobs::open(&path.join("blobs"), clock.clone())?;
        let root = RootKey::load_or_create(&path.join("credentials.json"), random)?;
        Ok(Self { store, blobs, root, code: path.join("code"), temporary: None })
    }

    fn in_memory(clock: &Clock, random: &Random) -> Result<Self, StartError> {
        let temporary = tempfile::Builder::new().prefix("freehold-").tempdir();
        let temporary = temporary.map_err(|source| StartError::Folder { path: std::env::temp_dir(), source })?;
        let (store, blobs) = (Store::memory(clock.clone()), Blobs::memory(clock.clone()));
        let code = temporary.path().join("code");
        Ok(Self { store, blobs, root: RootKey::generate(random), code, temporary: Some(temporary) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_data_folder_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/data");
        let data = Data::Folder { path: path.clone(), engine: Engine::Embedded };
        let storage = Storage::open(&data, &Clock::system(), &Random::system());
        assert!(storage.is_ok_and(|storage| storage.code.starts_with(path.canonicalize().unwrap())));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
