//! From process start to the first answered call of a function deployed before, and what an idle node weighs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use crate::load;
use crate::peer::Peer;
use crate::table::{machine, median};

const STARTS: usize = 20;

/// Runs it and prints the figures with their targets.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nStart and idle; {}", machine());
    let data = tempfile::tempdir()?;
    drop(Peer::freehold(root, data.path(), Some("bench/functions/hello"))?);

    let (mut listens, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let start = Instant::now();
        let node = Peer::freehold(root, data.path(), None)?;
        listens.push(millis(start.elapsed()));
        load::once(&node.address, &node.address, "/_fn/hello/").await.context("the first call")?;
        answers.push(millis(start.elapsed()));
    }
    println!("process start to listening:           {:.0} ms (median of {STARTS})", median(&listens));
    println!(
        "process start to first answered call: {:.0} ms (median of {STARTS}; target under 100 ms)",
        median(&answers)
    );

    let empty = tempfile::tempdir()?;
    let node = Peer::freehold(root, empty.path(), None)?;
    TcpStream::connect(&node.address).await?;
    println!(
        "idle memory without functions:        {:.1} MiB (target under 30 MiB)",
        node.memory()? as f64 / f64::from(1 << 20)
    );
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
