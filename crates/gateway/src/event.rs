//! A request becomes the event that a function sees: payload format 2.0, as function URLs and HTTP APIs have it.
//!
//! Written straight into one buffer: this is work on every request, and a tree of values would cost more than all else here.
//! Decided where AWS's own description is silent: `rawPath` stays percent-encoded as the client sent it, so that a router in the
//! function sees what a server would see; cookies are in `cookies` and not in `headers` as well.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::{HeaderMap, Method, Version};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

/// What an event is made of.
#[derive(Debug)]
pub struct Ingredients<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The path below the function's address, still percent-encoded; begins with `/`.
    pub path: &'a str,
    /// What stands behind `?`, or empty.
    pub query: &'a str,
    /// The HTTP version that the client spoke.
    pub version: Version,
    /// All headers, in any order.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
    /// The client's address.
    pub peer: IpAddr,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// When it came in.
    pub time: Timestamp,
    /// The id of this request.
    pub request_id: &'a str,
    /// The `X-Amzn-Trace-Id` that the function is told.
    pub trace: &'a str,
    /// The account's twelve digits.
    pub account: &'a str,
    /// The address's id: `apiId` and `domainPrefix`.
    pub api_id: &'a str,
    /// The region, for the domain name where the client sent no `Host`.
    pub region: &'a str,
    /// The ARN of the caller where a signature was asked for.
    pub caller: Option<&'a str>,
}

