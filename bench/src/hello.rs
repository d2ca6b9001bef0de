//! A JavaScript hello through a function URL, against the same handler behind a bare `node:http` server.

use std::path::Path;

use anyhow::Result;

use crate::peer::Peer;
use crate::side::{ROUND_TIME, Side};
use crate::table::{machine, median, print};

const ROUNDS: usize = 5;
const TEXT: &str = "hello";
/// What the first version must reach; printed beside what it did.
const TARGET: f64 = 0.7;

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
        Side::default().round(&freehold, "/_fn/hello/", connections, TEXT).await?;
        Side::default().round(&bare, "/", connections, TEXT).await?;
        for _ in 0..ROUNDS {
            ours.round(&freehold, "/_fn/hello/", connections, TEXT).await?;
            theirs.round(&bare, "/", connections, TEXT).await?;
        }
        ratios.push((connections, median(&ours.ratios(&theirs))));
        rows.push(ours.row("freehold", connections));
        rows.push(theirs.row("node:http", connections));
    }
    print(&Side::HEADINGS, &rows);
    for (connections, ratio) in ratios {
        println!("ratio at {connections:>3} connections: {ratio:.2} of bare node:http (target {TARGET})");
    }
    Ok(())
}
