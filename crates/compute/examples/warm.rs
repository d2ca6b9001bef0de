//! How fast warm calls are and how long cold starts take, without any HTTP around: `cargo run --release -p compute --example warm`.
//!
//! For each language: calls per second, p50 and p99 with 1, 8 and 32 callers, then the start of a first instance. A second argument
//! turns isolation off (`off`), to see what it costs.
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compute::{Compute, Credentials, Image, Invocation, LogBatch, LogFormat, LogSink, LogWish, Options, Settings};
use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use zip::write::SimpleFileOptions;

/// Takes all and keeps nothing.
struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import http.client, os
h = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    h.request("GET", "/2018-06-01/runtime/invocation/next")
    r = h.getresponse(); body = r.read()
    h.request("POST", "/2018-06-01/runtime/invocation/" + r.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", b'{"hello":"world"}')
    h.getresponse().read()
"#;

const FUNCTIONS: &[(&str, &str, &str, &str)] = &[
    ("nodejs20.x", "index.handler", "index.js", "exports.handler = async (event) => ({ hello: 'world' })"),
    ("python3.13", "app.handler", "app.py", "def handler(event, context): return {'hello': 'world'}"),
    ("provided.al2023", "x", "bootstrap", BOOTSTRAP),
];

const SPAN: Duration = Duration::from_secs(3);
const STARTS: u32 = 20;

fn main() {
    sandbox::init_main_if_asked();
    let mode = if std::env::args().nth(1).as_deref() == Some("off") { sandbox::Mode::Off } else { sandbox::Mode::Auto };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench(mode));
}

async fn bench(mode: sandbox::Mode) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(PathBuf::from(dir.path()), Arc::new(Nowhere));
    options.sandbox = mode;
    let compute = Compute::new(options).unwrap();
    println!("isolation: {}", compute.isolation());
    for (language, handler, file, code) in FUNCTIONS {
        if let Err(error) = compute.language(language) {
            println!("{language}: {error}");
            continue;
        }
        let image = image(&compute, language, handler, file, code).await;
        for callers in [1, 8, 32] {
            warm(&compute, &image, callers).await;
        }
        compute.retire(&image.arn);
        starts(&compute, language, handler, file, code).await;
    }
}

async fn image(compute: &Compute, language: &str, handler: &str, file: &str, code: &str) -> Arc<Image> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(file, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(code.as_bytes()).unwrap();
    let code = compute.prepare(Bytes::from(zip.finish().unwrap().into_inner())).await.unwrap();
    let credentials =
        Credentials { access_key_id: "A".to_owned(), secret_access_key: "B".to_owned(), session_token: "C".to_owned() };
    let settings = Settings {
        function: "hello".to_owned(),
        arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{language}"),
        version: "$LATEST".to_owned(),
        revision: Instant::now().elapsed().as_nanos().to_string() + code.as_str(),
        sequence: 0,
        code,
        container: None,
        layers: Vec::new(),
        language: language.to_owned(),
        handler: handler.to_owned(),
        environment: BTreeMap::new(),
        memory_mb: 256,
        tmp_mb: 512,
        timeout: Duration::from_secs(10),
        concurrency_reserved: None,
        log_group: "/aws/lambda/hello".to_owned(),
        log_format: LogFormat::Text,
        region: "us-east-1".to_owned(),
        credentials: Arc::new(move || {
            let credentials = credentials.clone();
            Box::pin(async move { Ok(credentials) })
        }),
    };
    compute.image(settings).unwrap()
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "8f507cfc-0000-4697-b07a-ac58fc914c95".to_owned(),
        payload: Bytes::from_static(br#"{"name":"Ada"}"#),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:hello".to_owned(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: Duration::from_secs(60),
        log: LogWish::None,
        held: None,
        conversation: None,
        pieces: None,
    }
}

async fn warm(compute: &Compute, image: &Arc<Image>, callers: usize) {
    let until = Instant::now() + Duration::from_millis(500);
    rounds(compute, image, callers, until).await;
    let began = Instant::now();
    let cpu = cpu_seconds();
    let times = rounds(compute, image, callers, began + SPAN).await;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{:16} {callers:3} callers: {:8.0} calls/s, p50 {:6.0} us, p99 {:6.0} us, {} instances, {:.1} us of our CPU per call",
        image.language,
        times.len() as f64 / seconds,
        times.value_at_quantile(0.5) as f64 / 1000.0,
        times.value_at_quantile(0.99) as f64 / 1000.0,
        compute.instances().len(),
        (cpu_seconds() - cpu) * 1e6 / times.len() as f64,
    );
}

async fn rounds(compute: &Compute, image: &Arc<Image>, callers: usize, until: Instant) -> Histogram<u64> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (compute, image) = (compute.clone(), Arc::clone(image));
        tasks.spawn(async move {
            let mut times = Histogram::<u64>::new(3).unwrap();
            while Instant::now() < until {
                let began = Instant::now();
                let outcome = compute.run(&image, invocation()).await.unwrap();
                assert!(outcome.error.is_none(), "{:?}", outcome.payload);
                times.record(began.elapsed().as_nanos() as u64).unwrap();
            }
            times
        });
    }
    let mut all = Histogram::<u64>::new(3).unwrap();
    while let Some(times) = tasks.join_next().await {
        all.add(times.unwrap()).unwrap();
    }
    all
}

async fn starts(compute: &Compute, language: &str, handler: &str, file: &str, code: &str) {
    let mut times = Histogram::<u64>::new(3).unwrap();
    for _ in 0..STARTS {
        let image = image(compute, language, handler, file, code).await;
        let began = Instant::now();
        assert!(compute.run(&image, invocation()).await.unwrap().report.cold);
        times.record(began.elapsed().as_micros() as u64).unwrap();
        compute.retire(&image.arn);
    }
    println!(
        "{language:16} first call of {STARTS}: p50 {:.1} ms, max {:.1} ms",
        times.value_at_quantile(0.5) as f64 / 1000.0,
        times.max() as f64 / 1000.0
    );
}

/// CPU time of this process, all threads, without guests.
fn cpu_seconds() -> f64 {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = usage.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}
