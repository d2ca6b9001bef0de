//! JSON events as HTTP requests, and HTTP answers as JSON: what function URLs, API gateways and load balancers send, both forms of
//! it. Anything else is no request, and is posted as it is to a path of its own.
//!
//! Names and forms are those of the Lambda Web Adapter, so that programs made for it find what they know.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, response};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Body, Habits, headers, whole};
use crate::faults;
use crate::guest::{After, Event, RESPONSE_BYTES_MAX};
use crate::invocation::Invocation;

const REQUEST_CONTEXT: HeaderName = HeaderName::from_static("x-amzn-request-context");
const LAMBDA_CONTEXT: HeaderName = HeaderName::from_static("x-amzn-lambda-context");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// What is told of the body of an answer that is a failure.
const SAID_BYTES_MAX: usize = 4096;
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// What a path may not have. A percent sign stays: paths come encoded.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');
/// What a query as it was sent may not have.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// What a parameter that was decoded may not have.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The form that an answer must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Payload format 2.0: function URLs and HTTP APIs.
    Two,
    /// Payload format 1.0, headers with one value each.
    One,
    /// The same with any number of values.
    OneMany,
    /// No request: the answer's body is the result.
    Bare,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventShape<'a> {
    #[serde(borrow, default)]
    raw_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    raw_query_string: Option<Cow<'a, str>>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(borrow, default)]
    http_method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(borrow, default)]
    request_context: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Default, Deserialize)]
struct ContextShape<'a> {
    #[serde(borrow, default)]
    http: Option<MethodShape<'a>>,
    /// Of a load balancer, which leaves parameters as they were sent.
    #[serde(default)]
    elb: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct MethodShape<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

#[derive(Serialize)]
struct LambdaContext<'a> {
    request_id: &'a str,
    deadline: i64,
    invoked_function_arn: &'a str,
    xray_trace_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerShape<'a> {
    status_code: u16,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<&'a str, Vec<String>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

/// No body.
pub(super) fn nothing() -> Body {
    whole(Bytes::new())
}

/// The request that an invocation means, and the form of its answer.
pub(crate) fn request(invocation: &Invocation, deadline_ms: i64, habits: &Habits) -> (Request<Body>, Form) {
    let found =
        serde_json::from_slice::<EventShape<'_>>(&invocation.payload).ok().and_then(|event| read(&event, habits));
    let (mut request, form) = found.unwrap_or_else(|| (posted(&invocation.payload, habits), Form::Bare));
    tell(request.headers_mut(), invocation, deadline_ms, habits);
    (request, form)
}

/// What the platform says of an invocation in the headers of its request.
pub(crate) fn tell(headers: &mut HeaderMap, invocation: &Invocation, deadline_ms: i64, habits: &Habits) {
    if let Some(value) = habits.authorization.as_ref().and_then(|source| headers.remove(source)) {
        headers.insert(AUTHORIZATION, value);
    }
    let context = LambdaContext {
        request_id: &invocation.request_id,
        deadline: deadline_ms,
        invoked_function_arn: &invocation.invoked_arn,
        xray_trace_id: invocation.trace.as_deref(),
    };
    // Whatever a client said under these names, the platform says them.
    set(headers, LAMBDA_CONTEXT, &serde_json::to_vec(&context).unwrap_or_default());
    set(headers, REQUEST_ID, invocation.request_id.as_bytes());
    if !headers.contains_key(TRACE) {
        set(headers, TRACE, invocation.trace.as_deref().unwrap_or_default().as_bytes());
    }
}

