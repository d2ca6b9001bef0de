//! Bytes from anywhere as a policy document.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| policy::fuzzing::document(data));
