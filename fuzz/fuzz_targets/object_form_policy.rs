//! Bytes from anywhere as the policy of such a form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| door::fuzzing::form_policy(data));
