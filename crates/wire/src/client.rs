//! The client's side: requests are written, answers and faults are read. Who calls signs and sends.

use bytes::Bytes;
use contract::Fault;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response};
use serde_json::{Map, Value};

use crate::cbor::{CborSource, CborWriter};
use crate::form::{Dialect, FormWriter};
use crate::json::{JsonSource, JsonWriter};
use crate::rest::{self, Carrier};
use crate::route::Route;
use crate::schema::{Place, TimestampFormat};
use crate::server::{Role, content_type, read_rest, rest_body};
use crate::tree::{Node, TreeSource};
use crate::uri::{self, Pattern};
use crate::writer::present;
use crate::xml::{Element, members_of};
use crate::{Empty, Malformed, Protocol, Reader, Shape, Source, StaticShape, document, fault};

/// Why there is no output.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The service said no.
    #[error(transparent)]
    Fault(Fault),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Malformed(#[from] Malformed),
}

/// Writes an operation's input. The request's address is path and query only.
pub fn write_input(route: Route, input: &dyn Shape) -> Request<Bytes> {
    let name = route.operation.id.name;
    let mut headers = HeaderMap::new();
    let mut path = "/".to_owned();
    let mut body = Bytes::new();
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 => {
            let mut writer = JsonWriter::default();
            writer.object(present(input));
            body = writer.into_bytes();
            add(&mut headers, "x-amz-target", &format!("{}.{name}", route.service.target_prefix));
            add(&mut headers, "content-type", content_type(route.protocol));
        }
        Protocol::Cbor => {
            // An operation without input has no body; one whose input is an empty structure has that.
            if !std::ptr::eq(input.schema(), <Empty as StaticShape>::SCHEMA) {
                let mut writer = CborWriter::default();
                writer.object(present(input));
                body = writer.into_bytes();
                add(&mut headers, "content-type", "application/cbor");
            }
            path = format!("/service/{}/operation/{name}", route.service.target_prefix);
            add(&mut headers, "smithy-protocol", "rpc-v2-cbor");
            add(&mut headers, "accept", "application/cbor");
        }
        Protocol::Query | Protocol::Ec2 => {
            let dialect = if route.protocol == Protocol::Ec2 { Dialect::Ec2 } else { Dialect::Query };
            body = FormWriter::form(dialect, name, route.service.api_version, input).into();
            add(&mut headers, "content-type", "application/x-www-form-urlencoded; charset=utf-8");
        }
        Protocol::RestJson | Protocol::RestXml => {
            path = rest_address(route, input, &mut headers);
            if let Some((bytes, kind)) = rest_body(route.protocol, input, route.service.xml_namespace, Role::Request) {
                if !headers.contains_key(CONTENT_TYPE) {
                    add(&mut headers, "content-type", &kind);
                }
                body = bytes;
            }
        }
    }
    let is_rpc = matches!(route.protocol, Protocol::Json10 | Protocol::Json11 | Protocol::Cbor);
    if is_rpc && route.service.query_compatible {
        add(&mut headers, "x-amzn-query-mode", "true");
    }
    let mut request = Request::new(body);
    *request.method_mut() = route.operation.method.parse().unwrap_or_default();
    *request.uri_mut() = path.parse().unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.append(name, value);
    }
}

