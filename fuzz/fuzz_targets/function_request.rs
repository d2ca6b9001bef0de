//! Bytes from anywhere as a request to a function's URL.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::request(data));
