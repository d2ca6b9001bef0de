//! Bytes from anywhere as an archive of container images.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    oci::fuzzing::image_archive(dir.path(), data);
});
