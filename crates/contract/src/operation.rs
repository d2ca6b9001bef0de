//! What a service can do, and how it says that it does it.

use std::fmt;
use std::future::Future;

use crate::{Arn, Call, Fault};

/// AWS's own names: the service's name in policies and ARNs, and the operation's in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId {
    /// The model's folder, such as `lambda`, `logs`, `sts`.
    pub service: &'static str,
    /// The operation, such as `CreateFunction`.
    pub name: &'static str,
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}

/// What a call may change: readers may be answered from a snapshot, and are never refused for lack of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes the store.
    Write,
    /// Runs somebody's code.
    Run,
}

/// A named thing that a service can do. `wire` generates one marker type for each that is served.
pub trait Operation: Send + Sync + 'static {
    /// Its name.
    const ID: OperationId;
    /// What it is given.
    type Input: Send + 'static;
    /// What it answers.
    type Output: Send + 'static;
}

/// A service serves an operation by implementing this for its marker type, in a file of its own (`ops/NAME.rs`).
///
/// The future is run to its end once it was started, even if the client hangs up, so that a change is never half made.
pub trait Handle<Op: Operation>: Send + Sync + 'static {
    /// What the operation may change.
    const EFFECT: Effect;

    /// The policy action, where it is not `SERVICE:NAME`.
    const ACTION: Option<&'static str> = None;

    /// Whether every caller may, whatever policies say, as AWS lets everybody ask who they are.
    const ALWAYS_ALLOWED: bool = false;

    /// The resource that the call touches, for policies and the audit line.
    fn resource(&self, call: &Call, input: &Op::Input) -> Arn;

    /// Does it. Input has passed the model's constraints already.
    fn handle(&self, call: &Call, input: Op::Input) -> impl Future<Output = Result<Op::Output, Fault>> + Send;
}
