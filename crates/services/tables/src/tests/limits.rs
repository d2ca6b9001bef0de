//! DynamoDB's documented limits of items, expressions and what one call may carry: what just fits is taken, and one more is refused.
//!
//! How many entries a list of a call has is held by the operation's model, before a service sees the call.

use serde_json::{Value, json};

use super::{Bench, aws};

const KB: usize = 1 << 10;

async fn bench(more: Value) -> Bench {
    let bench = Bench::new().await;
    let mut table = json!({
        "TableName": "full", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "S"}],
    });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.call::<aws::CreateTable>(table).await;
    bench
}

async fn on_demand() -> Bench {
    bench(json!({"BillingMode": "PAY_PER_REQUEST"})).await
}

/// An item of so many bytes.
fn item(id: &str, bytes: usize) -> Value {
    // `id`, `at` and `x` are five bytes, the values of the keys the rest.
    json!({"id": {"S": id}, "at": {"S": "0"}, "x": {"S": "x".repeat(bytes - 6 - id.len())}})
}

fn key(id: &str) -> Value {
    json!({"id": {"S": id}, "at": {"S": "0"}})
}

fn numbered(number: usize) -> String {
    format!("{number:03}")
}

/// The words of a refusal; none where the call was taken.
async fn ask<Op: contract::Operation>(bench: &Bench, input: Value) -> Option<String>
where
    Op::Input: wire::StaticShape,
    Op::Output: wire::StaticShape,
    crate::Tables: contract::Handle<Op>,
{
    let fault = bench.try_call::<Op>(input).await.err()?;
    assert_eq!(fault.code, "ValidationException", "{fault}");
    Some(fault.message)
}

#[tokio::test]
async fn keys_and_items_have_their_bytes() {
    let bench = on_demand().await;
    let long = |id: usize, at: usize| json!({"id": {"S": "i".repeat(id)}, "at": {"S": "a".repeat(at)}});
    let nested = |levels: usize| (0..levels).fold(json!({"S": "in"}), |inner, _| json!({"L": [inner]}));
    let with = |name: &str, value: Value| {
        let mut item = key("with");
        item[name] = value;
        item
    };
    let invalid = "One or more parameter values were invalid: ";
    for (item, expected) in [
        (long(2_048, 1_024), None),
        (long(2_049, 1), Some(format!("{invalid}Size of hashkey has exceeded the maximum size limit of2048 bytes"))),
        (long(1, 1_025), Some(format!("{invalid}Aggregated size of all range keys has exceeded the size limit of 1024 bytes"))),
        (item("whole", 400 * KB), None),
        (item("more", 400 * KB + 1), Some("Item size has exceeded the maximum allowed size".to_owned())),
        (with("deep", nested(31)), None),
        (
            with("deep", nested(32)),
            Some(
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
                    .to_owned(),
            ),
        ),
        (with(&"n".repeat(65_535), json!({"S": "x"})), None),
        (
            with(&"n".repeat(65_536), json!({"S": "x"})),
            Some(format!("{invalid}Attribute name is too large, must be less than 65536 bytes")),
        ),
        (with("n", json!({"N": "1".repeat(38)})), None),
        (
            with("n", json!({"N": "1".repeat(39)})),
            Some("Attempting to store more than 38 significant digits in a Number".to_owned()),
        ),
        (
            with("n", json!({"N": "1e126"})),
            Some("Number overflow. Attempting to store a number with magnitude larger than supported range".to_owned()),
        ),
    ] {
        let input = json!({"TableName": "full", "Item": item});
        assert_eq!(ask::<aws::PutItem>(&bench, input).await, expected);
    }
    let grow = |bytes: usize| {
        json!({
            "TableName": "full", "Key": key("grows"), "UpdateExpression": "SET x = :x",
            "ExpressionAttributeValues": {":x": {"S": "x".repeat(bytes - 11)}},
        })
    };
    assert_eq!(ask::<aws::UpdateItem>(&bench, grow(400 * KB)).await, None);
    let more = ask::<aws::UpdateItem>(&bench, grow(400 * KB + 1)).await;
    assert_eq!(more.as_deref(), Some("Item size to update has exceeded the maximum allowed size"));
}

