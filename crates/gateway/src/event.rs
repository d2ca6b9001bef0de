//! The event that a function gets for a request: payload format 2.0, as function URLs have it, written into one buffer.
//!
//! Members that a request gives no reason for are left out, as AWS does: `cookies`, `queryStringParameters`, `body`.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{AccountId, Trace};
use http::header::{CONNECTION, COOKIE, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderName, Method, Version};
use jiff::Timestamp;
use jiff::tz::Offset;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::json;

/// What the event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The method.
    pub method: &'a Method,
    /// The function's own path, as sent, beginning with a slash.
    pub path: &'a str,
    /// The query string, as sent.
    pub query: &'a str,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: Version,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The host that was asked for, with its port.
    pub host: &'a str,
    /// The client's address.
    pub peer: IpAddr,
    /// The body.
    pub body: &'a [u8],
    /// The id of the function's URL.
    pub url_id: &'a str,
    /// The request's id.
    pub request_id: Uuid,
    /// When it came.
    pub time: Timestamp,
    /// Its trace.
    pub trace: Trace,
    /// Who signed it; nobody did where the URL is open to everybody.
    pub signer: Option<Signer<'a>>,
}

/// Who signed a request.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The account.
    pub account: AccountId,
    /// The principal's ARN.
    pub arn: &'a str,
}

