//! Whom guests may ask, and what they learn of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use wasm::{Network, Service, Settings};

use crate::support::{Bench, text};

/// A server that says 204, and what it was asked.
struct Host {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicU32>,
    _tasks: JoinSet<()>,
}

impl Host {
    async fn start() -> Self {
        Self::listen(None).await
    }

    /// With a certificate for localhost that signed itself.
    async fn start_tls() -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();
        let (asks, counts) = (Arc::clone(&asked), Arc::clone(&connections));
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counts.fetch_add(1, Ordering::SeqCst);
                let asks = Arc::clone(&asks);
                let serve = service_fn(move |request: Request<Incoming>| {
                    let host = request.headers()["host"].to_str().unwrap().to_owned();
                    asks.lock().unwrap().push(format!("{} {} {host}", request.method(), request.uri()));
                    async {
                        Ok::<_, Infallible>(Response::builder().status(204).body(Full::<Bytes>::default()).unwrap())
                    }
                });
                let tls = tls.clone();
                served.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that does not speak HTTP, or does not trust us, is one of the cases.
                    match tls {
                        None => drop(http.serve_connection(TokioIo::new(stream), serve).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(http.serve_connection(TokioIo::new(stream), serve).await);
                        }
                    }
                });
            }
        });
        Self { address, asked, connections, _tasks: tasks }
    }
}

fn service(bench: &Bench, rules: &str) -> Service {
    let hosts = rules.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    bench.service(Settings { network: Network::Http { hosts }, ..Settings::default() })
}

// As WASI numbers them.
const DNS_ERROR: &str = "error 1";
const IP_PROHIBITED: &str = "error 4";
const REFUSED: &str = "error 6";
const TLS_PROTOCOL: &str = "error 12";
const TLS_CERTIFICATE: &str = "error 13";
const DENIED: &str = "error 15";
const URI_INVALID: &str = "error 19";

#[tokio::test]
async fn only_hosts_that_are_named_are_asked() {
    let bench = Bench::new();
    let host = Host::start().await;
    let port = host.address.port();
    let check = async |service: &Service, authority: &str, expected: &str| {
        assert_eq!(text(service, &format!("/o{authority}")).await, expected, "{authority}");
    };

    let nobody = bench.service(Settings::default());
    check(&nobody, &format!("127.0.0.1:{port}"), DENIED).await;

    let named = service(&bench, &format!("127.0.0.1:{port} localhost"));
    check(&named, &format!("127.0.0.1:{port}"), "status 204").await;
    check(&named, &format!("localhost:{port}"), "status 204").await;
    check(&named, &format!("127.0.0.2:{port}"), DENIED).await;
    check(&named, &format!("example.com:{port}"), DENIED).await;
    check(&named, "127.0.0.1:1", DENIED).await;
    check(&named, "localhost:1", REFUSED).await;

    // A pattern does not lead to this machine, by whatever name.
    let anybody = service(&bench, "*");
    for near in
        ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "169.254.169.254"]
    {
        check(&anybody, &format!("{near}:{port}"), IP_PROHIBITED).await;
    }
    check(&anybody, "name.invalid", DNS_ERROR).await;
    check(&anybody, "", URI_INVALID).await;

    let asked = host.asked.lock().unwrap().clone();
    assert_eq!(asked, [format!("GET /from-guest 127.0.0.1:{port}"), format!("GET /from-guest localhost:{port}")]);
}

#[tokio::test]
async fn connections_are_kept_for_a_service_and_nobody_else() {
    let bench = Bench::new();
    let host = Host::start().await;
    let rule = host.address.to_string();
    let (one, other) = (service(&bench, &rule), service(&bench, &rule));
    for _ in 0..5 {
        assert_eq!(text(&one, &format!("/o{rule}")).await, "status 204");
    }
    assert_eq!(host.connections.load(Ordering::SeqCst), 1);
    assert_eq!(text(&other, &format!("/o{rule}")).await, "status 204");
    assert_eq!(host.connections.load(Ordering::SeqCst), 2);
}

/// Where instances answer again: it lets go of neither the question nor the answer, and with it they end.
#[tokio::test]
async fn who_keeps_what_it_was_told_answers_no_more() {
    let bench = Bench::new();
    let host = Host::start().await;
    let network = Network::Http { hosts: vec![host.address.to_string().parse().unwrap()] };
    let service = bench.service(Settings { network, reuse_max_single: 100, ..Settings::default() });
    for _ in 0..3 {
        assert_eq!(text(&service, "/m").await, "1");
        assert_eq!(text(&service, &format!("/o{}", host.address)).await, "status 204");
    }
}

#[tokio::test]
async fn https_is_tls_or_nothing() {
    let bench = Bench::new();
    let host = Host::start().await;
    let rule = host.address.to_string();
    let service = service(&bench, &rule);
    assert_eq!(text(&service, &format!("/O{rule}")).await, TLS_PROTOCOL, "the host speaks plain HTTP");
    assert!(host.asked.lock().unwrap().is_empty(), "nothing was sent in the clear");
}

/// Set where the certificate of [`Host::start_tls`] is one of the system's. Such a setting is for a whole process.
const TRUSTING: &str = "TEST_TRUSTS_ITS_HOST";

#[tokio::test]
async fn certificates_are_checked() {
    let is_trusted = std::env::var_os(TRUSTING).is_some();
    let bench = Bench::new();
    let host = Host::start_tls().await;
    let port = host.address.port();
    let service = service(&bench, "localhost 127.0.0.1 127.0.0.2");
    let expected = if is_trusted { "status 204" } else { TLS_CERTIFICATE };
    assert_eq!(text(&service, &format!("/Olocalhost:{port}")).await, expected);
    assert_eq!(text(&service, &format!("/O127.0.0.1:{port}")).await, expected);
    assert_eq!(host.asked.lock().unwrap().len(), if is_trusted { 2 } else { 0 });
    if !is_trusted {
        let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests/tls/cert.pem");
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outgoing::certificates_are_checked"])
            .env(TRUSTING, "yes")
            .env("SSL_CERT_FILE", certificate)
            .env_remove("SSL_CERT_DIR")
            .output();
        let again = again.unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
    }
}
