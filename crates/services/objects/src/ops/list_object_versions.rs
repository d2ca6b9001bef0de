//! `ListObjectVersions`: every version and delete marker of a bucket, keys in order, of each the newest first.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{
    self, CommonPrefix, DeleteMarkerEntry, ListObjectVersionsOutput, ListObjectVersionsRequest, ObjectVersion,
};

use super::restore_object::Beside;
use super::{Shown, bucket_arn, owner, page_limit, time};
use crate::Objects;
use crate::error::invalid_argument;
use crate::listing::{self, Asked, Line};

impl Handle<s3::ListObjectVersions> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListBucketVersions");

    fn resource(&self, _call: &Call, input: &ListObjectVersionsRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(&self, call: &Call, input: ListObjectVersionsRequest) -> Result<ListObjectVersionsOutput, Fault> {
        let shown = Shown::asked(input.encoding_type.as_deref())?;
        let beside = Beside::asked(input.optional_object_attributes.as_deref(), self.now_ms())?;
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, &input.bucket).await?;
        let limit = page_limit(input.max_keys, "max-keys")?;
        let asked = Asked {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone().unwrap_or_default(),
            limit,
        };
        let after = match input.version_id_marker.as_deref().filter(|id| !id.is_empty()) {
            None => None,
            Some(id) if input.key_marker.is_none() => {
                let message = "A version-id marker cannot be specified without a key marker.";
                return Err(invalid_argument(message, "version-id-marker", id));
            }
            // Whoever deletes what a page shows before asking for the next one names a version that is gone.
            Some(id) => Some(self.shelf.order_of(&snapshot, &input.bucket, &asked.after, id).await?),
        };
        let page = listing::versions(&snapshot, &input.bucket, &asked, after).await?;
        let mut output = ListObjectVersionsOutput {
            is_truncated: Some(page.truncated),
            key_marker: Some(shown.text(&asked.after)),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            name: Some(input.bucket),
            prefix: Some(shown.text(&asked.prefix)),
            delimiter: shown.some(input.delimiter.as_deref()),
            max_keys: i32::try_from(limit).ok(),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        };
        match page.lines.last().filter(|_| page.truncated) {
            Some(Line::Version(key, version, _)) => {
                output.next_key_marker = Some(shown.text(key));
                output.next_version_id_marker = Some(version.id().to_owned());
            }
            Some(Line::Prefix(prefix)) => output.next_key_marker = Some(shown.text(prefix)),
            None => {}
        }
        fill(&mut output, page.lines, (shown, beside), &owner(call));
        Ok(output)
    }
}

fn fill(output: &mut ListObjectVersionsOutput, lines: Vec<Line>, (shown, beside): (Shown, Beside), owner: &s3::Owner) {
    for line in lines {
        match line {
            Line::Version(key, version, latest) if version.marker => {
                output.delete_markers.get_or_insert_default().push(DeleteMarkerEntry {
                    owner: Some(owner.clone()),
                    key: Some(shown.text(&key)),
                    version_id: Some(version.id().to_owned()),
                    is_latest: Some(latest),
                    last_modified: time(version.at_ms),
                });
            }
            Line::Version(key, version, latest) => output.versions.get_or_insert_default().push(ObjectVersion {
                e_tag: Some(version.quoted_etag()),
                checksum_algorithm: version.checksum.as_ref().map(|checksum| vec![checksum.algorithm.clone()]),
                checksum_type: version.checksum.as_ref().map(|checksum| checksum.kind().to_owned()),
                size: i64::try_from(version.size).ok(),
                storage_class: Some(version.about.class.clone().unwrap_or_else(|| "STANDARD".into())),
                key: Some(shown.text(&key)),
                version_id: Some(version.id().to_owned()),
                is_latest: Some(latest),
                last_modified: time(version.at_ms),
                owner: Some(owner.clone()),
                restore_status: beside.of(&version),
            }),
            Line::Prefix(prefix) => {
                output.common_prefixes.get_or_insert_default().push(CommonPrefix { prefix: Some(shown.text(&prefix)) });
            }
        }
    }
}
