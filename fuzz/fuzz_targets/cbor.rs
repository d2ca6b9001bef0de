//! Bytes from anywhere as a CBOR body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::cbor(data));
