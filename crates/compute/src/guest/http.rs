//! The link to a guest that is an HTTP server on `$PORT`: any program, in any language, with no library of ours.
//!
//! An invocation is an exchange. One that came as a JSON event is turned into a request and its answer into JSON (`event`), as the
//! Lambda Web Adapter does it; one that came as a request ([`Conversation`]) is handed through as a stream, both ways at once, and goes
//! on as a tunnel where both sides switch protocols (WebSockets). Either way it is an ordinary attempt, with its limits, its log lines
//! and its REPORT.
//!
//! What starts the server is the handler's file (`program`), and what the function's environment says of it are its `habits`.
//!
//! What always holds: a guest is asked only when it listens; nobody but the guest is taken for it (`place`); whatever it answers is
//! bounded or streamed; a broken connection costs a guest that lives nothing but that call. The task that waits for an answer is the
//! one that reads and writes (`line`): there is none in between to be woken.

pub(crate) mod conversation;
pub(crate) mod event;
pub(crate) mod fuzzing;
mod habits;
mod headers;
mod line;
mod place;
mod program;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use sandbox::Exit;
use tokio::sync::watch;

use super::{After, Event, RESPONSE_BYTES_MAX};
use crate::faults;
use crate::invocation::Invocation;
use crate::pieces::{Pieces, STREAM_BYTES_MAX};
use conversation::Caller;
pub use conversation::{Answer, AnswerBody, BodyError, Conversation, Reply, Unanswered};
pub(crate) use habits::{Habits, concurrency, is_server, port};
use line::{Asked, Line, Lines};
pub(crate) use place::{Place, free_port};
pub(crate) use program::{Command, command, is_executable};

/// How long a guest whose connection broke may take to end, if that is why.
const END_PATIENCE: Duration = Duration::from_millis(200);
/// How long lies between two questions whether a server is ready, once it listens.
const PROBE_PAUSE: Duration = Duration::from_millis(10);

/// The fault of a server that hangs up, or says something that is no HTTP.
const NO_ANSWER: (&str, &str) = ("Runtime.InvalidResponse", "The server did not answer");
/// The fault of one whose answer is not whole: AWS's name for it.
const BROKE_OFF: (&str, &str) = ("Runtime.TruncatedResponse", "The server's answer broke off");

/// A request's body on its way to a guest.
type Body = UnsyncBoxBody<Bytes, BodyError>;

/// See the file.
pub(crate) struct HttpLink {
    lines: Arc<Lines>,
    habits: Arc<Habits>,
    ended: watch::Receiver<Option<Exit>>,
    /// What is awaited: that it is ready, or an answer.
    going: Option<BoxFuture<'static, Event>>,
}

impl HttpLink {
    /// A link to a server that may not listen yet.
    pub(crate) fn new(place: Place, habits: Habits, concurrency: u32, ended: watch::Receiver<Option<Exit>>) -> Self {
        let (lines, habits) = (Arc::new(Lines::new(place, concurrency)), Arc::new(habits));
        let ready = ready(Arc::clone(&lines), Arc::clone(&habits));
        Self { lines, habits, ended, going: Some(Box::pin(ready)) }
    }

    /// Another link to the same server, for one more call at a time.
    pub(crate) fn another(&self) -> Self {
        let (lines, habits) = (Arc::clone(&self.lines), Arc::clone(&self.habits));
        Self { lines, habits, ended: self.ended.clone(), going: None }
    }

    /// Nobody waits for the answer any more: the server sees its connection closed.
    pub(crate) fn abandon(&mut self) {
        self.going = None;
    }

    /// What it waits for until it is ready, in words.
    pub(crate) fn awaits(&self) -> String {
        let port = self.lines.port();
        match &self.habits.ready_path {
            Some(path) => {
                let statuses = self.habits.ready_words();
                format!("The server on port {port} did not answer GET {path} with a status of {statuses}")
            }
            None => format!("The server did not listen on port {port} of 127.0.0.1, which PORT says,"),
        }
    }

    /// Hands over an invocation.
    pub(crate) fn invoke(&mut self, invocation: &Invocation, deadline_ms: i64) {
        let lines = Arc::clone(&self.lines);
        let ended = self.ended.clone();
        let opening = invocation.conversation.as_ref().and_then(Conversation::open);
        self.going = Some(match opening {
            Some(opening) => {
                let (mut request, caller) = opening.begin(&lines.host(), &self.habits);
                event::tell(request.headers_mut(), invocation, deadline_ms, &self.habits);
                Box::pin(converse(lines, ended, Arc::clone(&self.habits), request, caller))
            }
            None => {
                let (request, form) = event::request(invocation, deadline_ms, &self.habits);
                match invocation.pieces.clone() {
                    Some(pieces) => Box::pin(pass_on(lines, ended, Arc::clone(&self.habits), request, form, pieces)),
                    None => Box::pin(ask(lines, ended, Arc::clone(&self.habits), request, form)),
                }
            }
        });
    }

    /// The next thing that comes of it. Safe to drop and call again.
    pub(crate) async fn receive(&mut self) -> Event {
        let going = self.going.as_mut();
        let event = tokio::select! {
            biased;
            event = async {
                match going {
                    Some(going) => going.await,
                    None => std::future::pending().await,
                }
            } => event,
            _ = self.ended.wait_for(Option::is_some) => Event::Gone,
        };
        self.going = None;
        event
    }
}

