//! Bytes from anywhere as names of container images, and what registries say of themselves.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oci::fuzzing::words(data));
