//! A body for S3: taken out of its chunks, held against what the head says of it, and either passed on while it comes or, for what
//! carries XML, held whole.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use checksum::Algorithm;
use contract::{Cause, Fault};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, header};
use http_body_util::BodyExt;
use wire::{ByteStream, Payload, Trailers};

use super::chunked::Decoder;
use super::proof::Proof;
use crate::RequestBody;

/// The largest body that is held: ten thousand parts with their checksums, a thousand of the longest keys.
const HELD_BYTES_MAX: u64 = 8 << 20;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");

/// The body as a stream of its bytes, that ends with a fault if it is not what the head says: not as long, or not of that hash.
pub(super) fn passed_on(headers: &HeaderMap, body: RequestBody, proof: &Proof) -> Result<Payload, Fault> {
    let claimed = text(headers, &CONTENT_SHA256).unwrap_or("UNSIGNED-PAYLOAD");
    let is_chunked = claimed.starts_with("STREAMING-") || is_aws_chunked(headers);
    let length = if is_chunked { text(headers, &DECODED_LENGTH) } else { text(headers, &header::CONTENT_LENGTH) };
    let length = match length.map(str::parse::<u64>) {
        Some(Ok(length)) => length,
        Some(Err(_)) => return Err(bad(400, "InvalidArgument", "The length of the body is not a number.")),
        None if http_body::Body::is_end_stream(&body) => 0,
        None => return Err(bad(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")),
    };
    let pieces = body.passed_on().into_data_stream().map(|piece| piece.map_err(fault_of));
    let trailers = Trailers::default();
    let mut stream: ByteStream = Box::pin(pieces);
    if is_chunked {
        // Whoever takes the body in has to know what to sum up before the trailer comes.
        if let Some(announced) = text(headers, &TRAILER) {
            trailers.add(TRAILER.as_str().to_owned(), announced.to_owned());
        }
        let chunks = claimed.starts_with("STREAMING-AWS4-").then(|| proof.chunks()).flatten();
        stream = Decoder::stream(stream, chunks, trailers.clone());
    }
    let sha256 = is_hash(claimed).then(|| (digest::Context::new(&digest::SHA256), claimed.to_ascii_lowercase()));
    Ok(Payload::with_trailers(held_to_word(stream, length, sha256), Some(length), trailers))
}

/// The whole body of an operation that carries XML or nothing.
pub(super) async fn held(headers: &HeaderMap, body: RequestBody, proof: &Proof) -> Result<Bytes, Fault> {
    if http_body::Body::is_end_stream(&body) {
        return Ok(Bytes::new());
    }
    let payload = passed_on(headers, body, proof)?;
    if payload.bytes().is_none_or(|bytes| bytes > HELD_BYTES_MAX) {
        return Err(bad(400, "MaxMessageLengthExceeded", "Your request was too big."));
    }
    let mut stream = payload.take_stream().expect("made above, and nobody else has it");
    let mut whole = BytesMut::new();
    while let Some(piece) = stream.next().await {
        whole.extend_from_slice(&piece?);
    }
    let whole = whole.freeze();
    check_sums(headers, &payload.trailers(), &whole)?;
    Ok(whole)
}

/// Operations whose bodies must not come damaged unnoticed: they delete, or say what is deleted or kept.
const SUMMED: [&str; 6] = [
    "DeleteObjects",
    "PutBucketCors",
    "PutBucketLifecycleConfiguration",
    "PutObjectLegalHold",
    "PutObjectLockConfiguration",
    "PutObjectRetention",
];

/// Whether the head says a checksum, where the operation needs one.
pub(super) fn check_is_summed(operation: &str, headers: &HeaderMap) -> Result<(), Fault> {
    let is_sum = |name: &str| Algorithm::ALL.into_iter().any(|algorithm| algorithm.header() == name);
    let in_head = || headers.keys().any(|name| name == "content-md5" || is_sum(name.as_str()));
    let says = || in_head() || text(headers, &TRAILER).is_some_and(|name| is_sum(&name.trim().to_ascii_lowercase()));
    match SUMMED.contains(&operation) && !says() {
        true => {
            let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
            Err(bad(400, "InvalidRequest", message))
        }
        false => Ok(()),
    }
}

/// What the head, or a trailer, says of the body's checksums.
fn check_sums(headers: &HeaderMap, trailers: &Trailers, body: &[u8]) -> Result<(), Fault> {
    if let Some(md5) = text(headers, &HeaderName::from_static("content-md5")) {
        let wanted = Algorithm::Md5.decode(md5).ok_or_else(|| {
            bad(400, "InvalidDigest", "The Content-MD5 you specified was invalid.").with("Content-MD5", md5)
        })?;
        if wanted != checksum::of(Algorithm::Md5, body) {
            return Err(bad(400, "BadDigest", "The Content-MD5 you specified did not match what we received."));
        }
    }
    for algorithm in Algorithm::ALL {
        let name = algorithm.header();
        let said = headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned).or(trailers.get(name));
        let Some(said) = said else { continue };
        let wanted = algorithm
            .decode(&said)
            .ok_or_else(|| bad(400, "InvalidRequest", &format!("Value for {name} header is invalid.")))?;
        if wanted != checksum::of(algorithm, body) {
            let message = format!("The {algorithm} you specified did not match the calculated checksum.");
            return Err(bad(400, "BadDigest", &message));
        }
    }
    Ok(())
}

/// The same stream, that ends with a fault if it is longer or shorter, or of another hash.
fn held_to_word(stream: ByteStream, length: u64, sha256: Option<(digest::Context, String)>) -> ByteStream {
    let state = (stream, length, sha256);
    Box::pin(futures_util::stream::try_unfold(state, |(mut stream, left, mut sha256)| async move {
        match stream.next().await.transpose()? {
            Some(piece) => {
                let left = left.checked_sub(piece.len() as u64).ok_or_else(incomplete)?;
                if let Some((context, _)) = &mut sha256 {
                    context.update(&piece);
                }
                Ok(Some((piece, (stream, left, sha256))))
            }
            None if left > 0 => Err(incomplete()),
            None => match sha256 {
                Some((context, wanted)) => {
                    let computed = hex::encode(context.finish());
                    if computed == wanted { Ok(None) } else { Err(other_hash(&wanted, &computed)) }
                }
                None => Ok(None),
            },
        }
    }))
}

fn is_aws_chunked(headers: &HeaderMap) -> bool {
    let encoding = text(headers, &header::CONTENT_ENCODING).unwrap_or_default();
    headers.contains_key(DECODED_LENGTH) && encoding.split(',').any(|coding| coding.trim() == "aws-chunked")
}

fn is_hash(claimed: &str) -> bool {
    claimed.len() == 64 && claimed.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(super) fn fault_of(error: crate::BodyError) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(_) => incomplete(),
    }
}

