//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use std::collections::BTreeMap;

use crate::expression::{Clause, KeySchema, KeyTests, ParsedCondition, ParsedProjection, ParsedUpdate, Placeholders};
use crate::partiql::{self, Phrases, Plan, Statement};
use crate::{Item, Kind, Number, Packed, Value, ion, json, key, packed};

/// Bytes as a packed item: reading must not panic, and what can be read must come out the same again.
pub fn packed(data: &[u8]) {
    let Ok(read) = Packed::new(data) else { return };
    let _ = read.get("a");
    let Ok(item) = read.unpack() else { return };
    let again = packed::pack(&item);
    let read = Packed::new(&again).and_then(|packed| packed.unpack());
    assert_eq!(read.as_ref(), Ok(&item));
}

/// Text as a number: what is printed reads as the same number, and its key is its own.
pub fn number(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(number) = text.parse::<Number>() else { return };
    assert_eq!(number.to_string().parse(), Ok(number));
    assert_eq!(key::decode_number(&key::encode_number(number)), Some(number));
}

/// Text as the JSON form of an item: what can be read is written as what reads the same.
pub fn item_json(data: &[u8]) {
    let Ok(document) = serde_json::from_slice(data) else { return };
    let Ok(item) = json::read_item(&document) else { return };
    assert_eq!(json::read_item(&json::write_item(&item)).as_ref(), Ok(&item));
}

/// Text as a record of Ion: what can be read is written as what reads the same.
pub fn item_ion(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(item) = ion::read_record(text) else { return };
    assert_eq!(ion::read_record(&format!("$ion_1_0 {{Item:{}}}", ion::write_item(&item))).as_ref(), Ok(&item));
}

/// Text as a condition: what is printed reads as the same, and asking it of an item must not panic.
pub fn condition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = ParsedCondition::parse(Clause::KeyCondition, text) else { return };
    // Parentheses that were left out may make a text longer than it was, never shorter than it must be.
    if let Ok(again) = ParsedCondition::parse(Clause::KeyCondition, &parsed.to_string()) {
        assert_eq!(again, parsed);
    }
    let Some(condition) = placeholders().and_then(|mut placeholders| parsed.bind(&mut placeholders).ok()) else {
        return;
    };
    let bytes = packed::pack(&item());
    let held = Packed::new(&bytes).and_then(|item| condition.holds(Some(item)));
    assert!(held.is_ok() && condition.holds(None).is_ok());
    let _ = KeyTests::split(&condition)
        .map(|tests| tests.on(KeySchema { hash: ("a", Kind::S), range: Some(("b", Kind::N)) }));
}

/// Text as an update: what is printed reads as the same, and what becomes of an item can be stored.
pub fn update(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = ParsedUpdate::parse(text) else { return };
    if let Ok(again) = ParsedUpdate::parse(&parsed.to_string()) {
        assert_eq!(again, parsed);
    }
    let Some(update) = placeholders().and_then(|mut placeholders| parsed.bind(&mut placeholders).ok()) else { return };
    let Ok(new) = update.apply(&item()) else { return };
    let bytes = packed::pack(&new);
    assert_eq!(Packed::new(&bytes).and_then(|packed| packed.unpack()).as_ref(), Ok(&new));
    let _ = update.touched().take_of(&new);
}

/// Text as a projection: what is printed reads as the same, and both ways of taking it agree.
pub fn projection(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = ParsedProjection::parse(text) else { return };
    if let Ok(again) = ParsedProjection::parse(&parsed.to_string()) {
        assert_eq!(again, parsed);
    }
    let Some(projection) = placeholders().and_then(|mut placeholders| parsed.bind(&mut placeholders).ok()) else {
        return;
    };
    let bytes = packed::pack(&item());
    let taken = Packed::new(&bytes).and_then(|packed| projection.take(packed));
    assert_eq!(taken, Ok(projection.take_of(&item())));
}

/// Text as a PartiQL statement: what can be read can be said in expressions, whose placeholders are all used.
pub fn statement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(statement) = partiql::read(text, &[Value::from("x")]).or_else(|_| partiql::read(text, &[])) else { return };
    let mut phrases = Phrases::default();
    let condition = match &statement {
        Statement::Select(select) | Statement::Exists(select) => select.condition.as_ref(),
        Statement::Insert { .. } => None,
        Statement::Update { changes, condition, .. } => {
            let _ = phrases.update(changes);
            phrases = Phrases::default();
            Some(condition)
        }
        Statement::Delete { condition, .. } => Some(condition),
    };
    let plan = Plan::new(condition, "pk", Some("sk"));
    let _ = plan.key(Some("sk"));
    let key = plan.partitions().first().map(|partition| plan.key_condition(partition, &mut phrases));
    let texts = [key, plan.rest(&mut phrases)];
    let Phrases { names, values } = phrases;
    let some = |there: bool| there.then_some(());
    let names = some(!names.is_empty()).map(|()| names);
    let values = some(!values.is_empty()).map(|()| values);
    let Ok(mut placeholders) = Placeholders::new(names, values) else { return };
    for text in texts.into_iter().flatten() {
        let Ok(parsed) = ParsedCondition::parse(Clause::Filter, &text) else { return };
        if parsed.bind(&mut placeholders).is_err() {
            return;
        }
    }
    assert_eq!(placeholders.check_used(), Ok(()));
}

/// What texts find: short names of every type.
fn item() -> Item {
    let text = |text: &str| Value::from(text);
    let inner = Item::from([("b".to_owned(), Value::L(vec![text("x"), Value::from(1)])), ("c".to_owned(), text("y"))]);
    Item::from([
        ("a".to_owned(), Value::M(inner)),
        ("b".to_owned(), Value::from(3)),
        ("d".to_owned(), Value::L(vec![text("z"), Value::Null])),
        ("g".to_owned(), Value::from(7)),
        ("n".to_owned(), Value::from(2)),
        ("x".to_owned(), text("pq")),
    ])
}

fn placeholders() -> Option<Placeholders> {
    let names = ["#c", "#x"].map(|key| (key.to_owned(), key[1..].to_owned()));
    let values = [
        (":a", Value::from(1)),
        (":b", Value::from(5)),
        (":l", Value::L(vec![Value::Null])),
        (":n", Value::from(4)),
        (":p", Value::from("p")),
        (":t", Value::from("S")),
        (":v", Value::from(9)),
        (":w", Value::from(-2)),
        (":x", Value::from("x")),
        (":y", Value::Bool(true)),
    ];
    let values = values.map(|(key, value)| (key.to_owned(), value));
    Placeholders::new(Some(BTreeMap::from(names)), Some(BTreeMap::from(values))).ok()
}
