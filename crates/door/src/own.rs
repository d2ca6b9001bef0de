//! The node's own small paths: `/_health` and `/_metrics`.

use std::sync::Arc;

use dispatch::{BoxFuture, Dispatch};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::mount::{Audience, Mount, Visit};
use crate::{Body, RequestBody, body};

/// How the node is. Asked by whoever wants to know, so it must be quick.
pub trait Health: Send + Sync + 'static {
    /// The report of this moment.
    fn report(&self) -> Report;
}

/// How the node is.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether it serves. Until then, and when it drains, `/_health` answers 503.
    pub ready: bool,
    /// More to tell: members beside `status`.
    pub details: serde_json::Map<String, Value>,
}

pub(crate) fn mounts(dispatch: &Dispatch, health: &Arc<dyn Health>) -> [Arc<dyn Mount>; 2] {
    [Arc::new(HealthPath(Arc::clone(health))), Arc::new(MetricsPath(dispatch.clone()))]
}

struct HealthPath(Arc<dyn Health>);

impl Mount for HealthPath {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_health"
    }

    fn audience(&self) -> Audience {
        Audience::Anybody
    }

    fn handle<'a>(&'a self, _request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        let Report { ready, details } = self.0.report();
        let (status, word) = match ready {
            true => (StatusCode::OK, "ready"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        };
        let mut report = json!({ "status": word });
        if let Some(members) = report.as_object_mut() {
            members.extend(details);
        }
        Box::pin(std::future::ready(text(status, "application/json", report.to_string())))
    }
}

struct MetricsPath(Dispatch);

impl Mount for MetricsPath {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_metrics"
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, _request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        let metrics = self.0.metrics().map(|metrics| metrics.encode()).unwrap_or_default();
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        Box::pin(std::future::ready(text(StatusCode::OK, kind, metrics)))
    }
}

/// An answer of that type.
pub(crate) fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(body::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
