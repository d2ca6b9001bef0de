//! A request that is handed through to a function which is a web server: no event is made of it, and no JSON is read.
//!
//! Bodies stream both ways. Where server and client agree to switch protocols (WebSockets), what follows is carried as it is, until
//! either side closes or the function's time is over. What an event would tell beside the request itself is told in headers: the
//! client's address as proxies tell it, and the event's `requestContext`, as the Lambda Web Adapter hands it on.

use base::task::{self, Kind};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Either, Full};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{DuplexStream, copy_bidirectional};

use crate::event::{self, Source};
use crate::{Body, BodyError};

const REQUEST_CONTEXT: HeaderName = HeaderName::from_static("x-amzn-request-context");

/// A body that is passed on as it comes.
pub(crate) fn streamed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    Either::Right(body.map_err(Into::into).boxed_unsync())
}

/// A body that had to be read before it was known who sent it.
pub(crate) fn whole(body: Bytes) -> Body {
    Either::Left(Full::new(body))
}

/// The request as the function gets it. `source` has no body. Where the client's connection cannot be switched, nothing asks for that.
pub(crate) fn request(source: &Source<'_>, body: Body, upgrade: Option<&OnUpgrade>) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = source.method.clone();
    let target = match source.query {
        "" => source.path.parse(),
        query => format!("{}?{query}", source.path).parse(),
    };
    // It was read from a request's own target: there is nothing in it that a target cannot have.
    *request.uri_mut() = target.unwrap_or(Uri::from_static("/"));
    *request.headers_mut() = headers(source);
    if upgrade.is_none() {
        request.headers_mut().remove(UPGRADE);
    }
    request
}

fn headers(source: &Source<'_>) -> HeaderMap {
    let mut headers = source.headers.clone();
    if source.signer.is_some() {
        // It proved who asks, and is worth something to whoever could send it again.
        headers.remove(AUTHORIZATION);
    }
    let mut set = |name: HeaderName, value: &[u8]| match HeaderValue::from_bytes(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    };
    // The node says these itself, whatever the client sent.
    set(HOST, source.host.as_bytes());
    for (name, value) in event::forwarded(source) {
        set(HeaderName::from_static(name), value.as_bytes());
    }
    set(REQUEST_CONTEXT, &event::context(source));
    headers
}

/// Carries what both sides say after they switched protocols, as soon as the client was told that they do.
pub(crate) fn join(upgrade: OnUpgrade, mut tunnel: DuplexStream) {
    task::spawn(Kind::Work, "tunnel to a function", async move {
        match upgrade.await {
            Ok(upgraded) => {
                // Torn by either side: the other one sees it closed.
                let _ = copy_bidirectional(&mut TokioIo::new(upgraded), &mut tunnel).await;
            }
            Err(error) => tracing::debug!(%error, "a client went away before its connection was switched"),
        }
    });
}

/// A response of ours, which is there already.
pub(crate) fn ready(response: Response<Bytes>) -> Response<Body> {
    response.map(whole)
}
