//! How large DynamoDB takes an item to be: what its limits and its capacity count.
//!
//! Text and names count their bytes of UTF-8, a number about one byte for two digits, lists and maps three bytes and one for each
//! value in them. Measured on DynamoDB to the byte by others: its own documents are not exact.

use crate::{Item, Number, Value};

/// The largest item, names and values together.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;

/// The longest name of an attribute.
pub const NAME_BYTES_MAX: usize = 65_535;

/// The size of an item: of its names and values.
pub fn item(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + self::value(value)).sum()
}

/// The size of a value without its name.
pub fn value(value: &Value) -> usize {
    match value {
        Value::S(text) => text.len(),
        Value::N(number) => self::number(*number),
        Value::B(bytes) => bytes.len(),
        Value::Bool(_) | Value::Null => 1,
        Value::M(entries) => 3 + entries.len() + item(entries),
        Value::L(items) => 3 + items.iter().map(|item| 1 + self::value(item)).sum::<usize>(),
        Value::Ss(members) => members.iter().map(String::len).sum(),
        Value::Ns(members) => members.iter().copied().map(number).sum(),
        Value::Bs(members) => members.iter().map(bytes::Bytes::len).sum(),
    }
}

/// The size of a number: a byte for every two digits before the point, for every two behind it, and for being below zero, and one
/// more. Zeros at the ends do not count.
pub fn number(number: Number) -> usize {
    if number.is_zero() {
        return 1;
    }
    let digits = number.digits();
    // The digits that stand before the point.
    let before = u32::try_from(number.power() + 1).unwrap_or(0).min(digits);
    1 + before.div_ceil(2) as usize + (digits - before).div_ceil(2) as usize + usize::from(number.is_negative())
}
