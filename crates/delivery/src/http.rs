//! The carrier "http": a delivery that is a request to the world.
//!
//! Each request has a connection of its own, HTTP/1.1, with TLS where the URL says so, against the machine's own list of authorities.
//! Redirections are not followed. Of the answer only the status counts; its body is read to [`ANSWER_BYTES_MAX`] and shown to people
//! where the status is not good.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use contract::BoxFuture;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use store::Record;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Carried, Carrier, Ending, Failure};

/// The carrier's name.
pub const NAME: &str = "http";

/// So much of an answer is read.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A longer pause than this is not granted to who asks for one by `Retry-After`.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// A request to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Such as `POST`.
    pub method: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// Headers in order; `Host` and `Content-Length` are made.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// How long the whole of it may take, in milliseconds.
    pub patience_ms: u64,
    /// Statuses after which it is tried again, beside 408, 429 and all from 500 on. Any other that is not 2xx is for good.
    pub retried: Vec<u16>,
}

impl Post {
    /// A `POST` with 15 seconds of patience.
    pub fn new(url: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            method: "POST".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: body.into(),
            patience_ms: 15_000,
            retried: Vec::new(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// As the parcel of a delivery.
    pub fn to_parcel(&self) -> Bytes {
        store::record::encode(self).expect("text and numbers are JSON")
    }
}

impl Record for Post {
    const KIND: &'static str = "delivery-http";
    const VERSION: u16 = 1;
}

/// What requests may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything: who reaches this node is on this machine already.
    Everything,
    /// Nothing of this machine itself, nor of its link (where clouds keep their machines' credentials): who may subscribe an address
    /// must not thereby reach what listens there.
    World,
}

/// Carries requests. TLS is set up with the first one that wants it.
pub(crate) struct World {
    reach: Reach,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl World {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach, tls: OnceLock::new() }
    }

    async fn send(&self, post: &Post) -> Result<Response<Incoming>, Trouble> {
        let uri: Uri = post.url.parse().map_err(|error| Trouble::Never(format!("the URL cannot be read: {error}")))?;
        let host = uri.host().ok_or_else(|| Trouble::Never("the URL has no host".to_owned()))?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(Trouble::Never("the URL must begin with http:// or https://".to_owned())),
        };
        let request = request(post, &uri)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = self.connect(host, uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 })).await?;
        if !is_secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| Trouble::Never(format!("'{host}' cannot be the name of a certificate")))?;
        let tls = self.tls().await?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        exchange(stream.map_err(|error| Trouble::Later(format!("TLS failed: {error}")))?, request).await
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Trouble> {
        let addresses = tokio::net::lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> =
            addresses.map_err(|error| Trouble::Later(format!("'{host}' cannot be resolved: {error}")))?.collect();
        let mut trouble = Trouble::Later(format!("'{host}' has no address"));
        for address in addresses {
            if self.reach == Reach::World && !is_elsewhere(address.ip()) {
                trouble = out_of_reach(address.ip());
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) if self.reach == Reach::World && is_to_itself(&stream) => {
                    trouble = out_of_reach(address.ip());
                }
                Ok(stream) => {
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Err(error) => trouble = Trouble::Later(format!("{address} cannot be connected: {error}")),
            }
        }
        Err(trouble)
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, Trouble> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let made = tokio::task::spawn_blocking(tls_config).await;
        let made = made.map_err(|_| Trouble::Later("TLS cannot be set up".to_owned()))?;
        Ok(Arc::clone(self.tls.get_or_init(|| made)))
    }
}

impl Carrier for World {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            let post: Post = match store::record::decode(&carried.parcel) {
                Ok(post) => post,
                Err(error) => return Ending::Refused { why: Failure::new("MalformedDelivery", error.to_string()) },
            };
            self.carry_post(&post).await
        })
    }
}

/// Makes requests for carriers of services' own, which must find out first what to send: the same way, and as far, as the carrier here.
pub struct Client(World);

impl Client {
    /// A client that may reach so far.
    pub fn new(reach: Reach) -> Self {
        Self(World::new(reach))
    }

    /// Makes the request, and judges the answer by its status.
    pub async fn carry(&self, post: &Post) -> Ending {
        self.0.carry_post(post).await
    }

