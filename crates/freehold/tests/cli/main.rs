//! The real binary, as a person uses it: what it prints, what it answers, how it ends.

mod applications;
mod mistakes;
mod offline;
mod support;