/// The path and query string; headers on the way.
fn rest_address(route: Route, input: &dyn Shape, headers: &mut HeaderMap) -> String {
    let pattern = Pattern::parse(route.operation.uri);
    let mut labels = Vec::new();
    let mut query = String::new();
    for (name, value) in &pattern.query {
        uri::push_pair(&mut query, name, value);
    }
    for (at, value) in present(input) {
        match at.place {
            Place::Uri => labels.push((at.wire, rest::texts(value, at, TimestampFormat::Iso8601).concat())),
            Place::Query => {
                let texts = rest::texts(value, at, TimestampFormat::Iso8601);
                texts.iter().for_each(|text| uri::push_pair(&mut query, at.wire, text));
            }
            Place::QueryRest => {
                // What has a member or a literal of its own is that one's, whatever the map says.
                let members = input.schema().members();
                let taken = |name: &str| {
                    pattern.query.iter().any(|(literal, _)| *literal == name)
                        || members.iter().any(|other| other.place == Place::Query && other.wire == name)
                };
                for (name, texts) in rest::map_texts(value, at).into_iter().filter(|(name, _)| !taken(name)) {
                    texts.iter().for_each(|text| uri::push_pair(&mut query, &name, text));
                }
            }
            Place::Header => {
                rest::header_texts(value, at).iter().for_each(|text| add(headers, at.wire, text));
            }
            Place::Headers => {
                for (key, texts) in rest::map_texts(value, at) {
                    texts.iter().for_each(|text| add(headers, &format!("{}{key}", at.wire), text));
                }
            }
            Place::Body | Place::Status => {}
        }
    }
    let value = |name: &str| {
        labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let path = pattern.fill(&value);
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// Reads an operation's answer.
pub fn read_output(shape: &mut dyn Shape, route: Route, response: &Response<Bytes>) -> Result<(), Refused> {
    if !response.status().is_success() {
        return Err(read_fault(route, response)?);
    }
    let body = response.body();
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 => {
            let mut source = JsonSource::new(body)?;
            read(&mut source, shape)?;
            source.finish()?;
        }
        Protocol::Cbor => read(&mut CborSource::new(body), shape)?,
        Protocol::Query | Protocol::Ec2 => {
            if !body.is_empty() {
                let root = Element::parse(body)?;
                let wrapper = root.child(&format!("{}Result", route.operation.id.name));
                let members = members_of(wrapper.unwrap_or(&root), shape.schema())?;
                read(&mut TreeSource::new(Node::Structure(members)), shape)?;
            }
        }
        Protocol::RestJson | Protocol::RestXml => {
            let carrier = Carrier {
                headers: response.headers(),
                labels: Vec::new(),
                query: Vec::new(),
                status: Some(response.status().as_u16()),
            };
            read_rest(shape, route.protocol, &carrier, body, None)?;
        }
    }
    Ok(())
}

fn read(source: &mut dyn Source, shape: &mut dyn Shape) -> Result<(), Malformed> {
    Reader::new(source).structure(shape.schema(), shape)
}

/// Reads a fault: its code, message and members.
fn read_fault(route: Route, response: &Response<Bytes>) -> Result<Refused, Malformed> {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let (body, code) = fault_body(route, response.body())?;
    let query_code = header("x-amzn-query-error").and_then(|value| value.split(';').next());
    let code = query_code.or_else(|| header("x-amzn-errortype")).map(str::to_owned).or(code).unwrap_or_default();
    // Namespaces stand before a hash, addresses behind a colon.
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    let mut refusal = Fault::new(fault::cause(code, Some(status), status < 500), code, "");
    refusal.status = Some(status);
    let exception = route.service.exception(code);
    for at in exception.map(|exception| exception.schema.members()).unwrap_or_default() {
        let value = match at.place {
            Place::Header => header(at.wire).map(Value::from),
            Place::Body | Place::Headers | Place::Uri | Place::Query | Place::QueryRest | Place::Status => {
                body.get(at.wire).filter(|value| !value.is_null()).cloned()
            }
        };
        refusal.members.extend(value.filter(|_| !fault::is_message(at)).map(|value| (at.wire, value)));
    }
    let message = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("message"));
    refusal.message = message.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned();
    Ok(Refused::Fault(refusal))
}

/// The members of a fault's body, and the code in it.
fn fault_body(route: Route, body: &Bytes) -> Result<(Map<String, Value>, Option<String>), Malformed> {
    let object = match route.protocol {
        _ if body.is_empty() => return Ok((Map::new(), None)),
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
            // What stands in front of a service may answer with a page.
            serde_json::from_slice(body).unwrap_or_default()
        }
        Protocol::Cbor => match CborSource::new(body).document(&document::ANY)? {
            Value::Object(object) => object,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        },
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => {
            let root = Element::parse(body)?;
            let error = root.child("Error").or_else(|| root.child("Errors")?.child("Error")).unwrap_or(&root);
            error.children.iter().map(|child| (child.local_name().to_owned(), plain(child))).collect()
        }
    };
    let code = ["__type", "code", "Code"].iter().find_map(|name| object.get(*name)?.as_str().map(str::to_owned));
    Ok((object, code))
}

/// An element as a document.
fn plain(element: &Element) -> Value {
    if element.children.is_empty() {
        return element.text.as_str().into();
    }
    element.children.iter().map(|child| (child.local_name().to_owned(), plain(child))).collect()
}
