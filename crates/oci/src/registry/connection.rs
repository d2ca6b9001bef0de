//! One registry that is being asked: requests, tries, redirections.

use std::path::Path;
use std::time::Duration;

use base::{Backoff, Clock, Random};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, RANGE, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{Patience, challenge};
use crate::credentials::Credentials;
use crate::reference::{host_of, is_loopback};
use crate::{Error, Layers, LoadOptions, Reference};

/// Redirections that are followed for one answer.
const REDIRECTS_MAX: usize = 5;
/// How much of a refusal's words is read.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;
/// A registry that asks for a longer pause is given up: whoever waits should know.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A registry, for one image.
pub(crate) struct Registry {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    reference: Reference,
    pub(super) credentials: Option<Credentials>,
    /// What proves who asks, once the registry has said what it wants.
    proof: Mutex<Option<HeaderValue>>,
    patience: Patience,
    clock: Clock,
    random: Random,
}

/// What is asked for.
pub(super) struct Ask {
    /// For people.
    pub(super) what: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) accept: &'static str,
    /// From which byte on.
    pub(super) from: u64,
}

/// Why one try did not bring an answer.
pub(super) enum Failure {
    /// Another may: after a pause, if the registry named one.
    Again { why: String, pause: Option<Duration> },
    /// No other will.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Registry {
    pub(super) async fn new(reference: &Reference, layers: &Layers, options: &LoadOptions) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.patience.answer));
        let tls = if reference.is_plain() {
            // A token may come from elsewhere even so, but then only from this machine too.
            config(RootCertStore::empty())
        } else {
            let (name, trust) = (reference.registry().to_owned(), options.trust.clone());
            let trusted = move || trusted(&name, trust.as_deref()).map(config);
            crate::load::blocking(trusted).await?
        };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector),
            reference: reference.clone(),
            credentials: options.credentials.clone(),
            proof: Mutex::new(None),
            patience: options.patience,
            clock: layers.clock().clone(),
            random: layers.random().clone(),
        })
    }

    /// The registry's name.
    pub(super) fn name(&self) -> &str {
        self.reference.registry()
    }

    /// The image's name in it.
    pub(super) fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// True if it is on this machine, and asked without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.reference.is_plain()
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    pub(super) fn tries(&self) -> Tries<'_> {
        let backoff = Backoff::new(self.patience.first_wait, self.patience.longest_wait);
        Tries { registry: self, backoff }
    }

    /// Asks until there is a good answer, or none is to be expected.
    pub(super) async fn get(&self, ask: &Ask) -> Result<Response<Incoming>, Error> {
        let mut tries = self.tries();
        loop {
            match self.get_once(ask).await {
                Ok(response) => return Ok(response),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    /// Asks once, proving who asks if the registry wants that.
    pub(super) async fn get_once(&self, ask: &Ask) -> Result<Response<Incoming>, Failure> {
        let proof = self.proof.lock().await.clone();
        let response = self.follow(ask, proof.clone()).await?;
        let response = if response.status() == StatusCode::UNAUTHORIZED {
            let proof = self.prove(&response, proof).await?;
            self.follow(ask, Some(proof)).await?
        } else {
            response
        };
        self.judge(ask, response).await
    }

    /// Gets what proves who asks. Others who were refused with the same proof wait, and take the new one.
    async fn prove(&self, response: &Response<Incoming>, refused: Option<HeaderValue>) -> Result<HeaderValue, Failure> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenge = challenge::read(headers)
            .ok_or_else(|| self.denied("it names no way to prove who asks that is known here".to_owned()))?;
        let mut proof = self.proof.lock().await;
        match &*proof {
            Some(newer) if refused.as_ref() != Some(newer) => Ok(newer.clone()),
            Some(_) | None => {
                let new = self.proof_for(&challenge).await?;
                *proof = Some(new.clone());
                Ok(new)
            }
        }
    }

    /// Asks, and goes where the answer sends.
    async fn follow(&self, ask: &Ask, proof: Option<HeaderValue>) -> Result<Response<Incoming>, Failure> {
        let scheme = if self.reference.is_plain() { "http" } else { "https" };
        let first = format!("{scheme}://{}{}", self.reference.address(), ask.path);
        let mut uri: Uri = first.parse().map_err(|_| self.odd(ask, 0, "no address can be made of the image's name"))?;
        let mut proof = proof;
        for _ in 0..=REDIRECTS_MAX {
            let mut request = request(Method::GET, &uri).header(ACCEPT, ask.accept);
            if ask.from > 0 {
                request = request.header(RANGE, format!("bytes={}-", ask.from));
            }
            if let Some(proof) = &proof {
                request = request.header(AUTHORIZATION, proof);
            }
            let request = request.body(Full::default()).expect("all parts are well-formed");
            let response = self.send(request).await?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| resolve(&uri, location));
            let next = next.ok_or_else(|| self.odd(ask, status.as_u16(), "it redirects to nowhere"))?;
            if !may_follow(&uri, &next) {
                return Err(self.odd(ask, status.as_u16(), "it redirects away from TLS").into());
            }
            if next.authority() != uri.authority() || next.scheme() != uri.scheme() {
                // What proves who asks is for the registry alone.
                proof = None;
            }
            uri = next;
        }
        Err(self.odd(ask, 302, "it redirects too often").into())
    }

    /// Sends one request; waits for the head of the answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
        match tokio::time::timeout(self.patience.answer, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let why = format!("{host}: {}", causes(&error));
                // A certificate that is not trusted now will not be in a second.
                let again = Failure::Again { why: why.clone(), pause: None };
                let never = Failure::Final(Error::Unreachable { registry: self.name().to_owned(), why });
                Err(if is_about_trust(&error) { never } else { again })
            }
            Err(_) => {
                Err(Failure::Again { why: format!("{host} did not answer in {:?}", self.patience.answer), pause: None })
            }
        }
    }

    /// A good answer, or why it is none.
    async fn judge(&self, ask: &Ask, response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let words = self.words(response).await;
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let said = if words.is_empty() { status.to_string() } else { words };
                self.denied(said).into()
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Failure::Again { why: format!("{status} {words}"), pause: pause.map(Duration::from_secs) }
            }
            status if status.is_server_error() => {
                Failure::Again { why: format!("{status} {words}"), pause: pause.map(Duration::from_secs) }
            }
            status => self.odd(ask, status.as_u16(), &words).into(),
        })
    }

    /// That an answer is not what was asked for.
    pub(super) fn odd(&self, ask: &Ask, status: u16, words: &str) -> Error {
        Error::Refused { registry: self.name().to_owned(), what: ask.what.clone(), status, words: words.to_owned() }
    }

    /// A refusal's own words, in one line.
    pub(super) async fn words(&self, response: Response<Incoming>) -> String {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<One>,
        }
        #[derive(Deserialize)]
        struct One {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        // They are worth having, and nothing depends on them.
        let Ok(bytes) = read_body(response, REFUSAL_BYTES_MAX, self.patience.stall).await else { return String::new() };
        let Ok(read) = serde_json::from_slice::<Errors>(&bytes) else { return String::new() };
        let words: Vec<String> =
            read.errors.iter().take(3).map(|one| format!("{} {}", one.code, one.message)).collect();
        let words = words.join("; ");
        words.chars().filter(|letter| !letter.is_control()).take(500).collect::<String>().trim().to_owned()
    }

    /// A whole answer, which may have so many bytes.
    pub(super) async fn body(&self, what: &str, response: Response<Incoming>, most: u64) -> Result<Vec<u8>, Error> {
        read_body(response, most, self.patience.stall).await.map_err(|why| match why {
            BodyError::TooLong => {
                Error::Document { what: what.to_owned(), why: format!("it has more than {most} bytes") }
            }
            BodyError::Broken(why) => Error::Unreachable { registry: self.name().to_owned(), why },
        })
    }
}

