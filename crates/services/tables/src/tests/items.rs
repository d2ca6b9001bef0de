//! Items are put, changed, read and deleted, one by one, in batches and in transactions; refusals are in DynamoDB's words.

use serde_json::{Value, json};

use super::{Bench, aws};

pub(super) async fn bench() -> Bench {
    let bench = Bench::new().await;
    let keys = |hash: &str, range: &str| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "orders",
            "KeySchema": keys("who", "at"),
            "AttributeDefinitions": [
                {"AttributeName": "who", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "N"},
                {"AttributeName": "state", "AttributeType": "S"},
                {"AttributeName": "price", "AttributeType": "N"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "LocalSecondaryIndexes": [
                {"IndexName": "by-price", "KeySchema": keys("who", "price"), "Projection": {"ProjectionType": "KEYS_ONLY"}},
            ],
            "GlobalSecondaryIndexes": [
                {"IndexName": "by-state", "KeySchema": keys("state", "at"),
                 "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}},
            ],
        }))
        .await;
    bench
}

pub(super) fn order(who: &str, at: i64, more: Value) -> Value {
    let mut item = json!({"who": {"S": who}, "at": {"N": at.to_string()}});
    for (name, value) in more.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

pub(super) fn key(who: &str, at: i64) -> Value {
    order(who, at, json!({}))
}

impl Bench {
    async fn put(&self, item: Value) {
        self.call::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
    }

    async fn get(&self, who: &str, at: i64) -> Value {
        self.call::<aws::GetItem>(json!({"TableName": "orders", "Key": key(who, at)})).await["Item"].clone()
    }

    /// The values of `at` of a query's items.
    async fn ats(&self, mut query: Value) -> Vec<i64> {
        query["TableName"] = "orders".into();
        let page = self.call::<aws::Query>(query).await;
        let at = |item: &Value| item["at"]["N"].as_str().unwrap().parse().unwrap();
        page["Items"].as_array().unwrap().iter().map(at).collect()
    }
}

#[tokio::test]
async fn an_item_is_what_was_put_until_it_is_changed_or_deleted() {
    let bench = bench().await;
    let item = order(
        "ann",
        1,
        json!({
            "state": {"S": "open"}, "price": {"N": "12.50"}, "flag": {"BOOL": true}, "none": {"NULL": true},
            "raw": {"B": "AAEC"}, "tags": {"SS": ["b", "a"]}, "deep": {"M": {"list": {"L": [{"N": "1"}, {"S": "x"}]}}},
        }),
    );
    bench.put(item.clone()).await;
    let mut expected = item.clone();
    expected["price"] = json!({"N": "12.5"});
    expected["tags"] = json!({"SS": ["a", "b"]});
    assert_eq!(bench.get("ann", 1).await, expected);
    assert_eq!(bench.get("ann", 2).await, Value::Null);
    let bench = bench.again().await;
    assert_eq!(bench.get("ann", 1).await, expected);

    let changed = bench
        .call::<aws::UpdateItem>(json!({
            "TableName": "orders", "Key": key("ann", 1),
            "UpdateExpression": "SET #s = :s, price = price + :one REMOVE flag ADD tags :t",
            "ConditionExpression": "price > :ten",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": {":s": {"S": "paid"}, ":one": {"N": "1"}, ":t": {"SS": ["c"]}, ":ten": {"N": "10"}},
            "ReturnValues": "UPDATED_NEW",
        }))
        .await;
    assert_eq!(
        changed["Attributes"],
        json!({"state": {"S": "paid"}, "price": {"N": "13.5"}, "tags": {"SS": ["a", "b", "c"]}})
    );
    let made = json!({
        "TableName": "orders", "Key": key("new", 7), "UpdateExpression": "SET n = if_not_exists(n, :zero) + :one",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}}, "ReturnValues": "ALL_NEW",
    });
    let made = bench.call::<aws::UpdateItem>(made).await;
    assert_eq!(made["Attributes"], order("new", 7, json!({"n": {"N": "1"}})));
    let gone = json!({"TableName": "orders", "Key": key("new", 7), "ReturnValues": "ALL_OLD"});
    let gone = bench.call::<aws::DeleteItem>(gone).await;
    assert_eq!(gone["Attributes"]["n"], json!({"N": "1"}));
    assert_eq!(bench.get("new", 7).await, Value::Null);
    let described = bench.describe("orders").await;
    assert_eq!((&described["ItemCount"], &described["GlobalSecondaryIndexes"][0]["ItemCount"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn conditions_refuse_and_show_what_is_there() {
    let bench = bench().await;
    bench.put(order("ann", 1, json!({"state": {"S": "open"}}))).await;
    let put = json!({
        "TableName": "orders", "Item": key("ann", 1), "ConditionExpression": "attribute_not_exists(who)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let fault = bench.try_call::<aws::PutItem>(put).await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.message.as_str()),
        ("ConditionalCheckFailedException", "The conditional request failed")
    );
    let (_, shown) = fault.members.iter().find(|(name, _)| *name == "Item").unwrap();
    assert_eq!(shown, &order("ann", 1, json!({"state": {"S": "open"}})));
    let legacy = json!({
        "TableName": "orders", "Key": key("ann", 1), "Expected": {"state": {"Value": {"S": "shut"}}},
    });
    assert_eq!(bench.refused::<aws::DeleteItem>(legacy).await.0, "ConditionalCheckFailedException");
    let legacy = json!({
        "TableName": "orders", "Key": key("ann", 1), "Expected": {"state": {"Value": {"S": "open"}}},
        "AttributeUpdates": {"count": {"Action": "ADD", "Value": {"N": "2"}}}, "ReturnValues": "ALL_NEW",
    });
    assert_eq!(bench.call::<aws::UpdateItem>(legacy).await["Attributes"]["count"], json!({"N": "2"}));
}

#[tokio::test]
async fn what_cannot_be_an_item_or_a_key_is_refused_in_the_words_of_dynamodb() {
    let bench = bench().await;
    let long = "x".repeat(2_049);
    let invalid = "One or more parameter values were invalid: ";
    for (item, expected) in [
        (json!({"who": {"S": "a"}}), format!("{invalid}Missing the key at in the item")),
        (json!({"who": {"N": "1"}, "at": {"N": "1"}}), format!("{invalid}Type mismatch for key who expected: S actual: N")),
        (
            key("", 1),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string \
             value. Key: who"
                .to_owned(),
        ),
        (key(&long, 1), format!("{invalid}Size of hashkey has exceeded the maximum size limit of2048 bytes")),
        (
            order("a", 1, json!({"state": {"N": "1"}})),
            format!("{invalid}Type mismatch for Index Key state Expected: S Actual: N IndexName: by-state"),
        ),
        (order("a", 1, json!({"big": {"S": "x".repeat(410_000)}})), "Item size has exceeded the maximum allowed size".to_owned()),
        (
            order("a", 1, json!({"x": {}})),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned(),
        ),
        (
            order("a", 1, json!({"x": {"S": "a", "N": "1"}})),
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
                .to_owned(),
        ),
        (
            order("a", 1, json!({"x": {"N": "a"}})),
            "The parameter cannot be converted to a numeric value: a".to_owned(),
        ),
    ] {
        let refused = bench.refused::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
        assert_eq!(refused, ("ValidationException".to_owned(), expected));
    }
    for (key, expected) in [
        (json!({"who": {"S": "a"}}), "The provided key element does not match the schema"),
        (json!({"who": {"S": "a"}, "at": {"S": "1"}}), "The provided key element does not match the schema"),
    ] {
        let refused = bench.refused::<aws::GetItem>(json!({"TableName": "orders", "Key": key})).await;
        assert_eq!(refused.1, expected);
    }
    let update = json!({
        "TableName": "orders", "Key": key("a", 1), "UpdateExpression": "SET who = :v",
        "ExpressionAttributeValues": {":v": {"S": "b"}},
    });
    assert_eq!(
        bench.refused::<aws::UpdateItem>(update).await.1,
        format!("{invalid}Cannot update attribute who. This attribute is part of the key")
    );
    let nowhere = json!({"TableName": "nothing", "Key": key("a", 1)});
    assert_eq!(
        bench.refused::<aws::GetItem>(nowhere).await,
        ("ResourceNotFoundException".to_owned(), "Requested resource not found".to_owned())
    );
}

#[tokio::test]
async fn long_items_lie_in_pieces_and_are_read_whole_both_ways() {
    let bench = bench().await;
    let text = |letter: &str, length: usize| json!({"text": {"S": letter.repeat(length)}});
    for (at, length) in [(1, 10), (2, 200_000), (3, 61_000), (4, 399_000), (5, 1)] {
        bench.put(order("ann", at, text("x", length))).await;
    }
    let by_who = json!({
        "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}},
    });
    assert_eq!(bench.ats(by_who.clone()).await, [1, 2, 3, 4, 5]);
    let mut down = by_who.clone();
    down["ScanIndexForward"] = false.into();
    assert_eq!(bench.ats(down.clone()).await, [5, 4, 3, 2, 1]);
    assert_eq!(bench.get("ann", 4).await["text"]["S"].as_str().unwrap().len(), 399_000);
    // What becomes shorter leaves no pieces behind.
    bench.put(order("ann", 4, text("y", 3))).await;
    bench.put(order("ann", 2, text("y", 70_000))).await;
    assert_eq!(bench.get("ann", 2).await["text"]["S"].as_str().unwrap(), "y".repeat(70_000));
    assert_eq!(bench.ats(down).await, [5, 4, 3, 2, 1]);
    bench.call::<aws::DeleteItem>(json!({"TableName": "orders", "Key": key("ann", 2)})).await;
    assert_eq!(bench.ats(by_who).await, [1, 3, 4, 5]);
}

#[tokio::test]
async fn queries_read_ranges_pages_and_indexes() {
    let bench = bench().await;
    for at in -2..8 {
        let state = if at % 2 == 0 { "even" } else { "odd" };
        let more =
            json!({"state": {"S": state}, "price": {"N": (10 - at).to_string()}, "note": {"S": "n"}, "x": {"N": "1"}});
        bench.put(order("ann", at, more)).await;
    }
    bench.put(key("bob", 1)).await;
    let query = |condition: &str, values: Value| json!({"KeyConditionExpression": condition, "ExpressionAttributeValues": values, "ExpressionAttributeNames": {"#a": "at"}});
    let number = |n: i64| json!({"N": n.to_string()});
    for (condition, expected) in [
        ("#a = :n", vec![3]),
        ("#a < :n", vec![-2, -1, 0, 1, 2]),
        ("#a <= :n", vec![-2, -1, 0, 1, 2, 3]),
        ("#a > :n", vec![4, 5, 6, 7]),
        ("#a >= :n", vec![3, 4, 5, 6, 7]),
    ] {
        let ask = query(&format!("who = :w AND {condition}"), json!({":w": {"S": "ann"}, ":n": number(3)}));
        assert_eq!(bench.ats(ask).await, expected, "{condition}");
    }
    let between = json!({":w": {"S": "ann"}, ":l": number(-1), ":h": number(2)});
    let mut between = query("who = :w AND #a BETWEEN :l AND :h", between);
    between["ScanIndexForward"] = false.into();
    assert_eq!(bench.ats(between).await, [2, 1, 0, -1]);

    let mut ask = json!({
        "TableName": "orders", "KeyConditionExpression": "who = :w", "FilterExpression": "price > :p",
        "ExpressionAttributeValues": {":w": {"S": "ann"}, ":p": number(4)}, "Limit": 3,
    });
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = bench.call::<aws::Query>(ask.clone()).await;
        found += page["Count"].as_u64().unwrap();
        pages += 1;
        assert!(page["ScannedCount"].as_u64().unwrap() <= 3);
        match &page["LastEvaluatedKey"] {
            Value::Null => break,
            last => ask["ExclusiveStartKey"] = last.clone(),
        }
    }
    assert_eq!((found, pages), (8, 4));

    let by_price = json!({
        "IndexName": "by-price", "KeyConditionExpression": "who = :w AND price < :p",
        "ExpressionAttributeValues": {":w": {"S": "ann"}, ":p": number(6)},
    });
    assert_eq!(bench.ats(by_price).await, [7, 6, 5]);
    let fetched = json!({
        "TableName": "orders", "IndexName": "by-price", "KeyConditionExpression": "who = :w AND price = :p",
        "ExpressionAttributeValues": {":w": {"S": "ann"}, ":p": number(6)}, "Select": "ALL_ATTRIBUTES",
        "ReturnConsumedCapacity": "INDEXES",
    });
    let fetched = bench.call::<aws::Query>(fetched).await;
    assert_eq!(fetched["Items"][0]["x"], number(1));
    assert_eq!(fetched["ConsumedCapacity"]["CapacityUnits"], json!(1));
    let by_state = json!({
        "TableName": "orders", "IndexName": "by-state", "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":s": {"S": "odd"}}, "Limit": 2,
    });
    let page = bench.call::<aws::Query>(by_state.clone()).await;
    assert_eq!(
        page["Items"][0],
        order("ann", -1, json!({"state": {"S": "odd"}, "note": {"S": "n"}})),
        "an index shows what it holds"
    );
    assert_eq!(page["LastEvaluatedKey"], order("ann", 1, json!({"state": {"S": "odd"}})));
    let mut refused = by_state.clone();
    refused["ConsistentRead"] = true.into();
    assert_eq!(
        bench.refused::<aws::Query>(refused).await.1,
        "Consistent reads are not supported on global secondary indexes"
    );
    let mut refused = by_state;
    refused["ProjectionExpression"] = "x".into();
    assert_eq!(
        bench.refused::<aws::Query>(refused).await.1,
        "One or more parameter values were invalid: Global secondary index by-state does not project [x]"
    );
}

#[tokio::test]
async fn scans_see_everything_once_in_pages_and_segments() {
    let bench = bench().await;
    for at in 0..60 {
        bench.put(order(&format!("w{at}"), at, json!({"text": {"S": "x".repeat(40_000)}}))).await;
    }
    let mut seen = Vec::new();
    for segment in 0..4 {
        let mut ask = json!({"TableName": "orders", "Segment": segment, "TotalSegments": 4, "ProjectionExpression": "#a",
                             "ExpressionAttributeNames": {"#a": "at"}});
        loop {
            let page = bench.call::<aws::Scan>(ask.clone()).await;
            let at = |item: &Value| item["at"]["N"].as_str().unwrap().parse::<i64>().unwrap();
            seen.extend(page["Items"].as_array().unwrap().iter().map(at));
            match &page["LastEvaluatedKey"] {
                Value::Null => break,
                last => ask["ExclusiveStartKey"] = last.clone(),
            }
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
    let count = bench.call::<aws::Scan>(json!({"TableName": "orders", "Select": "COUNT"})).await;
    assert_eq!(count["Count"], count["ScannedCount"]);
    assert_eq!(count["Count"], json!(27), "a page holds a megabyte, and what crosses it");
    for (more, expected) in [
        (
            json!({"Segment": 0}),
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        ),
        (
            json!({"Segment": 4, "TotalSegments": 4}),
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than \
             TotalSegments: 4",
        ),
        (json!({"IndexName": "nothing"}), "The table does not have the specified index: nothing"),
    ] {
        let mut ask = more;
        ask["TableName"] = "orders".into();
        assert_eq!(bench.refused::<aws::Scan>(ask).await.1, expected);
    }
}

#[tokio::test]
async fn batches_read_and_write_many() {
    let bench = bench().await;
    let puts: Vec<Value> = (0..25).map(|at| json!({"PutRequest": {"Item": key("ann", at)}})).collect();
    let written = bench.call::<aws::BatchWriteItem>(json!({"RequestItems": {"orders": puts}})).await;
    assert_eq!(written["UnprocessedItems"], json!({}));
    let deletes = json!([{"DeleteRequest": {"Key": key("ann", 0)}}, {"PutRequest": {"Item": key("ann", 99)}}]);
    bench.call::<aws::BatchWriteItem>(json!({"RequestItems": {"orders": deletes}})).await;
    let keys: Vec<Value> = (0..100).map(|at| key("ann", at)).collect();
    let read = bench.call::<aws::BatchGetItem>(json!({"RequestItems": {"orders": {"Keys": keys}}})).await;
    assert_eq!(read["Responses"]["orders"].as_array().unwrap().len(), 25);
    assert_eq!(read["UnprocessedKeys"], json!({}));
    let twice = json!({"RequestItems": {"orders": {"Keys": [key("a", 1), key("a", 1)]}}});
    assert_eq!(bench.refused::<aws::BatchGetItem>(twice).await.1, "Provided list of item keys contains duplicates");
}

#[tokio::test]
async fn transactions_are_done_whole_or_not_at_all() {
    let bench = bench().await;
    bench.put(order("ann", 1, json!({"n": {"N": "1"}}))).await;
    let update = |at: i64, condition: Option<&str>| {
        let mut update = json!({
            "TableName": "orders", "Key": key("ann", at), "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        });
        if let Some(condition) = condition {
            update["ConditionExpression"] = condition.into();
        }
        json!({"Update": update})
    };
    let put = json!({"Put": {"TableName": "orders", "Item": key("bob", 1)}});
    let input = json!({"TransactItems": [update(1, None), put, update(2, Some("attribute_exists(who)"))]});
    let fault = bench.try_call::<aws::TransactWriteItems>(input).await.unwrap_err();
    assert_eq!(fault.code, "TransactionCanceledException");
    assert_eq!(
        fault.message,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, None, ConditionalCheckFailed]"
    );
    let (_, reasons) = fault.members.iter().find(|(name, _)| *name == "CancellationReasons").unwrap();
    assert_eq!(
        reasons,
        &json!([{"Code": "None"}, {"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}])
    );
    assert_eq!(bench.get("bob", 1).await, Value::Null);

    let input = json!({"TransactItems": [update(1, None), put], "ClientRequestToken": "once", "ReturnConsumedCapacity": "TOTAL"});
    for _ in 0..3 {
        bench.call::<aws::TransactWriteItems>(input.clone()).await;
    }
    assert_eq!(bench.get("ann", 1).await["n"], json!({"N": "2"}), "a token is done once");
    let other = json!({"TransactItems": [update(1, None)], "ClientRequestToken": "once"});
    assert_eq!(bench.refused::<aws::TransactWriteItems>(other.clone()).await.0, "IdempotentParameterMismatchException");
    bench.pass(601);
    bench.call::<aws::TransactWriteItems>(other).await;
    let twice = json!({"TransactItems": [update(1, None), update(1, None)]});
    assert_eq!(
        bench.refused::<aws::TransactWriteItems>(twice).await.1,
        "Transaction request cannot include multiple operations on one item"
    );
    let gets = json!({"TransactItems": [
        {"Get": {"TableName": "orders", "Key": key("ann", 1)}},
        {"Get": {"TableName": "orders", "Key": key("nobody", 1)}},
    ]});
    let read = bench.call::<aws::TransactGetItems>(gets).await;
    assert_eq!(read["Responses"], json!([{"Item": order("ann", 1, json!({"n": {"N": "3"}}))}, {}]));
}

#[tokio::test]
async fn an_update_makes_nothing_deeper_than_a_put_may() {
    let bench = bench().await;
    let item = order("ann", 1, json!({"a": {"M": {}}}));
    bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
    let deeper = json!({
        "TableName": "orders", "Key": {"who": {"S": "ann"}, "at": {"N": "1"}}, "UpdateExpression": "SET a.x = a",
    });
    let mut times = 0;
    let refused = loop {
        match bench.try_call::<aws::UpdateItem>(deeper.clone()).await {
            Ok(_) => times += 1,
            Err(fault) => break fault,
        }
        assert!(times < 40, "it grows without end");
    };
    let words = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit";
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ValidationException", words));
}

#[tokio::test]
async fn a_table_is_named_once_in_a_batch() {
    let bench = bench().await;
    let write = |at: i64| json!([{"PutRequest": {"Item": order("ann", at, json!({}))}}]);
    let twice = json!({"RequestItems": {
        "orders": write(1), "arn:aws:dynamodb:us-east-1:000000000000:table/orders": write(2),
    }});
    let words = "The table orders is named twice in RequestItems";
    assert_eq!(bench.refused::<aws::BatchWriteItem>(twice).await.1, words);
    let read = |at: i64| json!({"Keys": [key("ann", at)]});
    let twice = json!({"RequestItems": {
        "orders": read(1), "arn:aws:dynamodb:us-east-1:000000000000:table/orders": read(2),
    }});
    assert_eq!(bench.refused::<aws::BatchGetItem>(twice).await.1, words);
}

#[tokio::test]
async fn what_a_local_index_lacks_is_fetched_a_page_at_a_time() {
    let bench = bench().await;
    let long = "x".repeat(390_000);
    for at in 1..=5 {
        let item = order("ann", at, json!({"price": {"N": at.to_string()}, "long": {"S": long}}));
        bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
    }
    let mut query = json!({
        "TableName": "orders", "IndexName": "by-price", "Select": "ALL_ATTRIBUTES",
        "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "ann"}},
    });
    let first = bench.call::<aws::Query>(query.clone()).await;
    assert_eq!(first["Count"], 3, "the items of a page have about 1 MB together");
    query["ExclusiveStartKey"] = first["LastEvaluatedKey"].clone();
    let second = bench.call::<aws::Query>(query).await;
    assert_eq!((&second["Count"], &second["LastEvaluatedKey"]), (&json!(2), &Value::Null));
}
