//! The folder of all layers: each unpacked once, named by what it is, shared by every image that has it.
//!
//! What always holds:
//! - What has a layer's name is a whole layer, after a crash too: one is unpacked under `tmp`, brought to the disk, and renamed.
//! - A layer that somebody holds ([`Root`]) stays; one that nobody holds or wants goes with [`Layers::retain`], and is renamed away
//!   before its first file is removed.
//! - One process owns the folder. Within it, a layer is fetched and unpacked by one task at a time, and others wait for that one.
//!
//! The folder is closed to other users of the machine, because inside everything may be read by everybody.

mod flat;
mod pins;
mod root;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, UNIX_EPOCH};

use base::{Clock, Random};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::error::free_bytes;
use crate::layer::{Record, TREE};
use crate::{Digest, Error, Limits};
use pins::{Pin, Pins};
pub use root::{Overlay, Root};

/// The version of what is below. A newer program makes a folder of its own and leaves this one to be removed.
const VERSION: &str = "v1";
const LAYERS: &str = "layers";
const FLAT: &str = "flat";
const DOWNLOADS: &str = "downloads";
const TEMPORARY: &str = "tmp";
/// What was begun to be fetched is kept for so long: whoever comes back goes on where it broke off.
const DOWNLOAD_AGE: Duration = Duration::from_secs(24 * 3600);
/// More than this many layers are not unpacked at a time: the disk is busy by then.
const UNPACKS_MAX: usize = 4;

/// What a folder of layers needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time.
    pub clock: Clock,
    /// For names of what is not finished.
    pub random: Random,
    /// How large images may be.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), random: Random::system(), limits: Limits::default() }
    }
}

/// A folder of layers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    options: Options,
    pins: Mutex<Pins>,
    gates: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    unpacks: Arc<Semaphore>,
    archives: Arc<Semaphore>,
    _lock: File,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Layers.
    pub layers: usize,
    /// Flat roots.
    pub flat: usize,
    /// Downloads that nobody came back for.
    pub downloads: usize,
}

