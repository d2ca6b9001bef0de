//! `GET /_deliveries`: what is on its way, and what could not be delivered; `POST /_deliveries/redrive` sends that again. The command
//! `freehold deliveries` shows and asks it.

use delivery::{Deliveries as Engine, LaneState, Order, Report};
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::{document, no_such_path, refusal};

const PATH: &str = "/_deliveries";
/// A lane's name, and JSON's own words.
const BYTES_MAX: usize = 16 << 10;

/// See the file.
pub(crate) struct Deliveries(pub(crate) Engine);

impl Mount for Deliveries {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == PATH || path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/'))
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match (&head.method, head.uri.path()) {
                (&Method::GET, PATH) => document(StatusCode::OK, &report(&self.0.report())),
                (&Method::POST, "/_deliveries/redrive") => self.redrive(body).await,
                (_, PATH | "/_deliveries/redrive") => {
                    let message =
                        "Deliveries are shown by GET /_deliveries, and sent again by POST /_deliveries/redrive.";
                    refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
                }
                (_, other) => no_such_path(other),
            }
        })
    }
}

impl Deliveries {
    /// `{"lane": "rule/…"}`, or `{"all": true}`: everything is not sent again by mistake.
    async fn redrive(&self, body: RequestBody) -> Response<Body> {
        let invalid = |message: &str| refusal(StatusCode::BAD_REQUEST, "InvalidRequest", message);
        let Ok(body) = Limited::new(body, BYTES_MAX).collect().await else {
            return invalid("The request's body could not be read, or is too large.");
        };
        let Ok(wish) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
            return invalid("The request's body is no JSON.");
        };
        let lane = match (wish.get("lane").and_then(Value::as_str), wish.get("all").and_then(Value::as_bool)) {
            (Some(lane), None) => Some(lane),
            (None, Some(true)) => None,
            (_, _) => return invalid("Name a lane, as in {\"lane\": \"rule/…\"}, or say {\"all\": true}."),
        };
        if let Some(lane) = lane
            && !self.0.lanes().iter().any(|known| known.lane.to_string() == lane)
        {
            let message = format!("No lane has the name {lane}, or nothing is left in it.");
            return refusal(StatusCode::NOT_FOUND, "NotFound", &message);
        }
        match self.0.redrive(lane).await {
            Ok(count) => document(StatusCode::OK, &json!({ "redriven": count })),
            Err(error) => {
                tracing::error!(%error, "failed deliveries could not be sent again");
                let message = format!("Not all of them go again: {error}.");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &message)
            }
        }
    }
}

fn report(report: &Report) -> Value {
    let kinds = report.counts.iter().map(|(kind, counts)| {
        let counts = json!({
            "delivered": counts.delivered,
            "retried": counts.retried,
            "givenUp": counts.given_up,
        });
        (kind.clone(), counts)
    });
    json!({ "lanes": report.lanes.iter().map(lane).collect::<Vec<_>>(), "kinds": kinds.collect::<serde_json::Map<_, _>>() })
}

fn lane(state: &LaneState) -> Value {
    let order = match state.lane.order() {
        Order::InOrder => "in order",
        Order::Any { .. } => "any",
    };
    let mut shown = json!({
        "lane": state.lane.to_string(),
        "order": order,
        "waiting": state.waiting,
        "inFlight": state.in_flight,
        "failed": state.failed,
    });
    if let Some(failure) = &state.failure {
        shown["lastError"] = json!({ "code": failure.code, "message": failure.message });
    }
    if let Some(next_ms) = state.next_ms {
        shown["nextTryMs"] = next_ms.into();
    }
    shown
}
