//! Where an item lies: its keys, checked as DynamoDB checks them, and the places in the store that follow from them.

use aws_lc_rs::digest;
use item::expression::Update;
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

/// The refusal of a key that is not as the table has it.
pub(crate) fn mismatch() -> Error {
    Error::Invalid("The provided key element does not match the schema".to_owned())
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
        Some(what) => Err(Error::KeyEmpty(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} \
             value. Key: {}",
            attribute.name
        ))),
        None => Ok(()),
    }
}

/// Refuses an item with a value that an index of the table cannot have as its key.
pub(crate) fn check_index_keys(table: &Table, item: &Item) -> Result<(), Error> {
    let Some((unfit, index, key)) = unfit(table, |name| item.get(name)) else { return Ok(()) };
    let (name, key, wanted) = (&index.name, &key.name, key.kind.as_str());
    Err(match unfit {
        Unfit::Kind(kind) => index_mismatch(index, key, wanted, kind),
        Unfit::Empty(what) => Error::KeyEmpty(format!(
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
             AttributeValue for a key attribute cannot contain an empty {what} value. IndexName: {name}, IndexKey: {key}"
        )),
        Unfit::Long(limit) => Error::parameters(format_args!(
            "Size of index key has exceeded the maximum size limit of {limit} bytes. IndexName: {name}, IndexKey: {key}"
        )),
    })
}

/// Refuses what an update has made of an item, where it gave the key of an index what that cannot be. What was there before, perhaps since
/// before the index, is left alone.
pub(crate) fn check_index_updates(table: &Table, before: &Item, after: &Item) -> Result<(), Error> {
    let changed = |name: &str| after.get(name).filter(|value| before.get(name) != Some(value));
    let Some((unfit, ..)) = unfit(table, changed) else { return Ok(()) };
    let attempted = "The update expression attempted to update the secondary index key";
    Err(match unfit {
        Unfit::Kind(_) => Error::Invalid(format!("{attempted} to unsupported type")),
        Unfit::Empty(what) => update_empty(what),
        Unfit::Long(_) => Error::Invalid(format!("{attempted} beyond allowed size limits")),
    })
}

/// Refuses an update of which it is seen without an item that it gives the key of an index what that cannot be.
pub(crate) fn check_given(table: &Table, update: &Update) -> Result<(), Error> {
    for (name, kind, value) in update.given() {
        let Some((index, key)) = keyed(table, name).min_by_key(|(index, _)| &index.name) else { continue };
        if kind != self::kind(key) {
            return Err(index_mismatch(index, name, key.kind.as_str(), kind));
        }
        if let Some(what) = value.and_then(is_empty) {
            return Err(update_empty(what));
        }
    }
    Ok(())
}

/// What is wrong with a value as the key of an index.
enum Unfit {
    /// It is of this type.
    Kind(Kind),
    /// It is this, and empty.
    Empty(&'static str),
    /// It has more bytes than this.
    Long(usize),
}

/// What is wrong with the keys of indexes; of several indexes DynamoDB names the one whose name sorts first.
fn unfit<'a>(table: &'a Table, value: impl Fn(&str) -> Option<&'a Value>) -> Option<(Unfit, &'a Index, &'a Attribute)> {
    let keys = table.kept_indexes().flat_map(|index| index.keys.each().map(move |key| (index, key)));
    let wrong = keys.filter_map(|(index, key)| {
        let value = value(&key.name)?;
        let limit = if index.keys.hash.name == key.name { HASH_BYTES_MAX } else { RANGE_BYTES_MAX };
        let unfit = match is_empty(value) {
            _ if value.kind() != kind(key) => Unfit::Kind(value.kind()),
            Some(what) => Unfit::Empty(what),
            None if size::value(value) > limit => Unfit::Long(limit),
            None => return None,
        };
        Some((unfit, index, key))
    });
    wrong.min_by_key(|(_, index, _)| &index.name)
}

/// The indexes that have an attribute as a part of their key.
fn keyed<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = (&'a Index, &'a Attribute)> {
    table.kept_indexes().filter_map(move |index| Some((index, index.keys.each().find(|key| key.name == name)?)))
}

fn index_mismatch(index: &Index, key: &str, wanted: &str, kind: Kind) -> Error {
    Error::parameters(format_args!(
        "Type mismatch for Index Key {key} Expected: {wanted} Actual: {kind} IndexName: {}",
        index.name
    ))
}

fn update_empty(what: &str) -> Error {
    Error::KeyEmpty(format!(
        "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that \
         is not supported. The AttributeValue for a key attribute cannot contain an empty {what} value."
    ))
}
