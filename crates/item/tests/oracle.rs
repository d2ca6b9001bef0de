//! Numbers against plain arithmetic on rows of digits, and order against order.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use std::cmp::Ordering;

use item::{Item, Number, Packed, Value, json, key, packed};
use proptest::prelude::*;

/// A decimal in the simplest way there is: a whole number in units of 10⁻¹⁷⁰, as digits from the lowest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plain {
    negative: bool,
    digits: Vec<u8>,
}

const PLACES: usize = 170;
const LENGTH: usize = 300;

impl Plain {
    fn new(negative: bool, text: &str, exponent: i32) -> Self {
        let mut digits = vec![0; LENGTH];
        for (place, digit) in text.bytes().rev().enumerate() {
            digits[(PLACES as i32 + exponent) as usize + place] = digit - b'0';
        }
        let negative = negative && digits.iter().any(|digit| *digit != 0);
        Self { negative, digits }
    }

    fn size(&self, other: &Self) -> Ordering {
        self.digits.iter().rev().cmp(other.digits.iter().rev())
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    fn plus(&self, other: &Self) -> Self {
        let zip = |left: &Self, right: &Self, step: &dyn Fn(i8, i8) -> i8| {
            let mut carry = 0;
            let mut digits = Vec::with_capacity(LENGTH);
            for (left, right) in left.digits.iter().zip(&right.digits) {
                let sum = step(*left as i8, *right as i8) + carry;
                digits.push(sum.rem_euclid(10) as u8);
                carry = sum.div_euclid(10);
            }
            digits
        };
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, zip(self, other, &|left, right| left + right))
        } else if self.size(other) == Ordering::Less {
            (other.negative, zip(other, self, &|left, right| left - right))
        } else {
            (self.negative, zip(self, other, &|left, right| left - right))
        };
        let negative = negative && digits.iter().any(|digit| *digit != 0);
        Self { negative, digits }
    }

    /// All its digits; as DynamoDB prints numbers.
    fn print(&self) -> String {
        let digits: String = self.digits.iter().rev().map(|digit| char::from(digit + b'0')).collect();
        let (whole, fraction) = digits.split_at(LENGTH - PLACES);
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{whole}{point}{fraction}", if self.negative { "-" } else { "" })
    }

    /// Whether DynamoDB stores it.
    fn fits(&self) -> bool {
        let first = self.digits.iter().rposition(|digit| *digit != 0);
        let last = self.digits.iter().position(|digit| *digit != 0);
        match (first, last) {
            (Some(first), Some(last)) => first - last < 38 && (PLACES - 130..=PLACES + 125).contains(&first),
            _ => true,
        }
    }
}

/// Digits and an exponent, near each other more often than far apart.
fn decimal() -> impl Strategy<Value = (bool, String, i32)> {
    let exponent = prop_oneof![3 => -5..5i32, 1 => -129..88i32];
    (any::<bool>(), "[0-9]{1,38}", exponent)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_number_is_what_plain_digits_say((negative, digits, exponent) in decimal()) {
        let plain = Plain::new(negative, &digits, exponent);
        let text = format!("{}{digits}e{exponent}", if negative { "-" } else { "" });
        match text.parse::<Number>() {
            Ok(number) => {
                prop_assert!(plain.fits());
                prop_assert_eq!(number.to_string(), plain.print());
                prop_assert_eq!(number.to_string().parse(), Ok(number));
                prop_assert_eq!(key::decode_number(&key::encode_number(number)), Some(number));
            }
            Err(refusal) => prop_assert!(!plain.fits(), "{} was refused: {}", text, refusal),
        }
    }

    #[test]
    fn sums_and_order_are_those_of_plain_digits(left in decimal(), right in decimal()) {
        let parse = |(negative, digits, exponent): &(bool, String, i32)| {
            let text = format!("{}{digits}e{exponent}", if *negative { "-" } else { "" });
            (text.parse::<Number>().ok(), Plain::new(*negative, digits, *exponent))
        };
        let ((Some(left), plain_left), (Some(right), plain_right)) = (parse(&left), parse(&right)) else { return Ok(()) };
        let plain = plain_left.plus(&plain_right);
        match left.checked_add(right) {
            Ok(sum) => prop_assert_eq!(sum.to_string(), plain.print()),
            Err(refusal) => prop_assert!(!plain.fits(), "{} + {} was refused: {}", left, right, refusal),
        }
        prop_assert_eq!(left.cmp(&right), plain_left.order(&plain_right));
        prop_assert_eq!(key::encode_number(left).cmp(&key::encode_number(right)), left.cmp(&right));
    }

    #[test]
    fn an_item_comes_back_packed_and_as_json(item in items()) {
        let bytes = packed::pack(&item);
        let read = Packed::new(&bytes).unwrap();
        prop_assert_eq!(read.unpack(), Ok(item.clone()));
        prop_assert_eq!(json::read_item(&json::write_item(&item)), Ok(item.clone()));
        for (name, value) in &item {
            let view = read.get(name).unwrap().unwrap();
            prop_assert_eq!(view.unpack(), Ok(value.clone()));
        }
    }

    #[test]
    fn equal_values_have_equal_bytes(left in values(), right in values()) {
        let pack = |value: &Value| {
            let mut out = Vec::new();
            packed::pack_value(value, &mut out);
            out
        };
        prop_assert_eq!(left == right, pack(&left) == pack(&right));
        if let (Value::S(left_text), Value::S(right_text)) = (&left, &right) {
            prop_assert_eq!(left_text.cmp(right_text), key::encode(&left).unwrap().cmp(&key::encode(&right).unwrap()));
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let small = prop_oneof![
        "[a-cäµ]{0,4}".prop_map(Value::S),
        (-99..99i64).prop_map(Value::from),
        "-?[0-9]{1,20}\\.[0-9]{1,18}".prop_map(|text| Value::number(&text).unwrap()),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(|bytes| Value::B(bytes.into())),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        prop::collection::btree_set("[a-c]{0,3}", 1..4)
            .prop_map(|set| Value::text_set(set.into_iter().rev().collect()).unwrap()),
        prop::collection::btree_set(-20..20i64, 1..4)
            .prop_map(|set| Value::number_set(&set.iter().rev().map(i64::to_string).collect::<Vec<_>>()).unwrap()),
        prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..3), 1..4)
            .prop_map(|set| Value::bytes_set(set.into_iter().map(Into::into).collect()).unwrap()),
    ];
    small.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::L),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..4).prop_map(Value::M),
        ]
    })
}

fn items() -> impl Strategy<Value = Item> {
    prop::collection::btree_map("[a-dä]{0,3}", values(), 0..6)
}
