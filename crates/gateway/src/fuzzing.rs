//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use base::{Clock, Random};
use bytes::Bytes;
use contract::Trace;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{Address, Cors, cors, event, reply};

/// Takes bytes for a request (path, query, host, then headers as `name: value`, each in a line of its own; then the body), and
/// makes its event, which must be JSON that says what was sent.
pub fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, query, host) = (line(), line(), line());
    let mut headers = HeaderMap::new();
    let mut body = "";
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            body = line;
            break;
        };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    }
    if let Some(Address::Name { name, rest }) = Address::read(host, path) {
        assert!(path.contains(name) && path.ends_with(rest));
    }
    let origins = [host.to_owned(), "https://*.example".to_owned()];
    Cors { allow_origins: &origins, allow_methods: &origins, ..Cors::default() }
        .add_preflight(&headers, &mut HeaderMap::new());
    let is_preflight = cors::is_preflight(&Method::OPTIONS, &headers);
    assert!(!is_preflight || headers.contains_key(http::header::ORIGIN));
    let source = event::Source {
        method: &Method::POST,
        path,
        query,
        headers: &headers,
        host,
        peer: [127, 0, 0, 1].into(),
        body: body.as_bytes(),
        url_id: "abc",
        request_id: Uuid::nil(),
        time: Timestamp::UNIX_EPOCH,
        trace: Trace::start(&Clock::system(), &Random::seeded(1)),
        signer: None,
    };
    let event: Value = serde_json::from_slice(&event::write(&source)).expect("the event is JSON");
    assert_eq!((event["rawPath"].as_str(), event["rawQueryString"].as_str()), (Some(path), Some(query)));
}

/// Takes bytes for a function's answer.
pub fn answer(bytes: &[u8]) {
    if let Ok(response) = reply::read(&Bytes::copy_from_slice(bytes)) {
        assert!((200..600).contains(&response.status().as_u16()));
    }
}
