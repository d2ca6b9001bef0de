//! The refusals of this service, in AWS's words.

use contract::{Cause, Fault};
use wire::pipes::{ConflictException, NotFoundException};

/// `ValidationException`.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(Cause::Invalid, "ValidationException", message);
    fault.status = Some(400);
    fault
}

/// `NotFoundException`.
pub(crate) fn missing(name: &str) -> Fault {
    NotFoundException { message: Some(format!("Pipe {name} does not exist.")) }.into()
}

/// `ConflictException`.
pub(crate) fn exists(name: &str) -> Fault {
    let message = format!("Pipe {name} already exists.");
    ConflictException { message, resource_id: name.to_owned(), resource_type: "PIPE".to_owned() }.into()
}

/// The store's refusals, for the caller.
pub(crate) fn of_store(error: ::store::Error) -> Fault {
    if error.is_transient() {
        tracing::warn!(%error, "the store refused for the moment");
        return Fault::new(Cause::Unavailable, "InternalException", error.to_string());
    }
    tracing::error!(%error, "the store failed");
    Fault::internal()
}
