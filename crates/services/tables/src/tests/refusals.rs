//! What is refused, in which words, and what of several things that are wrong is told first.

use serde_json::{Value, json};

use super::items::{bench, key, order};
use super::{Bench, aws};

const SCALARS: &str = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed";
const INVALID: &str = "One or more parameter values were invalid: ";
const MISMATCH: &str = "The provided key element does not match the schema";
const START: &str = "The provided starting key is invalid";

#[tokio::test]
async fn what_is_wrong_whatever_the_table_is_is_told_before_that_it_is_not_there() {
    let bench = bench().await;
    let syntax = |clause: &str| format!("Invalid {clause}: Syntax error; token: \"<EOF>\", near: \"(\"");
    let words = |clause: &str| ("ValidationException".to_owned(), syntax(clause));
    let wrong = "size(";
    let (one, table) = (key("a", 1), "nothing");
    let put = json!({"TableName": table, "Item": one, "ConditionExpression": wrong});
    assert_eq!(bench.refused::<aws::PutItem>(put).await, words("ConditionExpression"));
    let delete = json!({"TableName": table, "Key": one, "ConditionExpression": wrong});
    assert_eq!(bench.refused::<aws::DeleteItem>(delete).await, words("ConditionExpression"));
    let update = json!({"TableName": table, "Key": one, "UpdateExpression": "SET a = list_append("});
    assert_eq!(bench.refused::<aws::UpdateItem>(update).await, words("UpdateExpression"));
    let query = json!({"TableName": table, "KeyConditionExpression": wrong});
    assert_eq!(bench.refused::<aws::Query>(query).await, words("KeyConditionExpression"));
    let scan = json!({"TableName": table, "FilterExpression": wrong});
    assert_eq!(bench.refused::<aws::Scan>(scan).await, words("FilterExpression"));
    // The first action's table is missing; the second's expression is told.
    let there = json!({"Put": {"TableName": table, "Item": one}});
    let check = json!({"ConditionCheck": {"TableName": "orders", "Key": one, "ConditionExpression": wrong}});
    let transaction = json!({"TransactItems": [there, check]});
    assert_eq!(bench.refused::<aws::TransactWriteItems>(transaction).await, words("ConditionExpression"));

    let projection = (
        "ValidationException".to_owned(),
        "Invalid ProjectionExpression: Syntax error; token: \"!\", near: \"!!\"".to_owned(),
    );
    let get = json!({"TableName": table, "Key": one, "ProjectionExpression": "!!!"});
    assert_eq!(bench.refused::<aws::GetItem>(get.clone()).await, projection);
    let gets = json!({"TransactItems": [{"Get": get}]});
    assert_eq!(bench.refused::<aws::TransactGetItems>(gets).await, projection);
    let batch = json!({"RequestItems": {table: {"Keys": [one], "ProjectionExpression": "!!!"}}});
    assert_eq!(bench.refused::<aws::BatchGetItem>(batch).await, projection);

    let unused = "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}";
    let query = json!({
        "TableName": table, "KeyConditionExpression": "who = :w",
        "ExpressionAttributeValues": {":w": {"S": "a"}, ":v": {"S": "b"}},
    });
    assert_eq!(bench.refused::<aws::Query>(query).await.1, unused);
    let unused = "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}";
    let scan = json!({"TableName": table, "ProjectionExpression": "a", "ExpressionAttributeNames": {"#n": "n"}});
    assert_eq!(bench.refused::<aws::Scan>(scan).await.1, unused);
    let large = json!({"TableName": table, "Item": order("a", 1, json!({"x": {"S": "x".repeat(410_000)}}))});
    assert_eq!(bench.refused::<aws::PutItem>(large).await.1, "Item size has exceeded the maximum allowed size");
    // What is right is missed.
    let right = json!({"TableName": table, "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": {":w": {"S": "a"}}});
    assert_eq!(bench.refused::<aws::Query>(right).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn no_path_leads_into_a_key() {
    let bench = bench().await;
    let who = json!({":w": {"S": "ann"}});
    let query = |more: Value| {
        let mut query = json!({
            "TableName": "orders", "KeyConditionExpression": "who = :w", "ExpressionAttributeValues": who,
        });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    for (path, expected) in [
        ("who.a", "Key: who"),
        ("#at[0]", "Key: at"),
        ("price.a.b", "IndexKey: price"),
        ("#state[1]", "IndexKey: state"),
    ] {
        let head = path.split(['.', '[']).next().unwrap();
        let named = |mut input: Value| {
            if let Some(name) = head.strip_prefix('#') {
                input["ExpressionAttributeNames"] = json!({ head: name });
            }
            input
        };
        let words = format!("{SCALARS}: {expected}");
        let get = named(json!({"TableName": "orders", "Key": key("ann", 1), "ProjectionExpression": path}));
        assert_eq!(bench.refused::<aws::GetItem>(get.clone()).await.1, words);
        let (_, reasons) = cancelled::<aws::TransactGetItems>(&bench, json!({"TransactItems": [{"Get": get}]})).await;
        assert_eq!(reasons[0]["Message"], words);
        let mut keys = named(json!({"Keys": [key("ann", 1)], "ProjectionExpression": path}));
        let batch = json!({"RequestItems": {"orders": keys.take()}});
        assert_eq!(bench.refused::<aws::BatchGetItem>(batch).await.1, words);
        let parts = named(query(json!({"ProjectionExpression": path})));
        assert_eq!(bench.refused::<aws::Query>(parts).await.1, words);
        let scan = named(json!({"TableName": "orders", "FilterExpression": format!("attribute_exists({path})")}));
        assert_eq!(bench.refused::<aws::Scan>(scan).await.1, words);
        let put = json!({
            "TableName": "orders", "Item": key("ann", 1), "ConditionExpression": format!("attribute_exists({path})"),
        });
        assert_eq!(bench.refused::<aws::PutItem>(named(put)).await.1, words);
    }
    // A filter of a query may not look at its own key at all, but at that of others.
    let filter = query(json!({"FilterExpression": "attribute_exists(who)"}));
    assert_eq!(
        bench.refused::<aws::Query>(filter).await.1,
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: who"
    );
    bench.call::<aws::Query>(query(json!({"FilterExpression": "attribute_exists(price)"}))).await;
    let update = json!({
        "TableName": "orders", "Key": key("ann", 1), "UpdateExpression": "SET price.a = :w", "ExpressionAttributeValues": who,
    });
    assert_eq!(bench.refused::<aws::UpdateItem>(update).await.1, format!("{SCALARS}: IndexKey: price"));
}

#[tokio::test]
async fn a_page_begins_only_where_one_could_have_ended() {
    let bench = bench().await;
    let n = |n: i64| json!({"N": n.to_string()});
    let entry = |who: &str, at: i64, state: &str| order(who, at, json!({"state": {"S": state}}));
    let query = |index: Option<&str>, range: &str, start: &Value| {
        let (hash, text) = if index.is_some() { ("#s", "open") } else { ("who", "ann") };
        let mut query = json!({
            "TableName": "orders", "KeyConditionExpression": format!("{hash} = :h{range}"), "ExclusiveStartKey": start,
            "ExpressionAttributeValues": {":h": {"S": text}},
        });
        if !range.is_empty() {
            query["ExpressionAttributeValues"][":n"] = n(5);
            query["ExpressionAttributeNames"] = json!({"#a": "at"});
        }
        if let Some(index) = index {
            query["IndexName"] = index.into();
            query["ExpressionAttributeNames"]["#s"] = "state".into();
        }
        query
    };
    let outside = "The provided starting key is outside query boundaries based on provided conditions";
    let predicate = "The provided starting key does not match the range key predicate";
    let one_row = "The query can return at most one row and cannot be restarted";
    let by_state = Some("by-state");
    let wrong_table = format!("{START}: {MISMATCH}");
    for (index, range, start, expected) in [
        (None, "", key("bob", 1), outside),
        (None, " AND #a > :n", key("ann", 1), predicate),
        (None, " AND #a > :n", key("bob", 1), predicate),
        (None, " AND #a > :n", key("bob", 9), one_row),
        (None, "", json!({"who": {"S": "ann"}}), START),
        (None, "", order("ann", 1, json!({"x": n(1)})), START),
        (None, "", json!({"who": {"S": "ann"}, "x": n(1)}), START),
        (None, "", json!({"who": {"S": "ann"}, "at": {"S": "1"}}), MISMATCH),
        (by_state, "", entry("ann", 1, "shut"), outside),
        (by_state, " AND #a > :n", entry("ann", 1, "open"), predicate),
        (by_state, "", key("ann", 1), START),
        (by_state, "", json!({"who": {"S": "a"}, "at": n(1), "state": n(1)}), MISMATCH),
        (by_state, "", json!({"who": n(1), "at": n(1), "state": {"S": "open"}}), &wrong_table),
    ] {
        let ask = query(index, range, &start);
        assert_eq!(bench.refused::<aws::Query>(ask).await.1, expected, "{index:?} {range} {start}");
    }
    bench.call::<aws::Query>(query(None, " AND #a > :n", &key("ann", 7))).await;
    bench.call::<aws::Query>(query(by_state, "", &entry("zoe", 7, "open"))).await;

    let scan = |index: Option<&str>, start: &Value| {
        let mut scan = json!({"TableName": "orders", "ExclusiveStartKey": start});
        if let Some(index) = index {
            scan["IndexName"] = index.into();
        }
        scan
    };
    for (index, start, expected) in [
        (None, json!({"who": {"S": "ann"}}), &*wrong_table),
        (None, json!({"who": {"S": "ann"}, "at": {"S": "1"}}), &wrong_table),
        (None, entry("ann", 1, "open"), &wrong_table),
        (by_state, key("ann", 1), START),
        (by_state, order("ann", 1, json!({"x": n(1)})), START),
        (by_state, json!({"who": {"S": "a"}, "at": n(1), "state": n(1)}), MISMATCH),
        (by_state, json!({"who": n(1), "at": n(1), "state": {"S": "open"}}), &wrong_table),
    ] {
        assert_eq!(bench.refused::<aws::Scan>(scan(index, &start)).await.1, expected, "{index:?} {start}");
    }
    // In one of two segments each key is another's.
    let mut refused = 0;
    for segment in 0..2 {
        let mut ask = scan(None, &key("ann", 1));
        (ask["Segment"], ask["TotalSegments"]) = (segment.into(), 2.into());
        if let Err(fault) = bench.try_call::<aws::Scan>(ask).await {
            refused += 1;
            let words = format!(
                "{START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: 2 Segment: \
                 {segment}"
            );
            assert_eq!(fault.message, words);
        }
    }
    assert_eq!(refused, 1);
    let half = json!({"TableName": "orders", "TotalSegments": 2});
    assert_eq!(
        bench.refused::<aws::Scan>(half).await.1,
        "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"
    );
}

/// The message and the reasons of a transaction that is cancelled.
async fn cancelled<Op: contract::Operation>(bench: &Bench, input: Value) -> (String, Value)
where
    Op::Input: wire::StaticShape,
    Op::Output: wire::StaticShape,
    crate::Tables: contract::Handle<Op>,
{
    let fault = bench.try_call::<Op>(input).await.unwrap_err();
    assert_eq!(fault.code, "TransactionCanceledException", "{fault}");
    let (_, reasons) = fault.members.iter().find(|(name, _)| *name == "CancellationReasons").unwrap();
    (fault.message.clone(), reasons.clone())
}

#[tokio::test]
async fn what_is_wrong_for_a_table_cancels_a_transaction() {
    let bench = bench().await;
    let put = |item: Value| json!({"Put": {"TableName": "orders", "Item": item}});
    let wrong = |item: Value| json!({"who": {"S": "ann"}, "at": item});
    let on = |kind: &str, key: Value, more: Value| {
        let mut action = json!({"TableName": "orders", "Key": key});
        action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ kind: action })
    };
    let set = |expression: &str, value: Value| {
        json!({
            "UpdateExpression": expression, "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": {":v": value},
        })
    };
    let there = order("bob", 1, json!({"n": {"N": "1"}, "wide": {"S": "x".repeat(399_000)}}));
    bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": there})).await;
    let condition = json!({"ConditionExpression": "attribute_not_exists(n)"});
    let type_of_index = format!("{INVALID}Type mismatch for Index Key state Expected: S Actual: N IndexName: by-state");
    let larger = json!({
        "UpdateExpression": "SET more = :v", "ExpressionAttributeValues": {":v": {"S": "x".repeat(20_000)}},
    });
    for (action, expected) in [
        (put(wrong(json!({"S": "1"}))), format!("{INVALID}Type mismatch for key at expected: N actual: S")),
        (put(json!({"who": {"S": "ann"}})), format!("{INVALID}Missing the key at in the item")),
        (put(order("ann", 2, json!({"state": {"N": "1"}}))), type_of_index.clone()),
        (on("Delete", wrong(json!({"S": "1"})), json!({})), MISMATCH.to_owned()),
        (on("ConditionCheck", wrong(json!({"L": []})), condition), MISMATCH.to_owned()),
        (on("Update", wrong(json!({"S": "1"})), set("SET #s = :v", json!({"S": "x"}))), MISMATCH.to_owned()),
        (on("Update", key("ann", 2), set("SET #s = :v", json!({"N": "1"}))), type_of_index),
        (
            on("Update", key("bob", 1), set("SET #s = n, m = :v", json!({"N": "1"}))),
            "The update expression attempted to update the secondary index key to unsupported type".to_owned(),
        ),
        (
            on(
                "Update",
                key("bob", 1),
                json!({
                    "UpdateExpression": "SET wide = wide + :v", "ExpressionAttributeValues": {":v": {"N": "1"}},
                }),
            ),
            "An operand in the update expression has an incorrect data type".to_owned(),
        ),
        (on("Update", key("bob", 1), larger), "Item size to update has exceeded the maximum allowed size".to_owned()),
    ] {
        let input = json!({"TransactItems": [put(key("ann", 1)), action]});
        let (message, reasons) = cancelled::<aws::TransactWriteItems>(&bench, input).await;
        assert_eq!(
            message,
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError]"
        );
        assert_eq!(reasons, json!([{"Code": "None"}, {"Code": "ValidationError", "Message": expected}]));
    }
    let get = json!({"TableName": "orders", "Key": key("ann", 1)});
    assert_eq!(bench.call::<aws::GetItem>(get).await["Item"], Value::Null, "nothing of them was done");
    let gets = json!({"TransactItems": [
        {"Get": {"TableName": "orders", "Key": key("bob", 1)}}, {"Get": {"TableName": "orders", "Key": {}}},
    ]});
    let (_, reasons) = cancelled::<aws::TransactGetItems>(&bench, gets).await;
    assert_eq!(reasons, json!([{"Code": "None"}, {"Code": "ValidationError", "Message": MISMATCH}]));

    // What the call alone shows, and keys that are empty, are refused as a whole.
    let empty = "One or more parameter values are not valid. ";
    let value = "The AttributeValue for a key attribute cannot contain an empty string value.";
    for (action, expected) in [
        (put(key("", 1)), format!("{empty}{value} Key: who")),
        (on("Delete", key("", 1), json!({})), format!("{empty}{value} Key: who")),
        (
            put(order("ann", 1, json!({"state": {"S": ""}}))),
            format!(
                "{empty}A value specified for a secondary index key is not supported. {value} IndexName: by-state, IndexKey: state"
            ),
        ),
        (
            on("Update", key("ann", 2), set("SET #s = :v", json!({"S": ""}))),
            format!(
                "{empty}The update expression attempted to update a secondary index key to a value that is not supported. {value}"
            ),
        ),
        (
            put(order("ann", 1, json!({"x": {"S": "x".repeat(410_000)}}))),
            "Item size has exceeded the maximum allowed size".to_owned(),
        ),
    ] {
        let input = json!({"TransactItems": [put(key("zoe", 1)), action]});
        assert_eq!(bench.refused::<aws::TransactWriteItems>(input).await, ("ValidationException".to_owned(), expected));
    }
}