    /// Makes the request; answers the status and at most [`ANSWER_BYTES_MAX`] of the body, whatever they are.
    pub async fn ask(&self, post: &Post) -> Result<(u16, Bytes), Failure> {
        let asked = async {
            let response = self.0.send(post).await.map_err(|trouble| match trouble {
                Trouble::Later(why) => Failure::new("ConnectionError", why),
                Trouble::Never(why) => Failure::new("InvalidEndpoint", why),
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Failure::new("ConnectionError", error.to_string()))?;
            Ok((head.status.as_u16(), body.to_bytes()))
        };
        let patience = Duration::from_millis(post.patience_ms);
        match tokio::time::timeout(patience, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::new("TimeoutError", format!("The endpoint did not answer within {patience:?}."))),
        }
    }
}

impl World {
    async fn carry_post(&self, post: &Post) -> Ending {
        // The machine's time: a peer is waited for.
        let patience = Duration::from_millis(post.patience_ms);
        match tokio::time::timeout(patience, self.answer(post)).await {
            Ok(ending) => ending,
            Err(_) => {
                let message = format!("The endpoint did not answer within {patience:?}.");
                Ending::Retry { why: Failure::new("TimeoutError", message), after: None }
            }
        }
    }

    async fn answer(&self, post: &Post) -> Ending {
        let response = match self.send(post).await {
            Ok(response) => response,
            Err(Trouble::Later(why)) => {
                return Ending::Retry { why: Failure::new("ConnectionError", why), after: None };
            }
            Err(Trouble::Never(why)) => return Ending::Refused { why: Failure::new("InvalidEndpoint", why) },
        };
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ending::DELIVERED;
        }
        let pause = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let after = pause.map(|seconds| Duration::from_secs(seconds).min(PAUSE_MAX));
        let words = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
        let words = String::from_utf8_lossy(&words.unwrap_or_default()).into_owned();
        let status = head.status.as_u16();
        let why = Failure::new(status.to_string(), format!("The endpoint answered {}: {words}", head.status));
        match status {
            408 | 429 | 500.. => Ending::Retry { why, after },
            status if post.retried.contains(&status) => Ending::Retry { why, after },
            _ => Ending::Refused { why },
        }
    }
}

/// Why there is no answer.
enum Trouble {
    /// It may pass.
    Later(String),
    /// It will not.
    Never(String),
}

fn out_of_reach(ip: IpAddr) -> Trouble {
    Trouble::Never(format!(
        "{ip} is this machine or its link, which deliveries do not reach on a node that others can reach"
    ))
}

fn request(post: &Post, uri: &Uri) -> Result<Request<Full<Bytes>>, Trouble> {
    let never = |what: &str| Trouble::Never(format!("the {what} cannot be sent"));
    let method = Method::from_bytes(post.method.as_bytes()).map_err(|_| never("method"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::new(Bytes::from(post.body.clone())));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|_| never("path"))?;
    let headers = request.headers_mut();
    for (name, value) in &post.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| never(&format!("header '{name}'")))?;
        let value = HeaderValue::from_str(value).map_err(|_| never(&format!("header '{name}'")))?;
        headers.append(name, value);
    }
    let authority = uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    headers.insert(HOST, HeaderValue::from_str(authority.unwrap_or_default()).map_err(|_| never("host"))?);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(post.body.len()));
    Ok(request)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Trouble>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let later = |error: hyper::Error| Trouble::Later(format!("the endpoint broke off: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(later)?;
    // It ends when the answer has been read or dropped; nothing is lost if it is cut off.
    base::task::spawn(base::task::Kind::Work, "webhook connection", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a webhook's connection broke");
        }
    });
    sender.send_request(request).await.map_err(later)
}

fn tls_config() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the machine's certificate authorities cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Whether an address is neither this machine's own by its form, nor one of its link.
fn is_elsewhere(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_link_local() || ip.is_broadcast() || ip.is_multicast())
                && ip.octets()[0] != 0
        }
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_multicast()),
    }
}

/// Whether both ends are the same machine: it has more addresses than those that look like it.
fn is_to_itself(stream: &TcpStream) -> bool {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) => local.ip().to_canonical() == peer.ip().to_canonical(),
        (Err(_), _) | (_, Err(_)) => true,
    }
}
