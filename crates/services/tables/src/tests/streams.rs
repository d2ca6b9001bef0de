//! Streams tell of every change, in order and once.

use contract::Arn;
use dispatch::{Attached, Attachments};
use serde_json::{Value, json};
use store::{Key, Range, Scan};
use wire::dynamodbstreams as streams;

use super::{Bench, aws};

async fn bench(view: &str) -> (Bench, String) {
    let bench = Bench::new().await;
    let made = bench
        .call::<aws::CreateTable>(json!({
            "TableName": "changing", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": view},
        }))
        .await;
    let arn = made["TableDescription"]["LatestStreamArn"].as_str().unwrap().to_owned();
    (bench, arn)
}

impl Bench {
    async fn put_value(&self, id: &str, value: &str) {
        let item = json!({"id": {"S": id}, "v": {"S": value}});
        self.call::<aws::PutItem>(json!({"TableName": "changing", "Item": item})).await;
    }

    /// How many entries lie in streams, whoever's they are.
    async fn journal(&self) -> usize {
        self.count(Key::journal("tables").with("s")).await
    }

    /// How many items lie in tables, whoever's they are.
    async fn items_left(&self) -> usize {
        self.count(Key::new("tables").with("i")).await
    }

    async fn count(&self, prefix: Key) -> usize {
        let (mut count, mut rest) = (0, Some(Range::prefix(&prefix)));
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, Scan::first(Scan::PAGE_MAX)).await.unwrap();
            count += page.items.len();
            rest = page.rest;
        }
        count
    }

    async fn shards(&self, arn: &str) -> Vec<Value> {
        let described = self.call::<streams::DescribeStream>(json!({"StreamArn": arn})).await;
        described["StreamDescription"]["Shards"].as_array().unwrap().clone()
    }

    async fn iterator(&self, arn: &str, shard: &Value, more: Value) -> String {
        let mut input = json!({"StreamArn": arn, "ShardId": shard["ShardId"]});
        more.as_object().unwrap().iter().for_each(|(name, value)| input[name] = value.clone());
        let made = self.call::<streams::GetShardIterator>(input).await;
        made["ShardIterator"].as_str().unwrap().to_owned()
    }

    /// All records of all shards, from the oldest on.
    pub(super) async fn records(&self, arn: &str) -> Vec<Value> {
        let mut records = Vec::new();
        for shard in self.shards(arn).await {
            let mut next = Some(self.iterator(arn, &shard, json!({"ShardIteratorType": "TRIM_HORIZON"})).await);
            while let Some(iterator) = next.take() {
                let page = self.call::<streams::GetRecords>(json!({"ShardIterator": iterator, "Limit": 3})).await;
                let found = page["Records"].as_array().unwrap().clone();
                let is_end = found.is_empty();
                records.extend(found);
                next = page["NextShardIterator"].as_str().filter(|_| !is_end).map(str::to_owned);
            }
        }
        records
    }
}

