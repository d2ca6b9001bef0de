//! The event that a function gets for a request: payload format 2.0, as function URLs have it, written into one buffer.
//!
//! Members that a request gives no reason for are left out, as AWS does: `cookies`, `queryStringParameters`, `body`.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{AccountId, Trace};
use http::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::tz::Offset;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::json;

/// What comes before the context in the event.
const CONTEXT: &[u8] = br#","requestContext":"#;

/// What the event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The method.
    pub method: &'a Method,
    /// The function's own path, as sent, beginning with a slash.
    pub path: &'a str,
    /// The query string, as sent.
    pub query: &'a str,
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

/// The event, as JSON.
pub fn write(source: &Source<'_>) -> Vec<u8> {
    let headers: usize = source.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 8).sum();
    // Cookies, the path and a query are told twice; half of the body is room for base64.
    let told = 768 + 2 * headers + 2 * (source.path.len() + source.query.len()) + source.body.len() * 3 / 2;
    let mut buffer = Vec::with_capacity(told);
    buffer.extend_from_slice(br#"{"version":"2.0","routeKey":"$default","rawPath":"#);
    json::string(&mut buffer, source.path);
    buffer.extend_from_slice(br#","rawQueryString":"#);
    json::string(&mut buffer, source.query);
    cookies(&mut buffer, source.headers);
    self::headers(&mut buffer, source);
    query_parameters(&mut buffer, source.query);
    request_context(&mut buffer, source);
    body(&mut buffer, source);
    buffer
}

/// The `requestContext` alone, as JSON.
pub(crate) fn context(source: &Source<'_>) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(512);
    request_context(&mut buffer, source);
    // The comma and the name before it.
    buffer.drain(..CONTEXT.len());
    buffer
}

/// What the node says in headers of where a request came from.
pub(crate) fn forwarded(source: &Source<'_>) -> [(&'static str, String); 4] {
    [
        ("x-amzn-trace-id", Amzn(source.trace).to_string()),
        ("x-forwarded-for", source.peer.to_canonical().to_string()),
        ("x-forwarded-port", split(source.host).1.unwrap_or("80").to_owned()),
        ("x-forwarded-proto", "http".to_owned()),
    ]
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
        let separator: &[u8] = match name.as_str() {
            // Of the connection rather than of the request.
            "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade" => continue,
            // The node says these itself, whatever the client sent.
            "host" | "x-amzn-trace-id" | "x-forwarded-for" | "x-forwarded-port" | "x-forwarded-proto" => continue,
            // It proved who asks, and is worth something to whoever could send it again. AWS keeps it back too.
            "authorization" if source.signer.is_some() => continue,
            // Told here as well as in `cookies`; HTTP/2 sends them one by one.
            "cookie" => b"; ",
            _ => b",",
        };
        // A header's name holds nothing that JSON would escape.
        buffer.push(b'"');
        buffer.extend_from_slice(name.as_str().as_bytes());
        buffer.extend_from_slice(b"\":\"");
        for (index, value) in source.headers.get_all(name).iter().enumerate() {
            if index > 0 {
                buffer.extend_from_slice(separator);
            }
            json::header_value(buffer, value.as_bytes());
        }
        buffer.extend_from_slice(b"\",");
    }
    buffer.extend_from_slice(br#""host":"#);
    json::string(buffer, source.host);
    let port = split(source.host).1.unwrap_or("80");
    // Addresses, ports and traces hold nothing that JSON would escape.
    write!(
        buffer,
        r#","x-amzn-trace-id":"{}","x-forwarded-for":"{}","x-forwarded-port":"{port}","x-forwarded-proto":"http"}}"#,
        Amzn(source.trace),
        source.peer.to_canonical(),
    )
    .expect("a Vec takes everything");
}

/// A trace as AWS's header has it.
struct Amzn(Trace);

impl fmt::Display for Amzn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_amzn(f)
    }
}

