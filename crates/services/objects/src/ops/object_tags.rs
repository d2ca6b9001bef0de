//! `PutObjectTagging`, `GetObjectTagging`, `DeleteObjectTagging`: tags of a version that is there.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3;

use super::about::TAGS_MAX;
use super::configurations::tag_map;
use super::object_arn;
use crate::Objects;
use crate::error::Error;
use crate::events::{Event, EventType, sequencer};
use crate::model::{Bucket, Version, Versioning};

/// Which version something is said of.
#[derive(Clone, Copy)]
pub(crate) struct Which<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: Option<&'a str>,
}

/// The id as answers show it.
pub(crate) fn shown_id(bucket: &Bucket, version: &Version) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| version.id().to_owned())
}

impl Objects {
    /// Changes what is said of a version that is there, and tells of it as `told` says.
    pub(crate) async fn say(
        &self,
        which: Which<'_>,
        (call, told): (&Call, &[EventType]),
        change: impl Fn(&Bucket, &mut Version) -> Result<(), Fault> + Sync,
    ) -> Result<Option<String>, Error> {
        // Whoever names nothing that is there is told in the readers' words.
        let looked = self.look(&self.shelf.snapshot(), which.bucket, which.key, which.version).await?;
        let (id, change) = (&looked.found.version.id().to_owned(), &change);
        self.shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, which.bucket).await?;
                let found = match which.version {
                    Some(_) => self.shelf.version_in(&tx, which.bucket, which.key, id).await?,
                    None => self.shelf.current_in(&tx, which.bucket, which.key).await?,
                };
                let mut found = found.ok_or_else(|| crate::error::no_such_key(which.key))?;
                let restored_ms = found.version.restored_until_ms;
                change(&bucket, &mut found.version)?;
                if found.version.restored_until_ms != restored_ms {
                    self.shelf.note_restore(&tx, (which.bucket, which.key), restored_ms, &found.version);
                }
                self.shelf.rewrite(&tx, which.bucket, which.key, &found)?;
                let shown = shown_id(&bucket, &found.version);
                for kind in told {
                    let event = Event {
                        kind: *kind,
                        key: which.key,
                        size: None,
                        etag: Some(&found.version.etag),
                        version_id: shown.as_deref(),
                        sequencer: &sequencer(&tx),
                    };
                    self.tell(&tx, call, &bucket, event).await?;
                }
                Ok(shown)
            })
            .await
    }
}

macro_rules! which {
    ($input:expr) => {
        crate::ops::object_tags::Which {
            bucket: &$input.bucket,
            key: &$input.key,
            version: $input.version_id.as_deref(),
        }
    };
}

pub(super) use which;

impl Handle<s3::PutObjectTagging> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::PutObjectTaggingRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::PutObjectTaggingRequest,
    ) -> Result<s3::PutObjectTaggingOutput, Fault> {
        let tags = tag_map(&input.tagging.tag_set, TAGS_MAX)?;
        let set = |_: &Bucket, version: &mut Version| {
            version.about.tags.clone_from(&tags);
            Ok(())
        };
        let version_id = self.say(which!(input), (call, &[EventType::TaggingPut]), set).await?;
        Ok(s3::PutObjectTaggingOutput { version_id })
    }
}

impl Handle<s3::DeleteObjectTagging> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &s3::DeleteObjectTaggingRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::DeleteObjectTaggingRequest,
    ) -> Result<s3::DeleteObjectTaggingOutput, Fault> {
        let clear = |_: &Bucket, version: &mut Version| {
            version.about.tags = BTreeMap::new();
            Ok(())
        };
        let version_id = self.say(which!(input), (call, &[EventType::TaggingDelete]), clear).await?;
        Ok(s3::DeleteObjectTaggingOutput { version_id })
    }
}

impl Handle<s3::GetObjectTagging> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectTaggingRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::GetObjectTaggingRequest,
    ) -> Result<s3::GetObjectTaggingOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await;
        let looked = self.told_to(call, &input.bucket, looked).await?;
        let version = looked.found.version;
        let version_id = shown_id(&looked.bucket, &version);
        let tag_set = version.about.tags.into_iter().map(|(key, value)| s3::Tag { key, value }).collect();
        Ok(s3::GetObjectTaggingOutput { version_id, tag_set })
    }
}
