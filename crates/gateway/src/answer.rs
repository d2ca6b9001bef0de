//! What a function returned becomes an HTTP response, by the rules of payload format 2.0.
//!
//! An object with a `statusCode` says what the response is; anything else that is JSON is the body of a `200` as it stands. What
//! cannot be a response (a status out of range, a header that is none, broken base64) is the function's fault: `502`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The response that the function's payload stands for.
pub fn response(payload: Bytes) -> Response<Bytes> {
    // An object it must be (an array would pass as one to serde), and most that have no status name it nowhere.
    let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') || !payload.windows(STATUS_CODE.len()).any(|window| window == STATUS_CODE) {
        return plain(payload);
    }
    match serde_json::from_slice::<Shaped<'_>>(&payload) {
        Ok(Shaped { status_code: Some(_), .. }) => shaped(&payload).unwrap_or_else(|| failure(StatusCode::BAD_GATEWAY)),
        // `statusCode` stands somewhere inside.
        Ok(_) | Err(_) => plain(payload),
    }
}

const STATUS_CODE: &[u8] = br#""statusCode""#;

/// AWS's answer to a function that failed: a bare sentence.
pub fn failure(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"Internal Server Error"));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn plain(payload: Bytes) -> Response<Bytes> {
    let mut response = Response::new(payload);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shaped<'a> {
    #[serde(borrow, default)]
    status_code: Option<&'a RawValue>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// `None` where the parts make no response.
fn shaped(payload: &Bytes) -> Option<Response<Bytes>> {
    let shaped: Shaped<'_> = serde_json::from_slice(payload).ok()?;
    let mut response = Response::new(body(&shaped, payload)?);
    *response.status_mut() = status(shaped.status_code?.get())?;
    let headers = response.headers_mut();
    for (name, value) in shaped.headers.iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // The length is ours to say, and the framing the connection's.
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING && name != http::header::CONNECTION {
            headers.append(name, header_value(value)?);
        }
    }
    for cookie in shaped.cookies.iter().flatten() {
        headers.append(SET_COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    Some(response)
}

/// A number, or a number in quotes; 100 to 599, and no informational one, which would be no answer.
fn status(raw: &str) -> Option<StatusCode> {
    let code: u16 = raw.trim_matches('"').parse().ok()?;
    (200..600).contains(&code).then(|| StatusCode::from_u16(code).ok()).flatten()
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

fn body(shaped: &Shaped<'_>, payload: &Bytes) -> Option<Bytes> {
    let Some(raw) = shaped.body.map(RawValue::get).filter(|raw| *raw != "null") else { return Some(Bytes::new()) };
    if !raw.starts_with('"') {
        // Not a string: its JSON text, without a copy.
        return Some(payload.slice_ref(raw.as_bytes()));
    }
    let text: String = serde_json::from_str(raw).ok()?;
    if shaped.is_base64_encoded == Some(true) {
        return STANDARD.decode(text).ok().map(Bytes::from);
    }
    Some(Bytes::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &'static str, status: u16, headers: &[(&str, &str)], body: &str) {
        let response = response(Bytes::from_static(payload.as_bytes()));
        assert_eq!(response.status(), status, "{payload}");
        assert_eq!(response.body(), body, "{payload}");
        for (name, value) in headers {
            let found: Vec<_> =
                response.headers().get_all(*name).iter().filter_map(|value| value.to_str().ok()).collect();
            assert_eq!(found.join("|"), *value, "{payload}: {name}");
        }
    }

    #[test]
    fn what_names_no_status_is_the_body() {
        for payload in [
            "\"Hello\"",
            "{\"message\":\"Hello\"}",
            "[1]",
            "null",
            "{\"deep\":{\"statusCode\":404}}",
            "[\"statusCode\"]",
        ] {
            check(payload, 200, &[("content-type", "application/json")], payload);
        }
    }

    #[test]
    fn what_names_a_status_says_it_all() {
        check(r#"{"statusCode":201}"#, 201, &[("content-type", "application/json")], "");
        check(r#"{"statusCode":"404","body":"no \u00e4"}"#, 404, &[], "no ä");
        check(r#"{"statusCode":200,"body":{"a": 1}}"#, 200, &[], r#"{"a": 1}"#);
        check(r#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#, 200, &[], "hi");
        let payload = r#"{"statusCode":200,"headers":{"Content-Type":"text/html","X-N":7,"Content-Length":"99"},"cookies":["a=1","b=2"],"body":"x"}"#;
        check(
            payload,
            200,
            &[("content-type", "text/html"), ("x-n", "7"), ("set-cookie", "a=1|b=2"), ("content-length", "")],
            "x",
        );
    }

    #[test]
    fn what_cannot_be_a_response_is_the_functions_fault() {
        for payload in [
            r#"{"statusCode":99}"#,
            r#"{"statusCode":600}"#,
            r#"{"statusCode":"many"}"#,
            r#"{"statusCode":{}}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":["c"]}}"#,
            r#"{"statusCode":200,"headers":{"a":"c\nd"}}"#,
            r#"{"statusCode":200,"body":"%%%","isBase64Encoded":true}"#,
        ] {
            check(payload, 502, &[], "Internal Server Error");
        }
    }
}
