//! What a guest prints, to lines.
//!
//! Managed languages say what they print by way of their channel, in its place among the answers. What goes past that, by a child
//! process or a library that writes to descriptor 1 itself, and everything that other guests print, comes through a pipe: it is read
//! after the answer, if something is in it, and while a call lasts. Full, it makes nobody but its guest wait.
//!
//! The pipe has marks for what belongs together: the byte 0xF5, which no UTF-8 text contains, then the length (24 bits, big endian),
//! then the text. Everything else is split at line ends.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use base::Clock;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::guest::managed::watch;
use crate::invocation::LogWish;
use crate::log_format::LogFormat;
use crate::logs::{LogBatch, LogStream};
use crate::platform::Said;
use crate::pump::{Pump, Room, Slot};

/// The longest event of CloudWatch Logs; longer lines are split.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// The end of the log that a caller may ask for.
pub(crate) const TAIL_BYTES: usize = 4096;
/// The most that is read after an answer: all that a pipe can hold. A process that the guest left behind and that prints without
/// end could keep the caller waiting for ever.
const LAST_BYTES_MAX: usize = 1 << 20;
/// What is read at a time: a pipe's usual size.
const READ_BYTES: usize = 64 * 1024;
/// Marks an event of known length.
const MARK: u8 = 0xF5;
const MARK_BYTES: usize = 4;

/// A guest is believed to print past its channel until so many calls in a row did not.
const QUIET_CALLS: u32 = 64;

/// One guest's output.
pub(crate) struct Output {
    pipe: Arc<AsyncFd<OwnedFd>>,
    pub(crate) stream: Arc<LogStream>,
    /// Of what comes through the pipe; held while that is read, so that its lines stay in order.
    assembler: Arc<Mutex<Assembler>>,
    readers: Readers,
    /// Of text that comes through the channel.
    text: Assembler,
    /// How many calls may come until it is believed not to use the pipe.
    loud_calls: u32,
    /// Whether it used the pipe in this call.
    heard: bool,
    pump: Arc<Pump>,
    slot: Arc<Slot>,
    clock: Clock,
    format: LogFormat,
    tail: Option<Vec<u8>>,
}

/// Who reads what a guest prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// One call at a time: what it left without a line's end is a line.
    One,
    /// Several: nobody knows whose words they are. They are in the log as they come, and in the end of the log of whoever reads them.
    Several,
}

/// How reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// There is nothing more now.
    Empty,
    /// There may be more, but no room for it.
    Full,
    /// Nobody can write any more.
    Closed,
}

impl Output {
    /// `pipe` must not block. Call it within the runtime.
    pub(crate) fn new(
        pipe: OwnedFd,
        stream: Arc<LogStream>,
        format: LogFormat,
        pump: Arc<Pump>,
        clock: Clock,
    ) -> io::Result<Self> {
        let slot = pump.slot(Arc::clone(&stream));
        let pipe = Arc::new(watch(pipe, Interest::READABLE)?);
        let (assembler, text, readers) = (Arc::default(), Assembler::default(), Readers::One);
        Ok(Self {
            pipe,
            stream,
            assembler,
            readers,
            text,
            loud_calls: 0,
            heard: false,
            pump,
            slot,
            clock,
            format,
            tail: None,
        })
    }

    /// The same guest's output, for one of several calls that it has at a time.
    pub(crate) fn share(&self) -> Self {
        Self {
            pipe: Arc::clone(&self.pipe),
            stream: Arc::clone(&self.stream),
            assembler: Arc::clone(&self.assembler),
            readers: Readers::Several,
            text: Assembler::default(),
            loud_calls: 0,
            heard: false,
            pump: Arc::clone(&self.pump),
            slot: Arc::clone(&self.slot),
            clock: self.clock.clone(),
            format: self.format,
            tail: None,
        }
    }

    /// Its guest has ended: there is nothing more to come for what has no line's end.
    pub(crate) fn close(&mut self) {
        self.readers = Readers::One;
    }

    /// True if it printed past its channel lately. When is then the only sign of what belongs to which call.
    pub(crate) fn is_loud(&self) -> bool {
        self.heard || self.loud_calls > 0
    }

    /// Starts to keep the end of what follows, or not.
    pub(crate) fn begin_tail(&mut self, wish: LogWish) {
        self.tail = match wish {
            LogWish::None => None,
            LogWish::Tail => Some(Vec::new()),
        };
    }

    /// The end of what came since [`Output::begin_tail`].
    pub(crate) fn take_tail(&mut self) -> Option<Vec<u8>> {
        let mut tail = self.tail.take()?;
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        Some(tail)
    }

