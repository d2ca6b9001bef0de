//! `GetObject` and `HeadObject`: a version, or a stretch of it.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use wire::s3;

use super::about::describe;
use super::encryption::customer;
use super::object_arn;
use super::restore_object::restored;
use crate::Objects;
use crate::body::{check_reader, show};
use crate::conditions::Conditions;
use crate::error::{Error, invalid_argument, no_such_key, refused};
use crate::model::{Body, Bucket, Checksum, Version, Versioning};
use crate::store::{Found, Made, missing_version};

/// What is read of a version.
pub(crate) struct Looked {
    pub(crate) bucket: Bucket,
    pub(crate) found: Found,
}

/// A stretch of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether less than all was asked for.
    partial: bool,
}

impl Objects {
    /// The version that a reader means; a fault in S3's words where there is none.
    pub(crate) async fn look(
        &self,
        snapshot: &::store::Snapshot,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Looked, Error> {
        let bucket = self.shelf.bucket(snapshot, bucket).await?;
        match version_id {
            Some(id) => {
                let found = self.shelf.version(snapshot, &bucket.name, key, id).await?;
                let found = found.ok_or_else(|| missing_version(key, id))?;
                if found.version.marker {
                    let message = "The specified method is not allowed against this resource.";
                    let fault = refused(405, "MethodNotAllowed", message)
                        .with("Method", "GET")
                        .with("ResourceType", "DeleteMarker")
                        .with("allow", "DELETE")
                        .with("x-amz-delete-marker", "true")
                        .with("x-amz-version-id", found.version.id());
                    return Err(fault.into());
                }
                Ok(Looked { bucket, found })
            }
            None => match self.shelf.current(snapshot, &bucket.name, key).await? {
                Some(found) => Ok(Looked { bucket, found }),
                None => Err(self.hidden(snapshot, &bucket, key).await?.into()),
            },
        }
    }

    /// The fault for a key without a current version: that it is hidden is said too.
    async fn hidden(&self, snapshot: &::store::Snapshot, bucket: &Bucket, key: &str) -> Result<Fault, Error> {
        let fault = no_such_key(key);
        if bucket.versioning == Versioning::Never {
            return Ok(fault);
        }
        let marker = self.shelf.newest_other(snapshot, &bucket.name, key).await?;
        Ok(match marker.filter(|found| found.version.marker) {
            Some(found) => fault.with("x-amz-delete-marker", "true").with("x-amz-version-id", found.version.id()),
            None => fault,
        })
    }

    /// The stretch of a version that a range or a part's number means.
    async fn stretch(
        &self,
        snapshot: &::store::Snapshot,
        version: &Version,
        range: Option<&str>,
        part: Option<i32>,
    ) -> Result<Stretch, Error> {
        let whole = Stretch { start: 0, end: version.size, partial: false };
        match (range, part) {
            (Some(_), Some(_)) => {
                let message = "Cannot specify both Range header and partNumber query parameter";
                Err(refused(400, "InvalidRequest", message).into())
            }
            (Some(range), None) => Ok(cut(range, version.size)?.unwrap_or(whole)),
            (None, Some(number)) => self.stretch_of_part(snapshot, version, number).await,
            (None, None) => Ok(whole),
        }
    }

    /// The checksum of what is read, where one is known: of all of a version, or of one of its parts.
    async fn sum(
        &self,
        snapshot: &::store::Snapshot,
        version: &Version,
        stretch: Stretch,
        part: Option<i32>,
    ) -> Result<Option<Checksum>, Error> {
        match (&version.body, part.and_then(|number| usize::try_from(number).ok())) {
            (Body::Parts(upload), Some(number)) => {
                let ends = self.shelf.ends(snapshot, Made { upload, size: version.size }).await?;
                let Some((number, _)) = ends.get(number.saturating_sub(1)) else { return Ok(None) };
                let part = self.shelf.parts(snapshot, upload, number.saturating_sub(1), 1).await?.pop();
                Ok(part.and_then(|numbered| numbered.part.checksum))
            }
            (Body::Inline | Body::Beside(_) | Body::Blob { .. }, Some(_)) => Ok(version.checksum.clone()),
            (_, None) => Ok(version.checksum.clone().filter(|_| !stretch.partial)),
        }
    }

    async fn stretch_of_part(
        &self,
        snapshot: &::store::Snapshot,
        version: &Version,
        number: i32,
    ) -> Result<Stretch, Error> {
        if !(1..=10_000).contains(&number) {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(invalid_argument(message, "partNumber", &number.to_string()).into());
        }
        let unsatisfiable =
            || Error::from(refused(416, "InvalidPartNumber", "The requested partnumber is not satisfiable"));
        let Body::Parts(upload) = &version.body else {
            let whole = Stretch { start: 0, end: version.size, partial: true };
            return if number == 1 { Ok(whole) } else { Err(unsatisfiable()) };
        };
        let ends = self.shelf.ends(snapshot, Made { upload, size: version.size }).await?;
        let index = number as usize - 1;
        let (_, end) = *ends.get(index).ok_or_else(unsatisfiable)?;
        let start = index.checked_sub(1).map_or(0, |before| ends[before].1);
        Ok(Stretch { start, end, partial: true })
    }
}

/// The stretch that `bytes=A-B` means; nothing where it is no range of bytes that is served, and so not looked at.
pub(super) fn cut(range: &str, size: u64) -> Result<Option<Stretch>, Fault> {
    let Some((from, to)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let stretch = match (from.trim().parse::<u64>(), to.trim()) {
        (Ok(start), "") => (start, size),
        (Ok(start), to) => match to.parse::<u64>() {
            Ok(last) if last < start => return Ok(None),
            Ok(last) => (start, last.saturating_add(1).min(size)),
            Err(_) => return Ok(None),
        },
        (Err(_), to) if from.trim().is_empty() => match to.parse::<u64>() {
            Ok(0) => (size, size),
            Ok(tail) => (size.saturating_sub(tail), size),
            Err(_) => return Ok(None),
        },
        (Err(_), _) => return Ok(None),
    };
    match stretch {
        (start, end) if start < end && start < size => Ok(Some(Stretch { start, end, partial: true })),
        _ => Err(refused(416, "InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", range)
            .with("ActualObjectSize", size.to_string())
            .with("content-range", format!("bytes */{size}"))),
    }
}

fn wants_sums(mode: Option<&str>) -> bool {
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
}

fn content_range(stretch: Stretch, size: u64) -> Option<String> {
    (stretch.partial && stretch.start < stretch.end)
        .then(|| format!("bytes {}-{}/{size}", stretch.start, stretch.end - 1))
}

/// How the answer's headers should be, as the reader says; nobody may say that without a name: a link into a public bucket would make a
/// page of whatever lies there.
macro_rules! check_overrides {
    ($call:ident, $input:ident) => {
        let said = $input.response_cache_control.is_some()
            || $input.response_content_disposition.is_some()
            || $input.response_content_encoding.is_some()
            || $input.response_content_language.is_some()
            || $input.response_content_type.is_some()
            || $input.response_expires.is_some();
        if said && matches!($call.principal, Principal::Anonymous) {
            let message = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(refused(400, "InvalidRequest", message));
        }
    };
}

/// Puts them into the answer.
macro_rules! overrides {
    ($output:expr, $input:expr) => {
        for (from, to) in [
            (&$input.response_cache_control, &mut $output.cache_control),
            (&$input.response_content_disposition, &mut $output.content_disposition),
            (&$input.response_content_encoding, &mut $output.content_encoding),
            (&$input.response_content_language, &mut $output.content_language),
            (&$input.response_content_type, &mut $output.content_type),
            (&$input.response_expires, &mut $output.expires),
        ] {
            if from.is_some() {
                to.clone_from(from);
            }
        }
    };
}

macro_rules! conditions {
    ($input:expr) => {
        Conditions {
            if_match: $input.if_match.as_deref(),
            if_none_match: $input.if_none_match.as_deref(),
            if_modified_since: $input.if_modified_since,
            if_unmodified_since: $input.if_unmodified_since,
        }
    };
}

/// What both answers say of a version, and of the stretch of it that was asked for.
macro_rules! tell {
    ($output:ident, $input:ident, $version:ident, $bucket:ident, $stretch:ident, $sum:ident) => {
        describe!($output, *$version, $bucket);
        overrides!($output, $input);
        $output.content_length = i64::try_from($stretch.end - $stretch.start).ok();
        $output.content_range = content_range($stretch, $version.size);
        if $input.part_number.is_some() {
            $output.parts_count = $version.parts.map(|parts| parts as i32);
        }
        // Of a part its own is told; of any other stretch there is none.
        if let Some(sum) = $sum {
            $output.checksum_type = $version.checksum.as_ref().map(|checksum| checksum.kind().to_owned());
            show!($output, Some(&sum));
        }
    };
}

impl Handle<s3::GetObject> for Objects {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &s3::GetObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::GetObjectRequest) -> Result<s3::GetObjectOutput, Fault> {
        check_overrides!(call, input);
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await;
        let Looked { bucket, found } = self.told_to(call, &input.bucket, looked).await?;
        let version = &found.version;
        let customer = customer!(input);
        check_reader(version.sealed.as_ref().map(|sealed| &sealed.by), customer.as_ref())?;
        conditions!(input).check_read(version)?;
        let stretch = self.stretch(&snapshot, version, input.range.as_deref(), input.part_number).await?;
        let sum = match wants_sums(input.checksum_mode.as_deref()) {
            true => self.sum(&snapshot, version, stretch, input.part_number).await?,
            false => None,
        };
        let mut output = s3::GetObjectOutput::default();
        tell!(output, input, version, bucket, stretch, sum);
        output.restore = restored(version, self.now_ms());
        if found.latest {
            output.expiration = self.expiry(&bucket, &input.key, version).await?;
        }
        output.body = Some(
            self.shelf.read(&snapshot, version, &found.data, customer.as_ref(), (stretch.start, stretch.end)).await?,
        );
        Ok(output)
    }
}

impl Handle<s3::HeadObject> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:GetObject");