impl Layers {
    /// Opens, or makes, a folder of layers. What was being unpacked when the last process ended is removed. Blocks.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let disk = |error| Error::disk("opening", dir, error);
        fs::create_dir_all(dir).map_err(disk)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(disk)?;
        // Mounts and links want paths that mean the same everywhere.
        let dir = dir.canonicalize().map_err(disk)?;
        let lock = lock(&dir)?;
        let own = dir.join(VERSION);
        remove(&own.join(TEMPORARY)).map_err(disk)?;
        for name in [LAYERS, FLAT, DOWNLOADS, TEMPORARY] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(own.join(name)).map_err(disk)?;
        }
        sync(&own).and_then(|()| sync(&dir)).map_err(disk)?;
        let at_a_time = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(UNPACKS_MAX);
        Ok(Self(Arc::new(Inner {
            dir: own,
            options,
            pins: Mutex::default(),
            gates: Mutex::default(),
            unpacks: Arc::new(Semaphore::new(at_a_time)),
            archives: Arc::new(Semaphore::new(1)),
            _lock: lock,
        })))
    }

    /// The root that these layers make, the lowest first, if all of them are here. While it is held, they stay.
    pub fn root(&self, layers: &[Digest]) -> Result<Root, Error> {
        let root = self.hold(layers);
        let missing: Vec<&Digest> = layers.iter().filter(|layer| self.record(layer).is_none()).collect();
        match missing.first() {
            None => Ok(root),
            Some(first) => Err(Error::LayersMissing { count: missing.len(), first: (*first).clone() }),
        }
    }

    /// Removes all layers and flat roots that are neither part of a wanted root nor held, and downloads that nobody came back for in a
    /// day. Blocks.
    pub fn retain<'a>(&self, wanted: impl IntoIterator<Item = &'a [Digest]>) -> Result<Swept, Error> {
        let mut layers = HashSet::new();
        let mut flats = HashSet::new();
        for root in wanted {
            layers.extend(root.iter().map(Digest::file_name));
            flats.insert(flat::name(root));
        }
        let mut doomed = Vec::new();
        let mut swept = Swept::default();
        {
            // Whoever takes hold of a layer does so under the same lock, and looks whether it is there after that.
            let pins = self.pins();
            for name in self.names(FLAT)? {
                if !flats.contains(&name) && !pins.has_flat(&name) {
                    doomed.push(self.doom(FLAT, &name)?);
                    swept.flat += 1;
                }
            }
            for name in self.names(LAYERS)? {
                if !layers.contains(&name) && !pins.has_layer(&name) {
                    doomed.push(self.doom(LAYERS, &name)?);
                    swept.layers += 1;
                }
            }
            for name in self.names(DOWNLOADS)? {
                if !pins.has_download(&name) && self.is_stale(&name) {
                    doomed.push(self.doom(DOWNLOADS, &name)?);
                    swept.downloads += 1;
                }
            }
        }
        for path in doomed {
            remove(&path).map_err(|error| Error::disk("removing", &path, error))?;
        }
        Ok(swept)
    }

    /// The limits.
    pub(crate) fn limits(&self) -> Limits {
        self.0.options.limits
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.options.clock
    }

    pub(crate) fn random(&self) -> &Random {
        &self.0.options.random
    }

    /// The folder, for asking what room it has.
    pub(crate) fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Keeps layers from being swept, whether they are here yet or not.
    pub(crate) fn hold(&self, layers: &[Digest]) -> Root {
        Root::new(self.clone(), layers.to_vec(), Pin::layers(&self.0, layers))
    }

    /// Keeps a download from being swept.
    pub(crate) fn hold_download(&self, blob: &Digest) -> (PathBuf, Pin) {
        let path = self.0.dir.join(DOWNLOADS).join(blob.file_name());
        (path, Pin::download(&self.0, blob))
    }

    /// What is known of a layer, if it is here.
    pub(crate) fn record(&self, layer: &Digest) -> Option<Record> {
        Record::read(&self.path(layer))
    }

    /// A path that nobody else uses, for something unfinished.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.0.dir.join(TEMPORARY).join(self.0.options.random.uuid().to_string())
    }

    /// Gives an unpacked layer its name. Blocks.
    pub(crate) fn publish(&self, from: &Path, layer: &Digest) -> Result<(), Error> {
        self.place(from, LAYERS, &layer.file_name())
    }

    /// Waits until nobody else works on what has that name.
    pub(crate) async fn gate(&self, name: String) -> OwnedMutexGuard<()> {
        let gate = {
            let mut gates = self.0.gates.lock().expect("nothing panics while it holds this lock");
            gates.retain(|_, gate| gate.strong_count() > 0);
            let gate = gates.get(&name).and_then(Weak::upgrade).unwrap_or_default();
            gates.insert(name, Arc::downgrade(&gate));
            gate
        };
        gate.lock_owned().await
    }

    /// Waits for a turn to unpack.
    pub(crate) async fn turn_to_unpack(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0.unpacks).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Archives that are taken in are as large as all that an image may have: one at a time.
    pub(crate) async fn turn_to_receive(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0.archives).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// That the disk has room beyond its reserve. Blocks.
    pub(crate) fn check_reserve(&self) -> Result<(), Error> {
        let reserve = self.limits().reserve;
        match free_bytes(&self.0.dir) {
            Some(free) if free < reserve => {
                Err(Error::DiskFull { path: self.0.dir.clone(), free, needs: Some(reserve) })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn path(&self, layer: &Digest) -> PathBuf {
        self.0.dir.join(LAYERS).join(layer.file_name())
    }

    fn tree(&self, layer: &Digest) -> PathBuf {
        self.path(layer).join(TREE)
    }

    /// Renames something finished to where it is looked for, and makes that last.
    fn place(&self, from: &Path, shelf: &str, name: &str) -> Result<(), Error> {
        let shelf = self.0.dir.join(shelf);
        let to = shelf.join(name);
        let disk = |error| Error::disk("keeping", &to, error);
        if fs::symlink_metadata(&to).is_ok() {
            // What is there did not count as whole: another version made it.
            let aside = self.temporary();
            fs::rename(&to, &aside).map_err(disk)?;
            remove(&aside).map_err(disk)?;
        }
        fs::rename(from, &to).and_then(|()| sync(&shelf)).map_err(disk)
    }

    fn pins(&self) -> std::sync::MutexGuard<'_, Pins> {
        self.0.pins.lock().expect("nothing panics while it holds this lock")
    }

    fn names(&self, shelf: &str) -> Result<Vec<String>, Error> {
        let path = self.0.dir.join(shelf);
        let listing = |error| Error::disk("listing", &path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(listing)? {
            names.extend(entry.map_err(listing)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Takes something its name, so that it can be removed at leisure.
    fn doom(&self, shelf: &str, name: &str) -> Result<PathBuf, Error> {
        let (from, to) = (self.0.dir.join(shelf).join(name), self.temporary());
        fs::rename(&from, &to).map_err(|error| Error::disk("removing", &from, error))?;
        Ok(to)
    }

    fn is_stale(&self, download: &str) -> bool {
        let path = self.0.dir.join(DOWNLOADS).join(download);
        let modified = fs::metadata(path).and_then(|found| found.modified());
        let since = modified.ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let now = u64::try_from(self.clock().now_ms()).unwrap_or_default();
        since.is_some_and(|since| Duration::from_millis(now).saturating_sub(since) > DOWNLOAD_AGE)
    }
}

/// Keeps other processes out for as long as the file is held.
fn lock(dir: &Path) -> Result<File, Error> {
    let disk = |error| Error::disk("locking", dir, error);
    let file = File::options().create(true).truncate(false).write(true).open(dir.join("LOCK")).map_err(disk)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(disk(error)),
    }
}

/// Makes what was renamed in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what is at a path when it is dropped, unless that was renamed by then.
#[derive(Debug)]
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "something unfinished stays until the next start");
        }
    }
}