/// Tries in a row, with pauses between them.
pub(super) struct Tries<'a> {
    registry: &'a Registry,
    backoff: Backoff,
}

impl Tries<'_> {
    /// Waits before the next try; fails if there is none.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), Error> {
        let registry = self.registry;
        match failure {
            Failure::Final(error) => Err(error),
            Failure::Again { why, pause } => {
                let next = self.backoff.next(&registry.random);
                let wait = pause.unwrap_or(next);
                if self.backoff.tries() >= registry.patience.tries || wait > PAUSE_MAX {
                    return Err(Error::Unreachable { registry: registry.name().to_owned(), why });
                }
                tracing::debug!(registry = registry.name(), why, ?wait, "trying again");
                registry.clock.sleep(wait).await;
                Ok(())
            }
        }
    }

    /// Something was won: the count begins anew.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
    }
}

/// Why a body could not be read.
pub(super) enum BodyError {
    TooLong,
    Broken(String),
}

/// Reads a whole body, which may have so many bytes.
pub(super) async fn read_body(response: Response<Incoming>, most: u64, stall: Duration) -> Result<Vec<u8>, BodyError> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(stall, body.frame()).await {
            Err(_) => return Err(BodyError::Broken(format!("nothing came for {stall:?}"))),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(error))) => return Err(BodyError::Broken(causes(&error))),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() as u64 > most {
                    return Err(BodyError::TooLong);
                }
            }
        }
    }
}

