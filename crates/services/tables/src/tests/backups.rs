//! Backups and what is brought back from them; what cannot be is refused in DynamoDB's words.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Bench, PATIENCE, aws};

pub(super) const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/";

impl Bench {
    pub(super) async fn backed_up(&self, table: &str) -> String {
        let made = self.call::<aws::CreateBackup>(json!({"TableName": table, "BackupName": "nightly"})).await;
        made["BackupDetails"]["BackupArn"].as_str().unwrap().to_owned()
    }

    /// Waits until a backup is made.
    pub(super) async fn available(&self, arn: &str) -> Value {
        let since = Instant::now();
        loop {
            let described =
                self.call::<aws::DescribeBackup>(json!({"BackupArn": arn})).await["BackupDescription"].clone();
            if described["BackupDetails"]["BackupStatus"] == "AVAILABLE" {
                return described;
            }
            assert!(since.elapsed() < PATIENCE, "{described}");
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn restored(&self, arn: &str, target: &str) -> Value {
        self.call::<aws::RestoreTableFromBackup>(json!({"BackupArn": arn, "TargetTableName": target})).await;
        self.settled(target).await
    }

    /// All items of a table (or of its index), in the order of their keys as texts.
    pub(super) async fn contents(&self, table: &str, index: Option<&str>) -> Vec<Value> {
        let (mut items, mut ask) = (Vec::new(), json!({"TableName": table}));
        if let Some(index) = index {
            ask["IndexName"] = index.into();
        }
        loop {
            let page = self.call::<aws::Scan>(ask.clone()).await;
            items.extend(page["Items"].as_array().unwrap().clone());
            match &page["LastEvaluatedKey"] {
                Value::Null => break,
                last => ask["ExclusiveStartKey"] = last.clone(),
            }
        }
        items.sort_by_key(Value::to_string);
        items
    }

    async fn put_into(&self, table: &str, item: Value) {
        self.call::<aws::PutItem>(json!({"TableName": table, "Item": item})).await;
    }
}

/// A table with an index, a stream, an expiry, tags and forty items.
async fn orders() -> Bench {
    let bench = Bench::new().await;
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "orders", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "kind", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
            "Tags": [{"Key": "team", "Value": "blue"}],
        }))
        .await;
    let expiry = json!({"TableName": "orders", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"}});
    bench.call::<aws::UpdateTimeToLive>(expiry).await;
    bench.settled("orders").await;
    for n in 0..40 {
        let kind = if n % 4 == 0 { "rare" } else { "plain" };
        bench
            .put_into("orders", json!({"id": {"S": format!("o{n}")}, "kind": {"S": kind}, "n": {"N": n.to_string()}}))
            .await;
    }
    bench
}

#[tokio::test]
async fn a_backup_is_the_table_as_it_was_whatever_is_written_later() {
    let bench = orders().await;
    let before = bench.contents("orders", None).await;
    let rare = bench.contents("orders", Some("by-kind")).await;
    let arn = bench.backed_up("orders").await;
    for n in 0..20 {
        bench.put_into("orders", json!({"id": {"S": format!("o{n}")}, "kind": {"S": "changed"}})).await;
        bench
            .call::<aws::DeleteItem>(json!({"TableName": "orders", "Key": {"id": {"S": format!("o{}", 20 + n)}}}))
            .await;
        bench.put_into("orders", json!({"id": {"S": format!("new{n}")}})).await;
    }
    let described = bench.available(&arn).await;
    let details = &described["BackupDetails"];
    assert_eq!((&details["BackupName"], &details["BackupType"]), (&json!("nightly"), &json!("USER")));
    let source = &described["SourceTableDetails"];
    assert_eq!((&source["ItemCount"], &source["TableName"]), (&json!(40), &json!("orders")));
    assert_eq!(source["TableSizeBytes"], details["BackupSizeBytes"]);
    assert_eq!(source["BillingMode"], "PAY_PER_REQUEST");
    let features = &described["SourceTableFeatureDetails"];
    assert_eq!(features["GlobalSecondaryIndexes"][0]["IndexName"], "by-kind");
    assert_eq!(features["StreamDescription"]["StreamViewType"], "NEW_IMAGE");
    assert_eq!(features["TimeToLiveDescription"]["AttributeName"], "until");
    bench.tables.upkeep().await;
    assert_eq!(bench.kept_days("orders").await, 0, "nothing more is kept of what items were");

    let bench = bench.again().await;
    let restored = bench.restored(&arn, "again").await;
    assert_eq!(restored["ItemCount"], 40);
    assert_eq!(restored["RestoreSummary"]["SourceBackupArn"], arn.as_str());
    assert_eq!(restored["RestoreSummary"]["RestoreInProgress"], false);
    assert_eq!(restored["StreamSpecification"], Value::Null, "streams are not brought back");
    assert_eq!(bench.contents("again", None).await, before);
    assert_eq!(bench.contents("again", Some("by-kind")).await, rare);
    let tags = bench.call::<aws::ListTagsOfResource>(json!({"ResourceArn": format!("{ARN}again")})).await;
    assert_eq!(tags["Tags"], json!([]));
    bench.call::<aws::DeleteTable>(json!({"TableName": "orders"})).await;
    bench.restored(&arn, "orders").await;
    assert_eq!(bench.contents("orders", None).await, before, "a backup outlives its table");
}

#[tokio::test]
async fn a_restore_can_be_paid_and_indexed_otherwise() {
    let bench = orders().await;
    let arn = bench.backed_up("orders").await;
    bench.available(&arn).await;
    let restore = async |target: &str, more: Value| {
        let mut input = more;
        (input["BackupArn"], input["TargetTableName"]) = (arn.as_str().into(), target.into());
        bench.try_call::<aws::RestoreTableFromBackup>(input).await.map_err(|fault| (fault.code, fault.message))
    };
    let units = json!({"ReadCapacityUnits": 7, "WriteCapacityUnits": 8});
    let plain = json!({
        "BillingModeOverride": "PROVISIONED", "ProvisionedThroughputOverride": units,
        "GlobalSecondaryIndexOverride": [], "SSESpecificationOverride": {"Enabled": true},
    });
    let made = restore("plain", plain).await.unwrap()["TableDescription"].clone();
    assert_eq!(made["TableStatus"], "CREATING");
    assert_eq!(made["RestoreSummary"]["RestoreInProgress"], true);
    let waiting = bench.refused::<aws::GetItem>(json!({"TableName": "plain", "Key": {"id": {"S": "o1"}}})).await;
    assert_eq!(waiting.0, "ResourceNotFoundException");
    assert_eq!(bench.refused::<aws::DeleteTable>(json!({"TableName": "plain"})).await.0, "ResourceInUseException");
    let busy = bench.refused::<aws::DeleteBackup>(json!({"BackupArn": arn})).await;
    assert_eq!(busy.0, "BackupInUseException");
    let table = bench.settled("plain").await;
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 7);
    assert_eq!((&table["GlobalSecondaryIndexes"], &table["ItemCount"]), (&Value::Null, &json!(40)));
    assert_eq!(
        (&table["SSEDescription"]["Status"], table["AttributeDefinitions"][1].is_null()),
        (&json!("ENABLED"), true)
    );
    let other = json!([{
        "IndexName": "by-kind", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }]);
    for (target, more, expected) in [
        ("plain", json!({}), ("TableAlreadyExistsException", "Table already exists: plain")),
        (
            "other",
            json!({"BillingModeOverride": "PROVISIONED"}),
            ("ValidationException", "No provisioned throughput specified for the table"),
        ),
        (
            "other",
            json!({"GlobalSecondaryIndexOverride": other}),
            (
                "ValidationException",
                "One or more parameter values were invalid: The index by-kind does not match an index of the source: on a \
                 restore, indexes can only be left out",
            ),
        ),
    ] {
        let (code, message) = restore(target, more).await.unwrap_err();
        assert_eq!((code.as_str(), message.as_str()), expected);
    }
}

