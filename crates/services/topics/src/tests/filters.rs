//! Filter policies: tables of what fits and what is refused, and a comparison with a naive matcher.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::attribute::{self, Attributes};
use crate::model::{Filter, FilterScope};

fn attributes(given: &[(&str, &str, &str)]) -> Attributes {
    let given = given.iter().map(|(name, data_type, text)| {
        let value = aws::MessageAttributeValue {
            data_type: (*data_type).to_owned(),
            string_value: Some((*text).to_owned()),
            binary_value: None,
        };
        ((*name).to_owned(), value)
    });
    attribute::read(given.collect()).unwrap()
}

fn wants_attributes(policy: &Value, given: &Attributes) -> bool {
    let filter = Filter::parse(&policy.to_string(), FilterScope::MessageAttributes).unwrap();
    filter.is_none_or(|filter| filter.wants(None, given))
}

fn wants_body(policy: &Value, body: &Value) -> bool {
    let filter = Filter::parse(&policy.to_string(), FilterScope::MessageBody).unwrap();
    filter.is_none_or(|filter| filter.wants(Some(body), &Attributes::new()))
}

#[test]
fn every_operator_decides_about_attributes() {
    let given = attributes(&[
        ("name", "String", "rugby"),
        ("price", "Number", "100.50"),
        ("ip", "String", "10.0.3.7"),
        ("sports", "String.Array", r#"["rugby","tennis",7,true,null]"#),
    ]);
    for (policy, expected) in [
        (json!({}), true),
        (json!({"name": ["rugby"]}), true),
        (json!({"name": ["Rugby", "tennis"]}), false),
        (json!({"name": ["tennis", "rugby"], "price": [100.5]}), true),
        (json!({"name": ["rugby"], "price": [7]}), false),
        (json!({"missing": ["x"]}), false),
        (json!({"name": [{"prefix": "rug"}]}), true),
        (json!({"name": [{"prefix": "bag"}]}), false),
        (json!({"name": [{"suffix": "gby"}]}), true),
        (json!({"name": [{"suffix": "x"}]}), false),
        (json!({"name": [{"equals-ignore-case": "RUGBY"}]}), true),
        (json!({"name": [{"equals-ignore-case": "tennis"}]}), false),
        (json!({"name": [{"anything-but": "rugby"}]}), false),
        (json!({"name": [{"anything-but": ["tennis", "golf"]}]}), true),
        (json!({"missing": [{"anything-but": ["tennis"]}]}), false),
        (json!({"name": [{"anything-but": {"prefix": "rug"}}]}), false),
        (json!({"name": [{"anything-but": {"prefix": "bag"}}]}), true),
        (json!({"name": [{"anything-but": {"suffix": "gby"}}]}), false),
        (json!({"name": [{"anything-but": {"suffix": ["a", "b"]}}]}), true),
        (json!({"name": [{"anything-but": {"equals-ignore-case": "RUGBY"}}]}), false),
        (json!({"price": [{"anything-but": [100.5]}]}), false),
        (json!({"price": [{"anything-but": [100, 5]}]}), true),
        (json!({"price": [{"numeric": ["=", 100.5]}]}), true),
        (json!({"price": [{"numeric": [">", 100.5]}]}), false),
        (json!({"price": [{"numeric": [">=", 100.5]}]}), true),
        (json!({"price": [{"numeric": ["<", 101]}]}), true),
        (json!({"price": [{"numeric": [">", 0, "<=", 100.5]}]}), true),
        (json!({"price": [{"numeric": [">", 0, "<", 100.5]}]}), false),
        (json!({"name": [{"numeric": [">", 0]}]}), false),
        (json!({"price": ["100.50"]}), false),
        (json!({"name": [{"exists": true}]}), true),
        (json!({"name": [{"exists": false}]}), false),
        (json!({"missing": [{"exists": false}]}), true),
        (json!({"missing": [{"exists": true}]}), false),
        (json!({"ip": [{"cidr": "10.0.0.0/22"}]}), true),
        (json!({"ip": [{"cidr": "10.0.0.0/24"}]}), false),
        (json!({"ip": [{"cidr": "0.0.0.0/0"}]}), true),
        (json!({"name": [{"cidr": "0.0.0.0/0"}]}), false),
        (json!({"sports": ["tennis"]}), true),
        (json!({"sports": ["golf", 7]}), true),
        (json!({"sports": [true]}), true),
        (json!({"sports": [null]}), true),
        (json!({"sports": [false, "golf"]}), false),
        (json!({"sports": [{"anything-but": ["rugby"]}]}), true),
        (json!({"$or": [{"name": ["golf"]}, {"price": [{"numeric": [">", 100]}]}]}), true),
        (json!({"$or": [{"name": ["golf"]}, {"price": [1]}]}), false),
        (json!({"$or": [{"name": ["golf"]}, {"price": [100.5]}], "ip": ["x"]}), false),
        (json!({"$or": ["a name like any other"]}), false),
    ] {
        assert_eq!(wants_attributes(&policy, &given), expected, "{policy}");
    }
}

#[test]
fn bodies_are_looked_into() {
    let body = json!({
        "shop": { "city": "Bonn", "open": true, "tags": ["a", "b"], "none": null, "empty": [] },
        "items": [{ "kind": "book", "price": 3 }, { "kind": "toy", "price": 30 }],
        "v6": "2001:db8::1",
    });
    for (policy, expected) in [
        (json!({"shop": {"city": ["Bonn"]}}), true),
        (json!({"shop": {"city": ["Ulm"]}}), false),
        (json!({"shop": {"open": [true], "tags": ["b"]}}), true),
        (json!({"shop": {"open": ["true"]}}), false),
        (json!({"shop": {"none": [null]}}), true),
        (json!({"shop": {"none": [{"exists": true}]}}), true),
        (json!({"shop": {"empty": [{"exists": false}]}}), true),
        (json!({"shop": {"missing": [{"exists": false}]}}), true),
        (json!({"lost": {"missing": [{"exists": false}]}}), true),
        (json!({"shop": [{"exists": true}]}), false),
        (json!({"items": {"kind": ["toy"], "price": [{"numeric": [">", 10]}]}}), true),
        (json!({"items": {"kind": ["book"], "price": [{"numeric": [">", 10]}]}}), false),
        (json!({"v6": [{"cidr": "2001:db8::/32"}]}), true),
        (json!({"v6": [{"cidr": "10.0.0.0/8"}]}), false),
        (json!({"shop": {"$or": [{"city": ["Ulm"]}, {"tags": [{"prefix": "b"}]}]}}), true),
    ] {
        assert_eq!(wants_body(&policy, &body), expected, "{policy}");
    }
    let filter = Filter::parse(r#"{"a":[{"exists":false}]}"#, FilterScope::MessageBody).unwrap().unwrap();
    assert!(!filter.wants(None, &Attributes::new()) && !filter.wants(Some(&json!("text")), &Attributes::new()));
}

#[test]
fn impossible_policies_are_refused_in_awss_words() {
    let check = |policy: &str, scope: FilterScope, expected: &str| {
        assert_eq!(Filter::parse(policy, scope).expect_err(policy), expected);
    };
    let plain = |policy: Value, expected: &str| check(&policy.to_string(), FilterScope::MessageAttributes, expected);
    plain(json!({"a": "b"}), "\"a\" must be an object or an array");
    plain(json!({"a": []}), "Empty arrays are not allowed");
    plain(json!({"a": {"b": ["c"]}}), "Filter policy scope MessageAttributes does not support nested filter policy");
    plain(json!({"a": [["b"]]}), "Match value must be String, number, true, false, or null");
    plain(json!({"a": [{}]}), "Only one key allowed in match expression");
    plain(json!({"a": [{"prefix": "b", "suffix": "c"}]}), "Only one key allowed in match expression");
    plain(json!({"a": [{"wildcard": "*"}]}), "Unrecognized match type wildcard");
    plain(json!({"a": [{"prefix": 1}]}), "prefix match pattern must be a string");
    plain(json!({"a": [{"exists": "yes"}]}), "exists match pattern must be either true or false.");
    plain(json!({"a": [{"cidr": 1}]}), "prefix match pattern must be a string");
    plain(json!({"a": [{"cidr": "10.0.0.0"}]}), "Malformed CIDR, one '/' required");
    plain(json!({"a": [{"cidr": "10.0.0/8"}]}), "Nonstandard IP address: 10.0.0");
    plain(json!({"a": [{"cidr": "10.0.0.0/x"}]}), "Malformed CIDR, mask bits must be an integer");
    plain(json!({"a": [{"cidr": "10.0.0.0/33"}]}), "Malformed CIDR, mask bits must be <= 32");
    plain(json!({"a": [{"numeric": []}]}), "Invalid member in numeric match: ]");
    plain(json!({"a": [{"numeric": [1]}]}), "Invalid member in numeric match: 1");
    plain(json!({"a": [{"numeric": ["<>", 1]}]}), "Unrecognized numeric range operator: <>");
    plain(json!({"a": [{"numeric": ["=", "1"]}]}), "Value of equals must be numeric");
    plain(json!({"a": [{"numeric": [">", 1, ">", 2]}]}), "Bad numeric range operator: >");
    plain(json!({"a": [{"numeric": [">", 2, "<", 1]}]}), "Bottom must be less than top");
    plain(json!({"a": [{"numeric": [">", 1, "<", 2, "<", 3]}]}), "Too many terms in numeric range expression");
    let many: Vec<u32> = (0..13).collect();
    plain(json!({"a": many, "b": many}), "Filter policy is too complex");
    // Each level makes its values count more.
    let deep = json!({"a": {"b": {"c": (0..51).collect::<Vec<_>>()}}}).to_string();
    check(&deep, FilterScope::MessageBody, "Filter policy is too complex");
    let deep = json!({"a": {"b": {"c": (0..50).collect::<Vec<_>>()}}}).to_string();
    assert!(Filter::parse(&deep, FilterScope::MessageBody).is_ok());
}

/// What a policy means, straight from its text: there is a way to choose one element of every list so that all names fit.
fn naive(policy: &Value, message: &Value) -> bool {
    choices(message).iter().any(|chosen| naive_object(policy, chosen))
}

fn naive_object(policy: &Value, message: &Value) -> bool {
    policy.as_object().unwrap().iter().all(|(name, wanted)| match wanted {
        Value::Array(list) if name == "$or" => list.iter().any(|one| naive_object(one, message)),
        Value::Array(rules) => rules.iter().any(|rule| naive_rule(rule, message.get(name))),
        inside => naive_object(inside, message.get(name).unwrap_or(&Value::Null)),
    })
}

fn naive_rule(rule: &Value, value: Option<&Value>) -> bool {
    let leaf = value.filter(|value| !value.is_object());
    if let Some(wanted) = rule.get("exists") {
        return wanted.as_bool() == Some(leaf.is_some());
    }
    let Some(leaf) = leaf else { return false };
    let same = |wanted: &Value| match (wanted.as_f64(), leaf.as_f64()) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => wanted == leaf,
    };
    let text = leaf.as_str().unwrap_or("\u{1}");
    if let Some(prefix) = rule.get("prefix") {
        return text.starts_with(prefix.as_str().unwrap());
    }
    if let Some(but) = rule.get("anything-but") {
        return match but {
            Value::Array(list) => !list.iter().any(same),
            Value::Object(inside) => leaf.is_string() && !text.starts_with(inside["prefix"].as_str().unwrap()),
            one => !same(one),
        };
    }
    if let Some(range) = rule.get("numeric") {
        let Some(found) = leaf.as_f64() else { return false };
        return range.as_array().unwrap().chunks(2).all(|pair| {
            let bound = pair[1].as_f64().unwrap();
            match pair[0].as_str().unwrap() {
                "=" => found == bound,
                "<" => found < bound,
                "<=" => found <= bound,
                ">" => found > bound,
                _ => found >= bound,
            }
        });
    }
    same(rule)
}

/// The message with one element instead of each list; an empty list is nothing.
fn choices(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.iter().flat_map(choices).collect(),
        Value::Object(members) => {
            let mut all = vec![serde_json::Map::new()];
            for (name, value) in members {
                let chosen = choices(value);
                let with = |so_far: &serde_json::Map<String, Value>| {
                    let one = |value: &Value| {
                        let mut more = so_far.clone();
                        more.insert(name.clone(), value.clone());
                        more
                    };
                    if chosen.is_empty() { vec![so_far.clone()] } else { chosen.iter().map(one).collect() }
                };
                all = all.iter().flat_map(with).collect();
            }
            all.into_iter().map(Value::Object).collect()
        }
        scalar => vec![scalar.clone()],
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["a", "ab", "b", "1"]).prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        Just(json!(1.5)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn some_rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => scalar(),
        1 => any::<bool>().prop_map(|wanted| json!({ "exists": wanted })),
        1 => prop::sample::select(vec!["a", "ab", "1"]).prop_map(|text| json!({ "prefix": text })),
        1 => prop::collection::vec(scalar(), 1..3).prop_map(|list| json!({ "anything-but": list })),
        1 => Just(json!({ "anything-but": { "prefix": "a" } })),
        1 => (0..3_i64).prop_map(|low| json!({ "numeric": [">=", low, "<", low + 1] })),
        1 => (0..3_i64).prop_map(|at| json!({ "numeric": ["=", at] })),
    ]
}

fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(names), value, 1..3)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn policy() -> impl Strategy<Value = Value> {
    let rules = || prop::collection::vec(some_rule(), 1..3).prop_map(Value::Array);
    let inside = object(&["x", "y"], rules());
    // The names of choices are others than those beside them: nobody says whether one element of a list must fit both.
    let choice = prop::collection::vec(object(&["c", "d"], rules()), 2..3).prop_map(Value::Array);
    let fields = object(&["a", "b"], prop_oneof![2 => rules(), 1 => inside]);
    (fields, prop::option::of(choice)).prop_map(|(mut policy, choice)| {
        if let Some(choice) = choice {
            policy["$or"] = choice;
        }
        policy
    })
}

fn message() -> impl Strategy<Value = Value> {
    let leaf = || prop_oneof![3 => scalar(), 1 => prop::collection::vec(scalar(), 0..3).prop_map(Value::Array)];
    let inside = || object(&["x", "y"], leaf());
    let many = prop::collection::vec(inside(), 0..3).prop_map(Value::Array);
    object(&["a", "b", "c", "d"], prop_oneof![3 => leaf(), 1 => inside(), 1 => many])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_policy_means_what_a_naive_reading_says(policy in policy(), message in message()) {
        prop_assume!(Filter::parse(&policy.to_string(), FilterScope::MessageBody).is_ok());
        prop_assert_eq!(wants_body(&policy, &message), naive(&policy, &message), "{} {}", policy, message);
    }

    #[test]
    fn damaged_policies_never_panic(policy in policy(), message in message(), cut in 0..60_usize, byte in any::<u8>()) {
        let mut data = format!("{policy}\n{message}").into_bytes();
        let place = cut.min(data.len() - 1);
        data[place] = byte;
        crate::fuzzing::filter_policy(&data);
        data.truncate(place);
        crate::fuzzing::filter_policy(&data);
    }
}
