//! What calls cost, what is provisioned, and how large collections of items are said to be.

use serde_json::{Value, json};

use super::items::{bench, key, order};
use super::{Bench, aws};
use crate::desk::Growth;

#[tokio::test]
async fn capacity_is_counted_as_dynamodb_counts_it() {
    let bench = bench().await;
    let text = |length: usize| json!({"text": {"S": "x".repeat(length)}, "state": {"S": "open"}, "price": {"N": "1"}});
    let put = json!({"TableName": "orders", "Item": order("ann", 1, text(3_000)), "ReturnConsumedCapacity": "INDEXES"});
    let put = bench.call::<aws::PutItem>(put).await;
    assert_eq!(
        put["ConsumedCapacity"],
        json!({
            "TableName": "orders", "CapacityUnits": 5, "Table": {"CapacityUnits": 3},
            "LocalSecondaryIndexes": {"by-price": {"CapacityUnits": 1}},
            "GlobalSecondaryIndexes": {"by-state": {"CapacityUnits": 1}},
        })
    );
    for (consistent, units) in [(false, json!(0.5)), (true, json!(1))] {
        let get = json!({
            "TableName": "orders", "Key": key("ann", 1), "ConsistentRead": consistent, "ReturnConsumedCapacity": "TOTAL",
        });
        let got = bench.call::<aws::GetItem>(get).await;
        assert_eq!(got["ConsumedCapacity"], json!({"TableName": "orders", "CapacityUnits": units}));
    }
}

/// What a call that wants to know it is told of its units.
async fn units<Op: contract::Operation>(bench: &Bench, mut input: Value) -> Value
where
    Op::Input: wire::StaticShape,
    Op::Output: wire::StaticShape,
    crate::Tables: contract::Handle<Op>,
{
    input["ReturnConsumedCapacity"] = "INDEXES".into();
    bench.call::<Op>(input).await["ConsumedCapacity"].clone()
}

#[tokio::test]
async fn writes_cost_the_larger_item_and_each_entry_of_an_index() {
    let bench = bench().await;
    let text = |length: usize| json!({"text": {"S": "x".repeat(length)}});
    let put = |at: i64, more: Value| json!({"TableName": "orders", "Item": order("ann", at, more)});
    let state = |state: &str, length: usize| json!({"state": {"S": state}, "note": {"S": "n".repeat(length)}});
    let spent = |units: Value| {
        (units["CapacityUnits"].clone(), units["GlobalSecondaryIndexes"]["by-state"]["CapacityUnits"].clone())
    };
    assert_eq!(spent(units::<aws::PutItem>(&bench, put(1, text(5_000))).await), (json!(5), Value::Null));
    assert_eq!(spent(units::<aws::PutItem>(&bench, put(1, text(10))).await), (json!(5), Value::Null), "what was there");
    assert_eq!(spent(units::<aws::PutItem>(&bench, put(2, state("a", 1_500))).await), (json!(4), json!(2)));
    assert_eq!(
        spent(units::<aws::PutItem>(&bench, put(2, state("a", 1_500))).await),
        (json!(2), Value::Null),
        "the same"
    );
    let key = json!({"TableName": "orders", "Key": key("ann", 2)});
    let moved = json!({
        "TableName": "orders", "Key": key["Key"], "UpdateExpression": "SET #s = :s", "ExpressionAttributeNames": {"#s": "state"},
        "ExpressionAttributeValues": {":s": {"S": "b"}},
    });
    assert_eq!(
        spent(units::<aws::UpdateItem>(&bench, moved).await),
        (json!(6), json!(4)),
        "out of one place, into another"
    );
    assert_eq!(spent(units::<aws::DeleteItem>(&bench, key.clone()).await), (json!(4), json!(2)));
    assert_eq!(spent(units::<aws::DeleteItem>(&bench, key).await), (json!(1), Value::Null), "nothing was there");

    let puts = json!([{"PutRequest": {"Item": order("bob", 1, text(1_500))}}, {"PutRequest": {"Item": order("bob", 2, text(10))}}]);
    let paid = units::<aws::BatchWriteItem>(&bench, json!({"RequestItems": {"orders": puts}})).await;
    assert_eq!(paid, json!([{"TableName": "orders", "CapacityUnits": 3, "Table": {"CapacityUnits": 3}}]));
    let keys = [order("bob", 1, json!({})), order("bob", 2, json!({})), order("bob", 3, json!({}))];
    let wanted = json!({"RequestItems": {"orders": {"Keys": keys}}});
    assert_eq!(units::<aws::BatchGetItem>(&bench, wanted).await[0]["CapacityUnits"], json!(1.5));
}

