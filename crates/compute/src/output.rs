//! What a guest prints, from its pipe to lines.
//!
//! The pipe is not watched while a call is short: it is emptied after the answer, when everything printed before is in it. Only
//! calls that last longer are watched, and a pipe that is full makes nobody but its guest wait.
//!
//! Managed languages mark what belongs together, so that one `console.log` of several lines is one event: the byte 0xF5, which no
//! UTF-8 text contains, then the length (24 bits, big endian), then the text. Everything else is split at line ends.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use base::Clock;
use rustix::io::Errno;
use tokio::net::unix::pipe;

use crate::invocation::LogWish;
use crate::logs::{LogBatch, LogStream};
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

/// One guest's output.
pub(crate) struct Output {
    pipe: OwnedFd,
    pub(crate) stream: Arc<LogStream>,
    assembler: Assembler,
    pump: Arc<Pump>,
    slot: Arc<Slot>,
    clock: Clock,
    tail: Option<Vec<u8>>,
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
    /// `pipe` must not block.
    pub(crate) fn new(pipe: OwnedFd, stream: Arc<LogStream>, pump: Arc<Pump>, clock: Clock) -> Self {
        let slot = pump.slot(Arc::clone(&stream));
        Self { pipe, stream, assembler: Assembler::default(), pump, slot, clock, tail: None }
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

    /// Adds the platform's own lines.
    pub(crate) fn say(&mut self, lines: &[&str]) {
        let now = self.clock.now_ms();
        let tail = &mut self.tail;
        self.pump.write(&self.slot, |batch| lines.iter().for_each(|line| keep(batch, tail, now, line)));
    }

    /// Reads what is there by way of a watch, which then waits for more. Never waits itself.
    pub(crate) fn read(&mut self, watch: &pipe::Receiver) -> Read {
        let mut buffer = [0; READ_BYTES];
        loop {
            match watch.try_read(&mut buffer) {
                Ok(0) => return Read::Closed,
                Ok(count) => {
                    if self.feed(&buffer[..count]) == Room::Full {
                        return Read::Full;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Read::Empty,
            }
        }
    }

    /// Reads what was printed before an answer, and waits for room as long as that takes. Safe to drop and call again.
    pub(crate) async fn read_last(&mut self) {
        let mut left = LAST_BYTES_MAX;
        while let Read::Full = self.read_at_most(left) {
            left = left.saturating_sub(READ_BYTES);
            if left == 0 {
                break;
            }
            self.slot.room().await;
        }
        let now = self.clock.now_ms();
        let (assembler, tail) = (&mut self.assembler, &mut self.tail);
        if assembler.has_rest() {
            self.pump.write(&self.slot, |batch| assembler.finish(|line| keep(batch, tail, now, line)));
        }
    }

    /// A second descriptor that can be watched, for calls that last.
    pub(crate) fn watch(&self) -> io::Result<pipe::Receiver> {
        pipe::Receiver::from_owned_fd(self.pipe.try_clone()?)
    }

    /// Waits until more may be read.
    pub(crate) async fn room(&self) {
        self.slot.room().await;
    }

    fn read_at_most(&mut self, most: usize) -> Read {
        // Not initialised: this happens after every call, mostly to find nothing, and clearing it would cost more than the read.
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        let mut total = 0;
        loop {
            let bytes = match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(([], _)) => return Read::Closed,
                Ok((bytes, _)) => bytes,
                Err(Errno::INTR) => continue,
                Err(_) => return Read::Empty,
            };
            let count = bytes.len();
            total += count;
            if self.feed(bytes) == Room::Full || total >= most {
                return Read::Full;
            }
            if count < READ_BYTES {
                // The pipe held less than was asked for, so it is empty now.
                return Read::Empty;
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Room {
        let now = self.clock.now_ms();
        let (assembler, tail) = (&mut self.assembler, &mut self.tail);
        self.pump.write(&self.slot, |batch| assembler.feed(bytes, |line| keep(batch, tail, now, line)))
    }
}

fn keep(batch: &mut LogBatch, tail: &mut Option<Vec<u8>>, now: i64, line: &str) {
    batch.push(now, line);
    if let Some(tail) = tail {
        tail.extend_from_slice(line.as_bytes());
        if tail.len() > 16 * TAIL_BYTES {
            tail.drain(..tail.len() - TAIL_BYTES);
        }
    }
}

/// Bytes to lines.
#[derive(Debug, Default)]
struct Assembler {
    rest: Vec<u8>,
}

impl Assembler {
    /// Takes bytes and gives the lines that they complete.
    fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        if self.rest.is_empty() {
            let taken = lines(bytes, &mut line);
            self.rest.extend_from_slice(&bytes[taken..]);
            return;
        }
        self.rest.extend_from_slice(bytes);
        let taken = lines(&self.rest, &mut line);
        self.rest.drain(..taken);
    }

    fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Gives what is left as a line.
    fn finish(&mut self, mut line: impl FnMut(&str)) {
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
