//! The HTTP response that a function's answer means.
//!
//! JSON with a `statusCode` says everything itself. Anything else is the body, of type `application/json`, with status 200.
//! What JSON spells as it is (a body without escapes, a header's value) is not copied: it stays a part of the answer's bytes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why an answer is no response; the client gets a 502.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No JSON, or members of the wrong type.
    Form(String),
    /// A status that no response can have.
    Status(i64),
    /// A header that HTTP cannot carry.
    Header(String),
    /// A body that is said to be base64 and is not.
    Base64,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(why) => write!(f, "the answer is not of the form that a function URL takes: {why}"),
            Self::Status(status) => write!(f, "{status} is no HTTP status from 200 to 599"),
            Self::Header(name) => write!(f, "the header {name:?} cannot be sent"),
            Self::Base64 => f.write_str("isBase64Encoded is true, and the body is not base64"),
        }
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self::Form(error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    #[serde(borrow, default)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// Room for what most answers have, and what the door adds: a map that grows is hashed anew.
const HEADERS_USUAL: usize = 12;

/// The response, with its body.
pub fn read(payload: &Bytes) -> Result<Response<Bytes>, Malformed> {
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Ok(bare(payload));
    }
    let reply: Reply<'_> = serde_json::from_slice(payload)?;
    match reply.status_code {
        Some(_) => response(payload, &reply),
        None => Ok(bare(payload)),
    }
}

/// What is said about an answer whose body comes apart: the same members, none of which must be there.
pub(crate) fn read_head(said: &Bytes) -> Result<Response<Bytes>, Malformed> {
    response(said, &serde_json::from_slice(said)?)
}

fn response(payload: &Bytes, reply: &Reply<'_>) -> Result<Response<Bytes>, Malformed> {
    let mut response = Response::new(body(payload, reply)?);
    *response.status_mut() = reply.status_code.map_or(Ok(StatusCode::OK), status_of)?;
    let headers = response.headers_mut();
    headers.reserve(HEADERS_USUAL);
    each_header(reply.headers, |name, raw| add(headers, payload, name, raw))?;
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let cookies: Vec<&RawValue> = reply.cookies.map_or(Ok(Vec::new()), |raw| serde_json::from_str(raw.get()))?;
    for raw in cookies {
        headers.append(SET_COOKIE, value(payload, raw).ok_or_else(|| Malformed::Header("set-cookie".into()))?);
    }
    // These have no body, whatever a function says.
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
        response.body_mut().clear();
    }
    Ok(response)
}

fn bare(payload: &Bytes) -> Response<Bytes> {
    let mut response = Response::new(payload.clone());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A number, or the same as text.
fn status_of(raw: &RawValue) -> Result<StatusCode, Malformed> {
    let text = raw.get().trim_matches('"');
    let number: i64 = text.parse().map_err(|_| Malformed::Form(format!("statusCode is {}", raw.get())))?;
    let status = u16::try_from(number).ok().filter(|status| (200..600).contains(status));
    status.and_then(|status| StatusCode::from_u16(status).ok()).ok_or(Malformed::Status(number))
}

/// Text, decoded where it is base64; any other JSON as it is.
fn body(payload: &Bytes, reply: &Reply<'_>) -> Result<Bytes, Malformed> {
    let Some(raw) = reply.body else { return Ok(Bytes::new()) };
    if !raw.get().starts_with('"') {
        return Ok(payload.slice_ref(raw.get().as_bytes()));
    }
    let text = text(payload, raw)?;
    match reply.is_base64_encoded {
        Some(true) => STANDARD.decode(text).map(Bytes::from).map_err(|_| Malformed::Base64),
        Some(false) | None => Ok(text),
    }
}

/// A JSON string's text: a part of the answer's own bytes, unless something in it is escaped.
fn text(payload: &Bytes, raw: &RawValue) -> Result<Bytes, serde_json::Error> {
    match raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.as_bytes().contains(&b'\\') => Ok(payload.slice_ref(plain.as_bytes())),
        Some(_) | None => serde_json::from_str::<String>(raw.get()).map(Bytes::from),
    }
}

/// A header's value: text, or a number or truth value as it is spelt.
fn value(payload: &Bytes, raw: &RawValue) -> Option<HeaderValue> {
    let bytes = match raw.get().as_bytes().first() {
        Some(b'"') => text(payload, raw).ok()?,
        Some(b'0'..=b'9' | b'-' | b't' | b'f') => payload.slice_ref(raw.get().as_bytes()),
        Some(_) | None => return None,
    };
    HeaderValue::from_maybe_shared(bytes).ok()
}

fn add(headers: &mut HeaderMap, payload: &Bytes, name: &str, raw: &RawValue) -> Result<(), Malformed> {
    let wrong = || Malformed::Header(name.to_owned());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    match parsed.as_str() {
        // The connection is ours, and so is the length of what we send.
        "connection" | "content-length" | "keep-alive" | "proxy-connection" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => Ok(()),
        // Nothing to send.
        _ if raw.get() == "null" => Ok(()),
        _ => {
            headers.append(parsed, value(payload, raw).ok_or_else(wrong)?);
            Ok(())
        }
    }
}

/// Calls `take` with each header, in order, until it fails.
fn each_header(
    headers: Option<&RawValue>,
    take: impl FnMut(&str, &RawValue) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    struct Each<F>(F);

    impl<'de, F: FnMut(&str, &RawValue) -> Result<(), Malformed>> Visitor<'de> for Each<F> {
        type Value = Result<(), Malformed>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("headers by name")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut taken = Ok(());
            while let Some((name, raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                taken = taken.and_then(|()| (self.0)(&name.0, raw));
            }
            Ok(taken)
        }
    }

    headers.map_or(Ok(()), |raw| serde_json::Deserializer::from_str(raw.get()).deserialize_map(Each(take))?)
}

/// A header's name, copied only where something in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
#[path = "reply/tests.rs"]
mod tests;