/// Headers of the connection rather than of the request, and those that the event has elsewhere.
const LEFT_OUT: [HeaderName; 7] = [
    CONNECTION,
    COOKIE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// Headers that the node itself sets, whatever the client sent.
const OWN: [&str; 5] = ["host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"];

/// The event, as JSON.
pub fn write(source: &Source<'_>) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(1280 + 2 * source.query.len() + source.body.len() + source.body.len() / 2);
    buffer.extend_from_slice(br#"{"version":"2.0","routeKey":"$default","rawPath":"#);
    json::string(&mut buffer, source.path);
    buffer.extend_from_slice(br#","rawQueryString":"#);
    json::string(&mut buffer, source.query);
    cookies(&mut buffer, source.headers);
    headers(&mut buffer, source);
    query_parameters(&mut buffer, source.query);
    request_context(&mut buffer, source);
    body(&mut buffer, source);
    buffer
}

fn cookies(buffer: &mut Vec<u8>, headers: &HeaderMap) {
    let mut opening: &[u8] = br#","cookies":["#;
    for value in headers.get_all(COOKIE) {
        for cookie in value.as_bytes().split(|byte| *byte == b';') {
            let cookie = cookie.trim_ascii();
            if cookie.is_empty() {
                continue;
            }
            buffer.extend_from_slice(opening);
            buffer.push(b'"');
            json::header_value(buffer, cookie);
            buffer.push(b'"');
            opening = b",";
        }
    }
    if opening == b"," {
        buffer.push(b']');
    }
}

fn headers(buffer: &mut Vec<u8>, source: &Source<'_>) {
    buffer.extend_from_slice(br#","headers":{"#);
    for name in source.headers.keys() {
        if LEFT_OUT.contains(name) || OWN.contains(&name.as_str()) {
            continue;
        }
        // A header's name holds nothing that JSON would escape.
        buffer.push(b'"');
        buffer.extend_from_slice(name.as_str().as_bytes());
        buffer.extend_from_slice(b"\":\"");
        for (index, value) in source.headers.get_all(name).iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            json::header_value(buffer, value.as_bytes());
        }
        buffer.extend_from_slice(b"\",");
    }
    buffer.extend_from_slice(br#""host":"#);
    json::string(buffer, source.host);
    let port = source.host.rsplit_once(':').map_or("80", |(_, port)| port);
    let port = if port.bytes().all(|b| b.is_ascii_digit()) { port } else { "80" };
    // Addresses, ports and traces hold nothing that JSON would escape.
    write!(
        buffer,
        r#","x-amzn-trace-id":"{}","x-forwarded-for":"{}","x-forwarded-port":"{port}","x-forwarded-proto":"http"}}"#,
        source.trace.amzn(),
        source.peer.to_canonical(),
    )
    .expect("a Vec takes everything");
}

/// Decoded, in order of first appearance; values of one name joined by commas.
fn query_parameters(buffer: &mut Vec<u8>, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut parameters: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    let mut places: std::collections::HashMap<Cow<'_, str>, usize> = std::collections::HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        match places.get(&name) {
            Some(&place) => parameters[place].1.push(value),
            None => {
                places.insert(name.clone(), parameters.len());
                parameters.push((name, vec![value]));
            }
        }
    }
    if parameters.is_empty() {
        return;
    }
    let mut opening: &[u8] = br#","queryStringParameters":{"#;
    for (name, values) in &parameters {
        buffer.extend_from_slice(opening);
        opening = b",";
        json::string(buffer, name);
        buffer.extend_from_slice(b":\"");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            json::escaped(buffer, value);
        }
        buffer.push(b'"');
    }
    buffer.push(b'}');
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

fn request_context(buffer: &mut Vec<u8>, source: &Source<'_>) {
    buffer.extend_from_slice(br#","requestContext":{"accountId":""#);
    match source.signer {
        None => buffer.extend_from_slice(b"anonymous\""),
        Some(signer) => authorizer(buffer, &signer),
    }
    buffer.extend_from_slice(br#","apiId":"#);
    json::string(buffer, source.url_id);
    buffer.extend_from_slice(br#","domainName":"#);
    let domain = source.host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    json::string(buffer, domain.map_or(source.host, |(domain, _)| domain));
    buffer.extend_from_slice(br#","domainPrefix":"#);
    json::string(buffer, source.url_id);
    buffer.extend_from_slice(br#","http":{"method":"#);
    json::string(buffer, source.method.as_str());
    buffer.extend_from_slice(br#","path":"#);
    json::string(buffer, source.path);
    // AWS's own front end says HTTP/1.1 whatever the client spoke; functions parse it.
    write!(buffer, r#","protocol":"{}","sourceIp":"{}","userAgent":""#, protocol(source), source.peer.to_canonical())
        .expect("a Vec takes everything");
    if let Some(agent) = source.headers.get(USER_AGENT) {
        json::header_value(buffer, agent.as_bytes());
    }
    write!(buffer, r#""}},"requestId":"{}","routeKey":"$default","stage":"$default","time":""#, source.request_id)
        .expect("a Vec takes everything");
    time(buffer, source.time);
    write!(buffer, r#"","timeEpoch":{}}}"#, source.time.as_millisecond()).expect("a Vec takes everything");
}

fn protocol(source: &Source<'_>) -> &'static str {
    match source.version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Closes the account's string, and tells who signed.
fn authorizer(buffer: &mut Vec<u8>, signer: &Signer<'_>) {
    let Signer { access_key, account, arn } = signer;
    write!(buffer, r#"{account}","authorizer":{{"iam":{{"accessKey":"#).expect("a Vec takes everything");
    json::string(buffer, access_key);
    write!(buffer, r#","accountId":"{account}","callerId":"#).expect("a Vec takes everything");
    json::string(buffer, access_key);
    buffer.extend_from_slice(br#","cognitoIdentity":null,"principalOrgId":null,"userArn":"#);
    json::string(buffer, arn);
    buffer.extend_from_slice(br#","userId":"#);
    json::string(buffer, access_key);
    buffer.extend_from_slice(b"}}");
}

/// `21/Nov/2026:02:40:11 +0000`
fn time(buffer: &mut Vec<u8>, time: Timestamp) {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let civil = Offset::UTC.to_datetime(time);
    let month = MONTHS[usize::from(civil.month().unsigned_abs()) - 1];
    let (day, year) = (civil.day(), civil.year());
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    write!(buffer, "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
        .expect("a Vec takes everything");
}

/// The body, and the end of the event.
fn body(buffer: &mut Vec<u8>, source: &Source<'_>) {
    if source.body.is_empty() {
        buffer.extend_from_slice(br#","isBase64Encoded":false}"#);
        return;
    }
    buffer.extend_from_slice(br#","body":"#);
    let content_type = source.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text =
        content_type.filter(|content_type| is_text(content_type)).and_then(|_| std::str::from_utf8(source.body).ok());
    match text {
        Some(text) => {
            json::string(buffer, text);
            buffer.extend_from_slice(br#","isBase64Encoded":false}"#);
        }
        None => {
            buffer.push(b'"');
            let start = buffer.len();
            buffer.resize(start + source.body.len().div_ceil(3) * 4, 0);
            let written = STANDARD.encode_slice(source.body, &mut buffer[start..]).expect("the place was measured");
            buffer.truncate(start + written);
            buffer.extend_from_slice(br#"","isBase64Encoded":true}"#);
        }
    }
}

/// Which bodies reach functions as text. Everything else, forms included, arrives in base64, as AWS does it.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let lower = kind.to_ascii_lowercase();
    lower.starts_with("text/")
        || lower.ends_with("+json")
        || lower.ends_with("+xml")
        || matches!(
            lower.as_str(),
            "application/json" | "application/xml" | "application/javascript" | "application/x-javascript"
        )
}

#[cfg(test)]
#[path = "event/tests.rs"]
mod tests;
