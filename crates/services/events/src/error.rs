//! What goes wrong, and the faults that callers see of it.

use contract::{Cause, Fault};
use wire::events as aws;

/// Why something was not done. The words that callers see are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What is named is not there.
    #[error("{0}")]
    Missing(String),
    /// It is there already.
    #[error("{0}")]
    Exists(String),
    /// A parameter that is not as it must be.
    #[error("{0}")]
    Invalid(String),
    /// A text that is no pattern.
    #[error("Event pattern is not valid. Reason: {0}")]
    Pattern(String),
    /// Not in this state.
    #[error("{0}")]
    Status(String),
    /// There are as many as may be.
    #[error("The requested resource exceeds the maximum number allowed.")]
    Limit,
    /// A policy that is too long.
    #[error("The resource policy is too long: it may have {max} bytes")]
    PolicyTooLong {
        /// The longest.
        max: usize,
    },
    /// The store did not take it; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken disk, which was logged.
    #[error("the events cannot be read")]
    Internal,
}

impl Error {
    /// Something that is not as it must be, in words.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as Refused;
        match &error {
            Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
                tracing::warn!(%error, "the store did not take a change of a bus");
                Self::Unavailable(error.to_string())
            }
            other => {
                tracing::error!(error = %other, "the store failed a bus");
                Self::Internal
            }
        }
    }
}

impl From<pattern::Malformed> for Error {
    fn from(malformed: pattern::Malformed) -> Self {
        Self::Pattern(malformed.to_string())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault: Self = match error {
            Error::Missing(_) => aws::ResourceNotFoundException::default().into(),
            Error::Exists(_) => aws::ResourceAlreadyExistsException::default().into(),
            Error::Invalid(_) => Self::new(Cause::Invalid, "ValidationException", ""),
            Error::Pattern(_) => aws::InvalidEventPatternException::default().into(),
            Error::Status(_) => aws::IllegalStatusException::default().into(),
            Error::Limit => aws::LimitExceededException::default().into(),
            Error::PolicyTooLong { .. } => aws::PolicyLengthExceededException::default().into(),
            Error::Unavailable(_) => Self::new(Cause::Unavailable, "ServiceUnavailableException", ""),
            Error::Internal => return Self::internal(),
        };
        Self { message, ..fault }
    }
}
