//! A closed-loop load generator for HTTP/1.1: each connection sends its next request when the answer to the last one is
//! whole. It does as little as it can per request, for it shares the machine with what it measures.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What one round of load measured.
pub struct Round {
    /// Answers per second.
    pub rate: f64,
    /// Time from the first byte sent to the last byte received, in microseconds.
    pub latency: Histogram<u64>,
}

/// Sends `GET path` over `connections` connections for `time`. Every answer must have status 200 and hold `expected`.
pub async fn run(
    address: &str,
    host: &str,
    path: &str,
    connections: usize,
    time: Duration,
    expected: &str,
) -> Result<Round> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\naccept: */*\r\n\r\n");
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for _ in 0..connections {
        let connection = Connection::open(address).await?;
        loops.spawn(drive(connection, request.clone().into_bytes(), start + time, expected.to_owned()));
    }
    let mut latency = Histogram::new(3)?;
    while let Some(one) = loops.join_next().await {
        latency.add(one??)?;
    }
    Ok(Round { rate: latency.len() as f64 / start.elapsed().as_secs_f64(), latency })
}

/// One request on a connection of its own: the time until its answer was whole, connecting included.
pub async fn once(address: &str, host: &str, path: &str) -> Result<(Duration, Vec<u8>)> {
    let start = Instant::now();
    let mut connection = Connection::open(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\naccept: */*\r\n\r\n");
    let body = connection.exchange(request.as_bytes()).await?.to_vec();
    Ok((start.elapsed(), body))
}

async fn drive(
    mut connection: Connection,
    request: Vec<u8>,
    until: Instant,
    expected: String,
) -> Result<Histogram<u64>> {
    let mut latency = Histogram::new(3)?;
    while Instant::now() < until {
        let start = Instant::now();
        let body = connection.exchange(&request).await?;
        let took = start.elapsed();
        let found = body.windows(expected.len()).any(|window| window == expected.as_bytes());
        ensure!(found, "the answer does not hold '{expected}': {}", String::from_utf8_lossy(body));
        latency.record(took.as_micros() as u64)?;
    }
    Ok(latency)
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, kept alive where the server does that too, and made anew where it does not.
pub struct Connection {
    address: String,
    stream: TcpStream,
    buffer: Vec<u8>,
    is_last: bool,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = connect(address).await?;
        Ok(Self { address: address.to_owned(), stream, buffer: Vec::with_capacity(16 << 10), is_last: false })
    }

    /// Sends one request and reads its whole answer; gives the body as it came (chunk marks included).
    pub async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        let body =
            tokio::time::timeout(PATIENCE, self.answer(request)).await.context("there was no answer in time")??;
        Ok(&self.buffer[body..])
    }

    async fn answer(&mut self, request: &[u8]) -> Result<usize> {
        if std::mem::take(&mut self.is_last) {
            self.stream = connect(&self.address).await?;
        }
        self.buffer.clear();
        let mut is_sent = self.stream.write_all(request).await.is_ok();
        loop {
            let got = if is_sent { self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) } else { 0 };
            if got == 0 {
                ensure!(self.buffer.is_empty(), "the server closed the connection in the middle of an answer");
                self.stream = connect(&self.address).await?;
                self.stream.write_all(request).await?;
                is_sent = true;
                continue;
            }
            if let Some(Whole { body, is_last }) = whole(&self.buffer)? {
                self.is_last = is_last;
                return Ok(body);
            }
            ensure!(self.buffer.len() < 1 << 20, "the answer is larger than a megabyte");
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An answer that is all there.
struct Whole {
    /// Where its body begins.
    body: usize,
    /// Whether the server closes the connection after it.
    is_last: bool,
}

fn whole(bytes: &[u8]) -> Result<Option<Whole>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = answer.parse(bytes)? else { return Ok(None) };
    if answer.code != Some(200) {
        bail!("status {:?}: {}", answer.code, String::from_utf8_lossy(&bytes[body..]));
    }
    let header = |name: &str| answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let is_last = header("connection").is_some_and(|header| header.value.eq_ignore_ascii_case(b"close"));
    let whole = Whole { body, is_last };
    if let Some(length) = header("content-length") {
        let length: usize = std::str::from_utf8(length.value)?.parse()?;
        return Ok((bytes.len() >= body + length).then_some(whole));
    }
    ensure!(header("transfer-encoding").is_some(), "the answer has neither length nor chunks");
    Ok(bytes.ends_with(b"0\r\n\r\n").then_some(whole))
}
