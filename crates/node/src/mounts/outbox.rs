//! `GET /_outbox`: what topics sent to people, newest first. `?before=` is the page's `next`; `?limit=` is at most 100.

use std::sync::Arc;

use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use topics::Letter;

use super::{document, refusal};

const PAGE: usize = 100;

/// The letters of topics.
pub(crate) struct Outbox(pub(crate) Arc<topics::Topics>);

impl Mount for Outbox {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_outbox"
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if request.method() != Method::GET {
                return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The outbox is read by GET.");
            }
            let query = request.uri().query().unwrap_or_default();
            let find = |wanted: &str| {
                query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == wanted)
            };
            let before = find("before").map(|(_, value)| value);
            let limit = match find("limit").map(|(_, value)| value.parse::<usize>()) {
                None => PAGE,
                Some(Ok(limit @ 1..=PAGE)) => limit,
                Some(_) => {
                    let message = format!("limit must be a number from 1 to {PAGE}.");
                    return refusal(StatusCode::BAD_REQUEST, "InvalidParameter", &message);
                }
            };
            match self.0.outbox(before, limit).await {
                Ok(page) => {
                    let letters: Vec<_> = page.letters.iter().map(show).collect();
                    document(StatusCode::OK, &json!({ "letters": letters, "next": page.next }))
                }
                Err(topics::Error::Invalid(why)) => refusal(StatusCode::BAD_REQUEST, "InvalidParameter", &why),
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "The outbox cannot be read.")
                }
            }
        })
    }
}

fn show(letter: &Letter) -> serde_json::Value {
    json!({
        "id": letter.id.to_string(),
        "messageId": letter.message.to_string(),
        "protocol": letter.protocol,
        "to": letter.to,
        "subject": letter.subject,
        "body": letter.body,
        "topicArn": letter.topic,
        "time": topics::model::message::timestamp(letter.at_ms),
    })
}
