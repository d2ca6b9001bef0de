//! `CompleteMultipartUpload`: the parts that the client lists become the object; others go away. Done
//! again, it gives the same.

use std::collections::BTreeMap;

use ::store::Transaction;
use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{CompleteMultipartUpload, CompleteMultipartUploadOutput, CompleteMultipartUploadRequest, CompletedPart};

use super::PARTS_MAX;
use crate::Objects;
use crate::body::{given, show};
use crate::conditions::check_put;
use crate::error::{Error, bad_digest, invalid_request, malformed_xml, refused};
use crate::events::{Event, EventType, sequencer};
use crate::model::{Body, Bucket, Checksum, Part, Sealed, SealedBy, Upload, Version};
use crate::ops::object_arn;
use crate::ops::object_tags::shown_id;
use crate::store::upload_key;

/// The smallest part but for the last.
const PART_BYTES_MIN: u64 = 5 << 20;
/// The largest object.
const OBJECT_BYTES_MAX: u64 = 50 << 40;

impl Handle<CompleteMultipartUpload> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &CompleteMultipartUploadRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(
        &self,
        call: &Call,
        input: CompleteMultipartUploadRequest,
    ) -> Result<CompleteMultipartUploadOutput, Fault> {
        check_list(listed(&input))?;
        let (input_there, at_ms) = (&input, self.now_ms());
        let made = self.shelf.store.transact(|tx| async move {
            let input = input_there;
            let bucket = self.shelf.bucket_in(&tx, &input.bucket).await?;
            let made = match self.shelf.upload_in(&tx, &input.bucket, &input.key, &input.upload_id).await {
                Ok(upload) => self.complete(&tx, call, &bucket, input, &upload, at_ms).await?,
                Err(Error::Refused(fault)) => {
                    self.completed(&tx, &bucket, input).await?.ok_or(Error::Refused(fault))?
                }
                Err(other) => return Err(other),
            };
            Ok((bucket, made))
        });
        let (bucket, (version, id)) = made.await?;
        let expiration = self.expiry(&bucket, &input.key, &version).await?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("{}/{}/{}", call.base_url(), input.bucket, input.key)),
            e_tag: Some(version.quoted_etag()),
            version_id: id,
            expiration,
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CompleteMultipartUploadOutput::default()
        };
        let by = version.sealed.as_ref().map(|sealed| &sealed.by).filter(|by| !matches!(by, SealedBy::Customer(_)));
        if let Some(by) = by {
            output.server_side_encryption = Some(if *by == SealedBy::Node { "AES256" } else { "aws:kms" }.into());
        }
        show!(output, &version.checksum);
        output.checksum_type = version.checksum.as_ref().map(|checksum| checksum.kind().to_owned());
        Ok(output)
    }
}

impl Objects {
    /// Makes the object of the parts that are listed, and takes the others away.
    async fn complete(
        &self,
        tx: &Transaction,
        call: &Call,
        bucket: &Bucket,
        input: &CompleteMultipartUploadRequest,
        upload: &Upload,
        at_ms: i64,
    ) -> Result<(Version, Option<String>), Error> {
        let listed = listed(input);
        let current = self.shelf.current_in(tx, &input.bucket, &input.key).await?;
        let (if_match, if_none_match) = (input.if_match.as_deref(), input.if_none_match.as_deref());
        check_put(current.as_ref().map(|found| &found.version), &input.key, if_match, if_none_match)?;
        let mut there = BTreeMap::new();
        for part in self.shelf.parts_in(tx, &input.upload_id).await? {
            there.insert(part.number, part);
        }
        let mut parts = Vec::with_capacity(listed.len());
        for wanted in listed {
            let part = there.remove(&number(wanted)).ok_or_else(|| invalid_part(input, wanted))?.part;
            check_part(input, wanted, &part)?;
            check_is_summed(upload, wanted)?;
            parts.push(part);
        }
        check_sizes(&parts, listed)?;
        // What was put and is not listed.
        for part in there.values() {
            self.shelf.remove_part(tx, &input.upload_id, part).await?;
        }
        tx.delete(upload_key(&input.bucket, &input.key, &input.upload_id));
        let version = whole(input, upload, &parts, at_ms)?;
        let placed = self.shelf.place(tx, bucket, &input.key, version.clone(), &bytes::Bytes::new()).await?;
        let event = Event {
            kind: EventType::CompleteMultipartUpload,
            key: &input.key,
            size: Some(version.size),
            etag: Some(&version.etag),
            version_id: placed.id.as_deref(),
            sequencer: &sequencer(tx),
        };
        self.tell(tx, call, bucket, event).await?;
        Ok((version, placed.id))
    }

