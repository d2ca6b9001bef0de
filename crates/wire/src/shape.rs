//! A shape in memory: what a codec needs to read and write one, whichever protocol it speaks.
//!
//! A [`Shape`] is a structure or union, a [`Field`] is anything that a member can hold. Codecs see both through `dyn`, so
//! that each codec is compiled once and each shape adds a table and two `match`es.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::Kind;
use crate::{Malformed, Member, Payload, Reader, Schema, Writer};

/// A structure or union.
pub trait Shape: Send + Sync {
    /// What it looks like on the wire.
    fn schema(&self) -> &'static Schema;

    /// The member at that place in the schema's table; [`ABSENT`] where there is none.
    fn member(&self, index: usize) -> &dyn Written;

    /// Reads the member at that place.
    fn read_member(&mut self, index: usize, reader: &mut Reader<'_>, at: &'static Member) -> Result<(), Malformed>;
}

/// A shape whose schema is known before there is a value. All generated ones are.
pub trait StaticShape: Shape + Default + Clone + PartialEq + fmt::Debug + 'static {
    /// What it looks like on the wire.
    const SCHEMA: &'static Schema;
}

/// What a codec writes: the half of a [`Field`] that can be seen through `dyn`.
pub trait Written {
    /// Whether there is nothing to write.
    fn is_absent(&self) -> bool {
        false
    }

    /// Hands the value to the writer.
    fn write(&self, writer: &mut dyn Writer, at: &'static Member);

    /// The value, if it is a structure or union.
    fn as_shape(&self) -> Option<&dyn Shape> {
        None
    }
}

/// Anything that a member can hold.
pub trait Field: Written + Sized {
    /// Takes the value from the reader.
    fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed>;
}

/// A list, as writers see it.
pub trait Items {
    /// How many there are.
    fn count(&self) -> usize;
    /// The item at that place, which is below [`Items::count`].
    fn item(&self, index: usize) -> &dyn Written;
}

/// A map, as writers see it.
pub trait Entries {
    /// How many there are.
    fn count(&self) -> usize;
    /// Hands over all entries in order.
    fn each(&self, take: &mut dyn FnMut(&str, &dyn Written));
}

/// Nothing at all.
pub const ABSENT: &dyn Written = &None::<bool>;

/// A structure without members: the input or output of operations whose model names none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Empty;

static EMPTY: Schema = Schema::structure("Empty", &[]);
crate::macros::structure!(Empty, EMPTY {});

macro_rules! scalar {
    ($type:ty, $reader:ident, $writer:ident, |$value:ident| $given:expr) => {
        impl Written for $type {
            fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
                let $value = self;
                writer.$writer(at, $given);
            }
        }

        impl Field for $type {
            fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
                reader.$reader(at)
            }
        }
    };
}

scalar!(bool, boolean, boolean, |value| *value);
scalar!(i32, integer, integer, |value| i64::from(*value));
scalar!(i64, long, integer, |value| *value);
scalar!(f32, float, float, |value| *value);
scalar!(f64, double, double, |value| *value);
scalar!(String, string, string, |value| value);
scalar!(Bytes, blob, blob, |value| value);
scalar!(Payload, payload, payload, |value| value);
scalar!(Timestamp, timestamp, timestamp, |value| *value);
scalar!(Value, document, document, |value| value);

impl<T: Written> Written for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
        if let Some(value) = self {
            value.write(writer, at);
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
        T::read(reader, at).map(Some)
    }
}

impl<T: StaticShape> Written for T {
    fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
        writer.structure(at, self);
    }

    fn as_shape(&self) -> Option<&dyn Shape> {
        Some(self)
    }
}

impl<T: StaticShape> Field for T {
    fn read(reader: &mut Reader<'_>, _at: &'static Member) -> Result<Self, Malformed> {
        let mut shape = T::default();
        reader.structure(T::SCHEMA, &mut shape)?;
        Ok(shape)
    }
}

/// For shapes that hold themselves.
impl<T: Shape + ?Sized> Shape for Box<T> {
    fn schema(&self) -> &'static Schema {
        (**self).schema()
    }

    fn member(&self, index: usize) -> &dyn Written {
        (**self).member(index)
    }

    fn read_member(&mut self, index: usize, reader: &mut Reader<'_>, at: &'static Member) -> Result<(), Malformed> {
        (**self).read_member(index, reader, at)
    }
}

impl<T: StaticShape> StaticShape for Box<T> {
    const SCHEMA: &'static Schema = T::SCHEMA;
}

impl<T: Written> Items for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn item(&self, index: usize) -> &dyn Written {
        &self[index]
    }
}

impl<T: Written> Written for Vec<T> {
    fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
        writer.list(at, self);
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
        let Kind::List(item) = at.target.kind else { return Err(Malformed::Schema { name: at.target.name }) };
        let mut items = Vec::new();
        reader.list(at, &mut |reader| {
            items.push(T::read(reader, item)?);
            Ok(())
        })?;
        Ok(items)
    }
}

impl<T: Written> Entries for BTreeMap<String, T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, take: &mut dyn FnMut(&str, &dyn Written)) {
        for (key, value) in self {
            take(key, value);
        }
    }
}

impl<T: Written> Written for BTreeMap<String, T> {
    fn write(&self, writer: &mut dyn Writer, at: &'static Member) {
        writer.map(at, self);
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read(reader: &mut Reader<'_>, at: &'static Member) -> Result<Self, Malformed> {
        let Kind::Map { value, .. } = at.target.kind else { return Err(Malformed::Schema { name: at.target.name }) };
        let mut entries = BTreeMap::new();
        reader.map(at, &mut |reader, key| {
            entries.insert(key, T::read(reader, value)?);
            Ok(())
        })?;
        Ok(entries)
    }
}
