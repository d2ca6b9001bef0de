//! The tables: what each shape looks like on the wire.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use super::{Emitter, members};
use crate::codegen::model::{Reference, Shape, XmlNamespace};
use crate::codegen::names;
use crate::codegen::pattern::{Translated, translate};

impl Emitter<'_> {
    /// The table of a shape.
    pub(super) fn table_of(&mut self, name: &str) -> Result<()> {
        let shape = self.shape(name)?;
        let table = &self.tables[name];
        let mut pattern = String::new();
        let mut schema = match shape.kind.as_str() {
            "structure" if shape.document => format!("Schema::new({name:?}, Kind::Document)"),
            "structure" => {
                let mut rows = String::new();
                for (member, reference) in members(shape)? {
                    let required = shape.required.contains(&member);
                    rows.push_str(&self.member(&member, &reference, required)?);
                    rows.push_str(", ");
                }
                format!("Schema::{}({name:?}, &[{rows}])", if shape.union { "union" } else { "structure" })
            }
            "list" => {
                let item = shape.member.as_ref().context("a list without items")?;
                format!("Schema::new({name:?}, Kind::List(&{}))", self.member("member", item, false)?)
            }
            "map" => {
                let key = self.member("key", shape.key.as_ref().context("a map without keys")?, false)?;
                let value = self.member("value", shape.value.as_ref().context("a map without values")?, false)?;
                format!("Schema::new({name:?}, Kind::Map {{ key: &{key}, value: &{value} }})")
            }
            kind => format!("Schema::new({name:?}, Kind::{})", scalar(kind)?),
        };
        for (bound, number) in [("min", &shape.min), ("max", &shape.max)] {
            if let Some(number) = number {
                let whole = number.as_f64().filter(|number| number.fract() == 0.0);
                let whole =
                    whole.with_context(|| format!("{name}: {bound} is {number}, and bounds are whole numbers"))?;
                write!(schema, ".{bound}({whole})")?;
            }
        }
        if let Some(java) = &shape.pattern {
            let constant = format!("PATTERN_OF_{table}");
            let made = match translate(java) {
                Translated::Same => format!("Pattern::new({java:?})"),
                Translated::Other(rust) => format!("Pattern::translated({java:?}, {rust:?}, None)"),
                Translated::Impossible => {
                    let (rust, unless) = self.plan.patterns.get(name).with_context(|| {
                        format!("the pattern of {name} has look-around: {java}; say it in two halves in `patterns`")
                    })?;
                    ensure!(
                        translate(rust) == Translated::Same && translate(unless) == Translated::Same,
                        "{name}: halves"
                    );
                    format!("Pattern::translated({java:?}, {rust:?}, Some({unless:?}))")
                }
            };
            writeln!(pattern, "static {constant}: Pattern = {made};")?;
            write!(schema, ".pattern(&{constant})")?;
        }
        let values = self.values(name)?;
        if !values.is_empty() {
            write!(schema, ".values({}::VALUES)", names::type_(name))?;
        }
        if shape.sensitive {
            schema.push_str(".sensitive()");
        }
        if shape.streaming {
            schema.push_str(".streaming()");
        }
        if let Some(payload) = &shape.payload {
            write!(schema, ".payload({payload:?})")?;
        }
        let events = self.payload_of(shape)?.is_some_and(|payload| payload.events.is_some());
        if events {
            schema.push_str(".media_type(crate::event_stream::MEDIA_TYPE)");
        }
        if let Some(media_type) = self.plan.media_types.get(name) {
            ensure!(shape.payload.is_some(), "{name} has a media type and no body of its own");
            write!(schema, ".media_type({media_type:?})")?;
        }
        if let Some(format) = &shape.timestamp_format {
            write!(schema, ".timestamp({})", timestamp(format)?)?;
        }
        if let Some(name) = &shape.location_name {
            write!(schema, ".xml_name({name:?})")?;
        }
        if let Some(namespace) = &shape.xml_namespace {
            schema.push_str(&xml_namespace(namespace));
        }
        let text = format!("\n{pattern}static {table}: Schema = {schema};\n");
        self.out.push_str(&text);
        Ok(())
    }

    /// What a structure has as its body, where one member is that.
    fn payload_of(&self, shape: &Shape) -> Result<Option<&Shape>> {
        let member = shape.payload.as_ref().and_then(|payload| shape.members.get(payload));
        member.and_then(|member| member["shape"].as_str()).map(|name| self.shape(name)).transpose()
    }

    fn member(&self, name: &str, reference: &Reference, required: bool) -> Result<String> {
        let mut text = format!("Member::new({name:?}, &{})", self.tables[&reference.shape]);
        if let Some(wire) = reference.location_name.as_ref().filter(|wire| *wire != name) {
            write!(text, ".wire({wire:?})")?;
        }
        if let Some(place) = &reference.location {
            let place = match place.as_str() {
                "header" => "Header",
                "headers" => "Headers",
                "uri" => "Uri",
                "querystring" if self.shape(&reference.shape)?.kind == "map" => "QueryRest",
                "querystring" => "Query",
                "statusCode" => "Status",
                other => bail!("nothing travels in {other}"),
            };
            write!(text, ".place(Place::{place})")?;
        }
        if required {
            text.push_str(".required()");
        }
        if reference.flattened || self.shape(&reference.shape)?.flattened {
            text.push_str(".flattened()");
        }
        if reference.xml_attribute {
            text.push_str(".xml_attribute()");
        }
        if reference.jsonvalue {
            text.push_str(".json_value()");
        }
        if reference.idempotency_token {
            text.push_str(".idempotency_token()");
        }
        if let Some(query_name) = &reference.query_name {
            write!(text, ".query_name({query_name:?})")?;
        }
        if let Some(format) = &reference.timestamp_format {
            write!(text, ".timestamp({})", timestamp(format)?)?;
        }
        if let Some(namespace) = &reference.xml_namespace {
            text.push_str(&xml_namespace(namespace));
        }
        Ok(text)
    }
}

fn scalar(kind: &str) -> Result<&'static str> {
    Ok(match kind {
        "string" | "character" => "String",
        "boolean" => "Boolean",
        "integer" | "short" | "byte" => "Integer",
        "long" => "Long",
        "float" => "Float",
        "double" => "Double",
        "blob" => "Blob",
        "timestamp" => "Timestamp",
        other => bail!("no kind is called {other}"),
    })
}

fn timestamp(format: &str) -> Result<&'static str> {
    Ok(match format {
        "iso8601" => "TimestampFormat::Iso8601",
        "rfc822" => "TimestampFormat::Rfc822",
        "unixTimestamp" => "TimestampFormat::Unix",
        other => bail!("no timestamp is written as {other}"),
    })
}

fn xml_namespace(namespace: &XmlNamespace) -> String {
    let (prefix, uri) = match namespace {
        XmlNamespace::Uri(uri) => ("", uri),
        XmlNamespace::Bound { uri, prefix } => (prefix.as_deref().unwrap_or_default(), uri),
    };
    format!(".xml_namespace({prefix:?}, {uri:?})")
}
