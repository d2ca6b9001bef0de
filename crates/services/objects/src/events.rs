//! What changes of objects tell: the one place that every change passes, inside its own transaction.

use ::store::Transaction;
use contract::Call;
use delivery::{Acting, Delivery, LaneId, Sender, target};
use wire::s3::NotificationConfiguration;

use crate::error::Error;
use crate::model::Bucket;
use crate::notify::record::Told;
use crate::notify::{self, Entry, Kind};
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
    /// Moved to another storage class by a lifecycle.
    LifecycleTransition {
        /// Which.
        class: &'static str,
    },
    /// Tags were set.
    TaggingPut,
    /// Tags were taken away.
    TaggingDelete,
    /// The access control list was set.
    AclPut,
    /// Somebody asked for an archived object.
    RestorePost {
        /// Of which storage class it is.
        class: &'static str,
    },
    /// It can be read.
    RestoreCompleted {
        /// Of which storage class it is.
        class: &'static str,
        /// Until when.
        until_ms: i64,
    },
    /// Its time is over.
    RestoreDelete,
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
            Self::LifecycleTransition { .. } => "s3:LifecycleTransition",
            Self::TaggingPut => "s3:ObjectTagging:Put",
            Self::TaggingDelete => "s3:ObjectTagging:Delete",
            Self::AclPut => "s3:ObjectAcl:Put",
            Self::RestorePost { .. } => "s3:ObjectRestore:Post",
            Self::RestoreCompleted { .. } => "s3:ObjectRestore:Completed",
            Self::RestoreDelete => "s3:ObjectRestore:Delete",
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
    pub(crate) async fn tell(
        &self,
        tx: &Transaction,
        call: &Call,
        bucket: &Bucket,
        event: Event<'_>,
    ) -> Result<(), Error> {
        let configuration = self.shelf.setting_in::<NotificationConfiguration>(tx, bucket, store::NOTIFICATION).await?;
        let Some(configuration) = configuration else { return Ok(()) };
        let at_ms = self.now_ms();
        let told = Told { bucket: &bucket.name, region: &bucket.region, event, call, at_ms };
        let sender = Sender::of(call, at_ms);
        for entry in notify::entries(&configuration) {
            if entry.wants(event.kind.name(), event.key) {
                delivery::put(tx, &delivery_of(&entry, &told, &sender)?);
            }
        }
        if configuration.event_bridge_configuration.is_some() {
            self.announcer.announce(tx, &sender, told.fact());
        }
        Ok(())
    }
}

/// One record on its way to one destination.
fn delivery_of(entry: &Entry<'_>, told: &Told<'_>, sender: &Sender) -> Result<Delivery, Error> {
    let source = format!("arn:aws:s3:::{}", told.bucket);
    let records = told.records(entry.id.unwrap_or_default()).to_string();
    let acting = Acting::service("s3.amazonaws.com", source.as_str());
    let mut task = target::of_arn(entry.arn, target::Options::new(records, acting, told.at_ms)).map_err(|error| {
        tracing::error!(%error, bucket = told.bucket, "a destination was kept that is none");
        Error::Internal
    })?;
    match entry.kind {
        Kind::Topic => task.input["Subject"] = notify::SUBJECT.into(),
        Kind::Function | Kind::Queue => {}
    }
    let lane = LaneId::any("notification", format!("{source} → {}", entry.arn));
    Ok(Delivery::call(sender.clone(), lane, &task))
}

/// The sequencer of a change that is made in that transaction: whoever changes the same key later has seen this commit, so its
/// snapshot has a greater number.
pub(crate) fn sequencer(tx: &Transaction) -> String {
    format!("{:016X}", tx.snapshot_sequence().number())
}
