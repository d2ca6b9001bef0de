//! Expressions as DynamoDB takes and refuses them, case by case.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use std::collections::BTreeMap;

use item::expression::{Clause, Condition, Invalid, ParsedCondition, ParsedProjection, ParsedUpdate, Placeholders};
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
fn conditions_are_what_they_say() {
    let n = json!(null);
    let v = json!({":v": {"N": "19.9"}});
    for (text, values, expected) in [
        ("price = :v", &v, true),
        (":v = price", &v, true),
        ("price <> :v", &v, false),
        ("absent = :v", &v, false),
        ("absent <> :v", &v, true),
        ("NOT absent <> :v", &v, false),
        ("price < :v", &v, false),
        ("price <= :v", &v, true),
        ("price >= :v AND NOT price > :v", &v, true),
        ("pk >= :v", &v, false),
        ("price BETWEEN :a AND :b", &json!({":a": {"N": "19"}, ":b": {"N": "20"}}), true),
        ("price BETWEEN :a AND :b", &json!({":a": {"N": "20"}, ":b": {"N": "21"}}), false),
        ("pk BETWEEN :a AND :b", &json!({":a": {"N": "19"}, ":b": {"N": "20"}}), false),
        ("price IN (:a, :b)", &json!({":a": {"S": "x"}, ":b": {"N": "19.90"}}), true),
        ("price IN (:a)", &json!({":a": {"S": "19.9"}}), false),
        ("absent IN (:a)", &json!({":a": {"S": "19.9"}}), false),
        ("labels = :s", &json!({":s": {"SS": ["new", "red"]}}), true),
        ("labels = :s", &json!({":s": {"SS": ["new"]}}), false),
        ("entries[0].n = :n", &json!({":n": {"N": "2"}}), true),
        ("entries[1] = :n", &json!({":n": {"S": "gift"}}), true),
        ("entries[2] = :n", &json!({":n": {"S": "gift"}}), false),
        ("pk[0] = :n", &json!({":n": {"S": "o"}}), false),
        ("who = :m", &json!({":m": {"M": {"größe": {"S": "𝒳y"}, "given": {"S": "Ada"}}}}), true),
        ("paid = :t", &json!({":t": {"BOOL": true}}), true),
        ("paid = :t", &json!({":t": {"BOOL": false}}), false),
        ("note = :t", &json!({":t": {"NULL": true}}), true),
        ("begins_with(pk, :p)", &json!({":p": {"S": "order"}}), true),
        ("begins_with(pk, :p)", &json!({":p": {"S": "rder"}}), false),
        ("begins_with(seal, :p)", &json!({":p": {"B": "AAE="}}), true),
        ("begins_with(price, :p)", &json!({":p": {"S": "1"}}), false),
        ("contains(pk, :p)", &json!({":p": {"S": "r-1"}}), true),
        ("contains(labels, :p)", &json!({":p": {"S": "red"}}), true),
        ("contains(labels, :p)", &json!({":p": {"S": "re"}}), false),
        ("contains(sizes, :p)", &json!({":p": {"N": "9.0"}}), true),
        ("contains(sizes, :p)", &json!({":p": {"S": "9"}}), false),
        ("contains(entries, :p)", &json!({":p": {"S": "gift"}}), true),
        ("contains(seal, :p)", &json!({":p": {"B": "AQI="}}), true),
        ("contains(:list, pk)", &json!({":list": {"L": [{"S": "order-17"}]}}), true),
        ("size(labels) = :n", &json!({":n": {"N": "2"}}), true),
        ("size(pk) BETWEEN :a AND :b", &json!({":a": {"N": "8"}, ":b": {"N": "8"}}), true),
        ("size(blank) < :n", &json!({":n": {"N": "1"}}), true),
        ("size(who) = size(entries) AND size(entries) = :n", &json!({":n": {"N": "2"}}), true),
        ("size(price) = :n", &json!({":n": {"N": "4"}}), false),
        ("(size(seal)) = :n", &json!({":n": {"N": "4"}}), true),
        ("(price) = :v", &v, true),
        ("attribute_type(entries, :t)", &json!({":t": {"S": "L"}}), true),
        ("attribute_type(absent, :t)", &json!({":t": {"S": "L"}}), false),
        ("attribute_exists(who.given) and not attribute_exists(who.surname)", &n, true),
        ("attribute_not_exists(absent.deeper[3])", &n, true),
        ("attribute_exists(absent) OR attribute_exists(pk) AND attribute_exists(absent)", &n, false),
        ("(attribute_exists(absent) OR attribute_exists(pk)) AND attribute_exists(paid)", &n, true),
        ("NOT NOT attribute_exists(pk)", &n, true),
    ] {
        assert_eq!(holds(text, &n, values), expected, "{text}");
    }
    // A text is as long as it is in UTF-16.
    assert!(holds("size(who.#g) = :n", &json!({"#g": "größe"}), &json!({":n": {"N": "3"}})));
    let absent = bound(Clause::Condition, "attribute_not_exists(pk)", &n, &n).unwrap();
    assert_eq!(absent.holds(None), Ok(true));
}

