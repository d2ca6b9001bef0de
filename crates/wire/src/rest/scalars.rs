//! Members that travel beside the body, on their way out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::{Kind, TimestampFormat};
use crate::{Entries, Items, Member, Payload, Shape, Writer, Written, text};

/// The texts of a scalar (one) or a list of scalars (one each); of anything else, none.
pub(crate) fn texts(value: &dyn Written, at: &'static Member, format: TimestampFormat) -> Vec<String> {
    let mut writer = Texts { format, out: Vec::new() };
    value.write(&mut writer, at);
    writer.out
}

/// The value of a header.
pub(crate) fn header_texts(value: &dyn Written, at: &'static Member) -> Vec<String> {
    let texts = texts(value, at, TimestampFormat::Rfc822);
    if at.json_value {
        return texts.into_iter().map(|json| STANDARD.encode(json)).collect();
    }
    let Kind::List(item) = at.target.kind else { return texts };
    let quote = |text: String| {
        let plain = !matches!(item.target.kind, Kind::String) || !text.contains([',', '"']);
        if plain { text } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
    };
    let all: Vec<String> = texts.into_iter().map(quote).collect();
    if all.is_empty() { Vec::new() } else { vec![all.join(", ")] }
}

/// The texts of a map: each key with the texts of its value.
pub(crate) fn map_texts(value: &dyn Written, at: &'static Member) -> Vec<(String, Vec<String>)> {
    let mut writer = MapTexts { out: Vec::new() };
    value.write(&mut writer, at);
    writer.out
}

struct Texts {
    format: TimestampFormat,
    out: Vec<String>,
}

impl Writer for Texts {
    fn null(&mut self, _at: &'static Member) {}

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.out.push(value.to_string());
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.out.push(value.to_string());
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        self.out.push(text::float(value));
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        self.out.push(text::double(value));
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.out.push(value.to_owned());
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.out.push(STANDARD.encode(value));
    }

    fn timestamp(&mut self, at: &'static Member, value: Timestamp) {
        self.out.push(text::timestamp(value, at.timestamp_format(self.format)));
    }

    fn document(&mut self, _at: &'static Member, value: &Value) {
        self.out.push(value.to_string());
    }

    fn structure(&mut self, _at: &'static Member, _value: &dyn Shape) {}

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        if let Kind::List(item) = at.target.kind {
            (0..value.count()).for_each(|index| value.item(index).write(self, item));
        }
    }

    fn map(&mut self, _at: &'static Member, _value: &dyn Entries) {}
}

struct MapTexts {
    out: Vec<(String, Vec<String>)>,
}

impl Writer for MapTexts {
    fn null(&mut self, _at: &'static Member) {}
    fn boolean(&mut self, _at: &'static Member, _value: bool) {}
    fn integer(&mut self, _at: &'static Member, _value: i64) {}
    fn float(&mut self, _at: &'static Member, _value: f32) {}
    fn double(&mut self, _at: &'static Member, _value: f64) {}
    fn string(&mut self, _at: &'static Member, _value: &str) {}
    fn blob(&mut self, _at: &'static Member, _value: &Bytes) {}
    fn timestamp(&mut self, _at: &'static Member, _value: Timestamp) {}
    fn document(&mut self, _at: &'static Member, _value: &Value) {}
    fn structure(&mut self, _at: &'static Member, _value: &dyn Shape) {}
    fn list(&mut self, _at: &'static Member, _value: &dyn Items) {}

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { value: held, .. } = at.target.kind else { return };
        value.each(&mut |key, value| self.out.push((key.to_owned(), texts(value, held, TimestampFormat::Iso8601))));
    }
}

/// Takes the bytes of a blob or text as they are.
#[derive(Default)]
pub(crate) struct RawWriter {
    pub(crate) bytes: Option<Bytes>,
    /// A body that is still coming.
    pub(crate) stream: Option<Payload>,
}

impl Writer for RawWriter {
    fn null(&mut self, _at: &'static Member) {}
    fn boolean(&mut self, _at: &'static Member, _value: bool) {}
    fn integer(&mut self, _at: &'static Member, _value: i64) {}
    fn float(&mut self, _at: &'static Member, _value: f32) {}
    fn double(&mut self, _at: &'static Member, _value: f64) {}
    fn timestamp(&mut self, _at: &'static Member, _value: Timestamp) {}
    fn document(&mut self, _at: &'static Member, _value: &Value) {}
    fn structure(&mut self, _at: &'static Member, _value: &dyn Shape) {}
    fn list(&mut self, _at: &'static Member, _value: &dyn Items) {}
    fn map(&mut self, _at: &'static Member, _value: &dyn Entries) {}

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.bytes = Some(Bytes::copy_from_slice(value.as_bytes()));
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.bytes = Some(value.clone());
    }

    fn payload(&mut self, _at: &'static Member, value: &Payload) {
        match value.whole() {
            Some(bytes) => self.bytes = Some(bytes.clone()),
            None => self.stream = Some(value.clone()),
        }
    }
}
