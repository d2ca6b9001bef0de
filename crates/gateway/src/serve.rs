//! One request, from its address to the function's answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{Call, Origin, Principal, Trace};
use dispatch::{Dispatch, Histogram, Metrics};
use http::{Request, Response, request};
use hyper::upgrade::OnUpgrade;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Unit;
use signature::{Credentials, Head};
use uuid::Uuid;

use crate::admission::Asker;
use crate::refusal::Refusal;
use crate::{
    ANSWER_BYTES_MAX, Address, Answer, Body, BodyError, Conversed, FunctionUrls, Streamed, Url, body, cors, event,
    pieces, reply, through,
};

/// Serves function URLs.
pub struct Gateway<F> {
    pub(crate) parts: Parts<F>,
    counts: Counts,
}

/// What a gateway is built from.
pub struct Parts<F> {
    /// The functions.
    pub urls: F,
    /// Who decides what callers may do.
    pub dispatch: Dispatch,
    /// Time.
    pub clock: base::Clock,
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
pub struct Visit<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// The request's id, which the function sees too.
    pub request_id: Uuid,
    /// Where it stands in its trace.
    pub trace: Trace,
    /// Scheme and host as the client wrote them.
    pub base_url: &'a Arc<str>,
    /// The client's `User-Agent`, or empty.
    pub user_agent: &'a Arc<str>,
}

impl<'a> Visit<'a> {
    fn host(&self) -> &'a str {
        self.base_url.split_once("://").map_or(self.base_url, |(_, host)| host)
    }
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
    pub async fn handle<B>(&self, request: Request<B>, visit: &Visit<'_>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let started = self.parts.clock.elapsed();
        let (head, body) = request.into_parts();
        let response = match self.find(visit.host(), head.uri.path()) {
            Ok((url, path)) => self.answer(&head, body, visit, path, &url).await,
            Err(refusal) => self.refuse(&refusal),
        };
        self.counts.seconds.observe(self.parts.clock.elapsed().saturating_sub(started));
        response
    }

    /// The URL that is meant, and the function's own part of the path.
    fn find<'p>(&self, host: &str, path: &'p str) -> Result<(F::Url, &'p str), Refusal> {
        match Address::read(host, path) {
            Some(Address::Id(id)) => {
                let url = self.parts.urls.by_id(id).ok_or_else(|| Refusal::UnknownId(id.to_owned()))?;
                Ok((url, path))
            }
            Some(Address::Name { name, rest }) => {
                let url = self.parts.urls.by_name(name).ok_or_else(|| Refusal::UnknownName(name.to_owned()))?;
                // The slash before the rest belongs to it.
                Ok((url, if rest.is_empty() { "/" } else { &path[path.len() - rest.len() - 1..] }))
            }
            None => Err(Refusal::UnknownId(host.to_owned())),
        }
    }

    /// What the function, or the rules of its URL, say; whoever answers, browsers are told what they may do with it.
    async fn answer<B>(
        &self,
        head: &request::Parts,
        body: B,
        visit: &Visit<'_>,
        path: &str,
        url: &F::Url,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let rules = url.cors();
        if let Some(rules) = &rules
            && cors::is_preflight(&head.method, &head.headers)
        {
            self.counts.answered.inc();
            let mut response = Response::new(through::whole(Bytes::new()));
            rules.add_preflight(&head.headers, response.headers_mut());
            return response;
        }
        let mut response = match self.invoke(head, body, visit, path, url).await {
            Ok(response) => {
                self.counts.answered.inc();
                response
            }
            Err(refusal) => self.refuse(&refusal),
        };
        if let Some(rules) = &rules {
            rules.add(&head.headers, response.headers_mut());
        }
        response
    }

    /// Who may not come in is told by the head alone; the body is read after that.
    async fn invoke<B>(
        &self,
        head: &request::Parts,
        body: B,
        visit: &Visit<'_>,
        path: &str,
        url: &F::Url,
    ) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let mut call = self.call(visit, url);
        let signed = Head {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            host: visit.host(),
            headers: &head.headers,
        };
        let asker = Asker::begin(self, &signed, url, &call).await?;
        let streams = url.takes_requests();
        // Who signed is known when all of it is there.
        let (body, stream) = match &asker {
            Asker::Anybody if streams => (Bytes::new(), Some(through::streamed(body))),
            Asker::Anybody | Asker::Believed(_) | Asker::Claimed(_) => (body::read(body).await?, None),
        };
        let signer = asker.finish(self, &signed, &body, url, &mut call).await?;
        call.deadline = self.parts.clock.elapsed() + WAIT_MAX;
        let source = event::Source {
            method: &head.method,
            path,
            query: signed.query,
            headers: &head.headers,
            host: signed.host,
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
        if streams {
            let stream = stream.unwrap_or_else(|| through::whole(body.clone()));
            return self.converse(&call, url, head, &event::Source { body: &[], ..source }, stream).await;
        }
        let event = Bytes::from(event::write(&source));
        // Not needed any more, and the function may take long.
        drop(body);
        let answered = match url.streams() {
            true => self.parts.urls.stream(&call, url, event).await,
            false => self.parts.urls.invoke(&call, url, event).await.map(Streamed::Whole),
        };
        match answered {
            Ok(Streamed::Whole(Answer::Whole(payload))) => respond(&call, &payload).map(through::ready),
            Ok(Streamed::Whole(Answer::Failed)) => Err(Refusal::Failed),
            Ok(Streamed::Pieces(body)) => pieces::response(body).await.map_err(|why| {
                tracing::warn!(request = %call.id, %why, "what a function says about its answer is no response");
                Refusal::Failed
            }),
            Err(fault) => {
                tracing::debug!(request = %call.id, %fault, "a function URL's invocation was refused");
                Err(Refusal::of(&fault))
            }
        }
    }

    /// Hands the request through, and the answer back.
    async fn converse(
        &self,
        call: &Call,
        url: &F::Url,
        head: &request::Parts,
        source: &event::Source<'_>,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let upgrade = head.extensions.get::<OnUpgrade>();
        match self.parts.urls.converse(call, url, through::request(source, body, upgrade)).await {
            Ok(Conversed::Answered { response, tunnel }) => {
                if let (Some(upgrade), Some(tunnel)) = (upgrade, tunnel) {
                    through::join(upgrade.clone(), tunnel);
                }
                Ok(response)
            }
            Ok(Conversed::Failed) => Err(Refusal::Failed),
            Err(fault) => {
                tracing::debug!(request = %call.id, %fault, "a function URL's invocation was refused");
                Err(Refusal::of(&fault))
            }
        }
    }

    fn call(&self, visit: &Visit<'_>, url: &F::Url) -> Call {
        Call {
            id: visit.request_id,
            principal: Principal::Anonymous,
            account: url.account(),
            region: url.region().clone(),
            deadline: self.parts.clock.elapsed() + WAIT_MAX,
            trace: visit.trace,
            hops: 0,
            origin: Origin::Door {
                peer: visit.peer,
                base_url: Arc::clone(visit.base_url),
                user_agent: Arc::clone(visit.user_agent),
                manner: None,
            },
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        let counter = match refusal {
            Refusal::Failed | Refusal::Unavailable => &self.counts.failed,
            Refusal::Throttled => &self.counts.throttled,
            Refusal::Forbidden => &self.counts.denied,
            Refusal::UnknownName(_) | Refusal::UnknownId(_) | Refusal::TooLarge | Refusal::Body(_) => {
                &self.counts.refused
            }
        };
        counter.inc();
        through::ready(refusal.response())
    }
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
