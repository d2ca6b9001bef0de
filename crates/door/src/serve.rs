//! One request: who gets it, and what every answer carries.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::task::Tasks;
use base::{Clock, Random};
use bytes::Bytes;
use contract::{Cause, Fault, Region, Trace};
use dispatch::Dispatch;
use futures_util::FutureExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use signature::{Claim, Family, Payload};
use wire::{Protocol, Router};

use crate::auth::{self, Mode, Pending};
use crate::body::{self, ReadError};
use crate::guard::Guard;
use crate::limits::Limits;
use crate::listen::Face;
use crate::mount::{Audience, Mount, Visit};
use crate::own::{self, Health};
use crate::{Body, RequestBody, calls, hello, status};

/// The door of a node. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

/// What a door is built from.
pub struct Parts {
    /// Where calls go.
    pub dispatch: Dispatch,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// Whether callers must prove who they are.
    pub mode: Mode,
    /// What the door bears.
    pub limits: Limits,
    /// Names and origins that it knows, in open mode.
    pub guard: Guard,
    /// What hangs behind it beside AWS's operations and its own paths; asked in order.
    pub mounts: Vec<Arc<dyn Mount>>,
    /// How the node is.
    pub health: Arc<dyn Health>,
}

struct Inner {
    parts: Parts,
    mounts: Vec<Arc<dyn Mount>>,
    router: Router,
    tasks: Tasks,
    running: AtomicUsize,
}

const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The largest body of a request to a mount that says nothing of its hash, and must be held to be checked.
const HELD_BYTES_MAX: usize = 1 << 20;

