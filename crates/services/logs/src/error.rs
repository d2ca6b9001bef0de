//! What goes wrong, and the faults that callers see of it.

use contract::Fault;
use wire::logs::{
    InvalidParameterException, ResourceAlreadyExistsException, ResourceNotFoundException, ServiceUnavailableException,
    TooManyTagsException, ValidationException,
};

use crate::chunk::ChunkError;
use crate::model::BatchError;
use crate::pattern::PatternError;

/// Why something was not done. The words that callers see are AWS's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such group.
    #[error("The specified log group does not exist.")]
    GroupMissing,
    /// No such stream.
    #[error("The specified log stream does not exist.")]
    StreamMissing,
    /// There is one already.
    #[error("The specified log group already exists")]
    GroupExists,
    /// There is one already.
    #[error("The specified log stream already exists")]
    StreamExists,
    /// The ARN names nothing of ours.
    #[error("The specified resource does not exist.")]
    ResourceMissing,
    /// The group is protected from being deleted.
    #[error("Log group {0} cannot be deleted because deletion protection is enabled.")]
    Protected(String),
    /// An argument breaks a rule that the model does not say.
    #[error("{0}")]
    Invalid(String),
    /// The same, where AWS answers with the other exception.
    #[error("{0}")]
    InvalidNames(&'static str),
    /// A batch that is not taken.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A text that is no filter pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// More tags than a group may have.
    #[error("A resource can have at most {limit} tags.")]
    TooManyTags {
        /// The limit.
        limit: usize,
        /// The group.
        resource: String,
    },
    /// The service was closed: the node is stopping.
    #[error("The log service is stopping.")]
    Closed,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What the store holds cannot be read.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

impl Error {
    /// The same for operations that know groups as resources.
    pub(crate) fn of_resource(self) -> Self {
        match self {
            Self::GroupMissing => Self::ResourceMissing,
            other => other,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault: Self = match error {
            Error::GroupMissing | Error::StreamMissing | Error::ResourceMissing => ResourceNotFoundException {}.into(),
            Error::GroupExists | Error::StreamExists => ResourceAlreadyExistsException {}.into(),
            Error::Invalid(_) | Error::Batch(_) | Error::Pattern(_) => InvalidParameterException {}.into(),
            Error::InvalidNames(_) | Error::Protected(_) => ValidationException {}.into(),
            Error::TooManyTags { resource, .. } => {
                TooManyTagsException { message: None, resource_name: Some(resource) }.into()
            }
            Error::Closed => ServiceUnavailableException {}.into(),
            Error::Store(error) => return store_fault(&error),
            Error::Chunk(error) => {
                tracing::error!(%error, "a log chunk cannot be read");
                return Self::internal();
            }
        };
        Self { message, ..fault }
    }
}

/// What passes by itself is worth another try; the rest is said in the node's log only.
fn store_fault(error: &store::Error) -> Fault {
    use store::Error as Refused;
    match error {
        Refused::Contended { .. } | Refused::Busy { .. } | Refused::DiskFull { .. } | Refused::Closed => {
            tracing::warn!(%error, "the store did not take a change of the logs");
            Fault { message: error.to_string(), ..ServiceUnavailableException {}.into() }
        }
        other => {
            tracing::error!(error = %other, "the store failed the logs");
            Fault::internal()
        }
    }
}
