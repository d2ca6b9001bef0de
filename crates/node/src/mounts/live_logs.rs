//! `GET /_logs/GROUP?pattern=…&since=…`: a log group as it grows, a JSON object in a line for each event, with AWS's names.
//! The group need not be there yet.

use std::sync::Arc;

use contract::AccountId;
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use logs::pattern::Pattern;
use logs::{FollowRequest, Logs, Scope};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::{lines, refusal};

const PREFIX: &str = "/_logs/";

/// Followers of logs.
pub(crate) struct LiveLogs {
    pub(crate) logs: Arc<Logs>,
    /// Ends every follower: they would hold up a node that wants to stop for as long as it has patience.
    pub(crate) closing: CancellationToken,
}

impl Mount for LiveLogs {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let query = request.uri().query().unwrap_or_default();
            let value = |name: &str| {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).next()
            };
            let pattern = match Pattern::parse(&value("pattern").unwrap_or_default()) {
                Ok(pattern) => pattern,
                Err(error) => {
                    let message = format!("The filter pattern cannot be read: {error}.");
                    return refusal(StatusCode::BAD_REQUEST, "InvalidParameterException", &message);
                }
            };
            let follow = self.logs.follow(FollowRequest {
                scope: Scope { account: AccountId::ONLY, region: visit.region.clone() },
                group: decode(request.uri().path().trim_start_matches(PREFIX)),
                stream_prefix: value("streamPrefix").unwrap_or_default(),
                pattern,
                since_ms: value("since").and_then(|since| since.parse().ok()),
            });
            lines(StatusCode::OK, follow.lines().take_until(self.closing.clone().cancelled_owned()))
        })
    }
}
