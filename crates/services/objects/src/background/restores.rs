//! Restores that end: objects can be read as before, and say no more that they were restored; who listens is told.

use super::PAGE;
use crate::Objects;
use crate::error::Error;
use crate::events::{Event, EventType, sequencer};
use crate::model::{Bucket, Versioning};
use crate::store::{EndedRestore, bucket_key};

impl Objects {
    /// Ends all restores whose time is over.
    pub(crate) async fn end_restores(&self) -> Result<(), Error> {
        loop {
            let ended = self.shelf.ended_restores(self.now_ms(), PAGE).await?;
            if ended.is_empty() {
                return Ok(());
            }
            for restore in &ended {
                self.end_restore(restore).await?;
            }
        }
    }

    async fn end_restore(&self, restore: &EndedRestore) -> Result<(), Error> {
        let EndedRestore { at, until_ms, bucket, key, version } = restore;
        self.shelf
            .store
            .transact(|tx| async move {
                tx.delete(at.clone());
                let there: Option<Bucket> = tx.get_record(&bucket_key(bucket)).await?;
                let Some(bucket) = there else { return Ok(()) };
                let found = self.shelf.version_in(&tx, &bucket.name, key, version).await?;
                // Deleted meanwhile, or restored for longer.
                let lasts_until = |ends_ms: Option<i64>| ends_ms == Some(*until_ms);
                let Some(mut found) = found.filter(|found| lasts_until(found.version.restored_until_ms)) else {
                    return Ok(());
                };
                found.version.restored_until_ms = None;
                self.shelf.rewrite(&tx, &bucket.name, key, &found)?;
                let event = Event {
                    kind: EventType::RestoreDelete,
                    key,
                    size: Some(found.version.size),
                    etag: Some(&found.version.etag),
                    version_id: (bucket.versioning != Versioning::Never).then(|| found.version.id()),
                    sequencer: &sequencer(&tx),
                };
                self.tell(&tx, &self.ticking(&bucket), &bucket, event).await
            })
            .await
    }
}
