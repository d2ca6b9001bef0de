//! Bytes from anywhere as a condition, a filter or a key condition.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::condition(data));
