//! Shapes as JSON documents, for callers that name an operation at run time: templates, workflows, schedules, the command line.
//!
//! Every member is there under its AWS name, wherever it would travel in HTTP. Blobs are base64, timestamps are seconds since
//! 1970. Reading is forgiving where templates are: a number or truth value may be given as text, and text as a number or
//! truth value, as CloudFormation allows. What is read is not checked; see [`crate::check`].

use std::vec::IntoIter;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use crate::reader::Missing;
use crate::schema::{Kind, TimestampFormat};
use crate::writer::present;
use crate::{Entries, Items, Malformed, Member, Reader, Schema, Shape, Source, StaticShape, Writer, Written, text};

/// Reads a document, with what was required and is not there.
pub fn read<T: StaticShape>(document: Value) -> Result<(T, Missing), Malformed> {
    let mut shape = T::default();
    let missing = read_into(&mut shape, document)?;
    Ok((shape, missing))
}

/// Reads a document into a shape that is known at run time only.
pub fn read_into(shape: &mut dyn Shape, document: Value) -> Result<Missing, Malformed> {
    let mut source = DocumentSource { next: document, open: Vec::new() };
    let mut reader = Reader::new(&mut source);
    reader.structure(shape.schema(), shape)?;
    Ok(reader.into_missing())
}

/// The document that a shape is.
pub fn write(shape: &dyn Shape) -> Value {
    let mut map = Map::new();
    for (at, value) in present(shape) {
        map.insert(at.name.to_owned(), write_value(value, at));
    }
    Value::Object(map)
}

/// The document that one member's value is.
pub fn write_value(value: &dyn Written, at: &'static Member) -> Value {
    let mut writer = DocumentWriter { out: Value::Null };
    value.write(&mut writer, at);
    writer.out
}

/// A number as JSON can hold it: what is no number becomes text.
pub(crate) fn number(value: f64) -> Value {
    match text::special(value) {
        Some(word) => word.into(),
        None if value.fract() == 0.0 && value.abs() < 9e15 => Number::from(value as i64).into(),
        None => Number::from_f64(value).map_or(Value::Null, Value::Number),
    }
}

struct DocumentSource {
    /// The value that is taken next.
    next: Value,
    open: Vec<Open>,
}

/// A composite that was stepped into, with what is left of it.
enum Open {
    Object(serde_json::map::IntoIter),
    Array(IntoIter<Value>),
}

impl DocumentSource {
    fn take(&mut self) -> Value {
        std::mem::take(&mut self.next)
    }

    fn step(&mut self) -> Option<Option<String>> {
        let step = match self.open.last_mut()? {
            Open::Object(entries) => entries.next().map(|(key, value)| (Some(key), value)),
            Open::Array(items) => items.next().map(|value| (None, value)),
        };
        match step {
            Some((key, value)) => {
                self.next = value;
                Some(key)
            }
            None => {
                self.open.pop();
                None
            }
        }
    }
}

fn mismatch(found: &Value, wanted: &'static str) -> Malformed {
    let found = match found {
        Value::Null => "null",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => return Malformed::UnexpectedList,
        Value::Object(_) => return Malformed::UnexpectedStructure,
    };
    Malformed::Type { found, wanted }
}

impl Source for DocumentSource {
    fn take_null(&mut self) -> Result<bool, Malformed> {
        Ok(self.next.is_null())
    }

    fn boolean(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        match self.take() {
            Value::Bool(value) => Ok(value),
            Value::String(value) => text::parse_boolean(&value),
            other => Err(mismatch(&other, "a Boolean")),
        }
    }

    fn integer(&mut self, _at: &'static Member) -> Result<i64, Malformed> {
        match self.take() {
            Value::Number(number) => {
                let whole = || number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
                let value = number.as_i64().or_else(|| whole().map(|value| value as i64));
                value.ok_or_else(|| Malformed::Range { value: number.to_string(), wanted: "an Integer" })
            }
            Value::String(value) => text::parse_integer(&value),
            other => Err(mismatch(&other, "an Integer")),
        }
    }

