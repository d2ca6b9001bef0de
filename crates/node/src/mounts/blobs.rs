//! `GET /_blobs`: what the stored bytes are like: which are damaged, and how far the scrub has come. `freehold doctor` shows it.

use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use store::{Blobs as Kept, Condition};

use super::document;

/// See the file.
pub(crate) struct Blobs(pub(crate) Kept);

impl Mount for Blobs {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_blobs"
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, _request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        let report = report(&self.0.condition());
        Box::pin(std::future::ready(document(StatusCode::OK, &report)))
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