#[tokio::test]
async fn expressions_have_their_bytes_operators_and_operands() {
    let bench = on_demand().await;
    let filter = |text: String, names: Value, values: Value| {
        let mut input = json!({"TableName": "full", "FilterExpression": text});
        for (parameter, given) in [("ExpressionAttributeNames", names), ("ExpressionAttributeValues", values)] {
            if !given.is_null() {
                input[parameter] = given;
            }
        }
        input
    };
    let one = || json!({":v": {"N": "1"}});
    // `a=:v` with blanks to the wanted length.
    let long = |bytes: usize| filter(format!("a{}=:v", " ".repeat(bytes - 4)), Value::Null, one());
    let chain = |comparisons: usize| filter(vec!["a=:v"; comparisons].join(" OR "), Value::Null, one());
    let among = |operands: usize| filter(format!("a IN ({})", vec![":v"; operands].join(",")), Value::Null, one());
    let named = |bytes: usize| {
        let name = format!("#{}", "n".repeat(bytes - 1));
        filter(format!("{name}=:v"), json!({ name: "a" }), one())
    };
    let valued = |bytes: usize| {
        let value = json!({":v": {"S": "x".repeat(bytes - 2 - 4)}});
        filter("#name=:v".to_owned(), json!({"#name": "name"}), value)
    };
    let wrong = "Invalid FilterExpression: ";
    for (input, expected) in [
        (long(4_096), None),
        (long(4_097), Some(format!("{wrong}Expression size has exceeded the maximum allowed size; expression size: 4097"))),
        (chain(150), None),
        (chain(151), Some(format!("{wrong}The expression contains too many operators; operator count: 301"))),
        (among(100), None),
        (among(101), Some(format!("{wrong}Invalid operator; the IN operator"))),
        (named(255), None),
        (
            named(256),
            Some(
                "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; \
                 size of key: 256"
                    .to_owned(),
            ),
        ),
        (valued(2 * KB * KB), None),
        (
            valued(2 * KB * KB + 1),
            Some("ExpressionAttributeValues exceeds the maximum allowed size of 2097152 bytes; size: 2097153".to_owned()),
        ),
    ] {
        let shown: String = input["FilterExpression"].as_str().unwrap().chars().take(40).collect();
        match (ask::<aws::Scan>(&bench, input).await, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) if expected.ends_with("operator") => {
                assert!(found.starts_with(wrong) && found.contains("IN"), "{shown}: {found}");
            }
            (found, expected) => assert_eq!(found, expected, "{shown}"),
        }
    }
    let statement = |bytes: usize| {
        let text = r#"SELECT * FROM "full" WHERE id = 'a'"#;
        json!({"Statement": format!("{text}{}", " ".repeat(bytes - text.len()))})
    };
    assert_eq!(ask::<aws::ExecuteStatement>(&bench, statement(8_192)).await, None);
    assert!(ask::<aws::ExecuteStatement>(&bench, statement(8_193)).await.is_some());
}

#[tokio::test]
async fn items_of_a_transaction_have_four_megabytes_together() {
    let bench = on_demand().await;
    let refusal = Some("The aggregate size of the items in the transaction cannot exceed 4 MB".to_owned());
    let write = |actions: Vec<Value>| json!({"TransactItems": actions});
    let put =
        |number: usize, bytes: usize| json!({"Put": {"TableName": "full", "Item": item(&numbered(number), bytes)}});
    let whole = |last: usize| (0..10).map(|number| put(number, 400 * KB)).chain([put(10, last)]).collect::<Vec<_>>();
    let rest = 4 * KB * KB - 10 * 400 * KB;
    assert_eq!(ask::<aws::TransactWriteItems>(&bench, write(whole(rest + 1))).await, refusal);
    let count = json!({"TableName": "full", "Select": "COUNT"});
    assert_eq!(bench.call::<aws::Scan>(count).await["ScannedCount"], 0, "nothing of it was done");
    assert_eq!(ask::<aws::TransactWriteItems>(&bench, write(whole(rest))).await, None);

    // Of an update what the item becomes counts; of a deletion and a check only their keys, which are eight bytes.
    let update = |number: usize| {
        json!({"Update": {
            "TableName": "full", "Key": key(&numbered(number)), "UpdateExpression": "SET y = :y",
            "ExpressionAttributeValues": {":y": {"N": "1"}},
        }})
    };
    let shrink = |number: usize| json!({"Update": {"TableName": "full", "Key": key(&numbered(number)), "UpdateExpression": "REMOVE x"}});
    let check = |number: usize| {
        json!({"ConditionCheck": {
            "TableName": "full", "Key": key(&numbered(number)), "ConditionExpression": "attribute_exists(id)",
        }})
    };
    let delete = |number: usize| json!({"Delete": {"TableName": "full", "Key": key(&numbered(number))}});
    bench.call::<aws::PutItem>(json!({"TableName": "full", "Item": item("010", 400 * KB - 3)})).await;
    for number in 0..10 {
        bench.call::<aws::PutItem>(json!({"TableName": "full", "Item": item(&numbered(number), 400 * KB - 3)})).await;
    }
    assert_eq!(ask::<aws::TransactWriteItems>(&bench, write((0..11).map(update).collect())).await, refusal);
    let gets = |numbers: std::ops::Range<usize>| {
        write(numbers.map(|number| json!({"Get": {"TableName": "full", "Key": key(&numbered(number))}})).collect())
    };
    assert_eq!(ask::<aws::TransactGetItems>(&bench, gets(0..11)).await, refusal);
    assert_eq!(ask::<aws::TransactGetItems>(&bench, gets(0..10)).await, None);
    let mixed = (0..9).map(update).chain([check(9), delete(10), shrink(11)]).collect();
    assert_eq!(ask::<aws::TransactWriteItems>(&bench, write(mixed)).await, None);
    assert_eq!(ask::<aws::TransactGetItems>(&bench, gets(0..11)).await, None, "the last one was deleted");
}

