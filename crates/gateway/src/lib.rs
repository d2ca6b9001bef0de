//! Users' own HTTP: a request to a function's URL becomes an invocation, and what the function answers becomes the response. A
//! function that is a web server gets the request itself (`through`).
//!
//! This is the busiest path of a node, and is kept short: one look into a table, one buffer that the event is written into
//! ([`event`]), one pass over the function's answer ([`reply`]). It takes no lock of its own and starts no task.
//!
//! What always holds: nothing is reachable that has no URL; who may not come in is refused before the body is read; a body is at
//! most [`BODY_BYTES_MAX`], or streams; whatever the function answers, the client gets a whole HTTP response, or sees that it is not.
//!
//! Not here: sockets and the limits on them (the door), where functions and their URLs are kept ([`FunctionUrls`], given by the
//! node), and how a function runs.

pub mod address;
mod admission;
mod body;
pub mod cors;
pub mod event;
pub mod fuzzing;
mod json;
mod pieces;
mod refusal;
pub mod reply;
mod serve;
mod through;

pub use address::Address;
pub use cors::Cors;
pub use serve::{Gateway, Mode, Parts, Visit};

use std::future::Future;

use bytes::Bytes;
use contract::{AccountId, Arn, Call, Fault, Region};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use tokio::io::DuplexStream;

/// The largest request body, as AWS has it.
pub const BODY_BYTES_MAX: usize = 6 << 20;
/// The largest answer of a function.
pub const ANSWER_BYTES_MAX: usize = (6 << 20) + 100;

/// A body: bytes that are there, or a stream.
pub type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>;
/// Why a body ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Knows the functions and their URLs, and runs them. Lookups are on every request's path: they must come from memory.
pub trait FunctionUrls: Send + Sync + 'static {
    /// A function's URL, cheap to hold for the length of a request.
    type Url: Url;

    /// The URL whose host name begins with that id.
    fn by_id(&self, id: &str) -> Option<Self::Url>;

    /// The URL of the function of that name, which may end in `:ALIAS`; none if there is no such function, or it has none.
    fn by_name(&self, name: &str) -> Option<Self::Url>;

    /// Runs the function. Dropping the future must not stop what an instance has taken.
    fn invoke(&self, call: &Call, url: &Self::Url, event: Bytes) -> impl Future<Output = Result<Answer, Fault>> + Send;

    /// Runs the function, whose answer is wanted while it is made ([`Url::streams`]); returns when it began to answer.
    fn stream(
        &self,
        call: &Call,
        url: &Self::Url,
        event: Bytes,
    ) -> impl Future<Output = Result<Streamed, Fault>> + Send;

    /// Hands a request through to a function that takes it as it is ([`Url::takes_requests`]); returns when it began to answer.
    fn converse(
        &self,
        call: &Call,
        url: &Self::Url,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Conversed, Fault>> + Send;
}

/// One function's URL.
pub trait Url: Send + Sync {
    /// The first label of its host name.
    fn id(&self) -> &str;
    /// The region that the function is in.
    fn region(&self) -> &Region;
    /// The account that it belongs to.
    fn account(&self) -> AccountId;
    /// The function's ARN, with the alias where the URL is an alias's.
    fn arn(&self) -> Arn;
    /// Whether the function is a web server, and wants requests instead of events.
    fn takes_requests(&self) -> bool;
    /// Whether answers are to be handed on while the function makes them.
    fn streams(&self) -> bool;
    /// Who may call.
    fn access(&self) -> Access;
    /// What browsers may do, where that was said.
    fn cors(&self) -> Option<Cors<'_>>;
}

/// Who may call a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `AuthType: NONE`.
    Everybody,
    /// `AuthType: AWS_IAM`.
    Signed,
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON, whole.
    Whole(Bytes),
    /// It failed; the log tells how, the client is not told.
    Failed,
}

/// What came of a request whose answer is wanted while it is made.
#[derive(Debug)]
pub enum Streamed {
    /// It was made as a whole, after all.
    Whole(Answer),
    /// The pieces, as they come; it ends early where the function fails.
    Pieces(Body),
}

/// What came of a request that was handed through.
#[derive(Debug)]
pub enum Conversed {
    /// The function's own response, whose body may still be on its way.
    Answered {
        /// Status, headers and body.
        response: Response<Body>,
        /// After a status of 101: what both sides say from now on.
        tunnel: Option<DuplexStream>,
    },
    /// It failed before it answered; the log tells how, the client is not told.
    Failed,
}
