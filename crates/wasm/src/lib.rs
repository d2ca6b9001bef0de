//! WASI-HTTP components and WASI commands, in process, on wasmtime.
//!
//! What it is: [`Engine`] compiles a binary ahead of its first call into a [`Component`]; a [`Service`] answers HTTP requests with it,
//! [`Component::run`] runs it as a command. What it is not: it knows components, requests and limits, and nothing of functions,
//! accounts, logs or stores.
//!
//! What always holds:
//! - A guest ends at its time limit, whether it computes, waits or streams, and cannot take more memory than its limit. What the host
//!   keeps on its behalf is bounded as well (`guest`).
//! - Nothing is reachable until declared: no files, no sockets, no network but the hosts that [`Network`] names.
//! - Requests and answers stream in bounded memory: a guest waits for its reader, and its writer for the guest.
//! - Two requests never share an instance, unless the component's owner says so ([`Settings::reuse_max_single`]) or it speaks WASI 0.3,
//!   which asks for that; then one after the other, or several at once where [`Settings::concurrency`] says so.
//! - Compiled code that was damaged on disk, or made by another engine or for another node, is never loaded (`cache`).
//! - An idle engine does nothing: its one thread sleeps while no guest computes (`ticker`).
//!
//! A request's way: [`Service::handle`] takes a place (`engine`), makes a store with its limits (`guest`, `memory`), and drives the guest
//! itself (`supervise`), so that a quick answer costs no task and no wake-up. Only a guest that has more to do after its first words is
//! handed to a task of its own (`single`). WASI 0.3 goes by way of `shared`.

mod body;
mod cache;
mod command;
mod component;
mod egress;
mod engine;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod inspect;
mod load;
#[doc(hidden)]
pub mod measuring;
mod memory;
mod meter;
mod network;
mod options;
mod output;
mod service;
mod settings;
mod shared;
mod single;
mod supervise;
mod ticker;

pub use body::{AnswerBody, BodyError};
pub use command::{Ran, Run};
pub use component::{Component, Kind};
pub use engine::{Allocation, Engine, EngineError};
pub use failure::{Failed, Failure, PrepareError, Whose};
pub use memory::Held;
pub use meter::{Attempt, Ended, Usage};
pub use network::{HostRule, HostRuleError, Network};
pub use options::EngineOptions;
pub use output::{Collect, Discard, Sink, SinkClosed};
pub use service::{Answer, Service};
pub use settings::{Limits, Settings};
