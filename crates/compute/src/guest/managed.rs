//! The link to a managed guest: frames over a local socket that it inherited.
//!
//! The task that waits for the answer is the one that writes and reads: there is no task in between to be woken. The guest blocks
//! in a read between invocations, which is at once Lambda's freeze and the cheapest way to wait.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::frames::{self, Kind};
use super::{After, Event};
use crate::invocation::Invocation;

/// Room for usual answers without growing.
const BUFFER_BYTES: usize = 16 * 1024;

/// One end of the socket, and what is half-way.
pub(crate) struct ManagedLink {
    stream: UnixStream,
    coming: BytesMut,
    going: Option<Chain<Bytes, Bytes>>,
}

impl ManagedLink {
    /// Takes our end. Call it within the runtime.
    pub(crate) fn new(socket: StdUnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(socket)?, coming: BytesMut::with_capacity(BUFFER_BYTES), going: None })
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
        let mut slices = [io::IoSlice::new(&[]); 2];
        let count = out.chunks_vectored(&mut slices);
        if let Ok(written) = self.stream.try_write_vectored(&slices[..count]) {
            out.advance(written);
        }
        self.going = out.has_remaining().then_some(out);
    }

    /// The next frame, as an event.
    pub(crate) async fn receive(&mut self) -> Event {
        while let Some(out) = &mut self.going {
            // An event may be longer than the socket's buffer. Safe to drop: `out` knows how far it got.
            match self.stream.write_buf(out).await {
                Ok(_) if out.has_remaining() => {}
                Ok(_) => self.going = None,
                Err(_) => return Event::Gone,
            }
        }
        loop {
            match frames::take(&mut self.coming) {
                Ok(Some(frame)) => return event(frame),
                Ok(None) => {}
                Err(error) => return Event::Broken(error.to_string()),
            }
            self.coming.reserve(BUFFER_BYTES);
            match self.stream.read_buf(&mut self.coming).await {
                Ok(0) | Err(_) => return Event::Gone,
                Ok(_) => {}
            }
        }
    }
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
