//! Uploads in parts. A part is taken in like an object; completing makes the object of the list of them, in one transaction.

mod complete;
mod create;
mod list;
mod upload_part;
pub(super) mod upload_part_copy;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{AbortMultipartUpload, AbortMultipartUploadOutput, AbortMultipartUploadRequest};

use super::object_arn;
use crate::Objects;
use crate::error::Error;
use crate::store::upload_key;

/// The most parts.
const PARTS_MAX: i32 = 10_000;

impl Handle<AbortMultipartUpload> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &AbortMultipartUploadRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        _call: &Call,
        input: AbortMultipartUploadRequest,
    ) -> Result<AbortMultipartUploadOutput, Fault> {
        self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        self.abort(&input.bucket, &input.key, &input.upload_id).await?;
        Ok(AbortMultipartUploadOutput::default())
    }
}

impl Objects {
    /// Ends an upload, and takes its parts away.
    pub(crate) async fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
        self.shelf
            .store
            .transact(|tx| async move {
                self.shelf.upload_in(&tx, bucket, key, upload).await?;
                tx.delete(upload_key(bucket, key, upload));
                self.shelf.release_parts(&tx, upload).await
            })
            .await
    }
}
