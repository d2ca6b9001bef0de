//! Bytes from anywhere as an update.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::update(data));
