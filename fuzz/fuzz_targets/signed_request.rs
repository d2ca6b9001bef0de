//! Bytes from anywhere as a signed request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signature::fuzzing::request(data));
