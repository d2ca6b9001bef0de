//! The server's side: requests are read, answers and faults are written.

use bytes::Bytes;
use contract::Fault;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::cbor::{CborSource, CborWriter};
use crate::check::check_read;
use crate::form::{self, Dialect};
use crate::json::{JsonSource, JsonWriter};
use crate::reader::Missing;
use crate::rest::{self, Body, Carrier, Chain, Rest};
use crate::route::{Request, Route};
use crate::schema::Place;
use crate::tree::{Node, TreeSource};
use crate::uri::{self, Pattern};
use crate::xml::{self, Element, XmlWriter};
use crate::{Empty, Malformed, Payload, Protocol, Reader, Service, Shape, Source, StaticShape, fault};

pub use self::refusal::{host_id, write_fault};

mod refusal;

/// The header that carries the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Reads an operation's input and checks it against its model.
pub fn read_input<T: StaticShape>(route: Route, request: &Request<'_>) -> Result<T, Fault> {
    let mut shape = T::default();
    read_input_into(&mut shape, route, request)?;
    Ok(shape)
}

/// The same into a shape that is known at run time only.
pub fn read_input_into(shape: &mut dyn Shape, route: Route, request: &Request<'_>) -> Result<(), Fault> {
    let missing = decode(shape, route, request).map_err(|why| fault::malformed(route.service, &why))?;
    check_read(shape, &missing).map_err(|violations| fault::violated(route.service, &violations))
}

/// Reads an operation's input, with what was required and is not there.
pub fn decode(shape: &mut dyn Shape, route: Route, request: &Request<'_>) -> Result<Missing, Malformed> {
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 => {
            let mut source = JsonSource::new(request.body)?;
            let missing = read(&mut source, shape)?;
            source.finish()?;
            Ok(missing)
        }
        Protocol::Cbor => {
            let mut source = CborSource::new(request.body);
            let missing = read(&mut source, shape)?;
            source.finish()?;
            Ok(missing)
        }
        Protocol::Query => read_form(shape, request, Dialect::Query),
        Protocol::Ec2 => read_form(shape, request, Dialect::Ec2),
        Protocol::RestJson | Protocol::RestXml => {
            let labels = Pattern::parse(route.operation.uri).labels(request.path).unwrap_or_default();
            read_rest(shape, route.protocol, &carrier(request, labels), request.body, None)
        }
    }
}

