//! Key conditions, and filters beside them, case by case.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use item::expression::{
    Clause, Condition, Invalid, KeyCondition, KeyNames, KeySchema, KeyTest, KeyTests, ParsedCondition, Placeholders,
};
use item::{Kind, Value, json};
use serde_json::{Value as Json, json};

fn bound(clause: Clause, text: &str, values: &Json) -> Result<Condition, Invalid> {
    let values = if values.is_null() { None } else { Some(json::read_item(values).unwrap()) };
    ParsedCondition::parse(clause, text)?.bind(&mut Placeholders::new(None, values)?)
}

fn key(text: &str, values: &Json) -> Result<KeyCondition, String> {
    let schema = KeySchema { hash: ("pk", Kind::S), range: Some(("sk", Kind::N)) };
    let condition = bound(Clause::KeyCondition, text, values).map_err(|fault| fault.to_string())?;
    KeyTests::split(&condition).and_then(|tests| tests.on(schema)).map_err(|fault| fault.to_string())
}

#[test]
fn key_conditions_are_taken_apart() {
    let number = |number: i64| Value::from(number);
    let values = |others: Json| {
        let mut values = json!({":p": {"S": "q"}});
        values.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        values
    };
    for (text, others, expected) in [
        ("pk = :p", json!({}), None),
        (":p = pk", json!({}), None),
        ("pk = :p AND sk = :a", json!({":a": {"N": "1"}}), Some(KeyTest::Equal(number(1)))),
        ("sk < :a AND pk = :p", json!({":a": {"N": "1"}}), Some(KeyTest::Less(number(1)))),
        ("(pk = :p AND (:a <= sk))", json!({":a": {"N": "1"}}), Some(KeyTest::GreaterOrEqual(number(1)))),
        (
            "pk = :p AND sk BETWEEN :a AND :b",
            json!({":a": {"N": "1"}, ":b": {"N": "2"}}),
            Some(KeyTest::Between(number(1), number(2))),
        ),
    ] {
        let expected = KeyCondition { hash: Value::from("q"), range: expected };
        assert_eq!(key(text, &values(others)), Ok(expected), "{text}");
    }
    let schema = "One or more parameter values were invalid: Condition parameter type does not match schema type";
    let operand =
        "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: ";
    for (text, others, expected) in [
        ("pk = :p AND sk > :a AND sk < :b", json!({":a": {"N": "1"}, ":b": {"N": "5"}}),
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key".to_owned()),
        ("pk = :p AND sk > :a AND extra = :b", json!({":a": {"N": "1"}, ":b": {"N": "5"}}),
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)".to_owned()),
        ("sk = :p", json!({}), "Query condition missed key schema element: pk".to_owned()),
        ("attr1 = :p", json!({}), "Query condition missed key schema element: pk".to_owned()),
        ("pk = :p AND attr1 = :p", json!({}), "Query condition missed key schema element: sk".to_owned()),
        ("pk > :p", json!({}), "Query key condition not supported".to_owned()),
        ("pk <> :p", json!({}), "Invalid operator used in KeyConditionExpression: <>".to_owned()),
        ("pk = :p OR sk = :p", json!({}), "Invalid operator used in KeyConditionExpression: OR".to_owned()),
        ("NOT pk = :p", json!({}), "Invalid operator used in KeyConditionExpression: NOT".to_owned()),
        ("pk IN (:p)", json!({}), "Invalid operator used in KeyConditionExpression: IN".to_owned()),
        ("pk = :p AND contains(sk, :p)", json!({}), "Invalid operator used in KeyConditionExpression: contains".to_owned()),
        ("pk = :p AND size(sk) = :a", json!({":a": {"N": "1"}}),
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations".to_owned()),
        ("pk = :p AND sk.foo = :a", json!({":a": {"N": "1"}}),
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes".to_owned()),
        ("pk = :p AND sk = pk", json!({}),
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition".to_owned()),
        ("pk = :p AND :p = :p", json!({}),
            "Invalid condition in KeyConditionExpression: No key attribute specified".to_owned()),
        ("pk = :p AND :p BETWEEN sk AND sk", json!({}),
            "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand".to_owned()),
        ("pk = :p AND sk = :a", json!({":a": {"S": "1"}}), schema.to_owned()),
        ("pk = :p AND sk = :a", json!({":a": {"BOOL": true}}), schema.to_owned()),
        ("pk = :p AND begins_with(sk, :a)", json!({":a": {"S": "a"}}), schema.to_owned()),
        ("pk = :p AND begins_with(sk, :a)", json!({":a": {"N": "1"}}), format!("{operand}begins_with, operand type: N")),
        ("pk = :p AND sk < :a", json!({":a": {"BOOL": true}}), format!("{operand}<, operand type: BOOL")),
        ("pk = :p AND :a >= sk", json!({":a": {"BOOL": true}}), format!("{operand}>=, operand type: BOOL")),
        ("pk = :p AND sk BETWEEN :a AND :b", json!({":a": {"BOOL": false}, ":b": {"BOOL": true}}),
            format!("{operand}BETWEEN, operand type: BOOL")),
        ("begins_with(sk, :n) AND pk = :absent", json!({":n": {"N": "1"}}), format!("{operand}begins_with, operand type: N")),
        ("pk = :absent AND begins_with(sk, :n)", json!({":n": {"N": "1"}}),
            "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; attribute value: \
             :absent".to_owned()),
    ] {
        assert_eq!(key(text, &values(others)), Err(expected), "{text}");
    }
    assert_eq!(
        key("pk = :p", &json!({":p": {"S": ""}})),
        Err("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string \
             value. Key: pk"
            .to_owned())
    );
}

#[test]
fn filters_keep_off_the_key() {
    let filter = bound(Clause::Filter, "attribute_exists(a.b) AND attribute_exists(pk)", &json!(null)).unwrap();
    assert_eq!(
        filter.check_filter(&["pk", "sk"], "Filter Expression").unwrap_err().to_string(),
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: pk"
    );
    assert_eq!(filter.check_filter(&["sk"], "Filter Expression"), Ok(()));
    assert_eq!(filter.attributes(), ["a", "pk"]);
    let names = |table, indexes| KeyNames { table: vec![table], indexes: vec![indexes] };
    assert_eq!(filter.check_key_paths(&names("pk", "b")), Ok(()));
    let scalars = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed";
    for (table, indexes, expected) in [("a", "c", "Key: a"), ("c", "a", "IndexKey: a")] {
        let refused = filter.check_key_paths(&names(table, indexes)).unwrap_err();
        assert_eq!(refused.to_string(), format!("{scalars}: {expected}"));
    }
}
