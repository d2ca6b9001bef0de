//! A table of ten million items: put, read from end to end, queried, and given an index; after each, the most memory that the node had.
//! `FREEHOLD_BENCH_ITEMS` says how many.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Api, Protocol};
use crate::peer::Peer;
use crate::table::{machine, print};

const ITEMS: usize = 10_000_000;
const CLIENTS: usize = 8;
/// How many are put at once.
const BATCH: usize = 25;
/// Items of one hash key.
const COLLECTION: usize = 100;
/// Bytes of an item beside its keys.
const BODY: usize = 100;
const SEGMENTS: usize = 4;
const QUERIES: usize = 2_000;
/// Different hash keys of the index.
const KINDS: usize = 1_000;
/// How long an index may be in the making.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Runs it and prints the table.
pub async fn run(root: &Path) -> Result<()> {
    let items = match std::env::var("FREEHOLD_BENCH_ITEMS") {
        Ok(text) => text.parse().context("FREEHOLD_BENCH_ITEMS is a number")?,
        Err(_) => ITEMS,
    };
    let items = items / COLLECTION * COLLECTION;
    println!("\na table of {items} items of some {BODY} bytes; {}\n", machine());
    let data = tempfile::tempdir()?;
    let node = Peer::freehold(root, data.path(), None)?;
    let mut rows = Vec::new();
    let mut note = |what: &str, count: usize, took: Duration| -> Result<()> {
        let peak = node.memory_peak()? as f64 / f64::from(1 << 20);
        let rate = count as f64 / took.as_secs_f64();
        println!("{what}: {count} in {:.1} s, {rate:.0}/s, at most {peak:.0} MiB", took.as_secs_f64());
        rows.push(vec![what.to_owned(), count.to_string(), format!("{rate:.0}"), format!("{peak:.0}")]);
        Ok(())
    };
    create(&node.address).await?;
    note("at the start", 0, Duration::from_secs(1))?;

    let start = Instant::now();
    fill(&node.address, items).await?;
    note("items put", items, start.elapsed())?;

    let start = Instant::now();
    let seen = scan(&node.address).await?;
    ensure!(seen == items, "a scan saw {seen} items of {items}");
    note("items read from end to end", seen, start.elapsed())?;

    let start = Instant::now();
    let mut api = Api::open(&node.address).await?;
    for number in 0..QUERIES {
        let partition = number * 7_919 % (items / COLLECTION);
        let found = query(&mut api, None, "pk", json!({ "S": format!("p{partition}") })).await?;
        ensure!(found == COLLECTION, "a query found {found} items of {COLLECTION}");
    }
    note("queries of 100 items", QUERIES, start.elapsed())?;

    let start = Instant::now();
    index(&mut api).await?;
    note("entries of a new index", items, start.elapsed())?;

    let start = Instant::now();
    let (kinds, mut found) = (KINDS / 50, 0);
    for kind in 0..kinds {
        found += query(&mut api, Some("by-kind"), "kind", json!({ "N": kind.to_string() })).await?;
    }
    let expected = (0..items).filter(|number| number % KINDS < kinds).count();
    ensure!(found == expected, "the index has {found} entries of {expected}");
    note("items read by the index", found, start.elapsed())?;
    println!();
    print(&["", "count", "a second", "peak MiB"], &rows);
    Ok(())
}

async fn create(server: &str) -> Result<()> {
    let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let table = json!({
        "TableName": "big", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("pk", "S"), attribute("sk", "N")],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
    });
    let mut api = Api::open(server).await?;
    api.call(Protocol::Tables, "CreateTable", &table).await?;
    active(&mut api).await
}

/// Waits until nothing of the table is in the making.
async fn active(api: &mut Api) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = api.call(Protocol::Tables, "DescribeTable", &json!({ "TableName": "big" })).await?;
        let table = &found["Table"];
        let indexes = table["GlobalSecondaryIndexes"].as_array();
        let is_made = indexes.into_iter().flatten().all(|index| index["IndexStatus"] == "ACTIVE");
        if table["TableStatus"] == "ACTIVE" && is_made {
            return Ok(());
        }
        ensure!(Instant::now() < until, "the table does not become active: {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn fill(server: &str, items: usize) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut loops = JoinSet::new();
    for _ in 0..CLIENTS {
        let (server, next) = (server.to_owned(), Arc::clone(&next));
        loops.spawn(async move {
            let mut api = Api::open(&server).await?;
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= items {
                    return anyhow::Ok(());
                }
                let puts: Vec<Value> =
                    (first..first + BATCH).map(|number| json!({ "PutRequest": { "Item": item(number) } })).collect();
                api.call(Protocol::Tables, "BatchWriteItem", &json!({ "RequestItems": { "big": puts } })).await?;
            }
        });
    }
    while let Some(done) = loops.join_next().await {
        done??;
    }
    Ok(())
}

fn item(number: usize) -> Value {
    json!({
        "pk": { "S": format!("p{}", number / COLLECTION) }, "sk": { "N": (number % COLLECTION).to_string() },
        "kind": { "N": (number % KINDS).to_string() }, "body": { "S": "x".repeat(BODY) },
    })
}

/// Looks at all items in pages, and takes none of them: how many there are.
async fn scan(server: &str) -> Result<usize> {
    let mut loops = JoinSet::new();
    for segment in 0..SEGMENTS {
        let server = server.to_owned();
        loops.spawn(async move {
            let mut api = Api::open(&server).await?;
            let input = json!({ "TableName": "big", "Segment": segment, "TotalSegments": SEGMENTS, "Select": "COUNT" });
            pages(&mut api, "Scan", input).await
        });
    }
    let mut seen = 0;
    while let Some(one) = loops.join_next().await {
        seen += one??;
    }
    Ok(seen)
}

async fn query(api: &mut Api, index: Option<&str>, name: &str, value: Value) -> Result<usize> {
    let mut input = json!({
        "TableName": "big", "KeyConditionExpression": "#n = :v", "ExpressionAttributeNames": { "#n": name },
        // Whoever reads the answers here takes a megabyte at once.
        "ExpressionAttributeValues": { ":v": value }, "Limit": 5_000,
    });
    if let Some(index) = index {
        input["IndexName"] = index.into();
    }
    pages(api, "Query", input).await
}

/// Reads page after page; how many items were found.
async fn pages(api: &mut Api, operation: &str, mut input: Value) -> Result<usize> {
    let mut found = 0;
    loop {
        let mut page = api.call(Protocol::Tables, operation, &input).await?;
        found += page["Count"].as_u64().context("a page tells how many it found")? as usize;
        let last = page["LastEvaluatedKey"].take();
        if last.is_null() {
            return Ok(found);
        }
        input["ExclusiveStartKey"] = last;
    }
}

/// Makes an index and waits until it is whole.
async fn index(api: &mut Api) -> Result<()> {
    let create = json!({
        "TableName": "big", "AttributeDefinitions": [{ "AttributeName": "kind", "AttributeType": "N" }],
        "GlobalSecondaryIndexUpdates": [{ "Create": {
            "IndexName": "by-kind", "KeySchema": [{ "AttributeName": "kind", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        } }],
    });
    api.call(Protocol::Tables, "UpdateTable", &create).await?;
    active(api).await
}
