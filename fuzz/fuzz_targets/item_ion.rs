//! Bytes from anywhere as a record in Ion that a table is imported from.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::item_ion(data));
