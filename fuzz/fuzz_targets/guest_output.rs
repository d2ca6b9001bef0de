//! Bytes from a hostile guest as its output.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| compute::fuzzing::guest_output(data));
