//! Why a node did not start, in words for whoever started it.

use std::io;
use std::path::PathBuf;

use crate::config::OpenToTheWorld;

/// Why a node did not start. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Open mode where others could reach it.
    #[error(transparent)]
    Open(#[from] OpenToTheWorld),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] door::BindError),
    /// The data cannot be opened: locked by another node, written by a newer one, no room.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The data was opened and cannot be read.
    #[error("the data cannot be read: {0}")]
    Read(#[from] store::Error),
    /// The root key cannot be read or made.
    #[error(transparent)]
    RootKey(#[from] identity::root_key::RootKeyError),
    /// Functions cannot run here.
    #[error(transparent)]
    Compute(#[from] compute::StartError),
    /// An application that was being changed when the node stopped cannot be gone on with.
    #[error("an unfinished change of an application cannot be read: {0}")]
    Stacks(#[from] stacks::Error),
    /// The event buses cannot be read.
    #[error("the event buses cannot be read: {0}")]
    Events(#[from] events::Error),
    /// The queues cannot be read.
    #[error("the queues cannot be read: {0}")]
    Queues(#[from] queues::Error),
    /// The tables cannot be read.
    #[error("the tables cannot be read: {0}")]
    Tables(#[from] tables::Error),
    /// The topics cannot be read.
    #[error("the topics cannot be read: {0}")]
    Topics(#[from] topics::Error),
    /// The server for mail cannot be used.
    #[error("--smtp: {0}")]
    Mail(#[from] topics::mail::WrongUrl),
    /// The bucket for blobs cannot be used.
    #[error("--blobs: {0}")]
    Bucket(#[from] crate::bucket::WrongBucket),
    /// The blobs lie elsewhere than where they are to be looked for.
    #[error("{0}")]
    BlobsElsewhere(String),
    /// A folder cannot be made.
    #[error("the folder {path} cannot be made: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
