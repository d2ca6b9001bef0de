//! Refusals that the caller may see. What went wrong inside is an error, and stays inside.

use std::fmt;

use serde_json::Value;

/// Whose doing a fault is, and whether trying again can help. The door turns it into a status where the model names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The input is malformed or breaks a rule.
    Invalid,
    /// Nobody knows who the caller is.
    Unauthenticated,
    /// The caller may not do this.
    Denied,
    /// What the call names is not there.
    NotFound,
    /// What the call names is in a state that does not allow this, or exists already.
    Conflict,
    /// The input is larger than the limit.
    TooLarge,
    /// Too many calls: try again later.
    Throttled,
    /// The model has this operation, and this node does not serve it.
    Unserved,
    /// The time allowed for the call is over.
    TimedOut,
    /// The node cannot take this now (shutting down, storage full): try again later.
    Unavailable,
    /// A bug or a broken disk. The message says nothing of the inside; the log does.
    Internal,
}

/// A refusal, as the wire will carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The name that clients match on: the exception's shape name, such as `ResourceNotFoundException`.
    pub code: String,
    /// For a person: what is wrong, with the value and the limit, and what to do.
    pub message: String,
    /// Whose doing it is.
    pub cause: Cause,
    /// The status that the service's model gives this exception, where it gives one.
    pub status: Option<u16>,
    /// Further members of the exception's shape, by wire name: `Type` of Lambda's exceptions, `Retry-After`, and the like.
    pub members: Vec<(&'static str, Value)>,
}

impl Fault {
    /// A fault with no further members.
    pub fn new(cause: Cause, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), cause, status: None, members: Vec::new() }
    }

    /// An operation that the service's model has, and this node does not.
    pub fn unserved(service: &str, operation: &str) -> Self {
        Self::new(
            Cause::Unserved,
            "NotImplementedException",
            format!("Freehold does not serve the operation {operation} of {service} yet."),
        )
    }

    /// Something broke inside. Whoever makes this fault has logged why.
    pub fn internal() -> Self {
        Self::new(
            Cause::Internal,
            "InternalFailure",
            "The request could not be processed because of an internal failure; the node's log tells more under this \
             request id.",
        )
    }

    /// Adds a member of the exception's shape.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self.cause {
            Cause::Throttled | Cause::TimedOut | Cause::Unavailable | Cause::Internal => true,
            Cause::Invalid
            | Cause::Unauthenticated
            | Cause::Denied
            | Cause::NotFound
            | Cause::Conflict
            | Cause::TooLarge
            | Cause::Unserved => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
