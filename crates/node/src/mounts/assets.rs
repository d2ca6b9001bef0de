//! `PUT /_assets/SHA256`: code from somebody's disk, for a `CreateFunction` that names it as bucket `_assets`. Sending the same
//! bytes twice is harmless. What no function refers to within a day is swept.

use base::ByteSize;
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyDataStream;
use serde_json::json;
use store::{BlobId, Blobs};

use super::{document, no_such_path, refusal};

const PREFIX: &str = "/_assets/";
/// As large as a function may be unpacked: a package is never larger than what it holds.
const BYTES_MAX: ByteSize = ByteSize::mib(250);

/// The node's own store of code packages.
pub(crate) struct Assets(pub(crate) Blobs);

impl Mount for Assets {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let Ok(wanted) = path.trim_start_matches(PREFIX).parse::<BlobId>() else { return no_such_path(&path) };
            match *request.method() {
                Method::PUT => self.put(wanted, request.into_body()).await,
                Method::HEAD => match self.0.len(wanted).await {
                    Ok(_) => document(StatusCode::OK, &json!({})),
                    Err(_) => no_such_path(&path),
                },
                _ => refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    "Assets can be put (PUT) or asked for (HEAD).",
                ),
            }
        })
    }
}

impl Assets {
    async fn put(&self, wanted: BlobId, body: RequestBody) -> Response<Body> {
        let parts = BodyDataStream::new(body.passed_on())
            .map(|part| part.map_err(|error| std::io::Error::other(error.to_string())));
        match self.0.put_stream(Box::pin(parts), BYTES_MAX).await {
            Ok(stored) if stored.id == wanted => document(StatusCode::OK, &json!({ "bytes": stored.len })),
            Ok(stored) => {
                let message =
                    format!("The bytes that came have the SHA-256 {}, and not the one in the path.", stored.id);
                refusal(StatusCode::BAD_REQUEST, "BadDigest", &message)
            }
            Err(store::Error::BlobTooLong { limit }) => {
                let message = format!("An asset is at most {limit}.");
                refusal(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", &message)
            }
            Err(error) => {
                tracing::warn!(%error, asset = %wanted, "an asset could not be kept");
                refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "ServiceUnavailable",
                    &format!("The asset could not be kept: {error}."),
                )
            }
        }
    }
}
