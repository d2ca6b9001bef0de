//! What an instance costs beyond its interpreter: memory and processor time while it is idle, and the shares that isolation and the log
//! have in a warm call.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::api::Api;
use crate::load;
use crate::peer::Peer;
use crate::side::Side;
use crate::table::{machine, median, print};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const TEXT: &str = "hello";
/// Instances without work are frozen some seconds later.
const REST: Duration = Duration::from_secs(8);
/// For so long it is watched what idle ones do.
const WATCHED: Duration = Duration::from_secs(10);

/// Runs it, prints the figures with their targets.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nWhat an instance costs; {}", machine());
    idle(root).await?;
    isolation(root).await?;
    logging(root).await
}

/// One JavaScript function, called once: its instance beside an interpreter that does nothing.
async fn idle(root: &Path) -> Result<()> {
    let data = tempfile::tempdir()?;
    let node = Peer::freehold(root, data.path(), Some("bench/functions/hello"))?;
    load::once(&node.address, &node.address, "/_fn/hello/").await?;
    let bare = Peer::bare("node", &["-e", "setInterval(() => {}, 1 << 30)"])?;
    tokio::time::sleep(REST).await;
    let mut guests = node.guests("node")?;
    ensure!(!guests.is_empty(), "no instance is there");
    // The instance, and those that are booted ahead.
    guests.sort_unstable();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (bare, most) = (bare.proportional()?, *guests.last().context("there is one")?);
    println!(
        "idle JavaScript guest: {:.1} MiB, {:.1} MiB beyond a bare interpreter's {:.1} (target at most 4; shared pages by share)",
        mib(most),
        mib(most) - mib(bare),
        mib(bare),
    );
    let before = node.cpus();
    tokio::time::sleep(WATCHED).await;
    // A guest may end meanwhile, and its account with it.
    let spent: Duration = node
        .cpus()
        .into_iter()
        .map(|(process, cpu)| cpu.saturating_sub(before.get(&process).copied().unwrap_or_default()))
        .sum();
    println!(
        "processor time of the idle node with its {} guests: {} ms in {} s (target none)",
        guests.len(),
        spent.as_millis(),
        WATCHED.as_secs()
    );
    Ok(())
}

/// The same hello with and without walls; rounds alternate.
async fn isolation(root: &Path) -> Result<()> {
    let (with, without) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let hello = Some("bench/functions/hello");
    let walls = Peer::freehold(root, with.path(), hello)?;
    let none = Peer::freehold_with(root, without.path(), hello, &["--sandbox", "off"])?;
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for connections in [1, CONNECTIONS] {
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        Side::default().round(&walls, "/_fn/hello/", connections, TEXT).await?;
        Side::default().round(&none, "/_fn/hello/", connections, TEXT).await?;
        for _ in 0..ROUNDS {
            ours.round(&walls, "/_fn/hello/", connections, TEXT).await?;
            theirs.round(&none, "/_fn/hello/", connections, TEXT).await?;
        }
        rows.push(ours.row("with walls", connections));
        rows.push(theirs.row("without", connections));
        ratios.push((connections, median(&ours.ratios(&theirs))));
    }
    print(&Side::HEADINGS, &rows);
    for (connections, ratio) in ratios {
        println!("isolation at {connections:>2} connections: {ratio:.2} of the rate without (target at least 0.97)");
    }
    Ok(())
}

/// The same hello with a log of what each call took, as records and as text, and without; rounds alternate.
async fn logging(root: &Path) -> Result<()> {
    let json = |system: &str| json!({ "LogFormat": "JSON", "SystemLogLevel": system });
    let forms =
        [("no log", json("WARN")), ("records (INFO)", json("INFO")), ("lines (Text)", json!({ "LogFormat": "Text" }))];
    let mut sides = Vec::new();
    for (name, logging) in forms {
        let data = tempfile::tempdir()?;
        let peer = Peer::freehold(root, data.path(), Some("bench/functions/hello"))?;
        Api::open(&peer.address).await?.configure("hello", &json!({ "LoggingConfig": logging })).await?;
        sides.push((name, peer, data));
    }
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for connections in [1, CONNECTIONS] {
        let mut measured: Vec<Side> = sides.iter().map(|_| Side::default()).collect();
        for (_, peer, _) in &sides {
            Side::default().round(peer, "/_fn/hello/", connections, TEXT).await?;
        }
        for _ in 0..ROUNDS {
            for (side, (_, peer, _)) in measured.iter_mut().zip(&sides) {
                side.round(peer, "/_fn/hello/", connections, TEXT).await?;
            }
        }
        let (quiet, loud) = measured.split_first().context("there are several")?;
        for (side, (name, ..)) in measured.iter().zip(&sides) {
            rows.push(side.row(name, connections));
        }
        for (side, (name, ..)) in loud.iter().zip(&sides[1..]) {
            ratios.push((*name, connections, median(&side.ratios(quiet))));
        }
    }
    print(&Side::HEADINGS, &rows);
    for (name, connections, ratio) in ratios {
        println!("{name} at {connections:>2} connections: {ratio:.2} of the rate without a log (target at least 0.97)");
    }
    Ok(())
}
