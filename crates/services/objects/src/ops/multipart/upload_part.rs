//! `UploadPart` and `UploadPartCopy`: one part, in the place of one of its number.

use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Payload;
use wire::s3::{self, CopyPartResult};

use super::PARTS_MAX;
use crate::Objects;
use crate::body::{Customer, Intake, Sealing, Wanted, check_reader, given, show};
use crate::conditions::Conditions;
use crate::error::{Error, invalid_argument, invalid_request, no_such_upload, refused};
use crate::model::{Part, SealedBy, Upload};
use crate::ops::copy_object::Source;
use crate::ops::encryption::{customer, show_seal, source_customer};
use crate::ops::{object_arn, time};

/// Which part of what.
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
    upload: &'a str,
    number: u32,
}

impl<'a> Place<'a> {
    fn new(bucket: &'a str, key: &'a str, upload: &'a str, number: i32) -> Result<Self, Fault> {
        match u32::try_from(number) {
            Ok(small) if (1..=PARTS_MAX).contains(&number) => Ok(Self { bucket, key, upload, number: small }),
            _ => {
                let message = format!("Part number must be an integer between 1 and {PARTS_MAX}, inclusive");
                Err(invalid_argument(message, "partNumber", &number.to_string()))
            }
        }
    }
}

impl Handle<s3::UploadPart> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &s3::UploadPartRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, _call: &Call, mut input: s3::UploadPartRequest) -> Result<s3::UploadPartOutput, Fault> {
        let place = Place::new(&input.bucket, &input.key, &input.upload_id, input.part_number)?;
        let upload = self.going_on(&place).await?;
        let body = input.body.take().unwrap_or_default();
        let wanted = Wanted::read(
            input.content_md5.as_deref(),
            given!(input),
            input.checksum_algorithm.as_deref(),
            default_algorithm(&upload),
        )?;
        let wanted = wanted.or_announced(&body.trailers());
        check_algorithm(&upload, &wanted)?;
        let sealing = sealing(&upload, customer!(input))?;
        let part = self.take_part(&place, body, wanted, &sealing).await?;
        let mut output =
            s3::UploadPartOutput { e_tag: Some(format!("\"{}\"", part.etag)), ..s3::UploadPartOutput::default() };
        show_seal!(output, upload.sealed.as_ref());
        show!(output, &part.checksum);
        Ok(output)
    }
}

impl Handle<s3::UploadPartCopy> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &s3::UploadPartCopyRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::UploadPartCopyRequest) -> Result<s3::UploadPartCopyOutput, Fault> {
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
        let (start, end) = match &input.copy_source_range {
            None => (0, version.size),
            Some(range) => stretch(range, version.size)?,
        };
        let payload = self.shelf.read(&snapshot, version, &looked.found.data, from.as_ref(), (start, end)).await?;
        let sealing = sealing(&upload, customer!(input))?;
        let wanted = Wanted::only(default_algorithm(&upload));
        let part = self.take_part(&place, payload, wanted, &sealing).await?;
        let mut result = CopyPartResult {
            e_tag: Some(format!("\"{}\"", part.etag)),
            last_modified: time(part.at_ms),
            ..CopyPartResult::default()
        };
        show!(result, &part.checksum);
        let kept = looked.bucket.versioning != crate::model::Versioning::Never;
        Ok(s3::UploadPartCopyOutput {
            copy_source_version_id: kept.then(|| version.id().to_owned()),
            copy_part_result: Some(result),
            ..s3::UploadPartCopyOutput::default()
        })
    }
}

impl Objects {
    /// The upload, before any of a part is read.
    async fn going_on(&self, place: &Place<'_>) -> Result<Upload, Error> {
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, place.bucket).await?;
        self.shelf.upload(&snapshot, place.bucket, place.key, place.upload).await
    }

    async fn take_part(
        &self,
        place: &Place<'_>,
        payload: Payload,
        wanted: Wanted,
        sealing: &Sealing,
    ) -> Result<Part, Error> {
        let taken = Intake { shelf: &self.shelf, sealing }.take(payload, wanted).await?;
        let part = Part {
            size: taken.size,
            etag: hex::encode(&taken.sums.md5),
            at_ms: self.now_ms(),
            body: taken.body.clone(),
            sealed: taken.sealed.clone(),
            checksum: taken.sums.checksum.clone(),
        };
        let (part_there, taken) = (&part, &taken);
        self.shelf
            .store
            .transact(|tx| async move {
                let there = self.shelf.upload_in(&tx, place.bucket, place.key, place.upload).await;
                there.map_err(|_| Error::from(no_such_upload(place.upload)))?;
                self.shelf.place_part(&tx, place.upload, place.number, part_there, &taken.data).await
            })
            .await?;
        Ok(part)
    }
}

/// How a part is sealed: as its upload said, with the same key as all others.
fn sealing(upload: &Upload, customer: Option<Customer>) -> Result<Sealing, Fault> {
    match (&upload.sealed, customer) {
        (Some(SealedBy::Customer(md5)), Some(customer)) if customer.md5 == *md5 => Ok(Sealing::Customer(customer)),
        (Some(SealedBy::Customer(_)), _) => Err(invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
             encryption parameters.",
        )),
        (_, Some(_)) => Err(invalid_request("The multipart upload initiate did not request encryption with that key.")),
        (Some(SealedBy::Kms(key)), None) => Ok(Sealing::Kms(key.clone())),
        (Some(SealedBy::Node) | None, None) => Ok(Sealing::Node),
    }
}

/// What is kept of a part of which nothing is said.
fn default_algorithm(upload: &Upload) -> Option<Algorithm> {
    match &upload.algorithm {
        Some(name) => Algorithm::parse(name),
        None => Some(Algorithm::Crc64Nvme),
    }
}

/// Parts must be summed up as the upload said.
fn check_algorithm(upload: &Upload, wanted: &Wanted) -> Result<(), Fault> {
    match (&upload.algorithm, wanted.named()) {
        (Some(expected), Some(found)) if *expected != found => Err(invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.to_ascii_lowercase(),
            found.to_ascii_lowercase()
        ))),
        _ => Ok(()),
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