#[tokio::test]
async fn the_key_of_an_index_stays_one() {
    let bench = bench().await;
    let item = order("ann", 1, json!({"n": {"N": "1"}, "bare": {"S": ""}, "wide": {"S": "x".repeat(3_000)}}));
    bench.call::<aws::PutItem>(json!({"TableName": "orders", "Item": item})).await;
    let update = |expression: &str, value: Option<Value>| {
        let mut update = json!({"TableName": "orders", "Key": key("ann", 1), "UpdateExpression": expression});
        if expression.contains('#') {
            update["ExpressionAttributeNames"] = json!({"#s": "state"});
        }
        if let Some(value) = value {
            update["ExpressionAttributeValues"] = json!({ ":v": value });
        }
        update
    };
    let attempted = "The update expression attempted to update the secondary index key";
    let empty = "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a \
                 value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.";
    for (expression, value, expected) in [
        (
            "SET #s = :v",
            Some(json!({"N": "1"})),
            format!("{INVALID}Type mismatch for Index Key state Expected: S Actual: N IndexName: by-state"),
        ),
        (
            "ADD #s :v",
            Some(json!({"SS": ["a"]})),
            format!("{INVALID}Type mismatch for Index Key state Expected: S Actual: SS IndexName: by-state"),
        ),
        ("SET #s = n", None, format!("{attempted} to unsupported type")),
        ("SET price = if_not_exists(price, wide)", None, format!("{attempted} to unsupported type")),
        ("SET #s = wide", None, format!("{attempted} beyond allowed size limits")),
        ("SET #s = :v", Some(json!({"S": ""})), empty.to_owned()),
        ("SET #s = bare", None, empty.to_owned()),
    ] {
        let refused = bench.refused::<aws::UpdateItem>(update(expression, value)).await;
        assert_eq!(refused, ("ValidationException".to_owned(), expected), "{expression}");
    }
    let legacy = json!({
        "TableName": "orders", "Key": key("ann", 1), "AttributeUpdates": {"price": {"Value": {"S": "x"}}},
    });
    assert_eq!(
        bench.refused::<aws::UpdateItem>(legacy).await.1,
        format!("{INVALID}Type mismatch for Index Key price Expected: N Actual: S IndexName: by-price")
    );
    let put = |state: String| json!({"TableName": "orders", "Item": order("bob", 1, json!({"state": {"S": state}}))});
    bench.call::<aws::PutItem>(put("x".repeat(2_048))).await;
    assert_eq!(
        bench.refused::<aws::PutItem>(put("x".repeat(2_049))).await.1,
        format!(
            "{INVALID}Size of index key has exceeded the maximum size limit of 2048 bytes. IndexName: by-state, IndexKey: state"
        )
    );
    assert_eq!(
        bench.refused::<aws::PutItem>(put(String::new())).await.1,
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
         AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-state, IndexKey: state"
    );
    bench.call::<aws::UpdateItem>(update("SET #s = :v", Some(json!({"S": "open"})))).await;
    bench.call::<aws::UpdateItem>(update("REMOVE #s", None)).await;
}
