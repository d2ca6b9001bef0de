//! Bytes from anywhere as a packed item.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::packed(data));