impl Door {
    /// A door; nobody listens yet.
    pub fn new(mut parts: Parts) -> Self {
        let mut mounts = std::mem::take(&mut parts.mounts);
        mounts.extend(own::mounts(&parts.dispatch, &parts.health));
        mounts.push(Arc::new(calls::Calls::new(&parts.dispatch, &parts.clock)));
        let router = Router::new(wire::SERVICES);
        Self(Arc::new(Inner { parts, mounts, router, tasks: Tasks::new(), running: AtomicUsize::new(0) }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: IpAddr, face: Face) -> Response<Body> {
        let Parts { clock, random, limits, .. } = self.parts();
        let (parts, incoming) = request.into_parts();
        let trace = trace_of(&parts.headers, clock, random);
        let request_id = random.uuid();
        let origin = parts.headers.get(ORIGIN).cloned();
        let _running = Running::count(&self.0.running);
        let mut response = if self.0.running.load(Ordering::Relaxed) > limits.requests_max {
            refuse(&full(limits.requests_max))
        } else {
            match host_of(&parts) {
                Err(fault) => refuse(&fault),
                Ok(host) => {
                    let region = Region::default_one();
                    let visit = Visit { peer, request_id, trace, host, region, principal: None };
                    let body = RequestBody::live(incoming, limits.body_stall_max);
                    let routed = AssertUnwindSafe(self.route(parts, body, visit, face)).catch_unwind().await;
                    routed.unwrap_or_else(|_panic| {
                        tracing::error!(request = %request_id, "answering a request panicked; this is a bug");
                        refuse(&Fault::internal())
                    })
                }
            }
        };
        let headers = response.headers_mut();
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let id: &str = request_id.hyphenated().encode_lower(&mut id);
        set(headers, wire::server::REQUEST_ID, id);
        set(headers, TRACE_ID, &trace.amzn());
        self.allow_origin(origin, headers);
        response
    }

    async fn route(&self, parts: request::Parts, body: RequestBody, visit: Visit, face: Face) -> Response<Body> {
        let path = parts.uri.path();
        let mount = self.0.mounts.iter().find(|mount| mount.wants(&visit.host, path));
        match (mount, face) {
            (Some(mount), _) if mount.audience() == Audience::Public => {
                if face == Face::Public && self.cannot_verify(&parts, &visit.host) {
                    return refuse(&unverifiable());
                }
                return mount.handle(Request::from_parts(parts, body), &visit).await;
            }
            (_, Face::Public) => return refuse(&nothing_here()),
            (_, Face::Whole) => {}
        }
        if let Mode::Open = self.parts().mode
            && let Err(fault) = self.parts().guard.check(&visit.host, path, &parts.headers)
        {
            return refuse(&fault);
        }
        if self.is_preflight(&parts) {
            return preflight(&parts);
        }
        match mount {
            Some(mount) => self.visit(&**mount, parts, body, visit).await,
            None if hello::is_asked_for(&parts) => hello::page(&parts, &visit.host),
            None if path.starts_with("/_") => refuse(&unknown_path(path)),
            None => self.aws(parts, body, visit).await,
        }
    }

    /// In open mode a signature is taken as it is, which is fine among friends. The public address is for strangers: what
    /// wants a signature there wants a true one, and nobody here could tell.
    fn cannot_verify(&self, parts: &request::Parts, host: &str) -> bool {
        matches!(self.parts().mode, Mode::Open) && !matches!(Claim::read(&auth::head(parts, host)), Ok(None) | Err(_))
    }

    /// Lets a request into a mount, once its audience allows it.
    async fn visit(&self, mount: &dyn Mount, parts: request::Parts, body: RequestBody, visit: Visit) -> Response<Body> {
        let admitted = match mount.audience() {
            Audience::Public | Audience::Anybody => Ok((body, visit)),
            Audience::Known | Audience::Owner => self.identify(mount.audience(), &parts, body, visit).await,
        };
        match admitted {
            Ok((body, visit)) => mount.handle(Request::from_parts(parts, body), &visit).await,
            Err(fault) => refuse(&fault),
        }
    }

    /// Who asks. A body whose hash is in the head is checked while the mount reads it; any other is held, and bounded.
    async fn identify(
        &self,
        audience: Audience,
        parts: &request::Parts,
        body: RequestBody,
        mut visit: Visit,
    ) -> Result<(RequestBody, Visit), Fault> {
        let head = auth::head(parts, &visit.host);
        let pending = auth::begin(&self.parts().mode, &head, &self.parts().clock, Family::Json).await?;
        if let Some(region) = pending.claim().and_then(|claim| Region::parse(&claim.scope.region)) {
            visit.region = region;
        }
        let claimed = parts.headers.get(CONTENT_SHA256).and_then(|value| value.to_str().ok());
        let (body, principal) = match (pending, claimed) {
            (open @ Pending::Open(_), _) => (body, open.finish(&head, Payload::AsClaimed, Family::Json)?),
            (pending, Some(sha256)) => {
                let principal = pending.finish(&head, Payload::AsClaimed, Family::Json)?;
                (if sha256 == "UNSIGNED-PAYLOAD" { body } else { body.signed(sha256.to_owned()) }, principal)
            }
            (pending, None) => {
                let held = body.read(HELD_BYTES_MAX).await.map_err(|error| held_fault(&error))?;
                let principal = pending.finish(&head, Payload::Bytes(&held), Family::Json)?;
                (RequestBody::whole(held), principal)
            }
        };
        if audience == Audience::Owner {
            auth::check_owner(&principal)?;
        }
        visit.principal = Some(principal);
        Ok((body, visit))
    }

    fn is_preflight(&self, parts: &request::Parts) -> bool {
        parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && parts.headers.get(ORIGIN).is_some_and(|origin| self.is_listed(origin))
    }

    fn is_listed(&self, origin: &HeaderValue) -> bool {
        let listed = |origin| self.parts().guard.allows_origin(origin);
        matches!(self.parts().mode, Mode::Open) && origin.to_str().is_ok_and(listed)
    }

    /// Pages of listed origins may read answers. A mount that says something itself is not contradicted.
    fn allow_origin(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin.filter(|origin| self.is_listed(origin)) else { return };
        if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// One request more, until it is dropped.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn count(running: &'a AtomicUsize) -> Self {
        running.fetch_add(1, Ordering::Relaxed);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A fault as an answer, where no AWS protocol was spoken.
pub(crate) fn refuse(fault: &Fault) -> Response<Body> {
    let number = status::of(fault, Protocol::RestJson);
    let text = serde_json::json!({ "__type": fault.code, "message": fault.message }).to_string();
    let mut response = Response::new(body::whole(text));
    *response.status_mut() = StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    set(headers, http::header::CONTENT_TYPE, "application/json");
    set(headers, HeaderName::from_static("x-amzn-errortype"), &fault.code);
    with_retry_after(fault, headers);
    response
}

/// Tells throttled clients when to come again.
pub(crate) fn with_retry_after(fault: &Fault, headers: &mut HeaderMap) {
    match fault.cause {
        Cause::Throttled | Cause::Unavailable if !headers.contains_key(RETRY_AFTER) => {
            let given = fault.members.iter().find(|(name, _)| *name == "Retry-After");
            let seconds = given.and_then(|(_, value)| value.as_str()).unwrap_or("1");
            set(headers, RETRY_AFTER, seconds);
        }
        Cause::Throttled
        | Cause::Unavailable
        | Cause::Invalid
        | Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::TooLarge
        | Cause::Unserved
        | Cause::TimedOut
        | Cause::Internal => {}
    }
}

/// The fault of a body that could not be read, for `operation`.
pub(crate) fn body_fault(error: &ReadError, operation: &str) -> Fault {
    let fault =
        |cause, code: &str, status| Fault { status: Some(status), ..Fault::new(cause, code, error.to_string()) };
    match error {
        ReadError::TooLarge { limit } => crate::limits::body_too_large(operation, *limit),
        ReadError::Stalled(_) => fault(Cause::TimedOut, "RequestTimeout", 408),
        ReadError::NotSigned => fault(Cause::Unauthenticated, "InvalidSignatureException", 403),
        ReadError::Broken(_) => fault(Cause::Invalid, "IncompleteBody", 400),
    }
}

fn held_fault(error: &ReadError) -> Fault {
    match error {
        ReadError::TooLarge { limit } => {
            let message = format!(
                "A signed request whose body is larger than {limit} bytes must say its SHA-256 in the header \
                 X-Amz-Content-Sha256, so that it need not be held in memory."
            );
            Fault { status: Some(413), ..Fault::new(Cause::TooLarge, "RequestEntityTooLargeException", message) }
        }
        ReadError::Stalled(_) | ReadError::NotSigned | ReadError::Broken(_) => body_fault(error, "signed"),
    }
}

/// HTTP/2 has the host in its target, HTTP/1.1 in exactly one header.
fn host_of(parts: &request::Parts) -> Result<Arc<str>, Fault> {
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.as_str().into());
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => Ok(host.into()),
        (Some(_) | None, _) => Err(Fault::new(
            Cause::Invalid,
            "BadRequest",
            "A request must have exactly one Host header, in plain ASCII.",
        )),
    }
}

/// The trace that a request belongs to, one step further in; a new one where it brings none that can be read.
fn trace_of(headers: &HeaderMap, clock: &Clock, random: &Random) -> Trace {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let given = text(TRACE_ID).and_then(|value| Trace::from_amzn(value, random));
    let given = given.or_else(|| text(TRACEPARENT).and_then(Trace::from_traceparent));
    given.map_or_else(|| Trace::start(clock, random), |trace| trace.child(random))
}

fn preflight(parts: &request::Parts) -> Response<Body> {
    let mut response = Response::new(body::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE");
    if let Some(asked) = parts.headers.get(http::header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

/// Sets a header; a value that no header can have is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn full(limit: usize) -> Fault {
    let message = format!("This node works on {limit} requests at once, and all are taken. Try again in a second.");
    Fault::new(Cause::Unavailable, "SlowDown", message)
}

fn nothing_here() -> Fault {
    Fault::new(Cause::NotFound, "NotFound", "Nothing is served here. This address serves functions' URLs only.")
}

fn unverifiable() -> Fault {
    let message = "This request is signed, and this node does not check signatures: start it with --auth iam to serve URLs that \
                   want them at a public address.";
    Fault { status: Some(403), ..Fault::new(Cause::Denied, "AccessDeniedException", message) }
}

fn unknown_path(path: &str) -> Fault {
    let message = format!(
        "There is nothing at {}. Paths that begin with /_ are the node's own: /_fn/NAME/… (functions), /_health, /_metrics, \
         /_call/SERVICE/OPERATION.",
        path.chars().take(64).collect::<String>()
    );
    Fault::new(Cause::NotFound, "NotFound", message)
}
