//! Bodies of requests and responses.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_lc_rs::digest;
use base::ByteSize;
use bytes::{Bytes, BytesMut};
use contract::{Cause, Fault};
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wire::Payload;

/// A response's body: bytes that are there, or a stream.
pub type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>;
/// Why a body ended early. A request's body ends with a [`Fault`], which says what the client is to be told.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is there already.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// A body that is read while it is sent. What goes wrong then can only be told by breaking off.
pub(crate) fn streamed(payload: &Payload) -> Body {
    match payload.take_stream() {
        Some(stream) => {
            let frames = stream.map(|piece| piece.map(Frame::data).map_err(BodyError::from));
            Either::Right(BodyExt::boxed_unsync(StreamBody::new(frames)))
        }
        None => whole(Bytes::new()),
    }
}

/// A request's body, as it comes. It ends with a [`Fault`] if the client stalls, if its bytes are not those that were signed, or
/// if the node holds as many bytes of such bodies as it may.
pub struct RequestBody {
    source: Source,
    stall_max: Duration,
    /// Made when the client is first waited for: most bodies are there with their head.
    stall: Option<Pin<Box<Sleep>>>,
    /// Bytes that came while it ran.
    progress: usize,
    signed: Option<Signed>,
    held: Option<Held>,
}

/// What a client must send, or take, in the time that a body may stall: a byte now and then is no progress.
pub(crate) const PROGRESS_MIN: usize = 16 << 10;

enum Source {
    Live(Incoming),
    Whole(Option<Bytes>),
}

struct Signed {
    so_far: digest::Context,
    sha256: String,
}

/// The bytes of bodies that are on their way, of all requests together: a client may take its time with one, and many could take
/// it with many.
#[derive(Debug)]
pub(crate) struct Room {
    held: AtomicUsize,
    max: usize,
}

impl Room {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max })
    }
}

