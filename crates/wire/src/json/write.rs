//! Shapes as JSON text.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::{Kind, TimestampFormat};
use crate::writer::present;
use crate::{Entries, Items, Member, Shape, Writer, Written, text};

/// Puts values into JSON text.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    /// The text so far.
    pub fn into_bytes(self) -> Bytes {
        self.out.into()
    }

    /// Writes an object of the members given.
    pub fn object<'a>(&mut self, members: impl Iterator<Item = (&'static Member, &'a dyn Written)>) {
        self.out.push(b'{');
        for (index, (at, value)) in members.enumerate() {
            self.key(index, at.wire);
            value.write(self, at);
        }
        self.out.push(b'}');
    }

    /// Writes an object of members whose values are JSON already.
    pub(crate) fn object_of_documents<'a>(&mut self, members: impl Iterator<Item = (&'a str, &'a Value)>) {
        self.out.push(b'{');
        for (index, (name, value)) in members.enumerate() {
            self.key(index, name);
            self.json(value);
        }
        self.out.push(b'}');
    }

    fn key(&mut self, index: usize, name: &str) {
        if index > 0 {
            self.out.push(b',');
        }
        self.quoted(name);
        self.out.push(b':');
    }

    fn json(&mut self, value: &Value) {
        serde_json::to_writer(&mut self.out, value).expect("any JSON value has a text, and memory takes it");
    }

    fn plain(&mut self, value: impl std::fmt::Display) {
        write!(self.out, "{value}").expect("memory takes what is written");
    }

    fn quoted(&mut self, value: &str) {
        self.out.push(b'"');
        let mut rest = value;
        while let Some(at) = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20) {
            self.out.extend_from_slice(&rest.as_bytes()[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                other => self.plain(format_args!("\\u{other:04x}")),
            }
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest.as_bytes());
        self.out.push(b'"');
    }
}

impl Writer for JsonWriter {
    fn null(&mut self, _at: &'static Member) {
        self.out.extend_from_slice(b"null");
    }

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.plain(value);
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.plain(value);
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        match text::special(f64::from(value)) {
            Some(word) => self.quoted(word),
            None => self.plain(text::float(value)),
        }
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        match text::special(value) {
            Some(word) => self.quoted(word),
            None => self.plain(text::double(value)),
        }
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.quoted(value);
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.out.push(b'"');
        let start = self.out.len();
        let length = base64::encoded_len(value.len(), true).unwrap_or_default();
        self.out.resize(start + length, 0);
        STANDARD.encode_slice(value, &mut self.out[start..]).expect("there is room for exactly this");
        self.out.push(b'"');
    }

    fn timestamp(&mut self, at: &'static Member, value: Timestamp) {
        match at.timestamp_format(TimestampFormat::Unix) {
            TimestampFormat::Unix => self.plain(text::timestamp(value, TimestampFormat::Unix)),
            format @ (TimestampFormat::Iso8601 | TimestampFormat::Rfc822) => {
                self.quoted(&text::timestamp(value, format));
            }
        }
    }

    fn document(&mut self, at: &'static Member, value: &Value) {
        if at.json_value { self.quoted(&value.to_string()) } else { self.json(value) }
    }

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.object(present(value));
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        let Kind::List(item) = at.target.kind else { return };
        self.out.push(b'[');
        for index in 0..value.count() {
            if index > 0 {
                self.out.push(b',');
            }
            value.item(index).write(self, item);
        }
        self.out.push(b']');
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { value: held, .. } = at.target.kind else { return };
        self.out.push(b'{');
        let mut index = 0;
        value.each(&mut |key, value| {
            self.key(index, key);
            index += 1;
            value.write(self, held);
        });
        self.out.push(b'}');
    }
}
