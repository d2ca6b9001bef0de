//! Bytes from anywhere as a JSON body under X-Amz-Target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::aws_json(data));
