//! The Lambda Runtime API over HTTP/1.1, one server per instance: for `provided` and for the published runtime clients.
//!
//! Paths, headers and status codes are AWS's. It listens on a port of the loopback that only its instance learns; where instances
//! have user ids of their own, connections of anybody else are closed unanswered.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base::task;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sandbox::Exit;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

use super::{After, Event, RESPONSE_BYTES_MAX, peer};
use crate::invocation::Invocation;

/// How a result comes: `streaming` for one in pieces.
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
/// What an error is called; a trailer where the result came in pieces, and the document in base64 beside it.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const PREFIX: &str = "/2018-06-01/runtime/";
/// The most connections of one guest at a time; more wait.
const CONNECTIONS_MAX: usize = 16;
/// Enough for every event of one invocation: a guest that says more waits.
const EVENTS_MAX: usize = 4;

/// Compute's side.
pub(crate) struct ApiLink {
    calls: mpsc::Sender<Call>,
    events: mpsc::Receiver<Event>,
    /// Says when the guest's process ended.
    ended: watch::Receiver<Option<Exit>>,
    server: AbortHandle,
    state: Arc<Mutex<State>>,
}

/// A bound port, before the guest that will use it exists.
pub(crate) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

/// An invocation on its way to `next`.
struct Call {
    headers: HeaderMap,
    payload: Bytes,
}

/// What the guest is doing, as AWS names it in faults.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Started,
    Ready,
    Running { request_id: String },
    ResponseSent,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Ready => "Ready",
            Self::Running { .. } => "Running",
            Self::ResponseSent => "RuntimeInvocationResponse",
        }
    }
}

/// What came with a request.
enum Body {
    Whole(Bytes),
    TooLarge,
    Torn,
}

struct Server {
    calls: tokio::sync::Mutex<mpsc::Receiver<Call>>,
    events: mpsc::Sender<Event>,
    state: Arc<Mutex<State>>,
}

