//! What operations ask of the store: an item that is read is one read, and a query reads what it answers in one.

use serde_json::{Value, json};
use store::Reads;

use super::items::{bench, key, order};
use super::{Bench, PATIENCE, aws};

/// What was asked while a call was answered.
async fn asked<Op: contract::Operation>(bench: &Bench, input: Value) -> (u64, u64)
where
    Op::Input: wire::StaticShape,
    Op::Output: wire::StaticShape,
    crate::Tables: contract::Handle<Op>,
{
    let before = bench.store.reads();
    bench.call::<Op>(input).await;
    let Reads { gets, scans } = bench.store.reads();
    (gets - before.gets, scans - before.scans)
}

#[tokio::test]
async fn an_item_is_one_read_and_a_query_one_scan() {
    let bench = bench().await;
    // What runs by itself reads when it likes.
    assert!(bench.tables.close(PATIENCE).await);
    let put = |at: i64| json!({"TableName": "orders", "Item": order("ann", at, json!({"state": {"S": "new"}, "note": {"S": "n"}}))});
    for at in 0..100 {
        // What was there before is looked at, for the indexes and the sizes.
        assert_eq!(asked::<aws::PutItem>(&bench, put(at)).await, (1, 0));
    }
    let of = |at: i64| json!({"TableName": "orders", "Key": key("ann", at)});
    assert_eq!(asked::<aws::PutItem>(&bench, put(7)).await, (1, 0));
    assert_eq!(asked::<aws::GetItem>(&bench, of(7)).await, (1, 0));
    assert_eq!(asked::<aws::GetItem>(&bench, of(1_000)).await, (1, 0));
    assert_eq!(asked::<aws::DeleteItem>(&bench, of(99)).await, (1, 0));
    let keys = |count: i64| (0..count).map(|at| key("ann", at)).collect::<Vec<_>>();
    let batch = json!({"RequestItems": {"orders": {"Keys": keys(20)}}});
    assert_eq!(asked::<aws::BatchGetItem>(&bench, batch).await, (20, 0));
    let query = |more: Value| {
        let mut query = json!({
            "TableName": "orders", "KeyConditionExpression": "who = :who", "ExpressionAttributeValues": {":who": {"S": "ann"}},
        });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    assert_eq!(asked::<aws::Query>(&bench, query(json!({}))).await, (0, 1));
    assert_eq!(asked::<aws::Query>(&bench, query(json!({"Limit": 10, "ScanIndexForward": false}))).await, (0, 1));
    let of_index = json!({
        "TableName": "orders", "IndexName": "by-state", "KeyConditionExpression": "#state = :state",
        "ExpressionAttributeNames": {"#state": "state"}, "ExpressionAttributeValues": {":state": {"S": "new"}},
    });
    assert_eq!(asked::<aws::Query>(&bench, of_index).await, (0, 1));
    assert_eq!(asked::<aws::Scan>(&bench, json!({"TableName": "orders"})).await, (0, 1));
}
