//! Compiled code into memory: the one place of this crate with `unsafe`, because compiled code is machine code that will be run.
#![expect(unsafe_code, reason = "the runtime cannot check machine code; the seal on it can, see each block")]

use wasmtime::{Engine, Module, component::Component};

use crate::cache::Sealed;

/// Loads a component.
pub(crate) fn component(engine: &Engine, sealed: &Sealed) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` wants bytes that `serialize` of a compatible engine gave and nobody changed. A `Sealed` exists only for
    // bytes whose MAC was right, under a key that only the cache has; the cache seals what the compiler gave, together with the mark
    // of the engine that made it. The bytes are in our memory and not a file's, so that nobody can change them after the check.
    unsafe { Component::deserialize(engine, sealed.code()) }
}

/// Loads a module.
pub(crate) fn module(engine: &Engine, sealed: &Sealed) -> wasmtime::Result<Module> {
    // SAFETY: as above.
    unsafe { Module::deserialize(engine, sealed.code()) }
}