impl Door {
    /// Takes a free port of the loopback.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Takes a port of the guest's own network, which nobody else reaches. Call it within the runtime.
    pub(crate) fn inside(listener: std::net::TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, address })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` says.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve the guest, whose sockets belong to `uid` if it has one of its own.
    pub(crate) fn serve(self, uid: Option<u32>, ended: watch::Receiver<Option<Exit>>) -> ApiLink {
        let (calls, calls_here) = mpsc::channel(1);
        let (events_here, events) = mpsc::channel(EVENTS_MAX);
        let state = Arc::new(Mutex::new(State::Started));
        let server = Arc::new(Server {
            calls: tokio::sync::Mutex::new(calls_here),
            events: events_here,
            state: Arc::clone(&state),
        });
        let accept = accept(self.listener, self.address, uid, server);
        let server = task::spawn(task::Kind::Work, "runtime api", accept).abort_handle();
        ApiLink { calls, events, ended, server, state }
    }
}

impl ApiLink {
    /// Hands over an invocation.
    pub(crate) fn invoke(&mut self, invocation: &Invocation, deadline_ms: i64) {
        *self.state.lock().expect("nothing panics while it holds this lock") =
            State::Running { request_id: invocation.request_id.clone() };
        let call = Call { headers: headers(invocation, deadline_ms), payload: invocation.payload.clone() };
        if self.calls.try_send(call).is_err() {
            // The guest asked for no more since the last one: it will be timed out.
            tracing::debug!("a guest has an invocation that it did not fetch");
        }
    }

    /// The next thing that the guest says.
    pub(crate) async fn receive(&mut self) -> Event {
        tokio::select! {
            biased;
            event = self.events.recv() => event.unwrap_or(Event::Gone),
            _ = self.ended.wait_for(Option::is_some) => Event::Gone,
        }
    }
}

impl Drop for ApiLink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn headers(invocation: &Invocation, deadline_ms: i64) -> HeaderMap {
    let facts = [
        ("lambda-runtime-aws-request-id", Some(invocation.request_id.clone())),
        ("lambda-runtime-deadline-ms", Some(deadline_ms.to_string())),
        ("lambda-runtime-invoked-function-arn", Some(invocation.invoked_arn.clone())),
        ("lambda-runtime-trace-id", invocation.trace.clone()),
        ("lambda-runtime-client-context", invocation.client_context.clone()),
        ("lambda-runtime-cognito-identity", invocation.cognito_identity.clone()),
        ("content-type", Some("application/json".to_owned())),
    ];
    let mut headers = HeaderMap::with_capacity(facts.len());
    for (name, value) in facts {
        // A value that no header can carry (a line break, say) is left out, like one that was not given.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(header::HeaderName::from_static(name), value);
        }
    }
    headers
}

async fn accept(listener: TcpListener, here: SocketAddr, uid: Option<u32>, server: Arc<Server>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, peer)) if uid.is_none() || peer::owner(peer, here) == uid => stream,
            Ok((_, peer)) => {
                tracing::warn!(%peer, "a connection to a guest's runtime api came from somebody else and was closed");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "a guest's runtime api could not take a connection");
                return;
            }
        };
        while connections.try_join_next().is_some() {}
        let server = Arc::clone(&server);
        connections.spawn(async move {
            serve(stream, server).await;
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, server: Arc<Server>) {
    // Answers are small and awaited: never hold them back for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
    });
    // The guest may hang up at any time; there is nobody to tell.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if let Some(id) = streamed(&head) {
            return self.stream(id, body).await;
        }
        // Always read, or the connection could not be used again.
        let body = match Limited::new(body, RESPONSE_BYTES_MAX).collect().await {
            Ok(body) => Body::Whole(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Body::TooLarge,
            Err(_) => Body::Torn,
        };
        let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        match (&head.method, parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, body).await,
            (&Method::POST, ["invocation", id, "error"]) => self.error(id, &head.headers, body).await,
            (&Method::POST, ["init", "error"]) => self.init_error(&head.headers, body).await,
            (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]) => {
                fault(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "this path has another method")
            }
            _ => fault(StatusCode::NOT_FOUND, "NotFound", "there is no such path in the runtime API"),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let first = {
            let mut state = self.state.lock().expect("nothing panics while it holds this lock");
            let first = *state == State::Started;
            if first {
                *state = State::Ready;
            }
            first
        };
        if first && self.events.send(Event::Ready).await.is_err() {
            return fault(StatusCode::GONE, "Gone", "this instance is ending");
        }
        let Some(call) = self.calls.lock().await.recv().await else {
            return fault(StatusCode::GONE, "Gone", "this instance is ending");
        };
        let mut response = Response::new(Full::new(call.payload));
        *response.headers_mut() = call.headers;
        response
    }

    async fn response(&self, id: &str, body: Body) -> Response<Full<Bytes>> {
        if let Err(fault) = self.leave_running(id, "InvocationResponse") {
            return *fault;
        }
        match body {
            Body::Whole(body) => self.tell(Event::Result(body)).await,
            Body::TooLarge => {
                self.tell(Event::TooLarge).await;
                let message = format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
                fault(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
            }
            Body::Torn => self.tell_torn().await,
        }
    }

    /// A result that comes in pieces, and after them perhaps an error, in trailers.
    async fn stream(&self, id: &str, mut body: Incoming) -> Response<Full<Bytes>> {
        if let Err(fault) = self.leave_running(id, "InvocationResponse") {
            return *fault;
        }
        let mut trailers = HeaderMap::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return self.tell_torn().await };
            match frame.into_data() {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => {
                    if self.events.send(Event::Piece(piece)).await.is_err() {
                        return fault(StatusCode::GONE, "Gone", "this instance is ending");
                    }
                }
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        let Some(kind) = trailers.get(ERROR_TYPE) else { return self.tell(Event::Result(Bytes::new())).await };
        let said = trailers.get(ERROR_BODY).and_then(|value| STANDARD.decode(value.as_bytes()).ok());
        let document = error_document(Some(kind), Body::Whole(said.unwrap_or_default().into()));
        self.tell(Event::Error { document, after: After::GoesOn }).await
    }

    async fn tell_torn(&self) -> Response<Full<Bytes>> {
        let message = "The response ended before it was whole";
        let document = crate::faults::document("Runtime.TruncatedResponse", message);
        self.tell(Event::Error { document, after: After::GoesOn }).await;
        fault(StatusCode::BAD_REQUEST, "TruncatedResponse", message)
    }

    async fn error(&self, id: &str, headers: &HeaderMap, body: Body) -> Response<Full<Bytes>> {
        if let Err(fault) = self.leave_running(id, "InvocationErrorResponse") {
            return *fault;
        }
        self.tell(Event::Error { document: error_document(headers.get(ERROR_TYPE), body), after: After::GoesOn }).await
    }

    async fn init_error(&self, headers: &HeaderMap, body: Body) -> Response<Full<Bytes>> {
        let name = {
            let state = self.state.lock().expect("nothing panics while it holds this lock");
            (*state != State::Started).then(|| state.name())
        };
        match name {
            Some(name) => transition(name, "InitError"),
            None => self.tell(Event::InitError(error_document(headers.get(ERROR_TYPE), body))).await,
        }
    }

    /// From running to answered, if `id` is what runs.
    fn leave_running(&self, id: &str, to: &str) -> Result<(), Box<Response<Full<Bytes>>>> {
        let mut state = self.state.lock().expect("nothing panics while it holds this lock");
        match &*state {
            State::Running { request_id } if request_id == id => {
                *state = State::ResponseSent;
                Ok(())
            }
            State::Running { .. } => {
                Err(Box::new(fault(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")))
            }
            State::Started | State::Ready | State::ResponseSent => Err(Box::new(transition(state.name(), to))),
        }
    }

    async fn tell(&self, event: Event) -> Response<Full<Bytes>> {
        match self.events.send(event).await {
            Ok(()) => json(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n")),
            Err(_) => fault(StatusCode::GONE, "Gone", "this instance is ending"),
        }
    }
}

/// The id of the invocation whose result a request brings in pieces, if it does.
fn streamed(head: &http::request::Parts) -> Option<&str> {
    let mode = head.headers.get(RESPONSE_MODE).filter(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"));
    mode.filter(|_| head.method == Method::POST)?;
    let path = head.uri.path().strip_prefix(PREFIX)?;
    path.strip_prefix("invocation/")?.strip_suffix("/response").filter(|id| !id.contains('/'))
}

/// What the guest says of its error: its body if that is an object, else one made of its header.
fn error_document(kind: Option<&HeaderValue>, body: Body) -> Bytes {
    let body = match body {
        Body::Whole(body) => body,
        Body::TooLarge | Body::Torn => Bytes::new(),
    };
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body).is_ok() {
        return body;
    }
    let kind = kind.and_then(|value| value.to_str().ok());
    crate::faults::document(kind.unwrap_or("Runtime.Unknown"), &String::from_utf8_lossy(&body))
}

fn transition(from: &str, to: &str) -> Response<Full<Bytes>> {
    let message =
        format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed");
    fault(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
}

fn fault(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": kind });
    json(status, Bytes::from(body.to_string()))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
