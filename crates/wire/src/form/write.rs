//! Shapes as forms, on a client's side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::Dialect;
use crate::schema::{Kind, TimestampFormat};
use crate::writer::present;
use crate::{Entries, Items, Member, Shape, Writer, text, uri};

/// Adds pairs to a form.
pub(crate) struct FormWriter {
    dialect: Dialect,
    out: String,
    /// The name of the value that is written next.
    name: String,
}

impl FormWriter {
    /// The form of an operation's input.
    pub(crate) fn form(dialect: Dialect, action: &str, version: &str, shape: &dyn Shape) -> String {
        let mut writer = Self { dialect, out: String::new(), name: String::new() };
        uri::push_pair(&mut writer.out, "Action", action);
        uri::push_pair(&mut writer.out, "Version", version);
        writer.members(shape);
        writer.out
    }

    fn members(&mut self, shape: &dyn Shape) {
        for (at, value) in present(shape) {
            let name = self.dialect.name(at);
            self.under(&name, |writer| value.write(writer, at));
        }
    }

    /// Writes something one step further in.
    fn under(&mut self, part: &str, write: impl FnOnce(&mut Self)) {
        let length = self.name.len();
        if length > 0 {
            self.name.push('.');
        }
        self.name.push_str(part);
        write(self);
        self.name.truncate(length);
    }

    fn scalar(&mut self, value: &str) {
        uri::push_pair(&mut self.out, &self.name, value);
    }
}

impl Writer for FormWriter {
    fn null(&mut self, _at: &'static Member) {}

    fn boolean(&mut self, _at: &'static Member, value: bool) {
        self.scalar(&value.to_string());
    }

    fn integer(&mut self, _at: &'static Member, value: i64) {
        self.scalar(&value.to_string());
    }

    fn float(&mut self, _at: &'static Member, value: f32) {
        self.scalar(&text::float(value));
    }

    fn double(&mut self, _at: &'static Member, value: f64) {
        self.scalar(&text::double(value));
    }

    fn string(&mut self, _at: &'static Member, value: &str) {
        self.scalar(value);
    }

    fn blob(&mut self, _at: &'static Member, value: &Bytes) {
        self.scalar(&STANDARD.encode(value));
    }

    fn timestamp(&mut self, at: &'static Member, value: Timestamp) {
        self.scalar(&text::timestamp(value, at.timestamp_format(TimestampFormat::Iso8601)));
    }

    fn document(&mut self, _at: &'static Member, value: &Value) {
        self.scalar(&value.to_string());
    }

    fn structure(&mut self, _at: &'static Member, value: &dyn Shape) {
        self.members(value);
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        let Kind::List(item) = at.target.kind else { return };
        let is_flat = at.flattened || self.dialect == Dialect::Ec2;
        // An empty list is told from none by an empty value; EC2 does not tell them apart.
        if value.count() == 0 {
            if self.dialect == Dialect::Query {
                self.scalar("");
            }
            return;
        }
        for index in 0..value.count() {
            let number = (index + 1).to_string();
            let part = if is_flat { number } else { format!("{}.{number}", item.wire) };
            self.under(&part, |writer| value.item(index).write(writer, item));
        }
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { key, value: held } = at.target.kind else { return };
        let mut number = 0;
        value.each(&mut |text, value| {
            number += 1;
            let part = if at.flattened { number.to_string() } else { format!("entry.{number}") };
            self.under(&part, |writer| {
                writer.under(key.wire, |writer| writer.scalar(text));
                writer.under(held.wire, |writer| value.write(writer, held));
            });
        });
    }
}
