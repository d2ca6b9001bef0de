//! Functions run for real: interpreters, sandboxes, pipes. Where an interpreter is missing, its tests say so and pass.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cold;
mod crowd;
mod harness;
mod http;
mod idle;
mod images;
mod isolation;
mod javascript;
mod layers;
mod load;
mod pieces;
mod provided;
mod provisioned;
mod python;
mod reach;
mod records;
mod streams;
mod wasi;
