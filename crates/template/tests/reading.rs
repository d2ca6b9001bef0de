//! Reading text: scalars, tags, aliases, bounds; and that no text whatever breaks the readers.

use serde_json::{Value, json};

#[track_caller]
fn check(text: &str, expected: Value) {
    let node = template::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(node.to_json(), expected, "{text}");
}

#[test]
fn scalars_keep_how_they_were_written() {
    for (text, expected) in [
        ("000000000123", json!("000000000123")),
        ("123456789012", json!(123456789012u64)),
        ("0777", json!("0777")),
        ("0x1F", json!("0x1F")),
        ("1.10", json!("1.10")),
        ("1.5", json!(1.5)),
        ("1e3", json!("1e3")),
        ("-7", json!(-7)),
        ("+7", json!("+7")),
        ("18446744073709551616", json!("18446744073709551616")),
        (".inf", json!(".inf")),
        ("2012-10-17", json!("2012-10-17")),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("true", json!(true)),
        ("'true'", json!("true")),
        ("\"1\"", json!("1")),
        ("!!str 1", json!("1")),
        ("~", json!(null)),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ] {
        check(&format!("a: {text}"), json!({ "a": expected }));
    }
}

#[test]
fn tags_become_functions() {
    for (text, expected) in [
        ("!Ref A", json!({"Ref": "A"})),
        ("!GetAtt A.B.C", json!({"Fn::GetAtt": ["A", "B.C"]})),
        ("!Sub 0777", json!({"Fn::Sub": "0777"})),
        ("!Join [',', [!Ref A, !Sub b]]", json!({"Fn::Join": [",", [{"Ref": "A"}, {"Fn::Sub": "b"}]]})),
        ("!If\n  - C\n  - !Ref A\n  - b", json!({"Fn::If": ["C", {"Ref": "A"}, "b"]})),
        ("!Condition C", json!({"Condition": "C"})),
        ("!Base64\n  Fn::Sub: x", json!({"Fn::Base64": {"Fn::Sub": "x"}})),
    ] {
        check(&format!("a: {text}"), json!({ "a": expected }));
    }
}