/// An event that is no request.
fn posted(payload: &Bytes, habits: &Habits) -> Request<Body> {
    let mut request = Request::new(whole(payload.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = habits.events_path.clone().into();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(headers::AGENT));
    headers::towards_guest(headers, "127.0.0.1");
    request
}

fn read(event: &EventShape<'_>, habits: &Habits) -> Option<(Request<Body>, Form)> {
    let context = event.request_context.and_then(|raw| serde_json::from_str::<ContextShape<'_>>(raw.get()).ok());
    let context = context.unwrap_or_default();
    let (method, path, query, form) = match (&context.http, &event.raw_path, &event.http_method, &event.path) {
        (Some(http), Some(path), _, _) => {
            let query = event.raw_query_string.as_deref().unwrap_or_default();
            (&http.method, path, utf8_percent_encode(query, QUERY).to_string(), Form::Two)
        }
        (_, _, Some(method), Some(path)) => {
            let form = if event.multi_value_headers.is_some() { Form::OneMany } else { Form::One };
            (method, path, query(event, context.elb.is_some()), form)
        }
        _ => return None,
    };
    let body = match (&event.body, event.is_base64_encoded) {
        (None, _) => Bytes::new(),
        (Some(text), false) => Bytes::copy_from_slice(text.as_bytes()),
        (Some(text), true) => STANDARD.decode(text.as_bytes()).ok()?.into(),
    };
    let mut request = Request::new(whole(body));
    *request.method_mut() = method.parse().ok()?;
    *request.uri_mut() = uri(habits.without_base(path), &query);
    *request.headers_mut() = self::headers(event);
    if let Some(raw) = event.request_context {
        set(request.headers_mut(), REQUEST_CONTEXT, raw.get().as_bytes());
    }
    Some((request, form))
}

fn uri(path: &str, query: &str) -> http::Uri {
    let path = utf8_percent_encode(if path.starts_with('/') { path } else { "/" }, PATH);
    let whole = if query.is_empty() { path.to_string() } else { format!("{path}?{query}") };
    whole.parse().unwrap_or_else(|_| http::Uri::from_static("/"))
}

/// The query of the older form, put together again.
fn query(event: &EventShape<'_>, as_sent: bool) -> String {
    let pair = |name: &str, value: &str| match as_sent {
        true => format!("{}={}", utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY)),
        false => format!("{}={}", utf8_percent_encode(name, PARAMETER), utf8_percent_encode(value, PARAMETER)),
    };
    let pairs: Vec<String> = match (&event.multi_value_query_string_parameters, &event.query_string_parameters) {
        (Some(many), _) => {
            many.iter().flat_map(|(name, values)| values.iter().map(|value| pair(name, value))).collect()
        }
        (None, Some(one)) => one.iter().map(|(name, value)| pair(name, value)).collect(),
        (None, None) => Vec::new(),
    };
    pairs.join("&")
}

fn headers(event: &EventShape<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let one = event.headers.iter().flatten().map(|(name, value)| (name, std::slice::from_ref(value)));
    let many = event.multi_value_headers.iter().flatten().map(|(name, values)| (name, values.as_slice()));
    // Where both are told they tell the same, the second one more of it.
    let all: Vec<(&String, &[String])> =
        if event.multi_value_headers.is_some() { many.collect() } else { one.collect() };
    for (name, values) in all {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
            headers.append(&name, value);
        }
    }
    if !headers.contains_key(COOKIE) && !event.cookies.is_empty() {
        set(&mut headers, COOKIE, event.cookies.join("; ").as_bytes());
    }
    headers.remove(REQUEST_CONTEXT);
    headers::towards_guest(&mut headers, "127.0.0.1");
    // An event is answered whole: there is nothing to switch to.
    headers.remove(http::header::UPGRADE);
    headers.remove(http::header::CONNECTION);
    headers
}

/// Sets a header, if the value is one that a header can carry.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    match HeaderValue::from_bytes(value) {
        Ok(value) if !value.is_empty() => drop(headers.insert(name, value)),
        Ok(_) | Err(_) => drop(headers.remove(name)),
    }
}

/// What comes of an answer.
pub(crate) fn answer(form: Form, habits: &Habits, head: &response::Parts, body: &[u8]) -> Event {
    if habits.is_failure(head.status, form) {
        return failure(head.status, body);
    }
    let json = match form {
        Form::Bare => return bare(body),
        Form::Two => shaped(head, body, Form::Two),
        Form::One => shaped(head, body, Form::One),
        Form::OneMany => shaped(head, body, Form::OneMany),
    };
    if json.len() > RESPONSE_BYTES_MAX { Event::TooLarge } else { Event::Result(json.into()) }
}

