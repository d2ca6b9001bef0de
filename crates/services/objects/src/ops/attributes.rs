//! `GetObjectAttributes`: what is known of a version, without its bytes.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3;

use super::encryption::customer;
use super::{object_arn, page_limit, time};
use crate::Objects;
use crate::body::{check_reader, show};
use crate::error::invalid_argument;
use crate::model::{Body, Version};
use crate::ops::object_tags::shown_id;
use crate::store::Made;

const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

impl Handle<s3::GetObjectAttributes> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectAttributesRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::GetObjectAttributesRequest,
    ) -> Result<s3::GetObjectAttributesOutput, Fault> {
        if let Some(unknown) = input.object_attributes.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            let message = "Invalid attribute name specified.";
            return Err(invalid_argument(message, "x-amz-object-attributes", unknown));
        }
        let asked = |name: &str| input.object_attributes.iter().any(|attribute| attribute == name);
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await;
        let looked = self.told_to(call, &input.bucket, looked).await?;
        let version = looked.found.version;
        check_reader(version.sealed.as_ref().map(|sealed| &sealed.by), customer!(input).as_ref())?;
        let mut output = s3::GetObjectAttributesOutput {
            last_modified: time(version.at_ms),
            version_id: shown_id(&looked.bucket, &version),
            ..s3::GetObjectAttributesOutput::default()
        };
        if asked("ETag") {
            output.e_tag = Some(version.etag.clone());
        }
        if asked("ObjectSize") {
            output.object_size = i64::try_from(version.size).ok();
        }
        if asked("StorageClass") {
            output.storage_class = Some(version.about.class.clone().unwrap_or_else(|| "STANDARD".into()));
        }
        if asked("Checksum") {
            output.checksum = version.checksum.as_ref().map(|checksum| {
                let mut shown =
                    s3::Checksum { checksum_type: Some(checksum.kind().to_owned()), ..s3::Checksum::default() };
                show!(shown, &Some(checksum));
                shown
            });
        }
        if asked("ObjectParts") {
            output.object_parts = self.parts_of(&snapshot, &input, &version).await?;
        }
        Ok(output)
    }
}

impl Objects {
    async fn parts_of(
        &self,
        snapshot: &::store::Snapshot,
        input: &s3::GetObjectAttributesRequest,
        version: &Version,
    ) -> Result<Option<s3::GetObjectAttributesParts>, Fault> {
        let Body::Parts(upload) = &version.body else { return Ok(None) };
        let limit = page_limit(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or_default();
        let skip = usize::try_from(marker).unwrap_or_default();
        // Parts are numbered anew, without the gaps that the upload may have had.
        let all = self.shelf.ends(snapshot, Made { upload, size: version.size }).await?;
        let found = match all.get(skip) {
            Some((first, _)) => self.shelf.parts(snapshot, upload, first.saturating_sub(1), limit).await?,
            None => Vec::new(),
        };
        let parts = found.iter().enumerate().map(|(index, numbered)| {
            let mut part = s3::ObjectPart {
                part_number: i32::try_from(skip + index + 1).ok(),
                size: i64::try_from(numbered.part.size).ok(),
                ..s3::ObjectPart::default()
            };
            show!(part, &numbered.part.checksum);
            part
        });
        let parts: Vec<s3::ObjectPart> = parts.collect();
        let truncated = skip + parts.len() < all.len();
        let next = parts.last().and_then(|part| part.part_number).unwrap_or(marker);
        // Without a checksum that is made of the parts', S3 tells their number alone.
        let composite = version.checksum.as_ref().is_some_and(|checksum| checksum.composite);
        Ok(Some(s3::GetObjectAttributesParts {
            total_parts_count: i32::try_from(all.len()).ok(),
            part_number_marker: composite.then_some(marker),
            next_part_number_marker: composite.then_some(next),
            max_parts: i32::try_from(limit).ok().filter(|_| composite),
            is_truncated: composite.then_some(truncated),
            parts: composite.then_some(parts),
        }))
    }
}
