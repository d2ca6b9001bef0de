//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::header::{HeaderName, HeaderValue, ORIGIN};

use crate::guard::{Guard, host_name};
use crate::objects::chunked::decode_now;
use crate::objects::form::{Fields, Parts, Policy};

/// Takes bytes for a host, a target, an origin and a `Sec-Fetch-Site`, each in a line of its own. What an open node lets pass must
/// name a host, and come from no other origin.
pub fn guard(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, target, origin, site) = (line(), line(), line(), line());
    let header = |name: HeaderName, text: &str| HeaderValue::from_str(text).ok().map(|value| (name, value));
    let sent = [header(ORIGIN, origin), header(HeaderName::from_static("sec-fetch-site"), site)];
    let headers = sent.into_iter().flatten().filter(|(_, value)| !value.is_empty()).collect();
    if Guard::default().check(host, target, &headers).is_ok() {
        assert!(host_name(host).is_some());
        let own = origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host));
        assert!(own || !headers.contains_key(ORIGIN));
    }
}

/// Takes bytes for a form: its type in a line of its own, then the body, which comes in pieces. What is read of it is never more than
/// what there is.
pub fn form(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (kind, body) = (String::from_utf8_lossy(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default());
    let pieces: Vec<_> = body.chunks(61).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let Ok(mut parts) = Parts::new(&kind, Box::pin(futures_util::stream::iter(pieces))) else { return };
    let read = async {
        let (fields, file) = parts.fields().await.ok()?;
        let held: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let mut bytes = 0;
        let mut pieces = parts.file();
        while let Some(piece) = pieces.next().await {
            bytes += piece.ok()?.len();
        }
        Some(held + file.name.len() + bytes)
    };
    let read = read.now_or_never().expect("all of it is there");
    assert!(read.is_none_or(|read| read <= body.len()));
}

/// Takes bytes for the policy of a form, before its base64. A form without fields fulfils none that wants one.
pub fn form_policy(bytes: &[u8]) {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if let Ok(policy) = Policy::read(&text, jiff::Timestamp::UNIX_EPOCH) {
        // The outcome depends on what was read; that there is one is what matters.
        let checked = policy.check(&Fields::default(), "bucket");
        assert_eq!(checked, policy.check(&Fields::default(), "bucket"));
    }
}

/// Takes bytes for a body of type `aws-chunked`. What is inside is no longer than what came, and the same however that was cut.
pub fn chunked(bytes: &[u8]) {
    let decode = |pieces: &[&[u8]]| decode_now(pieces, "a").map_err(|fault| fault.code);
    let whole = decode(&[bytes]);
    assert!(whole.as_ref().is_ok_and(|(inside, _)| inside.len() <= bytes.len()) || whole.is_err());
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(decode(&[first, second]), whole);
    let singles: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&singles), whole);
}
