//! Items in and out of a table at sixteen clients, ours on disk before each answer, against emulators that hold everything in memory;
//! and a filtered scan.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Api, Protocol, json_request};
use crate::peer::Peer;
use crate::table::{machine, median, print};

const CLIENTS: usize = 16;
const ROUNDS: usize = 3;
const ROUND_TIME: Duration = Duration::from_secs(2);
/// How long an emulator may take for a round or what comes before the first.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many different requests each client sends in turn.
const REQUESTS: usize = 200;
/// Items of one collection, as a query reads them.
const COLLECTION: usize = 100;
/// Items of the table that is scanned, and how many are put at once.
const SCANNED: usize = 200_000;
const BATCH: usize = 25;
const SEGMENTS: usize = 4;
const SCAN_TARGET: f64 = 500_000.0;
const DYNALITE_PORT: u16 = 4597;
const MOTO_PORT: u16 = 4598;
const FAKECLOUD_PORT: u16 = 4596;

/// What the clients do, and what ours must reach, in requests a second.
const WORK: [(Work, &str, f64); 4] = [
    (Work::Put, "PutItem of 1 KB", 12_000.0),
    (Work::Get, "GetItem of 1 KB", 30_000.0),
    (Work::Query, "Query of 100 items", 3_000.0),
    (Work::Transact, "TransactWriteItems of 4", 5_000.0),
];

#[derive(Clone, Copy)]
enum Work {
    Put,
    Get,
    Query,
    Transact,
}

/// Runs it, prints the table and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    println!("\na table, {CLIENTS} clients; {}", machine());
    println!("medians of {ROUNDS} rounds of {ROUND_TIME:?}, rounds alternate; requests/s\n");
    let data = tempfile::tempdir()?;
    let freehold = Peer::freehold(root, data.path(), None)?;
    prepare(&freehold.address).await.context("preparing ours")?;
    let mut others = Vec::new();
    for (name, emulator) in emulators(root).await? {
        match patiently(prepare(&emulator.address)).await {
            Ok(()) => others.push((name, emulator)),
            Err(why) => eprintln!("going on without {name}: {why:#}"),
        }
    }
    let mut rows = Vec::new();
    for (work, name, target) in WORK {
        let (mut ours, mut theirs) = (Vec::new(), vec![Vec::new(); others.len()]);
        for _ in 0..ROUNDS {
            ours.push(round(&freehold.address, work).await?);
            for ((other, emulator), rates) in others.iter().zip(&mut theirs) {
                match patiently(round(&emulator.address, work)).await {
                    Ok(rate) => rates.push(rate),
                    Err(why) => eprintln!("{other} does not do {name}: {why:#}"),
                }
            }
        }
        let mut row = vec![name.to_owned(), format!("{:.0}", median(&ours)), format!("{target:.0}")];
        row.extend(theirs.iter().map(|rates| match rates.is_empty() {
            true => "–".to_owned(),
            false => format!("{:.0}", median(rates)),
        }));
        rows.push(row);
    }
    let head: Vec<&str> = ["", "freehold", "target"].into_iter().chain(others.iter().map(|(name, _)| *name)).collect();
    print(&head, &rows);
    drop(others);
    scan(&freehold.address).await
}

/// Those that can be had here.
async fn emulators(root: &Path) -> Result<Vec<(&'static str, Peer)>> {
    let port = DYNALITE_PORT.to_string();
    let dynalite = Peer::npm(root, "dynalite", &["--port", &port, "--createTableMs", "0"], DYNALITE_PORT).await?;
    let port = MOTO_PORT.to_string();
    let moto = Peer::python(root, "moto[server]", "moto_server", &["-p", &port], MOTO_PORT).await?;
    let address = format!("127.0.0.1:{FAKECLOUD_PORT}");
    let fakecloud = Peer::cargo(root, "fakecloud", &["--addr", &address], FAKECLOUD_PORT).await?;
    let all = [("dynalite", dynalite), ("moto", moto), ("fakecloud", fakecloud)];
    Ok(all.into_iter().filter_map(|(name, peer)| Some((name, peer?))).collect())
}

/// What an emulator does not do, or hangs at, is no reason to end what the others are measured by.
async fn patiently<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work).await.with_context(|| format!("it was not done within {PATIENCE:?}"))?
}

async fn prepare(server: &str) -> Result<()> {
    let mut api = Api::open(server).await?;
    for name in ["bench", "scanned"] {
        let table = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "N" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
        });
        api.call(Protocol::Tables, "CreateTable", &table).await?;
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let found = api.call(Protocol::Tables, "DescribeTable", &json!({ "TableName": name })).await?;
            if found["Table"]["TableStatus"] == "ACTIVE" {
                break;
            }
            ensure!(Instant::now() < until, "{name} does not become active: {found}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for client in 0..CLIENTS {
        let items: Vec<Value> = (0..COLLECTION).map(|number| item(&format!("c{client}"), number, 100)).collect();
        for batch in items.chunks(BATCH) {
            api.call(Protocol::Tables, "BatchWriteItem", &puts("bench", batch)).await?;
        }
        for number in 0..REQUESTS {
            let put = json!({ "TableName": "bench", "Item": item(&format!("p{client}"), number, 1000) });
            api.call(Protocol::Tables, "PutItem", &put).await?;
        }
    }
    Ok(())
}