#[tokio::test]
async fn backups_are_listed_and_deleted() {
    let bench = orders().await;
    let mut arns = Vec::new();
    for _ in 0..3 {
        let arn = bench.backed_up("orders").await;
        bench.available(&arn).await;
        arns.push(arn);
        bench.pass(10);
    }
    let list = async |input: Value| {
        let page = bench.call::<aws::ListBackups>(input).await;
        let summaries = page["BackupSummaries"].as_array().unwrap().iter();
        let arns: Vec<String> = summaries.map(|summary| summary["BackupArn"].as_str().unwrap().to_owned()).collect();
        (arns, page["LastEvaluatedBackupArn"].clone())
    };
    let start = super::NOW as f64 / 1_000.0;
    for (input, expected) in [
        (json!({}), &arns[..]),
        (json!({"TableName": "orders", "BackupType": "ALL"}), &arns[..]),
        (json!({"TableName": format!("{ARN}orders")}), &arns[..]),
        (json!({"TableName": "others"}), &[]),
        (json!({"BackupType": "SYSTEM"}), &[]),
        (json!({"TimeRangeLowerBound": start + 10.0}), &arns[1..]),
        (json!({"TimeRangeUpperBound": start + 10.0}), &arns[..1]),
        (json!({"ExclusiveStartBackupArn": arns[0]}), &arns[1..]),
    ] {
        assert_eq!(list(input.clone()).await, (expected.to_vec(), Value::Null), "{input}");
    }
    assert_eq!(list(json!({"Limit": 2})).await, (arns[..2].to_vec(), arns[1].as_str().into()));
    let deleted = bench.call::<aws::DeleteBackup>(json!({"BackupArn": arns[1]})).await;
    assert_eq!(deleted["BackupDescription"]["BackupDetails"]["BackupStatus"], "DELETED");
    let missing = ("BackupNotFoundException".to_owned(), format!("Backup not found: {}", arns[1]));
    assert_eq!(bench.refused::<aws::DescribeBackup>(json!({"BackupArn": arns[1]})).await, missing);
    assert_eq!(bench.refused::<aws::DeleteBackup>(json!({"BackupArn": arns[1]})).await, missing);
    let restore = json!({"BackupArn": arns[1], "TargetTableName": "again"});
    assert_eq!(bench.refused::<aws::RestoreTableFromBackup>(restore).await, missing);
    assert_eq!(
        bench.refused::<aws::CreateBackup>(json!({"TableName": "others", "BackupName": "nightly"})).await,
        ("TableNotFoundException".into(), "Table not found: others".into())
    );
    assert_eq!(list(json!({})).await.0, [arns[0].clone(), arns[2].clone()]);
}

