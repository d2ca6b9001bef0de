//! The first call of functions that were never called before, by kind; and a hundred slow calls at once on a cold function.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::load;
use crate::peer::Peer;
use crate::table::{machine, print};

/// So many functions fit into one application, and so many nodes get them.
const FUNCTIONS: usize = 50;
const ROUNDS: usize = 4;
/// Between two first calls: guests that are booted ahead are booted one after the other.
const PAUSE: Duration = Duration::from_millis(250);
const SLOW_CALLS: usize = 100;
const TEXT: &str = "Hello";

/// A kind of function: its file, what it says at once, and what it says after a second.
struct Kind {
    name: &'static str,
    file: &'static str,
    hello: &'static [u8],
    slow: Option<&'static [u8]>,
    /// Seconds in which the slow calls should be done.
    slow_target: f64,
}

/// Seconds in which a web server's should be.
const HTTP_SLOW_TARGET: f64 = 1.5;
/// What says so; a function alone has no settings.
const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  Slow:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: slow
      CodeUri: code
      Handler: server.js
      Runtime: http
      Environment: {Variables: {CONTAINER_CONCURRENCY: \"0\"}}
      FunctionUrlConfig: {AuthType: NONE}
";
/// A web server that takes as many calls as come.
const SERVER: &[u8] = b"require('node:http').createServer((request, response) => setTimeout(() => response.end('Hello'), 1000)).listen(process.env.PORT);\n";

const KINDS: [Kind; 2] = [
    Kind {
        name: "JavaScript",
        file: "index.mjs",
        hello: b"export const handler = async () => 'Hello';\n",
        slow: Some(
            b"export const handler = async () => { await new Promise(r => setTimeout(r, 1000)); return 'Hello' };\n",
        ),
        slow_target: 5.0,
    },
    Kind {
        name: "Python",
        file: "app.py",
        hello: b"def handler(event, context):\n    return 'Hello'\n",
        slow: Some(b"import time\n\ndef handler(event, context):\n    time.sleep(1)\n    return 'Hello'\n"),
        slow_target: 3.0,
    },
];

/// Runs it, prints the tables.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nfirst call of functions never called before, a quarter of a second apart; {}", machine());
    println!("request to answer through a function URL, connecting included; target p50 5 ms, p99 15 ms\n");
    let program = std::fs::read(std::env::current_exe()?).context("cannot read this program")?;
    let mut rows = Vec::new();
    for (name, file, code) in
        KINDS.iter().map(|kind| (kind.name, kind.file, kind.hello)).chain([("native", "bootstrap", &*program)])
    {
        let times = first_calls(root, file, code).await?;
        let ms = |micros: u64| format!("{:.2}", micros as f64 / 1e3);
        rows.push(vec![
            name.to_owned(),
            times.len().to_string(),
            ms(times.value_at_quantile(0.5)),
            ms(times.value_at_quantile(0.99)),
            ms(times.max()),
        ]);
    }
    print(&["", "functions", "p50 ms", "p99 ms", "max ms"], &rows);
    for kind in &KINDS {
        if let Some(slow) = kind.slow {
            tell_slow(kind.name, slow_calls(root, kind.file, slow, "").await?, kind.slow_target);
        }
    }
    tell_slow("HTTP", slow_calls(root, "server.js", SERVER, TEMPLATE).await?, HTTP_SLOW_TARGET);
    Ok(())
}

fn tell_slow(name: &str, took: Duration, target: f64) {
    println!(
        "{SLOW_CALLS} concurrent 1-second calls on a cold {name} function: {:.2} s (target {target:.1} s)",
        took.as_secs_f64()
    );
}

async fn first_calls(root: &Path, file: &str, code: &[u8]) -> Result<Histogram<u64>> {
    let mut times = Histogram::<u64>::new(3)?;
    for _ in 0..ROUNDS {
        let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for index in 0..FUNCTIONS {
            write(&folder.path().join(format!("f{index}")), file, code)?;
        }
        let node = Peer::freehold(root, data.path(), folder.path().to_str())?;
        for index in 0..FUNCTIONS {
            tokio::time::sleep(PAUSE).await;
            let (took, body) = load::once(&node.address, &node.address, &format!("/_fn/f{index}/")).await?;
            check(&body)?;
            times.record(took.as_micros() as u64)?;
        }
    }
    Ok(times)
}

/// `template` is for a function that needs one; its code is in a folder beside it then.
async fn slow_calls(root: &Path, file: &str, code: &[u8], template: &str) -> Result<Duration> {
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let function = folder.path().join("slow");
    if template.is_empty() {
        write(&function, file, code)?;
    } else {
        write(&function.join("code"), file, code)?;
        std::fs::write(function.join("template.yaml"), template)?;
    }
    let node = Peer::freehold(root, data.path(), function.to_str())?;
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..SLOW_CALLS {
        let address = node.address.clone();
        calls.spawn(async move { load::once(&address, &address, "/_fn/slow/").await });
    }
    while let Some(call) = calls.join_next().await {
        let (took, body) = call??;
        check(&body)?;
        ensure!(took >= Duration::from_secs(1), "a function that waits a second takes one: {took:?}");
    }
    Ok(start.elapsed())
}

fn write(folder: &Path, file: &str, code: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    std::fs::create_dir_all(folder)?;
    let path = folder.join(file);
    std::fs::write(&path, code)?;
    let mode = if file == "bootstrap" { 0o755 } else { 0o644 };
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

fn check(body: &[u8]) -> Result<()> {
    let found = body.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
    ensure!(found, "not the function's answer: {}", String::from_utf8_lossy(body));
    Ok(())
}