/// The event as JSON.
pub fn event(of: &Ingredients<'_>) -> Vec<u8> {
    let headers_bytes: usize = of.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 6).sum();
    let mut json =
        Json(Vec::with_capacity(900 + headers_bytes + of.path.len() * 2 + of.query.len() * 3 + of.body.len() * 3 / 2));
    json.raw(r#"{"version":"2.0","routeKey":"$default","rawPath":"#).text(of.path);
    json.raw(r#","rawQueryString":"#).text(of.query);
    cookies(&mut json, of.headers);
    headers(&mut json, of);
    query(&mut json, of.query);
    request_context(&mut json, of);
    body(&mut json, of);
    json.raw("}");
    json.0
}

fn cookies(json: &mut Json, headers: &HeaderMap) {
    if !headers.contains_key(COOKIE) {
        return;
    }
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    json.raw(r#","cookies":["#);
    let mut first = true;
    for cookie in all.map(str::trim).filter(|cookie| !cookie.is_empty()) {
        json.comma(&mut first).text(cookie);
    }
    json.raw("]");
}

fn headers(json: &mut Json, of: &Ingredients<'_>) {
    json.raw(r#","headers":{"#);
    let mut first = true;
    for name in of.headers.keys().filter(|name| !is_replaced(name.as_str())) {
        json.comma(&mut first).text(name.as_str()).raw(":");
        let mut values = of.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => json.text(&String::from_utf8_lossy(only.as_bytes())),
            _ => {
                let all = of.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
                json.text(&all.collect::<Vec<_>>().join(","))
            }
        };
    }
    let port = of.headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.rsplit_once(':'));
    let port = port.map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let port = port.unwrap_or(if of.scheme == "https" { "443" } else { "80" });
    json.comma(&mut first).raw(r#""x-amzn-trace-id":"#).text(of.trace);
    json.raw(r#","x-forwarded-for":""#).display(of.peer).raw(r#"","x-forwarded-port":"#).text(port);
    json.raw(r#","x-forwarded-proto":"#).text(of.scheme).raw("}");
}

/// Headers that the platform speaks for: what a client says of them must not reach the function as if it were true.
fn is_replaced(name: &str) -> bool {
    matches!(name, "cookie" | "x-amzn-trace-id" | "x-forwarded-for" | "x-forwarded-port" | "x-forwarded-proto")
}

fn query(json: &mut Json, query: &str) {
    if query.is_empty() {
        return;
    }
    // Values of one name are joined with commas, in order; names keep the order in which they came first.
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => pairs.push((name, value)),
        }
    }
    json.raw(r#","queryStringParameters":{"#);
    let mut first = true;
    for (name, value) in &pairs {
        json.comma(&mut first).text(name).raw(":").text(value);
    }
    json.raw("}");
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn request_context(json: &mut Json, of: &Ingredients<'_>) {
    let header = |name| of.headers.get(name).map_or(&b""[..], http::HeaderValue::as_bytes);
    json.raw(r#","requestContext":{"accountId":"#).text(of.account).raw(r#","apiId":"#).text(of.api_id);
    if let Some(caller) = of.caller {
        json.raw(r#","authorizer":{"iam":{"accessKey":null,"accountId":"#).text(of.account);
        json.raw(r#","callerId":null,"cognitoIdentity":null,"principalOrgId":null,"userArn":"#).text(caller);
        json.raw(r#","userId":null}}"#);
    }
    json.raw(r#","domainName":"#);
    match header(HOST) {
        b"" => json.text(&format!("{}.lambda-url.{}.on.aws", of.api_id, of.region)),
        host => json.text(&String::from_utf8_lossy(host)),
    };
    json.raw(r#","domainPrefix":"#).text(of.api_id);
    json.raw(r#","http":{"method":"#).text(of.method.as_str()).raw(r#","path":"#).text(of.path);
    json.raw(r#","protocol":"#).text(protocol(of.version)).raw(r#","sourceIp":""#).display(of.peer);
    json.raw(r#"","userAgent":"#).text(&String::from_utf8_lossy(header(USER_AGENT)));
    json.raw(r#"},"requestId":"#).text(of.request_id).raw(r#","routeKey":"$default","stage":"$default","time":""#);
    json.display(of.time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
    json.raw(r#"","timeEpoch":"#).display(of.time.as_millisecond()).raw("}");
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn body(json: &mut Json, of: &Ingredients<'_>) {
    if of.body.is_empty() {
        json.raw(r#","isBase64Encoded":false"#);
        return;
    }
    let text = is_text(of.headers).then(|| std::str::from_utf8(of.body).ok()).flatten();
    json.raw(r#","body":"#);
    match text {
        Some(text) => json.text(text).raw(r#","isBase64Encoded":false"#),
        None => json.base64(of.body).raw(r#","isBase64Encoded":true"#),
    };
}

/// Which bodies go through as text. Forms are not among them: AWS encodes them, and parsers in functions rely on the flag.
fn is_text(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json" | "application/javascript" | "application/xml" | "application/graphql"
        )
}

/// JSON text under construction.
struct Json(Vec<u8>);

impl Json {
    /// JSON as it stands.
    fn raw(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// A string, quoted and escaped.
    fn text(&mut self, text: &str) -> &mut Self {
        serde_json::to_writer(&mut self.0, text).expect("writing a string into memory does not fail");
        self
    }

    /// Something that needs neither quotes nor escapes.
    fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        use std::io::Write;
        write!(self.0, "{value}").expect("writing into memory does not fail");
        self
    }

    /// Bytes as a base64 string.
    fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.push(b'"');
        let start = self.0.len();
        self.0.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = STANDARD.encode_slice(bytes, &mut self.0[start..]).expect("the buffer has the encoded length");
        self.0.truncate(start + written);
        self.0.push(b'"');
        self
    }

    /// A comma before every entry but the first.
    fn comma(&mut self, first: &mut bool) -> &mut Self {
        if !std::mem::take(first) {
            self.0.push(b',');
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn made(headers: &[(&'static str, &str)], path: &str, query: &str, body: &[u8]) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        }
        let event = event(&Ingredients {
            method: &Method::POST,
            path,
            query,
            version: Version::HTTP_11,
            headers: &map,
            body,
            peer: [127, 0, 0, 1].into(),
            scheme: "http",
            time: "2026-11-21T02:40:11.123Z".parse().expect("a time"),
            request_id: "id",
            trace: "Root=1-5759e988-bd862e3fe1be46a994272793",
            account: "000000000000",
            api_id: "abc",
            region: "us-east-1",
            caller: None,
        });
        serde_json::from_slice(&event).expect("the event is JSON")
    }

    #[test]
    fn the_event_is_what_functions_expect() {
        let headers =
            [("host", "abc.lambda-url.us-east-1.localhost:4566"), ("user-agent", "curl/8"), ("x-a", "1"), ("x-a", "2")];
        let event = made(&headers, "/a%20b", "x=1&x=2&y=%C3%A4+b&z", b"");
        assert_eq!(event["rawPath"], "/a%20b");
        assert_eq!(event["rawQueryString"], "x=1&x=2&y=%C3%A4+b&z");
        assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": "ä b", "z": ""}));
        assert_eq!(event["headers"]["x-a"], "1,2");
        assert_eq!(event["headers"]["x-forwarded-port"], "4566");
        assert_eq!(event["isBase64Encoded"], false);
        assert!(event.get("body").is_none() && event.get("cookies").is_none());
        let context = &event["requestContext"];
        assert_eq!(context["time"], "21/Nov/2026:02:40:11 +0000");
        assert_eq!(context["timeEpoch"], 1_795_228_811_123_i64);
        let expected = json!({"method": "POST", "path": "/a%20b", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl/8"});
        assert_eq!(context["http"], expected);
        assert_eq!(context["domainName"], "abc.lambda-url.us-east-1.localhost:4566");
    }

    #[test]
    fn bodies_are_text_or_base64() {
        for (kind, body, expected, encoded) in [
            ("application/json", &b"{}"[..], "{}", false),
            ("text/plain; charset=utf-8", "ä".as_bytes(), "ä", false),
            ("text/plain", b"\xff", "/w==", true),
            ("application/x-www-form-urlencoded", b"a=b", "YT1i", true),
            ("application/octet-stream", b"abc", "YWJj", true),
        ] {
            let event = made(&[("content-type", kind)], "/", "", body);
            assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(expected), &json!(encoded)), "{kind}");
        }
    }

    #[test]
    fn cookies_stand_apart_and_what_the_platform_says_cannot_be_forged() {
        let event = made(&[("cookie", "a=1; b=2"), ("cookie", "c=3"), ("x-forwarded-for", "6.6.6.6")], "/", "", b"");
        assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
        assert!(event["headers"].get("cookie").is_none());
        assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
    }
}
