//! The refusals of this service, word for word as AWS gives them. Each exception carries `Type: User`, as Lambda's do.

use contract::{Cause, Fault};

/// `InvalidParameterValueException`: a value that cannot be.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    user(Cause::Invalid, 400, "InvalidParameterValueException", message)
}

/// `ValidationException`: a value that the model's constraints exclude.
pub(crate) fn validation(message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(Cause::Invalid, "ValidationException", message);
    fault.status = Some(400);
    fault
}

/// `ResourceNotFoundException`.
pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    user(Cause::NotFound, 404, "ResourceNotFoundException", message)
}

/// `ResourceNotFoundException` for a function or version, by its ARN.
pub(crate) fn function_not_found(arn: impl AsRef<str>) -> Fault {
    not_found(format!("Function not found: {}", arn.as_ref()))
}

/// `ResourceNotFoundException` for policies and URL configurations.
pub(crate) fn nothing_there() -> Fault {
    not_found("The resource you requested does not exist.")
}

/// `ProvisionedConcurrencyConfigNotFoundException`.
pub(crate) fn nothing_provisioned() -> Fault {
    user(
        Cause::NotFound,
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
}

/// `InvalidParameterValueException`: what can change while it runs is not provisioned.
pub(crate) fn unpublished() -> Fault {
    invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
}

/// `ResourceConflictException`: of a version and an alias of it, one is provisioned.
pub(crate) fn version_provisioned() -> Fault {
    conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
}

/// `ResourceConflictException`.
pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    user(Cause::Conflict, 409, "ResourceConflictException", message)
}

/// `PreconditionFailedException` of everything that has a revision of its own.
pub(crate) fn revision_mismatch() -> Fault {
    user(
        Cause::Conflict,
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id",
    )
}

/// `PreconditionFailedException` of policies.
pub(crate) fn policy_revision_mismatch() -> Fault {
    user(
        Cause::Conflict,
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest \
         Revision Id",
    )
}

/// `AccessDeniedException`.
pub(crate) fn denied(message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(Cause::Denied, "AccessDeniedException", message);
    fault.status = Some(403);
    fault
}

/// A request that is larger than the operation takes.
pub(crate) fn too_large(message: impl Into<String>) -> Fault {
    user(Cause::TooLarge, 413, "RequestEntityTooLargeException", message)
}

/// `InvalidRequestContentException`: a payload that is no JSON.
pub(crate) fn bad_payload(why: impl std::fmt::Display) -> Fault {
    user(
        Cause::Invalid,
        400,
        "InvalidRequestContentException",
        format!("Could not parse request body into json: Could not parse payload into json: {why}"),
    )
}

/// `CodeStorageExceededException`.
pub(crate) fn code_storage_exceeded(limit: u64) -> Fault {
    user(
        Cause::Invalid,
        400,
        "CodeStorageExceededException",
        format!("Code storage limit exceeded. Limit: {limit} bytes."),
    )
}

/// `PolicyLengthExceededException`.
pub(crate) fn policy_too_long(bytes: usize, limit: usize) -> Fault {
    user(
        Cause::Invalid,
        400,
        "PolicyLengthExceededException",
        format!("The final policy size ({bytes}) is bigger than the limit ({limit})."),
    )
}

/// `TooManyRequestsException` with the reason that clients look at.
pub(crate) fn throttled(reason: &'static str) -> Fault {
    user(Cause::Throttled, 429, "TooManyRequestsException", "Rate Exceeded.")
        .with("Reason", reason)
        .with("Retry-After", "1")
}

/// A name that is not of AWS's form.
pub(crate) fn malformed_name(text: &str) -> Fault {
    validation(format!(
        "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: {NAME_PATTERN}"
    ))
}

/// A qualifier that is not of AWS's form.
pub(crate) fn malformed_qualifier(text: &str) -> Fault {
    validation(format!(
        "1 validation error detected: Value '{text}' at 'qualifier' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: (|[a-zA-Z0-9$_-]+)"
    ))
}

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?\
                            (\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";

/// `ServiceException`: no fault of the caller.
pub(crate) fn unavailable(message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(Cause::Unavailable, "ServiceException", message).with("Type", "Service");
    fault.status = Some(500);
    fault
}

fn user(cause: Cause, status: u16, code: &'static str, message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(cause, code, message).with("Type", "User");
    fault.status = Some(status);
    fault
}
