//! Bytes from anywhere as HTTP bindings with a JSON body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::rest_json(data));
