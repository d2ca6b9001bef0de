//! What goes wrong, and the faults that callers see of it.

use contract::{Cause, Fault};
use wire::sns as aws;

/// Why something was not done. The words that callers see are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A parameter that is not as it must be; AWS says `Invalid parameter` before it.
    #[error("Invalid parameter: {0}")]
    Invalid(String),
    /// A value that is not as it must be.
    #[error("{0}")]
    InvalidValue(String),
    /// No such topic.
    #[error("Topic does not exist")]
    TopicMissing,
    /// No such subscription.
    #[error("Subscription does not exist")]
    SubscriptionMissing,
    /// No such platform application.
    #[error("PlatformApplication does not exist")]
    ApplicationMissing,
    /// No such endpoint of a platform application.
    #[error("Endpoint does not exist")]
    EndpointMissing,
    /// Nothing that can have tags.
    #[error("Resource does not exist")]
    ResourceMissing,
    /// A phone number that was not added to the sandbox.
    #[error("The phone number does not exist in the sandbox")]
    PhoneMissing,
    /// More topics than there may be.
    #[error("Topics are limited to {0} for each account and region")]
    TopicLimit(usize),
    /// More subscriptions than there may be.
    #[error("Subscriptions are limited to {0} for each topic")]
    SubscriptionLimit(usize),
    /// More filter policies than there may be.
    #[error("Filter policies are limited to {0} for each topic")]
    FilterLimit(usize),
    /// More tags than there may be.
    #[error("Could not complete request: tag quota of per resource exceeded")]
    TagLimit,
    /// The endpoint is disabled.
    #[error("Endpoint is disabled")]
    EndpointDisabled,
    /// The platform application is disabled.
    #[error("Platform application is disabled")]
    ApplicationDisabled,
    /// A one-time password that is wrong.
    #[error("The one-time password does not match the one that was sent")]
    PasswordWrong,
    /// A batch of nothing.
    #[error("The batch request doesn't contain any entries.")]
    EmptyBatch,
    /// A batch of too many.
    #[error("The batch request contains more entries than permissible.")]
    TooManyEntries,
    /// Two entries of one id.
    #[error("Two or more batch entries in the request have the same Id.")]
    IdRepeated,
    /// An id that cannot be one.
    #[error("The Id of a batch entry in a batch request doesn't abide by the specification.")]
    IdInvalid,
    /// A batch of too many bytes.
    #[error("The length of all the messages put together is more than the limit.")]
    BatchTooLong,
    /// The caller may not do this.
    #[error("{0}")]
    NotAuthorized(String),
    /// The node cannot take it now; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken disk, which was logged.
    #[error("the topic cannot be read")]
    Internal,
}

impl Error {
    /// `Invalid parameter: NAME Reason: WHY`.
    pub(crate) fn because(name: &str, why: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{name} Reason: {why}"))
    }

    /// What becomes of an error of the store: what passes by itself is said to the caller, the rest is logged.
    pub(crate) fn of_store(error: &store::Error) -> Self {
        use store::Error as Refused;
        match error {
            Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
                tracing::warn!(%error, "the store did not take a change of a topic");
                Self::Unavailable(error.to_string())
            }
            other => {
                tracing::error!(error = %other, "the store failed a topic");
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
            Error::Invalid(_) => aws::InvalidParameterException::default().into(),
            Error::InvalidValue(_) => aws::InvalidParameterValueException::default().into(),
            Error::TopicMissing | Error::SubscriptionMissing | Error::ApplicationMissing | Error::EndpointMissing => {
                aws::NotFoundException::default().into()
            }
            Error::ResourceMissing | Error::PhoneMissing => aws::ResourceNotFoundException::default().into(),
            Error::TopicLimit(_) => aws::TopicLimitExceededException::default().into(),
            Error::SubscriptionLimit(_) => aws::SubscriptionLimitExceededException::default().into(),
            Error::FilterLimit(_) => aws::FilterPolicyLimitExceededException::default().into(),
            Error::TagLimit => aws::TagLimitExceededException::default().into(),
            Error::EndpointDisabled => aws::EndpointDisabledException::default().into(),
            Error::ApplicationDisabled => aws::PlatformApplicationDisabledException::default().into(),
            Error::PasswordWrong => aws::VerificationException::default().into(),
            Error::EmptyBatch => aws::EmptyBatchRequestException::default().into(),
            Error::TooManyEntries => aws::TooManyEntriesInBatchRequestException::default().into(),
            Error::IdRepeated => aws::BatchEntryIdsNotDistinctException::default().into(),
            Error::IdInvalid => aws::InvalidBatchEntryIdException::default().into(),
            Error::BatchTooLong => aws::BatchRequestTooLongException::default().into(),
            Error::NotAuthorized(_) => aws::AuthorizationErrorException::default().into(),
            Error::Unavailable(_) => Self::new(Cause::Unavailable, "ServiceUnavailable", ""),
            Error::Internal => return Self::internal(),
        };
        Self { message, ..fault }
    }
}
