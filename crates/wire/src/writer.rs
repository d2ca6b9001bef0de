//! What a protocol's encoder offers to the shapes. Whoever writes cannot fail: a shape in memory has a form in every protocol.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::{Entries, Items, Member, Payload, Shape};

/// Takes values. Each call writes one value, at the member that says how it travels.
pub trait Writer {
    /// Writes nothing where something stands, as a null in a list.
    fn null(&mut self, at: &'static Member);
    /// Writes a truth value.
    fn boolean(&mut self, at: &'static Member, value: bool);
    /// Writes a whole number.
    fn integer(&mut self, at: &'static Member, value: i64);
    /// Writes a 32-bit number; apart from [`Writer::double`], because 0.1 is written in fewer digits.
    fn float(&mut self, at: &'static Member, value: f32);
    /// Writes a 64-bit number.
    fn double(&mut self, at: &'static Member, value: f64);
    /// Writes text.
    fn string(&mut self, at: &'static Member, value: &str);
    /// Writes bytes.
    fn blob(&mut self, at: &'static Member, value: &Bytes);
    /// Writes a body: its bytes, if they are there; of a stream nothing can be said here.
    fn payload(&mut self, at: &'static Member, value: &Payload) {
        match value.whole() {
            Some(bytes) => self.blob(at, bytes),
            None => self.null(at),
        }
    }
    /// Writes a point in time.
    fn timestamp(&mut self, at: &'static Member, value: Timestamp);
    /// Writes any JSON.
    fn document(&mut self, at: &'static Member, value: &Value);
    /// Writes a structure or union.
    fn structure(&mut self, at: &'static Member, value: &dyn Shape);
    /// Writes a list.
    fn list(&mut self, at: &'static Member, value: &dyn Items);
    /// Writes a map.
    fn map(&mut self, at: &'static Member, value: &dyn Entries);
}

/// The members of a shape that are there, with their places in the schema, in the model's order.
pub(crate) fn present(shape: &dyn Shape) -> impl Iterator<Item = (&'static Member, &dyn crate::Written)> {
    let members = shape.schema().members();
    members.iter().enumerate().map(|(index, at)| (at, shape.member(index))).filter(|(_, value)| !value.is_absent())
}
