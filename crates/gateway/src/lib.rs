//! Users' own HTTP: a request to a function's URL becomes an invocation, and what the function returns becomes the response.
//!
//! Not here: sockets and signatures (the door hands over requests, and tells who signed them), where functions are kept and how they
//! run ([`Functions`], which the node implements).
//!
//! What always holds: a request body is at most [`BODY_BYTES_MAX`]; a function that fails, however, answers `502` and never takes the
//! connection along; an address with `AuthType` `AWS_IAM` is never served to somebody unproven.
//!
//! This is the busiest road in the house: one buffer for the event, no tasks, no locks, no values built only to be written out again.

pub mod address;
mod answer;
mod cors;
mod event;

use std::net::IpAddr;
use std::sync::Arc;

use base::{Clock, Random};
use bytes::Bytes;
use contract::{Principal, Trace};
use dispatch::BoxFuture;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

pub use address::{Address, Named};
pub use cors::Cors;
pub use event::{Ingredients, event};

/// The largest body that a function is given, as on AWS: 6 MB.
pub const BODY_BYTES_MAX: usize = 6 << 20;

/// Finds functions by their addresses and runs them.
pub trait Functions: Send + Sync + 'static {
    /// The function behind that address, from memory. `None`: there is no such address.
    fn find(&self, named: Named<'_>) -> Option<Arc<Target>>;

    /// Runs it once.
    fn invoke<'a>(&'a self, target: &'a Target, invocation: Invocation) -> BoxFuture<'a, Result<Returned, Refusal>>;

    /// Whether that principal may call an address with `AuthType` `AWS_IAM`, by its own policies or the function's.
    fn admits<'a>(&'a self, target: &'a Target, principal: &'a Principal) -> BoxFuture<'a, bool>;
}

/// A function's address, and what is needed to serve it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The ARN that the function sees as invoked, with its alias where the address belongs to one.
    pub arn: String,
    /// The function's name.
    pub function: String,
    /// The version or alias, or `None` for the unpublished one.
    pub qualifier: Option<String>,
    /// The id of the URL's configuration.
    pub url_id: String,
    /// The region's name.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// Whether callers must be proven by signature.
    pub auth: Auth,
    /// What pages of other origins may do; `None`: the function answers such questions itself.
    pub cors: Option<Cors>,
}

/// The `AuthType` of a function's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anybody may call.
    None,
    /// Whoever has a signature and permission.
    Iam,
}

/// What [`Functions::invoke`] is given.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The id of this request.
    pub request_id: String,
    /// The event, as JSON.
    pub payload: Bytes,
    /// The `X-Amzn-Trace-Id` that the function is told.
    pub trace: String,
}

/// What a function returned.
#[derive(Clone, Debug)]
pub struct Returned {
    /// JSON.
    pub payload: Bytes,
    /// Whether the payload is an error, or there is none because the function crashed or ran out of time.
    pub failed: bool,
}

/// Why a function did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A concurrency limit, with AWS's name for it.
    Throttled {
        /// Such as `ReservedFunctionConcurrentInvocationLimitExceeded`.
        reason: &'static str,
    },
    /// The node could not run it, and has logged why.
    Failed,
}

/// Who sent a request, as the door knows it.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The client's address.
    pub peer: IpAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Who signed the request; `None` if nobody did.
    pub principal: Option<Principal>,
    /// The id of this request.
    pub request_id: String,
    /// Where the request stands in its trace.
    pub trace: Trace,
}

/// Serves function URLs. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    functions: Arc<dyn Functions>,
    clock: Clock,
    random: Random,
}

impl Gateway {
    /// A gateway to these functions.
    pub fn new(functions: Arc<dyn Functions>, clock: Clock, random: Random) -> Self {
        Self { functions, clock, random }
    }