/// The name and the port of `NAME:PORT`; the name of an IPv6 address keeps its brackets.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        Some(_) | None => (host, None),
    }
}

/// Decoded, in order of first appearance; values of one name joined by commas.
fn query_parameters(buffer: &mut Vec<u8>, query: &str) {
    let mut pairs: Vec<(Cow<'_, str>, usize, Cow<'_, str>)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decoded(name), pairs.len(), decoded(value)));
    }
    if pairs.is_empty() {
        return;
    }
    // Those of one name next to each other, then the names where their first one stood: a query may have thousands.
    pairs.sort_unstable_by(|one, two| (&one.0, one.1).cmp(&(&two.0, two.1)));
    let mut groups: Vec<Range<usize>> = Vec::with_capacity(pairs.len());
    for index in 0..pairs.len() {
        match groups.last_mut() {
            Some(group) if pairs[group.start].0 == pairs[index].0 => group.end = index + 1,
            Some(_) | None => groups.push(index..index + 1),
        }
    }
    groups.sort_unstable_by_key(|group| pairs[group.start].1);
    let mut opening: &[u8] = br#","queryStringParameters":{"#;
    for group in groups {
        buffer.extend_from_slice(opening);
        opening = b",";
        json::string(buffer, &pairs[group.start].0);
        buffer.extend_from_slice(b":\"");
        for (index, (_, _, value)) in pairs[group].iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            json::escaped(buffer, value);
        }
        buffer.push(b'"');
    }
    buffer.push(b'}');
}

/// Of a query's name or value, in which a plus is a blank.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

fn request_context(buffer: &mut Vec<u8>, source: &Source<'_>) {
    buffer.extend_from_slice(CONTEXT);
    buffer.extend_from_slice(br#"{"accountId":""#);
    match source.signer {
        None => buffer.extend_from_slice(b"anonymous\""),
        Some(signer) => authorizer(buffer, &signer),
    }
    buffer.extend_from_slice(br#","apiId":"#);
    json::string(buffer, source.url_id);
    buffer.extend_from_slice(br#","domainName":"#);
    json::string(buffer, split(source.host).0);
    buffer.extend_from_slice(br#","domainPrefix":"#);
    json::string(buffer, source.url_id);
    buffer.extend_from_slice(br#","http":{"method":"#);
    json::string(buffer, source.method.as_str());
    // Decoded here, and as sent in `rawPath`.
    buffer.extend_from_slice(br#","path":"#);
    json::string(buffer, &percent_decode_str(source.path).decode_utf8_lossy());
    // AWS's front end says HTTP/1.1 whatever the client spoke; functions parse it.
    write!(buffer, r#","protocol":"HTTP/1.1","sourceIp":"{}","userAgent":""#, source.peer.to_canonical())
        .expect("a Vec takes everything");
    if let Some(agent) = source.headers.get(USER_AGENT) {
        json::header_value(buffer, agent.as_bytes());
    }
    write!(buffer, r#""}},"requestId":"{}","routeKey":"$default","stage":"$default","time":""#, source.request_id)
        .expect("a Vec takes everything");
    time(buffer, source.time);
    write!(buffer, r#"","timeEpoch":{}}}"#, source.time.as_millisecond()).expect("a Vec takes everything");
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
    let content_type = source.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
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
    const NAMES: [&str; 4] =
        ["application/json", "application/xml", "application/javascript", "application/x-javascript"];
    let kind = content_type.split(';').next().unwrap_or_default().trim().as_bytes();
    let starts = |word: &[u8]| kind.len() >= word.len() && kind[..word.len()].eq_ignore_ascii_case(word);
    let ends = |word: &[u8]| kind.len() >= word.len() && kind[kind.len() - word.len()..].eq_ignore_ascii_case(word);
    starts(b"text/")
        || ends(b"+json")
        || ends(b"+xml")
        || NAMES.iter().any(|name| kind.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
#[path = "event/tests.rs"]
mod tests;