#[tokio::test]
async fn pages_cost_their_sum() {
    let bench = bench().await;
    for at in 0..10 {
        let put = json!({"TableName": "orders", "Item": order("ann", at, json!({"x": {"S": "x".repeat(1_000)}}))});
        bench.call::<aws::PutItem>(put).await;
    }
    // Ten items of about 1,010 bytes are 10,100 bytes, three times 4 KB.
    let query = json!({
        "TableName": "orders", "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}},
    });
    assert_eq!(units::<aws::Query>(&bench, query.clone()).await["CapacityUnits"], json!(1.5));
    let mut sure = query;
    sure["ConsistentRead"] = true.into();
    assert_eq!(units::<aws::Query>(&bench, sure).await["CapacityUnits"], json!(3));
    let filtered = json!({"TableName": "orders", "FilterExpression": "attribute_exists(nothing)"});
    assert_eq!(
        units::<aws::Scan>(&bench, filtered).await["CapacityUnits"],
        json!(1.5),
        "what is read, not what is found"
    );
    assert_eq!(
        units::<aws::Scan>(&bench, json!({"TableName": "orders", "Limit": 1})).await["CapacityUnits"],
        json!(0.5)
    );
    let none = json!({"TableName": "orders", "IndexName": "by-state"});
    assert_eq!(
        units::<aws::Scan>(&bench, none).await,
        json!({
            "TableName": "orders", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0},
            "GlobalSecondaryIndexes": {"by-state": {"CapacityUnits": 0.5}},
        })
    );
}

#[tokio::test]
async fn transactions_cost_twice_and_reads_when_they_come_again() {
    let bench = bench().await;
    let put = |at: i64, length: usize| {
        let item = order("ann", at, json!({"x": {"S": "x".repeat(length)}}));
        json!({"Put": {"TableName": "orders", "Item": item}})
    };
    let check = json!({"ConditionCheck": {
        "TableName": "orders", "Key": key("bob", 1), "ConditionExpression": "attribute_not_exists(who)",
    }});
    let input = json!({"TransactItems": [put(1, 100), put(2, 6_000), check], "ClientRequestToken": "again"});
    let told = |kind: &str, units: i64| {
        let share = json!({"CapacityUnits": units, kind: units});
        let mut all = share.clone();
        (all["TableName"], all["Table"]) = ("orders".into(), share);
        json!([all])
    };
    // One, six and one, twice.
    let first = units::<aws::TransactWriteItems>(&bench, input.clone()).await;
    assert_eq!(first, told("WriteCapacityUnits", 16));
    // Two for each 4 KB of what is there: 100 bytes, 6,000 bytes, nothing.
    let again = units::<aws::TransactWriteItems>(&bench, input.clone()).await;
    assert_eq!(again, told("ReadCapacityUnits", 8));
    // A node that was started again still knows what it did.
    let bench = bench.again().await;
    let again = units::<aws::TransactWriteItems>(&bench, input).await;
    assert_eq!(again, told("ReadCapacityUnits", 8));
    let get = |who: &str, at: i64| json!({"Get": {"TableName": "orders", "Key": key(who, at)}});
    let gets = json!({"TransactItems": [get("ann", 1), get("ann", 2), get("bob", 1)]});
    assert_eq!(units::<aws::TransactGetItems>(&bench, gets).await, told("ReadCapacityUnits", 8));
}

