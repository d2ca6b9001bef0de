//! Why a container image cannot be a function's code.

use crate::CodeId;

/// See the file. Each says what is wrong; [`ContainerError::is_ours`] says whether it is the node's fault.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The text names no image. AWS's words, and ours.
    #[error("Source image {source_uri} is not valid. Provide a valid source image. ({reason})")]
    NotValid {
        /// What was asked for.
        source_uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such image, or none that may be read. AWS's words, and ours.
    #[error("Source image {source_uri} does not exist. Provide a valid source image. ({reason})")]
    Missing {
        /// What was asked for.
        source_uri: String,
        /// What was found instead.
        reason: String,
    },
    /// It cannot be fetched or unpacked.
    #[error("The image {source_uri} cannot be used: {reason}.")]
    Unusable {
        /// What was asked for.
        source_uri: String,
        /// Why not.
        reason: String,
    },
    /// The disk refused, or there is no room: no fault of the image.
    #[error("The image {source_uri} could not be unpacked: {reason}.")]
    Machine {
        /// What was asked for.
        source_uri: String,
        /// What the system said.
        reason: String,
    },
    /// Images of this machine are not for everybody.
    #[error(
        "The image {source_uri} is this machine's own, and those are for whoever may read its files: in open mode, which is the loopback's, \
         they can be named. Push it to a registry that this node can reach by its name."
    )]
    OfThisMachine {
        /// What was asked for.
        source_uri: String,
    },
    /// What is at the path of a pinned image is another one now.
    #[error(
        "What is at {source_uri} is no longer the image sha256:{wanted}, which the function was made of: update its code."
    )]
    Changed {
        /// Where it was.
        source_uri: String,
        /// What it was.
        wanted: CodeId,
    },
    /// It came from a bucket, and its layers are not here any more. Whose rights it was read with is not known now.
    #[error(
        "The layers of {source_uri} are not on this machine any more: update the function's code, which fetches them again."
    )]
    Gone {
        /// Where it was.
        source_uri: String,
    },
    /// Its configuration is longer than functions' are.
    #[error("The image's entry point, command and environment have {bytes} bytes together, and there may be {limit}.")]
    Words {
        /// How many it has.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Too much lies in its root.
    #[error("The image has more than {limit} entries in its root and its /etc.")]
    Entries {
        /// How many there may be.
        limit: usize,
    },
    /// There are no namespaces.
    #[error("Container images cannot be run on this machine: their root needs namespaces, and {reason}.")]
    NoRoot {
        /// Why there are none.
        reason: String,
    },
}

impl ContainerError {
    /// What went wrong with the image `source`.
    pub(crate) fn of(source: &str, error: oci::Error) -> Self {
        use oci::Blame;
        // Names may be megabytes long in a request.
        let source_uri: String = source.chars().take(300).collect();
        let reason = error.to_string();
        match (&error, error.blame()) {
            (oci::Error::NotAReference { .. } | oci::Error::NotADigest { .. }, _) => {
                Self::NotValid { source_uri, reason }
            }
            (_, Blame::Asker) => Self::Missing { source_uri, reason },
            (_, Blame::Image | Blame::Elsewhere) => Self::Unusable { source_uri, reason },
            (_, Blame::Machine) => Self::Machine { source_uri, reason },
        }
    }

    /// The same in words about `name` in the place of `path`, where only the node knows what that is.
    pub(crate) fn about(mut self, path: &str, name: &str) -> Self {
        match &mut self {
            Self::NotValid { reason, .. }
            | Self::Missing { reason, .. }
            | Self::Unusable { reason, .. }
            | Self::Machine { reason, .. }
            | Self::NoRoot { reason } => *reason = reason.replace(path, name),
            Self::OfThisMachine { .. }
            | Self::Changed { .. }
            | Self::Gone { .. }
            | Self::Words { .. }
            | Self::Entries { .. } => {}
        }
        self
    }

    /// True if no other image would do better.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Machine { .. })
    }
}
