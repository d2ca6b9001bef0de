//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks, until it is done, idle, or the door closes.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use base::task::{self, Kind};
use dispatch::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::{Body, Limits};

/// What goes on on a connection, as its watchman sees it.
#[derive(Debug, Default)]
struct Activity {
    /// A byte came or went since the watchman last looked.
    moved: AtomicBool,
    /// Requests being worked on.
    running: AtomicUsize,
    /// There was a request at all.
    began: AtomicBool,
}

/// What answers a connection's requests.
pub(crate) type Answering = Box<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, answer: Answering, limits: Limits, closing: CancellationToken) {
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let service = Counted { answer, activity: Arc::clone(&activity) };
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let mut watch = pin!(watch(&activity, limits));
    let mut closing = pin!(closing.cancelled());
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            () = &mut watch => return,
            () = &mut closing, if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: Limits) -> auto::Builder<Spawner> {
    let mut builder = auto::Builder::new(Spawner);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.idle_max)
        .keep_alive_timeout(limits.head_time_max);
    builder
}

/// Returns when nothing happened for too long. It looks seldom, so that bytes cost no reading of a clock.
async fn watch(activity: &Activity, limits: Limits) {
    tokio::time::sleep(limits.head_time_max).await;
    // Hyper does not time the very first bytes, from which it tells the protocol.
    while activity.began.load(Ordering::Relaxed) {
        tokio::time::sleep(limits.idle_max).await;
        if !activity.moved.swap(false, Ordering::Relaxed) && activity.running.load(Ordering::Relaxed) == 0 {
            return;
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

/// Counts the requests that are being worked on.
struct Counted {
    answer: Answering,
    activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Counted {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Running;

    fn call(&self, request: Request<Incoming>) -> Running {
        self.activity.running.fetch_add(1, Ordering::Relaxed);
        self.activity.began.store(true, Ordering::Relaxed);
        Running { answer: (self.answer)(request), activity: Arc::clone(&self.activity) }
    }
}

/// One request being worked on.
struct Running {
    answer: BoxFuture<'static, Response<Body>>,
    activity: Arc<Activity>,
}

impl Future for Running {
    type Output = Result<Response<Body>, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map(Ok)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.activity.running.fetch_sub(1, Ordering::Relaxed);
        self.activity.moved.store(true, Ordering::Relaxed);
    }
}

/// A socket that tells when bytes move.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl Watched {
    fn saw<T>(&self, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Ok(_)) = &moved {
            self.activity.moved.store(true, Ordering::Relaxed);
        }
        moved
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.saw(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.saw(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.saw(written)
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
