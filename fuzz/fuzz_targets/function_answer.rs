//! Bytes from anywhere as a function's answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::answer(data));
