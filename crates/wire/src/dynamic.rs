//! A shape whose schema is known at run time only. The protocol tests read and write with it; nothing generated does.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::Kind;
use crate::{ABSENT, Field, Malformed, Member, Reader, Schema, Shape, Writer, Written};

/// A structure or union of any schema.
#[derive(Clone)]
pub struct Dynamic {
    schema: &'static Schema,
    members: BTreeMap<usize, Datum>,
}

/// A value of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// A null in a list or map.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A 32-bit number.
    Float(f32),
    /// A 64-bit number.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    Blob(Bytes),
    /// A point in time.
    Timestamp(Timestamp),
    /// Any JSON.
    Document(Value),
    /// A structure or union.
    Structure(Dynamic),
    /// A list.
    List(Vec<Datum>),
    /// A map.
    Map(BTreeMap<String, Datum>),
}

impl Dynamic {
    /// A value of that schema without any member.
    pub fn new(schema: &'static Schema) -> Self {
        Self { schema, members: BTreeMap::new() }
    }

    /// Sets the member at that place in the schema.
    pub fn set(&mut self, index: usize, value: Datum) {
        self.members.insert(index, value);
    }

    /// The member at that place.
    pub fn get(&self, index: usize) -> Option<&Datum> {
        self.members.get(&index)
    }
}

impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::debug(self, f)
    }
}

/// Of the same schema, with the same members.
impl PartialEq for Dynamic {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.schema, other.schema) && self.members == other.members
    }
}

impl Shape for Dynamic {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn member(&self, index: usize) -> &dyn Written {
        self.members.get(&index).map_or(ABSENT, |value| value)
    }

    fn read_member(&mut self, index: usize, reader: &mut Reader<'_>, at: &'static Member) -> Result<(), Malformed> {
        self.members.insert(index, Datum::read(reader, at)?);
        Ok(())
    }
}

impl Written for Datum {
    fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
        match self {
            Self::Null => writer.null(at),
            Self::Boolean(value) => writer.boolean(at, *value),
            Self::Integer(value) => writer.integer(at, *value),
            Self::Float(value) => writer.float(at, *value),
            Self::Double(value) => writer.double(at, *value),
            Self::String(value) => writer.string(at, value),
            Self::Blob(value) => writer.blob(at, value),
            Self::Timestamp(value) => writer.timestamp(at, *value),
            Self::Document(value) => writer.document(at, value),
            Self::Structure(value) => writer.structure(at, value),
            Self::List(items) => writer.list(at, items),
            Self::Map(entries) => writer.map(at, entries),
        }
    }
}

impl Field for Datum {
    fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
        if at.json_value {
            return reader.document(at).map(Self::Document);
        }
        Ok(match at.target.kind {
            Kind::Boolean => Self::Boolean(reader.boolean(at)?),
            Kind::Integer => Self::Integer(reader.integer(at)?.into()),
            Kind::Long => Self::Integer(reader.long(at)?),
            Kind::Float => Self::Float(reader.float(at)?),
            Kind::Double => Self::Double(reader.double(at)?),
            Kind::String => Self::String(reader.string(at)?),
            Kind::Blob => Self::Blob(reader.blob(at)?),
            Kind::Timestamp => Self::Timestamp(reader.timestamp(at)?),
            Kind::Document => Self::Document(reader.document(at)?),
            Kind::Structure(_) | Kind::Union(_) => {
                let mut shape = Dynamic::new(at.target);
                reader.structure(at.target, &mut shape)?;
                Self::Structure(shape)
            }
            Kind::List(item) => {
                let mut items = Vec::new();
                reader.sparse_list(at, &mut |reader| {
                    items.push(Self::read_or_null(reader, item)?);
                    Ok(())
                })?;
                Self::List(items)
            }
            Kind::Map { value, .. } => {
                let mut entries = BTreeMap::new();
                reader.sparse_map(at, &mut |reader, key| {
                    entries.insert(key, Self::read_or_null(reader, value)?);
                    Ok(())
                })?;
                Self::Map(entries)
            }
        })
    }
}

impl Datum {
    fn read_or_null(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
        if reader.take_null()? { Ok(Self::Null) } else { Self::read(reader, at) }
    }
}
