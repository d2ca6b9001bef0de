//! A JavaScript hello through a function URL, against the same handler behind a bare `node:http` server.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::load;
use crate::peer::Peer;
use crate::table::{machine, median, print};

const ROUNDS: usize = 5;
const ROUND_TIME: Duration = Duration::from_secs(3);
/// What the first version must reach; printed beside what it did.
const TARGET: f64 = 0.7;

#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    p50s: Vec<f64>,
    p99s: Vec<f64>,
    cpus: Vec<f64>,
}

impl Side {
    async fn round(&mut self, peer: &Peer, path: &str, connections: usize) -> Result<()> {
        let cpu = peer.cpu();
        let round = load::run(&peer.address, &peer.address, path, connections, ROUND_TIME, "hello").await?;
        let cpu = (peer.cpu() - cpu).as_secs_f64() * 1e6 / round.latency.len() as f64;
        self.rates.push(round.rate);
        self.p50s.push(round.latency.value_at_quantile(0.5) as f64 / 1e3);
        self.p99s.push(round.latency.value_at_quantile(0.99) as f64 / 1e3);
        self.cpus.push(cpu);
        Ok(())
    }

    fn row(&self, name: &str, connections: usize) -> Vec<String> {
        vec![
            name.to_owned(),
            connections.to_string(),
            format!("{:.0}", median(&self.rates)),
            format!("{:.2}", median(&self.p50s)),
            format!("{:.2}", median(&self.p99s)),
            format!("{:.1}", median(&self.cpus)),
        ]
    }
}

/// Runs it, prints the table and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    let data = tempfile::tempdir()?;
    let freehold = Peer::freehold(root, data.path(), Some("bench/functions/hello"))?;
    let bare = Peer::node(root, "node-http.mjs")?;
    println!("\nJavaScript hello: function URL against bare node:http; {}", machine());
    println!("medians of {ROUNDS} rounds of {ROUND_TIME:?}, rounds alternate\n");
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for connections in [1, 32, 256] {
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        // One round each that does not count: instances start, code gets hot.
        Side::default().round(&freehold, "/_fn/hello/", connections).await?;
        Side::default().round(&bare, "/", connections).await?;
        for _ in 0..ROUNDS {
            ours.round(&freehold, "/_fn/hello/", connections).await?;
            theirs.round(&bare, "/", connections).await?;
        }
        let each: Vec<f64> = ours.rates.iter().zip(&theirs.rates).map(|(our, their)| our / their).collect();
        ratios.push((connections, median(&each)));
        rows.push(ours.row("freehold", connections));
        rows.push(theirs.row("node:http", connections));
    }
    print(&["", "connections", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"], &rows);
    for (connections, ratio) in ratios {
        println!("ratio at {connections:>3} connections: {ratio:.2} of bare node:http (target {TARGET})");
    }
    Ok(())
}
