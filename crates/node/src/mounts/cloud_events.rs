//! `POST /_events/BUS`: CloudEvents 1.0, structured, binary or batched, put on a bus by `PutEvents`: as whoever asks, and refused as it
//! would be. The answer has an entry for each event, in order, as that operation's.

use base::{Clock, Random};
use contract::{Call, Operation, Principal};
use dispatch::{BoxFuture, Dispatch};
use door::{Audience, Body, Mount, RequestBody, Visit};
use events::CloudEvent;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use wire::events::PutEvents;

use super::{call_of, document, no_such_path, refusal};

const PREFIX: &str = "/_events/";
/// AWS's largest event, and room for what a CloudEvent says around it.
const BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// Entries of one `PutEvents`.
const ENTRIES: usize = 10;

/// Event buses, for who speaks CloudEvents.
pub(crate) struct CloudEvents {
    pub(crate) dispatch: Dispatch,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Mount for CloudEvents {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        Audience::Known
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if request.method() != Method::POST {
                return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "Events are sent by POST.");
            }
            let (head, body) = request.into_parts();
            let bus = head.uri.path().trim_start_matches(PREFIX).to_owned();
            if bus.is_empty() || bus.contains('/') {
                return no_such_path(head.uri.path());
            }
            let Ok(body) = Limited::new(body, BYTES_MAX).collect().await else {
                let message = format!("The request's body could not be read, or is larger than {BYTES_MAX} bytes.");
                return refusal(StatusCode::BAD_REQUEST, "InvalidRequest", &message);
            };
            let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
            let entries: Vec<Value> = match CloudEvent::read(&header, &body.to_bytes()) {
                Ok(events) => events.iter().map(|event| event.entry(&bus)).collect(),
                Err(malformed) => {
                    return refusal(StatusCode::BAD_REQUEST, "MalformedEvent", &format!("No CloudEvent: {malformed}."));
                }
            };
            self.put(visit, entries).await
        })
    }
}

impl CloudEvents {
    async fn put(&self, visit: &Visit, entries: Vec<Value>) -> Response<Body> {
        let (mut answers, mut failed) = (Vec::with_capacity(entries.len()), 0);
        for entries in entries.chunks(ENTRIES) {
            let input = json!({ "Entries": entries });
            match self.dispatch.call_document(PutEvents::ID, &self.call(visit), input).await {
                Ok(mut answer) => {
                    failed += answer["FailedEntryCount"].as_u64().unwrap_or_default();
                    if let Some(Value::Array(more)) = answer.get_mut("Entries") {
                        answers.append(more);
                    }
                }
                Err(fault) if fault.is_transient() => {
                    return refusal(StatusCode::SERVICE_UNAVAILABLE, &fault.code, &fault.message);
                }
                Err(fault) => return refusal(StatusCode::BAD_REQUEST, &fault.code, &fault.message),
            }
        }
        document(StatusCode::OK, &json!({ "FailedEntryCount": failed, "Entries": answers }))
    }

    fn call(&self, visit: &Visit) -> Call {
        call_of(visit, Principal::Anonymous, &self.clock, &self.random)
    }
}
