//! Bytes from anywhere as the JSON form of an item.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::item_json(data));
