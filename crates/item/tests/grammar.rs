//! Random expressions: what is printed reads as the same, and a condition is what a naive reading of it says.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use std::collections::BTreeMap;

use item::expression::{Clause, ParsedCondition, ParsedProjection, ParsedUpdate, Placeholders};
use item::{Item, Packed, Value, fuzzing, packed};
use proptest::prelude::*;

/// A condition in the plainest way.
#[derive(Clone, Debug)]
enum Plain {
    /// Attribute, comparator, value.
    Compare(u8, &'static str, u8),
    Exists(u8),
    /// Attribute and two values.
    Between(u8, u8, u8),
    In(u8, Vec<u8>),
    Not(Box<Plain>),
    And(Box<Plain>, Box<Plain>),
    Or(Box<Plain>, Box<Plain>),
}

impl Plain {
    fn text(&self) -> String {
        let group = |plain: &Plain| match plain {
            Plain::And(..) | Plain::Or(..) => format!("({})", plain.text()),
            _ => plain.text(),
        };
        match self {
            Self::Compare(attribute, comparator, value) => format!("a{attribute} {comparator} :v{value}"),
            Self::Exists(attribute) => format!("attribute_exists(a{attribute})"),
            Self::Between(attribute, low, high) => format!("a{attribute} BETWEEN :v{low} AND :v{high}"),
            Self::In(attribute, list) => {
                let list: Vec<String> = list.iter().map(|value| format!(":v{value}")).collect();
                format!("a{attribute} IN ({})", list.join(", "))
            }
            Self::Not(inner) => format!("NOT {}", group(inner)),
            Self::And(left, right) => format!("{} AND {}", group(left), group(right)),
            Self::Or(left, right) => format!("{} OR {}", group(left), group(right)),
        }
    }

    fn holds(&self, item: &BTreeMap<u8, i64>) -> bool {
        match self {
            Self::Compare(attribute, comparator, value) => {
                let (found, value) = (item.get(attribute), i64::from(*value));
                match *comparator {
                    "=" => found == Some(&value),
                    "<>" => found != Some(&value),
                    "<" => found.is_some_and(|found| *found < value),
                    "<=" => found.is_some_and(|found| *found <= value),
                    ">" => found.is_some_and(|found| *found > value),
                    _ => found.is_some_and(|found| *found >= value),
                }
            }
            Self::Exists(attribute) => item.contains_key(attribute),
            Self::Between(attribute, low, high) => {
                item.get(attribute).is_some_and(|found| (i64::from(*low)..=i64::from(*high)).contains(found))
            }
            Self::In(attribute, list) => {
                item.get(attribute).is_some_and(|found| list.iter().any(|value| i64::from(*value) == *found))
            }
            Self::Not(inner) => !inner.holds(item),
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
        }
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let comparator = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (0..4u8, comparator, 0..6u8)
            .prop_map(|(attribute, comparator, value)| Plain::Compare(attribute, comparator, value)),
        (0..4u8).prop_map(Plain::Exists),
        (0..4u8, 0..3u8, 3..6u8).prop_map(|(attribute, low, high)| Plain::Between(attribute, low, high)),
        (0..4u8, prop::collection::vec(0..6u8, 1..4)).prop_map(|(attribute, list)| Plain::In(attribute, list)),
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Plain::Not(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Plain::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Plain::Or(Box::new(left), Box::new(right))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_condition_is_what_it_plainly_says(plain in plain(), item in prop::collection::btree_map(0..4u8, 0..6i64, 0..4)) {
        let text = plain.text();
        prop_assume!(text.len() <= 4096);
        let parsed = ParsedCondition::parse(Clause::Filter, &text).unwrap();
        let again = ParsedCondition::parse(Clause::Filter, &parsed.to_string()).unwrap();
        prop_assert_eq!(&parsed, &again);
        let values = (0..6).map(|value| (format!(":v{value}"), Value::from(value))).collect();
        let condition = parsed.bind(&mut Placeholders::new(None, Some(values)).unwrap()).unwrap();
        let stored: Item = item.iter().map(|(name, value)| (format!("a{name}"), Value::from(*value))).collect();
        let bytes = packed::pack(&stored);
        prop_assert_eq!(condition.holds(Some(Packed::new(&bytes).unwrap())), Ok(plain.holds(&item)), "{}", text);
        prop_assert_eq!(condition.holds(None), Ok(plain.holds(&BTreeMap::new())));
    }
}

const TEXTS: [&str; 8] = [
    "attribute_exists(a.b[0].#c) AND (size(a) > :v OR NOT begins_with(x, :p)) AND n BETWEEN :a AND :b",
    "a IN (:x, :y, b.c) OR contains(tags, :t) OR attribute_type(x, :t)",
    "SET a.b[1] = if_not_exists(c, :v) + :w, d = list_append(d, :l) REMOVE e[0], f ADD g :n DELETE h :s",
    "SET a = (b - :v)",
    "a, b.c[2].d, #x",
    "pk = :p AND :a <= sk",
    "NOT NOT a = :b",
    "a <> b",
];

#[test]
fn damaged_texts_neither_panic_nor_change_when_printed() {
    for text in TEXTS {
        let printed = ParsedCondition::parse(Clause::Condition, text).map(|parsed| parsed.to_string());
        let printed = printed.or_else(|_| ParsedUpdate::parse(text).map(|parsed| parsed.to_string()));
        let printed = printed.or_else(|_| ParsedProjection::parse(text).map(|parsed| parsed.to_string()));
        assert!(printed.is_ok(), "{text}");
    }
    let random = base::Random::seeded(6);
    for _ in 0..20_000 {
        let mut text: Vec<u8> = TEXTS[random.below(TEXTS.len() as u64) as usize].bytes().collect();
        for _ in 0..=random.below(4) {
            let place = random.below(text.len() as u64) as usize;
            match random.below(3) {
                0 => text[place] = b"()[].,:#=<>+- aZ0_"[random.below(18) as usize],
                1 => drop(text.remove(place)),
                _ => text.insert(place, b"()[].,:#=<>+- aZ0_"[random.below(18) as usize]),
            }
            if text.is_empty() {
                break;
            }
        }
        fuzzing::condition(&text);
        fuzzing::update(&text);
        fuzzing::projection(&text);
    }
}
