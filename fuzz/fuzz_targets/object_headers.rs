//! Bytes from anywhere as the headers that say which part of which object is meant.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| objects::fuzzing::headers(data));
