//! `UploadPartCopy`: a part that is a stretch of an object. One that is all of a blob, as parts that were put by the same client are, is
//! not written anew: the blob is referred to once more.

use ::store::Snapshot;
use bytes::Bytes;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{CopyPartResult, UploadPartCopy, UploadPartCopyOutput, UploadPartCopyRequest};

use super::upload_part::{Place, default_algorithm, sealing};
use crate::Objects;
use crate::body::{Sealing, Wanted, check_reader, show, sum_up};
use crate::conditions::Conditions;
use crate::error::{Error, invalid_argument, invalid_request, refused};
use crate::model::{Body, Part, Version};
use crate::ops::copy_object::{COPY_BYTES_MAX, Source};
use crate::ops::encryption::{customer, show_seal, source_customer};
use crate::ops::{object_arn, time};
use crate::store::Made;

impl Handle<UploadPartCopy> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &UploadPartCopyRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: UploadPartCopyRequest) -> Result<UploadPartCopyOutput, Fault> {
        let place = Place::new(&input.bucket, &input.key, &input.upload_id, input.part_number)?;
        let upload = self.going_on(&place).await?;
        let source = Source::parse(&input.copy_source)?;
        let snapshot = self.shelf.snapshot();
        let looked = self.look_at_source(call, &snapshot, &source).await?;
        let version = &looked.found.version;
        let conditions = Conditions {
            if_match: input.copy_source_if_match.as_deref(),
            if_none_match: input.copy_source_if_none_match.as_deref(),
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let from = source_customer!(input);
        check_reader(version.sealed.as_ref().map(|sealed| &sealed.by), from.as_ref())?;
        conditions.check_copy(version)?;
        let stretch = match &input.copy_source_range {
            None => (0, version.size),
            Some(range) => stretch(range, version.size)?,
        };
        check_length(stretch.1 - stretch.0)?;
        let sealing = sealing(&upload, customer!(input))?;
        let wanted = default_algorithm(&upload);
        let read = || self.shelf.read(&snapshot, version, &looked.found.data, from.as_ref(), stretch);
        let part = match self.whole(&snapshot, version, stretch, &sealing).await? {
            Some(whole) => {
                let _until_referred_to = self.shelf.hold(&whole.body).await?;
                let known = whole.checksum.as_ref().filter(|checksum| !checksum.composite);
                let part = match known.and_then(|checksum| checksum.algorithm()) == wanted {
                    true => whole,
                    false => Part { checksum: sum_up(read().await?, Wanted::only(wanted)).await?.checksum, ..whole },
                };
                self.put_part(&place, &part, &Bytes::new()).await?;
                part
            }
            None => self.take_part(&place, read().await?, Wanted::only(wanted), &sealing).await?,
        };
        let mut result = CopyPartResult {
            e_tag: Some(format!("\"{}\"", part.etag)),
            last_modified: time(part.at_ms),
            ..CopyPartResult::default()
        };
        show!(result, &part.checksum);
        let kept = looked.bucket.versioning != crate::model::Versioning::Never;
        let mut output = UploadPartCopyOutput {
            copy_source_version_id: kept.then(|| version.id().to_owned()),
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        };
        show_seal!(output, upload.sealed.as_ref());
        Ok(output)
    }
}

impl Objects {
    /// A part that lies where the stretch lies already: all of one blob, that is sealed as the upload's parts are to be.
    async fn whole(
        &self,
        snapshot: &Snapshot,
        version: &Version,
        stretch: (u64, u64),
        sealing: &Sealing,
    ) -> Result<Option<Part>, Error> {
        let kept = match &version.body {
            Body::Parts(upload) => self.shelf.part_at(snapshot, Made { upload, size: version.size }, stretch).await?,
            Body::Blob { .. } if stretch == (0, version.size) => Some(Part {
                size: version.size,
                etag: version.etag.clone(),
                at_ms: 0,
                body: version.body.clone(),
                sealed: version.sealed.clone(),
                checksum: version.checksum.clone(),
            }),
            Body::Blob { .. } | Body::Inline | Body::Beside(_) => None,
        };
        let same_key = |part: &Part| match sealing {
            Sealing::Node | Sealing::Kms(_) => part.sealed.as_ref().is_some_and(|sealed| sealed.by == sealing.by()),
            Sealing::Customer(_) => false,
        };
        Ok(kept.filter(same_key).and_then(|part| match &part.body {
            Body::Blob { id, .. } => {
                let body = Body::Blob { id: id.clone(), owner: self.shelf.fresh_id() };
                Some(Part { body, at_ms: self.now_ms(), ..part })
            }
            Body::Inline | Body::Beside(_) | Body::Parts(_) => None,
        }))
    }
}

fn check_length(bytes: u64) -> Result<(), Fault> {
    match bytes {
        0..=COPY_BYTES_MAX => Ok(()),
        _ => Err(invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}"
        ))),
    }
}

/// `bytes=first-last`, which must lie inside the source.
pub(in crate::ops) fn stretch(range: &str, size: u64) -> Result<(u64, u64), Fault> {
    let wrong = || {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                       zero-based offsets of the first and last bytes to copy";
        invalid_argument(message, "x-amz-copy-source-range", range)
    };
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(wrong)?;
    let first: u64 = first.parse().map_err(|_| wrong())?;
    let last: u64 = last.parse().map_err(|_| wrong())?;
    match (first, last) {
        (first, last) if first > last => Err(wrong()),
        (_, last) if last >= size => {
            let message = format!("Range specified is not valid for source object of size: {size}");
            Err(refused(400, "InvalidArgument", message)
                .with("ArgumentName", "x-amz-copy-source-range")
                .with("ArgumentValue", range))
        }
        (first, last) => Ok((first, last + 1)),
    }
}
