//! Our end of the wire to a node: operations as JSON documents, code packages, and streams of JSON lines. Every request is
//! signed; an open node does not look, any other insists.

use std::fmt;
use std::time::Duration;

use base::Clock;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::problem::Problem;

/// How long a node may take to take a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long an operation may take to begin its answer. A function's invocation has its own, longer one.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How long a deployment may take to begin: it waits for one that was cut off before and goes on.
const DEPLOY_PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Lambda's longest time-out, and a cold start.
const INVOKE_PATIENCE: Duration = Duration::from_secs(16 * 60);
/// The most of an answer that we take into memory.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Says the region where a path does not.
const REGION_HEADER: &str = "x-freehold-region";
/// The longest line of a stream.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No node there.
    #[error("Nothing answers at {endpoint}.")]
    NobodyThere {
        /// Where we tried.
        endpoint: Endpoint,
    },
    /// The node refuses.
    #[error("{0}")]
    Fault(Fault),
    /// It takes too long.
    #[error("{endpoint} has not answered {what} for {} s.", .patience.as_secs())]
    Late {
        /// Where.
        endpoint: Endpoint,
        /// What was asked.
        what: String,
        /// For how long we waited.
        patience: Duration,
    },
    /// It went away before it had answered.
    #[error("The node at {endpoint} went away before its answer was whole ({detail}).")]
    BrokenOff {
        /// Where.
        endpoint: Endpoint,
        /// What was noticed.
        detail: String,
    },
    /// The answer is not what a Freehold node says.
    #[error("The answer of {endpoint} to {what} makes no sense: {detail}.")]
    Garbled {
        /// Where.
        endpoint: Endpoint,
        /// What was asked.
        what: String,
        /// What was wrong.
        detail: String,
    },
}

/// A refusal, as the node words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The exception's name.
    pub(crate) code: String,
    /// What it says.
    pub(crate) message: String,
    /// HTTP's number for it.
    pub(crate) status: u16,
    /// The resource of a template, and the path of its property, that it is about.
    pub(crate) place: Option<(String, String)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl Fault {
    fn read(status: StatusCode, body: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        if document.is_object() {
            return Self { status: status.as_u16(), ..Self::of_document(&document) };
        }
        let text = String::from_utf8_lossy(body);
        let message = match text.trim() {
            "" => "The node refused without saying why.".to_owned(),
            text => text.chars().take(500).collect(),
        };
        Self { code: format!("HTTP {}", status.as_u16()), message, status: status.as_u16(), place: None }
    }

    /// A fault that came inside an answer; it has no status of its own.
    pub(crate) fn of_document(document: &Value) -> Self {
        // In a stream of lines a fault is wrapped, to be told from a result.
        let document = document.get("Fault").unwrap_or(document);
        let member = |names: &[&str]| {
            names.iter().find_map(|name| document.get(name).and_then(Value::as_str)).map(ToOwned::to_owned)
        };
        let code = member(&["__type", "code", "Code"]).unwrap_or_default();
        // Some protocols write the code as NAMESPACE#NAME.
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let message = member(&["message", "Message"]);
        let message = message.unwrap_or_else(|| "The node refused without saying why.".to_owned());
        Self { code, message, status: 0, place: member(&["Resource"]).zip(member(&["Path"])) }
    }
}