/// What stands before the body of an answer that comes in pieces: status, headers and cookies as JSON, and eight zero bytes, as AWS's
/// own streams have it. Nothing where the event was no request.
pub(crate) fn prelude(form: Form, head: &response::Parts) -> Option<Bytes> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Prelude<'a> {
        status_code: u16,
        headers: BTreeMap<&'a str, String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        cookies: Vec<String>,
    }
    match form {
        Form::Bare => return None,
        Form::One | Form::OneMany | Form::Two => {}
    }
    let mut kept = head.headers.clone();
    headers::towards_caller(head.status, &mut kept);
    let texts =
        |name: &HeaderName| kept.get_all(name).iter().map(|value| text_of(value.as_bytes())).collect::<Vec<_>>();
    let others = kept.keys().filter(|name| **name != SET_COOKIE);
    let prelude = Prelude {
        status_code: head.status.as_u16(),
        headers: others.map(|name| (name.as_str(), texts(name).join(", "))).collect(),
        cookies: texts(&SET_COOKIE),
    };
    let mut bytes = serde_json::to_vec(&prelude).unwrap_or_default();
    bytes.extend_from_slice(&[0; 8]);
    Some(bytes.into())
}

/// A status that means that the invocation failed, with the beginning of what the server said.
pub(crate) fn failure(status: StatusCode, body: &[u8]) -> Event {
    let said: String = String::from_utf8_lossy(&body[..body.len().min(SAID_BYTES_MAX)]).into_owned();
    let document = faults::document(&format!("Http.{}", status.as_u16()), &said);
    Event::Error { document, after: After::GoesOn }
}

/// The result of an event that is no request: JSON as it is, text as a string of JSON.
pub(crate) fn bare(body: &[u8]) -> Event {
    if !body.is_empty() && serde_json::from_slice::<&RawValue>(body).is_ok() {
        return Event::Result(Bytes::copy_from_slice(body));
    }
    let text = serde_json::to_vec(&String::from_utf8_lossy(body)).unwrap_or_else(|_| b"null".to_vec());
    if text.len() > RESPONSE_BYTES_MAX { Event::TooLarge } else { Event::Result(text.into()) }
}

fn shaped(head: &response::Parts, body: &[u8], form: Form) -> Vec<u8> {
    let mut kept = head.headers.clone();
    headers::towards_caller(head.status, &mut kept);
    kept.remove(http::header::CONTENT_LENGTH);
    let texts =
        |name: &HeaderName| kept.get_all(name).iter().map(|value| text_of(value.as_bytes())).collect::<Vec<_>>();
    let joined = || kept.keys().map(|name| (name.as_str(), texts(name)));
    let (headers, multi_value_headers, cookies) = match form {
        Form::OneMany => (BTreeMap::new(), Some(joined().collect()), Vec::new()),
        Form::One | Form::Bare => {
            // Cookies cannot be put into one line: the last one is told.
            let last = |name: &str, mut values: Vec<String>| match name {
                "set-cookie" => values.pop().unwrap_or_default(),
                _ => values.join(", "),
            };
            (joined().map(|(name, values)| (name, last(name, values))).collect(), None, Vec::new())
        }
        Form::Two => {
            let others = joined().filter(|(name, _)| *name != SET_COOKIE.as_str());
            (others.map(|(name, values)| (name, values.join(", "))).collect(), None, texts(&SET_COOKIE))
        }
    };
    let text = std::str::from_utf8(body).ok().filter(|_| is_text(&kept));
    let answer = AnswerShape {
        status_code: head.status.as_u16(),
        headers,
        multi_value_headers,
        cookies,
        body: text.map_or_else(|| Cow::Owned(STANDARD.encode(body)), Cow::Borrowed),
        is_base64_encoded: text.is_none() && !body.is_empty(),
    };
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// A header's value as text: what is no UTF-8 is taken as the old Latin letters that headers were made for.
fn text_of(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| value.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

/// Whether a body may go as text: it says so, and is not packed.
fn is_text(headers: &HeaderMap) -> bool {
    let packed = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding.as_bytes() != b"identity");
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("text/plain");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = matches!(
        kind.as_str(),
        "application/json"
            | "application/javascript"
            | "application/xml"
            | "application/x-www-form-urlencoded"
            | "image/svg+xml"
    );
    !packed && (known || kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml"))
}

#[cfg(test)]
mod tests;
