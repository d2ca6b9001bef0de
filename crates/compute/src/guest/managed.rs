//! The link to a managed guest: frames over two pipes that it inherited, one for events and one for what it says.
//!
//! The task that waits for the answer is the one that writes and reads: there is no task in between to be woken. The guest blocks
//! in a read between invocations, which is the cheapest way to wait; its other threads go on until it is frozen.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::feed::Feed;
use super::frames::{self, Frame, Kind};
use super::{After, Event};
use crate::invocation::Invocation;

/// What is read at a time.
const LANDING_BYTES: usize = 16 * 1024;

/// The guest's ends, in the order of their numbers: where it reads events, where it writes what it says.
pub(crate) type Theirs = [OwnedFd; 2];

/// Our ends.
pub(crate) struct ManagedLink {
    telling: Telling,
    hearing: Hearing,
}

/// Events, and the rest of one that did not fit into the pipe.
struct Telling {
    feed: Arc<Feed>,
    going: Option<Chain<Bytes, Bytes>>,
}

/// What the guest says, and what of it is half-way.
struct Hearing {
    answers: AsyncFd<OwnedFd>,
    /// Where reads go, and where most frames are taken from as they lie.
    landing: Box<[u8; LANDING_BYTES]>,
    /// What of `landing` is not taken yet.
    landed: Range<usize>,
    /// A frame that came in pieces.
    coming: BytesMut,
    /// The request id of the call that is to be answered next.
    awaited: String,
}

impl ManagedLink {
    /// Makes the pipes. Call it within the runtime.
    pub(crate) fn new() -> io::Result<(Self, Theirs)> {
        let (feed, events) = Feed::new()?;
        let (read, answers) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK)?;
        let link = Self {
            telling: Telling { feed: Arc::new(feed), going: None },
            hearing: Hearing {
                answers: watch(read, Interest::READABLE)?,
                landing: Box::new([0; LANDING_BYTES]),
                landed: 0..0,
                coming: BytesMut::new(),
                awaited: String::new(),
            },
        };
        Ok((link, [events, answers]))
    }

    /// The way by which events go.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.telling.feed
    }

    /// Tells the guest who it is.
    pub(crate) fn init(&mut self, handler: &str, environment: Bytes) {
        self.telling.begin(frames::head(Kind::Init, handler.as_bytes(), environment.len()), environment);
    }

    /// Hands over an invocation.
    pub(crate) fn invoke(&mut self, invocation: &Invocation, deadline_ms: i64) {
        self.await_answer(&invocation.request_id);
        self.telling.begin(frames::invoke(invocation, deadline_ms), invocation.payload.clone());
    }

    /// The guest has this invocation already: from now on only its answer counts. What a child process of an earlier call says is
    /// not heard, as the Runtime API would not.
    pub(crate) fn await_answer(&mut self, request_id: &str) {
        self.hearing.awaited.clear();
        self.hearing.awaited.push_str(request_id);
    }

    /// The next frame, as an event. Safe to drop and call again.
    pub(crate) async fn receive(&mut self) -> Event {
        if self.telling.going.is_some() {
            tokio::select! {
                biased;
                event = self.hearing.next() => return event,
                sent = self.telling.finish() => {
                    if sent.is_err() {
                        return Event::Gone;
                    }
                }
            }
        }
        self.hearing.next().await
    }
}

impl Telling {
    /// One system call is nearly always enough: the guest waits with an empty pipe. Errors show when the answer is awaited.
    fn begin(&mut self, head: Bytes, body: Bytes) {
        let mut out = head.chain(body);
        if let Ok(written) = write(&self.feed, &out) {
            out.advance(written);
        }
        self.going = out.has_remaining().then_some(out);
    }

    /// An event may be longer than the pipe: now room is worth watching for. Safe to drop: `going` knows how far it got.
    async fn finish(&mut self) -> io::Result<()> {
        let room = watch(self.feed.writer()?, Interest::WRITABLE)?;
        while let Some(out) = &mut self.going {
            let written = room.async_io(Interest::WRITABLE, |_| write(&self.feed, out)).await?;
            out.advance(written);
            if !out.has_remaining() {
                self.going = None;
            }
        }
        Ok(())
    }
}

impl Hearing {
    async fn next(&mut self) -> Event {
        loop {
            match self.take() {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) => return Event::Broken(error.to_string()),
            }
            let Ok(mut readable) = self.answers.readable().await else { return Event::Gone };
            match rustix::io::read(self.answers.get_ref(), &mut self.landing[..]) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => readable.clear_ready(),
                Ok(0) | Err(_) => return Event::Gone,
                Ok(count) => {
                    if count < LANDING_BYTES {
                        // That was all: asking once more would be a system call that finds nothing.
                        readable.clear_ready();
                    }
                    self.landed = 0..count;
                }
            }
        }
    }

    /// A frame, if one is whole. What is torn waits in `coming` for the rest, and `landing` is free again.
    fn take(&mut self) -> Result<Option<Event>, frames::FrameError> {
        while self.coming.is_empty() {
            let landed = &self.landing[self.landed.clone()];
            let Some(span) = frames::find(landed)? else { break };
            let is_stale = span.kind.is_answer() && landed[span.text] != *self.awaited.as_bytes();
            let body = &landed[span.body];
            self.landed.start += span.end;
            if !is_stale {
                return Ok(Some(event(span.kind, Bytes::copy_from_slice(body))));
            }
        }
        self.coming.extend_from_slice(&self.landing[self.landed.clone()]);
        self.landed = 0..0;
        while let Some(Frame { kind, text, body }) = frames::take(&mut self.coming)? {
            if !kind.is_answer() || *text == *self.awaited.as_bytes() {
                return Ok(Some(event(kind, body)));
            }
        }
        Ok(None)
    }
}

/// Registers a descriptor with the runtime, for one kind of news: watching for others would wake somebody for nothing.
#[expect(
    deprecated,
    reason = "the replacement is an unsafe function, for types whose descriptor may change; an owned one does not"
)]
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

fn write(feed: &Feed, out: &Chain<Bytes, Bytes>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); 2];
    let count = out.chunks_vectored(&mut slices);
    feed.write(&slices[..count])
}

fn event(kind: Kind, body: Bytes) -> Event {
    match kind {
        Kind::Ready => Event::Ready,
        Kind::InitError => Event::InitError(body),
        Kind::Result => Event::Result(body),
        Kind::Piece => Event::Piece(body),
        Kind::Error => Event::Error { document: body, after: After::GoesOn },
        Kind::Fatal => Event::Error { document: body, after: After::Ends },
        Kind::TooLarge => Event::TooLarge,
        Kind::Log => Event::Logged(body),
        Kind::Text => Event::Printed(body),
        Kind::Init | Kind::Invoke => Event::Broken("a frame that only the host sends".to_owned()),
    }
}