fn carrier<'a>(request: &Request<'a>, labels: Vec<(&'static str, String)>) -> Carrier<'a> {
    Carrier { headers: request.headers, labels, query: uri::pairs(request.query).collect(), status: None }
}

/// Reads the input of an operation on a bucket or an object, which the caller has found by host and path. `body` is the request's,
/// where the operation takes one that may still be coming; else the request has it.
pub fn read_object_input(
    shape: &mut dyn Shape,
    route: Route,
    request: &Request<'_>,
    labels: Vec<(&'static str, String)>,
    body: Option<Payload>,
) -> Result<(), ObjectInputError> {
    let missing = read_rest(shape, route.protocol, &carrier(request, labels), request.body, body)?;
    check_read(shape, &missing)?;
    Ok(())
}

/// Why the input of an operation on a bucket or an object was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ObjectInputError {
    /// Something in it cannot be read.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// It breaks a rule of the model.
    #[error("{0}")]
    Violated(#[from] crate::Violations),
}

fn read(source: &mut dyn Source, shape: &mut dyn Shape) -> Result<Missing, Malformed> {
    let mut reader = Reader::new(source);
    reader.structure(shape.schema(), shape)?;
    Ok(reader.into_missing())
}

fn read_form(shape: &mut dyn Shape, request: &Request<'_>, dialect: Dialect) -> Result<Missing, Malformed> {
    let body = std::str::from_utf8(request.body)
        .map_err(|error| Malformed::Syntax { at: error.valid_up_to(), expected: "UTF-8" })?;
    // A form may also stand in the query string; where both are there, the body wins.
    let form = if body.is_empty() { request.query } else { body.trim_end() };
    let node = form::node(form, shape.schema(), dialect)?;
    let node = addressed(node, shape.schema(), request);
    read(&mut TreeSource::new(node), shape)
}

/// A form that was sent to a queue's own address, `/000000000000/jobs`, need not name the queue again.
fn addressed(node: Node, schema: &'static crate::Schema, request: &Request<'_>) -> Node {
    let Some(url) = schema.members().iter().position(|at| at.name == "QueueUrl") else { return node };
    match node {
        Node::Structure(mut members) if !members.iter().any(|(index, _)| *index == url) && request.path.len() > 1 => {
            members.push((url, Node::Text(request.path.to_owned())));
            Node::Structure(members)
        }
        other => other,
    }
}

/// Reads a message with HTTP bindings; requests and responses differ only in what their carrier has.
pub(crate) fn read_rest(
    shape: &mut dyn Shape,
    protocol: Protocol,
    carrier: &Carrier<'_>,
    body: &Bytes,
    stream: Option<Payload>,
) -> Result<Missing, Malformed> {
    let schema = shape.schema();
    let mut beside = rest::located(schema, carrier)?;
    match (Body::of(schema), stream) {
        (Body::Raw(index, _), Some(stream)) => beside.push((index, Node::Stream(stream))),
        (rest, _) => return read_body(shape, protocol, beside, body, rest),
    }
    read(&mut TreeSource::new(Node::Structure(beside)), shape)
}

fn read_body(
    shape: &mut dyn Shape,
    protocol: Protocol,
    mut beside: Vec<(usize, Node)>,
    body: &Bytes,
    held: Body,
) -> Result<Missing, Malformed> {
    let schema = shape.schema();
    let is_blank = body.iter().all(u8::is_ascii_whitespace);
    match held {
        Body::Raw(index, _) if !body.is_empty() => beside.push((index, Node::Raw(body.clone()))),
        Body::Nothing | Body::Raw(..) => {}
        Body::Member(..) | Body::Members if is_blank => {}
        Body::Member(index, at) if protocol == Protocol::RestXml => {
            beside.push((index, xml::node_of(&Element::parse(body)?, at)?));
        }
        Body::Members if protocol == Protocol::RestXml => {
            let members = xml::members_of(&Element::parse(body)?, schema)?;
            beside.extend(members.into_iter().filter(|(index, _)| schema.members()[*index].place == Place::Body));
        }
        Body::Member(index, _) => return read_chain(shape, beside, body, Rest::Member(index)),
        Body::Members => return read_chain(shape, beside, body, Rest::Members),
    }
    read(&mut TreeSource::new(Node::Structure(beside)), shape)
}

fn read_chain(
    shape: &mut dyn Shape,
    beside: Vec<(usize, Node)>,
    body: &Bytes,
    rest: Rest,
) -> Result<Missing, Malformed> {
    let mut json = JsonSource::new(body)?;
    let beside = TreeSource::new(Node::Structure(beside));
    let missing = read(&mut Chain::new(beside, &mut json, rest), shape)?;
    json.finish()?;
    Ok(missing)
}

/// Writes an operation's answer.
pub fn write_output(route: Route, output: &dyn Shape, request_id: &str) -> Response<Bytes> {
    let mut answer = Answer { status: route.operation.status, headers: HeaderMap::new(), body: Bytes::new() };
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 => {
            let mut writer = JsonWriter::default();
            writer.object(crate::writer::present(output));
            answer.set(writer.into_bytes(), content_type(route.protocol));
        }
        Protocol::Cbor => {
            let mut writer = CborWriter::default();
            writer.object(crate::writer::present(output));
            answer.set(writer.into_bytes(), content_type(route.protocol));
            answer.header("smithy-protocol", "rpc-v2-cbor");
        }
        Protocol::Query | Protocol::Ec2 => {
            answer.set(xml_answer(route, output, request_id), content_type(route.protocol));
        }
        Protocol::RestJson | Protocol::RestXml => write_rest(&mut answer, route, output),
    }
    answer.seal(route.service);
    answer.into_response(request_id)
}

/// `<OperationResponse><OperationResult>…</OperationResult><ResponseMetadata>…`, or EC2's flatter form.
fn xml_answer(route: Route, output: &dyn Shape, request_id: &str) -> Bytes {
    let name = route.operation.id.name;
    let mut root = Element::new(format!("{name}Response"));
    let namespace = route.service.xml_namespace;
    if !namespace.is_empty() {
        root.attributes.push(("xmlns".to_owned(), namespace.to_owned()));
    }
    let members = crate::writer::present(output);
    if route.protocol == Protocol::Ec2 {
        root.children.push(Element::with_text("requestId", request_id));
        root = XmlWriter::element(root, members);
    } else {
        // Where the model has an output, clients look for it, even if nothing can be in it.
        if !std::ptr::eq(output.schema(), <crate::Empty as crate::StaticShape>::SCHEMA) {
            root.children.push(XmlWriter::element(Element::new(format!("{name}Result")), members));
        }
        let id = Element::with_text("RequestId", request_id);
        root.children.push(Element::with_children("ResponseMetadata", vec![id]));
    }
    render(&root)
}

fn render(root: &Element) -> Bytes {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    root.render(&mut text);
    text.into()
}

/// An answer that is being made.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn set(&mut self, body: Bytes, content_type: &str) {
        self.body = body;
        if !self.headers.contains_key(CONTENT_TYPE) {
            self.header(CONTENT_TYPE.as_str(), content_type);
        }
    }

    /// Adds a header; a name or value that no header can have is left out, so that data cannot break the answer.
    fn header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.append(name, value);
        }
    }

    /// Adds what lets the client tell a whole body from a damaged one, where the service does so.
    fn seal(&mut self, service: &Service) {
        if service.checksummed {
            self.header("x-amz-crc32", &crc32fast::hash(&self.body).to_string());
        }
    }

    fn into_response(mut self, request_id: &str) -> Response<Bytes> {
        self.header(REQUEST_ID.as_str(), request_id);
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        response
    }
}

