//! A table of patterns, events and answers; each answered by the pattern alone and by an index that holds it among others.

use pattern::{Index, Pattern};
use serde_json::Value;
use serde_json::value::RawValue;

#[test]
fn every_line_is_answered_as_it_says() {
    let mut crowd = Index::new();
    let mut count = 0;
    for (number, line) in (1_u32..).zip(include_str!("cases/answers.txt").lines()) {
        let Some((verdict, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else { continue };
        count += 1;
        if verdict == "refused" {
            let (text, reason) = rest.split_once(" => ").expect("a refusal has a reason");
            let refused = Pattern::compile(text).expect_err(line);
            assert_eq!(refused.why().to_string(), reason, "line {number}: {line}");
            continue;
        }
        let mut parts = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
        let mut part = || parts.next().expect("a pattern and an event").expect("both are JSON");
        let (text, event) = (part(), part());
        let event: Value = serde_json::from_str(event.get()).unwrap();
        let pattern = Pattern::compile(text.get()).unwrap_or_else(|why| panic!("line {number}: {line}: {why}"));
        assert_eq!(pattern.matches(&event), verdict == "yes", "line {number}: {line}");
        crowd.insert(number, &pattern);
        assert_eq!(crowd.matches(&event).contains(&number), verdict == "yes", "in a crowd, line {number}: {line}");
    }
    assert!(count > 190, "only {count} lines were read");
}

#[test]
fn a_fault_says_where() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Pattern::compile(text).expect_err(text).to_string(), expected);
    };
    check(
        r#"{"source": ["shop"], "detail": {}}"#,
        "Empty objects are not allowed\n at [Source: (String)\"{\"source\": [\"shop\"], \"detail\": {}}\"; line: 1, column: 34]",
    );
    check(
        "{\n  \"a\": \"x\"\n}",
        "\"a\" must be an object or an array\n at [Source: (String)\"{\n  \"a\": \"x\"\n}\"; line: 2, column: 9]",
    );
    check(r#"{"a": [{"cidr": "x"}]}"#, "Malformed CIDR, one '/' required");
    let long = format!(r#"{{"{}": 1}}"#, "é".repeat(600));
    let message = Pattern::compile(&long).expect_err("a number is no pattern").to_string();
    assert!(message.contains("[truncated 107 chars]"), "{message}");
}

#[test]
fn what_could_grow_is_bounded() {
    let refused = |text: &str| Pattern::compile(text).expect_err("too much").why().to_string();
    let nested = format!("{}[1]{}", r#"{"a":"#.repeat(500), "}".repeat(500));
    assert_eq!(refused(&nested), "The pattern is nested more than 128 levels deep");
    let either = |name: &str| {
        format!(r#""{name}": {{"$or": [{{"a": [1]}}, {{"b": [1]}}, {{"c": [1]}}, {{"d": [1]}}, {{"e": [1]}}]}}"#)
    };
    let text = format!("{{{}}}", ["p", "q", "r", "s", "t"].map(either).join(", "));
    assert_eq!(refused(&text), "Rule is too complex - its $or relationships make more than 1000 combinations");
    assert_eq!(refused(&" ".repeat(20_000)), "The pattern is longer than 16384 bytes");
    // Arrays whose elements all fit, and never agree.
    let pattern = Pattern::compile(r#"{"a": {"b": [1], "c": [1]}, "z": {"b": [1], "c": [1]}}"#).unwrap();
    let element = |at: usize| {
        serde_json::json!(if at.is_multiple_of(2) { serde_json::json!({"b": 1}) } else { serde_json::json!({"c": 1}) })
    };
    let elements: Vec<Value> = (0..20_000).map(element).collect();
    assert!(!pattern.matches(&serde_json::json!({"a": elements, "z": elements})));
}

/// The recorded answers of the real service, where they are at hand: a folder of JSON with comments, in which the name of a file says
/// whether its pattern matches (nothing), does not (`_NEG`), or is refused (`_EXC`).
#[test]
fn recorded_answers_are_given_again() {
    let folder =
        std::env::var_os("FREEHOLD_DATA").map(|folder| std::path::PathBuf::from(folder).join("event-patterns"));
    let Some(files) = folder.and_then(|folder| std::fs::read_dir(folder).ok()) else {
        println!("skipped: no recorded answers here; set FREEHOLD_DATA to the folder that has event-patterns");
        return;
    };
    let mut count = 0;
    for path in files.map(|file| file.unwrap().path()) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = plain(&std::fs::read_to_string(&path).unwrap());
        let case: std::collections::HashMap<String, Box<RawValue>> =
            serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let event: Value = serde_json::from_str(case["Event"].get()).unwrap();
        let compiled = Pattern::compile(case["EventPattern"].get());
        if name.ends_with("_EXC") {
            assert!(compiled.is_err(), "{name}");
        } else {
            let pattern = compiled.unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(pattern.matches(&event), !name.ends_with("_NEG"), "{name}");
        }
        count += 1;
    }
    println!("{count} recorded answers");
    assert!(count > 0);
}

/// JSON without the comments and the commas after last members.
fn plain(text: &str) -> String {
    let (mut out, mut letters, mut quoted) = (String::new(), text.chars().peekable(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quoted => out.extend([Some(letter), letters.next()].into_iter().flatten()),
            '/' if !quoted && letters.peek() == Some(&'/') => while letters.next_if(|next| *next != '\n').is_some() {},
            '}' | ']' if !quoted => {
                if out.trim_end().ends_with(',') {
                    out.truncate(out.trim_end().len() - 1);
                }
                out.push(letter);
            }
            _ => {
                quoted ^= letter == '"';
                out.push(letter);
            }
        }
    }
    out
}