    /// Adds what the platform itself says.
    pub(crate) fn say(&mut self, said: &Said<'_>) {
        let Self { pump, slot, clock, format, tail, .. } = self;
        if said.is_heard(*format) {
            let now = clock.now();
            pump.write(slot, |batch| {
                said.say(*format, now, |line| keep_end(tail, batch.push_fmt(now.as_millisecond(), line)));
            });
        }
    }

    /// Adds one event, which the guest told by way of its channel.
    pub(crate) fn log(&mut self, event: &[u8]) -> Room {
        let now = self.clock.now_ms();
        let (format, tail) = (self.format, &mut self.tail);
        self.pump.write(&self.slot, |batch| {
            for piece in event.chunks(LINE_BYTES_MAX) {
                keep(batch, tail, now, format, &String::from_utf8_lossy(piece));
            }
        })
    }

    /// Adds text, which the guest told by way of its channel.
    pub(crate) fn print(&mut self, text: &[u8]) -> Room {
        let now = self.clock.now_ms();
        let (format, assembler, tail) = (self.format, &mut self.text, &mut self.tail);
        self.pump.write(&self.slot, |batch| assembler.feed(text, |line| keep(batch, tail, now, format, line)))
    }

    /// Waits until there is something in the pipe, or room for more of it, and reads it. Says how that went, to be told the next
    /// time. Safe to drop and call again.
    pub(crate) async fn follow(&mut self, last: Read) -> Read {
        match last {
            Read::Closed => std::future::pending().await,
            Read::Full => self.slot.room().await,
            Read::Empty => {
                if self.pipe.readable().await.is_err() {
                    return Read::Closed;
                }
            }
        }
        self.read(&mut READ_BYTES.clone())
    }

    /// Reads what was printed before an answer, and waits for room as long as that takes. Safe to drop and call again.
    pub(crate) async fn read_last(&mut self) {
        if self.loud_calls > 0 || self.has_news() {
            let mut left = LAST_BYTES_MAX;
            while let Read::Full = self.read(&mut left)
                && left > 0
            {
                self.slot.room().await;
            }
        }
        let heard = std::mem::take(&mut self.heard);
        self.loud_calls = if heard { QUIET_CALLS } else { self.loud_calls.saturating_sub(1) };
        self.finish();
    }

    /// What is printed from now on is the calls' own.
    pub(crate) fn forget_noise(&mut self) {
        self.loud_calls = 0;
    }

    /// The slot that says when there is room.
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// What has no line's end by now is a line.
    fn finish(&mut self) {
        let Self { text, assembler, readers, pump, slot, clock, format, tail, .. } = self;
        let mut finish = |assembler: &mut Assembler| {
            if assembler.has_rest() {
                let now = clock.now_ms();
                pump.write(slot, |batch| assembler.finish(|line| keep(batch, tail, now, *format, line)));
            }
        };
        finish(text);
        if *readers == Readers::One {
            finish(&mut lock(assembler));
        }
    }

    /// Whether the runtime has heard of anything in the pipe: no system call.
    fn has_news(&self) -> bool {
        self.pipe.poll_read_ready(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Reads until nothing is `left` to be read of what may be.
    fn read(&mut self, left: &mut usize) -> Read {
        let Self { pipe, assembler, heard, pump, slot, clock, format, tail, .. } = self;
        // What the runtime knows before the first read is what a read that finds nothing disproves.
        let known = pipe.poll_read_ready(&mut Context::from_waker(Waker::noop()));
        let mut assembler = lock(assembler);
        // Not initialised: clearing it would cost more than most reads.
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        loop {
            let bytes = match rustix::io::read(pipe.get_ref(), &mut buffer) {
                Ok(([], _)) => return Read::Closed,
                Ok((bytes, _)) => bytes,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            *heard = true;
            let (now, count) = (clock.now_ms(), bytes.len());
            *left = left.saturating_sub(count);
            let room = pump.write(slot, |batch| assembler.feed(bytes, |line| keep(batch, tail, now, *format, line)));
            if room == Room::Full || *left == 0 {
                return Read::Full;
            }
            if count < READ_BYTES {
                // The pipe held less than was asked for, so it is empty now.
                break;
            }
        }
        if let Poll::Ready(Ok(mut ready)) = known {
            ready.clear_ready();
        }
        Read::Empty
    }
}

fn lock(assembler: &Mutex<Assembler>) -> MutexGuard<'_, Assembler> {
    assembler.lock().expect("nothing panics while it holds this lock")
}

/// Adds a line, if it matters enough, and keeps the end of all lines where that is wanted.
pub(crate) fn keep(batch: &mut LogBatch, tail: &mut Option<Vec<u8>>, now: i64, format: LogFormat, line: &str) {
    if format.keeps(line) {
        batch.push(now, line);
        keep_end(tail, line);
    }
}

pub(crate) fn keep_end(tail: &mut Option<Vec<u8>>, line: &str) {
    if let Some(tail) = tail {
        tail.extend_from_slice(line.as_bytes());
        if tail.len() > 16 * TAIL_BYTES {
            tail.drain(..tail.len() - TAIL_BYTES);
        }
    }
}

/// Bytes to lines.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    rest: Vec<u8>,
}

impl Assembler {
    /// Takes bytes and gives the lines that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        if self.rest.is_empty() {
            let taken = lines(bytes, &mut line);
            self.rest.extend_from_slice(&bytes[taken..]);
            return;
        }
        self.rest.extend_from_slice(bytes);
        let taken = lines(&self.rest, &mut line);
        self.rest.drain(..taken);
    }

    pub(crate) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Gives what is left as a line.
    pub(crate) fn finish(&mut self, mut line: impl FnMut(&str)) {
        let rest = std::mem::take(&mut self.rest);
        let text = if rest[0] == MARK { rest.get(MARK_BYTES..).unwrap_or(&[]) } else { &rest };
        if !text.is_empty() {
            line(&String::from_utf8_lossy(text));
        }
    }
}

