//! Bytes from anywhere as a manifest, an index or a configuration of a container image.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oci::fuzzing::documents(data));
