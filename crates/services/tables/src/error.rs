//! What goes wrong, and the faults that callers see of it.

use contract::{Cause, Fault};
use wire::dynamodb as aws;

/// Why something was not done. The words that callers see are AWS's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A parameter that is not as it must be.
    #[error("{0}")]
    Invalid(String),
    /// The same, of a key that is an empty text or empty bytes. A transaction is refused as a whole for it, where other things that are
    /// wrong with one of its actions are told as the reason why it was cancelled.
    #[error("{0}")]
    KeyEmpty(String),
    /// What the call names is not there.
    #[error("{0}")]
    Missing(String),
    /// There is one already, or it is in a state that does not allow this.
    #[error("{0}")]
    InUse(String),
    /// More than an account or a table may have.
    #[error("{0}")]
    Limit(String),
    /// More than is provisioned.
    #[error("{0}")]
    Exceeded(String),
    /// The resource has no policy.
    #[error("{0}")]
    PolicyMissing(String),
    /// The continuous backups that this needs are off.
    #[error("{0}")]
    RecoveryOff(String),
    /// The table that is to be backed up or brought back is not there.
    #[error("{0}")]
    TableMissing(String),
    /// The table that is to be backed up is being made.
    #[error("{0}")]
    TableInUse(String),
    /// There is a table of the name that a table is to be brought back under.
    #[error("{0}")]
    TableExists(String),
    /// There is no such backup.
    #[error("{0}")]
    BackupMissing(String),
    /// The backup is being made or read.
    #[error("{0}")]
    BackupInUse(String),
    /// There is no such export.
    #[error("{0}")]
    ExportMissing(String),
    /// There is no such import.
    #[error("{0}")]
    ImportMissing(String),
    /// The token was given for another import.
    #[error("{0}")]
    ImportConflict(String),
    /// The token was given for another export.
    #[error("{0}")]
    ExportConflict(String),
    /// The table cannot be exported as it was at that moment.
    #[error("{0}")]
    ExportTime(String),
    /// The table cannot be brought back to that moment.
    #[error("{0}")]
    RestoreTime(String),
    /// The node stops; what was begun goes on when it starts.
    #[error("the node is stopping")]
    Stopping,
    /// Whether changes are kept cannot be changed just now.
    #[error("{0}")]
    BackupsUnavailable(String),
    /// The store did not take it; trying again may help. So it is too with a single write that others were faster than each time: clients
    /// try that again by themselves, as they do not with the `TransactionConflictException` that DynamoDB has for it. A transaction is
    /// cancelled with the reason `TransactionConflict`, for which callers are prepared.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken disk, which was logged.
    #[error("the table cannot be read")]
    Internal,
    /// A refusal with members of its own, in the words that it has.
    #[error("{0}")]
    Refused(Box<Fault>),
}

impl Error {
    /// What an operation on items says of a table that is not there.
    pub(crate) fn no_table() -> Self {
        Self::Missing("Requested resource not found".to_owned())
    }

    /// What an operation on tables says of one that is not there.
    pub(crate) fn table_missing(name: &str) -> Self {
        Self::Missing(format!("Requested resource not found: Table: {name} not found"))
    }

    /// A parameter that is not as it must be, in the words that most of them have.
    pub(crate) fn parameters(why: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("One or more parameter values were invalid: {why}"))
    }

    /// What becomes of an error of the store: what passes by itself is said to the caller, the rest is logged.
    pub(crate) fn of_store(error: &store::Error) -> Self {
        use store::Error as Refused;
        match error {
            Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
                tracing::warn!(%error, "the store did not take a change of a table");
                Self::Unavailable(error.to_string())
            }
            // Of what callers may ask for, only transactions come to this: of a hundred long items, with many indexes.
            Refused::TransactionTooLarge { limit, .. } => Self::Invalid(format!(
                "The items of the transaction, with their entries in indexes, records in streams and earlier versions, exceed {limit} bytes"
            )),
            // Items are stored in pieces. What is not is a table's description, with its tags and the policies of it and of its streams.
            Refused::ValueTooLong { bytes, limit } => Self::Limit(format!(
                "Subscriber limit exceeded: The table's settings, tags and the policies of it and of its streams take {bytes} bytes together, \
                 which is more than {limit}"
            )),
            other => {
                tracing::error!(error = %other, "the store failed a table");
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

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(Box::new(fault))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault: Self = match error {
            Error::Invalid(_) | Error::KeyEmpty(_) => aws::ValidationException::default().into(),
            Error::Missing(_) => aws::ResourceNotFoundException::default().into(),
            Error::InUse(_) => aws::ResourceInUseException::default().into(),
            Error::Limit(_) => aws::LimitExceededException::default().into(),
            Error::Exceeded(_) => aws::ProvisionedThroughputExceededException::default().into(),
            Error::PolicyMissing(_) => aws::PolicyNotFoundException::default().into(),
            Error::RecoveryOff(_) => aws::PointInTimeRecoveryUnavailableException::default().into(),
            Error::TableMissing(_) => aws::TableNotFoundException::default().into(),
            Error::TableInUse(_) => aws::TableInUseException::default().into(),
            Error::TableExists(_) => aws::TableAlreadyExistsException::default().into(),
            Error::BackupMissing(_) => aws::BackupNotFoundException::default().into(),
            Error::BackupInUse(_) => aws::BackupInUseException::default().into(),
            Error::ExportMissing(_) => aws::ExportNotFoundException::default().into(),
            Error::ExportConflict(_) => aws::ExportConflictException::default().into(),
            Error::ImportMissing(_) => aws::ImportNotFoundException::default().into(),
            Error::ImportConflict(_) => aws::ImportConflictException::default().into(),
            Error::ExportTime(_) => aws::InvalidExportTimeException::default().into(),
            Error::RestoreTime(_) => aws::InvalidRestoreTimeException::default().into(),
            Error::BackupsUnavailable(_) => aws::ContinuousBackupsUnavailableException::default().into(),
            Error::Unavailable(_) | Error::Stopping => Self::new(Cause::Unavailable, "InternalServerError", ""),
            Error::Internal => return Self::internal(),
            Error::Refused(fault) => return *fault,
        };
        Self { message, ..fault }
    }
}
