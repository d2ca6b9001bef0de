//! The HTTP response that a function's answer means.
//!
//! JSON with a `statusCode` says everything itself. Anything else is the body, of type `application/json`, with status 200.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    #[serde(borrow, default)]
    status_code: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "headers")]
    headers: Headers,
    #[serde(borrow, default)]
    cookies: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// The response, with its body.
pub fn read(payload: &Bytes) -> Result<Response<Bytes>, Malformed> {
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Ok(bare(payload));
    }
    let reply: Reply<'_> = serde_json::from_slice(payload).map_err(|error| Malformed::Form(error.to_string()))?;
    let Some(status) = reply.status_code.filter(|raw| raw.get() != "null") else { return Ok(bare(payload)) };
    let mut response = Response::new(body(&reply)?);
    *response.status_mut() = status_of(status)?;
    let headers = response.headers_mut();
    *headers = reply.headers.0?;
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for cookie in reply.cookies.iter().flatten() {
        let value = HeaderValue::from_str(cookie).map_err(|_| Malformed::Header("set-cookie".into()))?;
        headers.append(SET_COOKIE, value);
    }
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
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
fn body(reply: &Reply<'_>) -> Result<Bytes, Malformed> {
    let Some(raw) = reply.body.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(Bytes::new()) };
    if !raw.starts_with('"') {
        return Ok(Bytes::copy_from_slice(raw.as_bytes()));
    }
    let text: String = serde_json::from_str(raw).map_err(|error| Malformed::Form(error.to_string()))?;
    match reply.is_base64_encoded {
        Some(true) => STANDARD.decode(text).map(Bytes::from).map_err(|_| Malformed::Base64),
        Some(false) | None => Ok(Bytes::from(text)),
    }
}

/// Headers, read straight into a map.
struct Headers(Result<HeaderMap, Malformed>);

impl Default for Headers {
    fn default() -> Self {
        Self(Ok(HeaderMap::new()))
    }
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
    struct Into;

    impl<'de> Visitor<'de> for Into {
        type Value = Headers;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("headers by name")
        }

        fn visit_none<E>(self) -> Result<Headers, E> {
            Ok(Headers::default())
        }

        fn visit_unit<E>(self) -> Result<Headers, E> {
            Ok(Headers::default())
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Headers, D::Error> {
            deserializer.deserialize_map(self)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
            let mut headers = Ok(HeaderMap::new());
            while let Some((name, raw)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                if let Ok(taken) = &mut headers
                    && let Err(malformed) = add(taken, &name, raw.get())
                {
                    headers = Err(malformed);
                }
            }
            Ok(Headers(headers))
        }
    }

    deserializer.deserialize_option(Into)
}

fn add(headers: &mut HeaderMap, name: &str, raw: &str) -> Result<(), Malformed> {
    let wrong = || Malformed::Header(name.to_owned());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    // The connection is ours, and so is the length of what we send.
    if [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(&parsed) {
        return Ok(());
    }
    let value = match raw.as_bytes().first() {
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str(raw).map(Cow::<'_, str>::Owned).map_err(|_| wrong())?;
            HeaderValue::from_str(&text).map_err(|_| wrong())?
        }
        // Nothing to send.
        Some(b'n') => return Ok(()),
        // Numbers and truth values, as they are spelt.
        Some(b'0'..=b'9' | b'-' | b't' | b'f') => HeaderValue::from_str(raw).map_err(|_| wrong())?,
        Some(_) | None => return Err(wrong()),
    };
    headers.append(parsed, value);
    Ok(())
}

#[cfg(test)]
#[path = "reply/tests.rs"]
mod tests;
