//! Load programs: the same work on Freehold and on other systems, side by side in one run, medians and ratios printed.
//!
//! `cargo xtask bench [hello|start|cold|overhead|wasi|queues|rules|wakes|objects|tables|bigtable]` builds the release binary and runs this. Machines are noisy: only the ratios of one
//! run say something, and rounds of both sides alternate so that a bad moment hits both.

mod api;
mod bare;
mod bigtable;
mod bootstrap;
mod cold;
mod flight;
mod hello;
mod load;
mod objects;
mod overhead;
mod peer;
mod queues;
mod rules;
mod side;
mod start;
mod table;
mod tables;
mod wakes;
mod wasi;

use std::path::PathBuf;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    match bootstrap::runtime_api() {
        Some(api) => bootstrap::serve(&api),
        None if std::env::args().nth(1).is_some_and(|argument| argument == bare::ARGUMENT) => bare::serve(),
        None => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run()),
    }
}

async fn run() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wanted = if wanted.is_empty() {
        ["start", "hello", "cold", "overhead", "wasi", "queues", "rules", "wakes", "objects", "tables"]
            .map(String::from)
            .into()
    } else {
        wanted
    };
    for name in &wanted {
        match name.as_str() {
            "hello" => hello::run(&root).await?,
            "start" => start::run(&root).await?,
            "cold" => cold::run(&root).await?,
            "overhead" => overhead::run(&root).await?,
            "wasi" => wasi::run(&root).await?,
            "queues" => queues::run(&root).await?,
            "objects" => objects::run(&root).await?,
            "tables" => tables::run(&root).await?,
            // Not among those that run where none is named: it takes minutes and gigabytes.
            "bigtable" => bigtable::run(&root).await?,
            "rules" => rules::run(&root).await?,
            "wakes" => wakes::run(&root).await?,
            other => {
                bail!(
                    "no bench is called '{other}': there are hello, start, cold, overhead, wasi, queues, rules, wakes, objects, tables and bigtable"
                )
            }
        }
    }
    Ok(())
}
