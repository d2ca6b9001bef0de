//! Streams tell of every change, in order and once.

use serde_json::{Value, json};
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
    async fn records(&self, arn: &str) -> Vec<Value> {
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
    let bench = bench.again().await;
    assert_eq!(keys(&bench.records(&arn).await), ["b", "c"]);
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