#[tokio::test]
async fn a_deleted_table_that_could_be_brought_back_leaves_a_backup_for_a_while() {
    let bench = orders().await;
    let recovery =
        json!({"TableName": "orders", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}});
    bench.call::<aws::UpdateContinuousBackups>(recovery).await;
    let before = bench.contents("orders", None).await;
    bench.call::<aws::DeleteTable>(json!({"TableName": "orders"})).await;
    let page = bench.call::<aws::ListBackups>(json!({"BackupType": "SYSTEM"})).await;
    let summary = &page["BackupSummaries"][0];
    assert_eq!(summary["BackupName"], "orders$DeletedTableBackup");
    let arn = summary["BackupArn"].as_str().unwrap().to_owned();
    let bench = bench.again().await;
    bench.available(&arn).await;
    bench.restored(&arn, "orders").await;
    assert_eq!(bench.contents("orders", None).await, before);
    let since = Instant::now();
    bench.pass(36 * 86_400);
    loop {
        bench.tables.upkeep().await;
        let page = bench.call::<aws::ListBackups>(json!({"BackupType": "ALL"})).await;
        if page["BackupSummaries"] == json!([]) {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_cut_off_goes_on_where_it_was() {
    let bench = Bench::new().await;
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "large", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
        }))
        .await;
    let item = |n: usize, letter: &str| json!({"id": {"S": format!("i{n}")}, "text": {"S": letter.repeat(150_000)}});
    for n in 0..60 {
        bench.put_into("large", item(n, "a")).await;
    }
    let before = bench.contents("large", None).await;
    let arn = bench.backed_up("large").await;
    let mut bench = bench;
    for n in 0..60 {
        if n % 20 == 0 {
            bench = bench.again().await;
        }
        bench.put_into("large", item(n, "b")).await;
    }
    let made = bench.available(&arn).await;
    assert_eq!(made["SourceTableDetails"]["ItemCount"], 60);
    bench.call::<aws::RestoreTableFromBackup>(json!({"BackupArn": arn, "TargetTableName": "again"})).await;
    for _ in 0..3 {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        bench = bench.again().await;
    }
    assert_eq!(bench.settled("again").await["ItemCount"], 60);
    assert_eq!(bench.contents("again", None).await, before);
}
