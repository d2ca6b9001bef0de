//! Packages that lie in a bucket: read by the road that every call takes, with the rights of who wants the function.
//!
//! Not here: what a package must be (compute finds out) and the node's own code store, whose name is no bucket's.
//!
//! What always holds: who may not read an object cannot make a function of it; a package that is longer than what may be unpacked
//! is not read to its end.

use ::store::Stored;
use bytes::{Bytes, BytesMut};
use contract::{Call, Cause, Fault};
use futures_util::TryStreamExt;
use wire::{Payload, s3};

use crate::model::Archive;
use crate::store::Refusal;
use crate::{Functions, faults};

/// Where a package lies.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Functions {
    /// Takes in a package that lies in a bucket. What it returns beside it keeps it until a record does.
    pub(super) async fn take_object(&self, call: &Call, object: Object) -> Result<(Archive, Option<Stored>), Fault> {
        let name = format!("{}/{}", object.bucket, object.key);
        let input = s3::GetObjectRequest {
            bucket: object.bucket,
            key: object.key,
            version_id: object.version,
            ..Default::default()
        };
        let reading = call.inner(&self.random, call.principal.clone(), "lambda");
        let read = async {
            let found = self.dispatch.call_typed::<s3::GetObject>(&reading, input).await?;
            collect(found.body.unwrap_or_default()).await
        };
        let package = read.await.map_err(|fault| unread(&name, fault))?;
        let Some(package) = package else {
            let limit = compute::UNZIPPED_BYTES_MAX;
            return Err(faults::invalid(compute::CodeError::TooLarge { limit }.to_string()));
        };
        self.unpack(package.clone()).await?;
        let stored = self.blobs.put(package).await.map_err(Refusal::from)?;
        Ok((Archive { sha256: *stored.id.sha256(), bytes: stored.len }, Some(stored)))
    }
}

/// The whole body; nothing if it is longer than what may be unpacked, as no good package is.
async fn collect(body: Payload) -> Result<Option<Bytes>, Fault> {
    let is_too_long = |bytes: u64| bytes > compute::UNZIPPED_BYTES_MAX;
    if body.bytes().is_some_and(is_too_long) {
        return Ok(None);
    }
    if let Some(whole) = body.whole() {
        return Ok(Some(whole.clone()));
    }
    let mut package = BytesMut::new();
    if let Some(mut stream) = body.take_stream() {
        while let Some(piece) = stream.try_next().await? {
            if is_too_long(package.len().saturating_add(piece.len()) as u64) {
                return Ok(None);
            }
            package.extend_from_slice(&piece);
        }
    }
    Ok(Some(package.freeze()))
}

/// What S3 says of an object that cannot be read, in the words in which Lambda hands it on.
pub(super) fn unread(name: &str, fault: Fault) -> Fault {
    let said = |code: &str| format!("S3 Error Code: {code}. S3 Error Message: {}", fault.message);
    match fault.cause {
        Cause::Denied => faults::denied(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for \
             {name}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
        )),
        Cause::Unavailable | Cause::Throttled | Cause::Internal => {
            faults::unavailable(format!("Error occurred while GetObject. {}", said(&fault.code)))
        }
        _ => faults::invalid(format!("Error occurred while GetObject. {}", said(&fault.code))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_says_is_handed_on() {
        let check = |cause, code: &str, message: &str, expected: (&str, &str)| {
            let fault = unread("b/k", Fault::new(cause, code, message));
            assert_eq!((fault.code.as_str(), fault.message.as_str()), expected);
        };
        check(
            Cause::NotFound,
            "NoSuchKey",
            "The specified key does not exist.",
            (
                "InvalidParameterValueException",
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
            ),
        );
        check(
            Cause::Denied,
            "AccessDeniedException",
            "User: x is not authorized",
            (
                "AccessDeniedException",
                "Your access has been denied by S3, please make sure your request credentials have permission to GetObject \
                 for b/k. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
            ),
        );
        check(
            Cause::Unavailable,
            "SlowDown",
            "Please reduce your request rate",
            (
                "ServiceException",
                "Error occurred while GetObject. S3 Error Code: SlowDown. S3 Error Message: Please reduce your request rate",
            ),
        );
    }

    #[tokio::test]
    async fn a_body_is_read_as_far_as_a_package_may_go() {
        let pieces = |count: usize| {
            let piece = Bytes::from(vec![7; 1 << 20]);
            Box::pin(futures_util::stream::iter((0..count).map(move |_| Ok(piece.clone())))) as wire::ByteStream
        };
        let short = collect(Payload::stream(pieces(2), None)).await.expect("it is read").expect("it is short");
        assert_eq!(short.len(), 2 << 20);
        let told = Payload::stream(pieces(0), Some(compute::UNZIPPED_BYTES_MAX + 1));
        assert_eq!(collect(told).await, Ok(None));
        assert_eq!(collect(Payload::stream(pieces(251), None)).await, Ok(None));
        let broken = futures_util::stream::iter([Err(Fault::internal())]);
        assert_eq!(collect(Payload::stream(Box::pin(broken), None)).await, Err(Fault::internal()));
    }
}
