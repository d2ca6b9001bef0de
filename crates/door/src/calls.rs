//! `POST /_call/SERVICE/OPERATION`: any operation with a JSON document, as the command line calls it.
//!
//! The document has AWS's member names, blobs in base64; so has the answer. A fault is `{"__type": …, "message": …}`.
//! `?region=` says which region is meant, where the signature's scope does not.

use std::time::Duration;

use base::Clock;
use contract::{AccountId, Call, Cause, Effect, Fault, Principal, Region};
use dispatch::{BoxFuture, Dispatch};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use serde_json::Value;

use crate::limits::body_bytes_max;
use crate::mount::{Audience, Mount, Visit};
use crate::serve::{body_fault, refuse};
use crate::{Body, RequestBody, body};

pub(crate) struct Calls {
    dispatch: Dispatch,
    clock: Clock,
}

const PREFIX: &str = "/_call/";
/// The longest that a function may take, and some time to start.
const RUN_WAIT_MAX: Duration = Duration::from_secs(960);
/// How long a caller waits for anything else.
const WAIT_MAX: Duration = Duration::from_secs(60);

impl Calls {
    pub(crate) fn new(dispatch: &Dispatch, clock: &Clock) -> Self {
        Self { dispatch: dispatch.clone(), clock: clock.clone() }
    }

    async fn call(&self, request: Request<RequestBody>, visit: &Visit) -> Result<Value, Fault> {
        let (parts, body) = request.into_parts();
        let rest = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let (service, operation) = rest.split_once('/').unwrap_or((rest, ""));
        let known = self.dispatch.find(service, operation)?;
        if parts.method != Method::POST {
            let message = format!("Calls are made with POST, not {}.", parts.method);
            return Err(Fault { status: Some(405), ..Fault::new(Cause::Invalid, "MethodNotAllowed", message) });
        }
        // Blobs are longer in base64 than where they travel as they are.
        let limit = body_bytes_max(known.id) / 3 * 4 + 4096;
        let bytes = body.read(limit).await.map_err(|error| body_fault(error, operation))?;
        let document = match bytes.trim_ascii() {
            b"" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_slice(text).map_err(|error| {
                Fault::new(Cause::Invalid, "SerializationException", format!("The body is no JSON: {error}."))
            })?,
        };
        let wait = match known.effect {
            Effect::Run => RUN_WAIT_MAX,
            Effect::Read | Effect::Write => WAIT_MAX,
        };
        let call = Call {
            id: visit.request_id,
            principal: visit.principal.clone().unwrap_or(Principal::Anonymous),
            account: AccountId::ONLY,
            region: region(parts.uri.query(), visit)?,
            deadline: self.clock.elapsed() + wait,
            trace: visit.trace,
            hops: visit.trace.hops(),
            origin: visit.origin(),
        };
        self.dispatch.call_document(known.id, &call, document).await
    }
}

fn region(query: Option<&str>, visit: &Visit) -> Result<Region, Fault> {
    match query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("region=")) {
        None => Ok(visit.region.clone()),
        Some(name) => Region::parse(name)
            .ok_or_else(|| Fault::new(Cause::Invalid, "ValidationException", "The region is no region's name.")),
    }
}

impl Mount for Calls {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        Audience::Known
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            match self.call(request, visit).await {
                Ok(document) => {
                    let mut response = Response::new(body::whole(document.to_string()));
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    response
                }
                Err(fault) => refuse(&fault),
            }
        })
    }
}