#[test]
fn aliases_stand_for_what_they_name() {
    check("a: &x {b: 1}\nc: *x\nd: [*x]", json!({"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}));
}

#[test]
fn json_is_read_as_json() {
    check("{\"a\": [1, 1.5, \"x\\u00e9\\ud83d\\ude00\", true, null]}", json!({"a": [1, 1.5, "xé😀", true, null]}));
    check("\t{\"a\":\t1}", json!({"a": 1}));
    check("{a: !Ref b}", json!({"a": {"Ref": "b"}}));
}

#[test]
fn lines_are_known() {
    let node = template::read("a:\n  b: 1\n  c:\n    - !Ref x\n").expect("it is sound");
    for (path, line) in [("a.b", 2), ("a.c", 4), ("a.c.0", 4)] {
        assert_eq!(node.at(path).expect("it is there").line, line, "{path}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let laughs =
        (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    let deep_aliases =
        (1..2_000).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}]\n", n - 1));
    // A long text is long each time that it is meant, as a value and as a key.
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(900_000), "*a, ".repeat(20_000));
    let keys = format!("a: &a {{{}: 1}}\nb: [{}]", "x".repeat(900), "*a, ".repeat(20_000));
    for (text, expected) in [
        (long, "more than 4000000 bytes, aliases counted as what they stand for"),
        (keys, "more than 4000000 bytes, aliases counted as what they stand for"),
        (format!("a: {}", "[".repeat(150)), "nested deeper than 100 levels"),
        (format!("a: {}", "[".repeat(5_000)), "recursion limit exceeded"),
        (format!("{{\"a\": {}", "[".repeat(5_000)), "nested deeper than 100 levels"),
        (format!("a: {}", "{a: ".repeat(150)), "nested deeper than 100 levels"),
        (format!("a:\n{}", (0..3_000).map(|n| format!("{}- \n", " ".repeat(n))).collect::<String>()), ""),
        (format!("a: {}x", "!Sub ".repeat(500)), ""),
        (laughs, "more than 200000 values"),
        (deep_aliases, "nested deeper than 100 levels"),
        ("a: *nobody".to_owned(), ""),
        ("a: &x [*x]".to_owned(), ""),
        ("a: 1\n---\nb: 2".to_owned(), "a second one begins here"),
        ("? [a]\n: b".to_owned(), "a key must be plain text"),
    ] {
        let message = template::read(&text).expect_err("it is refused").to_string();
        assert!(message.contains(expected), "{message}");
    }
}

const SEEDS: [&str; 3] = [
    "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nParameters:\n  P: &p {Type: String, Default: \
     'x'}\n  Q: *p\nConditions:\n  C: !Equals [!Ref P, x]\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Condition: \
     C\n    Properties:\n      InlineCode: |\n        a\n        b\n      Environment: {Variables: {A: !Sub '${P}-${!B}', B: \
     !If [C, 1, !Ref AWS::NoValue]}}\nOutputs:\n  O: {Value: !GetAtt F.Arn, Export: {Name: !Join ['-', [a, !Select [0, [b]]]]}}\n",
    "{\"Parameters\": {\"P\": {\"Type\": \"Number\", \"Default\": \"3\", \"MinValue\": 1}}, \"Resources\": {\"A\": {\"Type\": \"T\", \
     \"Properties\": {\"X\": {\"Fn::Cidr\": [\"10.0.0.0/8\", 3, 8]}, \"Y\": {\"Fn::Split\": [\",\", \"a,b\"]}}}}}",
    "Resources:\n  A:\n    Type: T\n    Properties:\n      ? a\n      : - >+\n          folded\n        - \"q\\x41\\n\"\n        - \
     [1, {b: c}]\n        - !FindInMap [M, k, a, {DefaultValue: 1}]\nMappings:\n  M: {k: {a: [1, 2]}}\n",
];

/// Ten thousand damaged templates: the readers, the checks and the functions answer each, quickly, and never panic.
#[test]
fn damaged_templates_are_answered() {
    use std::collections::BTreeMap;
    use template::evaluate::Surroundings;
    use template::{Evaluator, Lookup, Pseudo, Resources, Template, conditions};

    struct Later;
    impl Resources for Later {
        fn reference(&self, _: &str) -> Lookup {
            Lookup::Later
        }
        fn attribute(&self, _: &str, _: &str) -> Lookup {
            Lookup::Later
        }
    }

    let mut state = 0x5eed_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    let pieces = [
        "!", "&p ", "*p", ": ", "- ", "\n", "  ", "{", "}", "[", "]", "'", "\"", "${", "Fn::Sub", "\t", "%", "\u{0}",
        "é", "---", "? ", "|", "9",
    ];
    let (mut sound, mut refused) = (0, 0);
    for round in 0..10_000 {
        let mut text: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=next(4) {
            let (at, length) = (next(text.len()), next(12));
            let end = (at + length).min(text.len());
            match next(4) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
                2 => drop(text.splice(at..at, text[at..end].to_vec())),
                _ => text[at] = char::from_u32(next(0x250) as u32).unwrap_or('x'),
            }
            if text.is_empty() {
                break;
            }
        }
        let text: String = text.into_iter().collect();
        let Ok(template) = Template::parse(&text) else {
            refused += 1;
            continue;
        };
        sound += 1;
        let Ok(bound) = template.bind(&BTreeMap::new()) else { continue };
        let (pseudo, exports) = (Pseudo::default(), BTreeMap::new());
        let Ok(conditions) = conditions::evaluate(&template, &bound, &pseudo) else { continue };
        let evaluator = Evaluator::new(Surroundings {
            mappings: &template.mappings,
            parameters: &bound,
            pseudo: &pseudo,
            conditions: &conditions,
            exports: &exports,
            resources: &Later,
        });
        for resource in &template.resources {
            if let Ok(Some(once)) = evaluator.evaluate(&resource.properties) {
                let twice = evaluator.evaluate(&once).expect("what was evaluated once can be again");
                assert_eq!(twice, Some(once), "a second pass changes nothing while nothing else is known");
            }
        }
    }
    assert!(sound > 500 && refused > 500, "the damage is neither too small nor too great: {sound} and {refused}");
}
