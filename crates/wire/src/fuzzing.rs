//! What the fuzz targets do with bytes from anywhere: one function per decoder. They are called by cargo-fuzz (`fuzz/`) and, with
//! seeded mutations of good messages, by an ordinary test, so that every run of the tests tries some.
//!
//! Each function holds that nothing panics and that what was read, written again and read again is the same.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::check::check_read;
use crate::json::JsonSource;
use crate::{
    Dynamic, OperationModel, Protocol, Request, Route, Routed, Router, SERVICES, Service, Source, client, document,
    server,
};

/// Every served operation, as a request for it in that protocol; any codec can carry any schema.
pub fn routes(protocol: Protocol) -> Vec<Route> {
    let served = |service: &'static Service| {
        let operations: &'static [OperationModel] = service.operations;
        operations.iter().filter(|operation| operation.is_served()).map(move |operation| (service, operation))
    };
    let all = SERVICES.iter().flat_map(|service| served(service));
    all.map(|(service, operation)| Route { service, operation, protocol }).collect()
}

/// A JSON body under `X-Amz-Target`.
pub fn aws_json(data: &[u8]) {
    body(Protocol::Json11, data);
    agrees_with_serde(data);
}

/// A path, a query string, headers' values and a body under HTTP bindings, each ended by a zero.
pub fn rest_json(data: &[u8]) {
    message(Protocol::RestJson, data);
}

/// The same with XML.
pub fn rest_xml(data: &[u8]) {
    message(Protocol::RestXml, data);
}

/// A form.
pub fn query(data: &[u8]) {
    body(Protocol::Query, data);
    body(Protocol::Ec2, data);
}

/// A CBOR body.
pub fn cbor(data: &[u8]) {
    body(Protocol::Cbor, data);
}

/// A method, a path, a query string and a target, each ended by a zero.
pub fn routing(data: &[u8]) {
    let mut parts = data.splitn(5, |byte| *byte == 0).map(String::from_utf8_lossy);
    let mut next = || parts.next().unwrap_or_default().into_owned();
    let (method, path, query, target, body) = (next(), next(), next(), next(), next());
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let mut headers = HeaderMap::new();
    if let (false, Ok(target)) = (target.is_empty(), HeaderValue::try_from(target)) {
        headers.insert("x-amz-target", target);
    }
    if !body.is_empty() {
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    let body = Bytes::from(body);
    let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body };
    let router = Router::new(SERVICES);
    for signing_name in [None, Some("lambda"), Some("nobody")] {
        if let Routed::Served(route) = router.route(&request, signing_name) {
            assert!(route.operation.is_served(), "only what is served is said to be");
            read_again(route, &request);
        }
    }
}

/// The first byte says which operation, the rest is the body.
fn body(protocol: Protocol, data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let routes = routes(protocol);
    let route = routes[usize::from(*first) % routes.len()];
    let (headers, body) = (HeaderMap::new(), Bytes::copy_from_slice(rest));
    read_again(route, &Request { method: &Method::POST, path: "/", query: "", headers: &headers, body: &body });
}

fn message(protocol: Protocol, data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let routes = routes(protocol);
    let route = routes[usize::from(*first) % routes.len()];
    let mut parts = rest.splitn(4, |byte| *byte == 0);
    let (path, query, header, body) = (parts.next(), parts.next(), parts.next(), parts.next());
    let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).into_owned();
    let (path, query, body) = (text(path), text(query), Bytes::copy_from_slice(body.unwrap_or_default()));
    let mut headers = HeaderMap::new();
    let input = route.operation.shapes.map(|shapes| shapes.input.members()).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(header.unwrap_or_default()) {
        for at in input.iter().filter(|at| at.place == crate::schema::Place::Header) {
            headers.insert(at.wire, value.clone());
        }
    }
    let request = Request { method: &Method::POST, path: &path, query: &query, headers: &headers, body: &body };
    read_again(route, &request);
}

/// Reads, checks, writes what was read, and reads it again.
fn read_again(route: Route, request: &Request<'_>) {
    let Some(shapes) = route.operation.shapes else { return };
    let mut first = Dynamic::new(shapes.input);
    let Ok(missing) = server::decode(&mut first, route, request) else { return };
    // Whatever the verdict: it must be reached, and have words.
    let verdict = check_read(&first, &missing).map_err(|violations| violations.to_string());
    if verdict.is_err() {
        return;
    }
    let mut json = route;
    json.protocol = Protocol::Json11;
    let written = client::write_input(json, &first);
    let again =
        Request { method: written.method(), path: "/", query: "", headers: written.headers(), body: written.body() };
    let mut second = Dynamic::new(shapes.input);
    server::decode(&mut second, json, &again).expect("what we wrote can be read");
    // As documents, where NaN is NaN.
    assert_eq!(document::write(&first), document::write(&second), "what was written is what is read");
}

/// Our reading of JSON takes what serde_json takes, and nothing that is not JSON.
fn agrees_with_serde(data: &[u8]) {
    let is_deep = data.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 100;
    let Ok(mut source) = JsonSource::new(data) else { return };
    let ours = source.skip().and_then(|()| source.finish()).is_ok();
    if ours {
        assert!(is_deep || serde_json::from_slice::<IgnoredAny>(data).is_ok(), "this is no JSON, and we took it");
    } else {
        assert!(is_deep || serde_json::from_slice::<Value>(data).is_err(), "this is JSON, and we refused it");
    }
}
