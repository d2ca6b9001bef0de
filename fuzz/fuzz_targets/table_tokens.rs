//! Bytes from anywhere as what callers of tables hand back: iterators, keys where pages ended, tokens, ARNs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tables::fuzzing::handed_back(data));