/// A request with what all have.
pub(super) fn request(method: Method, uri: &Uri) -> http::request::Builder {
    let agent = concat!("freehold/", env!("CARGO_PKG_VERSION"));
    Request::builder().method(method).uri(uri.clone()).header(USER_AGENT, agent)
}

/// True if a redirection does not lead from TLS, or from another machine to this one's plain ports.
pub(super) fn may_follow(from: &Uri, to: &Uri) -> bool {
    match to.scheme_str() {
        Some("https") => true,
        Some("http") => from.scheme_str() == Some("http") && to.host().is_some_and(is_loopback),
        Some(_) | None => false,
    }
}

/// Where a redirection leads: an address, or a path of the same host.
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    if let Some(path) = location.strip_prefix("//") {
        return format!("{}://{path}", from.scheme_str()?).parse().ok();
    }
    if location.starts_with('/') {
        return format!("{}://{}{location}", from.scheme_str()?, from.authority()?).parse().ok();
    }
    let uri: Uri = location.parse().ok()?;
    let authority = uri.authority()?;
    // A name and password in an address would be sent on in clear.
    let plain = !authority.as_str().contains('@') && !host_of(authority.as_str()).is_empty();
    (plain && uri.scheme().is_some()).then_some(uri)
}

/// True if TLS refused: its errors lie within those of reading and writing.
fn is_about_trust(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
    error.is::<rustls::Error>() || inner.or(error.source()).is_some_and(is_about_trust)
}

/// An error and what is behind it, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn config(roots: RootCertStore) -> ClientConfig {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The system's certificates, and those in a file. Blocks.
fn trusted(registry: &str, file: Option<&Path>) -> Result<RootCertStore, Error> {
    let missing = |why: String| Error::Certificates { registry: registry.to_owned(), why };
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Stores have always a few that nobody can read.
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = file {
        let name = file.display();
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read: Vec<_> = read.map_err(|error| missing(format!("{name} cannot be read: {error}")))?;
        let (added, _) = roots.add_parsable_certificates(read);
        if added == 0 {
            return Err(missing(format!("{name} has none")));
        }
    }
    if roots.is_empty() {
        let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
        return Err(missing(if errors.is_empty() { "the system has none".to_owned() } else { errors.join("; ") }));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_followed_with_care() {
        for (from, location, expected) in [
            ("https://r.example/v2/a", "https://cdn.example/b?c=d", Some("https://cdn.example/b?c=d")),
            ("https://r.example/v2/a", "/b", Some("https://r.example/b")),
            ("https://r.example/v2/a", "//cdn.example/b", Some("https://cdn.example/b")),
            ("https://r.example/v2/a", "http://cdn.example/b", None),
            ("https://r.example/v2/a", "http://localhost/b", None),
            ("https://r.example/v2/a", "https://user:pass@cdn.example/b", None),
            ("https://r.example/v2/a", "file:///etc/passwd", None),
            ("https://r.example/v2/a", "", None),
            ("http://localhost:5000/v2/a", "http://127.0.0.1:9000/b", Some("http://127.0.0.1:9000/b")),
            ("http://localhost:5000/v2/a", "https://cdn.example/b", Some("https://cdn.example/b")),
            ("http://localhost:5000/v2/a", "http://169.254.169.254/b", None),
        ] {
            let from: Uri = from.parse().unwrap();
            let next = resolve(&from, location).filter(|next| may_follow(&from, next));
            assert_eq!(next.map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        }
    }
}
