//! The parameters that came before expressions, through the operations.

use serde_json::{Value, json};

use super::items::{bench, key, order};
use super::{Bench, aws};

const MIXED: &str =
    "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: ";
const ALONE: &str = "ConditionalOperator cannot be used without Filter or Expected";
const FOR_ONE: &str = "ConditionalOperator can only be used when Filter or Expected has two or more elements";

/// A comparison with some values.
fn compared(operator: &str, values: Value) -> Value {
    json!({"ComparisonOperator": operator, "AttributeValueList": values})
}

fn is(value: &Value) -> Value {
    compared("EQ", json!([value]))
}

async fn filled() -> Bench {
    let bench = bench().await;
    for at in 0..6 {
        let more = json!({"state": {"S": if at < 3 { "open" } else { "shut" }}, "n": {"N": (at % 3).to_string()}});
        let put = json!({"TableName": "orders", "Item": order("ann", at, more)});
        bench.call::<aws::PutItem>(put).await;
    }
    bench
}

/// The values of `at` of a page's items.
fn ats(page: &Value) -> Vec<i64> {
    let at = |item: &Value| item["at"]["N"].as_str().unwrap().parse().unwrap();
    let mut ats: Vec<i64> = page["Items"].as_array().unwrap().iter().map(at).collect();
    ats.sort_unstable();
    ats
}

