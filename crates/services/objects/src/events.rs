//! What changes of objects tell: the one place that every change passes, inside its own transaction.

use ::store::Transaction;

use crate::error::Error;
use crate::model::Bucket;
use crate::{Objects, store};

/// What kind of change, by S3's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Put by a request.
    Put,
    /// Put by a form.
    Post,
    /// Copied.
    Copy,
    /// Made of parts.
    CompleteMultipartUpload,
    /// Deleted for good.
    Delete,
    /// Hidden by a delete marker.
    DeleteMarkerCreated,
    /// Deleted by a lifecycle.
    LifecycleDelete,
    /// Hidden by a lifecycle.
    LifecycleDeleteMarkerCreated,
    /// Tags were set.
    TaggingPut,
    /// Tags were taken away.
    TaggingDelete,
    /// The access control list was set.
    AclPut,
}

impl EventType {
    /// `s3:ObjectCreated:Put`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "s3:ObjectCreated:Put",
            Self::Post => "s3:ObjectCreated:Post",
            Self::Copy => "s3:ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "s3:ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "s3:ObjectRemoved:Delete",
            Self::DeleteMarkerCreated => "s3:ObjectRemoved:DeleteMarkerCreated",
            Self::LifecycleDelete => "s3:LifecycleExpiration:Delete",
            Self::LifecycleDeleteMarkerCreated => "s3:LifecycleExpiration:DeleteMarkerCreated",
            Self::TaggingPut => "s3:ObjectTagging:Put",
            Self::TaggingDelete => "s3:ObjectTagging:Delete",
            Self::AclPut => "s3:ObjectAcl:Put",
        }
    }
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// What kind.
    pub kind: EventType,
    /// The key, as it is.
    pub key: &'a str,
    /// The object's length; none where it is gone.
    pub size: Option<u64>,
    /// Without quotes; none where it is gone.
    pub etag: Option<&'a str>,
    /// The version; none where the bucket keeps none.
    pub version_id: Option<&'a str>,
    /// Greater for later changes of the same key, compared as text.
    pub sequencer: &'a str,
}

impl Objects {
    /// Tells of a change, in the transaction that makes it. What nobody asked for costs a look at the bucket.
    pub(crate) async fn tell(&self, tx: &Transaction, bucket: &Bucket, event: Event<'_>) -> Result<(), Error> {
        if !bucket.has.contains(store::NOTIFICATION) {
            return Ok(());
        }
        tracing::debug!(bucket = bucket.name, key = event.key, event = event.kind.name(), "an object changed");
        let _ = tx;
        Ok(())
    }
}

/// The sequencer of a change that is made in that transaction: whoever changes the same key later has seen this commit, so its
/// snapshot has a greater number.
pub(crate) fn sequencer(tx: &Transaction) -> String {
    format!("{:016X}", tx.snapshot_sequence().number())
}
