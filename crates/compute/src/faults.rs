//! Error documents that the platform itself writes, word for word as Lambda has them.

use std::time::Duration;

use bytes::Bytes;
use sandbox::Exit;

use crate::guest::RESPONSE_BYTES_MAX;
use crate::platform::{Death, Status};

/// How an attempt ended other than by an answer of the guest's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its time was over.
    TimedOut { limit: Duration },
    /// Its time was over before what its initialisation waits for was there.
    NotReady { awaited: String, limit: Duration },
    /// Its process ended.
    Exited { exit: Exit },
    /// It took more memory than it has.
    OutOfMemory,
    /// It answered too much.
    TooLarge,
    /// It broke the protocol.
    Broken { reason: String },
}

impl Ending {
    /// The document for the caller.
    pub(crate) fn document(&self, request_id: &str) -> Bytes {
        match self {
            Self::TooLarge => document(self.error_type(), &self.message()),
            Self::TimedOut { .. }
            | Self::NotReady { .. }
            | Self::Exited { .. }
            | Self::OutOfMemory
            | Self::Broken { .. } => {
                document(self.error_type(), &format!("RequestId: {request_id} Error: {}", self.message()))
            }
        }
    }

    /// What the log says of it, at this time.
    pub(crate) fn death(&self, request_id: &str, time: &str) -> Option<Death> {
        let words = self.message();
        let text = match self {
            Self::TimedOut { .. } | Self::NotReady { .. } => format!("{time} {request_id} {words}"),
            Self::Exited { .. } | Self::OutOfMemory | Self::Broken { .. } => {
                format!("RequestId: {request_id} Error: {words}\nRuntime.ExitError")
            }
            Self::TooLarge => return None,
        };
        Some(Death { text, words, kind: self.error_type() })
    }

    /// What the report says of it.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::TimedOut { .. } | Self::NotReady { .. } => Status::Timeout,
            Self::Exited { .. } | Self::OutOfMemory | Self::TooLarge | Self::Broken { .. } => {
                Status::Failure { kind: self.error_type().to_owned() }
            }
        }
    }

    /// AWS's name for it.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } | Self::NotReady { .. } => "Sandbox.Timedout",
            Self::Exited { .. } | Self::Broken { .. } => "Runtime.ExitError",
            Self::OutOfMemory => "Runtime.OutOfMemory",
            Self::TooLarge => "Function.ResponseSizeTooLarge",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::TimedOut { limit } => format!("Task timed out after {:.2} seconds", limit.as_secs_f64()),
            Self::NotReady { awaited, limit } => {
                format!("{awaited} within {:.2} seconds", limit.as_secs_f64())
            }
            Self::Exited { exit: Exit::Code(0) } => "Runtime exited without providing a reason".to_owned(),
            Self::Exited { exit: Exit::Code(code) } => format!("Runtime exited with error: exit status {code}"),
            Self::Exited { exit: Exit::Signal(signal) } => {
                format!("Runtime exited with error: signal: {}", signal_name(*signal))
            }
            Self::Exited { exit: Exit::Failed { reason } } => format!("Runtime failed to start: {reason}"),
            Self::OutOfMemory => "Runtime exited with error: signal: killed".to_owned(),
            Self::TooLarge => {
                format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).")
            }
            Self::Broken { reason } => format!("Runtime broke the protocol: {reason}"),
        }
    }
}

/// An error document.
pub(crate) fn document(kind: &str, message: &str) -> Bytes {
    Bytes::from(serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string())
}

/// The platform's words when a package has no program to start.
pub(crate) fn no_bootstrap(request_id: &str) -> Bytes {
    let message = format!(
        "RequestId: {request_id} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    );
    document("Runtime.InvalidEntrypoint", &message)
}

/// The platform's words when a package has no program to start, and this is why.
pub(crate) fn no_program(request_id: &str, why: &str) -> Bytes {
    document("Runtime.InvalidEntrypoint", &format!("RequestId: {request_id} Error: {why}"))
}

/// The names that Lambda's own language has for signals.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_read_as_awss() {
        for (ending, expected) in [
            (
                Ending::TimedOut { limit: Duration::from_secs(3) },
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 3.00 seconds"}"#,
            ),
            (
                Ending::Exited { exit: Exit::Code(1) },
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: exit status 1"}"#,
            ),
            (
                Ending::Exited { exit: Exit::Code(0) },
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited without providing a reason"}"#,
            ),
            (
                Ending::Exited { exit: Exit::Signal(11) },
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: signal: segmentation fault"}"#,
            ),
            (
                Ending::OutOfMemory,
                r#"{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: id Error: Runtime exited with error: signal: killed"}"#,
            ),
            (
                Ending::TooLarge,
                r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#,
            ),
        ] {
            assert_eq!(ending.document("id"), expected, "{ending:?}");
        }
    }
}
