//! Pure: the language in which rules, event source mappings and pipes say which events they want.
//!
//! A text is compiled once ([`Pattern::compile`]), with AWS's faults, into branches: conditions on the leaves of an event, all of
//! which must hold. `$or` makes several branches, of which one must. [`Pattern::matches`] asks one pattern; an [`Index`] asks
//! many at once, and looks only at those that the event's own values lead to.
//!
//! What always holds:
//! - An index answers exactly what its patterns would answer one by one; `tests/naive.rs` holds both against a third, naive one.
//! - Nothing here panics or runs long on any text or event: patterns are bounded ([`Pattern::TEXT_BYTES_MAX`],
//!   [`Pattern::BRANCHES_MAX`]), and so is the work that arrays of an event can cause ([`Pattern::STEPS_MAX`]).
//!
//! Not here: where patterns are kept, who may use them, and how long a text a service allows.

mod address;
mod branch;
mod compile;
mod condition;
mod fields;
pub mod fuzzing;
mod index;
mod lexer;
mod malformed;
mod number;
mod wildcard;

pub use compile::Pattern;
pub use index::Index;
pub use malformed::{Malformed, Why};
