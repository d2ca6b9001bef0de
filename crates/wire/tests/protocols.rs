//! The public protocol cases: what AWS's own clients send for given parameters, and what they read from given answers.
//!
//! The cases are data, found in the folder that `FREEHOLD_DATA` names, or in `shared/data` beside the checkout. Where there is
//! none, the tests say so and pass. Each case is tried in both directions: a server reads the request and a client writes it;
//! a client reads the answer, and what a server writes for the result is read back. `protocols/gaps.txt` lists what does not
//! hold; an entry that holds again is an error, so that the list only shrinks.

#[path = "protocols/model.rs"]
mod model;
#[path = "protocols/values.rs"]
mod values;

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use serde_json::Value;
use wire::client::{self, Refused};
use wire::{Dynamic, Protocol, Request, Route, server, uri};

/// The suites, and the protocol that each speaks.
const SUITES: &[(&str, Protocol)] = &[
    ("rest-json", Protocol::RestJson),
    ("json", Protocol::Json11),
    ("json_1_0", Protocol::Json10),
    ("json_1_0-query-compatible", Protocol::Json10),
    ("query", Protocol::Query),
    ("ec2", Protocol::Ec2),
    ("rest-xml", Protocol::RestXml),
    ("smithy-rpc-v2-cbor", Protocol::Cbor),
    ("smithy-rpc-v2-cbor-query-compatible", Protocol::Cbor),
    ("smithy-rpc-v2-cbor-non-query-compatible", Protocol::Cbor),
];

#[test]
fn a_server_reads_what_clients_send() {
    each_case("input", "read", |route, case| {
        let (request, body) = (&case["serialized"], body(route.protocol, &case["serialized"]));
        let headers = headers(&request["headers"]);
        let (path, query) = address(request);
        let method: Method = request["method"].as_str().unwrap_or("POST").parse().expect("a method");
        let request = Request { method: &method, path, query, headers: &headers, body: &body };
        let mut shape = Dynamic::new(route.operation.shapes.expect("served").input);
        server::decode(&mut shape, route, &request).map_err(|why| why.to_string())?;
        same(
            &values::printed(&values::structure(wire::Shape::schema(&shape), &case["params"])),
            &values::printed(&shape),
        )
    });
}

#[test]
fn a_client_writes_what_clients_send() {
    each_case("input", "write", |route, case| {
        let input = values::structure(route.operation.shapes.expect("served").input, &case["params"]);
        let written = client::write_input(route, &input);
        let expected = &case["serialized"];
        let (path, query) = address(expected);
        same(expected["method"].as_str().unwrap_or("POST"), written.method().as_str())?;
        same(path, written.uri().path())?;
        let pairs = |query: &str| uri::pairs(query).collect::<BTreeSet<_>>();
        same(&format!("{:?}", pairs(query)), &format!("{:?}", pairs(written.uri().query().unwrap_or_default())))?;
        for (name, value) in expected["headers"].as_object().into_iter().flatten() {
            let ours = written.headers().get(name).map(|value| value.to_str().expect("text")).unwrap_or_default();
            let ours = ours.split(';').next().unwrap_or_default();
            same(value.as_str().unwrap_or_default().split(';').next().unwrap_or_default(), ours)?;
        }
        match expected.get("body") {
            Some(_) => same_body(route.protocol, &body(route.protocol, expected), written.body()),
            None => Ok(()),
        }
    });
}

#[test]
fn a_client_reads_what_servers_send() {
    each_case("output", "read", |route, case| {
        let (printed, fault) = read_answer(route, &answer(route.protocol, &case["response"]))?;
        match case.get("errorCode").and_then(Value::as_str) {
            None => same(&values::printed(&expected_output(route, case)), &printed),
            Some(code) => {
                let fault = fault.ok_or("no fault")?;
                same(code, &fault.code)?;
                if let Some(message) = case["errorMessage"].as_str() {
                    same(message, &fault.message)?;
                }
                let expected = case["error"].as_object().into_iter().flatten();
                for (name, value) in expected.filter(|(name, _)| !name.eq_ignore_ascii_case("message")) {
                    let exception = route.service.exception(code).ok_or("no such exception")?;
                    let at = exception.schema.members().iter().find(|at| at.name == name).ok_or("no such member")?;
                    let ours = fault.members.iter().find(|(wire, _)| *wire == at.wire).map(|(_, value)| value);
                    let bare = ours.and_then(Value::as_object).map(|ours| ours.values().collect::<Vec<_>>());
                    let theirs = value.as_object().map(|value| value.values().collect::<Vec<_>>());
                    // Inside a member the names are the wire's here, and the model's there.
                    let is_same = ours == Some(value) || (bare.is_some() && bare == theirs);
                    same("true", &is_same.to_string())?;
                }
                Ok(())
            }
        }
    });
}

#[test]
fn a_client_reads_what_our_server_sends() {
    each_case("output", "write", |route, case| {
        let Some(code) = case.get("errorCode").and_then(Value::as_str) else {
            let output = expected_output(route, case);
            let answer = server::write_output(route, &output, "foo-id");
            let status = case["response"]["status_code"].as_u64().unwrap_or(200);
            same(&status.to_string(), &answer.status().as_u16().to_string())?;
            return same(&values::printed(&output), &read_answer(route, &answer)?.0);
        };
        let mut fault = contract::Fault::new(contract::Cause::Invalid, code, "");
        fault.message = case["errorMessage"].as_str().unwrap_or_default().to_owned();
        let status = case["response"]["status_code"].as_u64().unwrap_or(400) as u16;
        let answer = server::write_fault(Some(route.service), route.protocol, &fault, status, "foo-id");
        same(&status.to_string(), &answer.status().as_u16().to_string())?;
        let read = read_answer(route, &answer)?.1.ok_or("no fault")?;
        same(&format!("{code} {}", fault.message), &format!("{} {}", read.code, read.message))
    });
}

