//! `GET /_code/SHA256?…`: a function's package, by the link that `GetFunction` gives.

use std::sync::Arc;

use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use functions::Functions;
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::{refusal, response};

const PREFIX: &str = "/_code/";

/// Packages for whoever has a link.
pub(crate) struct Code(pub(crate) Arc<Functions>);

impl Mount for Code {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn audience(&self) -> Audience {
        // The link itself is signed.
        Audience::Anybody
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if request.method() != Method::GET {
                return refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    "Packages can only be fetched (GET).",
                );
            }
            let name = request.uri().path().trim_start_matches(PREFIX);
            match self.0.package(name, request.uri().query().unwrap_or_default()).await {
                Ok(package) => {
                    let frames = package.content.map(|part| part.map(Frame::data).map_err(Into::into));
                    let body = Body::Right(StreamBody::new(frames).boxed_unsync());
                    let mut found = response(StatusCode::OK, "application/zip", body);
                    found.headers_mut().insert(CONTENT_LENGTH, package.bytes.into());
                    found
                }
                Err(fault) => {
                    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
                    refusal(status.unwrap_or(StatusCode::NOT_FOUND), &fault.code, &fault.message)
                }
            }
        })
    }
}