    /// What completing with these parts gave before, for a client that missed the answer: as long as the object stands, nothing is
    /// changed, and nobody is told again. Conditions were held to then; the object itself would break them now.
    async fn completed(
        &self,
        tx: &Transaction,
        bucket: &Bucket,
        input: &CompleteMultipartUploadRequest,
    ) -> Result<Option<(Version, Option<String>)>, Error> {
        let found = self.shelf.completed_in(tx, &input.bucket, &input.key, &input.upload_id).await?;
        let Some(version) = found else { return Ok(None) };
        let (parts, listed) = (self.shelf.parts_in(tx, &input.upload_id).await?, listed(input));
        let is_same = parts.len() == listed.len()
            && parts
                .iter()
                .zip(listed)
                .all(|(part, wanted)| part.number == number(wanted) && check_part(input, wanted, &part.part).is_ok());
        let id = shown_id(bucket, &version);
        Ok(is_same.then_some((version, id)))
    }
}

/// The parts that the client lists.
fn listed(input: &CompleteMultipartUploadRequest) -> &[CompletedPart] {
    input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_deref()).unwrap_or_default()
}

fn number(wanted: &CompletedPart) -> u32 {
    wanted.part_number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

fn check_list(listed: &[CompletedPart]) -> Result<(), Fault> {
    if listed.is_empty() || listed.len() > PARTS_MAX as usize {
        return Err(malformed_xml());
    }
    let numbers: Vec<i32> = listed.iter().map(|part| part.part_number.unwrap_or_default()).collect();
    if !numbers.is_sorted_by(|one, two| one < two) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(refused(400, "InvalidPartOrder", message));
    }
    Ok(())
}

fn check_part(input: &CompleteMultipartUploadRequest, wanted: &CompletedPart, part: &Part) -> Result<(), Fault> {
    let etag = wanted.e_tag.as_deref().unwrap_or_default().trim_matches('"');
    if etag != part.etag {
        return Err(invalid_part(input, wanted));
    }
    for (algorithm, value) in given!(wanted) {
        let Some(value) = value else { continue };
        let kept = part.checksum.as_ref().filter(|checksum| checksum.algorithm() == Some(algorithm));
        if kept.is_none_or(|kept| kept.value != *value) {
            return Err(invalid_part(input, wanted));
        }
    }
    Ok(())
}

/// A checksum that is made of the parts' is as good as the client's own list of them.
fn check_is_summed(upload: &Upload, wanted: &CompletedPart) -> Result<(), Fault> {
    let Some(name) = upload.algorithm.as_deref().filter(|_| upload.composite) else { return Ok(()) };
    let algorithm = Algorithm::parse(name);
    if given!(wanted).into_iter().any(|(known, value)| value.is_some() && Some(known) == algorithm) {
        return Ok(());
    }
    Err(invalid_request(format!(
        "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was \
         missing for part {} in the request.",
        name.to_ascii_lowercase(),
        number(wanted)
    )))
}

/// All parts but the last have a least size.
fn check_sizes(parts: &[Part], listed: &[CompletedPart]) -> Result<(), Fault> {
    let mut all_but_last = parts.iter().zip(listed).take(parts.len().saturating_sub(1));
    match all_but_last.find(|(part, _)| part.size < PART_BYTES_MIN) {
        Some((part, wanted)) => {
            Err(refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
                .with("ProposedSize", part.size.to_string())
                .with("MinSizeAllowed", PART_BYTES_MIN.to_string())
                .with("PartNumber", wanted.part_number.unwrap_or_default().to_string())
                .with("ETag", part.etag.as_str()))
        }
        None => Ok(()),
    }
}

fn invalid_part(input: &CompleteMultipartUploadRequest, wanted: &CompletedPart) -> Fault {
    let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
                   specified entity tag may not match the part's entity tag.";
    refused(400, "InvalidPart", message)
        .with("UploadId", input.upload_id.as_str())
        .with("PartNumber", wanted.part_number.unwrap_or_default().to_string())
        .with("ETag", wanted.e_tag.as_deref().unwrap_or_default().trim_matches('"'))
}

