//! Values on the wire, and values as items hold them: converted by hand, because a wire value may be none, and an item's cannot.

use std::collections::BTreeMap;

use item::packed::{Damaged, Entries, View};
use item::{Item, Kind, Packed, Refusal, Value, size};
use wire::dynamodb::AttributeValue;
use wire::dynamodbstreams;

use crate::error::Error;

/// Attributes by name, on the wire.
pub(crate) type Attributes = BTreeMap<String, AttributeValue>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Invalid(refusal.to_string())
    }
}

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Self {
        tracing::error!(%damaged, "an item cannot be read; the store is damaged, or this is a bug");
        Self::Internal
    }
}

/// The item that somebody sent.
pub(crate) fn read_item(sent: Attributes) -> Result<Item, Error> {
    let entry = |(name, value): (String, AttributeValue)| {
        if name.len() > size::NAME_BYTES_MAX {
            return Err(Error::parameters(format_args!(
                "Attribute name is too large, must be less than {} bytes",
                size::NAME_BYTES_MAX + 1
            )));
        }
        let value = read(value)?;
        value.check_depth()?;
        Ok((name, value))
    };
    sent.into_iter().map(entry).collect()
}

/// The value that somebody sent.
pub(crate) fn read(sent: AttributeValue) -> Result<Value, Refusal> {
    Ok(match sent {
        AttributeValue::Unset => return Err(Refusal::NoType),
        AttributeValue::Several => return Err(Refusal::ManyTypes),
        AttributeValue::S(text) => Value::S(text),
        AttributeValue::N(text) => Value::number(text.trim())?,
        AttributeValue::B(bytes) => Value::B(bytes),
        AttributeValue::BOOL(truth) => Value::Bool(truth),
        AttributeValue::NULL(true) => Value::Null,
        AttributeValue::NULL(false) => return Err(Refusal::NullFalse),
        AttributeValue::M(entries) => {
            let entry = |(name, value)| Ok((name, read(value)?));
            Value::M(entries.into_iter().map(entry).collect::<Result<_, Refusal>>()?)
        }
        AttributeValue::L(items) => Value::L(items.into_iter().map(read).collect::<Result<_, Refusal>>()?),
        AttributeValue::SS(members) => Value::text_set(members)?,
        AttributeValue::NS(members) => Value::number_set(&members)?,
        AttributeValue::BS(members) => Value::bytes_set(members)?,
    })
}

/// An item as the wire has it.
pub(crate) fn write_item(item: Item) -> Attributes {
    item.into_iter().map(|(name, value)| (name, write(value))).collect()
}

/// A value as the wire has it.
pub(crate) fn write(value: Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text),
        Value::N(number) => AttributeValue::N(number.to_string()),
        Value::B(bytes) => AttributeValue::B(bytes),
        Value::Bool(truth) => AttributeValue::BOOL(truth),
        Value::Null => AttributeValue::NULL(true),
        Value::M(entries) => AttributeValue::M(write_item(entries)),
        Value::L(items) => AttributeValue::L(items.into_iter().map(write).collect()),
        Value::Ss(members) => AttributeValue::SS(members.into_vec()),
        Value::Ns(members) => AttributeValue::NS(members.iter().map(ToString::to_string).collect()),
        Value::Bs(members) => AttributeValue::BS(members.into_vec()),
    }
}

/// A packed item as the wire has it, without the item between.
pub(crate) fn write_packed(packed: &Packed<'_>) -> Result<Attributes, Damaged> {
    write_entries(packed.entries()?)
}

fn write_entries(entries: Entries<'_>) -> Result<Attributes, Damaged> {
    let entry = |entry: Result<(&[u8], View<'_>), Damaged>| {
        let (name, view) = entry?;
        let name = std::str::from_utf8(name).map_err(|_| Damaged::Wrong("text"))?;
        Ok((name.to_owned(), write_view(&view)?))
    };
    entries.map(entry).collect()
}

/// A packed value as the wire has it.
pub(crate) fn write_view(view: &View<'_>) -> Result<AttributeValue, Damaged> {
    Ok(match view.kind() {
        Kind::M => AttributeValue::M(write_entries(view.entries()?)?),
        Kind::L => AttributeValue::L(view.items()?.map(|item| write_view(&item?)).collect::<Result<_, _>>()?),
        Kind::S | Kind::N | Kind::B | Kind::Bool | Kind::Null | Kind::Ss | Kind::Ns | Kind::Bs => write(view.unpack()?),
    })
}

/// An item as records of streams have it.
pub(crate) fn write_record(item: Item) -> BTreeMap<String, dynamodbstreams::AttributeValue> {
    item.into_iter().map(|(name, value)| (name, write_recorded(value))).collect()
}

fn write_recorded(value: Value) -> dynamodbstreams::AttributeValue {
    use dynamodbstreams::AttributeValue as Recorded;
    match value {
        Value::S(text) => Recorded::S(text),
        Value::N(number) => Recorded::N(number.to_string()),
        Value::B(bytes) => Recorded::B(bytes),
        Value::Bool(truth) => Recorded::BOOL(truth),
        Value::Null => Recorded::NULL(true),
        Value::M(entries) => Recorded::M(write_record(entries)),
        Value::L(items) => Recorded::L(items.into_iter().map(write_recorded).collect()),
        Value::Ss(members) => Recorded::SS(members.into_vec()),
        Value::Ns(members) => Recorded::NS(members.iter().map(ToString::to_string).collect()),
        Value::Bs(members) => Recorded::BS(members.into_vec()),
    }
}
