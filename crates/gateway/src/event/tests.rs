//! What functions see.

use base::{Clock, Random};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;

const HOST: &str = "abc.lambda-url.us-east-1.localhost:4566";

struct Sent {
    method: Method,
    path: &'static str,
    query: &'static str,
    host: &'static str,
    headers: Vec<(&'static str, &'static [u8])>,
    body: &'static [u8],
    signer: Option<Signer<'static>>,
}

impl Default for Sent {
    fn default() -> Self {
        Self { method: Method::GET, path: "/", query: "", host: HOST, headers: Vec::new(), body: b"", signer: None }
    }
}

fn seen(sent: &Sent) -> Value {
    let mut headers = HeaderMap::new();
    for (name, value) in &sent.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a value"));
    }
    let random = Random::seeded(1);
    let source = Source {
        method: &sent.method,
        path: sent.path,
        query: sent.query,
        headers: &headers,
        host: sent.host,
        peer: [127, 0, 0, 1].into(),
        body: sent.body,
        url_id: "abc",
        request_id: Uuid::nil(),
        time: "2026-11-21T02:40:11.007Z".parse().expect("a time"),
        trace: Trace::start(&Clock::system(), &random),
        signer: sent.signer,
    };
    serde_json::from_slice(&write(&source)).expect("the event is JSON")
}

#[test]
fn a_plain_request_is_told_whole() {
    let mut event = seen(&Sent { headers: vec![("user-agent", b"curl/8")], ..Sent::default() });
    let trace = event["headers"]["x-amzn-trace-id"].take();
    assert!(trace.as_str().expect("text").starts_with("Root=1-"));
    let expected = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {
            "user-agent": "curl/8",
            "host": "abc.lambda-url.us-east-1.localhost:4566",
            "x-amzn-trace-id": null,
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http"
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.us-east-1.localhost",
            "domainPrefix": "abc",
            "http": {
                "method": "GET",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl/8"
            },
            "requestId": "00000000-0000-0000-0000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Nov/2026:02:40:11 +0000",
            "timeEpoch": 1_795_228_811_007_i64
        },
        "isBase64Encoded": false
    });
    assert_eq!(event, expected);
    assert_eq!(event.to_string(), expected.to_string(), "in AWS's order");
}

#[test]
fn queries_headers_and_cookies_are_told() {
    let event = seen(&Sent {
        query: "a=1&b=x%20y+z&a=2&empty&=v&%C3%A9=%22",
        headers: vec![
            ("x-a", b"one"),
            ("x-a", b"two, three"),
            ("x-latin", b"caf\xe9"),
            ("cookie", b"c1=v1; c2=\"v2\""),
            ("cookie", b"c3=v3;"),
            ("connection", b"keep-alive"),
            ("x-forwarded-for", b"6.6.6.6"),
        ],
        ..Sent::default()
    });
    assert_eq!(event["rawQueryString"], "a=1&b=x%20y+z&a=2&empty&=v&%C3%A9=%22");
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "x y z", "empty": "", "": "v", "é": "\""}));
    assert_eq!(event["cookies"], json!(["c1=v1", "c2=\"v2\"", "c3=v3"]));
    let headers = &event["headers"];
    assert_eq!((&headers["x-a"], &headers["x-latin"]), (&json!("one,two, three"), &json!("café")));
    assert_eq!((&headers["cookie"], headers.get("connection")), (&json!("c1=v1; c2=\"v2\"; c3=v3;"), None));
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1", "what a client says of itself is not believed");
}

#[test]
fn paths_are_told_as_sent_and_decoded() {
    for (sent, decoded) in [
        ("/", "/"),
        ("/a+b", "/a+b"),
        ("/space%20value", "/space value"),
        ("/slash%2Fvalue", "/slash/value"),
        ("/unicode-%CE%BB", "/unicode-λ"),
        ("/half%", "/half%"),
        ("/%ff", "/\u{fffd}"),
    ] {
        let event = seen(&Sent { path: sent, ..Sent::default() });
        assert_eq!((&event["rawPath"], &event["requestContext"]["http"]["path"]), (&json!(sent), &json!(decoded)));
    }
}

#[test]
fn hosts_are_taken_apart() {
    for (host, domain, port) in [
        ("localhost", "localhost", "80"),
        ("localhost:4566", "localhost", "4566"),
        ("localhost:", "localhost:", "80"),
        ("[::1]", "[::1]", "80"),
        ("[::1]:4566", "[::1]", "4566"),
    ] {
        let event = seen(&Sent { host, ..Sent::default() });
        let told = (&event["requestContext"]["domainName"], &event["headers"]["x-forwarded-port"]);
        assert_eq!(told, (&json!(domain), &json!(port)), "{host}");
        assert_eq!(event["headers"]["host"], host);
    }
}

