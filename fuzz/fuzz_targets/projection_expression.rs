//! Bytes from anywhere as a projection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::projection(data));