/// A table that keeps each item six times: itself, in an index, twice in its stream, and as it was.
async fn manifold() -> (Bench, String) {
    let bench = bench(json!({
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-at", "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
    }))
    .await;
    let specification = json!({"PointInTimeRecoveryEnabled": true});
    let recovery = json!({"TableName": "full", "PointInTimeRecoverySpecification": specification});
    bench.call::<aws::UpdateContinuousBackups>(recovery).await;
    let stream = bench.describe("full").await["LatestStreamArn"].as_str().unwrap().to_owned();
    (bench, stream)
}

/// An item as the function above makes it, told apart from another of the same size.
fn marked(id: &str, bytes: usize, mark: &str) -> Value {
    let mut item = item(id, bytes);
    item["x"] = json!({"S": mark.repeat(bytes - 6 - id.len())});
    item
}

async fn entries(bench: &Bench) -> Value {
    bench.describe("full").await["GlobalSecondaryIndexes"][0]["ItemCount"].clone()
}

/// All of it is more than one transaction of the store holds.
#[tokio::test]
async fn a_full_batch_is_written_beside_a_stream_an_index_and_earlier_versions() {
    let (bench, stream) = manifold().await;
    let batch = |mark: &str| {
        let put = |number: usize| json!({"PutRequest": {"Item": marked(&numbered(number), 400 * KB, mark)}});
        json!({"RequestItems": {"full": (0..25).map(put).collect::<Vec<_>>()}, "ReturnConsumedCapacity": "TOTAL"})
    };
    for mark in ["x", "y"] {
        let written = bench.call::<aws::BatchWriteItem>(batch(mark)).await;
        assert_eq!(written["UnprocessedItems"], json!({}));
        assert_eq!(written["ConsumedCapacity"][0]["CapacityUnits"], json!(2 * 25 * 400), "{mark}");
    }
    assert_eq!((entries(&bench).await, bench.describe("full").await["ItemCount"].clone()), (json!(25), json!(25)));
    let delete = |number: usize| json!({"DeleteRequest": {"Key": key(&numbered(number))}});
    let deletes = (0..25).map(delete).collect::<Vec<_>>();
    bench.call::<aws::BatchWriteItem>(json!({"RequestItems": {"full": deletes}})).await;
    assert_eq!(bench.records(&stream).await.len(), 75);
    assert_eq!(entries(&bench).await, json!(0));
}

/// It cannot be split, whatever it comes to.
#[tokio::test]
async fn a_full_transaction_is_done_beside_a_stream_an_index_and_earlier_versions() {
    let (bench, stream) = manifold().await;
    let transaction = |mark: &str| {
        let put =
            |number: usize| json!({"Put": {"TableName": "full", "Item": marked(&numbered(number), 400 * KB, mark)}});
        json!({"TransactItems": (0..10).map(put).collect::<Vec<_>>()})
    };
    for mark in ["x", "y"] {
        bench.call::<aws::TransactWriteItems>(transaction(mark)).await;
    }
    assert_eq!(entries(&bench).await, json!(10));
    // Of what is deleted only the keys count as the transaction's, but what it was is kept.
    for number in 10..50 {
        let put = json!({"TableName": "full", "Item": marked(&numbered(number), 400 * KB, "z")});
        bench.call::<aws::PutItem>(put).await;
    }
    let delete = |number: usize| json!({"Delete": {"TableName": "full", "Key": key(&numbered(number))}});
    let deletes = json!({"TransactItems": (0..50).map(delete).collect::<Vec<_>>()});
    bench.call::<aws::TransactWriteItems>(deletes).await;
    assert_eq!((entries(&bench).await, bench.records(&stream).await.len()), (json!(0), 20 + 40 + 50));
}

