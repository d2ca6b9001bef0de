//! The one road for every call: authorise, admit, audit, trace, time, run.
//!
//! A service puts its operations into the [`Registry`] once, at start. Whoever calls, the door for a client or a part of the
//! node for itself, goes through [`Dispatch`], in one of three ways that differ only in the form of input and output: typed
//! ([`Dispatch::call`]), as a JSON document with AWS's member names ([`Dispatch::call_document`]), or as shapes that a protocol
//! reads and writes ([`Dispatch::call_wire`]).
//!
//! What always holds, for every call:
//! - the order: hop limit, input, authorisation, admission, then the handler; a refusal changes nothing;
//! - a call that may change something, once admitted, runs to its end even if its caller hangs up or its deadline passes; one
//!   that only reads is dropped then;
//! - it leaves one audit line, one count and one measured duration, also when it was refused;
//! - a handler that panics answers `InternalFailure` and harms no other call.
//!
//! Not here: sockets and status codes (the door), what policies mean (policy), what operations do (services).

mod admission;
mod audit;
mod authority;
mod metrics;
mod registry;
mod road;

pub use admission::Limits;
pub use authority::{
    Asked, Attached, Attachments, Authority, Identity, LenientAuthority, OpenAuthority, Silence, Told,
};
pub use metrics::{Histogram, Metrics, Outcome};
pub use registry::{Known, Registry};
pub use road::{Dispatch, Parts, Within};

use std::future::Future;
use std::pin::Pin;

/// A future behind a pointer: what traits answer that are used through `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
