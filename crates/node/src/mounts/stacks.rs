//! `POST /_stacks/OPERATION`: applications, by JSON document; the answer is a line for each thing that happens.

use base::{Clock, Random};
use bytes::Bytes;
use contract::{Call, Principal};
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use stacks::Engine;

use super::{call_of, lines, refusal};

const PREFIX: &str = "/_stacks/";
/// Templates end at 1 MB; parameters and JSON's own words need some room.
const BYTES_MAX: usize = 4 << 20;

/// The template engine, behind the door.
pub(crate) struct Stacks {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Mount for Stacks {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if request.method() != Method::POST {
                return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "Stacks are asked by POST.");
            }
            let (head, body) = request.into_parts();
            let body = match Limited::new(body, BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => {
                    let message =
                        format!("The request's body could not be read, or is larger than {BYTES_MAX} bytes: {error}.");
                    return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", &message);
                }
            };
            let wish = match body.is_empty() {
                true => Value::Null,
                false => match serde_json::from_slice(&body) {
                    Ok(wish) => wish,
                    Err(error) => {
                        let message = format!("The request's body is no JSON: {error}.");
                        return refusal(StatusCode::BAD_REQUEST, "SerializationException", &message);
                    }
                },
            };
            let call = self.call(visit);
            let happening = stacks::api::handle(&self.engine, call, head.uri.path().trim_start_matches(PREFIX), wish);
            answer(happening).await
        })
    }
}

impl Stacks {
    fn call(&self, visit: &Visit) -> Call {
        call_of(visit, Principal::Open { access_key: None }, &self.clock, &self.random)
    }
}

/// The status is that of the first line: a refusal before anything began is one for the whole request.
async fn answer(mut happening: tokio::sync::mpsc::Receiver<Value>) -> Response<Body> {
    let Some(first) = happening.recv().await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "The node is stopping.");
    };
    let status = match stacks::api::fault_of(&first) {
        None => StatusCode::OK,
        Some(("InternalFailure", _)) => StatusCode::INTERNAL_SERVER_ERROR,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let rest = stream::unfold((Some(first), happening), |(first, mut happening)| async move {
        let line = match first {
            Some(line) => line,
            None => happening.recv().await?,
        };
        Some((Ok::<_, std::io::Error>(Bytes::from(format!("{line}\n"))), (None, happening)))
    });
    lines(status, rest)
}
