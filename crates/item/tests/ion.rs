//! Records in Ion's text that were damaged at random: what can still be read is written as what reads the same.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use item::{fuzzing, ion};

const TEXTS: [&str; 4] = [
    r#"$ion_1_0 {Item:{pk:"a\"b\\c\n\x01\u00e9",'it\'s':-1.5,n:$dynamodb_NS::[1.,2.5d3,0.],s:$dynamodb_SS::["a","b"]}}"#,
    "$ion_1_0 {Item:{pk:\"x\",raw:{{AP8=}},b:$dynamodb_BS::[{{AA==}},{{AQ==}}],none:null,yes:true}}",
    "$ion_1_0 {Item:{'pk':\"x\",deep:{list:[1.,[false,{'x':[]}],\"y\"],map:{}}}}",
    "$ion_1_0 {Item:{pk:12d-30,big:9.9999999999999999999999999999999999999d125,small:-1d-130}}",
];

#[test]
fn damaged_records_do_not_panic_nor_change_when_written() {
    for text in TEXTS {
        assert!(ion::read_record(text).is_ok(), "{text}");
        fuzzing::item_ion(text.as_bytes());
    }
    const MARKS: &[u8] = b"{}[]'\":,.\\$_-+ dxu019AZ=/n\n";
    let random = base::Random::seeded(6);
    for _ in 0..20_000 {
        let mut text: Vec<u8> = TEXTS[random.below(4) as usize].bytes().collect();
        for _ in 0..=random.below(4) {
            let place = random.below(text.len() as u64) as usize;
            let mark = MARKS[random.below(MARKS.len() as u64) as usize];
            match random.below(4) {
                0 => text[place] = mark,
                1 => drop(text.remove(place)),
                // A piece of it once more, which also nests what is nested.
                2 => {
                    let piece = text[place..].iter().take(random.below(20) as usize).copied().collect::<Vec<_>>();
                    text.splice(place..place, piece);
                }
                _ => text.insert(place, mark),
            }
            if text.is_empty() {
                break;
            }
        }
        fuzzing::item_ion(&text);
    }
    // Deeper than any item, and than the stack of a reader that goes into each.
    for open in ["[", "{a:", "$dynamodb_SS::["] {
        let deep = format!("$ion_1_0 {{Item:{{pk:{}}}}}", open.repeat(100_000));
        assert!(ion::read_record(&deep).is_err(), "{open}");
    }
}
