//! Where a node's data lies: the store, the blobs, the root key, and the folder in which code is unpacked.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base::{Clock, Random};
use identity::RootKey;
use store::{Blobs, Location, Options, Store};
use tempfile::TempDir;

use crate::bucket;
use crate::config::{Data, Engine};
use crate::start_error::StartError;

/// Everything that a node keeps.
pub(crate) struct Storage {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) root: RootKey,
    /// What objects are sealed with.
    pub(crate) seal: [u8; 32],
    /// Unpacked code and bootstraps: can be made again from the blobs.
    pub(crate) code: PathBuf,
    /// Deletes the folder of a node in memory when it stops.
    pub(crate) temporary: Option<TempDir>,
}

impl Storage {
    /// Opens what is there, or makes it. The store comes first: its lock tells whether another node is using the folder, and until
    /// it is held nothing is written.
    pub(crate) async fn open(
        data: &Data,
        bucket: Option<&str>,
        clock: &Clock,
        random: &Random,
    ) -> Result<Self, StartError> {
        match (data, bucket) {
            (Data::Folder { path, engine }, bucket) => Self::in_folder(path, *engine, bucket, clock, random).await,
            (Data::Memory, None) => Self::in_memory(clock, random),
            (Data::Memory, Some(_)) => Err(StartError::BlobsElsewhere(
                "a node in memory forgets what its blobs are, so it keeps none in a bucket: leave out --memory or --blobs"
                    .to_owned(),
            )),
        }
    }

    async fn in_folder(
        path: &Path,
        engine: Engine,
        bucket: Option<&str>,
        clock: &Clock,
        random: &Random,
    ) -> Result<Self, StartError> {
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
        let blobs = open_blobs(&path, bucket, clock, random).await?;
        let root = RootKey::load_or_create(&path.join("credentials.json"), random)?;
        let seal = seal_key(&path.join("objects.key"), random)?;
        Ok(Self { store, blobs, root, seal, code: path.join("code"), temporary: None })
    }

    fn in_memory(clock: &Clock, random: &Random) -> Result<Self, StartError> {
        let temporary = tempfile::Builder::new().prefix("freehold-").tempdir();
        let temporary = temporary.map_err(|source| StartError::Folder { path: std::env::temp_dir(), source })?;
        let (store, blobs) = (Store::memory(clock.clone()), Blobs::memory(clock.clone()));
        let code = temporary.path().join("code");
        Ok(Self {
            store,
            blobs,
            root: RootKey::generate(random),
            seal: fresh_key(random),
            code,
            temporary: Some(temporary),
        })
    }
}

/// The blobs, in the folder or in a bucket. They are not moved from one to the other, so whoever changes the setting is
/// told how to move them before a blob is missed.
async fn open_blobs(data: &Path, bucket: Option<&str>, clock: &Clock, random: &Random) -> Result<Blobs, StartError> {
    let (folder, spool) = (data.join("blobs"), data.join("blobs-spool"));
    match bucket {
        None if spool.exists() => Err(StartError::BlobsElsewhere(format!(
            "the blobs of {} lie in a bucket: start the node with --blobs URL as before, or copy them from there to {}, \
             without the object OWNER, and delete {}",
            data.display(),
            folder.display(),
            spool.display()
        ))),
        None => Ok(Blobs::open(&folder, clock.clone())?),
        Some(_) if folder.exists() => Err(StartError::BlobsElsewhere(format!(
            "the blobs of {} lie in its folder: copy what is in {} to the bucket, under the prefix, and move the folder away",
            data.display(),
            folder.display()
        ))),
        Some(url) => Ok(Blobs::in_bucket(bucket::of_url(url)?, &spool, clock.clone(), random).await?),
    }
}

/// The key that objects are sealed with: 64 hexadecimal digits in a file of its owner's. Without it they cannot be read, so one that is
/// there and is none is never written over.
fn seal_key(path: &Path, random: &Random) -> Result<[u8; 32], StartError> {
    let failed = |source| StartError::Folder { path: path.to_owned(), source };
    let mut key = [0; 32];
    match std::fs::read_to_string(path) {
        Ok(text) => match hex::decode_to_slice(text.trim(), &mut key) {
            Ok(()) => Ok(key),
            Err(error) => Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            key = fresh_key(random);
            write_key(path, &hex::encode(key)).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Written aside, synced, then put in its place: what is sealed with it must not outlive it.
fn write_key(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn fresh_key(random: &Random) -> [u8; 32] {
    let mut key = [0; 32];
    random.fill(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_data_folder_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/data");
        let data = Data::Folder { path: path.clone(), engine: Engine::Embedded };
        let storage = Storage::open(&data, None, &Clock::system(), &Random::system()).await;
        assert!(storage.is_ok_and(|storage| storage.code.starts_with(path.canonicalize().unwrap())));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn blobs_are_not_looked_for_where_they_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let open = async |bucket: Option<&str>, made: &str| {
            std::fs::create_dir(dir.path().join(made)).unwrap();
            let opened = open_blobs(dir.path(), bucket, &Clock::system(), &Random::system()).await;
            std::fs::remove_dir(dir.path().join(made)).unwrap();
            opened.expect_err("they lie elsewhere").to_string()
        };
        let moved = open(Some("s3://bucket?endpoint=http://127.0.0.1:1"), "blobs").await;
        assert!(moved.contains("copy what is in"), "{moved}");
        let back = open(None, "blobs-spool").await;
        assert!(back.contains("lie in a bucket"), "{back}");
    }

    #[test]
    fn the_key_of_objects_stays_and_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.key");
        let key = seal_key(&path, &Random::system()).unwrap();
        assert_eq!(seal_key(&path, &Random::system()).unwrap(), key);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "damaged").unwrap();
        assert!(seal_key(&path, &Random::system()).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "damaged");
    }
}
