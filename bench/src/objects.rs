//! Objects in and out of one bucket at sixteen clients, ours on disk before each answer, against emulators that hold everything in
//! memory, or in files that nobody syncs; and a page of a listing out of a million keys.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::peer::Peer;
use crate::table::{machine, median, print};

const CLIENTS: usize = 16;
const ROUNDS: usize = 3;
const ROUND_TIME: Duration = Duration::from_secs(2);
const SMALL: usize = 1 << 10;
const LARGE: usize = 8 << 20;
/// How many keys a page is taken out of; `BENCH_KEYS` overrides it.
const KEYS: usize = 1_000_000;
const PAGES: usize = 50;
const MOTO_PORT: u16 = 4598;
const S3RVER_PORT: u16 = 4597;
const FAKECLOUD_PORT: u16 = 4596;

/// What the clients do, and what ours must reach, in requests a second.
const WORK: [(Work, &str, f64); 4] = [
    (Work { method: Method::PUT, bytes: SMALL }, "put 1 KiB", 5_000.0),
    (Work { method: Method::GET, bytes: SMALL }, "get 1 KiB", 20_000.0),
    // 0.4 and 2 GB/s.
    (Work { method: Method::PUT, bytes: LARGE }, "put 8 MiB", 48.0),
    (Work { method: Method::GET, bytes: LARGE }, "get 8 MiB", 240.0),
];

#[derive(Clone)]
struct Work {
    method: Method,
    bytes: usize,
}

/// Runs it, prints the table and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nobjects, {CLIENTS} clients; {}", machine());
    println!("medians of {ROUNDS} rounds of {ROUND_TIME:?}, rounds alternate; requests/s\n");
    let data = tempfile::tempdir()?;
    let freehold = Peer::freehold(root, data.path(), None)?;
    let others = emulators(root, data.path()).await?;
    let ours = Bucket::make(&freehold).await?;
    let mut theirs = Vec::new();
    for (name, emulator) in &others {
        let bucket = Bucket::make(emulator).await;
        theirs.push((*name, bucket.with_context(|| format!("making a bucket at {name}"))?));
    }
    let mut rows = Vec::new();
    for (work, name, target) in WORK {
        let mut our_rates = Vec::new();
        let mut their_rates = vec![Vec::new(); theirs.len()];
        for _ in 0..ROUNDS {
            our_rates.push(ours.round(&work).await?);
            for ((name, bucket), rates) in theirs.iter().zip(&mut their_rates) {
                rates.push(bucket.round(&work).await.with_context(|| (*name).to_owned())?);
            }
        }
        let ours = median(&our_rates);
        let mut row = vec![name.to_owned(), format!("{ours:.0}"), format!("{:.2}", ours * work.bytes as f64 / 1e9)];
        row.push(format!("{target:.0}"));
        row.extend(their_rates.iter().map(|rates| format!("{:.0}", median(rates))));
        rows.push(row);
    }
    let head: Vec<&str> =
        ["", "freehold", "GB/s", "target"].into_iter().chain(theirs.iter().map(|(name, _)| *name)).collect();
    print(&head, &rows);
    drop(others);
    pages(&ours).await
}

/// Those that can be had here, and a bare server.
async fn emulators(root: &Path, data: &Path) -> Result<Vec<(&'static str, Peer)>> {
    let port = MOTO_PORT.to_string();
    let moto = Peer::python(root, "moto[server]", "moto_server", &["-p", &port], MOTO_PORT).await?;
    let (port, files) = (S3RVER_PORT.to_string(), data.join("s3rver").display().to_string());
    let arguments =
        ["-s", "-a", "127.0.0.1", "-p", &port, "-d", &files, "--allow-mismatched-signatures", "--no-vhost-buckets"];
    let s3rver = Peer::npm(root, "s3rver", &arguments, S3RVER_PORT).await?;
    let address = format!("127.0.0.1:{FAKECLOUD_PORT}");
    let fakecloud = Peer::cargo(root, "fakecloud", &["--addr", &address], FAKECLOUD_PORT).await?;
    // No store at all: what this program and the machine can do at most.
    let bare = Peer::native()?;
    let all = [("hyper", Some(bare)), ("moto", moto), ("s3rver", s3rver), ("fakecloud", fakecloud)];
    Ok(all.into_iter().filter_map(|(name, peer)| Some((name, peer?))).collect())
}

