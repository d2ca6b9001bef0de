//! Pure: what an item of a table is, and the languages that speak of items.
//!
//! A [`Value`] is what an attribute holds, a [`Number`] DynamoDB's decimal with 38 digits, an [`Item`] attributes by name.
//! [`key`] makes bytes of a value that sort as DynamoDB sorts; [`packed`] makes bytes of a whole item, out of which a single
//! attribute can be read without the others; [`size`] counts bytes as DynamoDB's limits and capacity do; [`json`] is the form
//! that events and the command line show. [`expression`] is the language of conditions, updates and projections, and [`legacy`] makes
//! the same of the parameters that came before it.
//!
//! What always holds:
//! - A value that exists is one that DynamoDB would store: sets have a member and no two equal ones, numbers fit. Only how deep
//!   it is nested is left to [`Value::check_depth`], because that is a question about where it stands.
//! - Equal values have equal bytes, packed or as keys, whatever form they came in: sets lie sorted, maps by name, numbers
//!   without zeros at their ends. So bytes are compared, not values.
//! - Nothing here panics, waits or keeps anything. What is refused is refused in DynamoDB's own words; the caller makes a
//!   `ValidationException` of them.
//!
//! Not here: tables, their keys' names, shapes of the wire (a service turns its `AttributeValue` into a [`Value`]).

pub mod expression;
pub mod fuzzing;
pub mod ion;
pub mod json;
pub mod key;
pub mod legacy;
mod number;
pub mod packed;
pub mod partiql;
mod refusal;
mod set;
pub mod size;
mod value;

pub use number::Number;
pub use packed::{Packed, View};
pub use refusal::Refusal;
pub use set::Set;
pub use value::{Item, Kind, Value};
