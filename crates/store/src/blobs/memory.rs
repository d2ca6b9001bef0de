//! Blobs without a disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::BlobId;
use super::pins::Doom;
use super::sweep::Candidate;
use super::wish::Wish;
use crate::Error;

#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<BlobId, Held>>);

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

    pub(super) fn read(&self, id: BlobId, wish: Wish) -> Result<Bytes, Error> {
        let bytes = self.get(id)?;
        let range = wish.within(bytes.len() as u64)?;
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    /// Those whose names begin with this byte, in order.
    pub(super) fn list(&self, first: u8) -> Vec<Candidate> {
        let candidate =
            |(id, held): (&BlobId, &Held)| Candidate { id: *id, len: held.bytes.len() as u64, put_ms: held.put_ms };
        let from = BlobId::from(std::array::from_fn(|at| if at == 0 { first } else { 0 }));
        let to = BlobId::from(std::array::from_fn(|at| if at == 0 { first } else { u8::MAX }));
        self.lock().range(from..=to).map(candidate).collect()
    }

    /// Removes a blob, which nobody can pin meanwhile.
    pub(super) fn remove(&self, id: BlobId, _doom: &Doom) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