/// How long a page of a thousand keys takes, from the middle of many.
async fn pages(bucket: &Bucket) -> Result<()> {
    let keys = std::env::var("BENCH_KEYS").ok().map_or(Ok(KEYS), |text| text.parse())?;
    let start = Instant::now();
    bucket.fill(keys).await?;
    println!("\n{keys} objects put in {:.0} s", start.elapsed().as_secs_f64());
    let mut client = Client::open(&bucket.address).await?;
    let mut times = Vec::new();
    for page in 0..PAGES {
        let after = format!("many/{:09}", keys / PAGES * page);
        let query = format!("/{}?list-type=2&prefix=many/&start-after={after}", bucket.name);
        let start = Instant::now();
        let bytes = client.exchange(&Method::GET, &query, &Bytes::new()).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(bytes > 1000, "a page is longer than {bytes} bytes");
    }
    println!("a page of 1,000 keys: {:.1} ms (median of {PAGES}; target 10 ms)", median(&times));
    Ok(())
}

/// A bucket of a server.
struct Bucket {
    address: String,
    name: &'static str,
    /// So many objects of each size are there, to be read.
    put: [Arc<AtomicUsize>; 2],
}

impl Bucket {
    async fn make(server: &Peer) -> Result<Self> {
        let bucket = Self { address: server.address.clone(), name: "bench", put: Default::default() };
        Client::open(&bucket.address).await?.exchange(&Method::PUT, "/bench", &Bytes::new()).await?;
        Ok(bucket)
    }

    /// Has all clients work until the time is over; requests a second.
    async fn round(&self, work: &Work) -> Result<f64> {
        let start = Instant::now();
        let put = &self.put[usize::from(work.bytes == LARGE)];
        let body = Bytes::from(vec![b'x'; work.bytes]);
        // Large ones go over one another, as the disk is not endless.
        let keys = if work.bytes == LARGE { CLIENTS } else { usize::MAX };
        let mut loops = JoinSet::new();
        for client in 0..CLIENTS {
            let (address, work, put, body) = (self.address.clone(), work.clone(), Arc::clone(put), body.clone());
            let prefix = format!("/{}/{}", self.name, work.bytes);
            loops.spawn(async move {
                let mut connection = Client::open(&address).await?;
                let mut requests = 0;
                while start.elapsed() < ROUND_TIME {
                    let key = match work.method {
                        Method::PUT => put.fetch_add(1, Ordering::Relaxed) % keys,
                        // Far from one another.
                        _ => (client * 7919 + requests * 104_729) % put.load(Ordering::Relaxed).min(keys),
                    };
                    let sent = if work.method == Method::PUT { body.clone() } else { Bytes::new() };
                    let got = connection.exchange(&work.method, &format!("{prefix}/{key}"), &sent).await?;
                    ensure!(work.method == Method::PUT || got == work.bytes, "{got} bytes came of {}", work.bytes);
                    requests += 1;
                }
                anyhow::Ok(requests)
            });
        }
        let mut requests = 0;
        while let Some(one) = loops.join_next().await {
            requests += one??;
        }
        Ok(requests as f64 / start.elapsed().as_secs_f64())
    }

    async fn fill(&self, keys: usize) -> Result<()> {
        let mut loops = JoinSet::new();
        for client in 0..CLIENTS {
            let (address, name) = (self.address.clone(), self.name);
            loops.spawn(async move {
                let mut connection = Client::open(&address).await?;
                let body = Bytes::from_static(b"x");
                for key in (client..keys).step_by(CLIENTS) {
                    connection.exchange(&Method::PUT, &format!("/{name}/many/{key:09}"), &body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = loops.join_next().await {
            done??;
        }
        Ok(())
    }
}

/// A connection, made anew where the server closes it.
struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
    connections: JoinSet<()>,
}

impl Client {
    async fn open(address: &str) -> Result<Self> {
        let mut connections = JoinSet::new();
        let sender = connect(address, &mut connections).await?;
        Ok(Self { address: address.to_owned(), sender, connections })
    }

    /// Sends a request, reads its whole answer; how many bytes that had.
    async fn exchange(&mut self, method: &Method, path: &str, body: &Bytes) -> Result<usize> {
        if self.sender.ready().await.is_err() {
            self.sender = connect(&self.address, &mut self.connections).await?;
        }
        // The key and the time that s3rver wants; nobody looks at the signature.
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = "Credential=S3RVER/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}"))
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("x-amz-date", date)
            .body(Full::new(body.clone()))?;
        let answer =
            self.sender.send_request(request).await.with_context(|| format!("no answer to {method} {path}"))?;
        let status = answer.status();
        let mut body = answer.into_body();
        let (mut bytes, mut text) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                bytes += piece.len();
                if !status.is_success() {
                    text.extend_from_slice(&piece);
                }
            }
        }
        ensure!(status.is_success(), "{method} {path}: {status}: {}", String::from_utf8_lossy(&text));
        Ok(bytes)
    }
}

async fn connect(address: &str, connections: &mut JoinSet<()>) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    while connections.try_join_next().is_some() {}
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    connections.spawn(async move {
        // How it ended is seen by whoever sends next.
        drop(connection.await);
    });
    Ok(sender)
}
