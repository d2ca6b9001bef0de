//! Exceptions of the models, and the faults that they become.

use contract::{Cause, Fault};
use serde_json::Value;

use crate::check::Violations;
use crate::json::JsonWriter;
use crate::schema::Place;
use crate::{Malformed, Member, Service, Shape, Written};

/// The fault that an exception is, with the status, the message and the members that its model gives it.
pub fn from_exception(service: &Service, code: &'static str, exception: &dyn Shape) -> Fault {
    let model = service.exception(code);
    let mut fault = Fault::new(Cause::Invalid, code, "");
    fault.status = model.and_then(|model| model.status);
    let sender = model.is_none_or(|model| model.sender);
    fault.cause = cause(code, fault.status, sender);
    for (index, at) in exception.schema().members().iter().enumerate() {
        let value = exception.member(index);
        if value.is_absent() {
            if let Some((user, server)) = service.fault_types.filter(|_| at.name == "Type") {
                fault.members.push((at.wire, if sender { user } else { server }.into()));
            }
            continue;
        }
        match (wire_value(value, at), is_message(at)) {
            (Value::String(text), true) => fault.message = text,
            (value, _) => fault.members.push((at.wire, value)),
        }
    }
    fault
}

/// A value as JSON bodies have it, wire names inside.
fn wire_value(value: &dyn Written, at: &'static Member) -> Value {
    let mut writer = JsonWriter::default();
    value.write(&mut writer, at);
    serde_json::from_slice(&writer.into_bytes()).expect("what the writer writes is JSON")
}

/// The fault for input that cannot be read.
pub fn malformed(service: &Service, why: &Malformed) -> Fault {
    invalid_input(service.malformed, why.to_string())
}

/// The fault for input that breaks rules.
pub fn violated(service: &Service, violations: &Violations) -> Fault {
    if let Some((code, missing)) = service.missing.zip(violations.first_missing()) {
        return invalid_input(code, format!("The request must contain the parameter {missing}."));
    }
    invalid_input(service.invalid, violations.to_string())
}

fn invalid_input(code: &'static str, message: String) -> Fault {
    Fault { status: Some(400), ..Fault::new(Cause::Invalid, code, message) }
}

/// Whether the member is the one that carries the message.
pub(crate) fn is_message(at: &Member) -> bool {
    at.place == Place::Body && at.name.eq_ignore_ascii_case("message")
}

/// Whose doing an exception is: models say so by status, and, where they give none, by the name's last words.
pub(crate) fn cause(code: &str, status: Option<u16>, sender: bool) -> Cause {
    const NAMES: &[(&str, Cause)] = &[
        ("NotFound", Cause::NotFound),
        ("AlreadyExists", Cause::Conflict),
        ("Conflict", Cause::Conflict),
        ("Throttl", Cause::Throttled),
        ("TooManyRequests", Cause::Throttled),
        ("AccessDenied", Cause::Denied),
        ("TooLarge", Cause::TooLarge),
        ("Unavailable", Cause::Unavailable),
    ];
    match status {
        Some(403) => Cause::Denied,
        Some(404) => Cause::NotFound,
        Some(409 | 412) => Cause::Conflict,
        Some(413) => Cause::TooLarge,
        Some(429) => Cause::Throttled,
        Some(503) => Cause::Unavailable,
        Some(_) | None => match NAMES.iter().find(|(part, _)| code.contains(part)) {
            Some((_, cause)) => *cause,
            None if sender => Cause::Invalid,
            None => Cause::Internal,
        },
    }
}