#[tokio::test]
async fn a_global_index_has_a_bucket_of_its_own() {
    let bench = Bench::new().await;
    let small = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
    let large = json!({"ReadCapacityUnits": 1_000, "WriteCapacityUnits": 1_000});
    let keys = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "slow", "KeySchema": keys("id"), "ProvisionedThroughput": large,
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-g", "KeySchema": keys("g"), "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": small,
            }],
        }))
        .await;
    let put = |more: Value| {
        let mut item = json!({"id": {"S": "a"}});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"TableName": "slow", "Item": item})
    };
    let long = |letter: &str| put(json!({"g": {"S": letter}, "x": {"S": "x".repeat(200 << 10)}}));
    // Each takes more than the 300 units that five minutes leave, but for the first.
    bench.call::<aws::PutItem>(long("a")).await;
    bench.call::<aws::PutItem>(long("b")).await;
    let exceeded = (
        "ProvisionedThroughputExceededException".to_owned(),
        "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. \
         Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
            .to_owned(),
    );
    assert_eq!(bench.refused::<aws::PutItem>(long("c")).await, exceeded);
    // 601 units were taken out of 300, and one comes back each second.
    bench.pass(290);
    assert_eq!(bench.refused::<aws::PutItem>(long("c")).await, exceeded);
    bench.pass(30);
    bench.call::<aws::PutItem>(put(json!({"g": {"S": "c"}}))).await;
    // What is read from the index is paid by it, and the table's own reads go on.
    let scan = json!({"TableName": "slow", "IndexName": "by-g"});
    bench.pass(3_600);
    bench.call::<aws::PutItem>(long("d")).await;
    for _ in 0..12 {
        bench.call::<aws::Scan>(scan.clone()).await;
    }
    assert_eq!(bench.refused::<aws::Scan>(scan.clone()).await, exceeded);
    bench.call::<aws::Scan>(json!({"TableName": "slow"})).await;
    bench.pass(60);
    bench.call::<aws::Scan>(scan).await;
}

#[tokio::test]
async fn what_is_provisioned_is_all_there_is() {
    let bench = Bench::new().await;
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "slow", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        }))
        .await;
    let put = json!({"TableName": "slow", "Item": {"id": {"S": "a"}, "x": {"S": "x".repeat(100 << 10)}}});
    // Five minutes of one unit a second: three writes of 101 units.
    for _ in 0..3 {
        bench.call::<aws::PutItem>(put.clone()).await;
    }
    let exceeded = (
        "ProvisionedThroughputExceededException".to_owned(),
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level \
         with the UpdateTable API."
            .to_owned(),
    );
    assert_eq!(bench.refused::<aws::PutItem>(put.clone()).await, exceeded);
    bench.call::<aws::GetItem>(json!({"TableName": "slow", "Key": {"id": {"S": "a"}}})).await;
    bench.pass(10);
    bench.call::<aws::PutItem>(put).await;
}

#[tokio::test]
async fn collections_are_as_large_as_is_said_of_them() {
    let bench = bench().await;
    let asked = |item| json!({"TableName": "orders", "Item": item, "ReturnItemCollectionMetrics": "SIZE"});
    let range = async |who: &str, at: i64| {
        let put = asked(order(who, at, json!({"text": {"S": "x".repeat(390_000)}})));
        let metrics = bench.call::<aws::PutItem>(put).await["ItemCollectionMetrics"].clone();
        assert_eq!(metrics["ItemCollectionKey"], json!({"who": {"S": who}}));
        metrics["SizeEstimateRangeGB"].clone()
    };
    assert_eq!(range("ann", 1).await, json!([0, 1]));
    // Of a table that is larger a collection that is read to its end is still known to be small.
    let desk = bench.tables.desks.all().pop().unwrap();
    let held = (5 << 30) + 1;
    desk.count(None, Growth { items: 0, bytes: held });
    assert_eq!(range("bob", 1).await, json!([0, 1]));
    for at in 2..=3 {
        range("ann", at).await;
    }
    assert_eq!(range("ann", 4).await, json!([0, 6]));
    // Each collection once.
    let puts = [("ann", 5), ("bob", 5), ("ann", 6)].map(|(who, at)| json!({"PutRequest": {"Item": key(who, at)}}));
    let batch = json!({"RequestItems": {"orders": puts}, "ReturnItemCollectionMetrics": "SIZE"});
    let metrics = bench.call::<aws::BatchWriteItem>(batch).await["ItemCollectionMetrics"]["orders"].clone();
    let of =
        |who: &str, upper: i64| json!({"ItemCollectionKey": {"who": {"S": who}}, "SizeEstimateRangeGB": [0, upper]});
    assert_eq!(metrics, json!([of("ann", 6), of("bob", 1)]));
    let puts = [("bob", 7), ("bob", 8)].map(|(who, at)| json!({"Put": {"TableName": "orders", "Item": key(who, at)}}));
    let transaction = json!({"TransactItems": puts, "ReturnItemCollectionMetrics": "SIZE"});
    let metrics = bench.call::<aws::TransactWriteItems>(transaction).await["ItemCollectionMetrics"].clone();
    assert_eq!(metrics, json!({"orders": [of("bob", 1)]}));
}
