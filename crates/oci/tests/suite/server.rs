//! A tiny registry: what it has, what it does wrong, and what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oci::Digest;
use tokio::net::TcpListener;

use crate::images::Made;

/// A registry that runs for as long as the test.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    documents: HashMap<String, (String, Vec<u8>)>,
    asked: Vec<Asked>,
    /// What goes wrong, next first, by what a path contains.
    wrongs: Vec<(String, Wrong)>,
    /// The token that reading needs, and who is given it: anybody, or the owner of these.
    token: Option<String>,
    owner: Option<String>,
    basic_only: bool,
    ranges: bool,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub proof: Option<String>,
    pub range: Option<String>,
    pub body: String,
}

/// One thing that goes wrong, once.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// An answer with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection breaks after so many bytes.
    BreakAfter(usize),
    /// This byte is another.
    Damage(usize),
    /// These bytes come instead.
    Instead(Vec<u8>),
    /// Nothing comes at all after so many bytes, and nothing ends.
    StallAfter(usize),
}

type Body = BoxBody<Bytes, std::io::Error>;

impl Server {
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0", None).await
    }

    /// With TLS, at an address that is not this machine's alone.
    pub async fn start_tls(acceptor: tokio_rustls::TlsAcceptor) -> Self {
        Self::listen("0.0.0.0:0", Some(acceptor)).await
    }

    async fn listen(address: &str, acceptor: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, inner: Arc::new(Mutex::new(Inner { ranges: true, ..Inner::default() })) };
        let serving = server.clone();
        base::task::spawn(base::task::Kind::Work, "registry", async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, acceptor) = (serving.clone(), acceptor.clone());
                base::task::spawn(base::task::Kind::Work, "connection", async move {
                    let service = service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(request).await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // Who breaks a connection on purpose gets an error for it.
                    match acceptor {
                        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                drop(http.serve_connection(TokioIo::new(stream), service).await);
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// The name of an image in it.
    pub fn name(&self, rest: &str) -> oci::Source {
        format!("{}/{rest}", self.address).parse().unwrap()
    }

    /// Puts an image into it, and a tag on it.
    pub fn put(&self, repository: &str, tag: &str, made: &Made) {
        for bytes in made.blobs() {
            self.put_bytes(&format!("/v2/{repository}/blobs/{}", Digest::of(bytes)), "application/octet-stream", bytes);
        }
        for version in [tag.to_owned(), made.digest().to_string()] {
            let path = format!("/v2/{repository}/manifests/{version}");
            self.put_bytes(&path, "application/vnd.oci.image.manifest.v1+json", &made.manifest);
        }
    }

    pub fn put_bytes(&self, path: &str, media_type: &str, bytes: &[u8]) {
        self.with(|inner| inner.documents.insert(path.to_owned(), (media_type.to_owned(), bytes.to_vec())));
    }

    /// The next answer whose path contains this goes wrong.
    pub fn go_wrong(&self, path: &str, wrong: Wrong) {
        self.with(|inner| inner.wrongs.push((path.to_owned(), wrong)));
    }

    /// From now on reading needs a token; if an owner is named (`user:password`, or a lasting token), only that one gets it.
    pub fn need_token(&self, token: &str, owner: Option<&str>) {
        self.with(|inner| (inner.token, inner.owner) = (Some(token.to_owned()), owner.map(str::to_owned)));
    }

    /// From now on reading needs a name and password.
    pub fn need_password(&self, owner: &str) {
        self.with(|inner| (inner.basic_only, inner.owner) = (true, Some(owner.to_owned())));
    }

    pub fn without_ranges(&self) {
        self.with(|inner| inner.ranges = false);
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        self.with(|inner| std::mem::take(&mut inner.asked))
    }

    /// The paths that were asked for since the last time and contain this.
    pub fn asked_for(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path.contains(part)).count()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap())
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.to_string();
        let text = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let asked = Asked {
            method: head.method,
            path: path.clone(),
            proof: text(&head.headers, "authorization"),
            range: text(&head.headers, "range"),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        };
        let wrong = self.with(|inner| {
            inner.asked.push(asked.clone());
            let next = inner.wrongs.iter().position(|(part, _)| path.contains(part.as_str()));
            next.map(|next| inner.wrongs.remove(next).1)
        });
        match wrong {
            Some(Wrong::Answer(status, headers, words)) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(whole(words.into_bytes())).unwrap()
            }
            wrong => self.serve(&asked, wrong),
        }
    }

    fn serve(&self, asked: &Asked, wrong: Option<Wrong>) -> Response<Body> {
        if asked.path.starts_with("/token") {
            return self.give_token(asked);
        }
        if let Some(refusal) = self.refuse(asked) {
            return refusal;
        }
        let (found, ranges) = self.with(|inner| (inner.documents.get(&asked.path).cloned(), inner.ranges));
        let Some((media_type, mut bytes)) = found else {
            let words = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return Response::builder().status(404).body(whole(words.to_vec())).unwrap();
        };
        let mut response = Response::builder().header("content-type", media_type);
        let range = asked.range.as_deref();
        let from: Option<usize> = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        if let Some(from) = from.filter(|_| ranges) {
            let total = bytes.len();
            if from >= total {
                return Response::builder().status(416).body(whole(Vec::new())).unwrap();
            }
            bytes.drain(..from);
            response = response.status(206).header("content-range", format!("bytes {from}-{}/{total}", total - 1));
        }
        let body = match wrong {
            Some(Wrong::BreakAfter(count)) => {
                bytes.truncate(count);
                let broken = std::io::Error::other("on purpose");
                let frames = [Ok(Frame::data(Bytes::from(bytes))), Err(broken)];
                // Some time between the two, or the first is lost with the connection.
                let frames = stream::unfold(frames.into_iter(), |mut frames| async move {
                    tokio::task::yield_now().await;
                    frames.next().map(|frame| (frame, frames))
                });
                StreamBody::new(frames).boxed()
            }
            Some(Wrong::StallAfter(count)) => {
                bytes.truncate(count);
                let first = Ok(Frame::data(Bytes::from(bytes)));
                StreamBody::new(futures_util::StreamExt::chain(stream::iter([first]), stream::pending())).boxed()
            }
            Some(Wrong::Damage(at)) => {
                bytes[at] ^= 1;
                whole(bytes)
            }
            Some(Wrong::Instead(bytes)) => whole(bytes),
            Some(Wrong::Answer(..)) | None => whole(bytes),
        };
        response.body(body).unwrap()
    }

    /// Who does not prove enough is told how to.
    fn refuse(&self, asked: &Asked) -> Option<Response<Body>> {
        let (needed, challenge) = self.with(|inner| match (&inner.token, &inner.owner) {
            (_, Some(owner)) if inner.basic_only => (Some(basic(owner)), "Basic realm=\"here\"".to_owned()),
            (Some(token), _) => (
                Some(format!("Bearer {token}")),
                format!(
                    "Bearer realm=\"http://{}/token\",service=\"tests\",scope=\"repository:app:pull\"",
                    self.address
                ),
            ),
            (None, _) => (None, String::new()),
        });
        let needed = needed?;
        if asked.proof.as_ref() == Some(&needed) {
            return None;
        }
        let words = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let response = Response::builder().status(401).header("www-authenticate", challenge);
        Some(response.body(whole(words.to_vec())).unwrap())
    }

    fn give_token(&self, asked: &Asked) -> Response<Body> {
        let (token, owner) = self.with(|inner| (inner.token.clone().unwrap_or_default(), inner.owner.clone()));
        let proven = match owner {
            None => true,
            Some(owner) => {
                asked.proof.as_ref() == Some(&basic(&owner)) || asked.body.contains(&format!("refresh_token={owner}&"))
            }
        };
        let (status, body) = if proven {
            (StatusCode::OK, format!("{{\"access_token\":\"{token}\",\"expires_in\":60}}"))
        } else {
            (
                StatusCode::UNAUTHORIZED,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"incorrect password"}]}"#.to_owned(),
            )
        };
        Response::builder().status(status).body(whole(body.into_bytes())).unwrap()
    }
}

fn basic(owner: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(owner))
}

fn whole(bytes: Vec<u8>) -> Body {
    http_body_util::Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}