    fn resource(&self, _call: &Call, input: &s3::HeadObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::HeadObjectRequest) -> Result<s3::HeadObjectOutput, Fault> {
        check_overrides!(call, input);
        let snapshot = self.shelf.snapshot();
        let looked = self.look(&snapshot, &input.bucket, &input.key, input.version_id.as_deref()).await;
        let Looked { bucket, found } = self.told_to(call, &input.bucket, looked).await?;
        let version = &found.version;
        let customer = customer!(input);
        check_reader(version.sealed.as_ref().map(|sealed| &sealed.by), customer.as_ref())?;
        conditions!(input).check_read(version)?;
        let stretch = self.stretch(&snapshot, version, input.range.as_deref(), input.part_number).await?;
        let sum = match wants_sums(input.checksum_mode.as_deref()) {
            true => self.sum(&snapshot, version, stretch, input.part_number).await?,
            false => None,
        };
        let mut output = s3::HeadObjectOutput::default();
        tell!(output, input, version, bucket, stretch, sum);
        output.restore = restored(version, self.now_ms());
        if found.latest {
            output.expiration = self.expiry(&bucket, &input.key, version).await?;
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut() {
        for (range, size, expected) in [
            ("bytes=0-4", 10, Ok(Some((0, 5)))),
            ("bytes=5-", 10, Ok(Some((5, 10)))),
            ("bytes=-3", 10, Ok(Some((7, 10)))),
            ("bytes=-30", 10, Ok(Some((0, 10)))),
            ("bytes=5-100", 10, Ok(Some((5, 10)))),
            ("bytes=9-9", 10, Ok(Some((9, 10)))),
            ("bytes=10-", 10, Err(416)),
            ("bytes=-0", 10, Err(416)),
            ("bytes=0-", 0, Err(416)),
            ("bytes=5-4", 10, Ok(None)),
            ("bytes=x-y", 10, Ok(None)),
            ("bytes=0-1,3-4", 10, Ok(None)),
            ("chapters=1-2", 10, Ok(None)),
            ("bytes=0-18446744073709551615", 10, Ok(Some((0, 10)))),
        ] {
            let found = cut(range, size).map(|cut| cut.map(|cut| (cut.start, cut.end)));
            assert_eq!(found.map_err(|fault| fault.status.unwrap_or_default()), expected, "{range}");
        }
    }
}
