//! Stacks (CloudFormation and SAM): templates become operations, in order, by difference, and back again when one fails.
//!
//! The crate knows the engine and no service. What a resource means in operations is told by the service that it belongs to
//! ([`contract::ResourceType`], [`contract::ResourceMacro`]); the operations are called as anybody calls them ([`contract::Caller`]). Reading
//! templates and evaluating their functions is the crate `template`'s.
//!
//! Start reading at `engine.rs`; then `operation.rs` (the stages of one operation), `work.rs` (one resource), `application.rs` (what a
//! template means). `api.rs` is what the door mounts at `/_stacks`; CloudFormation's own API comes on the same engine.
//!
//! Limits: 2,000 stacks of one account and region; 500 resources of a stack with 4 MB of properties together, 8 of them in work at a time;
//! 2,000 events kept; what is made must settle within ten minutes.

pub mod api;
mod application;
mod engine;
mod error;
mod globals;
mod graph;
mod model;
mod operation;
mod plan;
mod schedule;
mod steps;
mod store;
mod work;

#[cfg(test)]
mod tests;

pub use application::Types;
pub use engine::{Applied, Deps, Description, Emptied, Engine, Wish};
pub use error::Error;
pub use model::{Event, Instance, InstanceState, OutputValue, ResourceState, Stack, Status};
pub use plan::{Action, Planned};
