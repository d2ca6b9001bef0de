//! Bytes from anywhere as a layer of a container image.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    oci::fuzzing::layer(dir.path(), data);
});
