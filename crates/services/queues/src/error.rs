//! What goes wrong, and the faults that callers see of it.

use contract::{Cause, Fault};
use wire::sqs as aws;

/// Why something was not done. The words that callers see are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such queue.
    #[error("The specified queue does not exist.")]
    QueueMissing,
    /// There is one already, and it is different.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueExists(String),
    /// An attribute that queues of this kind have not.
    #[error("Unknown Attribute {0}.")]
    UnknownAttribute(String),
    /// A value that the attribute cannot have.
    #[error("{0}")]
    InvalidAttributeValue(String),
    /// A parameter that is not as it must be.
    #[error("{0}")]
    InvalidValue(String),
    /// A parameter that is not there.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(String),
    /// A character that no message can have.
    #[error("{0}")]
    InvalidContents(String),
    /// Text that is no receipt handle.
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptInvalid(String),
    /// A handle of a message that is visible again.
    #[error("")]
    NotInFlight,
    /// As many messages are received and not deleted as may be.
    #[error("{0}")]
    OverLimit(String),
    /// Too soon after the last one.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeInProgress(String),
    /// A batch of nothing.
    #[error("There should be at least one {0} in the request.")]
    EmptyBatch(&'static str),
    /// A batch of too many.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntries(usize),
    /// Two entries of one id.
    #[error("Id {0} repeated.")]
    IdRepeated(String),
    /// An id that cannot be one.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters \
         long."
    )]
    IdInvalid,
    /// A batch of too many bytes.
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {bytes} bytes.")]
    BatchTooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No such task, or no such queue of a task.
    #[error("{0}")]
    ResourceMissing(String),
    /// Not in this state.
    #[error("{0}")]
    Unsupported(String),
    /// The queue or the node cannot take it now.
    #[error("{0}")]
    Throttled(String),
    /// The store did not take it; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken disk, which was logged.
    #[error("the queue cannot be read")]
    Internal,
}

impl Error {
    /// What becomes of an error of the store: what passes by itself is said to the caller, the rest is logged.
    pub(crate) fn of_store(error: &store::Error) -> Self {
        use store::Error as Refused;
        match error {
            Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
                tracing::warn!(%error, "the store did not take a change of a queue");
                Self::Unavailable(error.to_string())
            }
            other => {
                tracing::error!(error = %other, "the store failed a queue");
                Self::Internal
            }
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::of_store(&error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault: Self = match error {
            Error::QueueMissing => aws::QueueDoesNotExist::default().into(),
            Error::QueueExists(_) => aws::QueueNameExists::default().into(),
            Error::UnknownAttribute(_) => aws::InvalidAttributeName::default().into(),
            Error::InvalidAttributeValue(_) => aws::InvalidAttributeValue::default().into(),
            Error::InvalidValue(_) => aws::InvalidParameterValueException::default().into(),
            Error::MissingParameter(_) => aws::MissingRequiredParameterException::default().into(),
            Error::InvalidContents(_) => aws::InvalidMessageContents::default().into(),
            Error::ReceiptInvalid(_) => aws::ReceiptHandleIsInvalid::default().into(),
            Error::NotInFlight => aws::MessageNotInflight::default().into(),
            Error::OverLimit(_) => aws::OverLimit::default().into(),
            Error::PurgeInProgress(_) => aws::PurgeQueueInProgress::default().into(),
            Error::EmptyBatch(_) => aws::EmptyBatchRequest::default().into(),
            Error::TooManyEntries(_) => aws::TooManyEntriesInBatchRequest::default().into(),
            Error::IdRepeated(_) => aws::BatchEntryIdsNotDistinct::default().into(),
            Error::IdInvalid => aws::InvalidBatchEntryId::default().into(),
            Error::BatchTooLong { .. } => aws::BatchRequestTooLong::default().into(),
            Error::ResourceMissing(_) => aws::ResourceNotFoundException::default().into(),
            Error::Unsupported(_) => aws::UnsupportedOperation::default().into(),
            Error::Throttled(_) => Self::new(Cause::Throttled, "RequestThrottled", ""),
            Error::Unavailable(_) => Self::new(Cause::Unavailable, "ServiceUnavailableException", ""),
            Error::Internal => return Self::internal(),
        };
        Self { message, ..fault }
    }
}
