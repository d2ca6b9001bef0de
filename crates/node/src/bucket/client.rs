//! HTTP to somebody's object storage: the house's client and its one crypto library.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector as Connect, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::{ClientConfig, RootCertStore};

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Until an answer begins: a part of 8 MiB has to get there first.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// Makes clients.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tls: ClientConfig,
}

impl Connector {
    /// With the certificates that this machine trusts.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let mut trusted = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = trusted.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::warn!("this machine trusts no certificates: only buckets behind http:// can be reached");
        }
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self { tls: tls.with_root_certificates(trusted).with_no_client_auth() })
    }
}

impl Connect for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let https = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_or_http().enable_http1();
        let pool = Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https.wrap_connector(tcp));
        Ok(HttpClient::new(Client(pool)))
    }
}

/// A pool of connections.
#[derive(Debug)]
struct Client(Pool<HttpsConnector<HttpConnector>, HttpRequestBody>);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(ANSWER_MAX, self.0.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let answer = answer.map_err(|error| HttpError::new(kind(&error), error))?;
        Ok(answer
            .map(|body| HttpResponseBody::new(body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error)))))
    }
}

/// What may be tried again, by who knows whether it was safe.
fn kind(error: &PoolError) -> HttpErrorKind {
    match error.is_connect() {
        true => HttpErrorKind::Connect,
        false => HttpErrorKind::Interrupted,
    }
}