/// All lines of an output that is read in these pieces.
pub(crate) fn assemble(pieces: &[&[u8]]) -> Vec<String> {
    let mut assembler = Assembler::default();
    let mut got = Vec::new();
    for piece in pieces {
        assembler.feed(piece, |line| got.push(line.to_owned()));
    }
    if assembler.has_rest() {
        assembler.finish(|line| got.push(line.to_owned()));
    }
    got
}

/// Gives every whole line, and says how much of the bytes they were. What is left is shorter than the longest line.
fn lines(bytes: &[u8], line: &mut impl FnMut(&str)) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (skip, length) = match next(rest) {
            Some(found) => found,
            None => return at,
        };
        if length > 0 {
            line(&String::from_utf8_lossy(&rest[skip..skip + length]));
        }
        at += skip + length;
    }
    at
}

/// Where the next line is in the bytes (how much to skip, how long it is), if it is whole.
fn next(rest: &[u8]) -> Option<(usize, usize)> {
    if rest[0] == MARK {
        let header = rest.get(..MARK_BYTES)?;
        let length = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
        // Longer than any event: split, and the remainder follows as plain text.
        let length = length.min(LINE_BYTES_MAX);
        return (rest.len() >= MARK_BYTES + length).then_some((MARK_BYTES, length));
    }
    let end = rest.iter().take(LINE_BYTES_MAX).position(|byte| matches!(*byte, b'\n' | MARK));
    match end {
        Some(end) if rest[end] == b'\n' => Some((0, end + 1)),
        // A marked event begins: what was printed before without a line's end is a line.
        Some(end) => Some((0, end)),
        None if rest.len() >= LINE_BYTES_MAX => Some((0, LINE_BYTES_MAX)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lines() {
        for (chunks, expected) in [
            (&[&b"a\nb\n"[..]][..], &["a\n", "b\n"][..]),
            (&[b"a", b"b\nc"], &["ab\n", "c"]),
            (&[b"\xF5\0\0\x04a\nb\nrest\n"], &["a\nb\n", "rest\n"]),
            (&[b"\xF5", b"\0\0", b"\x04a\n", b"b\n"], &["a\nb\n"]),
            (&[b"raw\xF5\0\0\x02x\n"], &["raw", "x\n"]),
            (&[b"\xF5\0\0\0after\n"], &["after\n"]),
            (&[b"\xF5\0\0\x09torn"], &["torn"]),
            (&[b"bad \xff utf8\n"], &["bad \u{fffd} utf8\n"]),
            (&[b"\xF5"], &[]),
            (&[b"\n\n"], &["\n", "\n"]),
        ] {
            assert_eq!(assemble(chunks), expected, "{chunks:?}");
        }
    }

    #[test]
    fn endless_lines_are_split() {
        let long = vec![b'x'; LINE_BYTES_MAX * 2 + 10];
        let lengths: Vec<usize> = assemble(&[&long]).iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, 10]);
        let mut marked = vec![MARK, 0xff, 0xff, 0xff];
        marked.extend_from_slice(&long);
        let lengths: Vec<usize> = assemble(&[&marked]).iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, 10]);
    }
}
