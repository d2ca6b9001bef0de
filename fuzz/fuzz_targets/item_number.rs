//! Bytes from anywhere as a number of DynamoDB's.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::number(data));
