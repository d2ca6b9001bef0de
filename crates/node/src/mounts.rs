//! What the node serves beside AWS's operations: function URLs, CloudEvents, code packages, stacks, live logs, schedules fired by hand,
//! what happens now, what stored bytes are like, deliveries, letters, what subscribers of topics are sent to, a reset.

mod activity;
mod assets;
mod blobs;
mod cloud_events;
mod code;
mod deliveries;
mod live_logs;
mod outbox;
mod reset;
mod schedules;
mod stacks;
mod topics;
mod urls;

use std::sync::Arc;

use base::{Clock, Random};
use bytes::Bytes;
use contract::{AccountId, Call, Origin, Principal};
use door::{Body, BodyError, Visit};
use futures_util::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

pub(crate) use activity::{Activity, word};
pub(crate) use assets::Assets;
pub(crate) use blobs::Blobs;
pub(crate) use cloud_events::CloudEvents;
pub(crate) use code::Code;
pub(crate) use deliveries::Deliveries;
pub(crate) use live_logs::LiveLogs;
pub(crate) use outbox::Outbox;
pub(crate) use reset::Reset;
pub(crate) use schedules::Schedules;
pub(crate) use stacks::Stacks;
pub(crate) use topics::Topics;
pub(crate) use urls::FunctionUrls;

use crate::node::WAIT_MAX;

/// The call that a visit makes; `nobody` is who visits without having said who they are.
fn call_of(visit: &Visit, nobody: Principal, clock: &Clock, random: &Random) -> Call {
    Call {
        id: visit.request_id,
        principal: visit.principal.clone().unwrap_or(nobody),
        account: AccountId::ONLY,
        region: visit.region.clone(),
        deadline: clock.elapsed() + WAIT_MAX,
        trace: visit.trace.child(random),
        hops: 0,
        origin: Origin::Door {
            peer: visit.peer,
            base_url: Arc::clone(&visit.base_url),
            user_agent: Arc::clone(&visit.user_agent),
            manner: None,
        },
    }
}

/// A whole JSON document.
fn document(status: StatusCode, document: &Value) -> Response<Body> {
    response(status, "application/json", Body::Left(Bytes::from(document.to_string()).into()))
}

/// JSON documents, one in a line, as they come.
fn lines<E>(status: StatusCode, lines: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Response<Body>
where
    E: Into<BodyError>,
{
    let frames = lines.map(|line| line.map(Frame::data).map_err(Into::into));
    response(status, "application/x-ndjson", Body::Right(StreamBody::new(frames).boxed_unsync()))
}

/// What is wrong, in the form that the command line and AWS's tools read.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    document(status, &json!({ "__type": code, "message": message }))
}

/// Any path but the ones that are there.
fn no_such_path(path: &str) -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "NotFound", &format!("There is nothing at {path}."))
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
