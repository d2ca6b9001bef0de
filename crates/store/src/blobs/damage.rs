//! Blobs that were found damaged: said once in the log, counted, and remembered by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::BlobId;
use crate::Error;

/// So many are remembered by name. More than that is a broken disk, and its log says more.
const NAMES_MAX: usize = 1_000;

/// A blob that is not what was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which.
    pub id: BlobId,
    /// What is wrong with it.
    pub why: Arc<str>,
    /// When that was found.
    pub found_ms: i64,
}

#[derive(Debug, Default)]
pub(super) struct Damages(Mutex<BTreeMap<BlobId, Damage>>);

impl Damages {
    /// Takes note of what an error says.
    pub(super) fn note(&self, error: &Error, now_ms: i64) {
        let Error::BlobDamaged { id, why } = error else { return };
        let mut known = self.lock();
        if known.contains_key(id) {
            return;
        }
        tracing::error!(blob = %id, %why, "a blob is damaged; restore it from a backup, or put it again");
        if known.len() < NAMES_MAX {
            known.insert(*id, Damage { id: *id, why: Arc::clone(why), found_ms: now_ms });
        }
    }

    /// It was put again, found whole, or removed.
    pub(super) fn forget(&self, id: BlobId) {
        self.lock().remove(&id);
    }

    pub(super) fn all(&self) -> Vec<Damage> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobId, Damage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
