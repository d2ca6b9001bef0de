//! The parameters that came before expressions, case by case.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use std::collections::BTreeMap;

use item::expression::{Condition, Invalid, KeyCondition, KeySchema, KeyTest};
use item::legacy::{self, ActionKind, AttributeUpdate, Comparison, Expected, Join, Operator};
use item::{Item, Kind, Packed, Value, json, packed};
use serde_json::{Value as Json, json};

fn item() -> Item {
    json::read_item(&json!({
        "pk": {"S": "a"},
        "name": {"S": "hello-world"},
        "n": {"N": "5"},
        "tags": {"SS": ["a", "b"]},
        "list": {"L": [{"S": "x"}]},
    }))
    .unwrap()
}

fn holds(condition: &Condition) -> bool {
    let bytes = packed::pack(&item());
    condition.holds(Some(Packed::new(&bytes).unwrap())).unwrap()
}

fn values(list: &Json) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|value| json::read(value).unwrap()).collect()
}

fn comparison(operator: Operator, list: &Json) -> Comparison {
    Comparison { operator, values: values(list) }
}

fn filter(attribute: &str, operator: Operator, list: Json) -> Result<Condition, Invalid> {
    legacy::filter(BTreeMap::from([(attribute.to_owned(), comparison(operator, &list))]), None)
}

#[test]
fn every_comparison_is_what_it_says() {
    for (attribute, operator, list, expected) in [
        ("n", Operator::Eq, json!([{"N": "5.0"}]), true),
        ("absent", Operator::Eq, json!([{"N": "5.0"}]), false),
        ("n", Operator::Ne, json!([{"N": "5.0"}]), false),
        ("absent", Operator::Ne, json!([{"N": "5.0"}]), true),
        ("n", Operator::Lt, json!([{"N": "6"}]), true),
        ("n", Operator::Le, json!([{"N": "5"}]), true),
        ("n", Operator::Gt, json!([{"N": "5"}]), false),
        ("n", Operator::Ge, json!([{"N": "5"}]), true),
        ("n", Operator::Between, json!([{"N": "5"}, {"N": "6"}]), true),
        ("n", Operator::In, json!([{"N": "1"}, {"N": "5"}]), true),
        ("n", Operator::NotNull, json!([]), true),
        ("n", Operator::Null, json!([]), false),
        ("absent", Operator::Null, json!([]), true),
        ("name", Operator::Contains, json!([{"S": "lo-w"}]), true),
        ("tags", Operator::Contains, json!([{"S": "b"}]), true),
        ("tags", Operator::NotContains, json!([{"S": "b"}]), false),
        ("tags", Operator::NotContains, json!([{"S": "c"}]), true),
        ("name", Operator::BeginsWith, json!([{"S": "hello"}]), true),
    ] {
        assert_eq!(holds(&filter(attribute, operator, list).unwrap()), expected, "{attribute} {operator:?}");
    }
    for operator in Operator::ALL {
        assert_eq!(Operator::from_name(operator.as_str()), Some(operator));
    }
}

