//! One request: who gets it, and what every answer carries.

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
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HOST, ORIGIN, RETRY_AFTER,
    USER_AGENT, VARY,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, request};
use hyper::body::{Body as _, Incoming};
use signature::{Claim, Family, Payload};
use wire::{Protocol, Router};

use crate::auth::{self, Mode, Pending};
use crate::body::{self, ReadError, Room};
use crate::client::{Client, Said};
use crate::crowd::Crowd;
use crate::guard::{Guard, host_name};
use crate::limits::Limits;
use crate::listen::Face;
use crate::mount::{Audience, Mount, Visit};
use crate::objects::Target;
use crate::own::{self, Health};
use crate::{Body, RequestBody, calls, client, hello, status};

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
    crowd: Arc<Crowd>,
    room: Arc<Room>,
    running: AtomicUsize,
    region: Region,
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
        Self(Arc::new(Inner {
            mounts,
            router: Router::new(wire::SERVICES),
            tasks: Tasks::new(),
            crowd: Crowd::new(parts.limits.connections_per_client_max),
            room: Room::new(parts.limits.bodies_bytes_max),
            running: AtomicUsize::new(0),
            region: Region::default_one(),
            parts,
        }))
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

    pub(crate) fn crowd(&self) -> &Arc<Crowd> {
        &self.0.crowd
    }

    /// How many requests are being worked on; connections keep this number.
    pub(crate) fn running(&self) -> &AtomicUsize {
        &self.0.running
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: &Client) -> Response<Body> {
        let Parts { clock, random, limits, .. } = self.parts();
        let (parts, incoming) = request.into_parts();
        let trace = trace_of(&parts.headers, clock, random);
        let request_id = random.uuid();
        // Hyper sends no body for HTTP/1's HEAD, but does for HTTP/2's.
        let wants_head_alone = parts.method == Method::HEAD && parts.version == Version::HTTP_2;
        let mut response = match said(&parts, client) {
            _ if self.0.running.load(Ordering::Relaxed) > limits.requests_max => refuse(&full(limits.requests_max)),
            Err(fault) => refuse(&fault),
            Ok(Said { base_url, user_agent }) => {
                let (peer, region) = (client.peer, self.0.region.clone());
                let visit = Visit { peer, request_id, trace, base_url, user_agent, region, principal: None };
                let body = RequestBody::live(incoming, limits.body_stall_max, &self.0.room);
                let routed = AssertUnwindSafe(self.route(parts, body, visit, client.face)).catch_unwind().await;
                routed.unwrap_or_else(|_panic| {
                    tracing::error!(request = %request_id, "answering a request panicked; this is a bug");
                    refuse(&Fault::internal())
                })
            }
        };
        if wants_head_alone {
            response = head_alone(response);
        }
        let headers = response.headers_mut();
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let id: &str = request_id.hyphenated().encode_lower(&mut id);
        set(headers, wire::server::REQUEST_ID, id);
        if let Ok(trace) = HeaderValue::try_from(trace.amzn()) {
            headers.insert(TRACE_ID, trace);
        }
        response
    }

    async fn route(&self, parts: request::Parts, body: RequestBody, visit: Visit, face: Face) -> Response<Body> {
        if let Some(target) = Target::claimed(&parts, visit.host())
            && (face == Face::Whole || target.site)
        {
            return Box::pin(self.objects(parts, body, visit, target, face)).await;
        }
        let path = parts.uri.path();
        let mount = self.0.mounts.iter().find(|mount| mount.wants(visit.host(), path));
        match (mount, face) {
            (Some(mount), _) if mount.audience() == Audience::Public => {
                if let Err(fault) = self.check_claim(&parts, visit.host(), face) {
                    return refuse(&fault);
                }
                mount.handle(Request::from_parts(parts, body), &visit).await
            }
            (_, Face::Public) => refuse(&nothing_here()),
            (mount, Face::Whole) => {
                let origin = parts.headers.get(ORIGIN).cloned();
                // Behind a pointer, so that the busiest road, above, does not carry the weight of all others.
                let mut response = Box::pin(self.inside(mount, parts, body, visit)).await;
                self.allow_origin(origin, response.headers_mut());
                response
            }
        }
    }

    /// A signature that nobody checks is as good as none, and lets in whoever writes one: a web page too, so that the guard is asked
    /// before a URL that wants one. The public address is for strangers; there it is not taken at all.
    fn check_claim(&self, parts: &request::Parts, host: &str, face: Face) -> Result<(), Fault> {
        match (&self.parts().mode, face) {
            (Mode::Verified(_), _) => Ok(()),
            (Mode::Open, _) if matches!(Claim::read(&auth::head(parts, host)), Ok(None) | Err(_)) => Ok(()),
            (Mode::Open, Face::Public) => Err(unverifiable()),
            (Mode::Open, Face::Whole) => self.check_page(parts, host),
        }
    }

    /// In open mode, whether this may be a web page's doing.
    pub(crate) fn check_page(&self, parts: &request::Parts, host: &str) -> Result<(), Fault> {
        match &self.parts().mode {
            Mode::Open => {
                let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
                self.parts().guard.check(host, target, &parts.headers)
            }
            Mode::Verified(_) => Ok(()),
        }
    }

    /// What is not meant for everybody.
    async fn inside(
        &self,
        mount: Option<&Arc<dyn Mount>>,
        parts: request::Parts,
        body: RequestBody,
        visit: Visit,
    ) -> Response<Body> {
        let path = parts.uri.path();
        // Before pages are looked at: a bucket's own rules may let them in.
        if mount.is_none()
            && !self.is_preflight(&parts)
            && let Some(target) = self.left_to_objects(&parts)
        {
            return self.objects(parts, body, visit, target, Face::Whole).await;
        }
        if let Err(fault) = self.check_page(&parts, visit.host()) {
            return refuse(&fault);
        }
        if self.is_preflight(&parts) {
            return preflight(&parts);
        }
        match mount {
            Some(mount) => self.visit(&**mount, parts, body, visit).await,
            None if hello::is_asked_for(&parts) => hello::page(&parts, visit.host()),
            None if path.starts_with("/_") => refuse(&unknown_path(path)),
            None => self.aws(parts, body, visit).await,
        }
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
        let base_url = Arc::clone(&visit.base_url);
        let head = auth::head(parts, client::host_of(&base_url));
        let pending = auth::begin(&self.parts().mode, Claim::read(&head), &self.parts().clock, Family::Json).await?;
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
                let held = body.read(HELD_BYTES_MAX).await.map_err(held_fault)?;
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

    /// Where callers are verified too: a page there has keys of its own, and signs.
    fn is_listed(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.parts().guard.allows_origin(origin))
    }

    /// Pages of listed origins may read answers. A mount that says something itself is not contradicted.
    pub(crate) fn allow_origin(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin.filter(|origin| self.is_listed(origin)) else { return };
        if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
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
    if let Some(value) = retry_after(fault) {
        headers.insert(RETRY_AFTER, value);
    }
    response
}

