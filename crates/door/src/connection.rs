//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks, until it is done, idle, or the door closes.
//!
//! Each connection has one watchman, who looks at it now and then: hyper's own clock for heads would cost every request a timer.
//! What always holds: a connection on which nothing is asked ends, and so does one whose client does not take its answers.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base::task::{self, Kind};
use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::body::PROGRESS_MIN;
use crate::client::Client;
use crate::listen::Face;
use crate::{Body, BodyError, Door, Limits};

/// A connection, as its requests and its watchman see it.
struct Line {
    door: Door,
    client: Client,
    /// Requests that began.
    begun: AtomicUsize,
    /// Requests whose answer was not handed over yet.
    running: AtomicUsize,
    /// Answers, or parts of them, that are there and that the client did not take yet.
    owing: AtomicUsize,
    /// A byte came since the last request was done with: over HTTP/1, the beginning of the next.
    heard: AtomicBool,
    /// HTTP/2 is spoken, in which bytes may mean anything.
    is_framed: AtomicBool,
    /// The last write found no room.
    blocked: AtomicBool,
    /// Bytes written since the watchman last looked.
    written: AtomicUsize,
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: IpAddr, face: Face, door: Door, closing: CancellationToken) {
    let limits = door.parts().limits;
    let line = Arc::new(Line {
        door,
        client: Client::new(peer, face),
        begun: AtomicUsize::new(0),
        running: AtomicUsize::new(0),
        owing: AtomicUsize::new(0),
        heard: AtomicBool::new(false),
        is_framed: AtomicBool::new(false),
        blocked: AtomicBool::new(false),
        written: AtomicUsize::new(0),
    });
    let io = TokioIo::new(Watched { stream, line: Arc::clone(&line) });
    let service = service_fn(|request: Request<Incoming>| {
        let busy = Busy::begin(&line);
        line.is_framed.store(request.version() == Version::HTTP_2, Ordering::Relaxed);
        async move {
            let response = busy.0.door.answer(request, &busy.0.client).await;
            Ok::<_, Infallible>(response.map(|body| Sent::new(body, busy)))
        }
    });
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let mut watch = pin!(watch(&line, limits));
    let mut closing = pin!(closing.cancelled());
    let mut leaving = false;
    let end = loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            end = &mut watch => break end,
            () = &mut closing, if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    match end {
        End::Silent | End::Stalled => tracing::debug!(?end, %peer, "a connection was cut"),
        End::Idle => {
            // HTTP/2 clients are told, so that what they send at this very moment is sent again elsewhere.
            connection.as_mut().graceful_shutdown();
            while timeout(limits.head_time_max, connection.as_mut()).await.is_err() {
                if line.running.load(Ordering::Relaxed) == 0 {
                    return;
                }
            }
        }
    }
}

fn builder(limits: Limits) -> auto::Builder<Spawner> {
    let mut builder = auto::Builder::new(Spawner);
    // The watchman times heads.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.head_bytes_max.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_send_buf_size(PIECE_BYTES)
        .keep_alive_interval(limits.idle_max)
        .keep_alive_timeout(limits.head_time_max);
    builder
}

/// Why the watchman ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A request's head, or the very first byte, did not come in time.
    Silent,
    /// The client does not take what it asked for.
    Stalled,
    /// Nobody asks for anything.
    Idle,
}

/// Returns when the connection should end. It looks seldom, so that requests cost no reading of a clock: what a limit calls a time
/// is between one and two times that.
async fn watch(line: &Line, limits: Limits) -> End {
    let tick = limits.head_time_max.min(limits.body_stall_max);
    let (mut silent, mut stalled, mut idle) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut begun_before = 0;
    loop {
        sleep(tick).await;
        let owes = line.owing.load(Ordering::Relaxed) > 0 || line.blocked.load(Ordering::Relaxed);
        let takes = line.written.swap(0, Ordering::Relaxed) >= PROGRESS_MIN;
        stalled = if owes && !takes { stalled + tick } else { Duration::ZERO };
        if stalled >= limits.body_stall_max {
            return End::Stalled;
        }
        let begun = line.begun.load(Ordering::Relaxed);
        if line.running.load(Ordering::Relaxed) > 0 || begun != begun_before {
            (begun_before, silent, idle) = (begun, Duration::ZERO, Duration::ZERO);
            continue;
        }
        // Hyper does not time the very first bytes, from which it tells the protocol, either.
        let heard = line.heard.load(Ordering::Relaxed) && !line.is_framed.load(Ordering::Relaxed);
        let expects = begun == 0 || heard;
        silent = if expects { silent + tick } else { Duration::ZERO };
        idle += tick;
        if silent >= limits.head_time_max {
            return End::Silent;
        }
        if idle >= limits.idle_max {
            return End::Idle;
        }
    }
}

/// Starts what hyper wants to run beside a connection: HTTP/2's streams.
#[derive(Clone, Copy, Debug)]
struct Spawner;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, future: F) {
        task::spawn(Kind::Work, "stream", future);
    }
}

/// One request being worked on, until its answer is handed over.
struct Busy(Arc<Line>);

impl Busy {
    fn begin(line: &Arc<Line>) -> Self {
        line.begun.fetch_add(1, Ordering::Relaxed);
        line.running.fetch_add(1, Ordering::Relaxed);
        line.door.running().fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(line))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.heard.store(false, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.door.running().fetch_sub(1, Ordering::Relaxed);
    }
}

/// The most that is handed to a connection at once: HTTP/2 keeps all that it was given until the client takes it.
const PIECE_BYTES: usize = 32 << 10;

/// An answer's body on its way: in pieces, and counted until the last one is handed over.
struct Sent {
    body: Body,
    /// What is left of the body's last frame.
    rest: Bytes,
    /// Whether the client has something to take.
    owed: bool,
    busy: Busy,
}

impl Sent {
    fn new(body: Body, busy: Busy) -> Self {
        let is_there = matches!(body, Either::Left(_)) && !body.is_end_stream();
        let mut sent = Self { body, rest: Bytes::new(), owed: false, busy };
        sent.owe(is_there);
        sent
    }

    fn owe(&mut self, owed: bool) {
        match (self.owed, owed) {
            (false, true) => _ = self.busy.0.owing.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.busy.0.owing.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => {}
        }
        self.owed = owed;
    }

    /// The next piece of a frame.
    fn piece(&mut self, mut data: Bytes) -> Frame<Bytes> {
        let piece = if data.len() > PIECE_BYTES { data.split_to(PIECE_BYTES) } else { std::mem::take(&mut data) };
        self.rest = data;
        self.owe(!self.rest.is_empty());
        Frame::data(piece)
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.owe(false);
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.piece(rest))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(data) => self.piece(data),
                Err(trailers) => trailers,
            })),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// A socket that tells when bytes move.
struct Watched {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Watched {
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.line.written.fetch_add(*bytes, Ordering::Relaxed);
                self.line.blocked.store(false, Ordering::Relaxed);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.line.blocked.store(true, Ordering::Relaxed),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.line.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
