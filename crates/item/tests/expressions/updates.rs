//! Updates, case by case: what they change, and how they are refused.

use item::expression::{Invalid, KeyNames, ParsedUpdate};
use item::{Item, Kind, json};
use serde_json::{Value as Json, json};

use super::{order, placeholders, sorted};

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
    let keys = |table: &[&'static str]| KeyNames { table: table.to_vec(), indexes: vec!["ik"] };
    let v = json!({":v": {"N": "1"}});
    assert_eq!(
        bind("SET pk = :v", &v).check_keys(&keys(&["pk", "sk"])).unwrap_err().to_string(),
        "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
    );
    assert_eq!(
        bind("SET a = pk.b", &json!(null)).check_keys(&keys(&["pk"])).unwrap_err().to_string(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"
    );
    assert_eq!(
        bind("SET ik.b = :v", &v).check_keys(&keys(&["pk"])).unwrap_err().to_string(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: ik"
    );
    let given = bind("SET a = :v, b = c, d = c + :v, e.f = :v, g = list_append(c, c) REMOVE h ADD i :v", &v);
    let given: Vec<_> = given.given().map(|(name, kind, value)| (name, kind, value.is_some())).collect();
    assert_eq!(given, [("a", Kind::N, true), ("d", Kind::N, false), ("g", Kind::L, false), ("i", Kind::N, false)]);
    let update = bind("SET a = pk, who.x = :v REMOVE entries[0]", &v);
    assert_eq!(update.check_keys(&keys(&["pk"])), Ok(()));
    let new = update.apply(&order()).unwrap();
    let touched = json!({
        "a": {"S": "order-17"},
        "who": {"M": {"x": {"N": "1"}}},
        "entries": {"L": [{"S": "gift"}]},
    });
    assert_eq!(json::write_item(&update.touched().take_of(&new)), sorted(&touched));
}