#[test]
fn conditions_are_refused_in_dynamodbs_words_and_order() {
    let n = json!(null);
    let v = json!({":v": {"S": "x"}});
    let num = json!({":n": {"N": "5"}});
    for (text, names, values, expected) in [
        ("", &n, &n, "The expression can not be empty;"),
        ("a", &n, &n, "Syntax error; token: \"<EOF>\", near: \"a\""),
        ("a = ", &n, &n, "Syntax error; token: \"<EOF>\", near: \"=\""),
        ("a = = :v", &n, &v, "Syntax error; token: \"=\", near: \"= = :v\""),
        ("_hidden = :v", &n, &v, "Syntax error; token: \"_\", near: \"_hidden\""),
        ("a = :v)", &n, &v, "Syntax error; token: \")\", near: \":v)\""),
        ("(a) AND b = :v", &n, &v, "Syntax error; token: \"AND\", near: \") AND b\""),
        ("a[x] = :v", &n, &v, "Syntax error; token: \"x\", near: \"[x]\""),
        ("a = :v b", &n, &v, "Syntax error; token: \"b\", near: \":v b\""),
        ("a = 'x'", &n, &n, "Syntax error; token: \"'\", near: \"= 'x\""),
        ("ä = :v", &n, &v, "Syntax error; token: \"ä\", near: \"ä =\""),
        ("a + b = :v", &n, &v, "Syntax error; token: \"+\", near: \"a + b\""),
        ("((attribute_not_exists(pk)))", &n, &n, "The expression has redundant parentheses;"),
        ("((a = :v)) AND ((b = :v))", &n, &v, "The expression has redundant parentheses;"),
        ("((a)) = :v", &n, &v, "The expression has redundant parentheses;"),
        ("status = :val", &n, &n, "Attribute name is a reserved keyword; reserved keyword: status"),
        ("a.Name = :v", &n, &v, "Attribute name is a reserved keyword; reserved keyword: Name"),
        ("a[2147483648] = :v", &n, &v, "List index is not within the allowable range; index: [2147483648]"),
        ("foo(a) = :v", &n, &v, "Invalid function name; function: foo"),
        ("Size(a) = :v", &n, &v, "Invalid function name; function: Size"),
        (
            "if_not_exists(a, :v)",
            &n,
            &v,
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        ("size(a)", &n, &n, "The function is not allowed to be used this way in an expression; function: size"),
        ("NOT size(a)", &n, &n, "The function is not allowed to be used this way in an expression; function: size"),
        ("(size(a))", &n, &n, "The function is not allowed to be used this way in an expression; function: size"),
        (
            "attribute_exists(a) = :v",
            &n,
            &v,
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "a = contains(b, :v)",
            &n,
            &v,
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            "begins_with(a) AND status = :v",
            &n,
            &v,
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
        ),
        (
            "#absent = :v",
            &n,
            &v,
            "An expression attribute name used in the document path is not defined; attribute name: #absent",
        ),
        (
            "a = :absent",
            &n,
            &v,
            "An expression attribute value used in expression is not defined; attribute value: :absent",
        ),
        (
            "attribute_exists(:v)",
            &n,
            &v,
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "contains(#a, #a)",
            &json!({"#a": "data"}),
            &n,
            "The first operand must be distinct from the remaining operands for this operator or function; operator: contains, \
             first operand: [data]",
        ),
        (
            "a.b[0] = a.b[0]",
            &n,
            &n,
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first \
             operand: [a, b, [0]]",
        ),
        (
            "begins_with(a, :n)",
            &n,
            &num,
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "size(:n) > :n",
            &n,
            &num,
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
        (
            "a < :t",
            &n,
            &json!({":t": {"BOOL": true}}),
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "a BETWEEN :t AND :t",
            &n,
            &json!({":t": {"NULL": true}}),
            "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: NULL",
        ),
        (
            "attribute_type(a, :n)",
            &n,
            &num,
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
        ),
        (
            "attribute_type(a, :v)",
            &n,
            &v,
            "Invalid attribute type name found; type: x, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}",
        ),
        (
            "a BETWEEN :n AND :v",
            &n,
            &json!({":n": {"N": "5"}, ":v": {"S": "x"}}),
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:5}, \
             upper bound operand: AttributeValue: {S:x}",
        ),
        (
            "a BETWEEN :b AND :a",
            &n,
            &json!({":a": {"N": "5"}, ":b": {"N": "10"}}),
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: \
             AttributeValue: {N:10}, upper bound operand: AttributeValue: {N:5}",
        ),
    ] {
        let fault = bound(Clause::Condition, text, names, values).unwrap_err();
        assert_eq!(fault.to_string(), format!("Invalid ConditionExpression: {expected}"), "{text}");
    }
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

fn updated(text: &str, names: &Json, values: &Json) -> Result<Item, Invalid> {
    let mut placeholders = placeholders(names, values)?;
    let update = ParsedUpdate::parse(text)?.bind(&mut placeholders)?;
    placeholders.check_used()?;
    update.apply(&order())
}

#[test]
fn updates_change_what_they_say() {
    let n = json!(null);
    let one = json!({":v": {"N": "1"}});
    let list = json!({":l": {"L": [{"S": "z"}]}});
    for (text, values, changed) in [
        ("SET fresh = :v", &one, json!({"fresh": {"N": "1"}})),
        ("set price = price + :v", &one, json!({"price": {"N": "20.9"}})),
        ("SET price = :v - price", &one, json!({"price": {"N": "-18.9"}})),
        ("SET price = (price - :v)", &one, json!({"price": {"N": "18.9"}})),
        ("SET a1 = price, price = :v", &one, json!({"a1": {"N": "19.9"}, "price": {"N": "1"}})),
        ("SET fresh = if_not_exists(fresh, :v)", &one, json!({"fresh": {"N": "1"}})),
        ("SET fresh = if_not_exists(price, :v) + :v", &one, json!({"fresh": {"N": "20.9"}})),
        ("SET fresh = if_not_exists(price, absent)", &n, json!({"fresh": {"N": "19.9"}})),
        ("SET blank = list_append(:l, blank)", &list, json!({"blank": {"L": [{"S": "z"}]}})),
        (
            "SET blank = list_append(if_not_exists(fresh, :l), :l)",
            &list,
            json!({"blank": {"L": [{"S": "z"}, {"S": "z"}]}}),
        ),
        ("SET who.given = :v", &one, json!({"who": {"M": {"given": {"N": "1"}, "größe": {"S": "𝒳y"}}}})),
        (
            "SET entries[0].n = entries[0].n + :v",
            &one,
            json!({"entries": {"L": [{"M": {"sku": {"S": "a"}, "n": {"N": "3"}}}, {"S": "gift"}]}}),
        ),
        // No gaps: what lies behind the end is put there in the order of its indexes.
        ("SET blank[9] = :v, blank[4] = price", &one, json!({"blank": {"L": [{"N": "19.9"}, {"N": "1"}]}})),
        ("REMOVE entries[0], absent, who.surname", &n, json!({"entries": {"L": [{"S": "gift"}]}})),
        (
            "REMOVE entries[0] SET entries[1] = :v, entries[7] = :v",
            &one,
            json!({"entries": {"L": [{"N": "1"}, {"N": "1"}]}}),
        ),
        ("REMOVE entries[5]", &n, json!({})),
        ("ADD price :v, count1 :v", &one, json!({"price": {"N": "20.9"}, "count1": {"N": "1"}})),
        ("ADD labels :s", &json!({":s": {"SS": ["red", "old"]}}), json!({"labels": {"SS": ["new", "old", "red"]}})),
        ("DELETE labels :s", &json!({":s": {"SS": ["red", "old"]}}), json!({"labels": {"SS": ["new"]}})),
        ("DELETE labels :s", &json!({":s": {"SS": ["red", "new"]}}), json!({"labels": null})),
        ("DELETE absent :s", &json!({":s": {"SS": ["red", "new"]}}), json!({})),
        (
            "ADD fresh :s DELETE sizes :n",
            &json!({":s": {"NS": ["1"]}, ":n": {"NS": ["9.0"]}}),
            json!({
                "fresh": {"NS": ["1"]}, "sizes": {"NS": ["10"]},
            }),
        ),
    ] {
        let mut expected = order();
        for (name, value) in changed.as_object().unwrap() {
            match value.is_null() {
                true => expected.remove(name),
                false => expected.insert(name.clone(), json::read(value).unwrap()),
            };
        }
        assert_eq!(updated(text, &n, values), Ok(expected), "{text}");
    }
}

#[test]
fn updates_are_refused_in_dynamodbs_words_and_order() {
    let n = json!(null);
    let v = json!({":v": {"S": "x"}});
    let expression = "Invalid UpdateExpression: ";
    for (text, names, values, expected) in [
        (
            "INVALID SYNTAX HERE",
            &n,
            &v,
            format!("{expression}Syntax error; token: \"INVALID\", near: \"INVALID SYNTAX\""),
        ),
        ("SET path1 = VALUE1 1", &n, &v, format!("{expression}Syntax error; token: \"1\", near: \"VALUE1 1\"")),
        ("SET a = :v,", &n, &v, format!("{expression}Syntax error; token: \"<EOF>\", near: \",\"")),
        (
            "SET a = :v SET b = :v",
            &n,
            &v,
            format!("{expression}The \"SET\" section can only be used once in an update expression;"),
        ),
        ("SET name = :v", &n, &v, format!("{expression}Attribute name is a reserved keyword; reserved keyword: name")),
        (
            "SET a = size(b)",
            &n,
            &n,
            format!("{expression}The function is not allowed in an update expression; function: size"),
        ),
        ("SET a = foo(b)", &n, &n, format!("{expression}Invalid function name; function: foo")),
        (
            "SET a = list_append(b)",
            &n,
            &n,
            format!(
                "{expression}Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1"
            ),
        ),
        (
            "SET a = if_not_exists(:v, :v)",
            &n,
            &v,
            format!("{expression}Operator or function requires a document path; operator or function: if_not_exists"),
        ),
        (
            "SET a = :absent",
            &n,
            &n,
            format!(
                "{expression}An expression attribute value used in expression is not defined; attribute value: :absent"
            ),
        ),
        (
            "SET #a = :v",
            &n,
            &v,
            format!(
                "{expression}An expression attribute name used in the document path is not defined; attribute name: #a"
            ),
        ),
        (
            "SET a = :v, a.b = :v",
            &n,
            &v,
            format!(
                "{expression}Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]"
            ),
        ),
        (
            "SET #a = :v REMOVE a",
            &json!({"#a": "a"}),
            &v,
            format!(
                "{expression}Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"
            ),
        ),
        (
            "SET a.b = :v, a[1] = :v",
            &n,
            &v,
            format!(
                "{expression}Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]"
            ),
        ),
        (
            "SET a = b + :v",
            &n,
            &v,
            format!(
                "{expression}Incorrect operand type for operator or function; operator or function: +, operand type: S"
            ),
        ),
        (
            "SET a = list_append(b, :v)",
            &n,
            &v,
            format!(
                "{expression}Incorrect operand type for operator or function; operator or function: list_append, operand type: S"
            ),
        ),
        (
            "ADD a :v",
            &n,
            &v,
            format!(
                "{expression}Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"
            ),
        ),
        (
            "DELETE a :n",
            &n,
            &json!({":n": {"N": "1"}}),
            format!(
                "{expression}Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"
            ),
        ),
        (
            "SET a = absent",
            &n,
            &n,
            "The provided expression refers to an attribute that does not exist in the item".into(),
        ),
        (
            "SET absent.b = :v",
            &n,
            &v,
            "The document path provided in the update expression is invalid for update".into(),
        ),
        ("SET pk.b = :v", &n, &v, "The document path provided in the update expression is invalid for update".into()),
        ("SET who[0] = :v", &n, &v, "The document path provided in the update expression is invalid for update".into()),
        ("REMOVE absent.b", &n, &n, "The document path provided in the update expression is invalid for update".into()),
        ("SET a = pk + price", &n, &n, "An operand in the update expression has an incorrect data type".into()),
        (
            "SET a = list_append(pk, entries)",
            &n,
            &n,
            "An operand in the update expression has an incorrect data type".into(),
        ),
        (
            "ADD pk :n",
            &n,
            &json!({":n": {"N": "1"}}),
            "An operand in the update expression has an incorrect data type".into(),
        ),
        (
            "DELETE sizes :s",
            &n,
            &json!({":s": {"SS": ["1"]}}),
            "An operand in the update expression has an incorrect data type".into(),
        ),
        (
            "SET price = price + :n",
            &n,
            &json!({":n": {"N": "1e125"}}),
            "Attempting to store more than 38 significant digits in a Number".into(),
        ),
    ] {
        assert_eq!(updated(text, names, values).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn updates_keep_off_the_key_and_tell_what_they_touch() {
    let bind = |text: &str, values: &Json| {
        ParsedUpdate::parse(text).unwrap().bind(&mut placeholders(&json!(null), values).unwrap()).unwrap()
    };
    let v = json!({":v": {"N": "1"}});
    assert_eq!(
        bind("SET pk = :v", &v).check_keys(&["pk", "sk"]).unwrap_err().to_string(),
        "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
    );
    assert_eq!(
        bind("SET a = pk.b", &json!(null)).check_keys(&["pk"]).unwrap_err().to_string(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"
    );
    let update = bind("SET a = pk, who.x = :v REMOVE entries[0]", &v);
    assert_eq!(update.check_keys(&["pk"]), Ok(()));
    let new = update.apply(&order()).unwrap();
    let touched = json!({
        "a": {"S": "order-17"},
        "who": {"M": {"x": {"N": "1"}}},
        "entries": {"L": [{"S": "gift"}]},
    });
    assert_eq!(json::write_item(&update.touched().take_of(&new)), sorted(&touched));
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
