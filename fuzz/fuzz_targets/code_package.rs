//! Bytes from anywhere as a code package.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    compute::fuzzing::code_package(dir.path(), data);
});
