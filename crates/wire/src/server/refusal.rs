//! Faults as each protocol writes them.

use bytes::Bytes;
use contract::Fault;
use http::{HeaderMap, Response};
use serde_json::{Map, Value};

use super::{Answer, content_type, render};
use crate::cbor::CborWriter;
use crate::fault::is_message;
use crate::json::JsonWriter;
use crate::schema::Place;
use crate::xml::Element;
use crate::{Exception, Protocol, Service};

/// Writes a fault. Without a service, the protocol is a guess and the fault a plain one.
pub fn write_fault(
    service: Option<&Service>,
    protocol: Protocol,
    fault: &Fault,
    status: u16,
    request_id: &str,
) -> Response<Bytes> {
    let exception = service.and_then(|service| service.exception(&fault.code));
    let mut answer = Answer { status, headers: HeaderMap::new(), body: Bytes::new() };
    let query_code = exception.map_or(fault.code.as_str(), |exception| exception.query_code);
    let sender = exception.map_or(status < 500, |exception| exception.sender);
    let mut members = Vec::new();
    for (name, value) in &fault.members {
        if is_header(exception, name) {
            answer.header(name, &plain(value));
        } else {
            members.push((*name, value));
        }
    }
    let whose = if sender { "Sender" } else { "Receiver" };
    if service.is_some_and(|service| service.query_compatible) {
        answer.header("x-amzn-query-error", &format!("{query_code};{whose}"));
    }
    match protocol {
        Protocol::RestJson => {
            answer.header("x-amzn-errortype", &fault.code);
            let body = object(None, message_name(exception), fault, &members);
            answer.set(json(&body), content_type(protocol));
        }
        Protocol::Json10 | Protocol::Json11 => {
            let body = object(Some(&fault.code), message_name(exception), fault, &members);
            answer.set(json(&body), content_type(protocol));
        }
        Protocol::Cbor => {
            let body = object(Some(&fault.code), message_name(exception), fault, &members);
            let mut writer = CborWriter::default();
            writer.json(&Value::Object(body));
            answer.set(writer.into_bytes(), content_type(protocol));
            answer.header("smithy-protocol", "rpc-v2-cbor");
        }
        Protocol::RestXml if service.is_some_and(|service| service.name == "s3") => {
            let mut root = Element::with_children("Error", described(query_code, fault, &members));
            root.children.push(Element::with_text("RequestId", request_id));
            root.children.push(Element::with_text("HostId", host_id(request_id)));
            answer.set(render(&root), content_type(protocol));
        }
        Protocol::Query | Protocol::RestXml => {
            let mut error = vec![Element::with_text("Type", whose)];
            error.extend(described(query_code, fault, &members));
            let mut root = Element::with_children("ErrorResponse", vec![Element::with_children("Error", error)]);
            if let Some(namespace) = service.map(|service| service.xml_namespace).filter(|uri| !uri.is_empty()) {
                root.attributes.push(("xmlns".to_owned(), namespace.to_owned()));
            }
            root.children.push(Element::with_text("RequestId", request_id));
            answer.set(render(&root), content_type(protocol));
        }
        Protocol::Ec2 => {
            let error = Element::with_children("Error", described(query_code, fault, &members));
            let errors = Element::with_children("Errors", vec![error]);
            let id = Element::with_text("RequestID", request_id);
            answer.set(render(&Element::with_children("Response", vec![errors, id])), content_type(protocol));
        }
    }
    if let Some(service) = service {
        answer.seal(service);
    }
    answer.into_response(request_id)
}

/// S3's second id of a request, which tells the machine that answered it. There is one here, so it tells the request once more.
pub fn host_id(request_id: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(request_id)
}

fn is_header(exception: Option<&Exception>, name: &str) -> bool {
    let members = exception.map(|exception| exception.schema.members()).unwrap_or_default();
    members.iter().any(|at| at.place == Place::Header && at.wire == name)
}

/// `message` or `Message`: models differ, and clients take what the model says.
fn message_name(exception: Option<&Exception>) -> &'static str {
    let members = exception.map(|exception| exception.schema.members()).unwrap_or_default();
    members.iter().find(|at| is_message(at)).map_or("message", |at| at.wire)
}

fn object(code: Option<&str>, message_name: &str, fault: &Fault, members: &[(&str, &Value)]) -> Map<String, Value> {
    let mut object = Map::new();
    object.extend(code.map(|code| ("__type".to_owned(), code.into())));
    object.extend(members.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
    if !fault.message.is_empty() {
        object.insert(message_name.to_owned(), fault.message.as_str().into());
    }
    object
}

fn json(object: &Map<String, Value>) -> Bytes {
    let mut writer = JsonWriter::default();
    writer.object_of_documents(object.iter().map(|(name, value)| (name.as_str(), value)));
    writer.into_bytes()
}

fn described(code: &str, fault: &Fault, members: &[(&str, &Value)]) -> Vec<Element> {
    let mut elements = vec![Element::with_text("Code", code)];
    if !fault.message.is_empty() {
        elements.push(Element::with_text("Message", fault.message.as_str()));
    }
    elements.extend(members.iter().map(|(name, value)| element(name, value)));
    elements
}

/// A value of a fault as XML: lists hold `member`s.
fn element(name: &str, value: &Value) -> Element {
    match value {
        Value::Object(map) => {
            Element::with_children(name, map.iter().map(|(name, value)| element(name, value)).collect())
        }
        Value::Array(items) => {
            Element::with_children(name, items.iter().map(|value| element("member", value)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Element::with_text(name, plain(value)),
    }
}

/// A scalar as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
