//! Bytes from anywhere as which operation a request means.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::routing(data));
