//! What the fuzz targets do with bytes from senders of events and from servers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};

use super::event::{self, Form};
use super::{Event, Habits, RESPONSE_BYTES_MAX};
use crate::invocation::{Invocation, LogWish};

/// Bytes as an event.
pub(crate) fn event(data: &[u8]) {
    let invocation = Invocation {
        request_id: "id".to_owned(),
        payload: Bytes::copy_from_slice(data),
        invoked_arn: "arn".to_owned(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: Duration::ZERO,
        log: LogWish::None,
        held: None,
        conversation: None,
        pieces: None,
    };
    let (request, form) = event::request(&invocation, 0, &Habits::of(&BTreeMap::new()));
    assert!(request.uri().path().starts_with('/'), "a server is asked for a path");
    assert!(request.uri().authority().is_none(), "a server is asked for nothing else");
    let headers = request.headers();
    for of_a_connection in ["connection", "transfer-encoding", "content-length", "upgrade"] {
        assert!(!headers.contains_key(of_a_connection), "{of_a_connection} is said by whoever sends it");
    }
    assert_eq!(headers.get_all("x-amzn-requestid").iter().count(), 1, "the platform says who it is");
    assert!(form != Form::Bare || request.method() == http::Method::POST, "what is no request is posted");
}

/// Bytes as an answer: a byte for its form and one for its status, headers as `name: value`, each in a line of its own, an empty line,
/// and the body.
pub(crate) fn answer(data: &[u8]) {
    let [form, status, rest @ ..] = data else { return };
    let form = [Form::Two, Form::One, Form::OneMany, Form::Bare][usize::from(form % 4)];
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(200 + u16::from(*status)).unwrap_or_default();
    let mut body = rest;
    while let Some(end) = body.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&body[..end], &body[end + 1..]);
        body = after;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()))
        {
            response.headers_mut().append(name, value);
        }
    }
    let (head, ()) = response.into_parts();
    match event::answer(form, &Habits::of(&BTreeMap::new()), &head, body) {
        Event::Result(json) | Event::Error { document: json, .. } => {
            assert!(json.len() <= RESPONSE_BYTES_MAX, "an answer has a largest size");
            let json: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
            assert!(form == Form::Bare || json.is_object(), "what sends requests gets an object");
        }
        Event::TooLarge => {}
        other => panic!("an answer is no {other:?}"),
    }
}
