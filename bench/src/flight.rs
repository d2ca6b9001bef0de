//! Ten thousand calls in flight at once, each of a guest that waits on a timer: all are answered, and how much memory they take. In this
//! process, because an account's thousand concurrent calls, which AWS's quota is, would be in the way of a node's.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use compute::{Compute, Credentials, Invocation, LogBatch, LogFormat, LogSink, LogWish, Options, Settings};
use tokio::task::JoinSet;

const CALLS: usize = 10_000;
/// How long each waits: long enough that all are there before the first is done.
const WAIT: Duration = Duration::from_secs(20);
const MEMORY_TARGET_MIB: f64 = 2048.0;

/// Takes all and keeps nothing.
struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _: Vec<LogBatch>) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Runs it and prints the figures with their targets. `acts` is the guest of many acts.
pub async fn run(acts: &[u8]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let compute = compute(dir.path())?;
    let image = compute.image(settings(&compute, acts).await?)?;
    let event = serde_json::json!({
        "rawPath": format!("/s{}", WAIT.as_millis()),
        "requestContext": { "http": { "method": "GET" } },
    });
    let invocation = Arc::new(invocation(event.to_string().into()));
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (compute, image, invocation) = (compute.clone(), Arc::clone(&image), Arc::clone(&invocation));
        calls.spawn(async move { compute.run(&image, invocation).await });
    }
    while compute.instances().iter().filter(|one| one.activity == compute::Activity::Busy).count() < CALLS {
        ensure!(begun.elapsed() < WAIT, "not all calls were there before the first was done");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (all_there, memory) = (begun.elapsed(), resident_mib()?);
    while let Some(call) = calls.join_next().await {
        let outcome = call??;
        ensure!(outcome.error.is_none(), "a call failed: {}", String::from_utf8_lossy(&outcome.payload));
    }
    println!(
        "{CALLS} calls in flight, each waiting {WAIT:?}: all there after {all_there:.2?}, all answered after {:.2?}, {memory:.0} MiB \
         (target under {MEMORY_TARGET_MIB} MiB)",
        begun.elapsed()
    );
    Ok(())
}

fn compute(dir: &Path) -> Result<Compute> {
    let mut options = Options::new(dir.join("compute"), Arc::new(Nowhere));
    options.sandbox = sandbox::Mode::Off;
    options.booted_max = 0;
    options.concurrency_max = u32::try_from(CALLS)?;
    Ok(Compute::new(options)?)
}

async fn settings(compute: &Compute, binary: &[u8]) -> Result<Settings> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.wasm", zip::write::SimpleFileOptions::default())?;
    zip.write_all(binary)?;
    let code = compute.prepare(zip.finish()?.into_inner().into()).await?;
    let credentials =
        Credentials { access_key_id: "A".to_owned(), secret_access_key: "B".to_owned(), session_token: "C".to_owned() };
    Ok(Settings {
        function: "waits".to_owned(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:waits".to_owned(),
        version: "$LATEST".to_owned(),
        revision: code.to_string(),
        sequence: 0,
        code,
        container: None,
        layers: Vec::new(),
        language: "provided.al2023".to_owned(),
        handler: "app.wasm".to_owned(),
        environment: Default::default(),
        memory_mb: 128,
        tmp_mb: 512,
        timeout: 4 * WAIT,
        concurrency_reserved: None,
        log_group: "/aws/lambda/waits".to_owned(),
        log_format: LogFormat::Text,
        region: "us-east-1".to_owned(),
        credentials: Arc::new(move || {
            let credentials = credentials.clone();
            Box::pin(async move { Ok(credentials) })
        }),
    })
}

fn invocation(payload: bytes::Bytes) -> Invocation {
    Invocation {
        request_id: "8f507cfc-0000-4697-b07a-ac58fc914c95".to_owned(),
        payload,
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:waits".to_owned(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: WAIT,
        log: LogWish::None,
        held: None,
        conversation: None,
        pieces: None,
    }
}

fn resident_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}