/// When throttled clients should come again.
pub(crate) fn retry_after(fault: &Fault) -> Option<HeaderValue> {
    match fault.cause {
        Cause::Throttled | Cause::Unavailable => {
            let given = fault.members.iter().find(|(name, _)| *name == "Retry-After");
            let seconds = given.and_then(|(_, value)| value.as_str()).unwrap_or("1");
            HeaderValue::from_str(seconds).ok()
        }
        Cause::Invalid
        | Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::TooLarge
        | Cause::Unserved
        | Cause::TimedOut
        | Cause::Internal => None,
    }
}

/// The fault of a body that could not be read, for `operation`.
pub(crate) fn body_fault(error: ReadError, operation: &str) -> Fault {
    match error {
        ReadError::TooLarge { limit } => crate::limits::body_too_large(operation, limit),
        ReadError::Ended(fault) => fault,
    }
}

fn held_fault(error: ReadError) -> Fault {
    match error {
        ReadError::TooLarge { limit } => {
            let message = format!(
                "A signed request whose body is larger than {limit} bytes must say its SHA-256 in the header \
                 X-Amz-Content-Sha256, so that it need not be held in memory."
            );
            Fault { status: Some(413), ..Fault::new(Cause::TooLarge, "RequestEntityTooLargeException", message) }
        }
        ReadError::Ended(fault) => fault,
    }
}

/// What a client says of itself and of us. HTTP/2 has the host in its target, HTTP/1.1 in exactly one header.
fn said(parts: &request::Parts, client: &Client) -> Result<Said, Fault> {
    let bad = |message: &str| Err(Fault::new(Cause::Invalid, "BadRequest", message));
    if parts.method == Method::CONNECT {
        return Err(Fault { status: Some(405), ..Fault::new(Cause::Invalid, "MethodNotAllowed", "This is no proxy.") });
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (parts.uri.authority(), hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(authority), _, _) => authority.as_str(),
        (None, Some(Ok(host)), None) => host,
        (None, Some(_) | None, _) => return bad("A request must have exactly one Host header, in plain ASCII."),
    };
    if host_name(host).is_none() {
        return bad("The Host header must be a host's name or address, and perhaps a port.");
    }
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(client.said(host, user_agent))
}

/// The same without its body, and with its length.
fn head_alone(mut response: Response<Body>) -> Response<Body> {
    if let Some(bytes) = response.body().size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(bytes.into());
    }
    response.map(|_| body::whole(Bytes::new()))
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
