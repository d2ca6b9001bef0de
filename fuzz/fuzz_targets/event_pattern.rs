//! Bytes from anywhere as an event pattern and an event.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pattern::fuzzing::pattern(data));
