//! Guests made from WebAssembly text, one for each thing that a guest may do, run as the node runs them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod commands;
mod http;
mod limits;
mod many;
mod outgoing;
mod prepare;
mod reuse;
mod shared;
mod support;
