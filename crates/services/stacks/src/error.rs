//! Why an operation on a stack did not do what was asked.

use contract::{Cause, Fault, PropertyFault};

/// Why an operation on a stack did not do what was asked. Unless the variant says otherwise, nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The template, or a value for one of its parameters.
    #[error("{0}")]
    Template(#[from] template::Error),
    /// A resource's properties.
    #[error("Properties validation failed for resource {resource} with message: {}{}", described(.fault), in_line(.line))]
    Properties {
        /// The logical id.
        resource: String,
        /// What is wrong.
        fault: PropertyFault,
        /// The resource's line in the template, where it is known.
        line: Option<u32>,
    },
    /// Types of resources that there are not.
    #[error("Template format error: Unrecognized resource types: [{}]{}. {advice}", .kinds.join(", "), in_line(.line))]
    Types {
        /// Their names.
        kinds: Vec<String>,
        /// The first resource of such a type.
        resource: String,
        /// Its line, where it is known.
        line: Option<u32>,
        /// What to do.
        advice: String,
    },
    /// A stack cannot have this name.
    #[error(
        "1 validation error detected: Value '{0}' at 'stackName' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [a-zA-Z][-a-zA-Z0-9]*, and have at most 128 characters"
    )]
    Name(String),
    /// No stack has this name.
    #[error("Stack with id {0} does not exist")]
    Missing(String),
    /// The stack is busy, or in a state that allows nothing but to delete it.
    #[error("Stack:{id} is in {status} state and can not be {action}.")]
    State {
        /// The stack's id.
        id: String,
        /// Its state.
        status: &'static str,
        /// `updated` or `deleted`.
        action: &'static str,
    },
    /// A resource of the same name has another type now.
    #[error(
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
        .0.join(", ")
    )]
    TypeChanged(Vec<String>),
    /// Another stack exports a value under this name.
    #[error("Export with name {name} is already exported by stack {stack}.")]
    ExportTaken {
        /// The export.
        name: String,
        /// Who has it.
        stack: String,
    },
    /// Another stack imports this value, so it must stay as it is.
    #[error("Export {name} cannot be {action} as it is in use by {}", .stacks.join(", "))]
    ExportUsed {
        /// The export.
        name: String,
        /// `updated` or `deleted`.
        action: &'static str,
        /// By whom.
        stacks: Vec<String>,
    },
    /// Too many stacks or too long a history.
    #[error("Limit for stack has been exceeded: {0} stacks are the most of one account and region")]
    TooMany(usize),
    /// A resource could not be made, changed or deleted; the stack was taken back to where it was, as `status` tells.
    #[error("{id} ended as {status}: {reason}")]
    Failed {
        /// The stack's id.
        id: String,
        /// Where it ended.
        status: &'static str,
        /// What went wrong first.
        reason: String,
    },
    /// The node stops, or another one has taken over; the operation goes on there, or at the next start.
    #[error("the node stops; the operation on {0} goes on when it is started again")]
    Interrupted(String),
    /// The body of a call to the door's `/_stacks` is not what it should be.
    #[error("{0}")]
    Body(String),
    /// The store.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
}

impl Error {
    /// The resource that the template must be changed at, and the path of its member that is meant: whoever sent the template without
    /// its lines finds them by these.
    pub(crate) fn place(&self) -> Option<(&str, String)> {
        match self {
            Self::Properties { resource, fault, line: None } => {
                Some((resource, format!("Properties.{}", fault.path).trim_end_matches('.').to_owned()))
            }
            Self::Types { resource, line: None, .. } => Some((resource, "Type".to_owned())),
            Self::Properties { line: Some(_), .. }
            | Self::Types { line: Some(_), .. }
            | Self::Template(_)
            | Self::Name(_)
            | Self::Missing(_)
            | Self::State { .. }
            | Self::TypeChanged(_)
            | Self::ExportTaken { .. }
            | Self::ExportUsed { .. }
            | Self::TooMany(_)
            | Self::Failed { .. }
            | Self::Interrupted(_)
            | Self::Body(_)
            | Self::Store(_) => None,
        }
    }
}

fn described(fault: &PropertyFault) -> String {
    match fault.path.as_str() {
        "" => fault.message.clone(),
        path => format!("{path}: {}", fault.message),
    }
}

fn in_line(line: &Option<u32>) -> String {
    line.map_or_else(String::new, |line| format!(" (line {line})"))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (cause, code) = match error {
            Error::Template(_)
            | Error::Properties { .. }
            | Error::Types { .. }
            | Error::Name(_)
            | Error::TypeChanged(_)
            | Error::ExportTaken { .. }
            | Error::ExportUsed { .. }
            | Error::Body(_) => (Cause::Invalid, "ValidationError"),
            Error::Missing(_) => (Cause::NotFound, "ValidationError"),
            Error::State { .. } => (Cause::Conflict, "ValidationError"),
            Error::TooMany(_) => (Cause::Conflict, "LimitExceededException"),
            Error::Failed { .. } => (Cause::Conflict, "StackOperationFailed"),
            Error::Interrupted(_) => (Cause::Unavailable, "ServiceUnavailable"),
            Error::Store(error) if error.is_transient() => (Cause::Unavailable, "ServiceUnavailable"),
            Error::Store(error) => {
                tracing::error!(%error, "the store failed");
                return Self::internal();
            }
        };
        Self::new(cause, code, message)
    }
}
