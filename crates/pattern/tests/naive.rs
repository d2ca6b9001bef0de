//! Random patterns and events: a matcher that is plainly right, the pattern alone, and an index must say the same.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use pattern::{Index, Pattern};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Few names and values, so that patterns and events meet.
const NAMES: [&str; 4] = ["a", "b", "c", "a.b"];
const WORDS: [&str; 8] = ["", "x", "X", "xy", "yx", "10.0.0.1", "10.0.0.200", "xyx"];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(WORDS.as_slice())
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        word().prop_map(Value::from),
        (-3..4).prop_map(Value::from),
        Just(json!(1.5)),
        Just(json!(null)),
        any::<bool>().prop_map(Value::from)
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let inner = leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES.as_slice()), inner, 0..4)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    });
    prop::collection::btree_map(prop::sample::select(NAMES.as_slice()), inner, 0..4)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn condition() -> impl Strategy<Value = Value> {
    let filled = || word().prop_filter("not empty", |word| !word.is_empty());
    prop_oneof![
        4 => leaf(),
        1 => word().prop_map(|w| json!({"prefix": w})),
        1 => word().prop_map(|w| json!({"suffix": w})),
        1 => word().prop_map(|w| json!({"prefix": {"equals-ignore-case": w}})),
        1 => word().prop_map(|w| json!({"suffix": {"equals-ignore-case": w}})),
        1 => word().prop_map(|w| json!({"equals-ignore-case": w})),
        1 => (word(), word()).prop_map(|(w, v)| json!({"wildcard": format!("{w}*{v}")})),
        1 => prop::collection::vec(word(), 1..3).prop_map(|w| json!({"anything-but": w})),
        1 => prop::collection::vec(-3..4, 1..3).prop_map(|n| json!({"anything-but": n})),
        1 => filled().prop_map(|w| json!({"anything-but": {"prefix": w}})),
        1 => (-3..2, 1..4).prop_map(|(low, length)| json!({"numeric": [">", low, "<=", low + length]})),
        1 => (-3..4).prop_map(|n| json!({"numeric": ["<", n]})),
        1 => Just(json!({"cidr": "10.0.0.0/25"})),
        1 => any::<bool>().prop_map(|there| json!({"exists": there})),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let conditions = prop::collection::vec(condition(), 1..4).prop_map(Value::from);
    let object = |inner: BoxedStrategy<Value>| {
        prop::collection::btree_map(prop::sample::select(NAMES.as_slice()), inner, 1..4)
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>())
    };
    let inner = conditions.prop_recursive(3, 12, 3, move |inner| object(inner.boxed())).boxed();
    let plain = object(inner).boxed();
    (plain.clone(), prop::option::of(prop::collection::vec(plain, 2..4))).prop_map(|(mut pattern, either)| {
        if let Some(either) = either {
            pattern["$or"] = either.into();
        }
        pattern
    })
}

/// A leaf of an event: its path, and the place among all leaves' places.
type Leaf = (String, Vec<(usize, usize)>, Value);

fn leaves(value: &Value, path: &str, place: &[(usize, usize)], arrays: &mut usize, out: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(member, &path, place, arrays, out);
        }),
        Value::Array(elements) => {
            let array = *arrays;
            *arrays += 1;
            for (at, element) in elements.iter().enumerate() {
                leaves(element, path, &[place, &[(array, at)]].concat(), arrays, out);
            }
        }
        leaf => out.push((path.to_owned(), place.to_vec(), leaf.clone())),
    }
}

/// Every way to choose from the `$or`s, as paths with their conditions; the later of two for one path counts.
fn ways(pattern: &Value, path: &str, before: Vec<Vec<(String, Value)>>) -> Vec<Vec<(String, Value)>> {
    let mut ways_so_far = before;
    for (name, value) in pattern.as_object().unwrap() {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        ways_so_far = match value {
            Value::Array(members) if name == "$or" => {
                members.iter().flat_map(|member| ways(member, path, ways_so_far.clone())).collect()
            }
            Value::Array(_) => ways_so_far
                .into_iter()
                .map(|mut way| {
                    way.retain(|(path, _)| *path != inner);
                    way.push((inner.clone(), value.clone()));
                    way
                })
                .collect(),
            object => ways(object, &inner, ways_so_far),
        };
    }
    ways_so_far
}

