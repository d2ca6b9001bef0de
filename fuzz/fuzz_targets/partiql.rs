//! Bytes from anywhere as a PartiQL statement.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| item::fuzzing::statement(data));
