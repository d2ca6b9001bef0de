//! One request, from its address to the function's answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use bytes::Bytes;
use contract::{Arn, Call, Fault, Origin, Principal, Trace};
use dispatch::{Dispatch, Histogram, Metrics};
use http::header::{HOST, USER_AGENT};
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use policy::Context;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Unit;
use signature::{Claim, Credentials, Head, Payload};
use uuid::Uuid;

use crate::refusal::Refusal;
use crate::{
    ANSWER_BYTES_MAX, Access, Address, Answer, BODY_BYTES_MAX, Body, BodyError, FunctionUrls, Url, cors, event, reply,
};

/// Serves function URLs.
pub struct Gateway<F> {
    parts: Parts<F>,
    counts: Counts,
}

/// What a gateway is built from.
pub struct Parts<F> {
    /// The functions.
    pub urls: F,
    /// Who decides what callers may do.
    pub dispatch: Dispatch,
    /// Time.
    pub clock: Clock,
    /// Whether callers must prove who they are.
    pub mode: Mode,
    /// Where requests are counted.
    pub metrics: Metrics,
}

/// Whether callers must prove who they are.
#[derive(Clone)]
pub enum Mode {
    /// No: a URL with `AuthType: AWS_IAM` wants a signature, and takes any; policies are not asked.
    Open,
    /// Yes: signatures are checked, and policies are asked, also for URLs with `AuthType: NONE`.
    Verified(Arc<dyn Credentials>),
}

/// What the door knows of a request beside the request itself.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The client's address.
    pub peer: IpAddr,
    /// The request's id, which the function sees too.
    pub request_id: Uuid,
    /// Where it stands in its trace.
    pub trace: Trace,
}

/// The longest that a function may take, and some time to start. The function's own limit ends it earlier.
const WAIT_MAX: Duration = Duration::from_secs(960);

impl<F: FunctionUrls> Gateway<F> {
    /// A gateway; counts requests from now on.
    pub fn new(parts: Parts<F>) -> Self {
        let counts = Counts::new(&parts.metrics);
        Self { parts, counts }
    }

    /// Whether a request means a function's URL.
    pub fn wants(host: &str, path: &str) -> bool {
        Address::read(host, path).is_some()
    }

    /// Answers a request. Whatever happens, there is an answer.
    pub async fn handle<B>(&self, request: Request<B>, visit: &Visit) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BodyError>,
    {
        let started = self.parts.clock.elapsed();
        let (head, body) = request.into_parts();
        let answered = self.answer(&head, body, visit).await;
        let ended = match &answered {
            Ok(_) => &self.counts.answered,
            Err(Refusal::Failed | Refusal::Unavailable(_)) => &self.counts.failed,
            Err(Refusal::Throttled) => &self.counts.throttled,
            Err(Refusal::Forbidden) => &self.counts.denied,
            Err(Refusal::Unreachable { .. } | Refusal::UnknownId(_) | Refusal::TooLarge | Refusal::BodyBroken) => {
                &self.counts.refused
            }
        };
        ended.inc();
        self.counts.seconds.observe(self.parts.clock.elapsed().saturating_sub(started));
        answered.unwrap_or_else(|refusal| refusal.response()).map(whole)
    }

    async fn answer<B>(&self, head: &request::Parts, body: B, visit: &Visit) -> Result<Response<Bytes>, Refusal>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BodyError>,
    {
        let host = host_of(head);
        let path = head.uri.path();
        let (url, own_path) = match Address::read(host, path) {
            Some(Address::Id(id)) => {
                let url = self.parts.urls.by_id(id).ok_or_else(|| Refusal::UnknownId(id.to_owned()))?;
                (url, path)
            }
            Some(Address::Name { name, rest }) => {
                let found = self.parts.urls.by_name(name);
                let url = found.map_err(|why| Refusal::Unreachable { name: name.to_owned(), why })?;
                // The slash before the rest belongs to it.
                (url, if rest.is_empty() { "/" } else { &path[path.len() - rest.len() - 1..] })
            }
            None => return Err(Refusal::UnknownId(host.to_owned())),
        };
        let rules = url.cors();
        if let Some(rules) = &rules
            && cors::is_preflight(&head.method, &head.headers)
        {
            let mut response = Response::new(Bytes::new());
            rules.add_preflight(&head.headers, response.headers_mut());
            return Ok(response);
        }
        let mut answered = self.invoke(head, body, visit, host, own_path, &url).await;
        if let (Some(rules), Ok(response)) = (&rules, &mut answered) {
            rules.add(&head.headers, response.headers_mut());
        }
        answered
    }

    async fn invoke<B>(
        &self,
        head: &request::Parts,
        body: B,
        visit: &Visit,
        host: &str,
        path: &str,
        url: &F::Url,
    ) -> Result<Response<Bytes>, Refusal>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BodyError>,
    {
        let body = read(body).await?;
        let mut call = Call {
            id: visit.request_id,
            principal: Principal::Anonymous,
            account: url.account(),
            region: url.region().clone(),
            deadline: self.parts.clock.elapsed() + WAIT_MAX,
            trace: visit.trace,
            hops: 0,
            origin: Origin::Door {
                peer: visit.peer,
                base_url: format!("http://{host}").into(),
                user_agent: head
                    .headers
                    .get(USER_AGENT)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .into(),
            },
        };
        let signer = self.authorise(head, host, &body, url, &mut call).await?;
        let source = event::Source {
            method: &head.method,
            path,
            query: head.uri.query().unwrap_or_default(),
            version: head.version,
            headers: &head.headers,
            host,
            peer: visit.peer,
            body: &body,
            url_id: url.id(),
            request_id: visit.request_id,
            time: self.parts.clock.now(),
            trace: visit.trace,
            signer: signer.as_ref().map(|signer| event::Signer {
                access_key: &signer.access_key,
                account: call.account,
                arn: &signer.arn,
            }),
        };
        let event = Bytes::from(event::write(&source));
        match self.parts.urls.invoke(&call, url, event).await {
            Ok(Answer::Whole(payload)) => respond(&call, &payload),
            Ok(Answer::Failed) => Err(Refusal::Failed),
            Err(fault) => {
                tracing::debug!(request = %call.id, fault = %fault, "a function URL's invocation was refused");
                Err(Refusal::of(&fault))
            }
        }
    }

