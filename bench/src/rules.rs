//! What many rules on a bus cost an event: put to a bus with ten, and to one with ten thousand, each event's kind asked for by one rule.
//! The rules have no targets, so that nothing is measured but finding them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Api, Protocol, json_request};
use crate::peer::Peer;
use crate::table::{machine, median, print};

const COUNTS: [usize; 2] = [10, 10_000];
const CLIENTS: usize = 16;
const ENTRIES: usize = 10;
const ROUNDS: usize = 5;
const ROUND_TIME: Duration = Duration::from_secs(2);
/// How many different requests each client sends in turn.
const REQUESTS: usize = 100;

/// Runs it, prints the table and the ratio.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nevents to a bus by its number of rules, {CLIENTS} clients, {ENTRIES} events a call; {}", machine());
    let data = tempfile::tempdir()?;
    let node = Peer::freehold(root, data.path(), None)?;
    for count in COUNTS {
        let start = Instant::now();
        fill(&node.address, count).await?;
        println!("{count} rules put in {:.1} s", start.elapsed().as_secs_f64());
    }
    let mut rates = COUNTS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (count, rates) in COUNTS.into_iter().zip(&mut rates) {
            rates.push(round(&node.address, count).await?);
        }
    }
    println!();
    let row = |(count, rates): (usize, &Vec<f64>)| vec![count.to_string(), format!("{:.0}", median(rates))];
    print(&["rules", "events/s"], &COUNTS.into_iter().zip(&rates).map(row).collect::<Vec<_>>());
    let [few, many] = rates;
    let cost: Vec<f64> = few.iter().zip(&many).map(|(few, many)| few / many).collect();
    println!("an event costs {:.2} of what it costs with few (target at most 2)", median(&cost));
    Ok(())
}

async fn fill(address: &str, count: usize) -> Result<()> {
    Api::open(address).await?.call(Protocol::Events, "CreateEventBus", &json!({ "Name": bus(count) })).await?;
    let mut loops = JoinSet::new();
    for client in 0..CLIENTS {
        let address = address.to_owned();
        loops.spawn(async move {
            let mut api = Api::open(&address).await?;
            for rule in (client..count).step_by(CLIENTS) {
                let pattern = json!({ "detail": { "kind": [format!("k{rule}")] } }).to_string();
                let input = json!({ "Name": format!("r{rule}"), "EventBusName": bus(count), "EventPattern": pattern });
                api.call(Protocol::Events, "PutRule", &input).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = loops.join_next().await {
        done??;
    }
    Ok(())
}

/// Events a second.
async fn round(address: &str, count: usize) -> Result<f64> {
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for client in 0..CLIENTS {
        let address = address.to_owned();
        loops.spawn(async move {
            let requests: Vec<Vec<u8>> =
                (0..REQUESTS).map(|request| put(&address, count, client * REQUESTS + request)).collect();
            let mut api = Api::open(&address).await?;
            let mut calls = 0;
            for request in requests.iter().cycle() {
                if start.elapsed() > ROUND_TIME {
                    break;
                }
                let answer: Value = serde_json::from_slice(api.exchange(request).await?)?;
                let failed = answer["FailedEntryCount"].as_u64().context("an answer tells what failed")?;
                ensure!(failed == 0, "{failed} events were refused: {answer}");
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut events = 0;
    while let Some(calls) = loops.join_next().await {
        events += calls?? * ENTRIES;
    }
    Ok(events as f64 / start.elapsed().as_secs_f64())
}

fn put(address: &str, count: usize, seed: usize) -> Vec<u8> {
    // Kinds far from one another, the same ones in each round.
    let entry = |index: usize| {
        let kind = (seed * ENTRIES + index) * 7919 % count;
        json!({
            "Source": "bench", "DetailType": "one", "EventBusName": bus(count),
            "Detail": json!({ "kind": format!("k{kind}"), "number": index, "text": "a little more to read" }).to_string(),
        })
    };
    let entries: Vec<Value> = (0..ENTRIES).map(entry).collect();
    json_request(address, Protocol::Events, "PutEvents", &json!({ "Entries": entries }))
}

fn bus(count: usize) -> String {
    format!("rules-{count}")
}
