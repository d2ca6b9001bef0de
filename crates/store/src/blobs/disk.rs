//! Work on the disk: on the pool of blocking threads, and what may go wrong there.

use std::io;
use std::path::Path;
use std::sync::Arc;

use base::ByteSize;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::BlobId;
use super::seal::Flaw;
use crate::Error;

/// So many steps of writing are on the disk at a time; others wait. More would only take threads from the pool.
const WRITES_MAX: usize = 32;

/// Why a step on the disk failed.
#[derive(Debug)]
pub(super) enum Trouble {
    Io(io::Error),
    /// What was read is not what was written.
    Damaged(Flaw),
    /// There is nothing wrong with the disk: the caller asked for what cannot be.
    Refused(Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        // The disk itself found out, by its own sums: for who reads it is the same.
        match error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
            true => Self::Damaged(Flaw("the disk cannot read it".to_owned())),
            false => Self::Io(error),
        }
    }
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        Self::Damaged(flaw)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Trouble {
    /// Reading a blob failed.
    pub(super) fn of_blob(self, doing: &'static str, id: BlobId) -> Error {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Error::BlobMissing(id),
            Self::Io(error) => Error::engine(doing, error),
            Self::Damaged(Flaw(why)) => Error::BlobDamaged { id, why: why.into() },
            Self::Refused(error) => error,
        }
    }
}

/// Steps of writing, and the room that they leave on the disk.
#[derive(Clone)]
pub(super) struct Desk {
    places: Arc<Semaphore>,
    folder: Arc<Path>,
    reserve: ByteSize,
}

impl Desk {
    pub(super) fn new(folder: &Path, reserve: ByteSize) -> Self {
        Self { places: Arc::new(Semaphore::new(WRITES_MAX)), folder: folder.into(), reserve }
    }

    /// One step: waits for a place, then runs, to its end even if nobody waits any more.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.start(doing, work).await.await.map_err(|error| Error::engine(doing, error))?
    }

    /// A step that is waited for later. Returns once there is a place for it.
    pub(super) async fn start<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> JoinHandle<Result<T, Error>> {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore of writes is never closed");
        let desk = self.clone();
        tokio::task::spawn_blocking(move || {
            let result = work(&desk).map_err(|error| desk.error(doing, error));
            drop(place);
            result
        })
    }

    /// Fails where so much more would eat into the reserve, which is there so that what is being removed can be.
    pub(super) fn check_room(&self, bytes: u64) -> io::Result<()> {
        match self.free().is_none_or(|free| free >= self.reserve.bytes().saturating_add(bytes)) {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&*self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn error(&self, doing: &'static str, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::DiskFull { free: ByteSize(self.free().unwrap_or_default()), reserve: self.reserve }
            }
            _ => Error::engine(doing, error),
        }
    }
}

/// Runs something on the disk that a blob is needed for: that it is not there, or not whole, has errors of its own.
pub(super) async fn look<T: Send + 'static>(
    doing: &'static str,
    id: BlobId,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Error::engine(doing, error))?;
    done.map_err(|trouble| trouble.of_blob(doing, id))
}

/// Runs something on the disk.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
