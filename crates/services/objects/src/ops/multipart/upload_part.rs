//! `UploadPart`: one part, in the place of one of its number.

use bytes::Bytes;
use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::{Payload, s3};

use super::PARTS_MAX;
use crate::Objects;
use crate::body::{Customer, Intake, Sealing, Wanted, given, show};
use crate::error::{Error, invalid_argument, invalid_request, no_such_upload};
use crate::model::{Part, SealedBy, Upload};
use crate::ops::encryption::{customer, show_seal};
use crate::ops::object_arn;

/// Which part of what.
pub(super) struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
    upload: &'a str,
    number: u32,
}

impl<'a> Place<'a> {
    pub(super) fn new(bucket: &'a str, key: &'a str, upload: &'a str, number: i32) -> Result<Self, Fault> {
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
        let named = input.checksum_algorithm.as_deref();
        let wanted = Wanted::read(input.content_md5.as_deref(), given!(input), named, None)?;
        let wanted = wanted.or_announced(&body.trailers());
        check_algorithm(&upload, &wanted)?;
        let wanted = wanted.or(default_algorithm(&upload));
        let sealing = sealing(&upload, customer!(input))?;
        let part = self.take_part(&place, body, wanted, &sealing).await?;
        let mut output =
            s3::UploadPartOutput { e_tag: Some(format!("\"{}\"", part.etag)), ..s3::UploadPartOutput::default() };
        show_seal!(output, upload.sealed.as_ref());
        show!(output, &part.checksum);
        Ok(output)
    }
}

impl Objects {
    /// The upload, before any of a part is read.
    pub(super) async fn going_on(&self, place: &Place<'_>) -> Result<Upload, Error> {
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, place.bucket).await?;
        self.shelf.upload(&snapshot, place.bucket, place.key, place.upload).await
    }

    pub(super) async fn take_part(
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
        self.put_part(place, &part, &taken.data).await?;
        Ok(part)
    }

    /// Puts a part whose bytes are where it says, or behind its record.
    pub(super) async fn put_part(&self, place: &Place<'_>, part: &Part, data: &Bytes) -> Result<(), Error> {
        self.shelf
            .store
            .transact(|tx| async move {
                let there = self.shelf.upload_in(&tx, place.bucket, place.key, place.upload).await;
                there.map_err(|_| Error::from(no_such_upload(place.upload)))?;
                self.shelf.place_part(&tx, place.upload, place.number, part, data).await
            })
            .await
    }
}

/// How a part is sealed: as its upload said, with the same key as all others.
pub(super) fn sealing(upload: &Upload, customer: Option<Customer>) -> Result<Sealing, Fault> {
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
pub(super) fn default_algorithm(upload: &Upload) -> Option<Algorithm> {
    match &upload.algorithm {
        Some(name) => Algorithm::parse(name),
        None => Some(Algorithm::Crc64Nvme),
    }
}

/// Parts must be summed up as the upload said; where its sum is made of theirs, each says its own.
fn check_algorithm(upload: &Upload, wanted: &Wanted) -> Result<(), Fault> {
    let Some(expected) = upload.algorithm.as_deref() else { return Ok(()) };
    match wanted.named() {
        Some(found) if found == expected => Ok(()),
        None if !upload.composite => Ok(()),
        found => Err(invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.to_ascii_lowercase(),
            found.unwrap_or("null").to_ascii_lowercase()
        ))),
    }
}
