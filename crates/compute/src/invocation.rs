//! One call of a function, and what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use bytes::Bytes;

use crate::guest::http::Conversation;
use crate::image::Image;
use crate::pieces::Pieces;

/// What a caller wants done.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The id that the function sees and the log shows: a UUID.
    pub request_id: String,
    /// The event: JSON, passed through untouched.
    pub payload: Bytes,
    /// The ARN that was called, with its version or alias if the caller gave one.
    pub invoked_arn: String,
    /// The `X-Amzn-Trace-Id` header.
    pub trace: Option<String>,
    /// The client context as JSON text (already out of its base64).
    pub client_context: Option<String>,
    /// The Cognito identity as JSON text.
    pub cognito_identity: Option<String>,
    /// How long this attempt may take, counted from when an instance takes it; the image's own limit holds as well.
    pub timeout: Option<Duration>,
    /// How long to wait for an instance before [`RunFault::Throttled`].
    pub patience: Duration,
    /// Whether to hand back the end of the log.
    pub log: LogWish,
    /// What the caller counts the attempt by, dropped when it has ended: later than [`crate::Compute::run`] answers where the
    /// caller went away.
    pub held: Option<Held>,
    /// The request itself, where the caller has one and the image is an HTTP server: it is handed through instead of the payload.
    pub conversation: Option<Conversation>,
    /// Where the result goes while the function makes it, for functions that do that.
    pub pieces: Option<Pieces>,
}

impl Invocation {
    /// How long an attempt on this image may take.
    pub(crate) fn limit(&self, image: &Image) -> Duration {
        self.timeout.map_or(image.timeout, |timeout| timeout.min(image.timeout))
    }

    /// When an attempt that begins now has to be over, in milliseconds since the epoch.
    pub(crate) fn deadline_ms(&self, image: &Image, clock: &Clock) -> i64 {
        let limit_ms = i64::try_from(self.limit(image).as_millis()).unwrap_or(i64::MAX);
        clock.now_ms().saturating_add(limit_ms)
    }
}

/// Something that is kept as long as an attempt goes on, and not looked at.
pub type Held = Arc<dyn fmt::Debug + Send + Sync>;

/// Whether the end of an attempt's log is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogWish {
    /// No.
    #[default]
    None,
    /// The last 4 KB (`LogType: Tail`).
    Tail,
}

/// What the function answered.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// JSON: the result, or the error document.
    pub payload: Bytes,
    /// Set when the payload is an error document.
    pub error: Option<FunctionError>,
    /// The last 4 KB of this attempt's log, if it was wanted.
    pub log_tail: Option<Vec<u8>>,
    /// What it took.
    pub report: Report,
}

/// The value of `X-Amz-Function-Error`. AWS knows the word `Handled` as well, and says it no more: it was for errors that the runtimes of
/// long ago were handed by a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// What every runtime reports for an error, whether it was thrown, returned, told to the Runtime API or handed to a callback; and
    /// every crash, exit and time-out.
    Unhandled,
}

impl FunctionError {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unhandled => "Unhandled",
        }
    }
}

/// What an attempt took: the numbers of the REPORT line.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// From handing over the event to the answer.
    pub duration: Duration,
    /// Whole milliseconds, at least one, with the time of initialisation where this attempt paid for it.
    pub billed: Duration,
    /// How long the instance took to become ready, if this was its first attempt.
    pub init: Option<Duration>,
    /// The most memory that the instance's processes ever had, in MB, at most its limit: as the guest sees it, with the pages of its
    /// interpreter, which is there once for all instances.
    pub memory_peak_mb: u32,
    /// Whether an instance was started for this call.
    pub cold: bool,
    /// Which instance: the id at the end of the log stream's name.
    pub log_stream: String,
}

/// Why a function did not get to run at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunFault {
    /// Too much at a time: try again later.
    #[error("{reason}")]
    Throttled {
        /// Which limit.
        reason: Throttle,
    },
    /// The code was never prepared, or was swept.
    #[error("the code {code} is not on this node")]
    CodeMissing {
        /// Its hash.
        code: String,
    },
    /// No instance could be made, for no fault of the function.
    #[error("an instance could not be started: {reason}")]
    Start {
        /// For the operator.
        reason: String,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Throttle {
    /// AWS's `ReservedFunctionConcurrentInvocationLimitExceeded`.
    #[error("the function's reserved concurrency of {limit} is in use")]
    Reserved {
        /// The function's number.
        limit: u32,
    },
    /// AWS's `ConcurrentInvocationLimitExceeded`.
    #[error("{limit} invocations are in flight, which is the most for this node")]
    Concurrency {
        /// The node's number.
        limit: u32,
    },
    /// No instance became free in the caller's patience.
    #[error("no instance became free in {waited_ms} ms")]
    Patience {
        /// How long the caller waited.
        waited_ms: u64,
    },
}