/// Waits until the server listens, and answers if it says where it does.
async fn ready(lines: Arc<Lines>, habits: Arc<Habits>) -> Event {
    let mut line = lines.first().await;
    let Some(path) = &habits.ready_path else {
        lines.put(line);
        return Event::Ready;
    };
    loop {
        let request = Request::get(path.clone()).header("host", lines.host()).header("user-agent", headers::AGENT);
        let Ok(request) = request.body(event::nothing()) else {
            return Event::Broken(format!("'{path}' is no path to ask whether it is ready"));
        };
        // Whoever answers that it has no such path is ready to say so; a server error may pass.
        match line.ask(request).await {
            Ok(response) if habits.is_ready(response.status()) => {
                if line.finish(response.into_body()).await {
                    lines.put(line);
                }
                return Event::Ready;
            }
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(PROBE_PAUSE).await;
        line = lines.first().await;
    }
}

/// One event's exchange.
async fn ask(
    lines: Arc<Lines>,
    ended: watch::Receiver<Option<Exit>>,
    habits: Arc<Habits>,
    request: Request<Body>,
    form: event::Form,
) -> Event {
    let (mut line, response) = match exchange(&lines, request).await {
        Ok(asked) => asked,
        Err(why) => return failed(ended, NO_ANSWER, &why).await,
    };
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    loop {
        match line.frame(&mut body).await {
            None => break,
            Some(Err(error)) => return failed(ended, BROKE_OFF, &error).await,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() > RESPONSE_BYTES_MAX {
                    // Whatever else comes of it comes to nobody: the connection goes with the line.
                    return Event::TooLarge;
                }
            }
        }
    }
    lines.put(line);
    event::answer(form, &habits, &head, &bytes)
}

/// One event's exchange, whose answer is wanted while it comes.
async fn pass_on(
    lines: Arc<Lines>,
    ended: watch::Receiver<Option<Exit>>,
    habits: Arc<Habits>,
    request: Request<Body>,
    form: event::Form,
    pieces: Pieces,
) -> Event {
    let (mut line, response) = match exchange(&lines, request).await {
        Ok(asked) => asked,
        Err(why) => return failed(ended, NO_ANSWER, &why).await,
    };
    let (head, mut body) = response.into_parts();
    if habits.is_failure(head.status, form) {
        return event::failure(head.status, b"");
    }
    if let Some(prelude) = event::prelude(form, &head) {
        line.drive(pieces.send(prelude)).await;
    }
    let mut count = 0;
    loop {
        match line.frame(&mut body).await {
            None => break,
            Some(Err(error)) => return failed(ended, BROKE_OFF, &error).await,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                count += data.len();
                if count > STREAM_BYTES_MAX {
                    return Event::TooLarge;
                }
                line.drive(pieces.send(data)).await;
            }
        }
    }
    lines.put(line);
    Event::Result(Bytes::new())
}

/// One request's exchange, as a stream.
async fn converse(
    lines: Arc<Lines>,
    ended: watch::Receiver<Option<Exit>>,
    habits: Arc<Habits>,
    request: Request<Body>,
    mut caller: Caller,
) -> Event {
    let (mut line, response) = match exchange(&lines, request).await {
        Ok(asked) => asked,
        Err(why) => return failed(ended, NO_ANSWER, &why).await,
    };
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return match caller.tunnel(response, line).await {
            Ok(()) => Event::Result(Bytes::new()),
            Err(why) => failed(ended, NO_ANSWER, &why).await,
        };
    }
    if habits.is_failure(status, event::Form::Two) {
        // Whoever reads the log learns of it; the caller learns that the function failed.
        return event::failure(status, b"");
    }
    let mut body = caller.answer(response);
    loop {
        let frame = tokio::select! {
            frame = line.frame(&mut body) => frame,
            // The server sees its connection closed, as it would without us.
            () = caller.gone() => return Event::Result(Bytes::new()),
        };
        match frame {
            None => {
                caller.end().await;
                lines.put(line);
                return Event::Result(Bytes::new());
            }
            // The request's body may still be on its way meanwhile.
            Some(Ok(frame)) => {
                if line.drive(caller.send(frame)).await.is_err() {
                    return Event::Result(Bytes::new());
                }
            }
            Some(Err(error)) => return failed(ended, BROKE_OFF, &error).await,
        }
    }
}

/// Asks on a connection that is there, or a new one.
async fn exchange(lines: &Lines, request: Request<Body>) -> Result<(Line, Response<Incoming>), String> {
    let mut request = request;
    while let Some(mut line) = lines.take() {
        match line.ask(request).await {
            Ok(response) => return Ok((line, response)),
            // It was closed while nobody asked, and what was not sent can be sent again.
            Err(Asked::Stale(back)) => request = *back,
            Err(Asked::Broken(why)) => return Err(why),
        }
    }
    let mut line = lines.dial().await.map_err(|error| format!("it takes no connection: {error}"))?;
    match line.ask(request).await {
        Ok(response) => Ok((line, response)),
        Err(Asked::Stale(_)) => Err("it closed the connection before it was asked".to_owned()),
        Err(Asked::Broken(why)) => Err(why),
    }
}

/// What a broken exchange is: the end of the guest, or an error of a guest that goes on.
async fn failed(mut ended: watch::Receiver<Option<Exit>>, (kind, what): (&str, &str), why: &str) -> Event {
    if tokio::time::timeout(END_PATIENCE, ended.wait_for(Option::is_some)).await.is_ok() {
        return Event::Gone;
    }
    Event::Error { document: faults::document(kind, &format!("{what}: {why}")), after: After::GoesOn }
}

/// A body that is there already.
fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests;
