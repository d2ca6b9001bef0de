//! Bytes from anywhere as a body of type `aws-chunked`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| door::fuzzing::chunked(data));
