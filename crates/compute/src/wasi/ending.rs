//! How a guest's attempt ended, in the words of its caller and its log.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use wasm::Failure;

use crate::faults::{self, Ending};
use crate::invocation::{RunFault, Throttle};
use crate::platform::{Death, Status};

/// What the node's own trouble is called in a report.
const UNAVAILABLE: &str = "Platform.Unavailable";

/// What came of an attempt.
pub(super) enum Came {
    /// A result.
    Result(Bytes),
    /// An error that the guest told itself: a document.
    Error(Bytes),
    /// An end that other functions have as well.
    Ended(Ending),
    /// The guest failed.
    Failed { kind: &'static str, message: String, backtrace: String },
    /// No fault of the guest's.
    Fault(RunFault),
}

impl Came {
    /// The package has nothing that can be run.
    pub(super) fn unusable(reason: &str) -> Self {
        Self::Failed { kind: "Runtime.InvalidEntrypoint", message: reason.to_owned(), backtrace: String::new() }
    }

    /// The guest's answer is none: it is told before the answer proper.
    pub(super) fn unanswered(status: StatusCode) -> Self {
        let message = format!("it answered with status {}, which is no answer", status.as_u16());
        Self::Failed { kind: "Runtime.NoAnswer", message, backtrace: String::new() }
    }

    /// What a failure means to whoever called. `limit` is the time that the attempt had, `last_words` what the guest printed last to its
    /// standard error.
    pub(super) fn of_failure(failure: Failure, limit: Duration, last_words: &str) -> Self {
        let trapped = |kind, message: String, backtrace| Self::Failed {
            kind,
            message: if last_words.is_empty() { message } else { format!("{message}: {last_words}") },
            backtrace,
        };
        let failed = |kind, message| trapped(kind, message, String::new());
        match failure {
            Failure::Time { .. } => Self::Ended(Ending::TimedOut { limit }),
            Failure::Output { .. } => Self::Ended(Ending::TooLarge),
            Failure::Memory { .. } => failed("Runtime.OutOfMemory", failure.to_string()),
            Failure::Trap { reason, backtrace } => trapped("Runtime.Trap", reason, backtrace),
            Failure::Exit { status: 0 } => {
                failed("Runtime.ExitError", "Runtime exited without providing a reason".to_owned())
            }
            Failure::Exit { status } => {
                failed("Runtime.ExitError", format!("Runtime exited with error: exit status {status}"))
            }
            Failure::NoAnswer | Failure::Unfinished { .. } | Failure::Refused { .. } => {
                failed("Runtime.NoAnswer", failure.to_string())
            }
            Failure::Request { .. } | Failure::Kind { .. } => failed("Runtime.InvalidRequest", failure.to_string()),
            Failure::Busy { limit } => Self::Fault(RunFault::Throttled { reason: Throttle::Concurrency { limit } }),
            Failure::CutOff => Self::Fault(RunFault::Stopping),
            Failure::Full { .. } | Failure::Host { .. } => Self::Fault(RunFault::Start { reason: failure.to_string() }),
        }
    }

    /// The document or result for the caller.
    pub(super) fn payload(&self, id: &str) -> Result<Bytes, RunFault> {
        match self {
            Self::Result(result) => Ok(result.clone()),
            Self::Error(document) => Ok(document.clone()),
            Self::Ended(ending) => Ok(ending.document(id)),
            Self::Failed { kind, message, .. } => {
                Ok(faults::document(kind, &format!("RequestId: {id} Error: {message}")))
            }
            Self::Fault(fault) => Err(fault.clone()),
        }
    }

    /// What the log says of it before its report. `time` is now.
    pub(super) fn death(&self, id: &str, time: &str) -> Option<Death> {
        match self {
            Self::Result(_) | Self::Error(_) => None,
            Self::Ended(ending) => ending.death(id, time),
            Self::Failed { kind, message, backtrace } => Some(Death {
                text: format!("RequestId: {id} Error: {message}{backtrace}\n{kind}"),
                words: format!("{message}{backtrace}"),
                kind,
            }),
            Self::Fault(fault) => Some(Death {
                text: format!("RequestId: {id} Error: {fault}"),
                words: fault.to_string(),
                kind: UNAVAILABLE,
            }),
        }
    }

    /// What the report says of it.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Result(_) => Status::Success,
            Self::Error(document) => Status::failure_of(document),
            Self::Ended(ending) => ending.status(),
            Self::Failed { kind, .. } => Status::Failure { kind: (*kind).to_owned() },
            Self::Fault(_) => Status::Failure { kind: UNAVAILABLE.to_owned() },
        }
    }

    pub(super) fn is_result(&self) -> bool {
        match self {
            Self::Result(_) => true,
            Self::Error(_) | Self::Ended(_) | Self::Failed { .. } | Self::Fault(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use base::ByteSize;

    use super::*;

    #[test]
    fn failures_are_told_in_clear_words() {
        let failure = |kind: &str| Status::Failure { kind: kind.to_owned() };
        let check = |failure: Failure, last_words: &str, expected: &str, status: Status| {
            let came = Came::of_failure(failure, Duration::from_secs(3), last_words);
            assert_eq!(came.payload("id").unwrap(), expected);
            assert_eq!(came.status(), status);
        };
        check(
            Failure::Time { limit: Duration::from_secs(3) },
            "busy",
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 3.00 seconds"}"#,
            Status::Timeout,
        );
        check(
            Failure::Exit { status: 3 },
            "no such file",
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: exit status 3: no such file"}"#,
            failure("Runtime.ExitError"),
        );
        check(
            Failure::Trap { reason: "wasm `unreachable` instruction executed".into(), backtrace: "\n0: f".into() },
            "panicked at src/lib.rs:1",
            r#"{"errorType":"Runtime.Trap","errorMessage":"RequestId: id Error: wasm `unreachable` instruction executed: panicked at src/lib.rs:1"}"#,
            failure("Runtime.Trap"),
        );
        check(
            Failure::Memory { wanted: ByteSize::mib(129), limit: ByteSize::mib(128), reason: "it gave up".into() },
            "",
            r#"{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: id Error: it asked for 129 MiB of memory, its limit is 128 MiB, and it could not go on without: it gave up"}"#,
            failure("Runtime.OutOfMemory"),
        );
        check(
            Failure::Output { limit: ByteSize::mib(6) },
            "",
            r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#,
            failure("Function.ResponseSizeTooLarge"),
        );
        check(
            Failure::NoAnswer,
            "",
            r#"{"errorType":"Runtime.NoAnswer","errorMessage":"RequestId: id Error: it returned without an answer"}"#,
            failure("Runtime.NoAnswer"),
        );
    }

    #[test]
    fn the_nodes_own_trouble_is_no_error_of_the_function() {
        let fault = |failure| Came::of_failure(failure, Duration::ZERO, "").payload("id").unwrap_err();
        let reason = Throttle::Concurrency { limit: 7 };
        assert_eq!(fault(Failure::Busy { limit: 7 }), RunFault::Throttled { reason });
        assert_eq!(fault(Failure::CutOff), RunFault::Stopping);
        assert!(matches!(fault(Failure::Full { total: ByteSize::mib(1) }), RunFault::Start { .. }));
    }
}
