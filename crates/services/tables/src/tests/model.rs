//! Random writes and reads, held against a model that keeps items in a map and looks at all of them each time. A failure prints the
//! seed that brings it back; `FREEHOLD_TABLES_ROUNDS` makes it longer.

use std::collections::BTreeMap;

use base::Random;
use serde_json::{Value, json};

use super::{Bench, aws};

pub(super) type Items = BTreeMap<(String, i64), Value>;

pub(super) fn rounds() -> u64 {
    std::env::var("FREEHOLD_TABLES_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

pub(super) async fn bench() -> Bench {
    let bench = Bench::new().await;
    let index = |name: &str, hash: &str, range: Option<&str>, projection: Value| {
        let range = range.map(|range| json!({"AttributeName": range, "KeyType": "RANGE"}));
        let keys: Vec<Value> =
            std::iter::once(json!({"AttributeName": hash, "KeyType": "HASH"})).chain(range).collect();
        json!({"IndexName": name, "KeySchema": keys, "Projection": projection})
    };
    let kinds = [("p", "S"), ("s", "N"), ("g", "S"), ("n", "N")];
    let definitions: Vec<Value> =
        kinds.iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind})).collect();
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "model", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": definitions,
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "LocalSecondaryIndexes": [index("local", "p", Some("n"), json!({"ProjectionType": "ALL"}))],
            "GlobalSecondaryIndexes": [
                index("global", "g", Some("n"), json!({"ProjectionType": "ALL"})),
                index("flat", "g", None, json!({"ProjectionType": "ALL"})),
            ],
        }))
        .await;
    bench
}

fn item(random: &Random) -> ((String, i64), Value) {
    let (p, s) = (format!("p{}", random.below(4)), random.below(12) as i64 - 6);
    let mut item = json!({"p": {"S": p}, "s": {"N": s.to_string()}, "v": {"N": random.below(5).to_string()}});
    if random.below(3) > 0 {
        item["g"] = json!({"S": format!("g{}", random.below(3))});
    }
    if random.below(3) > 0 {
        item["n"] = json!({"N": (random.below(40) as i64 - 20).to_string()});
    }
    if random.below(12) == 0 {
        item["long"] = json!({"S": "x".repeat(random.below(150_000) as usize)});
    }
    ((p, s), item)
}

fn number(item: &Value, name: &str) -> Option<i64> {
    item[name]["N"].as_str().map(|text| text.parse().unwrap())
}

pub(super) async fn step(bench: &Bench, items: &mut Items, random: &Random) {
    let (key, item) = item(random);
    let key_item = json!({"p": item["p"], "s": item["s"]});
    let there = items.contains_key(&key);
    match random.below(5) {
        0 | 1 => {
            bench.call::<aws::PutItem>(json!({"TableName": "model", "Item": item})).await;
            items.insert(key, item);
        }
        2 => {
            let delete = json!({"TableName": "model", "Key": key_item, "ConditionExpression": "attribute_exists(v)"});
            assert_eq!(bench.try_call::<aws::DeleteItem>(delete).await.is_ok(), there);
            items.remove(&key);
        }
        3 => {
            let update = json!({
                "TableName": "model", "Key": key_item, "UpdateExpression": "SET n = :n, v = :n REMOVE g",
                "ExpressionAttributeValues": {":n": item["v"]},
            });
            bench.call::<aws::UpdateItem>(update).await;
            let changed = items.entry(key).or_insert(key_item);
            (changed["n"], changed["v"]) = (item["v"].clone(), item["v"].clone());
            changed.as_object_mut().unwrap().shift_remove("g");
        }
        _ => {
            // Both, or neither.
            let (other, other_item) = self::item(random);
            if other == key {
                return;
            }
            let put = |item: &Value| json!({"Put": {"TableName": "model", "Item": item}});
            let mut second = put(&other_item);
            second["Put"]["ConditionExpression"] = "attribute_not_exists(p)".into();
            let input = json!({"TransactItems": [put(&item), second]});
            let done = bench.try_call::<aws::TransactWriteItems>(input).await.is_ok();
            assert_eq!(done, !items.contains_key(&other));
            if done {
                items.insert(key, item);
                items.insert(other, other_item);
            }
        }
    }
}

/// All items of a query or scan, page by page.
async fn all(bench: &Bench, mut ask: Value, random: &Random) -> Vec<Value> {
    ask["TableName"] = "model".into();
    ask["Limit"] = (1 + random.below(7)).into();
    let mut items = Vec::new();
    loop {
        let page = match ask.get("KeyConditionExpression") {
            Some(_) => bench.call::<aws::Query>(ask.clone()).await,
            None => bench.call::<aws::Scan>(ask.clone()).await,
        };
        items.extend(page["Items"].as_array().unwrap().clone());
        match &page["LastEvaluatedKey"] {
            Value::Null => return items,
            last => ask["ExclusiveStartKey"] = last.clone(),
        }
    }
}

pub(super) fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(|item| (item["p"]["S"].as_str().unwrap().to_owned(), number(item, "s")));
    items
}

async fn compare(bench: &Bench, items: &Items, random: &Random) {
    assert_eq!(sorted(all(bench, json!({}), random).await), sorted(items.values().cloned().collect()));
    for (index, hash, range, value) in
        [(None, "p", "s", "p1"), (Some("local"), "p", "n", "p2"), (Some("global"), "g", "n", "g1")]
    {
        let low = random.below(30) as i64 - 15;
        let forward = random.below(2) == 0;
        let mut ask = json!({
            "KeyConditionExpression": "#h = :h AND #r >= :l", "FilterExpression": "v < :v",
            "ExpressionAttributeNames": {"#h": hash, "#r": range}, "ScanIndexForward": forward,
            "ExpressionAttributeValues": {":h": {"S": value}, ":l": {"N": low.to_string()}, ":v": {"N": "3"}},
        });
        if let Some(index) = index {
            ask["IndexName"] = index.into();
        }
        let found = all(bench, ask, random).await;
        let order: Vec<i64> = found.iter().map(|item| number(item, range).unwrap()).collect();
        let in_order = |pair: &[i64]| if forward { pair[0] <= pair[1] } else { pair[0] >= pair[1] };
        assert!(order.windows(2).all(in_order), "{order:?}");
        let wanted = |item: &&Value| {
            item[hash]["S"] == value && number(item, range) >= Some(low) && number(item, "v").is_some_and(|v| v < 3)
        };
        assert_eq!(sorted(found), sorted(items.values().filter(wanted).cloned().collect()), "{index:?}");
    }
    let flat = all(bench, json!({"IndexName": "flat"}), random).await;
    let wanted = |item: &&Value| item["g"] != Value::Null;
    assert_eq!(sorted(flat), sorted(items.values().filter(wanted).cloned().collect()));
    let described = bench.describe("model").await;
    assert_eq!(described["ItemCount"], json!(items.len()));
}

#[tokio::test]
async fn random_writes_leave_what_a_naive_model_says() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let random = Random::seeded(seed);
        let (mut bench, mut items) = (bench().await, Items::new());
        for round in 0..10 {
            for _ in 0..20 {
                step(&bench, &mut items, &random).await;
            }
            compare(&bench, &items, &random).await;
            if round == 5 {
                bench = bench.again().await;
            }
        }
    }
}
