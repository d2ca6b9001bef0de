//! The canonical form of a request: the text that both sides must come to for a signature to fit.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::key;

/// What is signed of a request, beside its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path as sent, percent-encoded.
    pub path: &'a str,
    /// The query string as sent, without the question mark.
    pub query: &'a str,
    /// The `Host` header, or HTTP/2's `:authority`.
    pub host: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// What stands for the body in the canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The body: its SHA-256 is signed.
    Bytes(&'a [u8]),
    /// The body is not here (it is read later, or was not signed): what the request says of it is taken as it is.
    AsClaimed,
}

/// How a path is encoded before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paths {
    /// As every service but S3 does: dot segments resolved, and the encoded path encoded once more.
    Twice,
    /// As S3 does: exactly as sent, for its keys may hold anything.
    AsSent,
}

impl Paths {
    pub(crate) fn of_service(service: &str) -> Self {
        match service {
            "s3" | "s3express" | "s3-outposts" | "s3-object-lambda" => Self::AsSent,
            _ => Self::Twice,
        }
    }
}

/// The name of the header that says what was signed of the body.
pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// The query parameter that is not itself signed.
pub(crate) const SIGNATURE: &str = "X-Amz-Signature";

/// RFC 3986's unreserved characters stand for themselves.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The canonical request. `signed_headers` is the list as the signature carries it: lowercase, split by semicolons.
pub(crate) fn request(head: &Head<'_>, signed_headers: &str, payload: &str, paths: Paths) -> String {
    let mut text = String::with_capacity(512);
    text.push_str(head.method);
    text.push('\n');
    text.push_str(&path(head.path, paths));
    text.push('\n');
    query(head.query, &mut text);
    text.push('\n');
    for name in signed_headers.split(';') {
        text.push_str(name);
        text.push(':');
        header_values(head, name, &mut text);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(signed_headers);
    text.push('\n');
    text.push_str(payload);
    text
}

/// What is signed of the body: what the header says, else its hash.
pub(crate) fn payload_text(head: &Head<'_>, payload: Payload<'_>, unsigned: bool) -> Cow<'static, str> {
    if let Some(claimed) = head.headers.get(CONTENT_SHA256).and_then(|value| value.to_str().ok()) {
        return Cow::Owned(claimed.to_owned());
    }
    match payload {
        _ if unsigned => Cow::Borrowed("UNSIGNED-PAYLOAD"),
        Payload::Bytes(bytes) => Cow::Owned(key::sha256_hex(bytes)),
        Payload::AsClaimed => Cow::Borrowed("UNSIGNED-PAYLOAD"),
    }
}

fn path(sent: &str, paths: Paths) -> Cow<'_, str> {
    match paths {
        Paths::AsSent if sent.is_empty() => Cow::Borrowed("/"),
        Paths::AsSent => Cow::Borrowed(sent),
        Paths::Twice => {
            let mut kept: Vec<&str> = Vec::new();
            for segment in sent.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => {
                        kept.pop();
                    }
                    other => kept.push(other),
                }
            }
            let mut text = String::with_capacity(sent.len() + 16);
            for segment in &kept {
                text.push('/');
                text.extend(utf8_percent_encode(segment, RESERVED_IN_PATH));
            }
            if text.is_empty() || sent.ends_with('/') {
                text.push('/');
            }
            Cow::Owned(text)
        }
    }
}

/// Names and values, decoded and encoded anew, in order of both; without the signature itself.
fn query(sent: &str, text: &mut String) {
    let mut pairs: Vec<(String, String)> = sent
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != SIGNATURE)
        .map(|(name, value)| (encoded_anew(name), encoded_anew(value)))
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let between = if index == 0 { "" } else { "&" };
        write!(text, "{between}{name}={value}").expect("a String takes everything");
    }
}

fn encoded_anew(sent: &str) -> String {
    let spaced = if sent.contains('+') { Cow::Owned(sent.replace('+', " ")) } else { Cow::Borrowed(sent) };
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    percent_encoding::percent_encode(&bytes, RESERVED).to_string()
}

/// All values of a header, trimmed, runs of blanks made one, joined by commas.
fn header_values(head: &Head<'_>, name: &str, text: &mut String) {
    if name == "host" {
        text.push_str(head.host);
        return;
    }
    for (index, value) in head.headers.get_all(name).iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        for (index, word) in value.split_ascii_whitespace().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
}

/// Encodes a name or value for a query string, as canonical forms have it.
pub(crate) fn encode(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_but_for_s3() {
        for (sent, twice, as_sent) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/a/b", "/a/b", "/a/b"),
            ("/a//b/", "/a/b/", "/a//b/"),
            ("/a/./b/../c", "/a/c", "/a/./b/../c"),
            ("/../..", "/", "/../.."),
            ("/f/arn%3Aaws", "/f/arn%253Aaws", "/f/arn%3Aaws"),
            ("/a:b@c", "/a%3Ab%40c", "/a:b@c"),
            ("/~a-b_c.d", "/~a-b_c.d", "/~a-b_c.d"),
        ] {
            assert_eq!(path(sent, Paths::Twice), twice, "{sent}");
            assert_eq!(path(sent, Paths::AsSent), as_sent, "{sent}");
        }
    }

    #[test]
    fn queries_are_sorted_and_encoded_anew() {
        for (sent, expected) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=%7e&b=%2f", "a=~&b=%2F"),
            ("a=x+y&b=x%20y", "a=x%20y&b=x%20y"),
            ("&&a=1&", "a=1"),
            ("a=%", "a=%25"),
            ("X-Amz-Signature=abc&a=1", "a=1"),
            ("%C3%A9=%c3%a9", "%C3%A9=%C3%A9"),
        ] {
            let mut text = String::new();
            query(sent, &mut text);
            assert_eq!(text, expected, "{sent}");
        }
    }

    #[test]
    fn headers_are_trimmed_and_joined() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "  one   two ".parse().expect("a value"));
        headers.append("x-a", "three".parse().expect("a value"));
        let head = Head { method: "GET", path: "/", query: "", host: "h:1", headers: &headers };
        let text = request(&head, "host;x-a;x-b", "e", Paths::Twice);
        assert_eq!(text, "GET\n/\n\nhost:h:1\nx-a:one two,three\nx-b:\n\nhost;x-a;x-b\ne");
    }
}
