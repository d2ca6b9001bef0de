//! An object that a table is imported from: how it is packed and written in the first byte, then its bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tables::fuzzing::import(data));
