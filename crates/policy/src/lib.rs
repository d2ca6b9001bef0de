//! Pure: policies and a request give allow or deny, with the reason.
//!
//! A policy document is read once ([`Policy::parse`]), with AWS's faults, into compiled statements; nothing of its JSON is
//! looked at again. [`Policies::decide`] then weighs what the caller's identity allows against what the resource's own policy
//! allows, as AWS does: an explicit deny anywhere wins, nothing is allowed that no statement allows, and the answer
//! ([`Decision`]) carries the statement that decided and the text of AWS's refusal.
//!
//! Not here: where policies are kept (identity, and each service for its resources), who asks (dispatch), and what names
//! conditions may use (any: a key that the request does not carry is simply missing).

mod condition;
mod context;
mod decide;
mod document;
pub mod fuzzing;
mod operator;
mod parse;
mod pattern;
mod principal;

pub use context::Context;
pub use decide::{Decision, Denial, Policies, Request, ResourcePolicy, Source};
pub use document::{Effect, Kind, Policy};
pub use parse::Malformed;
pub use principal::{Caller, CallerKind};
