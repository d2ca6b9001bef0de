//! `GET /_blobs`: what the stored bytes are like: which are damaged, and how far the scrub has come. `freehold doctor` shows it.
//! `POST /_blobs/sweep`: removes now what nothing refers to, which goes by itself some time later, and tells how much is left.

use std::time::Duration;

use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use store::{Blobs as Kept, Condition, Store, Swept};

use super::{document, no_such_path, refusal};
use crate::sweep::GRACE;

const PATH: &str = "/_blobs";
const SWEEP: &str = "/_blobs/sweep";
/// A number and its name.
const BYTES_MAX: usize = 1 << 10;

/// See the file.
pub(crate) struct Blobs {
    pub(crate) kept: Kept,
    /// Where all references to blobs are.
    pub(crate) store: Store,
}

impl Mount for Blobs {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == PATH || path == SWEEP
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match (&head.method, head.uri.path()) {
                (&Method::GET, PATH) => document(StatusCode::OK, &report(&self.kept.condition())),
                (&Method::POST, SWEEP) => self.sweep(body).await,
                (_, PATH | SWEEP) => {
                    let message = "Stored bytes are shown by GET /_blobs, and swept by POST /_blobs/sweep.";
                    refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
                }
                (_, other) => no_such_path(other),
            }
        })
    }
}

impl Blobs {
    /// `{"olderThanSeconds": 3600}`, or nothing: then what is older than what goes by itself. What was sent to be referred to in a moment
    /// is as unreferenced as what was forgotten, so that a deployment that runs beside a sweep of everything has to be run again.
    async fn sweep(&self, body: RequestBody) -> Response<Body> {
        let invalid = |message: &str| refusal(StatusCode::BAD_REQUEST, "InvalidRequest", message);
        let Ok(body) = Limited::new(body, BYTES_MAX).collect().await else {
            return invalid("The request's body could not be read, or is too large.");
        };
        let Some(grace) = grace(&body.to_bytes()) else {
            return invalid("Say how old what is removed must be, as in {\"olderThanSeconds\": 3600}.");
        };
        match self.kept.sweep(&self.store, grace).await {
            Ok(Swept { kept, removed, removed_bytes }) => {
                document(StatusCode::OK, &json!({ "kept": kept, "removed": removed, "removedBytes": removed_bytes }))
            }
            Err(error) => {
                tracing::error!(%error, "blobs could not be swept");
                let message = format!("Not everything was swept: {error}.");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &message)
            }
        }
    }
}

/// How old what is swept must be, as a request's body says.
fn grace(body: &[u8]) -> Option<Duration> {
    if body.is_empty() {
        return Some(GRACE);
    }
    let wish: Value = serde_json::from_slice(body).ok()?;
    let fields = wish.as_object()?;
    match fields.len() {
        0 => Some(GRACE),
        1 => fields.get("olderThanSeconds")?.as_u64().map(Duration::from_secs),
        _ => None,
    }
}

fn report(condition: &Condition) -> Value {
    let Condition { damaged, scrubbed } = condition;
    let damaged: Vec<Value> = damaged
        .iter()
        .map(|damage| json!({ "id": damage.id, "why": *damage.why, "foundMs": damage.found_ms }))
        .collect();
    json!({
        "damaged": damaged,
        "scrub": {
            "passes": scrubbed.passes,
            "beganMs": scrubbed.began_ms,
            "endedMs": scrubbed.ended_ms,
            "blobs": scrubbed.blobs,
            "bytes": scrubbed.bytes,
        },
    })
}

#[cfg(test)]
mod tests {
    use base::Clock;

    use super::*;

    #[test]
    fn a_sweep_says_how_old() {
        let check = |body: &str, expected: Option<Duration>| assert_eq!(grace(body.as_bytes()), expected, "{body}");
        check("", Some(GRACE));
        check("{}", Some(GRACE));
        check(r#"{"olderThanSeconds": 0}"#, Some(Duration::ZERO));
        check(r#"{"olderThanSeconds": -1}"#, None);
        check(r#"{"olderThanSeconds": 18446744073709551615}"#, Some(Duration::from_secs(u64::MAX)));
        check(r#"{"olderThan": 5}"#, None);
        check("[]", None);
        check("{", None);
    }

    #[tokio::test]
    async fn what_is_known_is_shown() {
        let kept = Kept::memory(Clock::system());
        let empty = report(&kept.condition());
        assert_eq!(empty["damaged"], json!([]));
        assert_eq!(empty["scrub"]["endedMs"], Value::Null);
        kept.put("a").await.expect("it is kept");
        let store = store::Store::memory(Clock::system());
        kept.scrub(&store, base::ByteSize::gib(1)).await.expect("it is read");
        let read = report(&kept.condition());
        assert_eq!((&read["scrub"]["blobs"], &read["scrub"]["passes"]), (&json!(1), &json!(1)));
    }
}