impl Error {
    /// The node's refusal, where it is one.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::NobodyThere { .. } | Self::Late { .. } | Self::BrokenOff { .. } | Self::Garbled { .. } => None,
        }
    }

    /// Whether the node says that there is no such thing: some services say it with 404, some with 400.
    pub(crate) fn is_not_found(&self) -> bool {
        self.fault().is_some_and(|fault| fault.code == "ResourceNotFoundException" || fault.status == 404)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::new(error.to_string());
        match error {
            Error::NobodyThere { .. } => {
                problem.advise("Start a node with: freehold up\nIf it runs elsewhere, say where with --endpoint URL.")
            }
            Error::Fault(fault) => match (fault.code.as_str(), fault.status) {
                (_, 401 | 403) => problem.advise(
                    "This node checks signatures. Run the command where the node's data folder is (--data DIR), or set\n\
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
                ),
                (_, 507) => problem.advise("Nothing was changed. Make room on the disk, then try again."),
                _ if fault.message.contains("No space left on device") => {
                    problem.advise("Nothing was changed. Make room on the node's disk, then try again.")
                }
                _ => problem,
            },
            Error::Late { .. } => problem.advise("The node may be overloaded; its log tells more."),
            Error::BrokenOff { .. } => problem.advise(GONE),
            Error::Garbled { .. } => {
                problem.advise("Is it a Freehold node of this version that listens there? See: freehold doctor")
            }
        }
    }
}

/// What to do about a node that stopped while it was talked to.
const GONE: &str = "It has stopped or died; its last lines tell why. Start it again with: freehold up\nNothing that it had acknowledged is \
                    lost, unless it ran with --memory.";

/// A connection pool to one node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    endpoint: Endpoint,
    credentials: Credentials,
    region: String,
    clock: Clock,
}

impl Client {
    /// Connects when the first request is made.
    pub(crate) fn new(endpoint: Endpoint, credentials: Credentials, region: String, clock: Clock) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        connector.set_nodelay(true);
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { http, endpoint, credentials, region, clock }
    }

    /// Where the node is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Calls an operation by AWS's names, such as `lambda` and `ListFunctions`.
    pub(crate) async fn call(&self, service: &str, operation: &str, input: &Value) -> Result<Value, Error> {
        let patience = if operation == "Invoke" { INVOKE_PATIENCE } else { ANSWER_PATIENCE };
        let path = format!("/_call/{service}/{operation}");
        let body = Bytes::from(input.to_string());
        let response = self.send(Method::POST, &path, body, patience).await?;
        self.document(&path, response).await
    }

    /// Asks for a JSON document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Error> {
        let response = self.send(Method::GET, path, Bytes::new(), ANSWER_PATIENCE).await?;
        self.document(path, response).await
    }

    /// Posts a document and asks for one.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let response = self.send(Method::POST, path, body.to_string().into(), ANSWER_PATIENCE).await?;
        self.document(path, response).await
    }

    /// Stores a code package under its SHA-256. Doing it twice changes nothing.
    pub(crate) async fn put_asset(&self, sha256: &str, zip: Bytes) -> Result<(), Error> {
        let path = format!("/_assets/{sha256}");
        let response = self.send(Method::PUT, &path, zip, ANSWER_PATIENCE).await?;
        self.whole(&path, response).await.map(drop)
    }

    /// Posts a document; the answer is a stream of JSON lines.
    pub(crate) async fn lines_of_post(&self, path: &str, body: &Value) -> Result<Lines, Error> {
        let body = Bytes::from(body.to_string());
        let response = self.send(Method::POST, path, body, DEPLOY_PATIENCE).await?;
        Ok(self.lines(path, response))
    }

    /// Asks for a stream of JSON lines.
    pub(crate) async fn lines_of_get(&self, path: &str) -> Result<Lines, Error> {
        let response = self.send(Method::GET, path, Bytes::new(), ANSWER_PATIENCE).await?;
        Ok(self.lines(path, response))
    }

    /// The region that is meant, where a path has no other way to say it.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    fn lines(&self, path: &str, response: Response<Incoming>) -> Lines {
        let what = path.to_owned();
        Lines { body: response.into_body(), buffer: BytesMut::new(), endpoint: self.endpoint.clone(), what }
    }

    /// Sends, and refuses what is no success.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let request = self.request(method, path, body)?;
        let answer = tokio::time::timeout(patience, self.http.request(request)).await;
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err(Error::NobodyThere { endpoint: self.endpoint.clone() });
            }
            Ok(Err(error)) => return Err(broken(&self.endpoint, path, &error)),
            Err(_) => return Err(Error::Late { endpoint: self.endpoint.clone(), what: path.to_owned(), patience }),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let fault = Fault::read(status, &self.whole(path, response).await?);
        // Every refusal of a node's is JSON with a code. A page for people comes from something else that listens there.
        if fault.message.starts_with('<') {
            return Err(self.garbled(path, &format!("it is a web page (HTTP {})", status.as_u16())));
        }
        Err(Error::Fault(fault))
    }

    /// A signed request. The service that a path belongs to is the signature's scope.
    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
        let unsendable = |error: &dyn fmt::Display| self.garbled(path, &format!("it cannot be asked for: {error}"));
        let authority = self.endpoint.authority();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header(http::header::HOST, &authority)
            .header(http::header::USER_AGENT, concat!("freehold/", env!("CARGO_PKG_VERSION")))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(REGION_HEADER, &self.region)
            .body(body)
            .map_err(|error| unsendable(&error))?;
        let head = signature::Head {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            host: &authority,
            headers: request.headers(),
        };
        let signer = signature::Signer {
            access_key: &self.credentials.key_id,
            secret: &self.credentials.secret,
            session_token: self.credentials.token.as_deref(),
            region: &self.region,
            service: service_of(path),
        };
        let signed = signer.headers(&head, request.body(), self.clock.now()).map_err(|refusal| unsendable(&refusal))?;
        request.headers_mut().extend(signed);
        Ok(request.map(Full::new))
    }

    async fn whole(&self, what: &str, response: Response<Incoming>) -> Result<Bytes, Error> {
        match http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(broken(&self.endpoint, what, error.as_ref())),
        }
    }

    async fn document(&self, what: &str, response: Response<Incoming>) -> Result<Value, Error> {
        let body = self.whole(what, response).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| self.garbled(what, &error))
    }

    fn garbled(&self, what: &str, detail: &impl ToString) -> Error {
        Error::Garbled { endpoint: self.endpoint.clone(), what: what.to_owned(), detail: detail.to_string() }
    }
}

