//! A filter policy in the first line, a message in the second.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topics::fuzzing::filter_policy(data));
