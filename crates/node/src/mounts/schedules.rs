//! `GET /_schedules`: schedules and when they fire next. `POST /_schedules/fire`: fires one now, by JSON document.

use std::sync::Arc;

use base::{Clock, Random};
use contract::{Call, Fault, Principal};
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::{call_of, document, no_such_path, refusal};

const PATH: &str = "/_schedules";
/// Names are short.
const BYTES_MAX: usize = 4 << 10;

/// Schedules, for people.
pub(crate) struct Schedules {
    pub(crate) schedules: Arc<schedules::Schedules>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Mount for Schedules {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == PATH || path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/'))
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let call = self.call(visit);
            match (&head.method, head.uri.path().trim_start_matches(PATH)) {
                (&Method::GET, "" | "/") => self.list(&call).await,
                (&Method::POST, "/fire") => {
                    let body = Limited::new(body, BYTES_MAX).collect().await.ok().map(|body| body.to_bytes());
                    let wish: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
                    self.fire(&call, &wish.unwrap_or_default()).await
                }
                (_, _) => no_such_path(head.uri.path()),
            }
        })
    }
}

impl Schedules {
    async fn list(&self, call: &Call) -> Response<Body> {
        let listed = match self.schedules.listed(call).await {
            Ok(listed) => listed,
            Err(error) => return refused(&error.into()),
        };
        let rows = listed.into_iter().map(|row| {
            json!({
                "group": row.group,
                "name": row.name,
                "expression": row.expression,
                "timezone": row.zone,
                "target": row.target,
                "nextMs": row.next_ms,
            })
        });
        document(StatusCode::OK, &json!({ "schedules": rows.collect::<Vec<_>>() }))
    }

    async fn fire(&self, call: &Call, wish: &Value) -> Response<Body> {
        let Some(name) = wish["name"].as_str() else {
            let message = "Name the schedule: {\"name\": \"NAME\"}, with \"group\" if it is not the default one.";
            return refusal(StatusCode::BAD_REQUEST, "ValidationException", message);
        };
        match self.schedules.fire_now(call, wish["group"].as_str(), name).await {
            Ok(fired) => document(StatusCode::OK, &json!({ "arn": fired.arn, "target": fired.target })),
            Err(error) => refused(&error.into()),
        }
    }

    fn call(&self, visit: &Visit) -> Call {
        call_of(visit, Principal::Open { access_key: None }, &self.clock, &self.random)
    }
}

fn refused(fault: &Fault) -> Response<Body> {
    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    refusal(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &fault.code, &fault.message)
}
