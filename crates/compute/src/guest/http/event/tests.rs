//! Events of all forms, and the answers that they get.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::invocation::LogWish;

fn invocation(payload: &str) -> Invocation {
    Invocation {
        request_id: "id".to_owned(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        invoked_arn: "arn".to_owned(),
        trace: Some("Root=1".to_owned()),
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: std::time::Duration::ZERO,
        log: LogWish::None,
        held: None,
        conversation: None,
        pieces: None,
    }
}

/// Method, address, headers but those of the platform, and body.
async fn asked(payload: &Value) -> (String, Vec<String>, String, Form) {
    let (request, form) = request(&invocation(&payload.to_string()), 7, &Habits::of(&BTreeMap::new()));
    let (mut head, body) = request.into_parts();
    let context = head.headers.remove(LAMBDA_CONTEXT).unwrap();
    let expected = json!({"request_id": "id", "deadline": 7, "invoked_function_arn": "arn", "xray_trace_id": "Root=1"});
    assert_eq!(serde_json::from_slice::<Value>(context.as_bytes()).unwrap(), expected);
    assert_eq!(head.headers.remove(REQUEST_ID).unwrap(), "id");
    let mut headers: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let body = body.collect().await.unwrap().to_bytes();
    (format!("{} {}", head.method, head.uri), headers, String::from_utf8(body.to_vec()).unwrap(), form)
}

#[tokio::test]
async fn events_become_requests() {
    let two = |more: Value| {
        let mut event = json!({"version": "2.0", "rawPath": "/a", "rawQueryString": "", "requestContext": {"http": {"method": "GET"}}});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let context = r#"x-amzn-request-context: {"http":{"method":"GET"}}"#;
    for (event, line, headers, body, form) in [
        (two(json!({})), "GET /a", &[][..], "", Form::Two),
        (
            two(json!({"rawPath": "/a%20b/ü {x}?#", "rawQueryString": "x=1&y=%20 z"})),
            "GET /a%20b/%C3%BC%20%7Bx%7D%3F%23?x=1&y=%20%20z",
            &[],
            "",
            Form::Two,
        ),
        (
            two(
                json!({"headers": {"x-own": "1", "connection": "close, x-gone", "x-gone": "1", "transfer-encoding": "chunked", "bad name": "1", "x-amzn-request-context": "forged"}, "cookies": ["a=1", "b=2"]}),
            ),
            "GET /a",
            &["cookie: a=1; b=2", "x-own: 1"],
            "",
            Form::Two,
        ),
        (two(json!({"body": "text ü"})), "GET /a", &[], "text ü", Form::Two),
        (two(json!({"body": "dGV4dA==", "isBase64Encoded": true})), "GET /a", &[], "text", Form::Two),
        (
            two(json!({"headers": {"host": "own.example", "x-amzn-trace-id": "Root=2"}})),
            "GET /a",
            &["host: own.example", "x-amzn-trace-id: Root=2"],
            "",
            Form::Two,
        ),
    ] {
        let (asked_line, asked_headers, asked_body, asked_form) = asked(&event).await;
        let mut expected: Vec<&str> = headers.to_vec();
        expected.push(context);
        if !headers.iter().any(|header| header.starts_with("host")) {
            expected.extend(["host: 127.0.0.1", "x-amzn-trace-id: Root=1"]);
        }
        expected.sort_unstable();
        assert_eq!((asked_line.as_str(), asked_body.as_str(), asked_form), (line, body, form), "{event}");
        assert_eq!(asked_headers, expected, "{event}");
    }
}

#[test]
fn another_header_may_become_the_authorization() {
    let variables = [("AWS_LWA_AUTHORIZATION_SOURCE".to_owned(), "X-Mine".to_owned())].into();
    let event = json!({"httpMethod": "GET", "path": "/", "headers": {"x-mine": "Bearer a", "authorization": "AWS4-HMAC-SHA256"}});
    let (request, _) = request(&invocation(&event.to_string()), 7, &Habits::of(&variables));
    assert_eq!(request.headers()["authorization"], "Bearer a");
    assert!(!request.headers().contains_key("x-mine"));
}

#[tokio::test]
async fn older_events_become_requests_too() {
    let one = |more: Value| {
        let mut event = json!({"httpMethod": "POST", "path": "/a b", "requestContext": {"stage": "prod"}, "body": "x"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for (event, line, headers, form) in [
        (
            one(json!({"queryStringParameters": {"q": "a&b =", "r": ""}})),
            "POST /a%20b?q=a%26b%20%3D&r=",
            &[][..],
            Form::One,
        ),
        (
            one(
                json!({"multiValueQueryStringParameters": {"q": ["1", "2"]}, "queryStringParameters": {"q": "2"}, "headers": {"x": "2"}, "multiValueHeaders": {"X": ["1", "2"]}}),
            ),
            "POST /a%20b?q=1&q=2",
            &["x: 1", "x: 2"],
            Form::OneMany,
        ),
        (
            one(json!({"requestContext": {"elb": {}}, "queryStringParameters": {"q": "a%20b"}, "headers": null})),
            "POST /a%20b?q=a%20b",
            &[],
            Form::One,
        ),
    ] {
        let (asked_line, asked_headers, body, asked_form) = asked(&event).await;
        assert_eq!((asked_line.as_str(), body.as_str(), asked_form), (line, "x", form), "{event}");
        let own: Vec<&String> = asked_headers.iter().filter(|header| header.starts_with("x:")).collect();
        assert_eq!(own, headers, "{event}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_posted_as_it_is() {
    for event in [
        json!({"Records": [{"body": "x"}]}),
        json!([1]),
        json!("text"),
        json!(null),
        json!({"rawPath": 1}),
        json!({"httpMethod": "BAD METHOD", "path": "/"}),
    ] {
        let (line, headers, body, form) = asked(&event).await;
        assert_eq!((line.as_str(), form), ("POST /events", Form::Bare));
        assert!(headers.contains(&"content-type: application/json".to_owned()));
        assert_eq!(body, event.to_string());
    }
}

fn head(status: u16, headers: &[(&str, &[u8])]) -> response::Parts {
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    response.into_parts().0
}

fn answered_with(form: Form, head: &response::Parts, body: &[u8]) -> Event {
    answer(form, &Habits::of(&BTreeMap::new()), head, body)
}

fn answered(form: Form, status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Value {
    match answered_with(form, &head(status, headers), body) {
        Event::Result(json) => serde_json::from_slice(&json).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_become_json() {
    let html: &[(&str, &[u8])] = &[
        ("content-type", b"text/html; charset=utf-8"),
        ("x", b"1"),
        ("x", b"2"),
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("connection", b"close"),
        ("content-length", b"9"),
    ];
    for (form, expected) in [
        (
            Form::Two,
            json!({"statusCode": 200, "headers": {"content-type": "text/html; charset=utf-8", "x": "1, 2"}, "cookies": ["a=1", "b=2"], "body": "<ü>", "isBase64Encoded": false}),
        ),
        (
            Form::One,
            json!({"statusCode": 200, "headers": {"content-type": "text/html; charset=utf-8", "x": "1, 2", "set-cookie": "b=2"}, "body": "<ü>", "isBase64Encoded": false}),
        ),
        (
            Form::OneMany,
            json!({"statusCode": 200, "headers": {}, "multiValueHeaders": {"content-type": ["text/html; charset=utf-8"], "x": ["1", "2"], "set-cookie": ["a=1", "b=2"]}, "body": "<ü>", "isBase64Encoded": false}),
        ),
    ] {
        assert_eq!(answered(form, 200, html, "<ü>".as_bytes()), expected);
    }
    for (headers, body, expected, encoded) in [
        (&[][..], &b"text"[..], "text", false),
        (&[], b"\xff\x00", "/wA=", true),
        (&[("content-type", &b"image/png"[..])], b"text", "dGV4dA==", true),
        (&[("content-type", b"application/problem+json")], b"{}", "{}", false),
        (&[("content-type", b"text/plain"), ("content-encoding", b"gzip")], b"text", "dGV4dA==", true),
        (&[("content-type", b"image/png")], b"", "", false),
    ] {
        let answer = answered(Form::Two, 404, headers, body);
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!(expected), &json!(encoded)), "{headers:?}");
        assert_eq!(answer["statusCode"], 404, "a status is no error: it is the caller's");
    }
    assert_eq!(answered(Form::Two, 200, &[("x", b"\xe4")], b"")["headers"]["x"], "ä");
}

#[test]
fn answers_to_other_events_are_results() {
    for (body, expected) in
        [(&b"{\"a\": 1}"[..], json!({"a": 1})), (b"words", json!("words")), (b"", json!("")), (b"7", json!(7))]
    {
        assert_eq!(answered(Form::Bare, 200, &[], body), expected);
    }
    match answered_with(Form::Bare, &head(500, &[]), b"no") {
        Event::Error { document, after: After::GoesOn } => {
            assert_eq!(&document[..], br#"{"errorType":"Http.500","errorMessage":"no"}"#);
        }
        other => panic!("{other:?}"),
    }
    let large = vec![b'"'; RESPONSE_BYTES_MAX / 2 + 1];
    assert_eq!(answered_with(Form::Two, &head(200, &[]), &large), Event::TooLarge, "escapes count");
    assert_eq!(answered_with(Form::Bare, &head(200, &[]), &large), Event::TooLarge);
}
