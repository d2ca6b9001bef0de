//! Shapes as CBOR, in the shortest forms.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{TAG_EPOCH, major};
use crate::schema::Kind;
use crate::writer::present;
use crate::{Entries, Items, Member, Shape, Writer, Written, text};

/// Puts values into CBOR.
#[derive(Debug, Default)]
pub struct CborWriter {
    out: Vec<u8>,
}

impl CborWriter {
    /// The bytes so far.
    pub fn into_bytes(self) -> Bytes {
        self.out.into()
    }

    /// Writes a map of the members given. Its length is left open, because who is there shows only on the way.
    pub fn object<'a>(&mut self, members: impl Iterator<Item = (&'static Member, &'a dyn Written)>) {
        self.out.push(major::MAP << 5 | 31);
        for (at, value) in members {
            self.text(at.wire);
            value.write(self, at);
        }
        self.out.push(super::BREAK);
    }

    /// Writes any JSON.
    pub(crate) fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push(0xF6),
            Value::Bool(value) => self.out.push(0xF4 + u8::from(*value)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => self.whole(whole),
                None => self.real(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(value) => self.text(value),
            Value::Array(items) => {
                self.head(major::ARRAY, items.len() as u64);
                items.iter().for_each(|item| self.json(item));
            }
            Value::Object(map) => {
                self.head(major::MAP, map.len() as u64);
                for (key, value) in map {
                    self.text(key);
                    self.json(value);
                }
            }
        }
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let bytes = value.to_be_bytes();
        match value {
            0..24 => self.out.push(major | bytes[7]),
            24..0x100 => self.out.extend([major | 24, bytes[7]]),
            0x100..0x1_0000 => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..0x1_0000_0000 => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn whole(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(major::UNSIGNED, value),
            Err(_) => self.head(major::NEGATIVE, !value as u64),
        }
    }

    fn real(&mut self, value: f64) {
        self.out.push(major::SIMPLE << 5 | 27);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn text(&mut self, value: &str) {
        self.head(major::TEXT, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }
}

impl Writer for CborWriter {
    fn null(&mut self, _at: &'static Member) {
        self.json(&Value::Null);
    }

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.json(&Value::Bool(value));
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.whole(value);
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        self.out.push(major::SIMPLE << 5 | 26);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        self.real(value);
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.text(value);
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.head(major::BYTES, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    fn timestamp(&mut self, _at: &'static Member, value: Timestamp) {
        self.head(major::TAG, TAG_EPOCH);
        match text::unix(value) {
            (seconds, 0) => self.whole(seconds),
            (seconds, millis) => self.real(seconds as f64 + millis as f64 / 1000.0),
        }
    }

    fn document(&mut self, _at: &'static Member, value: &Value) {
        self.json(value);
    }

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.object(present(value));
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        let Kind::List(item) = at.target.kind else { return };
        self.head(major::ARRAY, value.count() as u64);
        (0..value.count()).for_each(|index| value.item(index).write(self, item));
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { value: held, .. } = at.target.kind else { return };
        self.head(major::MAP, value.count() as u64);
        value.each(&mut |key, value| {
            self.text(key);
            value.write(self, held);
        });
    }
}
