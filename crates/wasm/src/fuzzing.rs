//! What the fuzz target does with bytes from anybody: they are prepared, or refused. It is called by cargo-fuzz (`fuzz/`) and, with
//! seeded damage, by a test.

use std::path::Path;

use base::ByteSize;

use crate::{Engine, EngineOptions};

/// An engine as small as they come, with its folder below `dir`.
pub fn engine(dir: &Path) -> Engine {
    let mut options = EngineOptions::new(dir.join("compiled"));
    options.instances_max = 4;
    options.compiled_bytes_max = ByteSize::mib(16);
    Engine::new(options).expect("an engine can be made here")
}

/// Bytes as a binary: nothing panics, and what is prepared once is prepared again from what was kept.
pub fn prepare(engine: &Engine, data: &[u8]) {
    if let Ok(component) = engine.prepare(data) {
        let again = engine.prepare(data).expect("what was prepared once is prepared again");
        assert_eq!(component.kind(), again.kind(), "a binary is what it is");
    }
}
