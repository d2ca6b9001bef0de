//! Values as DynamoDB takes and refuses them, case by case; its order, its sizes, and its bytes.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use item::packed::{self, Damaged};
use item::{Item, Kind, Number, Packed, Refusal, Value, json, key, size};
use serde_json::{Value as Json, json};

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

#[test]
fn numbers_are_printed_in_their_one_form() {
    for (text, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("0e125", "0"),
        ("0.000", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("007", "7"),
        ("1.50", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-12.340", "-12.34"),
        ("0042.1200", "42.12"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("120e-1", "12"),
        ("100.5", "100.5"),
        ("1234567890123456789012345678901234567800", "1234567890123456789012345678901234567800"),
        ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
    ] {
        assert_eq!(number(text).to_string(), expected, "{text}");
    }
    assert_eq!(number("1e125").to_string(), format!("1{}", "0".repeat(125)));
    assert_eq!(number("-1e-130").to_string(), format!("-0.{}1", "0".repeat(129)));
    let most = format!("{}{}", "9".repeat(38), "0".repeat(88));
    assert_eq!(number("9.9999999999999999999999999999999999999e125").to_string(), most);
}

#[test]
fn numbers_are_refused_in_dynamodbs_words() {
    let overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let underflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    let digits = "Attempting to store more than 38 significant digits in a Number";
    let no = "The parameter cannot be converted to a numeric value: ";
    for (text, expected) in [
        ("1e99999999999", overflow),
        ("-1e99999999999", overflow),
        ("1e-99999999999", underflow),
        ("1e2147483648", overflow),
        ("1e126", overflow),
        ("-1e126", overflow),
        ("0e126", overflow),
        ("0e-131", underflow),
        ("1e-131", underflow),
        ("1234567890123456789012345678901234567890", digits),
        ("1.23456789012345678901234567890123456789", digits),
        ("1e9223372036854775807", overflow),
    ] {
        assert_eq!(text.parse::<Number>().unwrap_err().to_string(), expected, "{text}");
    }
    for text in
        ["abc", "", " 1", "1 ", "0x10", "1e", "1e+", "NaN", "Infinity", "1.2.3", ".", "-", "1e9223372036854775808", "١"]
    {
        assert_eq!(text.parse::<Number>().unwrap_err().to_string(), format!("{no}{text}"));
    }
}

#[test]
fn numbers_add_exactly_or_not_at_all() {
    for (left, right, expected) in [
        ("1", "2", "3"),
        ("0.1", "0.2", "0.3"),
        ("1", "-1", "0"),
        ("-5", "3", "-2"),
        ("99999999999999999999999999999999999999", "1", "100000000000000000000000000000000000000"),
        ("100000000000000000000000000000000000000", "-1", "99999999999999999999999999999999999999"),
        ("1e125", "-1e125", "0"),
        ("1e-130", "1e-130", "0.000…2"),
    ] {
        let sum = number(left).checked_add(number(right)).unwrap();
        if expected.contains('…') {
            assert_eq!(sum, number("2e-130"));
        } else {
            assert_eq!(sum.to_string(), expected, "{left} + {right}");
        }
        assert_eq!(sum.checked_sub(number(right)), Ok(number(left)), "({left} + {right}) - {right}");
    }
    for (left, right, expected) in [
        ("1e125", "1", Refusal::NumberDigits),
        ("1e38", "1", Refusal::NumberDigits),
        ("1e40", "-1", Refusal::NumberDigits),
        ("9e125", "9e125", Refusal::NumberOverflow),
        ("1.5e-130", "1", Refusal::NumberUnderflow),
    ] {
        let sum = left.parse().and_then(|left: Number| left.checked_add(number(right)));
        match expected {
            // A number of 131 places cannot be written down in the first place.
            Refusal::NumberUnderflow => assert_eq!(sum, Err(Refusal::NumberDigits)),
            expected => assert_eq!(sum, Err(expected), "{left} + {right}"),
        }
    }
    assert_eq!(number("-9223372036854775808").to_i64(), Some(i64::MIN));
    assert_eq!(number("9223372036854775808").to_i64(), None);
    assert_eq!(number("1.5").to_i64(), None);
    assert_eq!(number("1e18").to_i64(), Some(1_000_000_000_000_000_000));
}

/// Measured on DynamoDB at the limit of an item.
#[test]
fn numbers_cost_what_they_cost_there() {
    for (text, expected) in [
        ("0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("1234", 3),
        ("12345678901234567890123456789012345678", 20),
        ("100", 2),
        ("1010", 3),
        ("0.0000001", 2),
        ("1E125", 2),
        ("1E-100", 2),
        ("1.5", 3),
        ("15", 2),
        ("1.234", 4),
        ("3.14159", 5),
        ("123456", 4),
        ("100.5", 4),
        ("0.15", 2),
        ("-42", 3),
        ("-0", 1),
    ] {
        assert_eq!(size::number(number(text)), expected, "{text}");
    }
}

#[test]
fn sizes_follow_the_rules() {
    for (document, expected) in [
        (json!({"a": {"S": "äbc"}}), 1 + 4),
        (json!({"a": {"B": "AAEC"}}), 1 + 3),
        (json!({"flag": {"BOOL": true}}), 4 + 1),
        (json!({"nothing": {"NULL": true}}), 7 + 1),
        (json!({"l": {"L": [{"S": "ab"}, {"N": "1"}]}}), 1 + 3 + 2 + 2 + 2),
        (json!({"m": {"M": {"key": {"S": "ab"}}}}), 1 + 3 + 1 + 3 + 2),
        (json!({"s": {"SS": ["a", "bcd"]}}), 1 + 4),
        (json!({"s": {"NS": ["1", "1234"]}}), 1 + 5),
    ] {
        assert_eq!(size::item(&json::read_item(&document).unwrap()), expected, "{document}");
    }
}

#[test]
fn values_are_refused_in_dynamodbs_words() {
    let invalid = "One or more parameter values were invalid: ";
    for (document, expected) in [
        (json!({}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (json!({"S": null}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned()),
        (
            json!({"S": "a", "N": "1"}),
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
                .to_owned(),
        ),
        (json!({"NULL": false}), format!("{invalid}Null attribute value types must have the value of true")),
        (json!({"SS": []}), format!("{invalid}An string set  may not be empty")),
        (json!({"NS": []}), format!("{invalid}An number set  may not be empty")),
        (json!({"BS": []}), format!("{invalid}Binary sets should not be empty")),
        (json!({"SS": ["b", "a", "b"]}), format!(r#"{invalid}Input collection ["a", "b", "b"] contains duplicates."#)),
        (
            json!({"BS": ["/w==", "AA==", "AA=="]}),
            format!(r#"{invalid}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates."#),
        ),
        (json!({"NS": ["2", "1", "2.0"]}), format!("{invalid}Input collection contains duplicates.")),
        (json!({"NS": [""]}), "The parameter cannot be converted to a numeric value: ".to_owned()),
        (json!({"M": {"x": {"L": [{"N": "x"}]}}}), "The parameter cannot be converted to a numeric value: x".to_owned()),
        (json!({"S": 1}), "NUMBER_VALUE can not be converted to a String".to_owned()),
    ] {
        assert_eq!(json::read(&document).unwrap_err().to_string(), expected, "{document}");
    }
    for document in [
        json!({"SS": [""]}),
        json!({"BS": [""]}),
        json!({"S": ""}),
        json!({"B": ""}),
        json!({"L": []}),
        json!({"M": {}}),
    ] {
        assert_eq!(json::write(&json::read(&document).unwrap()), document);
    }
}

#[test]
fn thirty_two_levels_and_no_more() {
    let nested =
        |wraps: usize| (0..wraps).fold(Value::from("leaf"), |value, _| Value::M(Item::from([("n".to_owned(), value)])));
    assert_eq!(nested(31).check_depth(), Ok(()));
    assert_eq!(nested(32).check_depth(), Err(Refusal::TooDeep));
    let lists = (0..32).fold(Value::Null, |value, _| Value::L(vec![value]));
    assert_eq!(
        lists.check_depth().unwrap_err().to_string(),
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
    );
}

#[test]
fn sets_are_the_same_in_any_order() {
    let set = |members: Json| json::read(&json!({"NS": members})).unwrap();
    assert_eq!(set(json!(["3", "1", "2"])), set(json!(["1.0", "2", "3e0"])));
    assert_eq!(json::write(&set(json!(["10", "9", "-1"]))), json!({"NS": ["-1", "9", "10"]}));
}

#[test]
fn keys_sort_as_values_do_and_come_back() {
    let numbers = [
        "-9.9999999999999999999999999999999999999e125",
        "-1e125",
        "-10.5",
        "-10",
        "-9",
        "-1.05",
        "-1",
        "-0.1",
        "-1e-130",
        "0",
        "1e-130",
        "0.05",
        "0.1",
        "1",
        "1.05",
        "1.5",
        "9",
        "10",
        "10.5",
        "100",
        "1e125",
        "9.9999999999999999999999999999999999999e125",
    ];
    let keys: Vec<Vec<u8>> = numbers.iter().map(|text| key::encode_number(number(text)).to_vec()).collect();
    assert!(keys.is_sorted_by(|left, right| left < right), "{keys:?}");
    for (text, bytes) in numbers.iter().zip(&keys) {
        assert_eq!(key::decode(Kind::N, bytes), Ok(Value::N(number(text))));
    }
    for value in [Value::from("grün"), Value::from(""), Value::B(vec![0, 255].into())] {
        let bytes = key::encode(&value).unwrap().to_vec();
        assert_eq!(key::decode(value.kind(), &bytes), Ok(value));
    }
    assert!(key::encode(&Value::Null).is_none());
    for bytes in [
        &[][..],
        &[0x81],
        &[0x81, 130],
        &[0x81, 130, 1],
        &[0x81, 130, 11, 1],
        &[0x80, 0],
        &[0x7f, 125, 244],
        &[0xff; 30],
    ] {
        assert!(key::decode(Kind::N, bytes).is_err(), "{bytes:?}");
    }
    assert!(key::decode(Kind::S, &[0xff]).is_err());
    assert!(key::decode(Kind::M, &[]).is_err());
}

fn order() -> Json {
    json!({
        "id": {"S": "order-17"},
        "total": {"N": "-19.90"},
        "seal": {"B": "AAEC/w=="},
        "paid": {"BOOL": true},
        "open": {"BOOL": false},
        "note": {"NULL": true},
        "lines": {"L": [{"M": {"sku": {"S": "a"}, "n": {"N": "2"}}}, {"S": "gift"}]},
        "labels": {"SS": ["b", "a"]},
        "sizes": {"NS": ["10", "9"]},
        "keys": {"BS": ["/w==", ""]},
        "": {"S": "a name may be empty"},
    })
}

#[test]
fn a_packed_item_is_read_whole_and_in_part() {
    let item = json::read_item(&order()).unwrap();
    let bytes = packed::pack(&item);
    let packed = Packed::new(&bytes).unwrap();
    assert_eq!(packed.unpack(), Ok(item.clone()));
    for (name, value) in &item {
        assert_eq!(packed.get(name).unwrap().unwrap().unpack().as_ref(), Ok(value), "{name}");
    }
    assert_eq!(packed.get("nowhere"), Ok(None));
    let lines = packed.get("lines").unwrap().unwrap();
    let sku = lines.item(0).unwrap().unwrap().entry("sku").unwrap().unwrap();
    assert_eq!(sku.unpack(), Ok(Value::from("a")));
    assert_eq!(lines.item(2), Ok(None));
    assert_eq!(lines.count(), Ok(Some(2)));
    assert_eq!(sku.items().unwrap().count() + sku.members().unwrap().count(), 0);
    // One after another, two values stay two.
    let mut row = Vec::new();
    packed::pack_value(&item["labels"], &mut row);
    packed::pack_value(&item["total"], &mut row);
    let (labels, rest) = packed::View::read(&row).unwrap();
    let (total, rest) = packed::View::read(rest).unwrap();
    assert_eq!((labels, total), (packed.get("labels").unwrap().unwrap(), packed.get("total").unwrap().unwrap()));
    assert!(rest.is_empty());
}

/// Bytes of version 1, for ever: an item that was written must be read.
#[test]
fn version_1_is_read() {
    let bytes = hex("01040161020381820b01620401016c07050000000201017805016d060700000001017301026869");
    let item = Packed::new(&bytes).and_then(|packed| packed.unpack());
    let expected = json!({
        "a": {"N": "1"},
        "b": {"BOOL": true},
        "l": {"L": [{"S": "x"}, {"NULL": true}]},
        "m": {"M": {"s": {"S": "hi"}}},
    });
    // What is written today is what was written then.
    let written = packed::pack(&json::read_item(&expected).unwrap());
    assert_eq!(item.map(|item| json::write_item(&item)), Ok(expected), "today: {}", to_hex(&written));
    assert_eq!(to_hex(&written), to_hex(&bytes));
    assert_eq!(Packed::new(&[2, 0]).unwrap_err(), Damaged::Newer { found: 2 });
    assert_eq!(Packed::new(&[]).unwrap_err(), Damaged::Cut);
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn damage_is_found_and_never_panics() {
    let bytes = packed::pack(&json::read_item(&order()).unwrap());
    for end in 0..bytes.len() {
        let cut = Packed::new(&bytes[..end]).and_then(|packed| packed.unpack());
        assert!(cut.is_err(), "cut at {end}");
    }
    let random = base::Random::seeded(6);
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(damaged.len() as u64) as usize;
            damaged[place] = random.below(256) as u8;
        }
        item::fuzzing::packed(&damaged);
    }
    // Nested without end.
    let mut deep = vec![1, 1, 0];
    for _ in 0..10_000 {
        deep.extend_from_slice(&[7, 0xff, 0xff, 0, 0, 1]);
    }
    item::fuzzing::packed(&deep);
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![7];
        outer.extend_from_slice(&(deep.len() as u32 + 1).to_le_bytes());
        outer.push(1);
        outer.extend_from_slice(&deep);
        if deep.is_empty() {
            outer.push(5);
            outer[1] += 1;
        }
        deep = outer;
        if deep.len() > 60_000 {
            break;
        }
    }
    let item: Vec<u8> = [1, 1, 0].into_iter().chain(deep).collect();
    assert!(Packed::new(&item).unwrap().unpack().is_err());
}
