//! Bytes from anywhere as a WebAssembly binary.
#![no_main]

use std::sync::OnceLock;

use tempfile::TempDir;
use wasm::Engine;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static ENGINE: OnceLock<(Engine, TempDir)> = OnceLock::new();
    let (engine, _) = ENGINE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        (wasm::fuzzing::engine(dir.path()), dir)
    });
    wasm::fuzzing::prepare(engine, data);
});