    /// Answers one request whose address [`address::parse`] found.
    pub async fn serve<B>(&self, request: Request<B>, sender: Sender) -> Response<Bytes>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str())).unwrap_or("");
        let Some(address) = address::parse(host, parts.uri.path()) else { return unknown("This address") };
        let Some(target) = self.functions.find(address.function) else {
            let (Named::Name(name) | Named::UrlId(name)) = address.function;
            return unknown(name);
        };
        if let Some(cors) = target.cors.as_ref().filter(|_| Cors::is_preflight(&parts.method, &parts.headers)) {
            return cors.preflight(&parts.headers);
        }
        let mut response = self.run(&target, address.path, &parts, body, sender).await;
        if let Some(cors) = &target.cors {
            cors.decorate(&parts.headers, &mut response);
        }
        response
    }

    async fn run<B>(&self, target: &Target, path: &str, parts: &Parts, body: B, sender: Sender) -> Response<Bytes>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let caller = match (target.auth, &sender.principal) {
            (Auth::None, _) => None,
            (Auth::Iam, Some(principal)) if self.functions.admits(target, principal).await => {
                Some(principal.arn(contract::AccountId::parse(&target.account).unwrap_or(contract::AccountId::ONLY)))
            }
            (Auth::Iam, _) => return forbidden(),
        };
        let body = match whole(body).await {
            Ok(body) => body,
            Err(response) => return response,
        };
        let trace = sender.trace.child(&self.random).amzn();
        let payload = event(&Ingredients {
            method: &parts.method,
            path,
            query: parts.uri.query().unwrap_or(""),
            version: parts.version,
            headers: &parts.headers,
            body: &body,
            peer: sender.peer,
            scheme: sender.scheme,
            time: self.clock.now(),
            request_id: &sender.request_id,
            trace: &trace,
            account: &target.account,
            api_id: &target.url_id,
            region: &target.region,
            caller: caller.as_deref(),
        });
        let request_id = HeaderValue::from_str(&sender.request_id);
        let invocation = Invocation { request_id: sender.request_id, payload: payload.into(), trace };
        let mut response = match self.functions.invoke(target, invocation).await {
            Ok(Returned { payload, failed: false }) => answer::response(payload),
            Ok(Returned { failed: true, .. }) => answer::failure(StatusCode::BAD_GATEWAY),
            Err(Refusal::Throttled { reason }) => throttled(reason),
            Err(Refusal::Failed) => answer::failure(StatusCode::INTERNAL_SERVER_ERROR),
        };
        if let Ok(id) = request_id {
            response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        response
    }
}

/// The whole body, or the response that refuses it.
async fn whole<B>(body: B) -> Result<Bytes, Response<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message =
                format!("Request must be smaller than {BODY_BYTES_MAX} bytes for the InvokeFunction operation");
            Err(refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLargeException",
                &serde_json::json!({ "Message": message }),
            ))
        }
        // The client went away or broke the framing: this answer will hardly be read.
        Err(_) => Err(refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            &serde_json::json!({ "Message": "The request's body could not be read." }),
        )),
    }
}

fn unknown(name: &str) -> Response<Bytes> {
    let message = format!(
        "{name} is no function's address here. `freehold ls` shows the functions that have one; give one to a function with: \
         aws lambda create-function-url-config --function-name NAME --auth-type NONE"
    );
    refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", &serde_json::json!({ "Message": message }))
}

fn forbidden() -> Response<Bytes> {
    let message = "Forbidden. This function's URL asks for a signature (AuthType AWS_IAM) of somebody whose policies, or the \
                   function's, allow lambda:InvokeFunctionUrl.";
    refusal(StatusCode::FORBIDDEN, "AccessDeniedException", &serde_json::json!({ "Message": message }))
}

fn throttled(reason: &'static str) -> Response<Bytes> {
    let body = serde_json::json!({ "Reason": reason, "Type": "User", "message": "Rate Exceeded." });
    let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", &body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn refusal(status: StatusCode, code: &'static str, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(code));
    response
}
