//! DynamoDB's expressions: what is to hold, what is wanted, what is to become of an item.
//!
//! A text is read once into a form that knows no request ([`ParsedCondition`], [`ParsedUpdate`], [`ParsedProjection`]) and may be
//! kept by its text. A request's [`Placeholders`] bind it to names and values: [`Condition`], [`Update`], [`Projection`], which are
//! cheap to clone and need nothing else. A key condition is a condition first, and then taken apart: [`KeyTests`].
//!
//! What always holds:
//! - Faults come in DynamoDB's order: syntax; what the text alone shows, from left to right; then names, values and types.
//! - A condition is asked of packed items, and reads no more of them than it compares. It allocates nothing.
//! - Texts are bounded ([`TEXT_BYTES_MAX`], [`OPERATORS_MAX`]), and so are the depth of what is read and the work of asking it.

mod bind;
mod condition;
mod evaluate;
mod fault;
mod key_condition;
mod lexer;
mod parser;
mod placeholders;
mod projection;
mod reserved;
pub(crate) mod syntax;
mod update;

pub use condition::KeyNames;
pub use condition::{Condition, ParsedCondition};
pub use fault::{Clause, Invalid, KeyFault, LegacyFault, Why};
pub use key_condition::{KeyCondition, KeySchema, KeyTest, KeyTests};
pub use placeholders::Placeholders;
pub use projection::{ParsedProjection, Projection};
pub use update::{ParsedUpdate, Update};

pub(crate) use update::Dialect;

/// The longest text of an expression.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The most operators and functions in one.
pub const OPERATORS_MAX: usize = 300;
/// The most values that `IN` looks among.
pub const IN_OPERANDS_MAX: usize = 100;
/// The longest placeholder, with its mark.
pub const PLACEHOLDER_BYTES_MAX: usize = 255;
/// The most bytes of values that one request brings along.
pub const VALUES_BYTES_MAX: usize = 2 * 1024 * 1024;
