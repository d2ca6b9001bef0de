//! A request that is handed through to a guest as it comes, and the answer as it goes.
//!
//! Both bodies stream at once, a few pieces at a time: a slow reader slows the guest, and a slow guest its writer. Where the guest
//! agrees to switch protocols, what follows is a tunnel. The attempt lasts until the last byte, and its time limit holds all along.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional};
use tokio::sync::{mpsc, oneshot};

use super::line::Line;
use super::{Body, Habits, headers};
use crate::invocation::{Outcome, RunFault};

/// Pieces of an answer that wait for their reader.
const PIECES_MAX: usize = 4;
/// What a tunnel holds each way.
const TUNNEL_BYTES: usize = 64 << 10;

/// Why a body ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request on its way to a guest, in an [`crate::Invocation`]. It can be had once: whoever has it, runs it.
#[derive(Clone)]
pub struct Conversation(Arc<Mutex<Option<Opening>>>);

/// Where the answer to a request comes: what [`crate::Compute::converse`] waits for.
#[derive(Debug)]
pub struct Reply(pub(crate) oneshot::Receiver<Answer>);

/// How it begins.
pub(crate) struct Opening {
    request: Request<Body>,
    caller: oneshot::Sender<Answer>,
}

/// What a guest answers to a request.
#[derive(Debug)]
pub struct Answer {
    /// Status, headers and body.
    pub response: Response<AnswerBody>,
    /// After a status of 101: what both sides say from now on. Closing it ends the attempt.
    pub tunnel: Option<DuplexStream>,
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The function never ran.
    #[error(transparent)]
    Fault(#[from] RunFault),
    /// It ran, and ended before it answered.
    #[error("the function failed before it answered")]
    Failed(Box<Outcome>),
}

impl Conversation {
    /// A request, and where its answer will come.
    pub fn new<B>(request: Request<B>) -> (Self, Reply)
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let (caller, answer) = oneshot::channel();
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        (Self(Arc::new(Mutex::new(Some(Opening { request, caller })))), Reply(answer))
    }

    pub(crate) fn open(&self) -> Option<Opening> {
        self.0.lock().expect("nothing panics while it holds this lock").take()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation")
    }
}

impl Opening {
    /// The request as the guest gets it, and whoever waits for the answer.
    pub(crate) fn begin(self, default_host: &str, habits: &Habits) -> (Request<Body>, Caller) {
        let mut request = self.request;
        headers::towards_guest(request.headers_mut(), default_host);
        // Only the path goes on a line to a server; the host is a header.
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", habits.without_base(request.uri().path()));
        if let Ok(uri) = target.parse() {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = http::Version::HTTP_11;
        (request, Caller { answer: Some(self.caller), pieces: None })
    }
}

/// Whoever waits for an answer.
pub(crate) struct Caller {
    answer: Option<oneshot::Sender<Answer>>,
    pieces: Option<mpsc::Sender<Piece>>,
}

/// What an answer's body is made of.
enum Piece {
    Frame(Frame<Bytes>),
    /// It is whole. A body that just stops is not.
    End,
}

/// Nobody waits any more.
pub(crate) struct Gone;

impl Caller {
    /// Hands over the head; the body is the caller's, piece by piece.
    pub(crate) fn answer<B: HttpBody>(&mut self, response: Response<B>) -> B {
        let (mut head, body) = response.into_parts();
        headers::towards_caller(head.status, &mut head.headers);
        let (pieces, rest) = mpsc::channel(PIECES_MAX);
        self.pieces = Some(pieces);
        let size = body.size_hint();
        let response = Response::from_parts(head, AnswerBody { rest, size, is_over: false });
        self.tell(Answer { response, tunnel: None });
        body
    }

    /// Hands over the head, and carries bytes both ways until either side closes.
    pub(super) async fn tunnel(&mut self, response: Response<Incoming>, line: Line) -> Result<(), String> {
        let (mut head, _) = response.into_parts();
        headers::towards_caller(head.status, &mut head.headers);
        let (mut guest, early) = line.into_bare().await?;
        let (theirs, mut ours) = tokio::io::duplex(TUNNEL_BYTES);
        let (_, rest) = mpsc::channel(1);
        let body = AnswerBody { rest, size: hyper::body::SizeHint::with_exact(0), is_over: true };
        self.tell(Answer { response: Response::from_parts(head, body), tunnel: Some(theirs) });
        // Torn by either side: the other one sees it closed.
        if ours.write_all(&early).await.is_ok() {
            let _ = copy_bidirectional(&mut ours, &mut guest).await;
        }
        Ok(())
    }

    fn tell(&mut self, answer: Answer) {
        if let Some(caller) = self.answer.take() {
            // Whoever went away is noticed when the body has nowhere to go.
            drop(caller.send(answer));
        }
    }

    /// Hands over a piece of the body, when there is room.
    pub(crate) async fn send(&self, frame: Frame<Bytes>) -> Result<(), Gone> {
        match &self.pieces {
            Some(pieces) => pieces.send(Piece::Frame(frame)).await.map_err(|_| Gone),
            None => Err(Gone),
        }
    }

    /// Waits until nobody listens any more.
    pub(crate) async fn gone(&self) {
        match &self.pieces {
            Some(pieces) => pieces.closed().await,
            None => std::future::pending().await,
        }
    }

    /// The body is whole.
    pub(crate) async fn end(&self) {
        if let Some(pieces) = &self.pieces {
            // Whoever does not listen any more need not know.
            let _ = pieces.send(Piece::End).await;
        }
    }
}

/// The body of an answer, as it comes.
pub struct AnswerBody {
    rest: mpsc::Receiver<Piece>,
    size: hyper::body::SizeHint,
    is_over: bool,
}

/// The guest ended, or its time was over, in the middle of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the function ended in the middle of its answer")]
struct Torn;

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = ready!(self.rest.poll_recv(cx));
        Poll::Ready(match piece {
            Some(Piece::Frame(frame)) => Some(Ok(frame)),
            Some(Piece::End) => {
                self.is_over = true;
                None
            }
            None => {
                self.is_over = true;
                Some(Err(Torn.into()))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.size.exact() == Some(0)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.size
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerBody")
    }
}