fn expected_output(route: Route, case: &Value) -> Dynamic {
    values::structure(route.operation.shapes.expect("served").output, &case["result"])
}

/// The output as text, or the fault.
fn read_answer(route: Route, answer: &Response<Bytes>) -> Result<(String, Option<contract::Fault>), String> {
    let mut shape = Dynamic::new(route.operation.shapes.expect("served").output);
    match client::read_output(&mut shape, route, answer) {
        Ok(()) => Ok((values::printed(&shape), None)),
        Err(Refused::Fault(fault)) => Ok((String::new(), Some(fault))),
        Err(Refused::Malformed(why)) => Err(why.to_string()),
    }
}

/// Runs all cases of one kind, and holds those that fail against the list.
fn each_case(kind: &str, direction: &str, check: impl Fn(Route, &Value) -> Result<(), String>) {
    let Some(folder) = data() else {
        println!("skipped: no protocol cases here; set FREEHOLD_DATA to the folder that has protocol-tests");
        return;
    };
    let mut failed = BTreeSet::new();
    let mut count = 0;
    for (name, protocol) in SUITES {
        let path = folder.join(format!("protocol-tests/{kind}/{name}.json"));
        let text = std::fs::read_to_string(&path).expect("the suite is there");
        let suites: Vec<Value> = serde_json::from_str(&text).expect("the suite is JSON");
        for (suite, case) in suites
            .iter()
            .flat_map(|suite| suite["cases"].as_array().into_iter().flatten().map(move |case| (suite, case)))
        {
            count += 1;
            let route = model::route(suite, &case["given"], *protocol);
            if let Err(why) = check(route, case) {
                let id = format!("{kind} {direction} {name} {}", case["id"].as_str().unwrap_or_default());
                println!("{id}\n    {}", why.replace('\n', "\n    "));
                failed.insert(id);
            }
        }
    }
    let listed: BTreeSet<String> = include_str!("protocols/gaps.txt")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|line| line.starts_with(&format!("{kind} {direction} ")))
        .collect();
    let new: Vec<_> = failed.difference(&listed).collect();
    let healed: Vec<_> = listed.difference(&failed).collect();
    println!("{count} cases, {} known gaps", listed.len());
    assert!(new.is_empty(), "these do not hold: {new:#?}");
    assert!(healed.is_empty(), "these hold again, delete them from gaps.txt: {healed:#?}");
}

fn data() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("FREEHOLD_DATA").map_or(beside, PathBuf::from);
    folder.join("protocol-tests").is_dir().then_some(folder)
}

/// The body of a request or answer; CBOR's are base64.
fn body(protocol: Protocol, message: &Value) -> Bytes {
    use base64::Engine;
    let text = message["body"].as_str().unwrap_or_default();
    match protocol {
        Protocol::Cbor => base64::engine::general_purpose::STANDARD.decode(text).expect("base64").into(),
        Protocol::RestJson
        | Protocol::RestXml
        | Protocol::Json10
        | Protocol::Json11
        | Protocol::Query
        | Protocol::Ec2 => Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn answer(protocol: Protocol, message: &Value) -> Response<Bytes> {
    let mut response = Response::new(body(protocol, message));
    *response.status_mut() = message["status_code"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok()?.try_into().ok())
        .expect("a status");
    *response.headers_mut() = headers(&message["headers"]);
    response
}

fn headers(given: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().expect("a header's name");
        headers.append(name, HeaderValue::from_str(value.as_str().expect("text")).expect("a header's value"));
    }
    headers
}

fn address(request: &Value) -> (&str, &str) {
    let uri = request["uri"].as_str().unwrap_or("/");
    uri.split_once('?').unwrap_or((uri, ""))
}

fn same(expected: &str, found: &str) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("expected {expected}\n   found {found}")) }
}

/// Whether two bodies mean the same.
fn same_body(protocol: Protocol, expected: &[u8], found: &[u8]) -> Result<(), String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let as_json = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map(floats).map_or_else(|_| text(bytes), |v| v.to_string())
    };
    let as_form = |bytes: &[u8]| format!("{:?}", uri::pairs(&text(bytes)).collect::<BTreeSet<_>>());
    match protocol {
        Protocol::RestJson | Protocol::Json10 | Protocol::Json11 => same(&as_json(expected), &as_json(found)),
        Protocol::Query | Protocol::Ec2 => same(&as_form(expected), &as_form(found)),
        // Layout and the order of attributes and entries are free: what is read back decides, in the test beside this one.
        Protocol::RestXml | Protocol::Cbor => same(&expected.is_empty().to_string(), &found.is_empty().to_string()),
    }
}

/// Numbers as floating point, so that 1 and 1.0 are the same, and keys in order.
fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => serde_json::json!(number.as_f64().expect("a number")),
        Value::Array(items) => items.into_iter().map(floats).collect(),
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<String, Value> = map.into_iter().collect();
            sorted.into_iter().map(|(key, value)| (key, floats(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}
