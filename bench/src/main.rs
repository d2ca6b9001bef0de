//! Load programs: the same work on Freehold and on other systems, side by side in one run, medians and ratios printed.
//!
//! `cargo xtask bench [hello|start|wasi]` builds the release binary and runs this. Machines are noisy: only the ratios of one
//! run say something, and rounds of both sides alternate so that a bad moment hits both.

mod flight;
mod hello;
mod load;
mod peer;
mod side;
mod start;
mod table;
mod wasi;

use std::path::PathBuf;

use anyhow::{Result, bail};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wanted = if wanted.is_empty() { vec!["start".into(), "hello".into(), "wasi".into()] } else { wanted };
    for name in &wanted {
        match name.as_str() {
            "hello" => hello::run(&root).await?,
            "start" => start::run(&root).await?,
            "wasi" => wasi::run(&root).await?,
            other => bail!("no bench is called '{other}': there are hello, start and wasi"),
        }
    }
    Ok(())
}