fn write_rest(answer: &mut Answer, route: Route, output: &dyn Shape) {
    for (at, value) in crate::writer::present(output) {
        match at.place {
            Place::Header => {
                rest::header_texts(value, at).iter().for_each(|text| answer.header(at.wire, text));
            }
            Place::Headers => {
                for (key, texts) in rest::map_texts(value, at) {
                    texts.iter().for_each(|text| answer.header(&format!("{}{key}", at.wire), text));
                }
            }
            Place::Status => {
                let status = rest::texts(value, at, crate::schema::TimestampFormat::Unix);
                answer.status = status.first().and_then(|text| text.parse().ok()).unwrap_or(answer.status);
            }
            Place::Body | Place::Uri | Place::Query | Place::QueryRest => {}
        }
    }
    match rest_body(route.protocol, output, route.service.xml_namespace, Role::Answer) {
        // 204 means that there is no body, and 205 and 304 too.
        Some((body, content_type)) if !matches!(answer.status, 204 | 205 | 304) => answer.set(body, &content_type),
        Some(_) => {}
        // It is still coming.
        None => {
            if let Some(media_type) = output.schema().media_type.filter(|_| output_stream(output).is_some()) {
                answer.set(Bytes::new(), media_type);
            }
        }
    }
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A client: what has no body members has no body.
    Request,
    /// A server: an empty structure is `{}`.
    Answer,
}

/// The body of a message with HTTP bindings, and its type.
pub(crate) fn rest_body(protocol: Protocol, shape: &dyn Shape, namespace: &str, role: Role) -> Option<(Bytes, String)> {
    let schema = shape.schema();
    let default = content_type(protocol).to_owned();
    match Body::of(schema) {
        Body::Nothing => {
            let empty = role == Role::Answer
                && protocol == Protocol::RestJson
                && !std::ptr::eq(schema, <Empty as StaticShape>::SCHEMA);
            empty.then(|| (Bytes::from_static(b"{}"), default))
        }
        Body::Raw(index, at) => {
            let value = shape.member(index);
            let is_text = matches!(at.target.kind, crate::schema::Kind::String);
            let plain = if is_text { "text/plain" } else { "application/octet-stream" };
            let kind = schema.media_type.unwrap_or(plain);
            raw_bytes(value, at).map(|body| (body, kind.to_owned()))
        }
        Body::Member(index, at) => {
            let value = shape.member(index);
            if value.is_absent() {
                // A structure that is the body and is not there is an empty one.
                let is_json_structure =
                    protocol == Protocol::RestJson && matches!(at.target.kind, crate::schema::Kind::Structure(_));
                return is_json_structure.then(|| (Bytes::from_static(b"{}"), default));
            }
            if protocol == Protocol::RestJson {
                let mut writer = JsonWriter::default();
                value.write(&mut writer, at);
                return Some((writer.into_bytes(), default));
            }
            let own = if at.wire == at.name { at.target.xml_name.unwrap_or(at.target.name) } else { at.wire };
            Some((render(&XmlWriter::value(own, value, at)), default))
        }
        Body::Members if protocol == Protocol::RestJson => {
            let mut writer = JsonWriter::default();
            writer.object(rest::in_body(shape));
            Some((writer.into_bytes(), default))
        }
        Body::Members => {
            if role == Role::Request && rest::in_body(shape).next().is_none() {
                return None;
            }
            let mut root = Element::new(schema.xml_name.unwrap_or(schema.name));
            match schema.xml_namespace {
                Some(namespace) => root.attributes.push(xml::xmlns(namespace)),
                None if !namespace.is_empty() => root.attributes.push(("xmlns".to_owned(), namespace.to_owned())),
                None => {}
            }
            Some((render(&XmlWriter::element(root, rest::in_body(shape))), default))
        }
    }
}

/// The body of an answer that is still coming, if it is one.
pub fn output_stream(output: &dyn Shape) -> Option<Payload> {
    let Body::Raw(index, at) = Body::of(output.schema()) else { return None };
    if !at.target.streaming {
        return None;
    }
    let mut writer = rest::RawWriter::default();
    output.member(index).write(&mut writer, at);
    writer.stream
}

/// The bytes of a blob or text.
fn raw_bytes(value: &dyn crate::Written, at: &'static crate::Member) -> Option<Bytes> {
    let mut writer = rest::RawWriter::default();
    value.write(&mut writer, at);
    writer.bytes
}

/// What the protocol's bodies are called.
pub(crate) fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::RestJson => "application/json",
        Protocol::RestXml => "application/xml",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::Cbor => "application/cbor",
    }
}

/// The first protocol that a service speaks, for faults of requests whose own is not known.
pub fn default_protocol(service: &Service) -> Protocol {
    service.protocols.first().copied().unwrap_or(Protocol::RestJson)
}