    fn double(&mut self, _at: &'static Member) -> Result<f64, Malformed> {
        match self.take() {
            Value::Number(number) => {
                number.as_f64().ok_or_else(|| Malformed::Range { value: number.to_string(), wanted: "a Double" })
            }
            Value::String(value) => text::parse_double(&value),
            other => Err(mismatch(&other, "a Double")),
        }
    }

    fn string(&mut self, _at: &'static Member) -> Result<String, Malformed> {
        match self.take() {
            Value::String(value) => Ok(value),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Number(value) => Ok(value.to_string()),
            other => Err(mismatch(&other, "a String")),
        }
    }

    fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed> {
        match self.take() {
            Value::String(value) => {
                STANDARD.decode(value).map(Bytes::from).map_err(|_| Malformed::Base64 { member: at.name })
            }
            other => Err(mismatch(&other, "a Blob")),
        }
    }

    fn timestamp(&mut self, _at: &'static Member) -> Result<Timestamp, Malformed> {
        match self.take() {
            Value::String(value) => text::parse_timestamp(&value, TimestampFormat::Unix),
            Value::Number(value) => text::timestamp_from_seconds(value.as_f64().unwrap_or(f64::NAN)),
            other => Err(mismatch(&other, "a Timestamp")),
        }
    }

    fn document(&mut self, _at: &'static Member) -> Result<Value, Malformed> {
        Ok(self.take())
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        self.next = Value::Null;
        Ok(())
    }

    fn begin_structure(&mut self, _schema: &'static Schema) -> Result<(), Malformed> {
        match self.take() {
            Value::Object(map) => self.open.push(Open::Object(map.into_iter())),
            Value::Array(_) => return Err(Malformed::UnexpectedList),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Malformed::NoStructure),
        }
        Ok(())
    }

    fn next_member(&mut self, schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        while let Some(key) = self.step() {
            let known = schema.members().iter().position(|member| Some(member.name) == key.as_deref());
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }

    fn begin_list(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        match self.take() {
            Value::Array(items) => self.open.push(Open::Array(items.into_iter())),
            Value::Object(_) => return Err(Malformed::UnexpectedStructure),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Malformed::NoList),
        }
        Ok(())
    }

    fn next_item(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        Ok(self.step().is_some())
    }

    fn begin_map(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        match self.take() {
            Value::Object(map) => self.open.push(Open::Object(map.into_iter())),
            Value::Array(_) => return Err(Malformed::UnexpectedList),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Malformed::NoMap),
        }
        Ok(())
    }

    fn next_key(&mut self, _at: &'static Member) -> Result<Option<String>, Malformed> {
        Ok(self.step().flatten())
    }
}

struct DocumentWriter {
    out: Value,
}

impl Writer for DocumentWriter {
    fn null(&mut self, _at: &'static Member) {
        self.out = Value::Null;
    }

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.out = value.into();
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.out = value.into();
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        // By way of its text, so that 0.1 stays 0.1.
        self.out = number(text::float(value).parse().unwrap_or(f64::from(value)));
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        self.out = number(value);
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.out = value.into();
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.out = STANDARD.encode(value).into();
    }

    fn timestamp(&mut self, _at: &'static Member, value: Timestamp) {
        let (seconds, millis) = text::unix(value);
        self.out = if millis == 0 { seconds.into() } else { number(seconds as f64 + millis as f64 / 1000.0) };
    }

    fn document(&mut self, _at: &'static Member, value: &Value) {
        self.out = value.clone();
    }

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.out = write(value);
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        if let Kind::List(item) = at.target.kind {
            self.out = (0..value.count()).map(|index| write_value(value.item(index), item)).collect();
        }
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { value: held, .. } = at.target.kind else { return };
        let mut map = Map::new();
        value.each(&mut |key, value| {
            map.insert(key.to_owned(), write_value(value, held));
        });
        self.out = Value::Object(map);
    }
}

static DOCUMENT: Schema = Schema::new("Document", Kind::Document);

/// A place for any JSON.
pub(crate) static ANY: Member = Member::new("document", &DOCUMENT);
