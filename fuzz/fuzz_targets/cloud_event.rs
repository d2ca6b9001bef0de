//! Bytes from anywhere as a request that may be a CloudEvent.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| events::fuzzing::cloud_event(data));
