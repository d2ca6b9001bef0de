//! How fast a hello is: `cargo bench -p wasm --bench hello [SECONDS]`.
//!
//! Beside it the same from hyper alone, by the same server loop and the same clients in the same process, so that the difference is what
//! the guest costs. All of it shares the machine's processors.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should panic")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base::ByteSize;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use wasm::{Engine, EngineOptions, Limits, Service, Settings};

const CONNECTIONS: usize = 32;
const PRELUDE: &str = include_str!("../tests/guests/wat/prelude.wat");
const HELLO: &str = include_str!("../tests/guests/wat/hello.wat");
const TEXT: &str = "Hello from WASI\n";

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let time = Duration::from_secs(seconds);
    alone(ByteSize(0), time);
    alone(ByteSize::kib(64), time);
    alone(ByteSize::kib(256), time);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (service, _dir) = service(EngineOptions::new("unused".into()).resident);
    for round in 1..=3 {
        let bare = serve(&runtime, time, |_| async { Response::new(Full::new(Bytes::from_static(TEXT.as_bytes()))) });
        bare.print(&format!("{round}: hyper alone"));
        let service = service.clone();
        let guest = serve(&runtime, time, move |request| {
            let service = service.clone();
            async move { service.handle(request, Limits::new(Duration::from_secs(10))).await.unwrap().response }
        });
        guest.print(&format!("{round}: WASI-HTTP hello"));
        println!("   {:.2} of hyper alone", guest.rate() / bare.rate());
    }
}

fn service(resident: ByteSize) -> (Service, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = EngineOptions::new(dir.path().join("compiled"));
    options.resident = resident;
    let engine = Engine::new(options).unwrap();
    let bytes = wat::parse_str(format!("(component {})", PRELUDE.replace("MAIN\n", HELLO))).unwrap();
    (engine.prepare(&bytes).unwrap().service(Settings::default()).unwrap(), dir)
}

/// One thread, no network.
fn alone(resident: ByteSize, time: Duration) {
    let (service, _dir) = service(resident);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let limits = || Limits::new(Duration::from_secs(10));
        let instantiation = each(time / 4, async || wasm::measuring::instantiate(&service, limits()).await).await;
        let request = each(time / 4, async || {
            let request = Request::get("http://guest.example/").body(Full::<Bytes>::default()).unwrap();
            let answer = service.handle(request, limits()).await.unwrap();
            assert_eq!(answer.response.body().size_hint().exact(), Some(TEXT.len() as u64));
        })
        .await;
        println!("resident {resident}: an instance {instantiation:.2?}, a request {request:.2?}");
    });
}

/// How long one takes, on average over the better half of many rounds.
async fn each(time: Duration, mut work: impl AsyncFnMut()) -> Duration {
    const ROUND: u32 = 500;
    let until = Instant::now() + time;
    let mut rounds = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        for _ in 0..ROUND {
            // This task never gives way, as a server's would; a share of it used up would be a guest held up.
            tokio::task::unconstrained(work()).await;
        }
        rounds.push(begun.elapsed() / ROUND);
    }
    rounds.sort_unstable();
    let better = &rounds[..rounds.len().div_ceil(2)];
    better.iter().sum::<Duration>() / better.len() as u32
}

struct Served {
    latencies: Histogram<u64>,
    time: Duration,
}

impl Served {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    fn print(&self, what: &str) {
        let at = |quantile| Duration::from_nanos(self.latencies.value_at_quantile(quantile));
        println!("{what}: {:.0} requests/s, p50 {:.0?}, p99 {:.0?}", self.rate(), at(0.5), at(0.99));
    }
}

/// Serves for a while, and asks as fast as it answers.
fn serve<F, B>(
    runtime: &Runtime,
    time: Duration,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> Served
where
    F: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut servers = JoinSet::new();
        servers.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let answer = answer.clone();
                let serve = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                connections.spawn(async move {
                    // Clients hang up when the time is over.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        clients(address, time).await
    })
}

async fn clients(address: SocketAddr, time: Duration) -> Served {
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(client(address, Arc::clone(&over)));
    }
    let begun = Instant::now();
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut latencies = Histogram::new(3).unwrap();
    while let Some(client) = clients.join_next().await {
        latencies.add(client.unwrap()).unwrap();
    }
    Served { latencies, time: begun.elapsed() }
}

async fn client(address: SocketAddr, over: Arc<AtomicBool>) -> Histogram<u64> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Histogram::new(3).unwrap();
    let mut buffer = vec![0; 4096];
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: guest.example\r\n\r\n").await.unwrap();
        let mut length = 0;
        while !buffer[..length].ends_with(TEXT.as_bytes()) {
            let read = stream.read(&mut buffer[length..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            length += read;
        }
        latencies.record(begun.elapsed().as_nanos() as u64).unwrap();
    }
    latencies
}
