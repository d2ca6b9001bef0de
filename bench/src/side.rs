//! One side of a comparison: what its rounds measured.

use std::time::Duration;

use anyhow::Result;

use crate::load;
use crate::peer::Peer;
use crate::table::median;

/// How long a round is.
pub const ROUND_TIME: Duration = Duration::from_secs(3);

/// See the file.
#[derive(Default)]
pub struct Side {
    rates: Vec<f64>,
    p50s: Vec<f64>,
    p99s: Vec<f64>,
    cpus: Vec<f64>,
}

impl Side {
    /// What the cells of [`Side::row`] are.
    pub const HEADINGS: [&str; 6] = ["", "connections", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"];

    /// Has `peer` answer for one round; every answer must hold `expected`.
    pub async fn round(&mut self, peer: &Peer, path: &str, connections: usize, expected: &str) -> Result<()> {
        let cpu = peer.cpu();
        let round = load::run(&peer.address, &peer.address, path, connections, ROUND_TIME, expected).await?;
        let cpu = (peer.cpu() - cpu).as_secs_f64() * 1e6 / round.latency.len() as f64;
        self.rates.push(round.rate);
        self.p50s.push(round.latency.value_at_quantile(0.5) as f64 / 1e3);
        self.p99s.push(round.latency.value_at_quantile(0.99) as f64 / 1e3);
        self.cpus.push(cpu);
        Ok(())
    }

    /// Its line in a table.
    pub fn row(&self, name: &str, connections: usize) -> Vec<String> {
        vec![
            name.to_owned(),
            connections.to_string(),
            format!("{:.0}", median(&self.rates)),
            format!("{:.2}", median(&self.p50s)),
            format!("{:.2}", median(&self.p99s)),
            format!("{:.1}", median(&self.cpus)),
        ]
    }

    /// The rate of each round in terms of the other side's.
    pub fn ratios(&self, other: &Self) -> Vec<f64> {
        self.rates.iter().zip(&other.rates).map(|(our, their)| our / their).collect()
    }
}
