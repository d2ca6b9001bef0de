//! The real binary, as a person uses it: what it prints, what it answers, how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod applications;
mod mistakes;
mod offline;
mod support;
mod tables;
