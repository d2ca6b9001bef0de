//! Blobs without a disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, memfd_create};

use super::BlobId;
use super::pins::Doom;
use super::sweep::Candidate;
use crate::Error;

#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<BlobId, Held>>);

struct Held {
    bytes: Bytes,
    put_ms: i64,
}

impl Memory {
    pub(super) fn place(&self, id: BlobId, bytes: Bytes, now_ms: i64) {
        self.lock().entry(id).or_insert(Held { bytes, put_ms: now_ms }).put_ms = now_ms;
    }

    pub(super) fn get(&self, id: BlobId) -> Result<Bytes, Error> {
        self.lock().get(&id).map(|held| held.bytes.clone()).ok_or(Error::BlobMissing(id))
    }

    pub(super) fn file(&self, id: BlobId) -> Result<File, Error> {
        let bytes = self.get(id)?;
        let copy = || {
            let mut file = File::from(memfd_create("blob", MemfdFlags::CLOEXEC)?);
            file.write_all(&bytes)?;
            file.rewind()?;
            Ok(file)
        };
        copy().map_err(|error: std::io::Error| Error::engine("copying a blob", error))
    }

    pub(super) fn list(&self) -> Vec<Candidate> {
        let candidate =
            |(id, held): (&BlobId, &Held)| Candidate { id: *id, len: held.bytes.len() as u64, put_ms: held.put_ms };
        self.lock().iter().map(candidate).collect()
    }

    /// Removes a blob, which nobody can pin meanwhile.
    pub(super) fn remove(&self, id: BlobId, _doom: &Doom) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlobId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