#[test]
fn comparisons_are_refused_in_dynamodbs_words() {
    let invalid = "One or more parameter values were invalid: ";
    for (operator, list, expected) in [
        (Operator::Eq, json!([]), format!("{invalid}Invalid number of argument(s) for the EQ ComparisonOperator")),
        (
            Operator::Null,
            json!([{"S": "a"}]),
            format!("{invalid}Invalid number of argument(s) for the NULL ComparisonOperator"),
        ),
        (
            Operator::In,
            json!([{"S": "a"}, {"N": "1"}]),
            format!("{invalid}AttributeValues inside AttributeValueList must be of same type"),
        ),
        (
            Operator::Lt,
            json!([{"BOOL": true}]),
            format!("{invalid}ComparisonOperator LT is not valid for BOOL AttributeValue type"),
        ),
        (
            Operator::BeginsWith,
            json!([{"N": "1"}]),
            format!("{invalid}ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
        ),
        (
            Operator::Between,
            json!([{"N": "2"}, {"N": "1"}]),
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
                .to_owned(),
        ),
    ] {
        assert_eq!(filter("n", operator, list).unwrap_err().to_string(), expected);
    }
}

fn expected_of(pairs: &[(&str, Expected)], join: Option<Join>) -> Result<Condition, Invalid> {
    legacy::expected(pairs.iter().map(|(name, expected)| ((*name).to_owned(), expected.clone())).collect(), join)
}

#[test]
fn what_is_expected_is_a_condition() {
    let value = |value: i64| Expected { value: Some(Value::from(value)), ..Expected::default() };
    let absent = Expected { exists: Some(false), ..Expected::default() };
    assert!(holds(&expected_of(&[("n", value(5))], None).unwrap()));
    assert!(!holds(&expected_of(&[("n", value(5)), ("pk", absent.clone())], None).unwrap()));
    assert!(holds(&expected_of(&[("n", value(5)), ("pk", absent.clone())], Some(Join::Or)).unwrap()));
    assert!(holds(&expected_of(&[], None).unwrap()));
    assert_eq!(expected_of(&[("pk", absent)], None).unwrap().holds(None), Ok(true));

    let invalid = "One or more parameter values were invalid: ";
    let one = || Some(Value::from(1));
    for (expected, words) in [
        (
            Expected { value: one(), values: Some(vec![]), ..Expected::default() },
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            Expected { exists: Some(true), operator: Some(Operator::Eq), ..Expected::default() },
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            Expected { operator: Some(Operator::Eq), ..Expected::default() },
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            Expected { values: Some(vec![]), ..Expected::default() },
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (Expected::default(), "Value must be provided when Exists is null for Attribute: a"),
        (
            Expected { exists: Some(true), ..Expected::default() },
            "Value must be provided when Exists is true for Attribute: a",
        ),
        (
            Expected { exists: Some(false), value: one(), ..Expected::default() },
            "Value cannot be used when Exists is false for Attribute: a",
        ),
    ] {
        assert_eq!(expected_of(&[("a", expected)], None).unwrap_err().to_string(), format!("{invalid}{words}"));
    }
    assert_eq!(
        expected_of(&[("a", value(1))], Some(Join::And)).unwrap_err().to_string(),
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    );
    assert_eq!(
        expected_of(&[], Some(Join::And)).unwrap_err().to_string(),
        "ConditionalOperator cannot be used without Filter or Expected"
    );
}

fn updated(pairs: Json) -> Result<Item, Invalid> {
    let pairs = pairs.as_object().unwrap().iter().map(|(name, update)| {
        let action = match update["Action"].as_str() {
            None | Some("PUT") => ActionKind::Put,
            Some("ADD") => ActionKind::Add,
            other => {
                assert_eq!(other, Some("DELETE"));
                ActionKind::Delete
            }
        };
        let value = update.get("Value").map(|value| json::read(value).unwrap());
        (name.clone(), AttributeUpdate { action, value })
    });
    legacy::updates(pairs.collect())?.apply(&item())
}

#[test]
fn updates_of_attributes_are_updates() {
    let new = updated(json!({
        "name": {"Value": {"N": "1"}},
        "n": {"Action": "ADD", "Value": {"N": "-2"}},
        "fresh": {"Action": "ADD", "Value": {"N": "3"}},
        "tags": {"Action": "DELETE", "Value": {"SS": ["a"]}},
        "list": {"Action": "ADD", "Value": {"L": [{"S": "y"}]}},
        "absent": {"Action": "DELETE"},
    }))
    .unwrap();
    let expected = json!({
        "fresh": {"N": "3"},
        "list": {"L": [{"S": "x"}, {"S": "y"}]},
        "n": {"N": "3"},
        "name": {"N": "1"},
        "pk": {"S": "a"},
        "tags": {"SS": ["b"]},
    });
    assert_eq!(json::write_item(&new), expected);
    let invalid = "One or more parameter values were invalid: ";
    for (update, expected) in [
        (
            json!({"a": {"Action": "PUT"}}),
            format!("{invalid}Only DELETE action is allowed when no attribute value is specified"),
        ),
        (
            json!({"a": {"Action": "DELETE", "Value": {"S": "x"}}}),
            format!("{invalid}DELETE action with value is not supported for the type S"),
        ),
        (
            json!({"a": {"Action": "ADD", "Value": {"BOOL": true}}}),
            format!("{invalid}ADD action is not supported for the type BOOL"),
        ),
        (json!({"name": {"Action": "ADD", "Value": {"N": "1"}}}), "Type mismatch for attribute to update".to_owned()),
    ] {
        assert_eq!(updated(update).unwrap_err().to_string(), expected);
    }
}

#[test]
fn keys_attributes_and_both_worlds() {
    let schema = KeySchema { hash: ("pk", Kind::S), range: Some(("sk", Kind::S)) };
    let keys = |pairs: &[(&str, Operator, Json)]| {
        let pairs = pairs.iter().map(|(name, operator, list)| ((*name).to_owned(), comparison(*operator, list)));
        legacy::key_conditions(pairs.collect()).and_then(|tests| tests.on(schema)).map_err(|fault| fault.to_string())
    };
    let eq = ("pk", Operator::Eq, json!([{"S": "a"}]));
    assert_eq!(
        keys(&[eq.clone(), ("sk", Operator::BeginsWith, json!([{"S": "b"}]))]),
        Ok(KeyCondition { hash: Value::from("a"), range: Some(KeyTest::BeginsWith(Value::from("b"))) })
    );
    assert_eq!(
        keys(&[eq, ("sk", Operator::Contains, json!([{"S": "b"}]))]),
        Err("Attempted conditional constraint is not an indexable operation".to_owned())
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wanted = legacy::attributes_to_get(&names(&["n", "absent"])).unwrap().take_of(&item());
    assert_eq!(json::write_item(&wanted), json!({"n": {"N": "5"}}));
    assert_eq!(
        legacy::attributes_to_get(&names(&["n", "n"])).unwrap_err().to_string(),
        "One or more parameter values were invalid: Duplicate value in attribute name: n"
    );
    assert_eq!(
        legacy::check_worlds(&[("ConditionExpression", true)], &[("Expected", true), ("ConditionalOperator", false)])
            .unwrap_err()
            .to_string(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} \
         Expression parameters: {ConditionExpression}"
    );
    assert_eq!(legacy::check_worlds(&[("ConditionExpression", false)], &[("Expected", true)]), Ok(()));
}