fn fits(condition: &Value, leaf: &Value) -> bool {
    let Some((operator, wanted)) = condition.as_object().and_then(|object| object.iter().next()) else {
        return match (condition.as_f64(), leaf.as_f64()) {
            (Some(one), Some(other)) => one == other,
            _ => condition == leaf,
        };
    };
    let (text, wanted_text) = (leaf.as_str(), wanted.as_str().unwrap_or_default());
    let folded = wanted["equals-ignore-case"].as_str().map(str::to_lowercase);
    let of_text = |fits: &dyn Fn(&str) -> bool| text.is_some_and(fits);
    match operator.as_str() {
        "prefix" => match folded {
            Some(folded) => of_text(&|text| text.to_lowercase().starts_with(&folded)),
            None => of_text(&|text| text.starts_with(wanted_text)),
        },
        "suffix" => match folded {
            Some(folded) => of_text(&|text| text.to_lowercase().ends_with(&folded)),
            None => of_text(&|text| text.ends_with(wanted_text)),
        },
        "equals-ignore-case" => of_text(&|text| text.to_lowercase() == wanted_text.to_lowercase()),
        "wildcard" => {
            let (first, last) = wanted_text.split_once('*').unwrap();
            of_text(&|text| text.len() >= first.len() + last.len() && text.starts_with(first) && text.ends_with(last))
        }
        "anything-but" => match wanted {
            Value::Object(prefix) => !of_text(&|text| text.starts_with(prefix["prefix"].as_str().unwrap())),
            list => !list.as_array().unwrap().iter().any(|one| fits(one, leaf)),
        },
        "numeric" => leaf.as_f64().is_some_and(|number| {
            wanted.as_array().unwrap().chunks(2).all(|bound| {
                let (operator, bound) = (bound[0].as_str().unwrap(), bound[1].as_f64().unwrap());
                match operator {
                    ">" => number > bound,
                    "<" => number < bound,
                    _ => number <= bound,
                }
            })
        }),
        "cidr" => text == Some("10.0.0.1"),
        "exists" => wanted == true,
        other => panic!("{other}"),
    }
}

/// Tries every choice of one leaf for each field.
fn choose(way: &[(String, Value)], leaves: &[Leaf], chosen: &[(usize, usize)]) -> bool {
    let Some(((path, conditions), rest)) = way.split_first() else { return true };
    let conditions = conditions.as_array().unwrap();
    let here: Vec<&Leaf> = leaves.iter().filter(|(at, _, _)| at == path).collect();
    if here.is_empty() {
        return conditions.contains(&json!({"exists": false})) && choose(rest, leaves, chosen);
    }
    here.iter().any(|(_, place, leaf)| {
        let agrees = place.iter().all(|(array, at)| chosen.iter().all(|(other, index)| array != other || at == index));
        agrees
            && conditions.iter().any(|condition| fits(condition, leaf))
            && choose(rest, leaves, &[chosen, place.as_slice()].concat())
    })
}

fn naive(pattern: &Value, event: &Value) -> bool {
    let mut all = Vec::new();
    leaves(event, "", &[], &mut 0, &mut all);
    ways(pattern, "", vec![Vec::new()]).iter().any(|way| choose(way, &all, &[]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn all_three_agree(patterns in prop::collection::vec(pattern(), 1..24), events in prop::collection::vec(event(), 1..12), gone in any::<u32>()) {
        let mut index = Index::new();
        let compiled: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::compile(&pattern.to_string()).expect("it is one")).collect();
        for (key, pattern) in compiled.iter().enumerate() {
            index.insert(key, pattern);
        }
        // Some go, some of them come back, one is filed again.
        for (key, pattern) in compiled.iter().enumerate() {
            if gone >> (key % 32) & 1 == 1 {
                prop_assert!(index.remove(&key));
            }
            if key % 3 == 0 {
                index.insert(key, pattern);
            }
        }
        for event in &events {
            let mut expected = Vec::new();
            for (key, pattern) in patterns.iter().enumerate() {
                let wanted = naive(pattern, event);
                prop_assert_eq!(compiled[key].matches(event), wanted, "{} {}", pattern, event);
                let is_filed = gone >> (key % 32) & 1 == 0 || key % 3 == 0;
                expected.extend((wanted && is_filed).then_some(key));
            }
            prop_assert_eq!(index.matches(event), expected);
        }
        for key in 0..compiled.len() {
            index.remove(&key);
        }
        prop_assert!(index.is_empty());
        prop_assert!(events.iter().all(|event| index.matches(event).is_empty()));
    }
}

/// Lines of the table with bytes changed, cut and repeated: anything may be answered, nothing may break.
#[test]
fn damage_breaks_nothing() {
    let random = base::Random::seeded(5);
    let lines: Vec<&str> = include_str!("cases/answers.txt").lines().filter(|line| line.contains('{')).collect();
    for _ in 0..6_000 {
        let line = lines[random.below(lines.len() as u64) as usize];
        let text = line.split_once(' ').map_or(line, |(_, rest)| rest).replacen("} {", "}\n{", 1);
        let mut bytes = text.into_bytes();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes[at] = random.u64() as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes[at] = b"{}[]\",:*\\0"[random.below(10) as usize],
                _ => bytes.extend_from_within(at..),
            }
        }
        pattern::fuzzing::pattern(&bytes);
    }
}
