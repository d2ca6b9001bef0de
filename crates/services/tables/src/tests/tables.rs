//! Tables are made, changed and deleted; what cannot be is refused in DynamoDB's words.

use serde_json::{Value, json};

use super::{Bench, aws};

/// A table with a hash key, merged with more.
fn table(name: &str, more: Value) -> Value {
    let mut input = json!({
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

fn key(names: &[&str]) -> Value {
    names
        .iter()
        .zip(["HASH", "RANGE", "RANGE"])
        .map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind}))
        .collect()
}

fn definitions(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"AttributeName": name, "AttributeType": "S"})).collect()
}

fn index(name: &str, keys: &[&str]) -> Value {
    json!({"IndexName": name, "KeySchema": key(keys), "Projection": {"ProjectionType": "ALL"}})
}

#[tokio::test]
async fn a_table_is_made_described_listed_and_deleted() {
    let bench = Bench::new().await;
    let made = bench.call::<aws::CreateTable>(table("orders", json!({}))).await;
    assert_eq!(made["TableDescription"]["TableStatus"], "ACTIVE");
    assert_eq!(made["TableDescription"]["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/orders");
    assert_eq!(bench.describe("orders").await["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    let by_arn = bench.describe("arn:aws:dynamodb:us-east-1:000000000000:table/orders").await;
    assert_eq!(by_arn["TableName"], "orders");
    for name in ["aaa", "zzz"] {
        bench.call::<aws::CreateTable>(table(name, json!({}))).await;
    }
    let page = bench.call::<aws::ListTables>(json!({"Limit": 2})).await;
    assert_eq!(page, json!({"TableNames": ["aaa", "orders"], "LastEvaluatedTableName": "orders"}));
    let page = bench.call::<aws::ListTables>(json!({"ExclusiveStartTableName": "orders"})).await;
    assert_eq!(page, json!({"TableNames": ["zzz"]}));
    let again = bench.refused::<aws::CreateTable>(table("orders", json!({}))).await;
    assert_eq!(again, ("ResourceInUseException".into(), "Table already exists: orders".into()));
    let bench = bench.again().await;
    assert_eq!(bench.describe("orders").await["TableId"], made["TableDescription"]["TableId"]);
    let gone = bench.call::<aws::DeleteTable>(json!({"TableName": "orders"})).await;
    assert_eq!(gone["TableDescription"]["TableStatus"], "DELETING");
    assert_eq!(
        bench.refused::<aws::DescribeTable>(json!({"TableName": "orders"})).await,
        ("ResourceNotFoundException".into(), "Requested resource not found: Table: orders not found".into())
    );
}

#[tokio::test]
async fn what_cannot_be_a_table_is_refused_in_the_words_of_dynamodb() {
    let bench = Bench::new().await;
    let invalid = "One or more parameter values were invalid: ";
    let no_projection = json!({"IndexName": "by", "KeySchema": key(&["id", "at"]), "Projection": {}});
    for (more, expected) in [
        (json!({"BillingMode": "PROVISIONED"}), "No provisioned throughput specified for the table".to_owned()),
        (
            json!({"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}),
            format!("{invalid}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
        ),
        (
            json!({"KeySchema": key(&["other"])}),
            format!("{invalid}Some index key attributes are not defined in AttributeDefinitions. Keys: [other], AttributeDefinitions: [id]"),
        ),
        (
            json!({"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type".to_owned(),
        ),
        (
            json!({"KeySchema": key(&["id", "id"])}),
            "Both the Hash Key and the Range Key element in the KeySchema have the same name".to_owned(),
        ),
        (
            json!({"AttributeDefinitions": definitions(&["id", "at"])}),
            format!("{invalid}Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"),
        ),
        (
            json!({"AttributeDefinitions": definitions(&["id", "at", "x"]), "GlobalSecondaryIndexes": [index("by-at", &["at"])]}),
            format!("{invalid}Some AttributeDefinitions are not used. AttributeDefinitions: [id, at, x], keys used: [id, at]"),
        ),
        (json!({"LocalSecondaryIndexes": []}), format!("{invalid}List of LocalSecondaryIndexes is empty")),
        (json!({"GlobalSecondaryIndexes": []}), format!("{invalid}List of GlobalSecondaryIndexes is empty")),
        (
            json!({"LocalSecondaryIndexes": [index("by-id", &["id"])]}),
            format!("{invalid}Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"),
        ),
        (
            json!({"KeySchema": key(&["id", "at"]), "AttributeDefinitions": definitions(&["id", "at"]),
                   "LocalSecondaryIndexes": [index("by-id", &["id"])]}),
            format!("{invalid}Index KeySchema does not have a range key for index: by-id"),
        ),
        (
            json!({"KeySchema": key(&["id", "at"]), "AttributeDefinitions": definitions(&["id", "at"]),
                   "LocalSecondaryIndexes": [index("by-at", &["at", "id"])]}),
            format!("{invalid}Index KeySchema does not have the same leading hash key as table KeySchema for index: by-at. index hash key: at, table hash key: id"),
        ),
        (
            json!({"KeySchema": key(&["id", "at"]), "AttributeDefinitions": definitions(&["id", "at"]),
                   "LocalSecondaryIndexes": [no_projection]}),
            format!("{invalid}Unknown ProjectionType: null"),
        ),
        (
            json!({"GlobalSecondaryIndexes": [index("twice", &["id"]), index("twice", &["id"])]}),
            format!("{invalid}Duplicate index name: twice"),
        ),
        (
            json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                   "GlobalSecondaryIndexes": [index("by-id", &["id"])]}),
            format!("{invalid}ProvisionedThroughput must be specified for index: by-id"),
        ),
        (
            json!({"GlobalSecondaryIndexes": (0..21).map(|n| index(&format!("by-{n}"), &["id"])).collect::<Value>()}),
            format!("{invalid}GlobalSecondaryIndex count exceeds the per-table limit of 20"),
        ),
        (
            json!({"TableName": "a b c"}),
            "1 validation error detected: Value 'a b c' at 'tableName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z0-9_.-]+"
                .to_owned(),
        ),
    ] {
        let input = table("orders", more);
        let refused = bench.refused::<aws::CreateTable>(input.clone()).await;
        assert_eq!(refused, ("ValidationException".to_owned(), expected), "{input}");
    }
    assert_eq!(bench.call::<aws::ListTables>(json!({})).await, json!({"TableNames": []}));
}

#[tokio::test]
async fn what_a_table_is_can_be_changed() {
    let bench = Bench::new().await;
    let provisioned = |read: i64| json!({"ReadCapacityUnits": read, "WriteCapacityUnits": 5});
    let more = json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": provisioned(10)});
    bench.call::<aws::CreateTable>(table("orders", more)).await;
    let update = async |more: Value| {
        let mut input = more;
        input["TableName"] = "orders".into();
        bench.try_call::<aws::UpdateTable>(input).await.map_err(|fault| fault.message)
    };
    assert_eq!(
        update(json!({})).await.unwrap_err(),
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or \
         SSESpecification or ReplicaUpdates is required"
    );
    let same = update(json!({"ProvisionedThroughput": provisioned(10)})).await.unwrap_err();
    assert!(same.starts_with("The provisioned throughput for the table will not change."), "{same}");
    let lower = update(json!({"ProvisionedThroughput": provisioned(3)})).await.unwrap();
    assert_eq!(lower["TableDescription"]["ProvisionedThroughput"]["NumberOfDecreasesToday"], 1);
    update(json!({"BillingMode": "PAY_PER_REQUEST"})).await.unwrap();
    let described = bench.describe("orders").await;
    assert_eq!(described["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(described["ProvisionedThroughput"]["ReadCapacityUnits"], 0);

    let stream = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    update(json!({"StreamSpecification": stream})).await.unwrap();
    let described = bench.describe("orders").await;
    assert_eq!(
        described["LatestStreamArn"],
        "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-11-21T12:00:00.000"
    );
    let twice = update(json!({"StreamSpecification": stream})).await.unwrap_err();
    assert_eq!(twice, "Table already has an enabled stream: TableName: orders");
    update(json!({"StreamSpecification": {"StreamEnabled": false}})).await.unwrap();
    assert_eq!(bench.describe("orders").await["StreamSpecification"], Value::Null);

    update(json!({"DeletionProtectionEnabled": true})).await.unwrap();
    assert_eq!(
        bench.refused::<aws::DeleteTable>(json!({"TableName": "orders"})).await.1,
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    );
}

/// Policies are asked about an ARN as it is given, so only the very ARNs of tables and streams are resources.
#[tokio::test]
async fn what_only_begins_like_a_table_is_no_resource() {
    let bench = Bench::new().await;
    let stream = json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}});
    bench.call::<aws::CreateTable>(table("orders", stream)).await;
    let own = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";
    let stream = bench.describe("orders").await["LatestStreamArn"].as_str().unwrap().to_owned();
    let tags = json!([{"Key": "stage", "Value": "prod"}]);
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"dynamodb:*","Resource":"*"}]}"#;
    for arn in [own, &stream] {
        bench.call::<aws::TagResource>(json!({"ResourceArn": arn, "Tags": tags})).await;
        bench.call::<aws::PutResourcePolicy>(json!({"ResourceArn": arn, "Policy": policy})).await;
        assert_eq!(bench.call::<aws::GetResourcePolicy>(json!({"ResourceArn": arn})).await["Policy"], policy);
    }
    for more in ["/", "/x", "/index/public", "/stream/", "/stream/x", "s"] {
        let arn = format!("{own}{more}");
        let missing = (
            "ResourceNotFoundException".to_owned(),
            format!("Requested resource not found: ResourcArn: {arn} not found"),
        );
        let tag = json!({"ResourceArn": arn, "Tags": tags});
        assert_eq!(bench.refused::<aws::TagResource>(tag).await, missing);
        let put = json!({"ResourceArn": arn, "Policy": policy});
        assert_eq!(bench.refused::<aws::PutResourcePolicy>(put).await, missing);
        assert_eq!(bench.refused::<aws::GetResourcePolicy>(json!({"ResourceArn": arn})).await, missing);
        assert_eq!(bench.refused::<aws::DeleteResourcePolicy>(json!({"ResourceArn": arn})).await, missing);
    }
}

#[tokio::test]
async fn tags_policies_and_settings_are_kept() {
    let bench = Bench::new().await;
    bench.call::<aws::CreateTable>(table("orders", json!({"Tags": [{"Key": "team", "Value": "blue"}]}))).await;
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";
    bench.call::<aws::TagResource>(json!({"ResourceArn": arn, "Tags": [{"Key": "stage", "Value": "prod"}]})).await;
    bench.call::<aws::UntagResource>(json!({"ResourceArn": arn, "TagKeys": ["team"]})).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"dynamodb:GetItem","Resource":"*"}]}"#;
    let put = bench.call::<aws::PutResourcePolicy>(json!({"ResourceArn": arn, "Policy": policy})).await;
    let stale = json!({"ResourceArn": arn, "Policy": policy, "ExpectedRevisionId": "NO_POLICY"});
    assert_eq!(bench.refused::<aws::PutResourcePolicy>(stale).await.0, "PolicyNotFoundException");
    let expiry = json!({"TableName": "orders", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"}});
    bench.call::<aws::UpdateTimeToLive>(expiry.clone()).await;
    assert_eq!(bench.refused::<aws::UpdateTimeToLive>(expiry).await.1, "TimeToLive is already enabled");
    let recovery =
        json!({"TableName": "orders", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}});
    bench.call::<aws::UpdateContinuousBackups>(recovery).await;
    let bench = bench.again().await;
    assert_eq!(
        bench.call::<aws::ListTagsOfResource>(json!({"ResourceArn": arn})).await,
        json!({"Tags": [{"Key": "stage", "Value": "prod"}]})
    );
    let kept = bench.call::<aws::GetResourcePolicy>(json!({"ResourceArn": arn})).await;
    assert_eq!((&kept["Policy"], &kept["RevisionId"]), (&policy.into(), &put["RevisionId"]));
    let expiry = bench.call::<aws::DescribeTimeToLive>(json!({"TableName": "orders"})).await;
    assert_eq!(expiry["TimeToLiveDescription"], json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}));
    let recovery = bench.call::<aws::DescribeContinuousBackups>(json!({"TableName": "orders"})).await;
    let recovery = &recovery["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(recovery["PointInTimeRecoveryStatus"], "ENABLED");
    bench.pass(60);
    let missing = "arn:aws:dynamodb:us-east-1:000000000000:table/nothing";
    assert_eq!(
        bench.refused::<aws::ListTagsOfResource>(json!({"ResourceArn": missing})).await.1,
        format!("Requested resource not found: ResourcArn: {missing} not found")
    );
}