/// The object that the parts make.
fn whole(
    input: &CompleteMultipartUploadRequest,
    upload: &Upload,
    parts: &[Part],
    at_ms: i64,
) -> Result<Version, Fault> {
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if size > OBJECT_BYTES_MAX {
        return Err(refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."));
    }
    if input.mpu_object_size.is_some_and(|said| u64::try_from(said) != Ok(size)) {
        let message = "The provided 'x-amz-mp-object-size' header value does not match what was computed.";
        return Err(invalid_request(message));
    }
    let mut md5s = Vec::with_capacity(parts.len() * 16);
    for part in parts {
        md5s.extend(hex::decode(&part.etag).unwrap_or_default());
    }
    let etag = format!("{}-{}", hex::encode(checksum::of(Algorithm::Md5, &md5s)), parts.len());
    let checksum = sum(upload, parts);
    check_sum(input, checksum.as_ref())?;
    Ok(Version {
        at_ms,
        size,
        etag,
        body: Body::Parts(input.upload_id.clone()),
        sealed: upload.sealed.clone().map(|by| Sealed { salt: String::new(), by }),
        about: upload.about.clone(),
        checksum,
        parts: u32::try_from(parts.len()).ok(),
        retention: upload.retention.clone(),
        legal_hold: upload.legal_hold,
        ..Version::default()
    })
}

/// The object's checksum, from its parts': of those that are combined the combination, else the checksum of all of them.
fn sum(upload: &Upload, parts: &[Part]) -> Option<Checksum> {
    let algorithm = match &upload.algorithm {
        Some(name) => Algorithm::parse(name)?,
        None => Algorithm::Crc64Nvme,
    };
    let decoded = parts.iter().map(|part| {
        let checksum = part.checksum.as_ref().filter(|checksum| checksum.algorithm() == Some(algorithm))?;
        Some((algorithm.decode(&checksum.value)?, part.size))
    });
    let decoded: Vec<(Vec<u8>, u64)> = decoded.collect::<Option<_>>()?;
    let value = if upload.composite {
        let all: Vec<u8> = decoded.iter().flat_map(|(value, _)| value.iter().copied()).collect();
        format!("{}-{}", checksum::encode(&checksum::of(algorithm, &all)), parts.len())
    } else {
        let mut all = decoded.into_iter();
        let (first, _) = all.next()?;
        let whole = all.try_fold(first, |whole, (value, size)| algorithm.combine(&whole, &value, size))?;
        checksum::encode(&whole)
    };
    Some(Checksum { algorithm: algorithm.name().into(), value, composite: upload.composite })
}

/// What the client says that the whole is.
fn check_sum(input: &CompleteMultipartUploadRequest, computed: Option<&Checksum>) -> Result<(), Fault> {
    if let (Some(said), Some(computed)) = (input.checksum_type.as_deref(), computed)
        && said != computed.kind()
    {
        return Err(invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            computed.kind()
        )));
    }
    for (algorithm, value) in given!(input) {
        let Some(value) = value else { continue };
        let fits = computed.is_some_and(|computed| {
            let bare = computed.value.split('-').next().unwrap_or_default();
            computed.algorithm() == Some(algorithm) && (computed.value == *value || bare == value)
        });
        if !fits {
            return Err(bad_digest(algorithm.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &[u8], algorithm: Algorithm) -> Part {
        let value = checksum::encode(&checksum::of(algorithm, bytes));
        Part {
            size: bytes.len() as u64,
            etag: hex::encode(checksum::of(Algorithm::Md5, bytes)),
            checksum: Some(Checksum { algorithm: algorithm.name().into(), value, composite: false }),
            ..Part::default()
        }
    }

    #[test]
    fn wholes_are_summed_from_parts() {
        let bytes = [vec![1_u8; 1000], vec![2_u8; 70]];
        for algorithm in Algorithm::ALL {
            let parts: Vec<Part> = bytes.iter().map(|bytes| part(bytes, algorithm)).collect();
            let upload =
                |composite| Upload { algorithm: Some(algorithm.name().into()), composite, ..Upload::default() };
            let full = sum(&upload(false), &parts).map(|sum| sum.value);
            let expected = checksum::encode(&checksum::of(algorithm, &bytes.concat()));
            assert_eq!(full, algorithm.is_crc().then_some(expected), "{algorithm}");
            let composite = sum(&upload(true), &parts).map(|sum| sum.value).unwrap_or_default();
            assert!(composite.ends_with("-2"), "{composite}");
        }
    }

    #[test]
    fn sums_of_sums_need_each_of_them() {
        let sum = Some("x".to_owned());
        let bare = CompletedPart { part_number: Some(2), ..CompletedPart::default() };
        let other = CompletedPart { checksum_crc32: sum.clone(), ..bare.clone() };
        let right = CompletedPart { checksum_sha256: sum, ..other.clone() };
        for (algorithm, composite, wanted, expected) in [
            (Some("SHA256"), true, &right, true),
            (Some("SHA256"), true, &other, false),
            (Some("SHA256"), true, &bare, false),
            (Some("CRC32"), true, &right, true),
            (Some("CRC32"), false, &bare, true),
            (None, false, &bare, true),
        ] {
            let upload = Upload { algorithm: algorithm.map(str::to_owned), composite, ..Upload::default() };
            let found = check_is_summed(&upload, wanted).map_err(|fault| (fault.code, fault.message));
            let refused = "The upload was created using a sha256 checksum. The complete request must include the checksum for each \
                           part. It was missing for part 2 in the request.";
            let expected = if expected { Ok(()) } else { Err(("InvalidRequest".to_owned(), refused.to_owned())) };
            assert_eq!(found, expected, "{algorithm:?} {composite} {wanted:?}");
        }
    }

    #[test]
    fn lists_are_in_order() {
        let list = |numbers: &[i32]| -> Vec<CompletedPart> {
            numbers
                .iter()
                .map(|number| CompletedPart { part_number: Some(*number), ..CompletedPart::default() })
                .collect()
        };
        for (numbers, code) in [
            (&[1, 2, 9][..], None),
            (&[], Some("MalformedXML")),
            (&[2, 1], Some("InvalidPartOrder")),
            (&[1, 1], Some("InvalidPartOrder")),
        ] {
            assert_eq!(check_list(&list(numbers)).err().map(|fault| fault.code).as_deref(), code, "{numbers:?}");
        }
    }
}