    /// Finds out who asks, and whether they may.
    async fn authorise(
        &self,
        head: &request::Parts,
        host: &str,
        body: &[u8],
        url: &F::Url,
        call: &mut Call,
    ) -> Result<Option<Signer>, Refusal> {
        let signed = Head {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            host,
            headers: &head.headers,
        };
        match (&self.parts.mode, url.access()) {
            (Mode::Open, Access::Everybody) => Ok(None),
            (Mode::Open, Access::Signed) => {
                let claim = Claim::read(&signed).ok().flatten().ok_or(Refusal::Forbidden)?;
                call.principal = Principal::Open { access_key: Some(claim.access_key.as_str().into()) };
                Ok(Some(Signer { arn: call.principal.arn(call.account), access_key: claim.access_key }))
            }
            (Mode::Verified(_), Access::Everybody) => {
                self.ask_policies(call, url, "NONE").await?;
                Ok(None)
            }
            (Mode::Verified(credentials), Access::Signed) => {
                let (claim, principal) = verify(&**credentials, &signed, body, &self.parts.clock).await?;
                call.principal = principal;
                self.ask_policies(call, url, "AWS_IAM").await?;
                Ok(Some(Signer { arn: call.principal.arn(call.account), access_key: claim.access_key }))
            }
        }
    }

    /// Since October 2025 AWS wants both permissions for a URL.
    async fn ask_policies(&self, call: &Call, url: &F::Url, auth_type: &'static str) -> Result<(), Refusal> {
        let arn = url.arn();
        for action in ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"] {
            let context = Context::new()
                .with("lambda:FunctionUrlAuthType", auth_type)
                .with("lambda:InvokedViaFunctionUrl", "true");
            let asked = self.parts.dispatch.authorise("lambda", call, action, &arn, context).await;
            asked.map_err(|fault| denied(call, &arn, &fault))?;
        }
        Ok(())
    }
}

/// Who signed.
struct Signer {
    access_key: String,
    arn: String,
}

async fn verify(
    credentials: &dyn Credentials,
    head: &Head<'_>,
    body: &[u8],
    clock: &Clock,
) -> Result<(Claim, Principal), Refusal> {
    let claim =
        Claim::read(head).ok().flatten().filter(|claim| claim.scope.service == "lambda").ok_or(Refusal::Forbidden)?;
    let known = credentials
        .lookup(&claim.access_key, claim.session_token.as_deref())
        .await
        .map_err(|fault| Refusal::of(&fault))?;
    let known = known.ok_or(Refusal::Forbidden)?;
    let now = clock.now();
    claim
        .check_time(now)
        .and_then(|()| claim.check_token(&known, now))
        .and_then(|()| claim.check_signature(head, Payload::Bytes(body), &known.secret))
        .map_err(|refusal| {
            tracing::debug!(access_key = claim.access_key, %refusal, "a signature to a function URL was refused");
            Refusal::Forbidden
        })?;
    Ok((claim, known.principal))
}

fn denied(call: &Call, arn: &Arn, fault: &Fault) -> Refusal {
    tracing::debug!(request = %call.id, function = %arn, %fault, "a request to a function URL was denied");
    Refusal::of(fault)
}

fn respond(call: &Call, payload: &Bytes) -> Result<Response<Bytes>, Refusal> {
    if payload.len() > ANSWER_BYTES_MAX {
        tracing::warn!(
            request = %call.id,
            bytes = payload.len(),
            limit = ANSWER_BYTES_MAX,
            "a function's answer is too large for a response"
        );
        return Err(Refusal::Failed);
    }
    reply::read(payload).map_err(|why| {
        tracing::warn!(request = %call.id, %why, "a function's answer is no response");
        Refusal::Failed
    })
}

async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<BodyError>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // Refused by its announcement, before any of it is read.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Refusal::TooLarge);
    }
    match Limited::new(std::pin::pin!(body), BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::BodyBroken),
    }
}

/// HTTP/2 has the host in its target, HTTP/1.1 in a header.
fn host_of(head: &request::Parts) -> &str {
    match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default(),
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// What is counted. The handles are made once.
struct Counts {
    answered: Counter,
    refused: Counter,
    denied: Counter,
    throttled: Counter,
    failed: Counter,
    seconds: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let family = Family::<Labels, Counter>::default();
        let seconds = Histogram::default();
        metrics.register(|registry| {
            registry.register("function_url_requests", "Requests to function URLs by outcome", family.clone());
            let help = "Duration of requests to function URLs";
            registry.register_with_unit("function_url_requests", help, Unit::Seconds, seconds.clone());
        });
        let counter = |outcome| family.get_or_create(&Labels { outcome }).clone();
        Self {
            answered: counter("answered"),
            refused: counter("refused"),
            denied: counter("denied"),
            throttled: counter("throttled"),
            failed: counter("failed"),
            seconds,
        }
    }
}

#[cfg(test)]
#[path = "serve/tests.rs"]
mod tests;