#[test]
fn who_signed_is_told_and_the_signature_is_not() {
    let headers: Vec<(_, &[u8])> = vec![("authorization", b"AWS4-HMAC-SHA256 x"), ("x-amz-date", b"20261121T024011Z")];
    let open = seen(&Sent { headers: headers.clone(), ..Sent::default() });
    assert_eq!(open["headers"]["authorization"], "AWS4-HMAC-SHA256 x", "what nobody looked at is the function's");
    let signer = Some(Signer { access_key: "AKIA", account: AccountId::ONLY, arn: "arn:aws:iam::000000000000:root" });
    let signed = seen(&Sent { headers, signer, ..Sent::default() });
    assert_eq!(
        (signed["headers"].get("authorization"), &signed["headers"]["x-amz-date"]),
        (None, &json!("20261121T024011Z"))
    );
    let expected = json!({
        "accessKey": "AKIA",
        "accountId": "000000000000",
        "callerId": "AKIA",
        "cognitoIdentity": null,
        "principalOrgId": null,
        "userArn": "arn:aws:iam::000000000000:root",
        "userId": "AKIA"
    });
    assert_eq!(signed["requestContext"]["authorizer"]["iam"], expected);
    assert_eq!(signed["requestContext"]["accountId"], "000000000000");
}

#[test]
fn a_query_of_thousands_is_told_as_quickly_as_one_of_few() {
    let query: String = (0..20_000).map(|index| format!("{}&", index % 7_000)).collect();
    let mut buffer = Vec::new();
    query_parameters(&mut buffer, &query);
    let told: Value = serde_json::from_slice(&[b"{\"a\":1", &buffer[..], b"}"].concat()).expect("JSON");
    let told = told["queryStringParameters"].as_object().expect("an object").clone();
    assert_eq!((told.len(), &told["0"], &told["6999"]), (7_000, &json!(",,"), &json!(",")));
    assert!(told.keys().map(|name| name.parse::<usize>().expect("a number")).is_sorted(), "in order of appearance");
}

#[test]
fn bodies_are_text_or_base64_by_their_type() {
    for (content_type, body, expected, encoded) in [
        (&b"application/json"[..], &b"{\"a\":\"\n\"}"[..], "{\"a\":\"\n\"}", false),
        (b"application/json; charset=utf-8", "é".as_bytes(), "é", false),
        (b"TEXT/plain", b"x", "x", false),
        (b"application/problem+json", b"{}", "{}", false),
        (b"image/svg+xml", b"<a/>", "<a/>", false),
        (b"application/x-www-form-urlencoded", b"a=b", "YT1i", true),
        (b"application/octet-stream", b"ab", "YWI=", true),
        (b"text/plain", b"\xff", "/w==", true),
        (b"text", b"a", "YQ==", true),
        (b" Application/XML ;charset=utf-8", b"<a/>", "<a/>", false),
        (b"json", b"{}", "e30=", true),
        (b"multipart/form-data; boundary=x", b"a", "YQ==", true),
    ] {
        let event = seen(&Sent { headers: vec![("content-type", content_type)], body, ..Sent::default() });
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(expected), &json!(encoded)));
    }
    let event = seen(&Sent { body: b"x", ..Sent::default() });
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("eA=="), &json!(true)), "without a type");
    assert_eq!(seen(&Sent::default()).get("body"), None);
}

#[test]
fn whatever_comes_the_event_is_json() {
    let random = Random::seeded(9);
    let methods = [Method::GET, Method::POST, Method::from_bytes(b"X-$'").expect("a method")];
    for _ in 0..20_000 {
        let bytes = || {
            let length = random.below(24) as usize;
            let mut bytes = vec![0; length];
            random.fill(&mut bytes);
            for byte in &mut bytes {
                if random.below(3) == 0 {
                    *byte = b"=&;%+\"\\, \n\x00\xc3"[random.below(12) as usize];
                }
            }
            bytes
        };
        let (path, query, host) = (bytes(), bytes(), bytes());
        crate::fuzzing::request(&[&path[..], b"\n", &query, b"\n", &host, b"\nx-a: b\n", &bytes()].concat());
        let (path, query) = (String::from_utf8_lossy(&path), String::from_utf8_lossy(&query));
        let host = String::from_utf8_lossy(&host);
        let body = bytes();
        let mut headers = HeaderMap::new();
        for name in ["cookie", "content-type", "user-agent", "x-a", "x-a"] {
            if let Ok(value) = HeaderValue::from_bytes(&bytes()) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let source = Source {
            method: &methods[random.below(3) as usize],
            path: &path,
            query: &query,
            headers: &headers,
            host: &host,
            peer: [0; 16].into(),
            body: &body,
            url_id: "abc",
            request_id: Uuid::nil(),
            time: jiff::Timestamp::UNIX_EPOCH,
            trace: Trace::start(&Clock::system(), &random),
            signer: Some(Signer { access_key: &query, account: AccountId::ONLY, arn: &path }),
        };
        let event: Value = serde_json::from_slice(&write(&source)).expect("JSON");
        assert_eq!((event["rawPath"].as_str(), event["rawQueryString"].as_str()), (Some(&*path), Some(&*query)));
    }
}
