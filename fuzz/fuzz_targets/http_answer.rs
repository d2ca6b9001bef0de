//! Bytes from anywhere as the answer of a function that is a web server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| compute::fuzzing::http_answer(data));