#[tokio::test]
async fn a_transaction_beyond_what_is_provisioned_is_cancelled() {
    let units = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
    let bench = bench(json!({"ProvisionedThroughput": units})).await;
    let put = json!({"TransactItems": [{"Put": {"TableName": "full", "Item": item("a", 200 * KB)}}]});
    bench.call::<aws::TransactWriteItems>(put.clone()).await;
    let fault = bench.try_call::<aws::TransactWriteItems>(put).await.unwrap_err();
    let (_, reasons) = fault.members.iter().find(|(name, _)| *name == "CancellationReasons").unwrap();
    assert_eq!(
        (fault.code.as_str(), &reasons[0]["Code"]),
        ("TransactionCanceledException", &json!("ProvisionedThroughputExceeded"))
    );
    assert!(
        reasons[0]["Message"]
            .as_str()
            .unwrap()
            .starts_with("The level of configured provisioned throughput for the table")
    );
    let get = json!({"TransactItems": [{"Get": {"TableName": "full", "Key": key("a")}}]});
    bench.call::<aws::TransactGetItems>(get.clone()).await;
    bench.call::<aws::TransactGetItems>(get.clone()).await;
    bench.call::<aws::TransactGetItems>(get.clone()).await;
    let fault = bench.try_call::<aws::TransactGetItems>(get).await.unwrap_err();
    assert!(fault.message.ends_with("[ProvisionedThroughputExceeded]"), "{fault}");
}

#[tokio::test]
async fn a_batch_of_reads_brings_sixteen_megabytes_and_names_the_rest() {
    let bench = on_demand().await;
    for number in 0..42 {
        bench.call::<aws::PutItem>(json!({"TableName": "full", "Item": item(&numbered(number), 400 * KB)})).await;
    }
    let keys: Vec<Value> = (0..42).map(|number| key(&numbered(number))).collect();
    let read = bench.call::<aws::BatchGetItem>(json!({"RequestItems": {"full": {"Keys": keys}}})).await;
    // Forty of them are 16,000 KB; the next would be beyond 16 MB of 1,024 KB each.
    assert_eq!(read["Responses"]["full"].as_array().unwrap().len(), 40);
    let left = read["UnprocessedKeys"]["full"]["Keys"].as_array().unwrap();
    assert_eq!(left, &[key("040"), key("041")]);
    let page = bench.call::<aws::Scan>(json!({"TableName": "full"})).await;
    assert_eq!(page["Count"], 3, "a page ends with the item that crosses 1 MB");
    assert_ne!(page["LastEvaluatedKey"], Value::Null);
}

#[tokio::test]
async fn a_long_item_is_written_with_all_of_its_indexes() {
    let index = |name: String, hash: &str, range: &str| {
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        json!({"IndexName": name, "KeySchema": [key(hash, "HASH"), key(range, "RANGE")], "Projection": {"ProjectionType": "ALL"}})
    };
    let of_type = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let bench = bench(json!({
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [of_type("id"), of_type("at"), of_type("l")],
        "GlobalSecondaryIndexes": (0..20).map(|number| index(format!("global-{number}"), "l", "id")).collect::<Value>(),
        "LocalSecondaryIndexes": (0..5).map(|number| index(format!("local-{number}"), "id", "l")).collect::<Value>(),
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }))
    .await;
    // What is three bytes in DynamoDB's measure takes five where it lies.
    let ones = vec![json!({"N": "1"}); 136_000];
    let long = json!({"id": {"S": "i"}, "at": {"S": "0"}, "l": {"S": "x"}, "ones": {"L": ones}});
    let put = json!({"TableName": "full", "Item": long});
    assert_eq!(ask::<aws::PutItem>(&bench, put).await, None);
    let batch = json!({"RequestItems": {"full": [{"PutRequest": {"Item": long}}]}});
    assert_eq!(bench.call::<aws::BatchWriteItem>(batch).await["UnprocessedItems"], json!({}));
    let backup = bench.backed_up("full").await;
    bench.available(&backup).await;
    assert_eq!(bench.restored(&backup, "again").await["ItemCount"], 1);
    assert_eq!(ask::<aws::DeleteItem>(&bench, json!({"TableName": "full", "Key": key("i")})).await, None);
}
