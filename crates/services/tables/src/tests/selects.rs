//! What of each item a page shows, how much of them fills one, and keys of every type.

use serde_json::{Value, json};

use super::items::{bench, order};
use super::{Bench, aws};

fn with(mut input: Value, more: &Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A table with an index of each kind that does not hold all, and one item.
async fn filled() -> Bench {
    let bench = bench().await;
    let keys = json!([{"AttributeName": "state", "KeyType": "HASH"}]);
    let index = json!({"IndexName": "only", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}});
    let create = json!({
        "TableName": "orders", "GlobalSecondaryIndexUpdates": [{"Create": index}],
        "AttributeDefinitions": [{"AttributeName": "state", "AttributeType": "S"}],
    });
    bench.call::<aws::UpdateTable>(create).await;
    bench.settled("orders").await;
    let more = json!({"state": {"S": "open"}, "price": {"N": "3"}, "note": {"S": "n"}, "x": {"N": "1"}});
    bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": order("ann", 1, more)})).await;
    bench
}

#[tokio::test]
async fn a_page_shows_what_is_selected() {
    let bench = filled().await;
    let names = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let of = |index: &str| match index {
        "" => json!({"KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}}}),
        "by-price" => json!({
            "IndexName": index, "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}},
        }),
        _ => json!({
            "IndexName": index, "KeyConditionExpression": "#s = :s", "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": {":s": {"S": "open"}},
        }),
    };
    let all = "at note price state who x";
    for (index, more, expected) in [
        ("", json!({}), all),
        ("", json!({"Select": "ALL_ATTRIBUTES"}), all),
        ("", json!({"Select": "SPECIFIC_ATTRIBUTES", "ProjectionExpression": "x, note"}), "note x"),
        ("by-price", json!({}), "at price who"),
        ("by-price", json!({"Select": "ALL_PROJECTED_ATTRIBUTES"}), "at price who"),
        ("by-price", json!({"Select": "ALL_ATTRIBUTES"}), all),
        ("by-price", json!({"ProjectionExpression": "x, price"}), "price x"),
        ("by-state", json!({}), "at note state who"),
        ("by-state", json!({"Select": "ALL_PROJECTED_ATTRIBUTES"}), "at note state who"),
        ("by-state", json!({"Select": "SPECIFIC_ATTRIBUTES", "ProjectionExpression": "note"}), "note"),
        ("only", json!({}), "at state who"),
    ] {
        let query = with(with(json!({"TableName": "orders"}), &of(index)), &more);
        let page = bench.call::<aws::Query>(query).await;
        assert_eq!((&page["Count"], names(&page["Items"][0]).as_str()), (&json!(1), expected), "{index} {more}");
    }
    let count = with(with(json!({"TableName": "orders", "Select": "COUNT"}), &of("only")), &json!({}));
    assert_eq!(bench.call::<aws::Query>(count).await, json!({"Count": 1, "ScannedCount": 1}));
    let invalid = "One or more parameter values were invalid: ";
    for (index, more, expected) in [
        (
            "",
            json!({"Select": "SPECIFIC_ATTRIBUTES"}),
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
                .to_owned(),
        ),
        (
            "",
            json!({"Select": "COUNT", "ProjectionExpression": "x"}),
            "Cannot specify the ProjectionExpression when choosing to get only the Count".to_owned(),
        ),
        (
            "",
            json!({"Select": "ALL_ATTRIBUTES", "ProjectionExpression": "x"}),
            "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES".to_owned(),
        ),
        (
            "",
            json!({"Select": "ALL_PROJECTED_ATTRIBUTES"}),
            format!("{invalid}ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"),
        ),
        (
            "only",
            json!({"Select": "ALL_ATTRIBUTES"}),
            format!(
                "{invalid}Select type ALL_ATTRIBUTES is not supported for global secondary index only because its projection type \
                 is not ALL"
            ),
        ),
        (
            "only",
            json!({"ProjectionExpression": "note, x"}),
            format!("{invalid}Global secondary index only does not project [note, x]"),
        ),
    ] {
        let query = with(with(json!({"TableName": "orders"}), &of(index)), &more);
        assert_eq!(bench.refused::<aws::Query>(query).await.1, expected, "{index} {more}");
    }
    let scan = json!({"TableName": "orders", "Select": "COUNT", "AttributesToGet": ["x"]});
    assert_eq!(
        bench.refused::<aws::Scan>(scan).await.1,
        "Cannot specify the AttributesToGet when choosing to get only the Count"
    );
}

#[tokio::test]
async fn the_item_that_crosses_a_megabyte_is_the_last_of_its_page() {
    let bench = bench().await;
    for at in 0..12 {
        let item = order("ann", at, json!({"text": {"S": "x".repeat(110_000)}}));
        bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
    }
    let mut query = json!({
        "TableName": "orders", "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}},
        "ReturnConsumedCapacity": "TOTAL",
    });
    let page = bench.call::<aws::Query>(query.clone()).await;
    assert_eq!((&page["Count"], &page["LastEvaluatedKey"]["at"]), (&json!(10), &json!({"N": "9"})));
    assert_eq!(page["ConsumedCapacity"]["CapacityUnits"], json!(134.5), "the sum is rounded, not each");
    query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    let page = bench.call::<aws::Query>(query).await;
    assert_eq!((&page["Count"], &page["LastEvaluatedKey"]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn keys_of_every_type_are_found_in_their_order() {
    let bench = Bench::new().await;
    // The hash key's type and a value; the sort key's type, its values in order, a prefix, and how many begin so.
    let text = |text: &str| json!({ "S": text });
    let bytes = |base64: &str| json!({ "B": base64 });
    for (name, (hash_kind, hash), (range_kind, values), prefix) in [
        (
            "texts",
            ("S", text("h")),
            ("S", vec![text("a"), text("ab"), text("abc"), text("b"), text("é")]),
            Some((text("ab"), 2)),
        ),
        // 00, 01, 01 00, 01 ff, ff
        (
            "bytes",
            ("B", bytes("AAE=")),
            ("B", vec![bytes("AA=="), bytes("AQ=="), bytes("AQA="), bytes("Af8="), bytes("/w==")]),
            Some((bytes("AQ=="), 3)),
        ),
        (
            "numbers",
            ("N", json!({"N": "-1.5"})),
            ("N", ["-20", "-3", "0", "0.5", "100"].map(|number| json!({ "N": number })).to_vec()),
            None,
        ),
    ] {
        bench
            .call::<aws::CreateTable>(json!({
                "TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
                "AttributeDefinitions": [
                    {"AttributeName": "h", "AttributeType": hash_kind}, {"AttributeName": "r", "AttributeType": range_kind},
                ],
            }))
            .await;
        for value in values.iter().rev() {
            bench.call::<aws::PutItem>(json!({"TableName": name, "Item": {"h": hash, "r": value}})).await;
        }
        let found = async |test: &str, more: Value| {
            let values = with(json!({":h": hash}), &more);
            let query = json!({
                "TableName": name, "KeyConditionExpression": format!("h = :h{test}"), "ExpressionAttributeValues": values,
            });
            let page = bench.call::<aws::Query>(query).await;
            page["Items"].as_array().unwrap().iter().map(|item| item["r"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(found("", json!({})).await, values, "{name}");
        let between = json!({":l": values[1], ":u": values[3]});
        assert_eq!(found(" AND r BETWEEN :l AND :u", between).await, values[1..=3], "{name}");
        assert_eq!(found(" AND r < :l", json!({":l": values[2]})).await, values[..2], "{name}");
        assert_eq!(found(" AND r = :l", json!({":l": values[2]})).await, values[2..3], "{name}");
        let begun = json!({"TableName": name, "KeyConditionExpression": "h = :h AND begins_with(r, :p)"});
        match prefix {
            Some((prefix, count)) => {
                assert_eq!(found(" AND begins_with(r, :p)", json!({":p": prefix})).await, values[1..=count], "{name}");
            }
            None => {
                let begun = with(begun, &json!({"ExpressionAttributeValues": {":h": hash, ":p": {"N": "1"}}}));
                assert_eq!(
                    bench.refused::<aws::Query>(begun).await.1,
                    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: \
                     begins_with, operand type: N"
                );
            }
        }
    }
}
