//! Bytes from anywhere as HTTP bindings with an XML body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::rest_xml(data));
