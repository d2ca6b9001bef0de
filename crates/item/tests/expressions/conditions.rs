//! Conditions, case by case: what they say, and how they are refused.

use item::expression::Clause;
use serde_json::json;

use super::{bound, holds};

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
