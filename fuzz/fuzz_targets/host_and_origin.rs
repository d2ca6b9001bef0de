//! Bytes from anywhere as the host and origin of a request to an open node.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| door::fuzzing::guard(data));