/// Has all clients work until the time is over; requests a second.
async fn round(server: &str, work: Work) -> Result<f64> {
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for client in 0..CLIENTS {
        let server = server.to_owned();
        loops.spawn(async move {
            let requests: Vec<Vec<u8>> = (0..REQUESTS).map(|number| request(&server, work, client, number)).collect();
            let mut api = Api::open(&server).await?;
            let mut count = 0;
            for request in requests.iter().cycle() {
                if start.elapsed() > ROUND_TIME {
                    break;
                }
                let answer = api.exchange(request).await?;
                ensure!(
                    !matches!(work, Work::Get | Work::Query) || answer.len() > 1000,
                    "there is nothing in an answer"
                );
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(one) = loops.join_next().await {
        count += one??;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn request(server: &str, work: Work, client: usize, number: usize) -> Vec<u8> {
    let partition = format!("p{client}");
    // Each key comes twice, with another content: no put finds what it puts.
    let item = |partition: &str, number: usize, bytes: usize| {
        let mut item = item(partition, number % (REQUESTS / 2), bytes);
        item["turn"] = json!({ "N": (number / (REQUESTS / 2)).to_string() });
        item
    };
    let (operation, input) = match work {
        Work::Put => ("PutItem", json!({ "TableName": "bench", "Item": item(&partition, number, 1000) })),
        Work::Get => {
            ("GetItem", json!({ "TableName": "bench", "Key": key(&partition, number), "ConsistentRead": true }))
        }
        Work::Query => (
            "Query",
            json!({
                "TableName": "bench", "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": { ":pk": { "S": format!("c{client}") } },
            }),
        ),
        Work::Transact => {
            let put = |part: usize| json!({ "Put": { "TableName": "bench", "Item": item(&format!("t{client}-{part}"), number, 100) } });
            ("TransactWriteItems", json!({ "TransactItems": (0..4).map(put).collect::<Vec<_>>() }))
        }
    };
    json_request(server, Protocol::Tables, operation, &input)
}

/// Items a second that a scan looks at, all segments together, with a filter that few pass.
async fn scan(server: &str) -> Result<()> {
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for client in 0..CLIENTS {
        let server = server.to_owned();
        loops.spawn(async move {
            let mut api = Api::open(&server).await?;
            for first in (client * BATCH..SCANNED).step_by(CLIENTS * BATCH) {
                let items: Vec<Value> =
                    (first..first + BATCH).map(|number| item(&format!("s{}", number / 50), number, 60)).collect();
                api.call(Protocol::Tables, "BatchWriteItem", &puts("scanned", &items)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = loops.join_next().await {
        done??;
    }
    println!(
        "\n{SCANNED} items put in batches of {BATCH}: {:.0} items/s",
        SCANNED as f64 / start.elapsed().as_secs_f64()
    );
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut loops = JoinSet::new();
        for segment in 0..SEGMENTS {
            let server = server.to_owned();
            loops.spawn(async move { scan_segment(&server, segment).await });
        }
        let mut seen = 0;
        while let Some(one) = loops.join_next().await {
            seen += one??;
        }
        ensure!(seen == SCANNED as u64, "a scan saw {seen} items of {SCANNED}");
        rates.push(SCANNED as f64 / start.elapsed().as_secs_f64());
    }
    println!("a filtered scan in {SEGMENTS} segments: {:.0} items/s (target {SCAN_TARGET})", median(&rates));
    Ok(())
}

async fn scan_segment(server: &str, segment: usize) -> Result<u64> {
    let mut api = Api::open(server).await?;
    let (mut seen, mut from) = (0, Value::Null);
    loop {
        let mut input = json!({
            "TableName": "scanned", "Segment": segment, "TotalSegments": SEGMENTS,
            "FilterExpression": "#n = :n AND begins_with(body, :b)", "ExpressionAttributeNames": { "#n": "number" },
            "ExpressionAttributeValues": { ":n": { "N": "77" }, ":b": { "S": "xx" } },
        });
        if !from.is_null() {
            input["ExclusiveStartKey"] = from;
        }
        let mut answer = api.call(Protocol::Tables, "Scan", &input).await?;
        seen += answer["ScannedCount"].as_u64().context("a scan tells what it looked at")?;
        from = answer["LastEvaluatedKey"].take();
        if from.is_null() {
            return Ok(seen);
        }
    }
}

fn key(partition: &str, number: usize) -> Value {
    json!({ "pk": { "S": partition }, "sk": { "N": number.to_string() } })
}

fn item(partition: &str, number: usize, bytes: usize) -> Value {
    let mut item = key(partition, number);
    item["number"] = json!({ "N": (number % 1000).to_string() });
    item["body"] = json!({ "S": "x".repeat(bytes) });
    item
}

fn puts(table: &str, items: &[Value]) -> Value {
    let puts: Vec<Value> = items.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
    json!({ "RequestItems": { table: puts } })
}
