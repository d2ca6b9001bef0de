//! Expressions as DynamoDB takes and refuses them, case by case.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

mod conditions;
mod updates;

use std::collections::BTreeMap;

use item::expression::{Clause, Condition, Invalid, ParsedCondition, ParsedProjection, Placeholders};
use item::{Item, Packed, json, packed};
use serde_json::{Value as Json, json};

/// What the cases below speak of.
fn order() -> Item {
    json::read_item(&json!({
        "pk": {"S": "order-17"},
        "price": {"N": "19.90"},
        "seal": {"B": "AAEC/w=="},
        "paid": {"BOOL": true},
        "note": {"NULL": true},
        "entries": {"L": [{"M": {"sku": {"S": "a"}, "n": {"N": "2"}}}, {"S": "gift"}]},
        "labels": {"SS": ["red", "new"]},
        "sizes": {"NS": ["9", "10"]},
        "who": {"M": {"given": {"S": "Ada"}, "größe": {"S": "𝒳y"}}},
        "blank": {"L": []},
    }))
    .unwrap()
}

fn names(pairs: &Json) -> Option<BTreeMap<String, String>> {
    let pairs = pairs.as_object()?;
    Some(pairs.iter().map(|(key, name)| (key.clone(), name.as_str().unwrap().to_owned())).collect())
}

fn placeholders(names_of: &Json, values: &Json) -> Result<Placeholders, Invalid> {
    let values = if values.is_null() { None } else { Some(json::read_item(values).unwrap()) };
    Placeholders::new(names(names_of), values)
}

fn bound(clause: Clause, text: &str, names: &Json, values: &Json) -> Result<Condition, Invalid> {
    let mut placeholders = placeholders(names, values)?;
    let condition = ParsedCondition::parse(clause, text)?.bind(&mut placeholders)?;
    placeholders.check_used()?;
    Ok(condition)
}

fn holds(text: &str, names: &Json, values: &Json) -> bool {
    let bytes = packed::pack(&order());
    let condition = bound(Clause::Condition, text, names, values).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    condition.holds(Some(Packed::new(&bytes).unwrap())).unwrap()
}

#[test]
fn expressions_are_bounded() {
    let refusal = |text: &str| ParsedCondition::parse(Clause::Filter, text).unwrap_err().to_string();
    let chain = |count: usize| vec!["attribute_exists(a)"; count].join(" OR ");
    // 150 functions and 149 operators between them.
    assert!(ParsedCondition::parse(Clause::Filter, &chain(150)).is_ok());
    assert_eq!(
        refusal(&chain(151)),
        "Invalid FilterExpression: The expression contains too many operators; operator count: 301"
    );
    assert_eq!(
        refusal(&"a".repeat(4097)),
        "Invalid FilterExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"
    );
    // Deep, and neither a crash nor slow.
    assert!(refusal(&"(".repeat(4096)).contains("token: \"<EOF>\""));
    assert!(refusal(&format!("{}a = b{}", "(".repeat(2000), ")".repeat(2000))).contains("redundant parentheses"));
    assert!(refusal(&format!("{}attribute_exists(a)", "NOT ".repeat(1000))).contains("operator count: 1001"));
    assert!(refusal(&"size(".repeat(800)).contains("nested too deeply"));
    assert!(refusal(&format!("a[{}] = :v", "9".repeat(4000))).contains("not within the allowable range"));
    let path = vec!["a"; 33].join(".");
    let fault = bound(Clause::Filter, &format!("attribute_exists({path})"), &json!(null), &json!(null)).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "Invalid FilterExpression: The document path has too many nesting levels; nesting levels: 33"
    );
    let values: serde_json::Map<String, Json> = (0..101).map(|n| (format!(":v{n}"), json!({"S": "x"}))).collect();
    let list: Vec<&str> = values.keys().map(String::as_str).collect();
    let fault =
        bound(Clause::Filter, &format!("a IN ({})", list.join(", ")), &json!(null), &Json::Object(values.clone()));
    assert_eq!(
        fault.unwrap_err().to_string(),
        "Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 101"
    );
}

#[test]
fn placeholders_are_checked_and_must_be_used() {
    let n = json!(null);
    let refusal = |names: &Json, values: &Json| placeholders(names, values).unwrap_err().to_string();
    assert_eq!(refusal(&json!({}), &n), "ExpressionAttributeNames must not be empty");
    assert_eq!(refusal(&n, &json!({})), "ExpressionAttributeValues must not be empty");
    assert_eq!(
        refusal(&json!({"s": "status"}), &n),
        "ExpressionAttributeNames contains invalid key: Syntax error; key: \"s\""
    );
    assert_eq!(
        refusal(&n, &json!({":a-b": {"S": ""}})),
        "ExpressionAttributeValues contains invalid key: Syntax error; key: \":a-b\""
    );
    assert_eq!(
        refusal(&json!({format!("#{}", "a".repeat(255)): "x"}), &n),
        "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of \
         key: 256"
    );
    assert_eq!(
        refusal(&json!({"#a": ""}), &n),
        "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"
    );
    let unused = bound(Clause::Condition, "attribute_exists(a)", &json!({"#unused": "x"}), &n).unwrap_err();
    assert_eq!(unused.to_string(), "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}");
    let unused = bound(Clause::Condition, "a = :a", &n, &json!({":a": {"S": ""}, ":v": {"S": ""}, ":b": {"S": ""}}));
    assert_eq!(
        unused.unwrap_err().to_string(),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b, :v}"
    );
}

/// The same, with the names of maps in their order.
fn sorted(document: &Json) -> Json {
    json::write_item(&json::read_item(document).unwrap())
}

#[test]
fn projections_take_what_they_say() {
    let n = json!(null);
    let take = |text: &str, names: &Json| -> Result<Item, Invalid> {
        let mut placeholders = placeholders(names, &json!(null))?;
        let projection = ParsedProjection::parse(text)?.bind(&mut placeholders)?;
        placeholders.check_used()?;
        let bytes = packed::pack(&order());
        let taken = projection.take(Packed::new(&bytes).unwrap())?;
        assert_eq!(taken, projection.take_of(&order()), "{text}");
        Ok(taken)
    };
    for (text, names, expected) in [
        ("pk, absent", &n, json!({"pk": {"S": "order-17"}})),
        (
            "who.given, #p",
            &json!({"#p": "paid"}),
            json!({"who": {"M": {"given": {"S": "Ada"}}}, "paid": {"BOOL": true}}),
        ),
        ("entries[1], entries[0].n", &n, json!({"entries": {"L": [{"M": {"n": {"N": "2"}}}, {"S": "gift"}]}})),
        ("entries[7], who.x.y, pk.a", &n, json!({})),
        ("blank", &n, json!({"blank": {"L": []}})),
    ] {
        assert_eq!(take(text, names).map(|item| json::write_item(&item)), Ok(sorted(&expected)), "{text}");
    }
    for (text, expected) in [
        ("", "The expression can not be empty;"),
        ("!!", "Syntax error; token: \"!\", near: \"!!\""),
        (
            "a, a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
        ),
        (
            "a.b, a[0]",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [0]]",
        ),
        ("a, data", "Attribute name is a reserved keyword; reserved keyword: data"),
        ("#a", "An expression attribute name used in the document path is not defined; attribute name: #a"),
        ("a = b", "Syntax error; token: \"=\", near: \"a = b\""),
    ] {
        let fault = take(text, &n).unwrap_err().to_string();
        assert_eq!(fault, format!("Invalid ProjectionExpression: {expected}"), "{text}");
    }
}
