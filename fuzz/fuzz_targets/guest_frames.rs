//! Bytes from a hostile guest as frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| compute::fuzzing::guest_frames(data));
