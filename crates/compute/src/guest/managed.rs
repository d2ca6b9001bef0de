//! The link to a managed guest: frames over a local socket that it inherited.
//!
//! The task that waits for the answer is the one that writes and reads: there is no task in between to be woken. The guest blocks
//! in a read between invocations, which is at once Lambda's freeze and the cheapest way to wait.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::frames::{self, Kind};
use super::{After, Event};
use crate::invocation::Invocation;

/// Room for usual answers without growing.
const BUFFER_BYTES: usize = 16 * 1024;

/// One end of the socket, and what is half-way.
///
/// The runtime watches it for bytes to read and nothing else: one that watched for room to write as well would be woken each time
/// the guest reads an event, which is once a call, on another core, for nothing.
pub(crate) struct ManagedLink {
    stream: AsyncFd<StdUnixStream>,
    coming: BytesMut,
    /// Where reads go first: initialised once, while room in `coming` would have to be for every read.
    landing: Box<[u8; BUFFER_BYTES]>,
    /// The rest of a frame that did not fit into the socket's buffer.
    going: Option<Chain<Bytes, Bytes>>,
}

impl ManagedLink {
    /// Takes our end. Call it within the runtime.
    pub(crate) fn new(socket: StdUnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let stream = watch(socket, Interest::READABLE)?;
        Ok(Self { stream, coming: BytesMut::new(), landing: Box::new([0; BUFFER_BYTES]), going: None })
    }

    /// Tells the guest who it is.
    pub(crate) fn init(&mut self, handler: &str, environment: Bytes) {
        self.write(frames::head(Kind::Init, handler.as_bytes(), environment.len()), environment);
    }

    /// Hands over an invocation.
    pub(crate) fn invoke(&mut self, invocation: &Invocation, deadline_ms: i64) {
        let facts = [
            invocation.request_id.as_str(),
            &deadline_ms.to_string(),
            &invocation.invoked_arn,
            invocation.trace.as_deref().unwrap_or(""),
            invocation.client_context.as_deref().unwrap_or(""),
            invocation.cognito_identity.as_deref().unwrap_or(""),
        ]
        .join("\0");
        self.write(frames::head(Kind::Invoke, facts.as_bytes(), invocation.payload.len()), invocation.payload.clone());
    }

    fn write(&mut self, head: Bytes, body: Bytes) {
        let mut out = head.chain(body);
        // One system call is nearly always enough: the guest waits with an empty buffer. Errors show when the answer is awaited.
        if let Ok(written) = send(self.stream.get_ref(), &out) {
            out.advance(written);
        }
        self.going = out.has_remaining().then_some(out);
    }

    /// An event may be longer than the socket's buffer: now room is worth watching for. Safe to drop: `going` knows how far it got.
    async fn send_rest(&mut self) -> io::Result<()> {
        let room = watch(self.stream.get_ref().try_clone()?, Interest::WRITABLE)?;
        while let Some(out) = &mut self.going {
            let written = room.async_io(Interest::WRITABLE, |socket| send(socket, out)).await?;
            out.advance(written);
            if !out.has_remaining() {
                self.going = None;
            }
        }
        Ok(())
    }

    /// The next frame, as an event.
    pub(crate) async fn receive(&mut self) -> Event {
        if self.going.is_some() && self.send_rest().await.is_err() {
            return Event::Gone;
        }
        loop {
            match frames::take(&mut self.coming) {
                Ok(Some(frame)) => return event(frame),
                Ok(None) => {}
                Err(error) => return Event::Broken(error.to_string()),
            }
            let Ok(mut readable) = self.stream.readable().await else { return Event::Gone };
            match readable.try_io(|socket| socket.get_ref().read(&mut self.landing[..])) {
                // Nothing there after all.
                Err(_would_block) => {}
                Ok(Ok(0) | Err(_)) => return Event::Gone,
                Ok(Ok(count)) => {
                    if count < BUFFER_BYTES {
                        // That was all: asking once more would be a system call that finds nothing.
                        readable.clear_ready();
                    }
                    self.coming.extend_from_slice(&self.landing[..count]);
                }
            }
        }
    }
}

/// Registers a socket with the runtime, for one kind of news.
#[expect(
    deprecated,
    reason = "the replacement is an unsafe function, for types whose descriptor may change; a socket's does not"
)]
fn watch(socket: StdUnixStream, interest: Interest) -> io::Result<AsyncFd<StdUnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

/// Writes what the socket takes.
fn send(mut socket: &StdUnixStream, out: &Chain<Bytes, Bytes>) -> io::Result<usize> {
    let mut slices = [io::IoSlice::new(&[]); 2];
    let count = out.chunks_vectored(&mut slices);
    socket.write_vectored(&slices[..count])
}

fn event(frame: frames::Frame) -> Event {
    match frame.kind {
        Kind::Ready => Event::Ready,
        Kind::InitError => Event::InitError(frame.body),
        Kind::Result => Event::Result(frame.body),
        Kind::Error => Event::Error { document: frame.body, after: After::GoesOn },
        Kind::Fatal => Event::Error { document: frame.body, after: After::Ends },
        Kind::TooLarge => Event::TooLarge,
        Kind::Init | Kind::Invoke => Event::Broken("a frame that only the host sends".to_owned()),
    }
}
