//! Where an item lies: its keys, checked as DynamoDB checks them, and the places in the store that follow from them.

use aws_lc_rs::digest;
use item::{Item, Kind, Value, key, size};
use store::Key;

use crate::error::Error;
use crate::model::{Attribute, Index, Keys, Table};
use crate::store::keys;

const HASH_BYTES_MAX: usize = 2_048;
const RANGE_BYTES_MAX: usize = 1_024;

/// What a key schema finds an item by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The hash key.
    pub(crate) hash: Value,
    /// The sort key, where there is one.
    pub(crate) range: Option<Value>,
}

impl Place {
    /// The key that somebody sent: exactly the table's.
    pub(crate) fn of_key(table: &Keys, sent: &Item) -> Result<Self, Error> {
        let mismatch = || Error::Invalid("The provided key element does not match the schema".to_owned());
        if sent.len() != table.each().count() {
            return Err(mismatch());
        }
        let part = |attribute: &Attribute| {
            let value = sent.get(&attribute.name).filter(|value| value.kind() == kind(attribute));
            let value = value.ok_or_else(mismatch)?;
            check_empty(attribute, value)?;
            Ok::<_, Error>(value.clone())
        };
        let place = Self { hash: part(&table.hash)?, range: table.range.as_ref().map(part).transpose()? };
        place.check_size()?;
        Ok(place)
    }

    /// The keys of an item that somebody sent.
    pub(crate) fn of_item(table: &Keys, sent: &Item) -> Result<Self, Error> {
        let part = |attribute: &Attribute| {
            let name = &attribute.name;
            let value =
                sent.get(name).ok_or_else(|| Error::parameters(format_args!("Missing the key {name} in the item")))?;
            if value.kind() != kind(attribute) {
                return Err(Error::parameters(format_args!(
                    "Type mismatch for key {name} expected: {} actual: {}",
                    attribute.kind.as_str(),
                    value.kind()
                )));
            }
            check_empty(attribute, value)?;
            Ok(value.clone())
        };
        let place = Self { hash: part(&table.hash)?, range: table.range.as_ref().map(part).transpose()? };
        place.check_size()?;
        Ok(place)
    }

    /// Where an item that is stored lies in an index; nowhere where it lacks a key of it.
    pub(crate) fn in_index(index: &Keys, item: &Item) -> Option<Self> {
        let part = |attribute: &Attribute| item.get(&attribute.name).filter(|value| value.kind() == kind(attribute));
        let hash = part(&index.hash)?.clone();
        let range = match &index.range {
            Some(attribute) => Some(part(attribute)?.clone()),
            None => None,
        };
        Some(Self { hash, range })
    }

    /// The keys as an item.
    pub(crate) fn to_item(&self, keys: &Keys) -> Item {
        let range = keys.range.as_ref().map(|attribute| attribute.name.clone()).zip(self.range.clone());
        std::iter::once((keys.hash.name.clone(), self.hash.clone())).chain(range).collect()
    }

    /// The item's key in the store.
    pub(crate) fn item_key(&self, table: u64) -> Key {
        self.under(keys::items(table))
    }

    /// The item's place under a prefix that has one for each item.
    pub(crate) fn under(&self, prefix: Key) -> Key {
        let key = prefix.with(hash_id(&self.hash));
        match &self.range {
            Some(range) => key.with(&sort_bytes(range)[..]),
            None => key,
        }
    }

    /// The key of the item's entry in an index. `item` tells it from others at the same place.
    pub(crate) fn entry_key(&self, table: u64, index: u16, item: &[u8; 16]) -> Key {
        self.under(keys::entries(table, index)).with(*item)
    }

    /// What tells the item from all others of its table.
    pub(crate) fn id(&self) -> [u8; 16] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&hash_id(&self.hash));
        if let Some(range) = &self.range {
            context.update(&sort_bytes(range));
        }
        first_half(context.finish().as_ref())
    }

    fn check_size(&self) -> Result<(), Error> {
        if size::value(&self.hash) > HASH_BYTES_MAX {
            return Err(Error::parameters(format_args!(
                "Size of hashkey has exceeded the maximum size limit of{HASH_BYTES_MAX} bytes"
            )));
        }
        if self.range.as_ref().is_some_and(|range| size::value(range) > RANGE_BYTES_MAX) {
            return Err(Error::parameters(format_args!(
                "Aggregated size of all range keys has exceeded the size limit of {RANGE_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

/// The part of a store key that a hash key becomes.
pub(crate) fn hash_id(hash: &Value) -> [u8; 16] {
    first_half(digest::digest(&digest::SHA256, &sort_bytes(hash)).as_ref())
}

/// The bytes that a key value is sorted by.
pub(crate) fn sort_bytes(value: &Value) -> key::KeyBytes<'_> {
    key::encode(value).expect("keys are checked to be texts, numbers or bytes when they are read")
}

fn first_half(sum: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&sum[..16]);
    half
}

/// The type of a key attribute's values.
pub(crate) fn kind(attribute: &Attribute) -> Kind {
    match attribute.kind {
        crate::model::Kind::S => Kind::S,
        crate::model::Kind::N => Kind::N,
        crate::model::Kind::B => Kind::B,
    }
}

fn is_empty(value: &Value) -> Option<&'static str> {
    match value {
        Value::S(text) if text.is_empty() => Some("string"),
        Value::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}

fn check_empty(attribute: &Attribute, value: &Value) -> Result<(), Error> {
    match is_empty(value) {
        Some(what) => Err(Error::Invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} \
             value. Key: {}",
            attribute.name
        ))),
        None => Ok(()),
    }
}

/// Refuses an item with a value that an index of the table cannot have as its key.
pub(crate) fn check_index_keys(table: &Table, item: &Item) -> Result<(), Error> {
    table.kept_indexes().try_for_each(|index| index.keys.each().try_for_each(|key| check_index_key(index, key, item)))
}

fn check_index_key(index: &Index, attribute: &Attribute, item: &Item) -> Result<(), Error> {
    let Some(value) = item.get(&attribute.name) else { return Ok(()) };
    let (name, key) = (&index.name, &attribute.name);
    if value.kind() != kind(attribute) {
        return Err(Error::parameters(format_args!(
            "Type mismatch for Index Key {key} Expected: {} Actual: {} IndexName: {name}",
            attribute.kind.as_str(),
            value.kind()
        )));
    }
    if let Some(what) = is_empty(value) {
        return Err(Error::Invalid(format!(
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
             AttributeValue for a key attribute cannot contain an empty {what} value. IndexName: {name}, IndexKey: {key}"
        )));
    }
    let limit = if index.keys.hash.name == *key { HASH_BYTES_MAX } else { RANGE_BYTES_MAX };
    if size::value(value) > limit {
        return Err(Error::parameters(format_args!(
            "Size of index key has exceeded the maximum size limit of {limit} bytes. IndexName: {name}, IndexKey: {key}"
        )));
    }
    Ok(())
}