fn incomplete() -> Fault {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    bad(400, "IncompleteBody", message)
}

fn other_hash(claimed: &str, computed: &str) -> Fault {
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    bad(400, "XAmzContentSHA256Mismatch", message)
        .with("ClientComputedContentSHA256", claimed)
        .with("S3ComputedContentSHA256", computed)
}

pub(super) fn bad(status: u16, code: &str, message: &str) -> Fault {
    Fault { status: Some(status), ..Fault::new(Cause::Invalid, code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_speaks_of_checksums_is_none() {
        for (name, value, expected) in [
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", true),
            ("x-amz-checksum-crc32", "AAAAAA==", true),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", true),
            ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", true),
            ("x-amz-trailer", "x-amz-checksum-crc32c", true),
            ("x-amz-checksum-mode", "ENABLED", false),
            ("x-amz-checksum-type", "FULL_OBJECT", false),
            ("x-amz-checksum-algorithm", "CRC32", false),
            ("x-amz-sdk-checksum-algorithm", "CRC32", false),
            ("x-amz-trailer", "x-amz-checksum-type", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), http::HeaderValue::from_static(value));
            assert_eq!(check_is_summed("DeleteObjects", &headers).is_ok(), expected, "{name}: {value}");
            assert!(check_is_summed("PutObject", &headers).is_ok());
        }
    }

    #[test]
    fn trailers_are_announced_before_they_come() {
        const NAME: &str = "x-amz-checksum-crc32";
        for (claimed, expected) in [("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Some(NAME)), ("UNSIGNED-PAYLOAD", None)] {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [(CONTENT_SHA256, claimed), (header::CONTENT_LENGTH, "10"), (DECODED_LENGTH, "5"), (TRAILER, NAME)]
            {
                headers.insert(name, http::HeaderValue::from_static(value));
            }
            let body = RequestBody::whole(Bytes::from_static(b"5\r\nhello\r\n"));
            let passed = passed_on(&headers, body, &Proof::of_node()).expect("it is well said");
            assert_eq!(passed.trailers().get("x-amz-trailer").as_deref(), expected, "{claimed}");
        }
    }
}