#[tokio::test]
async fn policies_of_a_table_and_its_streams_have_their_bytes() {
    let bench = Bench::new().await;
    let stream = |on: bool| match on {
        true => json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}),
        false => json!({"StreamEnabled": false}),
    };
    let made = bench
        .call::<aws::CreateTable>(json!({
            "TableName": "shared", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "StreamSpecification": stream(true),
        }))
        .await;
    let put = |arn: &Value| {
        let statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "dynamodb:*", "Resource": arn, "Sid": "S"});
        let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        json!({"ResourceArn": arn, "Policy": format!("{text}{}", " ".repeat((20 << 10) - text.len()))})
    };
    let first = made["TableDescription"]["LatestStreamArn"].clone();
    bench.call::<aws::PutResourcePolicy>(put(&made["TableDescription"]["TableArn"])).await;
    bench.call::<aws::PutResourcePolicy>(put(&first)).await;
    // Another stream beside the disabled one, whose records can be read still, and so its policy says who may.
    bench.pass(1);
    for on in [false, true] {
        bench.call::<aws::UpdateTable>(json!({"TableName": "shared", "StreamSpecification": stream(on)})).await;
    }
    let second = bench.describe("shared").await["LatestStreamArn"].clone();
    assert_ne!(first, second);
    let (code, words) = bench.refused::<aws::PutResourcePolicy>(put(&second)).await;
    assert_eq!(code, "LimitExceededException");
    assert!(
        words.starts_with("Subscriber limit exceeded: The resource-based policies of a table and its streams take "),
        "{words}"
    );
    bench.call::<aws::DeleteResourcePolicy>(json!({"ResourceArn": first})).await;
    bench.call::<aws::PutResourcePolicy>(put(&second)).await;
}
