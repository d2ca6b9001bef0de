//! Bytes from anywhere as a form that brings a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| door::fuzzing::form(data));
