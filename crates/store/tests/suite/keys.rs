//! Keys: what goes in comes out, and the order of the bytes is the order of the parts.

use proptest::prelude::*;
use store::{Class, Key, PartValue, Range};

fn part() -> impl Strategy<Value = PartValue> {
    // Few different bytes, and the ones that matter to the encoding, so that neighbours and prefixes are met.
    let text = proptest::collection::vec(prop_oneof![Just('\0'), Just('a'), Just('b'), any::<char>()], 0..5);
    let bytes = proptest::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(1), any::<u8>()], 0..5);
    let number = prop_oneof![0..3_u64, 254..258_u64, Just(u64::MAX), any::<u64>()];
    let negative = prop_oneof![-3..0_i64, -258..-254_i64, Just(i64::MIN), i64::MIN..0];
    prop_oneof![
        text.prop_map(|text| PartValue::Text(text.into_iter().collect())),
        bytes.prop_map(PartValue::Bytes),
        number.prop_map(PartValue::Number),
        negative.prop_map(PartValue::Negative),
        any::<[u8; 16]>().prop_map(PartValue::Id),
    ]
}

fn parts() -> impl Strategy<Value = (Class, Vec<PartValue>)> {
    (proptest::sample::select(&Class::ALL[..]), proptest::collection::vec(part(), 0..4))
}

fn key((class, parts): &(Class, Vec<PartValue>)) -> Key {
    parts.iter().fold(Key::of(*class, "k"), |key, part| match part {
        PartValue::Bytes(bytes) => key.with(bytes),
        PartValue::Text(text) => key.with(text),
        PartValue::Id(id) => key.with(id),
        PartValue::Negative(number) => key.with(number),
        PartValue::Number(number) => key.with(number),
        PartValue::Digest(..) => unreachable!("not generated"),
    })
}

proptest! {
    #[test]
    fn parts_come_out_as_they_went_in(tuple in parts()) {
        let key = key(&tuple);
        prop_assert_eq!(key.class(), tuple.0);
        let mut read = key.parts_after(&Key::of(tuple.0, "k")).unwrap();
        for part in &tuple.1 {
            let found = read.next_part().unwrap();
            prop_assert_eq!(found.as_ref(), Some(part));
        }
        prop_assert!(read.is_empty());
        prop_assert_eq!(Key::from_bytes(key.as_bytes().to_vec()).unwrap(), key);
    }

    #[test]
    fn keys_are_ordered_as_their_parts(one in parts(), two in parts()) {
        prop_assert_eq!(key(&one).cmp(&key(&two)), one.cmp(&two));
    }

    #[test]
    fn a_prefix_covers_what_begins_with_its_parts(prefix in parts(), other in parts(), more in proptest::collection::vec(part(), 0..3)) {
        let longer = (prefix.0, prefix.1.iter().chain(&more).cloned().collect());
        for tuple in [other, longer] {
            let expected = tuple.0 == prefix.0 && tuple.1.starts_with(&prefix.1);
            prop_assert_eq!(Range::prefix(&key(&prefix)).contains(&key(&tuple)), expected);
            prop_assert_eq!(key(&tuple).starts_with(&key(&prefix)), expected);
            prop_assert_eq!(key(&tuple).parts_after(&key(&prefix)).is_ok(), expected);
        }
    }

    #[test]
    fn a_text_prefix_covers_what_begins_with_the_text(text in "[a\0b]{0,4}", start in "[a\0b]{0,2}", part in part()) {
        let parent = Key::new("k");
        let range = Range::text_prefix(&parent, &start);
        prop_assert_eq!(range.contains(&parent.clone().with(&text)), text.starts_with(&start));
        let longer = parent.clone().with(&text).with(1_u64);
        prop_assert_eq!(range.contains(&longer), text.starts_with(&start));
        let is_text = matches!(&part, PartValue::Text(text) if text.starts_with(&start));
        prop_assert_eq!(range.contains(&key(&(Class::Record, vec![part]))), is_text);
    }

    #[test]
    fn a_bytes_prefix_covers_what_begins_with_the_bytes(
        bytes in proptest::collection::vec(proptest::sample::select(vec![0_u8, 1, 7, 0xfe, 0xff]), 0..5),
        start in proptest::collection::vec(proptest::sample::select(vec![0_u8, 1, 7, 0xfe, 0xff]), 0..4),
    ) {
        let parent = Key::new("k");
        let range = Range::bytes_prefix(&parent, &start);
        prop_assert_eq!(range.contains(&parent.clone().with(&bytes)), bytes.starts_with(&start));
        let longer = parent.clone().with(&bytes).with(1_u64);
        prop_assert_eq!(range.contains(&longer), bytes.starts_with(&start));
    }

    #[test]
    fn through_covers_a_key_and_what_is_under_it(one in parts(), two in parts()) {
        let (one, two) = (key(&one), key(&two));
        prop_assert_eq!(Range::all().through(&one).contains(&two), two <= one || two.starts_with(&one));
    }

    #[test]
    fn after_skips_a_key_and_what_is_under_it(one in parts(), two in parts()) {
        let (one, two) = (key(&one), key(&two));
        prop_assert_eq!(Range::all().after(&one).contains(&two), two > one && !two.starts_with(&one));
        prop_assert_eq!(Range::all().from(&one).contains(&two), two >= one);
        prop_assert_eq!(Range::all().before(&one).contains(&two), two < one);
    }

    #[test]
    fn no_bytes_are_read_past_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(key) = Key::from_bytes(bytes.clone()) {
            prop_assert_eq!(key.as_bytes(), &bytes[..]);
            prop_assert!(!key.to_string().is_empty() || key.parts().is_empty() || bytes.len() < 4);
        }
    }
}

#[test]
fn keys_are_shown_to_people() {
    let key =
        Key::new("fn").with("000000000000").with("eu-west-1").with(7_u64).with(-1_i64).with([0xab_u8; 2].as_slice());
    assert_eq!(key.to_string(), "fn/000000000000/eu-west-1/7/-1/0xabab");
}

#[test]
fn long_texts_are_hashed() {
    let parent = Key::new("k");
    let short = parent.clone().with_digest("short", 5);
    assert_eq!(short, parent.clone().with("short"));
    let (one, two) = ("x".repeat(5_000), format!("{}y", "x".repeat(4_999)));
    let (one, two) = (parent.clone().with_digest(&one, 1_000), parent.clone().with_digest(&two, 1_000));
    assert_ne!(one, two);
    assert!(one.as_bytes().len() < 200);
    assert_eq!(one, parent.clone().with_digest(&"x".repeat(5_000), 1_000));
    // A character is not cut in two.
    let euros = parent.clone().with_digest(&"€".repeat(1_000), 1_000);
    match euros.parts_after(&parent).unwrap().next_part().unwrap() {
        Some(PartValue::Digest(head, sha256)) => {
            assert_eq!((head, sha256), ("€".repeat(42), *store::BlobId::of("€".repeat(1_000).as_bytes()).sha256()));
        }
        other => panic!("{other:?}"),
    }
}
