//! Services made at run time from the models that the cases bring along.

use std::collections::HashMap;
use std::sync::OnceLock;

use contract::OperationId;
use serde_json::Value;
use wire::model::Shapes;
use wire::schema::{Kind, Members, Place, TimestampFormat};
use wire::{Exception, Member, OperationModel, Protocol, Route, Schema, Service};

/// Text that lives as long as the test process.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn is_set(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// What a request for the operation of a case is: service, operation, protocol.
pub(crate) fn route(suite: &Value, given: &Value, protocol: Protocol) -> Route {
    let metadata = &suite["metadata"];
    let mut shapes = Shapes_ { table: &suite["shapes"], made: HashMap::new() };
    let empty = <wire::Empty as wire::StaticShape>::SCHEMA;
    let mut schema = |part: &str| match given.get(part) {
        Some(reference) => shapes.reference_schema(reference),
        None => empty,
    };
    let (input, output) = (schema("input"), schema("output"));
    let http = &given["http"];
    let operation = OperationModel {
        id: OperationId { service: "test", name: leak(text(given, "name").expect("a name")) },
        method: leak(text(http, "method").expect("a method")),
        uri: leak(text(http, "requestUri").expect("a path")),
        status: http["responseCode"].as_u64().map_or(200, |status| status as u16),
        shapes: Some(Shapes { input, output }),
    };
    let exceptions: Vec<Exception> =
        given["errors"].as_array().into_iter().flatten().map(|error| shapes.exception(error)).collect();
    let service = Service {
        name: "test",
        signing_name: "test",
        endpoint_prefix: "test",
        api_version: leak(text(metadata, "apiVersion").unwrap_or_default()),
        protocols: Box::leak(Box::new([protocol])),
        target_prefix: leak(text(metadata, "targetPrefix").unwrap_or_default()),
        xml_namespace: leak(text(metadata, "xmlNamespace").unwrap_or_default()),
        query_compatible: metadata.get("awsQueryCompatible").is_some(),
        invalid: "ValidationException",
        malformed: "SerializationException",
        missing: None,
        fault_types: None,
        checksummed: false,
        operations: Box::leak(Box::new([operation])),
        exceptions: Box::leak(exceptions.into_boxed_slice()),
    };
    let service = Box::leak(Box::new(service));
    Route { service, operation: &service.operations[0], protocol }
}

/// The shapes of one suite, made when they are needed.
struct Shapes_<'a> {
    table: &'a Value,
    made: HashMap<String, &'static Schema>,
}

impl Shapes_<'_> {
    fn exception(&mut self, error: &Value) -> Exception {
        let name = text(error, "shape").expect("a shape");
        let shape = self.table[name].clone();
        let schema = self.schema(name);
        let model = &shape["error"];
        Exception {
            code: schema.name,
            query_code: leak(text(model, "code").unwrap_or(name)),
            schema,
            status: model["httpStatusCode"].as_u64().map(|status| status as u16),
            sender: !is_set(&shape, "fault"),
        }
    }

    /// An operation's input or output, whose reference may name the XML root.
    fn reference_schema(&mut self, reference: &Value) -> &'static Schema {
        let mut schema = *self.schema(text(reference, "shape").expect("a shape"));
        if let Some(name) = text(reference, "locationName") {
            schema = schema.xml_name(leak(name));
        }
        if let Some((prefix, uri)) = namespace(reference) {
            schema = schema.xml_namespace(prefix, uri);
        }
        Box::leak(Box::new(schema))
    }

    fn schema(&mut self, name: &str) -> &'static Schema {
        if let Some(schema) = self.made.get(name) {
            return schema;
        }
        let shape = self.table[name].clone();
        let late: &'static OnceLock<&'static [Member]> = Box::leak(Box::new(OnceLock::new()));
        let kind = match text(&shape, "type").expect("a type") {
            "structure" if is_set(&shape, "document") => Kind::Document,
            "structure" if is_set(&shape, "union") => Kind::Union(Members::Late(late)),
            "structure" => Kind::Structure(Members::Late(late)),
            "list" => Kind::List(self.part("member", &shape["member"])),
            "map" => {
                let (key, value) = (self.part("key", &shape["key"]), self.part("value", &shape["value"]));
                Kind::Map { key, value }
            }
            "string" | "character" => Kind::String,
            "boolean" => Kind::Boolean,
            "byte" | "short" | "integer" => Kind::Integer,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "blob" => Kind::Blob,
            "timestamp" => Kind::Timestamp,
            other => panic!("no kind is called {other}"),
        };
        let mut schema = Schema::new(leak(name), kind);
        if let Some(format) = format(&shape) {
            schema = schema.timestamp(format);
        }
        if let Some(payload) = text(&shape, "payload") {
            schema = schema.payload(leak(payload));
        }
        if let Some(name) = text(&shape, "locationName") {
            schema = schema.xml_name(leak(name));
        }
        if let Some((prefix, uri)) = namespace(&shape) {
            schema = schema.xml_namespace(prefix, uri);
        }
        let schema: &'static Schema = Box::leak(Box::new(schema));
        self.made.insert(name.to_owned(), schema);
        if let Kind::Structure(_) | Kind::Union(_) = kind {
            let mut members = Vec::new();
            for (name, reference) in shape["members"].as_object().into_iter().flatten() {
                // What is required is a matter of checking, which has tests of its own.
                members.push(self.member(name, reference));
            }
            late.set(Box::leak(members.into_boxed_slice())).expect("set once");
        }
        schema
    }

    fn part(&mut self, name: &str, reference: &Value) -> &'static Member {
        Box::leak(Box::new(self.member(name, reference)))
    }

    fn member(&mut self, name: &str, reference: &Value) -> Member {
        let shape = text(reference, "shape").expect("a shape");
        let target = self.schema(shape);
        let mut member = Member::new(leak(name), target);
        if let Some(wire) = text(reference, "locationName") {
            member = member.wire(leak(wire));
        }
        if let Some(name) = text(reference, "queryName") {
            member = member.query_name(leak(name));
        }
        member = member.place(match text(reference, "location") {
            None => Place::Body,
            Some("header") => Place::Header,
            Some("headers") => Place::Headers,
            Some("uri") => Place::Uri,
            Some("querystring") if matches!(target.kind, Kind::Map { .. }) => Place::QueryRest,
            Some("querystring") => Place::Query,
            Some("statusCode") => Place::Status,
            Some(other) => panic!("nothing travels in {other}"),
        });
        if is_set(reference, "flattened") || is_set(&self.table[shape], "flattened") {
            member = member.flattened();
        }
        if is_set(reference, "xmlAttribute") {
            member = member.xml_attribute();
        }
        if is_set(reference, "jsonvalue") {
            member = member.json_value();
        }
        if let Some(format) = format(reference) {
            member = member.timestamp(format);
        }
        if let Some((prefix, uri)) = namespace(reference) {
            member = member.xml_namespace(prefix, uri);
        }
        member
    }
}

fn format(value: &Value) -> Option<TimestampFormat> {
    Some(match text(value, "timestampFormat")? {
        "iso8601" => TimestampFormat::Iso8601,
        "rfc822" => TimestampFormat::Rfc822,
        "unixTimestamp" => TimestampFormat::Unix,
        other => panic!("no timestamp is written as {other}"),
    })
}

fn namespace(value: &Value) -> Option<(&'static str, &'static str)> {
    match value.get("xmlNamespace")? {
        Value::String(uri) => Some(("", leak(uri))),
        bound => Some((leak(text(bound, "prefix").unwrap_or_default()), leak(text(bound, "uri")?))),
    }
}
