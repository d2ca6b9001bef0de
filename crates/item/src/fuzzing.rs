//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use crate::{Number, Packed, json, key, packed};

/// Bytes as a packed item: reading must not panic, and what can be read must come out the same again.
pub fn packed(data: &[u8]) {
    let Ok(read) = Packed::new(data) else { return };
    let _ = read.get("a");
    let Ok(item) = read.unpack() else { return };
    let again = packed::pack(&item);
    let read = Packed::new(&again).and_then(|packed| packed.unpack());
    assert_eq!(read.as_ref(), Ok(&item));
}

/// Text as a number: what is printed reads as the same number, and its key is its own.
pub fn number(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(number) = text.parse::<Number>() else { return };
    assert_eq!(number.to_string().parse(), Ok(number));
    assert_eq!(key::decode_number(&key::encode_number(number)), Some(number));
}

/// Text as the JSON form of an item: what can be read is written as what reads the same.
pub fn item_json(data: &[u8]) {
    let Ok(document) = serde_json::from_slice(data) else { return };
    let Ok(item) = json::read_item(&document) else { return };
    assert_eq!(json::read_item(&json::write_item(&item)).as_ref(), Ok(&item));
}
