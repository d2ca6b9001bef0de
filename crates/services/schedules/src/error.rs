//! What goes wrong, and the faults that callers see of it.

use contract::{Cause, Fault};
use wire::scheduler as aws;

/// Why something was not done. The words that callers see are AWS's where they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such schedule.
    #[error("Schedule {0} does not exist.")]
    ScheduleMissing(String),
    /// No such group.
    #[error("Schedule group {0} does not exist.")]
    GroupMissing(String),
    /// There is a schedule of that name.
    #[error("Schedule {0} already exists.")]
    ScheduleExists(String),
    /// There is a group of that name.
    #[error("Schedule group {0} already exists.")]
    GroupExists(String),
    /// The group's schedules are being taken away.
    #[error("Schedule group {0} is being deleted.")]
    GroupDeleting(String),
    /// Something in the input cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The store did not take it; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken disk, which was logged.
    #[error("the schedule cannot be read")]
    Internal,
}

impl Error {
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as Refused;
        match error {
            Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
                tracing::warn!(%error, "the store did not take a change of a schedule");
                Self::Unavailable(error.to_string())
            }
            other => {
                tracing::error!(error = %other, "the store failed a schedule");
                Self::Internal
            }
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::ScheduleMissing(_) | Error::GroupMissing(_) => aws::ResourceNotFoundException::fault(message),
            Error::ScheduleExists(_) | Error::GroupExists(_) | Error::GroupDeleting(_) => {
                aws::ConflictException::fault(message)
            }
            Error::Invalid(_) => aws::ValidationException::fault(message),
            Error::Unavailable(_) => Self::new(Cause::Unavailable, "ServiceUnavailableException", message),
            Error::Internal => Self::internal(),
        }
    }
}
