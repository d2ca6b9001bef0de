//! What goes wrong, and the faults that callers see of it, in S3's words.

use contract::{Cause, Fault};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The caller is told.
    #[error("{0}")]
    Refused(Box<Fault>),
    /// The store did not take it; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// There is no room, and trying again does not make any.
    #[error("{0}")]
    Full(String),
    /// A bug or a broken disk, which was logged.
    #[error("the objects cannot be read")]
    Internal,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(Box::new(fault))
    }
}

impl From<store::Error> for Error {
    /// What passes by itself is said to the caller, what the body's source said too; the rest is logged.
    fn from(error: store::Error) -> Self {
        use store::Error as Why;
        match &error {
            Why::BlobSource(source) => match source.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
                Some(fault) => fault.clone().into(),
                None => incomplete_body().into(),
            },
            Why::DiskFull { .. } => {
                tracing::warn!(%error, "the disk is full");
                Self::Full(error.to_string())
            }
            Why::Contended { .. } | Why::Busy { .. } | Why::Closed => {
                tracing::warn!(%error, "the store did not take a change of an object");
                Self::Unavailable(error.to_string())
            }
            other => {
                tracing::error!(error = %other, "the store failed an object");
                Self::Internal
            }
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(fault) => *fault,
            Error::Unavailable(why) => {
                let message = format!("Please reduce your request rate: {why}");
                Self { status: Some(503), ..Self::new(Cause::Unavailable, "SlowDown", message) }
            }
            // S3 has no words for it, and it is no request rate: SDKs would try again for long.
            Error::Full(why) => Self { status: Some(507), ..Self::new(Cause::Unavailable, "InsufficientStorage", why) },
            Error::Internal => {
                let message = "We encountered an internal error. Please try again.";
                Self { status: Some(500), ..Self::new(Cause::Internal, "InternalError", message) }
            }
        }
    }
}

fn fault(status: u16, code: &str, message: impl Into<String>) -> Fault {
    let cause = match status {
        403 => Cause::Denied,
        404 => Cause::NotFound,
        409 | 412 => Cause::Conflict,
        501 => Cause::Unserved,
        _ => Cause::Invalid,
    };
    Fault { status: Some(status), ..Fault::new(cause, code, message) }
}

pub(crate) fn no_such_bucket(bucket: &str) -> Fault {
    fault(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
}

pub(crate) fn no_such_key(key: &str) -> Fault {
    fault(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

pub(crate) fn no_such_version(key: &str, version: &str) -> Fault {
    fault(404, "NoSuchVersion", "The specified version does not exist.").with("Key", key).with("VersionId", version)
}

pub(crate) fn no_such_upload(upload: &str) -> Fault {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
                   completed.";
    fault(404, "NoSuchUpload", message).with("UploadId", upload)
}

pub(crate) fn invalid_argument(message: impl Into<String>, name: &str, value: &str) -> Fault {
    fault(400, "InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
}

pub(crate) fn invalid_request(message: impl Into<String>) -> Fault {
    fault(400, "InvalidRequest", message)
}

pub(crate) fn malformed_xml() -> Fault {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    fault(400, "MalformedXML", message)
}

pub(crate) fn precondition_failed(condition: &str) -> Fault {
    fault(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

pub(crate) fn not_modified(etag: &str) -> Fault {
    fault(304, "NotModified", "Not Modified").with("etag", format!("\"{etag}\""))
}

pub(crate) fn access_denied() -> Fault {
    fault(403, "AccessDenied", "Access Denied")
}

pub(crate) fn incomplete_body() -> Fault {
    fault(400, "IncompleteBody", "The request body terminated unexpectedly")
}

pub(crate) fn bad_digest(what: &str) -> Fault {
    fault(400, "BadDigest", format!("The {what} you specified did not match what we received."))
}

/// Any other.
pub(crate) fn refused(status: u16, code: &str, message: impl Into<String>) -> Fault {
    fault(status, code, message)
}
