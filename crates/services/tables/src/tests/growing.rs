//! Indexes that are made later, and items whose time is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use base::Random;
use serde_json::{Value, json};

use super::{Bench, PATIENCE, aws};

impl Bench {
    /// Waits until what is being made of a table is made.
    pub(super) async fn settled(&self, name: &str) -> Value {
        let since = Instant::now();
        loop {
            let table = self.describe(name).await;
            if table["TableStatus"] == "ACTIVE" {
                return table;
            }
            assert!(since.elapsed() < PATIENCE, "{table}");
            tokio::task::yield_now().await;
        }
    }
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "events", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
        }))
        .await;
    bench
}

#[tokio::test]
async fn a_later_index_holds_what_was_there_before() {
    let bench = bench().await;
    for n in 0..500 {
        let kind = json!(if n % 5 == 0 { "rare" } else { "plain" });
        // Of the wrong type for the index: it is left out.
        let kind = if n % 7 == 0 { json!({"N": "1"}) } else { json!({"S": kind}) };
        let item = json!({"id": {"S": format!("e{n}")}, "kind": kind});
        bench.call::<aws::PutItem>(json!({"TableName": "events", "Item": item})).await;
    }
    let create = json!({
        "TableName": "events", "AttributeDefinitions": [{"AttributeName": "kind", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": {
            "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }}],
    });
    let made = bench.call::<aws::UpdateTable>(create).await;
    assert_eq!(made["TableDescription"]["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    bench
        .call::<aws::PutItem>(json!({"TableName": "events", "Item": {"id": {"S": "later"}, "kind": {"S": "rare"}}}))
        .await;
    let table = bench.settled("events").await;
    let expected = (0..500).filter(|n| n % 5 == 0 && n % 7 != 0).count() + 1;
    let all = (0..500).filter(|n| n % 7 != 0).count() + 1;
    assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], json!(all));
    let rare = json!({
        "TableName": "events", "IndexName": "by-kind", "KeyConditionExpression": "kind = :k", "Select": "COUNT",
        "ExpressionAttributeValues": {":k": {"S": "rare"}},
    });
    assert_eq!(bench.call::<aws::Query>(rare.clone()).await["Count"], json!(expected));
    let delete = json!({"TableName": "events", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-kind"}}]});
    bench.call::<aws::UpdateTable>(delete).await;
    let table = bench.settled("events").await;
    assert_eq!(table["GlobalSecondaryIndexes"], Value::Null);
    assert_eq!(table["AttributeDefinitions"].as_array().unwrap().len(), 1);
    assert_eq!(bench.refused::<aws::Query>(rare).await.1, "The table does not have the specified index: by-kind");
}

/// All items of a table or index, by their ids.
async fn all(bench: &Bench, index: Option<&str>) -> BTreeMap<String, Value> {
    let mut input = json!({"TableName": "events"});
    if let Some(index) = index {
        input["IndexName"] = index.into();
    }
    let mut found = BTreeMap::new();
    loop {
        let page = bench.call::<aws::Scan>(input.clone()).await;
        for item in page["Items"].as_array().unwrap() {
            let twice = found.insert(item["id"]["S"].as_str().unwrap().to_owned(), item.clone());
            assert_eq!(twice, None, "an item is there once");
        }
        if page["LastEvaluatedKey"].is_null() {
            return found;
        }
        input["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
}

/// Puts, moves and deletes random items.
async fn write(bench: Arc<Bench>, seed: u64, writes: usize) {
    let random = Random::seeded(seed);
    for n in 0..writes {
        let id = json!({"S": format!("e{}", random.below(400))});
        if random.below(4) == 0 {
            bench.call::<aws::DeleteItem>(json!({"TableName": "events", "Key": {"id": id}})).await;
        } else {
            let item = json!({"id": id, "kind": {"S": format!("k{}", random.below(9))}, "n": {"N": n.to_string()}});
            bench.call::<aws::PutItem>(json!({"TableName": "events", "Item": item})).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Whatever is written while it is filled, and although the node stops meanwhile, it is what the table is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_filled_while_others_write() {
    for seed in 0..4 {
        let bench = Arc::new(bench().await);
        write(Arc::clone(&bench), seed, 800).await;
        let create = json!({
            "TableName": "events", "AttributeDefinitions": [{"AttributeName": "kind", "AttributeType": "S"}],
            "GlobalSecondaryIndexUpdates": [{"Create": {
                "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }}],
        });
        bench.call::<aws::UpdateTable>(create).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            writers.spawn(write(Arc::clone(&bench), 1_000 * (seed + 1) + writer, 100));
        }
        writers.join_all().await;
        let bench = Arc::into_inner(bench).expect("nobody writes any more").again().await;
        let described = bench.settled("events").await;
        let table = all(&bench, None).await;
        assert_eq!(all(&bench, Some("by-kind")).await, table, "seed {seed}");
        assert_eq!(described["GlobalSecondaryIndexes"][0]["ItemCount"], json!(table.len()), "seed {seed}");
    }
}

/// Two hundred of these are far more than one transaction of the store holds.
#[tokio::test]
async fn a_later_index_of_long_items_is_filled() {
    let bench = bench().await;
    for n in 0..60 {
        let item = json!({"id": {"S": format!("e{n}")}, "kind": {"S": "long"}, "x": {"S": "x".repeat(390_000)}});
        bench.call::<aws::PutItem>(json!({"TableName": "events", "Item": item})).await;
    }
    let create = json!({
        "TableName": "events", "AttributeDefinitions": [{"AttributeName": "kind", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": {
            "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }}],
    });
    bench.call::<aws::UpdateTable>(create).await;
    let table = bench.settled("events").await;
    assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], json!(60));
    let mut query = json!({
        "TableName": "events", "IndexName": "by-kind", "KeyConditionExpression": "kind = :k",
        "ExpressionAttributeValues": {":k": {"S": "long"}},
    });
    let mut found = 0;
    loop {
        let page = bench.call::<aws::Query>(query.clone()).await;
        let items = page["Items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["x"]["S"].as_str().unwrap().len() == 390_000));
        found += items.len();
        if page["LastEvaluatedKey"].is_null() {
            break;
        }
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
    assert_eq!(found, 60);
}

#[tokio::test]
async fn an_item_is_deleted_when_its_time_is_over() {
    let bench = bench().await;
    let now_s = super::NOW / 1_000;
    let put = async |id: &str, until: Value| {
        let item = json!({"id": {"S": id}, "until": until});
        bench.call::<aws::PutItem>(json!({"TableName": "events", "Item": item})).await;
    };
    put("before", json!({"N": (now_s + 60).to_string()})).await;
    let expiry = json!({"TableName": "events", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"}});
    bench.call::<aws::UpdateTimeToLive>(expiry).await;
    put("after", json!({"N": (now_s + 60).to_string()})).await;
    put("later", json!({"N": (now_s + 3_600).to_string()})).await;
    put("text", json!({"S": (now_s + 60).to_string()})).await;
    put("ancient", json!({"N": "1"})).await;
    put("moved", json!({"N": (now_s + 60).to_string()})).await;
    put("moved", json!({"N": (now_s + 7_200).to_string()})).await;
    let ids = async || {
        let page = bench.call::<aws::Scan>(json!({"TableName": "events"})).await;
        let mut ids: Vec<String> =
            page["Items"].as_array().unwrap().iter().map(|item| item["id"]["S"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let since = Instant::now();
    bench.pass(61);
    loop {
        bench.tables.upkeep().await;
        if ids().await == ["ancient", "later", "moved", "text"] {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{:?}", ids().await);
        tokio::task::yield_now().await;
    }
    put("past", json!({"N": now_s.to_string()})).await;
    bench.tables.upkeep().await;
    assert_eq!(ids().await, ["ancient", "later", "moved", "text"], "what is over already goes at once");
}

#[tokio::test]
async fn time_to_live_that_is_turned_on_again_finds_what_is_long_over() {
    let bench = bench().await;
    let now_s = super::NOW / 1_000;
    let put = async |id: &str, until: i64| {
        let item = json!({"id": {"S": id}, "until": {"N": until.to_string()}});
        bench.call::<aws::PutItem>(json!({"TableName": "events", "Item": item})).await;
    };
    let turn = async |on: bool| {
        let wanted = json!({"Enabled": on, "AttributeName": "until"});
        let input = json!({"TableName": "events", "TimeToLiveSpecification": wanted});
        bench.call::<aws::UpdateTimeToLive>(input).await;
    };
    let gone = async || {
        let since = Instant::now();
        loop {
            bench.tables.upkeep().await;
            let left =
                bench.call::<aws::Scan>(json!({"TableName": "events", "Select": "COUNT"})).await["Count"].clone();
            if left == 0 {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{left} are left");
            tokio::task::yield_now().await;
        }
    };
    turn(true).await;
    put("a", now_s).await;
    bench.pass(60);
    gone().await;
    turn(false).await;
    put("b", now_s - 3_600).await;
    turn(true).await;
    gone().await;
}
