//! A hello through a function URL, against the same behind a bare server of its language: JavaScript, with a target, at several numbers of
//! connections; Python and native code at one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::peer::Peer;
use crate::side::{ROUND_TIME, Side};
use crate::table::{machine, median, print};

const ROUNDS: usize = 5;
/// Of the bare server's rate, for JavaScript.
const TARGET: f64 = 0.8;
/// What every answer holds, in either case.
const TEXT: &str = "ello";

/// Runs it, prints the table and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    println!("\na hello: function URL against a bare server; {}", machine());
    println!("medians of {ROUNDS} rounds of {ROUND_TIME:?}, rounds alternate\n");
    let mut table = Table::default();
    let node = Peer::script(root, "node", "node-http.mjs")?;
    table.measure(root, "bench/functions/hello", ("node:http", &node), &[1, 32, 256]).await?;
    drop(node);
    let python = Peer::script(root, "python3", "python_http.py")?;
    table.measure(root, "bench/functions/hello-python", ("http.server", &python), &[32]).await?;
    drop(python);
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("hello-native");
    std::fs::create_dir(&home)?;
    let bootstrap = home.join("bootstrap");
    std::fs::copy(std::env::current_exe()?, &bootstrap)?;
    std::fs::set_permissions(&bootstrap, std::fs::Permissions::from_mode(0o755))?;
    table.measure(root, home.to_str().context("a path of text")?, ("hyper", &Peer::native()?), &[32]).await?;
    table.print();
    Ok(())
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    ratios: Vec<String>,
}

impl Table {
    /// Has the function in `folder`, called like it, and the bare server answer in turn.
    async fn measure(
        &mut self,
        root: &Path,
        folder: &str,
        (name, bare): (&str, &Peer),
        connections: &[usize],
    ) -> Result<()> {
        let data = tempfile::tempdir()?;
        let freehold = Peer::freehold(root, data.path(), Some(folder))?;
        let function = folder.rsplit('/').next().unwrap_or(folder);
        let path = format!("/_fn/{function}/");
        for &connections in connections {
            let (mut ours, mut theirs) = (Side::default(), Side::default());
            // One round each that does not count: instances start, code gets hot.
            Side::default().round(&freehold, &path, connections, TEXT).await?;
            Side::default().round(bare, "/", connections, TEXT).await?;
            for _ in 0..ROUNDS {
                ours.round(&freehold, &path, connections, TEXT).await?;
                theirs.round(bare, "/", connections, TEXT).await?;
            }
            let ratio = median(&ours.ratios(&theirs));
            let target = if name == "node:http" { format!(" (target {TARGET})") } else { String::new() };
            self.ratios.push(format!("{function} at {connections:>3} connections: {ratio:.2} of bare {name}{target}"));
            self.rows.push(ours.row(function, connections));
            self.rows.push(theirs.row(name, connections));
        }
        Ok(())
    }

    fn print(&self) {
        print(&Side::HEADINGS, &self.rows);
        for line in &self.ratios {
            println!("{line}");
        }
    }
}
