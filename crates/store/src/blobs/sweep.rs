//! Removing blobs that nothing refers to.

use std::time::Duration;

use super::{BlobId, Blobs, Shelf, references};
use crate::{Error, Range, Scan, Snapshot, Store};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that stay: referred to, held, or young.
    pub kept: u64,
    /// Blobs that were removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}

/// A blob as a sweep finds it.
pub(super) struct Candidate {
    pub(super) id: BlobId,
    pub(super) len: u64,
    pub(super) put_ms: i64,
}

impl Blobs {
    /// Removes every blob that was put longer than `grace` ago, is not held ([`super::Stored`], a running
    /// [`Blobs::retain`]) and has no reference in `store`, which must be the one that all references are kept in. The
    /// grace is for whoever put a blob and was cut off from referring to it only for a moment; an hour is plenty.
    pub async fn sweep(&self, store: &Store, grace: Duration) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for first in 0..=u8::MAX {
            self.sweep_some(self.list(first).await?, store, grace, &mut swept).await?;
        }
        Ok(swept)
    }

    async fn sweep_some(
        &self,
        candidates: Vec<Candidate>,
        store: &Store,
        grace: Duration,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let put_before_ms = self.0.clock.now_ms().saturating_sub(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX));
        for candidate in candidates {
            if candidate.put_ms < put_before_ms && self.remove_unreferenced(candidate.id, store).await? {
                swept.removed += 1;
                swept.removed_bytes += candidate.len;
            } else {
                swept.kept += 1;
            }
        }
        Ok(())
    }

    /// Whether it was removed.
    async fn remove_unreferenced(&self, id: BlobId, store: &Store) -> Result<bool, Error> {
        // Most blobs end here, and nobody had to wait for it.
        if is_referenced(&store.snapshot(), id).await? {
            return Ok(false);
        }
        let Some(doom) = self.0.pins.doom(id) else { return Ok(false) };
        // Whoever retained it before the doom has committed by now (pins outlast their transactions), so a snapshot that
        // is taken now shows it; whoever comes later waits.
        if is_referenced(&store.snapshot(), id).await? {
            return Ok(false);
        }
        match &self.0.shelf {
            Shelf::Files(files) => files.remove(id, doom).await?,
            Shelf::Remote(remote) => remote.remove(id, doom).await?,
            Shelf::Memory(memory) => memory.remove(id, &doom),
        }
        self.0.damages.forget(id);
        Ok(true)
    }
}

async fn is_referenced(snapshot: &Snapshot, id: BlobId) -> Result<bool, Error> {
    let page = snapshot.scan(Range::prefix(&references(id)), Scan::first(1)).await?;
    Ok(!page.items.is_empty())
}