#[tokio::test]
async fn a_record_says_what_changed_and_how() {
    let (bench, arn) = bench("NEW_AND_OLD_IMAGES").await;
    bench.put_value("a", "1").await;
    bench.put_value("a", "1").await;
    bench.put_value("a", "2").await;
    bench.call::<aws::DeleteItem>(json!({"TableName": "changing", "Key": {"id": {"S": "a"}}})).await;
    bench.call::<aws::DeleteItem>(json!({"TableName": "changing", "Key": {"id": {"S": "a"}}})).await;
    let records = bench.records(&arn).await;
    let names: Vec<&str> = records.iter().map(|record| record["eventName"].as_str().unwrap()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"], "what changes nothing is not told");
    let (image, old) = (json!({"id": {"S": "a"}, "v": {"S": "2"}}), json!({"id": {"S": "a"}, "v": {"S": "1"}}));
    let told = &records[1]["dynamodb"];
    assert_eq!((&told["NewImage"], &told["OldImage"], &told["Keys"]), (&image, &old, &json!({"id": {"S": "a"}})));
    assert_eq!(told["SizeBytes"], json!(3 + 5 + 5));
    assert_eq!(told["StreamViewType"], "NEW_AND_OLD_IMAGES");
    let numbers: Vec<&str> =
        records.iter().map(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap()).collect();
    assert!(numbers.iter().all(|number| number.len() >= 21) && numbers.is_sorted(), "{numbers:?}");
    assert_eq!(
        (&records[0]["eventSource"], &records[0]["eventVersion"], &records[0]["awsRegion"]),
        (&"aws:dynamodb".into(), &"1.1".into(), &"us-east-1".into())
    );
}

#[tokio::test]
async fn shards_follow_each_other_and_records_go_after_a_day() {
    let (bench, arn) = bench("KEYS_ONLY").await;
    bench.put_value("a", "1").await;
    bench.pass(4 * 3_600 + 1);
    bench.tables.upkeep().await;
    bench.put_value("b", "1").await;
    let shards = bench.shards(&arn).await;
    assert_eq!(shards.len(), 2);
    assert_eq!(shards[1]["ParentShardId"], shards[0]["ShardId"]);
    assert!(shards[0]["SequenceNumberRange"]["EndingSequenceNumber"].is_string());
    let keys = |records: &[Value]| -> Vec<String> {
        let key = |record: &Value| record["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap().to_owned();
        records.iter().map(key).collect()
    };
    assert_eq!(keys(&bench.records(&arn).await), ["a", "b"]);
    assert_eq!(bench.records(&arn).await[0]["dynamodb"]["NewImage"], Value::Null);

    let all = bench.records(&arn).await;
    let second = all[1]["dynamodb"]["SequenceNumber"].clone();
    for (kind, expected) in [("AT_SEQUENCE_NUMBER", 1), ("AFTER_SEQUENCE_NUMBER", 0)] {
        let more = json!({"ShardIteratorType": kind, "SequenceNumber": second});
        let iterator = bench.iterator(&arn, &shards[1], more).await;
        let page = bench.call::<streams::GetRecords>(json!({"ShardIterator": iterator})).await;
        assert_eq!(page["Records"].as_array().unwrap().len(), expected, "{kind}");
    }
    let latest = bench.iterator(&arn, &shards[1], json!({"ShardIteratorType": "LATEST"})).await;
    bench.put_value("c", "1").await;
    let page = bench.call::<streams::GetRecords>(json!({"ShardIterator": latest})).await;
    assert_eq!(keys(page["Records"].as_array().unwrap()), ["c"]);
    bench.pass(901);
    let expired = bench.refused::<streams::GetRecords>(json!({"ShardIterator": latest})).await;
    assert_eq!(expired.0, "ExpiredIteratorException");

    bench.pass(21 * 3_600);
    bench.tables.upkeep().await;
    bench.tables.upkeep().await;
    assert_eq!(keys(&bench.records(&arn).await), ["b", "c"], "the oldest is a day old");
    let first = all[0]["dynamodb"]["SequenceNumber"].clone();
    let trimmed = json!({
        "StreamArn": arn, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": first,
    });
    let refused = bench.refused::<streams::GetShardIterator>(trimmed).await;
    assert_eq!(refused.0, "TrimmedDataAccessException");
    assert_eq!(refused.1, "The operation attempted to read past the oldest stream record in a shard.");
    let bench = bench.again().await;
    assert_eq!(keys(&bench.records(&arn).await), ["b", "c"]);

    // A shard that ended a day ago holds nothing any more, and is not told of.
    assert!(bench.shards(&arn).await.contains(&shards[0]), "it ended less than a day ago");
    bench.pass(3 * 3_600);
    bench.tables.upkeep().await;
    let left = bench.shards(&arn).await;
    assert!(!left.contains(&shards[0]));
    assert_eq!(left[0]["ParentShardId"], shards[0]["ShardId"], "the next one comes first");
    let gone = json!({"StreamArn": arn, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
    assert_eq!(bench.refused::<streams::GetShardIterator>(gone).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_stream_that_was_disabled_can_be_read_for_a_day() {
    let (bench, arn) = bench("NEW_IMAGE").await;
    bench.put_value("a", "1").await;
    bench
        .call::<aws::UpdateTable>(json!({"TableName": "changing", "StreamSpecification": {"StreamEnabled": false}}))
        .await;
    bench.put_value("b", "1").await;
    assert_eq!(bench.records(&arn).await.len(), 1);
    bench.pass(1);
    let again = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    bench.call::<aws::UpdateTable>(json!({"TableName": "changing", "StreamSpecification": again})).await;
    bench.put_value("c", "1").await;
    assert_eq!(bench.records(&arn).await.len(), 1);
    let listed = bench.call::<streams::ListStreams>(json!({"TableName": "changing"})).await;
    assert_eq!(listed["Streams"].as_array().unwrap().len(), 2);
    let newer = listed["Streams"][1]["StreamArn"].as_str().unwrap();
    assert_eq!(bench.records(newer).await.len(), 1);
    let status = async |arn: &str| {
        let described = bench.call::<streams::DescribeStream>(json!({"StreamArn": arn})).await;
        described["StreamDescription"]["StreamStatus"].clone()
    };
    assert_eq!((status(&arn).await, status(newer).await), ("DISABLED".into(), "ENABLED".into()));

    // A day later the one is gone; the other was disabled later, and is there for its own day.
    bench.pass(3_600);
    let off = json!({"TableName": "changing", "StreamSpecification": {"StreamEnabled": false}});
    bench.call::<aws::UpdateTable>(off).await;
    bench.pass(23 * 3_600 + 60);
    bench.tables.upkeep().await;
    let names = async || {
        let listed = bench.call::<streams::ListStreams>(json!({"TableName": "changing"})).await;
        let streams = listed["Streams"].as_array().unwrap().iter();
        streams.map(|stream| stream["StreamArn"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, [newer]);
    let gone = bench.refused::<streams::DescribeStream>(json!({"StreamArn": arn})).await;
    assert_eq!(gone.0, "ResourceNotFoundException");
    assert_eq!(bench.describe("changing").await["LatestStreamArn"], *newer);
    bench.pass(3_600);
    bench.tables.upkeep().await;
    assert_eq!((names().await, bench.journal().await), (vec![], 0));
    assert_eq!(bench.describe("changing").await["LatestStreamArn"], Value::Null);
}

/// Each is longer than a page of the store has room for many of.
#[tokio::test]
async fn long_records_of_a_day_go_at_once() {
    let (bench, _) = bench("NEW_IMAGE").await;
    for number in 0..40 {
        bench.put_value(&number.to_string(), &"x".repeat(390_000)).await;
    }
    bench.pass(3_600);
    bench.put_value("later", &"x".repeat(390_000)).await;
    assert_eq!(bench.journal().await, 41 * 7, "each lies in so many pieces");
    bench.pass(23 * 3_600 + 60);
    bench.tables.upkeep().await;
    assert_eq!(bench.journal().await, 7, "the last is younger");
    bench.pass(3_600);
    bench.tables.upkeep().await;
    assert_eq!(bench.journal().await, 0);
}

#[tokio::test]
async fn the_stream_of_a_deleted_table_can_be_read_for_a_day() {
    let (bench, arn) = bench("NEW_AND_OLD_IMAGES").await;
    bench.put_value("a", "1").await;
    bench.put_value("b", "1").await;
    bench.call::<aws::DeleteTable>(json!({"TableName": "changing"})).await;
    let names = |listed: &Value| {
        let streams = listed["Streams"].as_array().unwrap().iter();
        streams.map(|stream| stream["StreamArn"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let settled = async |bench: &Bench| {
        let since = std::time::Instant::now();
        while bench.items_left().await > 0 {
            assert!(since.elapsed() < super::PATIENCE, "the items of a deleted table go");
            tokio::task::yield_now().await;
        }
    };
    settled(&bench).await;
    for input in [json!({"TableName": "changing"}), json!({})] {
        assert_eq!(names(&bench.call::<streams::ListStreams>(input).await), [arn.as_str()]);
    }
    assert_eq!(
        bench.refused::<aws::DescribeTable>(json!({"TableName": "changing"})).await.0,
        "ResourceNotFoundException"
    );
    let described = bench.call::<streams::DescribeStream>(json!({"StreamArn": arn})).await["StreamDescription"].clone();
    assert_eq!((&described["StreamStatus"], &described["TableName"]), (&"DISABLED".into(), &"changing".into()));
    let shard = &described["Shards"][0];
    assert!(shard["SequenceNumberRange"]["EndingSequenceNumber"].is_string());
    // A reader comes to its end.
    let iterator = bench.iterator(&arn, shard, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    let page = bench.call::<streams::GetRecords>(json!({"ShardIterator": iterator})).await;
    assert_eq!((page["Records"].as_array().unwrap().len(), &page["NextShardIterator"]), (2, &Value::Null));

    // Another of its name has nothing to do with it.
    bench.pass(60);
    let made = bench
        .call::<aws::CreateTable>(json!({
            "TableName": "changing", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"},
        }))
        .await;
    let newer = made["TableDescription"]["LatestStreamArn"].as_str().unwrap();
    bench.put_value("c", "1").await;
    let bench = bench.again().await;
    assert_eq!((bench.records(&arn).await.len(), bench.records(newer).await.len()), (2, 1));
    let listed = bench.call::<streams::ListStreams>(json!({"TableName": "changing"})).await;
    assert_eq!(names(&listed), [arn.as_str(), newer]);

    bench.pass(24 * 3_600);
    bench.tables.upkeep().await;
    assert_eq!(names(&bench.call::<streams::ListStreams>(json!({})).await), [newer]);
    let gone = bench.refused::<streams::DescribeStream>(json!({"StreamArn": arn})).await;
    assert_eq!(gone.0, "ResourceNotFoundException");
    assert_eq!(bench.journal().await, 1, "only what the newer one has");
    let bench = bench.again().await;
    assert_eq!(names(&bench.call::<streams::ListStreams>(json!({})).await), [newer]);
}

/// What a stream grants goes on with it, so its owner can see that and take it back.
#[tokio::test]
async fn the_policy_of_a_stream_can_be_taken_back_after_its_table() {
    let (bench, arn) = bench("KEYS_ONLY").await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"dynamodb:*","Resource":"*"}]}"#;
    let narrower = policy.replace("dynamodb:*", "dynamodb:DescribeStream");
    let table = bench.describe("changing").await["TableArn"].as_str().unwrap().to_owned();
    for of in [&arn, &table] {
        bench.call::<aws::PutResourcePolicy>(json!({"ResourceArn": of, "Policy": policy})).await;
    }
    bench.call::<aws::DeleteTable>(json!({"TableName": "changing"})).await;
    let get =
        async |bench: &Bench| bench.call::<aws::GetResourcePolicy>(json!({"ResourceArn": arn})).await["Policy"].clone();
    let attached = async |bench: &Bench, of: &str| {
        let found = bench.tables.attached(&bench.call, &Arn::parse(of).unwrap()).await.unwrap();
        matches!(found, Attached::Grants(_))
    };
    assert_eq!((get(&bench).await, attached(&bench, &arn).await), (policy.into(), true));
    let bench = bench.again().await;
    bench.call::<aws::PutResourcePolicy>(json!({"ResourceArn": arn, "Policy": narrower})).await;
    let bench = bench.again().await;
    assert_eq!((get(&bench).await, attached(&bench, &arn).await), (narrower.into(), true));
    bench.call::<aws::DeleteResourcePolicy>(json!({"ResourceArn": arn})).await;
    let bench = bench.again().await;
    assert!(!attached(&bench, &arn).await);
    let none = json!({"ResourceArn": arn});
    assert_eq!(bench.refused::<aws::GetResourcePolicy>(none).await.0, "PolicyNotFoundException");
    // The table is gone with what it granted.
    for of in [table.clone(), format!("{arn}0")] {
        let gone = bench.refused::<aws::GetResourcePolicy>(json!({"ResourceArn": of})).await;
        assert_eq!((gone.0.as_str(), attached(&bench, &of).await), ("ResourceNotFoundException", false), "{of}");
    }
}

/// The oldest table is the last that was deleted.
#[tokio::test]
async fn of_too_many_deleted_tables_the_longest_gone_are_forgotten() {
    let bench = Bench::new().await;
    let names = ["oldest", "older", "newest"];
    for name in names {
        bench
            .call::<aws::CreateTable>(json!({
                "TableName": name, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"},
            }))
            .await;
    }
    for name in names.iter().rev() {
        bench.pass(60);
        bench.call::<aws::DeleteTable>(json!({"TableName": name})).await;
    }
    let listed = async |more: Value| {
        let listed = bench.call::<streams::ListStreams>(more).await;
        let streams = listed["Streams"].as_array().unwrap().iter();
        let name = |stream: &Value| stream["TableName"].as_str().unwrap().to_owned();
        (streams.map(name).collect::<Vec<_>>(), listed["LastEvaluatedStreamArn"].clone())
    };
    let (page, last) = listed(json!({"Limit": 1})).await;
    assert_eq!(page, ["newest"]);
    bench.tables.trim_left_to(2, bench.tables.now_ms()).await.unwrap();
    assert_eq!(listed(json!({})).await.0, ["older", "oldest"]);
    // A list goes on behind a stream that is gone.
    let (page, last) = listed(json!({"Limit": 1, "ExclusiveStartStreamArn": last})).await;
    assert_eq!(page, ["older"]);
    bench.tables.trim_left_to(1, bench.tables.now_ms()).await.unwrap();
    assert_eq!(listed(json!({"ExclusiveStartStreamArn": last})).await, (vec!["oldest".to_owned()], Value::Null));
}

#[tokio::test]
async fn shards_and_streams_are_told_of_page_by_page() {
    let (bench, arn) = bench("KEYS_ONLY").await;
    for _ in 0..4 {
        bench.pass(4 * 3_600 + 1);
        bench.tables.upkeep().await;
    }
    let all = bench.shards(&arn).await;
    assert_eq!(all.len(), 5);
    let ids: Vec<&str> = all.iter().map(|shard| shard["ShardId"].as_str().unwrap()).collect();
    let ask = async |more: Value| {
        let mut input = json!({"StreamArn": arn});
        more.as_object().unwrap().iter().for_each(|(name, value)| input[name] = value.clone());
        let told = bench.call::<streams::DescribeStream>(input).await["StreamDescription"].clone();
        let shards = told["Shards"].as_array().unwrap().iter();
        let shards: Vec<String> = shards.map(|shard| shard["ShardId"].as_str().unwrap().to_owned()).collect();
        (shards, told["LastEvaluatedShardId"].as_str().map(str::to_owned))
    };
    let check = async |more: Value, expected: &[&str], last: Option<&str>| {
        assert_eq!(
            ask(more.clone()).await,
            (expected.iter().map(|id| (*id).to_owned()).collect(), last.map(str::to_owned)),
            "{more}"
        );
    };
    check(json!({"Limit": 5}), &ids, None).await;
    check(json!({"Limit": 2}), &ids[..2], Some(ids[1])).await;
    check(json!({"Limit": 2, "ExclusiveStartShardId": ids[1]}), &ids[2..4], Some(ids[3])).await;
    check(json!({"Limit": 2, "ExclusiveStartShardId": ids[3]}), &ids[4..], None).await;
    check(json!({"ExclusiveStartShardId": ids[4]}), &[], None).await;
    let children = |of: &str| json!({"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": of}});
    check(children(ids[0]), &ids[1..2], None).await;
    check(children(ids[4]), &[], None).await;

    for name in ["a", "b", "c"] {
        bench
            .call::<aws::CreateTable>(json!({
                "TableName": format!("table-{name}"), "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"},
            }))
            .await;
    }
    let mut seen = Vec::new();
    let mut input = json!({"Limit": 3});
    for expected in [3, 1] {
        let listed = bench.call::<streams::ListStreams>(input.clone()).await;
        let streams = listed["Streams"].as_array().unwrap();
        assert_eq!(streams.len(), expected);
        seen.extend(streams.iter().map(|stream| stream["TableName"].as_str().unwrap().to_owned()));
        input["ExclusiveStartStreamArn"] = listed["LastEvaluatedStreamArn"].clone();
    }
    assert_eq!(input["ExclusiveStartStreamArn"], Value::Null);
    assert_eq!(seen, ["changing", "table-a", "table-b", "table-c"]);
}

#[tokio::test]
async fn a_record_has_what_its_view_shows() {
    for (view, shows_new, shows_old) in [
        ("KEYS_ONLY", false, false),
        ("NEW_IMAGE", true, false),
        ("OLD_IMAGE", false, true),
        ("NEW_AND_OLD_IMAGES", true, true),
    ] {
        let (bench, arn) = bench(view).await;
        bench.put_value("a", "1").await;
        bench.put_value("a", "2").await;
        bench.call::<aws::DeleteItem>(json!({"TableName": "changing", "Key": {"id": {"S": "a"}}})).await;
        let image = |value: &str, shows: bool| match shows {
            true => json!({"id": {"S": "a"}, "v": {"S": value}}),
            false => Value::Null,
        };
        let expected = [
            (image("1", shows_new), Value::Null),
            (image("2", shows_new), image("1", shows_old)),
            (Value::Null, image("2", shows_old)),
        ];
        let told: Vec<(Value, Value)> = bench
            .records(&arn)
            .await
            .iter()
            .map(|record| (record["dynamodb"]["NewImage"].clone(), record["dynamodb"]["OldImage"].clone()))
            .collect();
        assert_eq!(told, expected, "{view}");
    }
}

#[tokio::test]
async fn iterators_that_cannot_be_are_refused() {
    let (bench, arn) = bench("KEYS_ONLY").await;
    bench.put_value("a", "1").await;
    let shard = bench.shards(&arn).await[0]["ShardId"].clone();
    let ask = |more: Value| {
        let mut input = json!({"StreamArn": arn, "ShardId": shard});
        more.as_object().unwrap().iter().for_each(|(name, value)| input[name] = value.clone());
        input
    };
    for (more, code) in [
        (json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}), "ValidationException"),
        (json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "1"}), "ValidationException"),
        (json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "x".repeat(30)}), "ValidationException"),
        (json!({"ShardIteratorType": "TRIM_HORIZON", "ShardId": "shardId-none"}), "ResourceNotFoundException"),
        (json!({"ShardIteratorType": "TRIM_HORIZON", "StreamArn": format!("{arn}0")}), "ResourceNotFoundException"),
    ] {
        let refused = bench.refused::<streams::GetShardIterator>(ask(more.clone())).await;
        assert_eq!(refused.0, code, "{more}");
    }
    for wrong in ["", "x", "a|1|zz", &format!("{arn}|1|00")] {
        let refused = bench.refused::<streams::GetRecords>(json!({"ShardIterator": wrong})).await;
        assert_eq!(refused.0, "ValidationException", "{wrong}");
    }
}

#[tokio::test]
async fn long_changes_and_expiries_are_told_whole() {
    let (bench, arn) = bench("NEW_AND_OLD_IMAGES").await;
    let long = "x".repeat(390_000);
    bench.put_value("a", &long).await;
    bench.put_value("a", &"y".repeat(390_000)).await;
    let records = bench.records(&arn).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["dynamodb"]["OldImage"]["v"]["S"].as_str().unwrap(), long);
    let expiry =
        json!({"TableName": "changing", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"}});
    bench.call::<aws::UpdateTimeToLive>(expiry).await;
    let until = (super::NOW / 1_000 + 5).to_string();
    let item = json!({"id": {"S": "b"}, "until": {"N": until}});
    bench.call::<aws::PutItem>(json!({"TableName": "changing", "Item": item})).await;
    bench.pass(10);
    let since = std::time::Instant::now();
    loop {
        bench.tables.upkeep().await;
        let records = bench.records(&arn).await;
        if let Some(last) = records.last().filter(|last| last["eventName"] == "REMOVE") {
            let by = json!({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"});
            assert_eq!(last["userIdentity"], by);
            return;
        }
        assert!(since.elapsed() < super::PATIENCE);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shard_is_over_only_when_all_of_its_last_change_was_read() {
    let (bench, arn) = bench("NEW_IMAGE").await;
    let long = "x".repeat(100_000);
    let put = |n: usize| json!({"PutRequest": {"Item": {"id": {"S": n.to_string()}, "v": {"S": long}}}});
    let writes: Vec<Value> = (0..25).map(put).collect();
    bench.call::<aws::BatchWriteItem>(json!({"RequestItems": {"changing": writes}})).await;
    let off = json!({"TableName": "changing", "StreamSpecification": {"StreamEnabled": false}});
    bench.call::<aws::UpdateTable>(off).await;
    let shard = bench.shards(&arn).await.remove(0);
    let mut next = Some(bench.iterator(&arn, &shard, json!({"ShardIteratorType": "TRIM_HORIZON"})).await);
    let mut records = 0;
    while let Some(iterator) = next.take() {
        let page = bench.call::<streams::GetRecords>(json!({"ShardIterator": iterator})).await;
        records += page["Records"].as_array().unwrap().len();
        next = page["NextShardIterator"].as_str().map(str::to_owned);
    }
    assert_eq!(records, 25);
    // What only ends like a stream's name is none: policies were asked about the name as it was given.
    let other = arn.replace("us-east-1", "eu-west-1");
    let refused = bench.refused::<streams::DescribeStream>(json!({"StreamArn": other})).await;
    assert_eq!(refused.0, "ResourceNotFoundException");
}