/// Whose operations lie under a path: the service in `/_call/SERVICE/…`, else the one that the rest of the paths belong to.
fn service_of(path: &str) -> &str {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("_call"), Some(service)) => service,
        (Some("_assets"), _) => "lambda",
        (Some("_logs"), _) => "logs",
        (Some("_schedules"), _) => "scheduler",
        _ => "cloudformation",
    }
}

/// An exchange that did not come to its end: because the other side is gone, or because what it says is no HTTP, or too much.
fn broken(endpoint: &Endpoint, what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let (endpoint, detail) = (endpoint.clone(), innermost(error));
    match is_hang_up(error) {
        true => Error::BrokenOff { endpoint, detail },
        false => Error::Garbled { endpoint, what: what.to_owned(), detail },
    }
}

/// Whether it is about a connection that ended, and not about what came by it.
fn is_hang_up(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let hyper = cause.downcast_ref::<hyper::Error>();
        let system = cause.downcast_ref::<std::io::Error>();
        hyper.is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled())
            || system.is_some_and(|error| {
                [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind())
            })
    })
}

/// The cause that tells most: hyper's outer errors only say that something happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A stream of JSON documents, one a line.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: BytesMut,
    endpoint: Endpoint,
    what: String,
}

impl Lines {
    /// The next document; nothing at the end. Waits as long as it takes. Safe to drop between documents.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.read(&line).map(Some);
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(self.garbled(&format!("a line of more than {LINE_BYTES_MAX} bytes")));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(broken(&self.endpoint, &self.what, &error)),
                None if self.buffer.trim_ascii().is_empty() => return Ok(None),
                None => {
                    let line = self.buffer.split();
                    return self.read(&line).map(Some);
                }
            }
        }
    }

    fn read(&self, line: &[u8]) -> Result<Value, Error> {
        serde_json::from_slice(line).map_err(|error| self.garbled(&error))
    }

    /// The stream ended before it said what it came to.
    pub(crate) fn broken_off(&self) -> Error {
        Error::BrokenOff { endpoint: self.endpoint.clone(), detail: "it ended early".to_owned() }
    }

    fn garbled(&self, detail: &impl ToString) -> Error {
        Error::Garbled { endpoint: self.endpoint.clone(), what: self.what.clone(), detail: detail.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_each_protocol_writes_them() {
        let check = |status: u16, body: &str, code: &str, message: &str| {
            let fault = Fault::read(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!((fault.code.as_str(), fault.message.as_str(), fault.status), (code, message, status));
        };
        check(404, r#"{"__type":"ResourceNotFoundException","message":"none"}"#, "ResourceNotFoundException", "none");
        check(400, r#"{"__type":"aws#Bad","Message":"m"}"#, "Bad", "m");
        check(400, r#"{"Fault":{"__type":"ValidationError","message":"m"}}"#, "ValidationError", "m");
        let placed = r#"{"Fault":{"__type":"V","message":"m","Resource":"A","Path":""}}"#;
        let fault = Fault::read(StatusCode::BAD_REQUEST, placed.as_bytes());
        assert_eq!(fault.place, Some(("A".to_owned(), String::new())));
        check(502, "<html>bad gateway</html>", "HTTP 502", "<html>bad gateway</html>");
        check(503, "", "HTTP 503", "The node refused without saying why.");
    }

    #[test]
    fn a_full_disk_comes_with_advice() {
        let message = "The asset could not be kept: No space left on device (os error 28)".to_owned();
        let fault = Fault { code: "ServiceUnavailable".to_owned(), message, status: 503, place: None };
        assert!(Problem::from(Error::Fault(fault)).to_string().contains("Make room on the node's disk"));
    }

    #[tokio::test]
    async fn something_else_that_listens_there_is_told_from_a_node() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap();
        let client =
            Client::new(Endpoint::of(port), Credentials::placeholder(), "us-east-1".to_owned(), Clock::system());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let page = "<!DOCTYPE HTML><html></html>";
            let answer = format!("HTTP/1.1 501 No\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream
        };
        let input = Value::Null;
        let (answer, _stream) = tokio::join!(client.call("lambda", "ListFunctions", &input), serve);
        let text = Problem::from(answer.unwrap_err()).to_string();
        assert!(text.contains("a web page (HTTP 501)") && text.contains("freehold doctor"), "{text}");
    }

    #[tokio::test]
    async fn a_node_that_dies_while_it_answers_is_told_from_one_that_talks_nonsense() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for (answer, expected) in [
            (String::new(), "went away before its answer was whole"),
            (format!("{chunked}3\r\n{{}}\n\r\n"), "went away before its answer was whole"),
            (format!("{chunked}3\r\n{{}}\n\r\n5\r\n{{\"a"), "went away before its answer was whole"),
            (format!("{chunked}nonsense\r\n"), "makes no sense"),
            ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), "makes no sense"),
        ] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap();
            let client =
                Client::new(Endpoint::of(port), Credentials::placeholder(), "us-east-1".to_owned(), Clock::system());
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let read = async {
                let mut lines = client.lines_of_get("/_logs/g").await?;
                while lines.next().await?.is_some() {}
                Ok::<_, Error>(())
            };
            let (read, ()) = tokio::join!(read, serve);
            let text = Problem::from(read.unwrap_err()).to_string();
            assert!(text.contains(expected), "{answer:?}: {text}");
            assert_eq!(text.contains("freehold up"), !expected.contains("sense"), "{text}");
        }
    }

    #[tokio::test]
    async fn nobody_there_says_how_to_start() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client =
            Client::new(Endpoint::of(port), Credentials::placeholder(), "us-east-1".to_owned(), Clock::system());
        let problem = Problem::from(client.get("/_health").await.unwrap_err());
        let text = problem.render(&crate::screen::Look::plain());
        assert_eq!(
            text,
            format!(
                "error: Nothing answers at http://{port}.\n  Start a node with: freehold up\n  If it runs elsewhere, say \
                 where with --endpoint URL.\n"
            )
        );
    }
}
