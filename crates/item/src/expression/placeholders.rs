//! What a request's placeholders stand for, and which of them were used.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Invalid, Why};
use super::syntax::Name;
use super::{PLACEHOLDER_BYTES_MAX, VALUES_BYTES_MAX};
use crate::{Value, size};

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// `ExpressionAttributeNames` and `ExpressionAttributeValues` of one request. Bind all of its expressions, in the order in which
/// DynamoDB looks at them, then [`Placeholders::check_used`].
#[derive(Clone, Debug, Default)]
pub struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
    used_names: BTreeSet<String>,
    used_values: BTreeSet<String>,
}

impl Placeholders {
    /// Those of a request; none where the parameter is not there.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, Value>>,
    ) -> Result<Self, Invalid> {
        let mut bytes = 0;
        if let Some(names) = &names {
            check_keys(NAMES, '#', names.keys())?;
            for (key, name) in names {
                if name.is_empty() {
                    return Err(Invalid::NameEmpty { key: key.clone() });
                }
                if name.len() > size::NAME_BYTES_MAX {
                    return Err(Invalid::NameTooLong { key: key.clone() });
                }
                bytes += name.len();
            }
        }
        if let Some(values) = &values {
            check_keys(VALUES, ':', values.keys())?;
            values.values().try_for_each(Value::check_depth)?;
            bytes += size::item(values);
        }
        // What they stand for counts together.
        if bytes > VALUES_BYTES_MAX {
            return Err(Invalid::ValuesTooLarge { bytes, limit: VALUES_BYTES_MAX });
        }
        Ok(Self { names: names.unwrap_or_default(), values: values.unwrap_or_default(), ..Self::default() })
    }

    /// Refuses placeholders that no expression that was bound has used.
    pub fn check_used(&self) -> Result<(), Invalid> {
        check_used(NAMES, self.names.keys(), &self.used_names)?;
        check_used(VALUES, self.values.keys(), &self.used_values)
    }

    /// The name that is meant.
    pub(super) fn name<'a>(&'a mut self, name: &'a Name) -> Result<&'a str, Why> {
        match name {
            Name::Literal(name) => Ok(name),
            Name::Placeholder(key) => {
                let name = self.names.get(&**key).ok_or_else(|| Why::NoName(key.to_string()))?;
                mark(&mut self.used_names, key);
                Ok(name)
            }
        }
    }

    /// The value that is meant.
    pub(super) fn value(&mut self, key: &str) -> Result<&Value, Why> {
        let value = self.values.get(key).ok_or_else(|| Why::NoValue(key.to_owned()))?;
        mark(&mut self.used_values, key);
        Ok(value)
    }
}

fn mark(used: &mut BTreeSet<String>, key: &str) {
    if !used.contains(key) {
        used.insert(key.to_owned());
    }
}

fn check_keys<'a>(
    parameter: &'static str,
    mark: char,
    keys: impl ExactSizeIterator<Item = &'a String> + Clone,
) -> Result<(), Invalid> {
    if keys.len() == 0 {
        return Err(Invalid::PlaceholdersEmpty(parameter));
    }
    if let Some(key) = keys.clone().find(|key| key.len() > PLACEHOLDER_BYTES_MAX) {
        return Err(Invalid::PlaceholderTooLong { parameter, bytes: key.len() });
    }
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match keys.into_iter().find(|key| !key.strip_prefix(mark).is_some_and(is_word)) {
        Some(key) => Err(Invalid::PlaceholderSyntax { parameter, key: key.clone() }),
        None => Ok(()),
    }
}

fn check_used<'a>(
    parameter: &'static str,
    keys: impl ExactSizeIterator<Item = &'a String>,
    used: &BTreeSet<String>,
) -> Result<(), Invalid> {
    let count = keys.len();
    let mut unused: Vec<&str> = keys.filter(|key| !used.contains(*key)).map(String::as_str).collect();
    if unused.is_empty() {
        return Ok(());
    }
    // DynamoDB names them in the order of a hash set of all of them.
    let slots = (count * 4 / 3 + 1).max(16).next_power_of_two() as u32;
    unused.sort_by_key(|key| slot(key, slots));
    Err(Invalid::Unused { parameter, keys: unused.join(", ") })
}

/// Where Java keeps such a text in a set of so many slots.
fn slot(text: &str, slots: u32) -> u32 {
    let hash = text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) & (slots - 1)
}
