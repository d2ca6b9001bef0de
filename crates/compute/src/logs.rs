//! Where guests' words go: the sink that compute is given, and the batches it writes there.

use std::fmt::{self, Write};
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Takes what functions print. Implemented by whoever keeps logs.
///
/// Batches of one stream come in order and one `write` is made at a time, so a slow sink slows only what is pushed back: each
/// instance may have [`crate::logs::PENDING_BYTES_MAX`] waiting here; beyond that its pipe is not read and it waits in its own
/// `print`. A sink that cannot keep a batch drops it and says so itself: there is nobody to hand an error to.
pub trait LogSink: Send + Sync + 'static {
    /// Takes the batches. Resolves when more may come.
    fn write(&self, batches: Vec<LogBatch>) -> BoxFuture<'_, ()>;
}

/// The most text of one instance that waits for the sink.
pub const PENDING_BYTES_MAX: usize = 1 << 20;

/// Lines of one stream, in order.
#[derive(Clone, Debug)]
pub struct LogBatch {
    /// Whose.
    pub stream: Arc<LogStream>,
    text: String,
    /// For each line, its time (milliseconds since the epoch) and where it ends in `text`.
    lines: Vec<(i64, usize)>,
}

/// The log stream of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// The function's name.
    pub function: String,
    /// The function's ARN, without a version: whose account and region the log is in.
    pub arn: String,
    /// The log group, such as `/aws/lambda/NAME`.
    pub group: String,
    /// `2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef`.
    pub name: String,
}

impl LogBatch {
    /// An empty batch.
    pub fn new(stream: Arc<LogStream>) -> Self {
        Self { stream, text: String::new(), lines: Vec::new() }
    }

    /// An empty batch of the same stream, with room for as much.
    pub(crate) fn as_large(&self) -> Self {
        let (text, lines) = (String::with_capacity(self.text.len()), Vec::with_capacity(self.lines.len()));
        Self { stream: Arc::clone(&self.stream), text, lines }
    }

    /// Adds one line.
    pub fn push(&mut self, time_ms: i64, line: &str) {
        self.text.push_str(line);
        self.lines.push((time_ms, self.text.len()));
    }

    /// Adds one line that is written right here, and gives it back.
    pub fn push_fmt(&mut self, time_ms: i64, line: fmt::Arguments<'_>) -> &str {
        let start = self.text.len();
        self.text.write_fmt(line).expect("writing to a string does not fail");
        self.lines.push((time_ms, self.text.len()));
        &self.text[start..]
    }

    /// The lines: time in milliseconds since the epoch, and text as AWS has it (with the line's end, where it had one).
    pub fn lines(&self) -> impl Iterator<Item = (i64, &str)> {
        let mut start = 0;
        self.lines.iter().map(move |(time, end)| {
            let line = &self.text[start..*end];
            start = *end;
            (*time, line)
        })
    }

    /// Its text in one piece, and for each line its time and where it ends there.
    pub fn into_parts(self) -> (String, Vec<(i64, usize)>) {
        (self.text, self.lines)
    }

    /// How many lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many bytes of text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}
