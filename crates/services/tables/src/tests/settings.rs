//! What is set up around tables, kept and told: destinations of streams, insights, and what there is of an account.

use serde_json::{Value, json};

use super::{Bench, aws};

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let key = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let index = json!({"IndexName": "by-b", "KeySchema": key("b"), "Projection": {"ProjectionType": "ALL"}});
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "made", "KeySchema": key("a"), "AttributeDefinitions": [attribute("a"), attribute("b")],
            "BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [index],
        }))
        .await;
    bench
}

fn stream(name: &str) -> Value {
    json!({"TableName": "made", "StreamArn": format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}")})
}

#[tokio::test]
async fn destinations_of_streams_are_kept_and_told() {
    let bench = bench().await;
    let shown = async |bench: &Bench| {
        let told = bench.call::<aws::DescribeKinesisStreamingDestination>(json!({"TableName": "made"})).await;
        let destinations = told["KinesisDataStreamDestinations"].as_array().unwrap().clone();
        destinations
            .iter()
            .map(|one| {
                let name = one["StreamArn"].as_str().unwrap().rsplit('/').next().unwrap();
                let precision = one["ApproximateCreationDateTimePrecision"].as_str().unwrap_or("-");
                format!("{name} {} {precision}", one["DestinationStatus"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let enabled = bench.call::<aws::EnableKinesisStreamingDestination>(stream("one")).await;
    assert_eq!(enabled["DestinationStatus"], "ENABLING");
    assert_eq!(shown(&bench).await, ["one ACTIVE -"]);
    let mut precise = stream("one");
    precise["UpdateKinesisStreamingConfiguration"] = json!({"ApproximateCreationDateTimePrecision": "MICROSECOND"});
    bench.call::<aws::UpdateKinesisStreamingDestination>(precise.clone()).await;
    let bench = bench.again().await;
    assert_eq!(shown(&bench).await, ["one ACTIVE MICROSECOND"]);
    let twice = bench.refused::<aws::EnableKinesisStreamingDestination>(stream("one")).await;
    assert_eq!(twice.0, "ValidationException");
    bench.call::<aws::EnableKinesisStreamingDestination>(stream("two")).await;
    let third = bench.refused::<aws::EnableKinesisStreamingDestination>(stream("three")).await;
    assert_eq!(third.0, "LimitExceededException");
    bench.call::<aws::DisableKinesisStreamingDestination>(stream("one")).await;
    assert_eq!(shown(&bench).await, ["one DISABLED MICROSECOND", "two ACTIVE -"]);
    for missing in ["one", "three"] {
        let refused = bench.refused::<aws::DisableKinesisStreamingDestination>(stream(missing)).await;
        assert_eq!(refused.0, "ResourceNotFoundException", "{missing}");
    }
    assert_eq!(bench.refused::<aws::UpdateKinesisStreamingDestination>(precise).await.0, "ResourceNotFoundException");
    // However many there were.
    for number in 0..30 {
        bench.call::<aws::EnableKinesisStreamingDestination>(stream(&format!("n{number}"))).await;
        bench.call::<aws::DisableKinesisStreamingDestination>(stream(&format!("n{number}"))).await;
    }
    assert_eq!(shown(&bench).await.len(), 10);
}

#[tokio::test]
async fn insights_are_kept_and_told() {
    let bench = bench().await;
    let describe = json!({"TableName": "made", "IndexName": "by-b"});
    let status = async |bench: &Bench, of: &Value| {
        bench.call::<aws::DescribeContributorInsights>(of.clone()).await["ContributorInsightsStatus"].clone()
    };
    assert_eq!(status(&bench, &describe).await, "DISABLED");
    let mut enable = describe.clone();
    enable["ContributorInsightsAction"] = "ENABLE".into();
    bench.call::<aws::UpdateContributorInsights>(enable.clone()).await;
    let bench = bench.again().await;
    assert_eq!(status(&bench, &describe).await, "ENABLED");
    assert_eq!(status(&bench, &json!({"TableName": "made"})).await, "DISABLED");
    let listed = bench.call::<aws::ListContributorInsights>(json!({})).await;
    assert_eq!(
        listed["ContributorInsightsSummaries"],
        json!([{"TableName": "made", "IndexName": "by-b", "ContributorInsightsStatus": "ENABLED"}])
    );
    enable["IndexName"] = "by-c".into();
    assert_eq!(bench.refused::<aws::UpdateContributorInsights>(enable).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_account_has_its_limits_and_an_address() {
    let bench = bench().await;
    let limits = bench.call::<aws::DescribeLimits>(json!({})).await;
    assert_eq!(
        limits,
        json!({
            "AccountMaxReadCapacityUnits": 80_000, "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 40_000,
        })
    );
    let endpoints = bench.call::<aws::DescribeEndpoints>(json!({})).await;
    assert_eq!(endpoints["Endpoints"], json!([{"Address": "localhost:4566", "CachePeriodInMinutes": 1_440}]));
    assert_eq!(bench.call::<aws::ListGlobalTables>(json!({})).await["GlobalTables"], json!([]));
}

/// What no batch can do now is given back to be asked for again.
#[tokio::test]
async fn batches_name_what_exceeds_what_is_provisioned() {
    let bench = bench().await;
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "slow", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        }))
        .await;
    let put = |key: &str| json!([{"PutRequest": {"Item": {key: {"S": "a"}, "x": {"S": "x".repeat(200 << 10)}}}}]);
    let both = json!({"RequestItems": {"slow": put("id"), "made": put("a")}});
    // Two writes of two hundred units are more than five minutes of one unit a second.
    for _ in 0..2 {
        assert_eq!(bench.call::<aws::BatchWriteItem>(both.clone()).await["UnprocessedItems"], json!({}));
    }
    let third = bench.call::<aws::BatchWriteItem>(both.clone()).await;
    assert_eq!(third["UnprocessedItems"], json!({"slow": put("id")}));
    // Where nothing of it can be done, that is the answer.
    let alone = json!({"RequestItems": {"slow": put("id")}});
    let refused = bench.refused::<aws::BatchWriteItem>(alone).await;
    assert_eq!(refused.0, "ProvisionedThroughputExceededException");
    let keys = |key: &str| json!({"Keys": [{key: {"S": "a"}}]});
    let read = json!({"RequestItems": {"slow": keys("id"), "made": keys("a")}});
    let mut left = json!({});
    for _ in 0..40 {
        left = bench.call::<aws::BatchGetItem>(read.clone()).await["UnprocessedKeys"].clone();
        if left != json!({}) {
            break;
        }
    }
    assert_eq!(left, json!({"slow": keys("id")}));
    let alone = json!({"RequestItems": {"slow": keys("id")}});
    let refused = bench.refused::<aws::BatchGetItem>(alone).await;
    assert_eq!(refused.0, "ProvisionedThroughputExceededException");
    assert!(
        refused.1.starts_with("The level of configured provisioned throughput for the table was exceeded"),
        "{refused:?}"
    );
}