/// One body's part of it; given back when dropped.
struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Held {
    fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes += bytes;
        match self.room.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.room.max {
            true => Err(no_room(self.room.max)),
            false => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a body could not be read.
#[derive(Debug, PartialEq)]
pub(crate) enum ReadError {
    /// It is larger than the reader takes.
    TooLarge { limit: usize },
    /// Anything else, and what the client is to be told.
    Ended(Fault),
}

impl RequestBody {
    pub(crate) fn live(incoming: Incoming, stall_max: Duration, room: &Arc<Room>) -> Self {
        let is_there = !http_body::Body::is_end_stream(&incoming);
        let held = is_there.then(|| Held { room: Arc::clone(room), bytes: 0 });
        Self { source: Source::Live(incoming), stall_max, stall: None, progress: 0, signed: None, held }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        let source = Source::Whole(Some(bytes));
        Self { source, stall_max: Duration::MAX, stall: None, progress: 0, signed: None, held: None }
    }

    /// The same, checked against the hash that was signed when it ends.
    pub(crate) fn signed(mut self, sha256: String) -> Self {
        self.signed = Some(Signed { so_far: digest::Context::new(&digest::SHA256), sha256 });
        self
    }

    /// The same, for a reader that does not keep what it reads: its bytes are not counted among those that the node holds.
    #[must_use]
    pub fn passed_on(mut self) -> Self {
        self.held = None;
        self
    }

    /// All of it. A body that came in one piece is not copied.
    pub(crate) async fn read(mut self, limit: usize) -> Result<Bytes, ReadError> {
        if http_body::Body::is_end_stream(&self) {
            return Ok(Bytes::new());
        }
        // Refused by its announcement, before any of it is read.
        let announced = http_body::Body::size_hint(&self).lower();
        if announced > limit as u64 {
            return Err(ReadError::TooLarge { limit });
        }
        let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = self.frame().await {
            let frame = frame.map_err(|error| ReadError::Ended(fault_of(error)))?;
            let Ok(data) = frame.into_data() else { continue };
            let so_far = first.len() + whole.len();
            if so_far + data.len() > limit {
                return Err(ReadError::TooLarge { limit });
            }
            if so_far == 0 {
                first = data;
                continue;
            }
            if whole.is_empty() {
                whole.reserve((announced as usize).max(so_far + data.len()));
                whole.extend_from_slice(&first);
                first = Bytes::new();
            }
            whole.extend_from_slice(&data);
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let incoming = match &mut self.source {
            Source::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Live(incoming) => incoming,
        };
        if let Poll::Ready(frame) = http_body::Body::poll_frame(Pin::new(incoming), context) {
            let came = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len)).unwrap_or(0);
            self.progress += came;
            if self.progress >= PROGRESS_MIN {
                (self.progress, self.stall) = (0, None);
            }
            if let Some(Err(fault)) = self.held.as_mut().map(|held| held.take(came)) {
                return Poll::Ready(Some(Err(fault)));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error))));
        }
        let stall =
            self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + self.stall_max)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Some(Err(stalled(self.stall_max))))
    }

    /// Whether the bytes are those that were signed; asked at their end.
    fn check_signed(&mut self) -> Result<(), Fault> {
        let Some(Signed { so_far, sha256 }) = self.signed.take() else { return Ok(()) };
        match hex::encode(so_far.finish()).eq_ignore_ascii_case(&sha256) {
            true => Ok(()),
            false => Err(not_signed()),
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.poll_source(context));
        let frame = match frame {
            None => self.check_signed().err().map(Err),
            Some(frame) => Some(frame),
        };
        if let (Some(signed), Some(Ok(frame))) = (&mut self.signed, &frame)
            && let Some(data) = frame.data_ref()
        {
            signed.so_far.update(data);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        // What was signed is known only at the end.
        self.signed.is_none()
            && match &self.source {
                Source::Live(incoming) => incoming.is_end_stream(),
                Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Live(incoming) => incoming.size_hint(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}

fn fault_of(error: BodyError) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(other) => broken(&*other),
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Fault {
    let message = format!("The body broke off: {error}.");
    Fault { status: Some(400), ..Fault::new(Cause::Invalid, "IncompleteBody", message) }
}

fn stalled(stall_max: Duration) -> Fault {
    let message = format!("The body stalled: a client must send {PROGRESS_MIN} bytes in every {stall_max:?}.");
    Fault { status: Some(408), ..Fault::new(Cause::TimedOut, "RequestTimeout", message) }
}

fn not_signed() -> Fault {
    let message = "The body is not the one that was signed: its SHA-256 is another.";
    Fault::new(Cause::Unauthenticated, "InvalidSignatureException", message)
}

fn no_room(max: usize) -> Fault {
    let max = ByteSize(max as u64);
    let message = format!(
        "This node holds {max} of requests that are on their way, which is all that it may. Try again in a second."
    );
    Fault { status: Some(503), ..Fault::new(Cause::Unavailable, "SlowDown", message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_was_not_signed_ends_with_an_error() {
        let hello = hex::encode(digest::digest(&digest::SHA256, b"hello"));
        let body = |text: &'static str| RequestBody::whole(Bytes::from_static(text.as_bytes()));
        assert_eq!(body("hello").signed(hello.clone()).read(5).await.ok().as_deref(), Some(&b"hello"[..]));
        assert_eq!(body("hello").signed(hello.to_uppercase()).read(5).await.ok().as_deref(), Some(&b"hello"[..]));
        for other in ["hallo", ""] {
            let read = body(other).signed(hello.clone()).read(5).await;
            assert!(
                matches!(read, Err(ReadError::Ended(fault)) if fault.code == "InvalidSignatureException"),
                "{other}"
            );
        }
        assert_eq!(body("hello").read(4).await, Err(ReadError::TooLarge { limit: 4 }));
        assert_eq!(body("").read(0).await.ok().as_deref(), Some(&b""[..]));
    }

    #[test]
    fn room_is_given_back() {
        let room = Room::new(10);
        let hold = || Held { room: Arc::clone(&room), bytes: 0 };
        let (mut one, mut two) = (hold(), hold());
        assert!(one.take(4).is_ok() && two.take(6).is_ok());
        let fault = two.take(1).expect_err("full");
        assert_eq!((fault.status, fault.code.as_str()), (Some(503), "SlowDown"));
        drop(two);
        assert!(one.take(6).is_ok());
        drop(one);
        assert_eq!(room.held.load(Ordering::Relaxed), 0);
    }
}
