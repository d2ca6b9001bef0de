//! One connection to a guest's server, moved on by whoever waits for it.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::net::TcpStream;

use super::Body;
use super::place::Place;

/// Connections that are kept while nobody asks, at least and at most: as many as the server takes calls at a time.
const IDLE_LEAST: usize = 8;
const IDLE_MOST: usize = 256;
/// How long one may have been idle to be used again: servers close theirs after some seconds, and what is asked at that moment is lost.
const IDLE_AGE_MAX: Duration = Duration::from_secs(1);
/// The most headers of an answer.
const HEADERS_MAX: usize = 256;
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// What is read of a body that nobody wants, to use its connection again.
const DRAINED_BYTES_MAX: usize = 64 << 10;

/// See the file.
pub(super) struct Line {
    sender: SendRequest<Body>,
    wire: Wire,
    /// The same socket, to speak to the system about it.
    socket: OwnedFd,
}

/// What goes over the connection.
struct Wire {
    /// None as soon as it is over and nobody will want what is left of it.
    connection: Option<Connection<TokioIo<TcpStream>, Body>>,
    is_over: bool,
}

impl Wire {
    /// Moves it on as far as it goes now.
    fn turn(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && !self.is_over
        {
            // Why it ended, whoever waits for an answer or a frame is told.
            self.is_over = connection.poll_without_shutdown(cx).is_ready();
        }
    }
}

/// Why there is no answer.
pub(super) enum Asked {
    /// Nothing was sent: the request comes back.
    Stale(Box<Request<Body>>),
    /// It may have been sent.
    Broken(String),
}

impl Line {
    async fn open(stream: TcpStream) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, socket, wire: Wire { connection: Some(connection), is_over: false } })
    }

    /// Waits for something that the connection brings about, and moves that on meanwhile.
    pub(super) async fn drive<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            self.wire.turn(cx);
            work.as_mut().poll(cx)
        })
        .await
    }

    /// Asks, and waits for the head of the answer.
    pub(super) async fn ask(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Asked> {
        let Self { sender, wire, .. } = self;
        let is_open = std::future::poll_fn(|cx| {
            wire.turn(cx);
            // The sender alone does not know before the connection is dropped.
            if wire.is_over { Poll::Ready(false) } else { sender.poll_ready(cx).map(|ready| ready.is_ok()) }
        });
        if !is_open.await {
            return Err(Asked::Stale(Box::new(request)));
        }
        let mut answer = pin!(sender.try_send_request(request));
        let answer = std::future::poll_fn(|cx| {
            wire.turn(cx);
            let polled = answer.as_mut().poll(cx);
            if polled.is_pending() && wire.is_over {
                // It ended before it took the request, which comes back with that.
                wire.connection = None;
                return answer.as_mut().poll(cx);
            }
            polled
        });
        answer.await.map_err(|mut error| match error.take_message() {
            Some(back) => Asked::Stale(Box::new(back)),
            None => Asked::Broken(causes(&error.into_error())),
        })
    }

    /// The next piece of an answer's body.
    pub(super) async fn frame(&mut self, body: &mut Incoming) -> Option<Result<Frame<Bytes>, String>> {
        let mut is_acknowledged = false;
        let frame = std::future::poll_fn(|cx| {
            self.wire.turn(cx);
            let polled = pin!(body.frame()).poll(cx);
            if polled.is_pending() && !is_acknowledged {
                // Many servers send head and body apart, and the second only when the first was acknowledged, which systems put off
                // for 40 milliseconds where nobody asks for it. It is only a hint.
                let _ = set_tcp_quickack(&self.socket, true);
                is_acknowledged = true;
            }
            polled
        });
        Some(frame.await?.map_err(|error| causes(&error)))
    }

    /// Reads what is left of an answer that nobody wants; false if that is too much.
    pub(super) async fn finish(&mut self, mut body: Incoming) -> bool {
        let mut read = 0;
        while let Some(frame) = self.frame(&mut body).await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => read += data.len(),
                Ok(Err(_)) => {}
                Err(_) => return false,
            }
            if read > DRAINED_BYTES_MAX {
                return false;
            }
        }
        true
    }

    /// The bare connection, after both sides agreed to speak something else on it; and what came of that already.
    pub(super) async fn into_bare(mut self) -> Result<(TcpStream, Bytes), String> {
        let is_over = self.wire.is_over;
        let mut connection = self.wire.connection.take().ok_or("the connection ended before it was switched")?;
        if !is_over {
            let ended = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx));
            ended.await.map_err(|error| causes(&error))?;
        }
        let parts = connection.into_parts();
        Ok((parts.io.into_inner(), parts.read_buf))
    }
}

/// The connections to one guest.
pub(super) struct Lines {
    place: Place,
    idle_max: usize,
    /// Since when, and what; the last used is last.
    idle: Mutex<Vec<(Instant, Line)>>,
}

impl Lines {
    /// For a server that takes so many calls at a time.
    pub(super) fn new(place: Place, concurrency: u32) -> Self {
        let idle_max = usize::try_from(concurrency).unwrap_or(IDLE_MOST).clamp(IDLE_LEAST, IDLE_MOST);
        Self { place, idle_max, idle: Mutex::new(Vec::new()) }
    }

    /// Where the server listens.
    pub(super) fn port(&self) -> u16 {
        self.place.port()
    }

    /// What requests without a host of their own say.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.place.port())
    }

    /// The first connection, as soon as the server takes one.
    pub(super) async fn first(&self) -> Line {
        loop {
            if let Ok(line) = Line::open(self.place.first().await).await {
                return line;
            }
        }
    }

    /// A new one.
    pub(super) async fn dial(&self) -> io::Result<Line> {
        Line::open(self.place.dial().await?).await
    }

    /// One that is idle: the last used, which is the least likely to be closed.
    pub(super) fn take(&self) -> Option<Line> {
        let mut idle = self.lock();
        let (since, line) = idle.pop()?;
        if since.elapsed() <= IDLE_AGE_MAX {
            return Some(line);
        }
        // All others are older.
        idle.clear();
        None
    }

    /// Keeps one whose answer was read to its end.
    pub(super) fn put(&self, line: Line) {
        let mut idle = self.lock();
        if !line.wire.is_over && idle.len() < self.idle_max {
            idle.push((Instant::now(), line));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Line)>> {
        self.idle.lock().expect("nothing panics while it holds this lock")
    }
}

/// An error and what is behind it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
