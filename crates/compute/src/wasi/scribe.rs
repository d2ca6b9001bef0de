//! Writes one log stream: what a guest prints, in lines, and the platform's own lines around it. One call has it at a time.

use std::sync::{Arc, Mutex, MutexGuard};

use base::Clock;
use futures_util::future::BoxFuture;
use wasm::{Sink, SinkClosed};

use crate::invocation::LogWish;
use crate::log_format::LogFormat;
use crate::logs::LogStream;
use crate::monitor::Pulse;
use crate::output::{Assembler, TAIL_BYTES, keep, keep_end};
use crate::platform::Said;
use crate::pump::{Pump, Slot};

/// How much is remembered of what a guest said last to its standard error: an error message quotes it.
const LAST_WORDS_BYTES: usize = 1024;

/// See the file.
pub(crate) struct Scribe {
    pub(crate) stream: Arc<LogStream>,
    pub(crate) pulse: Arc<Pulse>,
    paper: Arc<Paper>,
    /// Made once, because each call hands them to its guest.
    stdout: Arc<dyn Sink>,
    stderr: Arc<dyn Sink>,
}

struct Paper {
    pump: Arc<Pump>,
    slot: Arc<Slot>,
    clock: Clock,
    format: LogFormat,
    words: Mutex<Words>,
}

#[derive(Default)]
struct Words {
    stdout: Assembler,
    stderr: Assembler,
    tail: Option<Vec<u8>>,
    last: Vec<u8>,
}

/// One of a guest's two streams.
struct Pen {
    paper: Arc<Paper>,
    which: Which,
}

#[derive(Clone, Copy)]
enum Which {
    Stdout,
    Stderr,
}

impl Scribe {
    pub(crate) fn new(
        stream: Arc<LogStream>,
        format: LogFormat,
        pulse: Arc<Pulse>,
        pump: &Arc<Pump>,
        clock: Clock,
    ) -> Self {
        let slot = pump.slot(Arc::clone(&stream));
        let paper = Arc::new(Paper { pump: Arc::clone(pump), slot, clock, format, words: Mutex::default() });
        let pen = |which| Arc::new(Pen { paper: Arc::clone(&paper), which }) as Arc<dyn Sink>;
        let (stdout, stderr) = (pen(Which::Stdout), pen(Which::Stderr));
        Self { stream, pulse, paper, stdout, stderr }
    }

    /// A call begins: whether the end of its log is wanted.
    pub(crate) fn begin(&self, wish: LogWish) {
        let mut words = self.paper.words();
        words.last.clear();
        words.tail = match wish {
            LogWish::None => None,
            LogWish::Tail => Some(Vec::new()),
        };
    }

    pub(crate) fn stdout(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.stderr)
    }

    /// Adds what the platform itself says.
    pub(crate) fn say(&self, said: &Said<'_>) {
        let Paper { pump, slot, clock, format, .. } = &*self.paper;
        if said.is_heard(*format) {
            let (mut words, now) = (self.paper.words(), clock.now());
            pump.write(slot, |batch| {
                said.say(*format, now, |line| keep_end(&mut words.tail, batch.push_fmt(now.as_millisecond(), line)));
            });
        }
    }

    /// What the guest printed and did not end with a line's end is a line.
    pub(crate) fn finish(&self) {
        let Paper { pump, slot, clock, format, .. } = &*self.paper;
        let words = &mut *self.paper.words();
        for assembler in [&mut words.stdout, &mut words.stderr] {
            if assembler.has_rest() {
                let tail = &mut words.tail;
                pump.write(slot, |batch| assembler.finish(|line| keep(batch, tail, clock.now_ms(), *format, line)));
            }
        }
    }

    /// The end of what came since the call began.
    pub(crate) fn take_tail(&self) -> Option<Vec<u8>> {
        let mut tail = self.paper.words().tail.take()?;
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        Some(tail)
    }

    /// What the guest said last to its standard error in this call.
    pub(crate) fn last_words(&self) -> String {
        let words = self.paper.words();
        let from = words.last.len().saturating_sub(LAST_WORDS_BYTES);
        String::from_utf8_lossy(&words.last[from..]).trim().to_owned()
    }
}

impl Paper {
    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().expect("nothing panics while it holds this lock")
    }
}

impl Sink for Pen {
    fn write(&self, bytes: &[u8]) -> Result<(), SinkClosed> {
        let Paper { pump, slot, clock, format, .. } = &*self.paper;
        let Words { stdout, stderr, tail, last } = &mut *self.paper.words();
        let assembler = match self.which {
            Which::Stdout => stdout,
            Which::Stderr => {
                last.extend_from_slice(bytes);
                if last.len() > 16 * LAST_WORDS_BYTES {
                    last.drain(..last.len() - LAST_WORDS_BYTES);
                }
                stderr
            }
        };
        let now = clock.now_ms();
        pump.write(slot, |batch| assembler.feed(bytes, |line| keep(batch, tail, now, *format, line)));
        Ok(())
    }

    /// None while too much of this stream waits for the log: then its guest waits too.
    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        if self.paper.slot.has_room() {
            return None;
        }
        let slot = Arc::clone(&self.paper.slot);
        Some(Box::pin(async move { slot.room().await }))
    }
}
