//! Why something is no value, in DynamoDB's own words.
//!
//! DynamoDB puts `1 validation error detected: ` before them in PutItem, UpdateItem and DeleteItem, and nothing elsewhere; that is
//! the operation's to know. Its batch writes and transactions still have older words in some regions; these are the newer ones.

use crate::Number;
use crate::value::Value;

/// Why something is no value. All of them are `ValidationException`s, but for [`Refusal::Json`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No type is named.
    #[error("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")]
    NoType,
    /// More than one type is named.
    #[error(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    )]
    ManyTypes,
    /// A text that is no number.
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NumberSyntax(String),
    /// Above the largest number.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    NumberOverflow,
    /// Nearer to zero than the smallest number.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    NumberUnderflow,
    /// More digits than [`Number::DIGITS_MAX`].
    #[error("Attempting to store more than {} significant digits in a Number", Number::DIGITS_MAX)]
    NumberDigits,
    /// `NULL` that is not true.
    #[error("One or more parameter values were invalid: Null attribute value types must have the value of true")]
    NullFalse,
    /// A set of texts without members.
    #[error("One or more parameter values were invalid: An string set  may not be empty")]
    TextSetEmpty,
    /// A set of numbers without members.
    #[error("One or more parameter values were invalid: An number set  may not be empty")]
    NumberSetEmpty,
    /// A set of bytes without members.
    #[error("One or more parameter values were invalid: Binary sets should not be empty")]
    BytesSetEmpty,
    /// A set of texts with two equal ones; holds all of them.
    #[error("One or more parameter values were invalid: Input collection {0} contains duplicates.")]
    TextSetTwice(String),
    /// A set of numbers with two equal ones.
    #[error("One or more parameter values were invalid: Input collection contains duplicates.")]
    NumberSetTwice,
    /// A set of bytes with two equal ones; holds all of them.
    #[error("One or more parameter values were invalid: Input collection {0}of type BS contains duplicates.")]
    BytesSetTwice(String),
    /// Nested deeper than [`Value::DEPTH_MAX`].
    #[error(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
    )]
    TooDeep,
    /// JSON that is not the form of a value.
    #[error("{found} can not be converted to {wanted}")]
    Json {
        /// What was there.
        found: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
}

// The limit lies at the value; this only holds the two together for the reader of the message above.
const _: () = assert!(Value::DEPTH_MAX == 32);