fn with(mut input: Value, more: &Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn pages_are_asked_for_without_expressions() {
    let bench = filled().await;
    let who = json!({"who": is(&json!({"S": "ann"}))});
    let query = json!({"TableName": "orders", "KeyConditions": who});
    let n = |n: i64| json!({"N": n.to_string()});
    let (open, one) = (is(&json!({"S": "open"})), is(&n(1)));
    for (more, expected) in [
        (json!({}), vec![0, 1, 2, 3, 4, 5]),
        (
            json!({"KeyConditions": {"who": who["who"], "at": compared("BETWEEN", json!([n(1), n(4)]))}}),
            vec![1, 2, 3, 4],
        ),
        (json!({"QueryFilter": {"state": open}}), vec![0, 1, 2]),
        (json!({"QueryFilter": {"state": open, "n": one}}), vec![1]),
        (json!({"QueryFilter": {"state": open, "n": one}, "ConditionalOperator": "AND"}), vec![1]),
        (json!({"QueryFilter": {"state": open, "n": one}, "ConditionalOperator": "OR"}), vec![0, 1, 2, 4]),
        (json!({"QueryFilter": {}}), vec![0, 1, 2, 3, 4, 5]),
        // Key conditions of the old kind go with expressions of other kinds.
        (json!({"FilterExpression": "n = :n", "ExpressionAttributeValues": {":n": n(2)}}), vec![2, 5]),
        (json!({"QueryFilter": {"n": compared("IN", json!([n(0), n(2)]))}}), vec![0, 2, 3, 5]),
    ] {
        let page = bench.call::<aws::Query>(with(query.clone(), &more)).await;
        assert_eq!(ats(&page), expected, "{more}");
    }
    let page = bench.call::<aws::Query>(with(query, &json!({"AttributesToGet": ["at", "absent"]}))).await;
    assert_eq!(page["Items"][1], json!({"at": {"N": "1"}}));
    let scan = json!({"TableName": "orders"});
    for (more, expected) in [
        (json!({"ScanFilter": {"at": compared("GT", json!([n(3)]))}}), vec![4, 5]),
        (json!({"ScanFilter": {"state": open, "n": one}, "ConditionalOperator": "OR"}), vec![0, 1, 2, 4]),
        (json!({"ScanFilter": {"absent": {"ComparisonOperator": "NOT_NULL"}}}), vec![]),
    ] {
        let page = bench.call::<aws::Scan>(with(scan.clone(), &more)).await;
        assert_eq!(ats(&page), expected, "{more}");
    }
    let get = json!({"TableName": "orders", "Key": key("ann", 2), "AttributesToGet": ["n"]});
    assert_eq!(bench.call::<aws::GetItem>(get).await["Item"], json!({"n": {"N": "2"}}));
}

#[tokio::test]
async fn pages_are_refused_in_the_words_of_dynamodb() {
    let bench = filled().await;
    let ann = is(&json!({"S": "ann"}));
    let query = json!({"TableName": "orders", "KeyConditions": {"who": ann}});
    let (a, both) = (is(&json!({"S": "x"})), json!({":v": {"S": "x"}}));
    let missing = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.";
    let names = json!({"#a": "a"});
    for (more, expected) in [
        (
            json!({"QueryFilter": {"at": is(&json!({"N": "1"}))}}),
            "QueryFilter can only contain non-primary key attributes: Primary key attribute: at".to_owned(),
        ),
        (
            json!({"KeyConditions": {"state": a}, "IndexName": "by-state", "QueryFilter": {"state": a, "who": a}}),
            "QueryFilter can only contain non-primary key attributes: Primary key attribute: state".to_owned(),
        ),
        (json!({"ConditionalOperator": "AND"}), ALONE.to_owned()),
        (json!({"ConditionalOperator": "AND", "QueryFilter": {}}), ALONE.to_owned()),
        (json!({"ConditionalOperator": "AND", "QueryFilter": {"a": a}}), FOR_ONE.to_owned()),
        (json!({"ConditionalOperator": "OR", "KeyConditions": null}), ALONE.to_owned()),
        (json!({"KeyConditions": null}), missing.to_owned()),
        (
            json!({"KeyConditions": null, "KeyConditionExpression": "who = :v", "ExpressionAttributeValues": both,
                   "ConditionalOperator": "AND"}),
            format!("{MIXED}{{ConditionalOperator}} Expression parameters: {{KeyConditionExpression}}"),
        ),
        (
            json!({"KeyConditionExpression": "who = :v", "ExpressionAttributeValues": both, "QueryFilter": {"a": a},
                   "ConditionalOperator": "AND", "FilterExpression": "a = :v", "ProjectionExpression": "b"}),
            format!(
                "{MIXED}{{QueryFilter, ConditionalOperator, KeyConditions}} Expression parameters: {{ProjectionExpression, \
                 FilterExpression, KeyConditionExpression}}"
            ),
        ),
        (
            json!({"AttributesToGet": ["a"], "FilterExpression": "a = :v", "ExpressionAttributeValues": both}),
            format!("{MIXED}{{AttributesToGet}} Expression parameters: {{FilterExpression}}"),
        ),
        (
            json!({"ExpressionAttributeNames": names}),
            "ExpressionAttributeNames can only be specified when using expressions".to_owned(),
        ),
        (
            json!({"ExpressionAttributeValues": both, "ProjectionExpression": "a"}),
            "ExpressionAttributeValues can only be specified when using expressions: FilterExpression and \
             KeyConditionExpression are null"
                .to_owned(),
        ),
        (
            json!({"KeyConditions": {"who": ann, "at": compared("CONTAINS", json!([{"N": "1"}]))}}),
            "Attempted conditional constraint is not an indexable operation".to_owned(),
        ),
    ] {
        let mut input = with(query.clone(), &more);
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(bench.refused::<aws::Query>(input).await.1, expected, "{more}");
    }
    for (more, expected) in [
        (json!({"ConditionalOperator": "OR"}), ALONE.to_owned()),
        (json!({"ConditionalOperator": "AND", "AttributesToGet": ["a", "b"]}), ALONE.to_owned()),
        (json!({"ConditionalOperator": "AND", "ScanFilter": {"a": a}}), FOR_ONE.to_owned()),
        (
            json!({"ConditionalOperator": "AND", "ProjectionExpression": "a"}),
            format!("{MIXED}{{ConditionalOperator}} Expression parameters: {{ProjectionExpression}}"),
        ),
        (
            json!({"ScanFilter": {"a": a}, "ProjectionExpression": "a"}),
            format!("{MIXED}{{ScanFilter}} Expression parameters: {{ProjectionExpression}}"),
        ),
        (
            json!({"ExpressionAttributeValues": both}),
            "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null"
                .to_owned(),
        ),
    ] {
        let input = with(json!({"TableName": "orders"}), &more);
        assert_eq!(bench.refused::<aws::Scan>(input).await.1, expected, "{more}");
    }
}

#[tokio::test]
async fn writes_join_conditions_or_are_refused() {
    let bench = filled().await;
    let two = json!({"state": {"Value": {"S": "open"}}, "n": {"Value": {"N": "9"}}});
    let put = |more: Value| with(json!({"TableName": "orders", "Item": key("ann", 1)}), &more);
    let delete = |more: Value| with(json!({"TableName": "orders", "Key": key("ann", 1)}), &more);
    assert_eq!(bench.refused::<aws::PutItem>(put(json!({"Expected": two}))).await.0, "ConditionalCheckFailedException");
    let or = json!({"Expected": two, "ConditionalOperator": "OR"});
    let update = with(delete(or.clone()), &json!({"AttributeUpdates": {"n": {"Action": "ADD", "Value": {"N": "1"}}}}));
    bench.call::<aws::UpdateItem>(update).await;
    let old = with(delete(or.clone()), &json!({"ReturnValues": "ALL_OLD"}));
    assert_eq!(bench.call::<aws::DeleteItem>(old).await["Attributes"]["n"], json!({"N": "2"}));
    assert_eq!(bench.refused::<aws::PutItem>(put(or)).await.0, "ConditionalCheckFailedException", "nothing is there");
    let one = json!({"Expected": {"n": {"Exists": false}}, "ConditionalOperator": "AND"});
    let alone = json!({"ConditionalOperator": "AND"});
    for (more, expected) in [(&one, FOR_ONE), (&alone, ALONE)] {
        assert_eq!(bench.refused::<aws::PutItem>(put(more.clone())).await.1, expected);
        assert_eq!(bench.refused::<aws::DeleteItem>(delete(more.clone())).await.1, expected);
        assert_eq!(bench.refused::<aws::UpdateItem>(delete(more.clone())).await.1, expected);
    }
    let mixed = json!({"ConditionExpression": "attribute_exists(n)", "ConditionalOperator": "AND"});
    let words = format!("{MIXED}{{ConditionalOperator}} Expression parameters: {{ConditionExpression}}");
    assert_eq!(bench.refused::<aws::PutItem>(put(mixed)).await.1, words);
    let mixed = json!({
        "AttributeUpdates": {"a": {"Value": {"S": "v"}}}, "Expected": two, "ConditionalOperator": "AND",
        "UpdateExpression": "SET a = :v", "ConditionExpression": "attribute_exists(n)",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    });
    assert_eq!(
        bench.refused::<aws::UpdateItem>(delete(mixed)).await.1,
        format!(
            "{MIXED}{{AttributeUpdates, Expected, ConditionalOperator}} Expression parameters: {{UpdateExpression, \
             ConditionExpression}}"
        )
    );
}
