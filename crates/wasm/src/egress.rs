//! Requests that guests send, to whom they may: HTTP/1.1, with TLS where the URL says so, checked against the system's certificates.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::uri::Scheme;
use http::{HeaderName, Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode2;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode3;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::network::{Leave, Network};

/// How long a connection may take to come about, if the guest does not say.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Connections that wait for another request to the same host.
const IDLE_MAX: usize = 8;
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Parts of an outgoing body, or of an answer, that lie between the guest and its reader: together 288 KiB at most.
const BODY_PARTS: usize = 8;
const BODY_PART_BYTES: usize = 32 * 1024;

/// What the instances of one service share: whom they may talk to, and the connections to them. Nobody else uses these.
pub(crate) struct Reach {
    network: Network,
    trust: Trust,
    client: OnceCell<Client<HttpsConnector<Connector>, WasiBody>>,
}

/// Whose certificates are believed: what the system has, read when a guest sends its first request. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Trust(Arc<OnceCell<ClientConfig>>);

impl Trust {
    async fn config(&self) -> Result<ClientConfig, Error> {
        let read = || async { tokio::task::spawn_blocking(system_trust).await.map_err(|_| Error::ConfigurationError)? };
        self.0.get_or_try_init(read).await.cloned()
    }
}

/// Certificates that cannot be read are not believed; if none can, every host is refused by name.
fn system_trust() -> Result<ClientConfig, Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificates cannot be read");
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::ConfigurationError)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// One instance's way out.
pub(crate) struct Egress(Arc<Reach>);

impl Egress {
    pub(crate) fn new(reach: Arc<Reach>) -> Self {
        Self(reach)
    }
}

type Answered = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Egress {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answered, Error>> + Send> {
        let reach = Arc::clone(&self.0);
        Box::new(async move {
            let answer = reach.send(request, options.unwrap_or_default()).await?;
            // The client drives its connections itself.
            let driven: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            Ok((answer, driven))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_PARTS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PART_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PART_BYTES
    }

    fn p2_error_from_hyper(&mut self, _: &hyper::Error) -> ErrorCode2 {
        ErrorCode2::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, _: &io::Error) -> ErrorCode2 {
        ErrorCode2::ConnectionRefused
    }

    fn p3_error_from_hyper(&mut self, _: &hyper::Error) -> ErrorCode3 {
        ErrorCode3::HttpProtocolError
    }

    fn p3_error_from_connect(&mut self, _: &io::Error) -> ErrorCode3 {
        ErrorCode3::ConnectionRefused
    }
}

impl Reach {
    pub(crate) fn new(network: Network, trust: Trust) -> Arc<Self> {
        Arc::new(Self { network, trust, client: OnceCell::new() })
    }

    async fn send(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        self.check(&request)?;
        let connect = || async { Ok::<_, Error>(client(self.network.clone(), self.trust.config().await?)) };
        let client = self.client.get_or_try_init(connect).await?;
        // One limit for both: who gets a connection that is there already has more time for the answer.
        let connect = options.connect_timeout.unwrap_or(CONNECT_TIME);
        let patience = options.first_byte_timeout.map(|first_byte| connect.saturating_add(first_byte));
        let answer = match patience {
            Some(patience) => tokio::time::timeout(patience, client.request(request))
                .await
                .map_err(|_| Error::ConnectionReadTimeout)?,
            None => client.request(request).await,
        };
        let answer = answer.map_err(|error| meaning(&error))?;
        Ok(answer.map(|body| match options.between_bytes_timeout {
            Some(pause_max) => Paced::new(body, pause_max).boxed_unsync(),
            None => body.map_err(Error::from).boxed_unsync(),
        }))
    }

    /// Whether the request may be sent at all.
    fn check(&self, request: &Request<WasiBody>) -> Result<(), Error> {
        let uri = request.uri();
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(Error::HttpRequestUriInvalid)?;
        if *request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let leave = self.network.leave(host, port(uri));
        match leave {
            Leave::None => Err(Error::HttpRequestDenied),
            Leave::Anywhere | Leave::If(_) => Ok(()),
        }
    }
}

fn client(network: Network, trust: ClientConfig) -> Client<HttpsConnector<Connector>, WasiBody> {
    let plain = Connector { network: Arc::new(network) };
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http().enable_http1().wrap_connector(plain);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(connector)
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 })
}

/// Connects to hosts that may be asked, at addresses that may be asked.
#[derive(Clone)]
struct Connector {
    network: Arc<Network>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("the host's name cannot be resolved")]
    Name,
    #[error("the host may not be asked at any of its addresses")]
    Denied,
    #[error("connecting took too long")]
    Time,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<TokioIo<TcpStream>, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let network = Arc::clone(&self.network);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIME, connect(&network, &uri)).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(_) => Err(ConnectError::Time),
            }
        })
    }
}

async fn connect(network: &Network, uri: &Uri) -> Result<TcpStream, ConnectError> {
    let (host, port) = (uri.host().unwrap_or_default(), port(uri));
    let leave = network.leave(host, port);
    let mut last = ConnectError::Denied;
    for address in resolve(host, port).await?.into_iter().filter(|address| leave.covers(*address)) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((bare, port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(_) => Err(ConnectError::Name),
    }
}

/// What WASI calls it.
fn meaning(error: &legacy::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(connect) = error.downcast_ref::<ConnectError>() {
            return match connect {
                ConnectError::Name => Error::DnsError { rcode: Some("name not resolved".to_owned()), info_code: None },
                ConnectError::Denied => Error::DestinationIpProhibited,
                ConnectError::Time => Error::ConnectionTimeout,
                ConnectError::Io(error) => of_io(error),
            };
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>().filter(|error| error.is_incomplete_message()) {
            tracing::debug!(%error, "a host that a guest asked hung up");
            return Error::ConnectionTerminated;
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return of_tls(error);
        }
        // What an `io::Error` holds is not its source, but that one's source is.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    Error::HttpProtocolError
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some((*alert).into()), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}

fn of_io(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

/// An answer's body whose parts must not be too long apart.
struct Paced {
    body: Incoming,
    pause_max: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Incoming, pause_max: Duration) -> Self {
        Self { body, pause_max, alarm: Box::pin(tokio::time::sleep(pause_max)) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = pin!(&mut self.body).poll_frame(cx) {
            let next = Instant::now() + self.pause_max;
            self.alarm.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        self.alarm.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
