//! The language by example, against a naive evaluator, and under mutation.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Pattern, PatternError};

#[track_caller]
fn check(pattern: &str, message: &str, expected: bool) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    assert_eq!(parsed.matches(message), expected, "{pattern} on {message}");
}

#[track_caller]
fn refuse(pattern: &str, expected: &str) {
    assert_eq!(Pattern::parse(pattern).expect_err(pattern).to_string(), expected, "{pattern}");
}

#[test]
fn terms_are_found_anywhere() {
    let both = "ERROR WARN message";
    let (error, warn) = ("ERROR message", "WARN message");
    for (pattern, matches) in [
        ("", [true, true, true]),
        ("  ", [true, true, true]),
        ("ERROR", [true, true, false]),
        ("error", [false, false, false]),
        ("RROR", [true, true, false]),
        ("ERROR WARN", [true, false, false]),
        ("?ERROR ?WARN", [true, true, true]),
        ("ERROR -WARN", [false, true, false]),
        ("ERROR - WARN", [false, true, false]),
        ("-ERROR", [false, false, true]),
        ("\"ERROR message\"", [false, true, false]),
        ("ERROR ?WARN", [true, true, false]),
        ("?ERROR -WARN", [false, true, false]),
        ("%ER+OR%", [true, true, false]),
        ("-%^ERROR%", [false, false, true]),
        ("?%^WARN% ?\"ERROR m\"", [false, true, true]),
    ] {
        for (message, expected) in [both, error, warn].into_iter().zip(matches) {
            check(pattern, message, expected);
        }
    }
    check(r#""say \"hi\"""#, r#"they say "hi" again"#, true);
    check("größe_1", "größe_12", true);
}

#[test]
fn json_conditions_hold_for_values() {
    let trail = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true,
        "a.b": {"c d": 7}, "big": 9007199254740993, "ratio": -0.5, "text": "200"}"#;
    for (pattern, expected) in [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        (r#"{$.eventType="UpdateTrail"}"#, true),
        ("{ $.eventType = UpdateTrail }", true),
        ("{ $.eventType = Update* }", true),
        ("{ $.eventType = *Trail }", true),
        ("{ $.eventType = \"*date*\" }", true),
        ("{ $.eventType = Up*ail }", false),
        ("{ $.eventType != *Trail }", false),
        ("{ $.eventType = %^Up[a-z]+T% }", true),
        ("{ $.eventType != %Trail% }", false),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        ("{ $.sourceIPAddress = 111.111.* }", true),
        (r#"{ $.arrayKey[0] = "value" }"#, true),
        (r#"{ $.arrayKey[2] = "value" }"#, false),
        (r#"{ $.arrayKey = "value" }"#, false),
        (r#"{ $.arrayKey != "value" }"#, false),
        (r#"{ $.arrayKey[*] = "another value" }"#, true),
        ("{ $.objectList[1].id = 2 }", true),
        ("{ $.objectList[*].id = 2 }", true),
        ("{ $.objectList[*].id = 3 }", false),
        ("{ $.*[1].name = b }", true),
        ("{ $.SomeObject IS NULL }", true),
        ("{ $.ThisFlag IS NULL }", false),
        ("{ $.SomeOtherObject NOT EXISTS }", true),
        ("{ $.SomeObject NOT EXISTS }", false),
        ("{ $.SomeOtherObject != x }", false),
        ("{ $.ThisFlag IS TRUE }", true),
        ("{ $.ThisFlag IS FALSE }", false),
        ("{ $.ThisFlag = true }", true),
        ("{ $['a.b'].['c d'] = 7 }", true),
        (r#"{ $["a.b"]["c d"] >= 7.0 }"#, true),
        ("{ $.big = 9007199254740993 }", true),
        ("{ $.big = 9007199254740992 }", false),
        ("{ $.big > 9007199254740992 }", true),
        ("{ $.ratio < 0 && $.ratio > -1 }", true),
        ("{ $.ratio = -5e-1 }", true),
        ("{ $.ratio = -* }", true),
        ("{ $.text = 200 }", true),
        ("{ $.text >= 100 }", false),
        ("{ $.eventType = * }", true),
        ("{ $.ThisFlag IS TRUE && $.text = 1 || $.ratio <= -0.5 }", true),
        ("{ $.ThisFlag IS TRUE && ($.text = 1 || $.ratio < -0.5) }", false),
    ] {
        check(pattern, trail, expected);
    }
    for message in ["plain", "[{\"a\": 1}]", "{\"a\": 1", "{\"a\": 1} tail", ""] {
        check("{ $.a = 1 }", message, false);
        check("{ $.b NOT EXISTS }", message, false);
    }
}

#[test]
fn compound_conditions_follow_the_usual_order() {
    let message = json!({
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]]
    })
    .to_string();
    for (pattern, expected) in [
        (r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#, true),
        (r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#, false),
        (
            r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }"#,
            true,
        ),
        (
            r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }"#,
            false,
        ),
        ("{ $.coordinates[1][2] = 6 }", true),
    ] {
        check(pattern, &message, expected);
    }
}

#[test]
fn fields_lie_between_spaces() {
    let log = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534";
    for (pattern, expected) in [
        ("[ip, user, username, timestamp, request, status_code, bytes]", true),
        ("[ip, user, username, timestamp, request, status_code]", false),
        ("[ip, user, username, timestamp, request, status_code, bytes, more]", false),
        ("[..., status_code, bytes]", true),
        ("[ip, user, ..., status_code, bytes]", true),
        ("[ip, user, ...]", true),
        ("[...]", true),
        ("[a, b, c, d, e, f, g, ..., h]", false),
        ("[a, b, c, d, e, f, ..., h]", true),
        ("[..., bytes > 1000]", true),
        ("[..., bytes > 1534]", false),
        ("[..., status_code = 404, bytes]", true),
        ("[..., status_code = 4*, bytes]", true),
        ("[..., status_code = 5*, bytes]", false),
        ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", true),
        ("[..., request=*.html*, status_code=4*,]", true),
        ("[..., status_code = 4* && status_code != 403, bytes]", true),
        ("[..., status_code = 4* && status_code != 404, bytes]", false),
        ("[..., (status_code = 5* || status_code = 404), bytes]", true),
        ("[ip=%127\\.0\\.0\\.[1-9]%, ...]", true),
        ("[ip, user, username=\"fr*\", ...]", true),
        ("[ip, user, username, timestamp=*0700, ...]", true),
        ("[,,username=frank,...]", true),
        ("[..., bytes >= abc]", false),
    ] {
        match pattern {
            "[..., bytes >= abc]" => refuse(pattern, "Invalid filter pattern"),
            _ => check(pattern, log, expected),
        }
    }
    check("[w1=ERROR, w2]", "ERROR message", true);
    check("[w1=ERROR, w2]", "ERROR WARN message", false);
    check("[w1=ERROR || w1=WARN, w2]", "WARN message", true);
    check("[w1!=ERROR && w1!=WARN, w2]", "INFO message", true);
    check("[n=1.0]", "1", true);
    check("[a, b]", "[unclosed \"too", true);
    check("[a]", "\"with \\\" inside\"", true);
}

#[test]
fn what_is_not_understood_is_refused() {
    for (pattern, expected) in [
        ("{$.a=\"x\"", "If a filter pattern starts with '{' it must end with '}'"),
        ("[a, b", "If a filter pattern starts with '[' it must end with ']'"),
        ("email@domain.com", "Invalid character(s) in term 'email@domain.com'"),
        ("foo-bar", "Invalid character(s) in term 'foo-bar'"),
        ("a ?", "Invalid character(s) in term ''"),
        ("\"\"", "Invalid character(s) in term '\"\"'"),
        ("\"open", "Invalid filter pattern"),
        ("%open", "Invalid filter pattern"),
        ("{}", "Invalid filter pattern"),
        ("{ $ = 1 }", "Invalid filter pattern"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $.a }", "Invalid filter pattern"),
        ("{ $.a == 1 }", "Invalid filter pattern"),
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a = 1 && }", "Invalid filter pattern"),
        ("{ ($.a = 1 }", "Invalid filter pattern"),
        ("{ $.a = 1) }", "Invalid filter pattern"),
        ("{ $.a > x }", "Invalid filter pattern"),
        ("{ $.a IS SOMETHING }", "Invalid filter pattern"),
        ("{ $.a EXISTS }", "Invalid filter pattern"),
        ("{ $.a[ = 1 }", "Invalid filter pattern"),
        ("{ $.a[x] = 1 }", "Invalid filter pattern"),
        ("{ $.a[99999999999999999999999] = 1 }", "Invalid filter pattern"),
        ("{ $.*.* = 1 }", "Invalid filter pattern"),
        ("{ $.a.* = 1 || $.b.* = 1 || $.c.* = 1 || $.d.* = 1 }", "Invalid filter pattern"),
        ("{ $.a = %x% || $.b = %y% || $.c = %z% }", "Invalid filter pattern"),
        ("{ $.a = %(x)% }", "Invalid filter pattern"),
        ("[ip, status_code = 4* && bytes > 1000]", "Invalid filter pattern"),
        ("[..., a, ...]", "Invalid filter pattern"),
        ("[a b]", "Invalid filter pattern"),
        ("[a=“x“]", "Invalid filter pattern"),
    ] {
        refuse(pattern, expected);
    }
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(33), ")".repeat(33));
    refuse(&deep, "Invalid filter pattern");
    check(&format!("{{ {}$.a = 1{} }}", "(".repeat(32), ")".repeat(32)), "{\"a\": 1}", true);
    assert_eq!(Pattern::parse("{").unwrap_err(), PatternError::Unclosed { open: '{', close: '}' });
}

/// A condition as the naive evaluator knows it, and as it is written.
#[derive(Clone, Debug)]
enum Naive {
    Compare(&'static str, &'static str, i64),
    Starts(&'static str, &'static str),
    Missing(&'static str),
    And(Box<Naive>, Box<Naive>),
    Or(Box<Naive>, Box<Naive>),
}

const NAMES: [&str; 3] = ["a", "b-c", "d_1"];

impl Naive {
    fn write(&self, space: &str) -> String {
        match self {
            Self::Compare(name, operator, number) => format!("$.x.{name}{space}{operator}{space}{number}"),
            Self::Starts(name, head) => format!("$.x.{name}{space}={space}\"{head}*\""),
            Self::Missing(name) => format!("$.x.{name} NOT EXISTS"),
            // Parentheses everywhere, so that the order of operations is not what is compared here.
            Self::And(one, two) => format!("({}){space}&&{space}({})", one.write(space), two.write(space)),
            Self::Or(one, two) => format!("({}){space}||{space}({})", one.write(space), two.write(space)),
        }
    }

    fn holds(&self, members: &Value) -> bool {
        match self {
            Self::Compare(name, operator, limit) => match (&members[name], *operator) {
                (Value::Number(number), operator) => {
                    let number = number.as_i64().unwrap();
                    match operator {
                        "=" => number == *limit,
                        "!=" => number != *limit,
                        "<" => number < *limit,
                        "<=" => number <= *limit,
                        ">" => number > *limit,
                        _ => number >= *limit,
                    }
                }
                (Value::String(text), "=") => *text == limit.to_string(),
                (Value::String(text), "!=") => *text != limit.to_string(),
                _ => false,
            },
            Self::Starts(name, head) => match &members[name] {
                Value::String(text) => text.starts_with(head),
                Value::Number(number) => number.to_string().starts_with(head),
                _ => false,
            },
            Self::Missing(name) => members.get(name).is_none(),
            Self::And(one, two) => one.holds(members) && two.holds(members),
            Self::Or(one, two) => one.holds(members) || two.holds(members),
        }
    }
}

fn naive() -> impl Strategy<Value = Naive> {
    let name = prop::sample::select(NAMES.as_slice());
    let operator = prop::sample::select(["=", "!=", "<", "<=", ">", ">="].as_slice());
    let head = prop::sample::select(["", "1", "-", "te", "x"].as_slice());
    let leaf = prop_oneof![
        (name.clone(), operator, -3i64..15).prop_map(|(name, operator, limit)| Naive::Compare(name, operator, limit)),
        (name.clone(), head).prop_map(|(name, head)| Naive::Starts(name, head)),
        name.prop_map(Naive::Missing),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| Naive::And(one.into(), two.into())),
            (inner.clone(), inner).prop_map(|(one, two)| Naive::Or(one.into(), two.into())),
        ]
    })
}

fn members() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        (-3i64..15).prop_map(Value::from),
        prop::sample::select(["test", "10", "", "-2"].as_slice()).prop_map(Value::from),
        Just(Value::Null),
        Just(json!([1])),
    ];
    prop::collection::btree_map(prop::sample::select(NAMES.as_slice()), value, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

/// What people write, as a start for mutations.
const SEEDS: [&str; 7] = [
    "ERROR -\"a b\" ?c %d[0-9]{1,3}%",
    r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") || $.b IS NULL }"#,
    "{ $.a[*].b != %x|y% && $.c NOT EXISTS && $.d >= -1.5e+3 }",
    "[ip, user, ..., request = *html*, status_code = 4* && status_code != 403, bytes > 1000]",
    "{ $['a.b'].['c'] IS TRUE }",
    "[w1=ERROR || w1=WARN, w2, (w3=%[^a]\\d\\x41% && w3=\"*\")]",
    "{ $.größe = \"ü*\" }",
];

proptest! {
    #[test]
    fn json_patterns_agree_with_a_naive_evaluator(pattern in naive(), members in members(), space in prop::sample::select(["", " ", "  "].as_slice())) {
        let text = format!("{{{space}{}{space}}}", pattern.write(space));
        let parsed = Pattern::parse(&text).unwrap();
        let message = json!({ "x": members }).to_string();
        prop_assert_eq!(parsed.matches(&message), pattern.holds(&members), "{} on {}", text, message);
    }

    #[test]
    fn terms_agree_with_a_naive_evaluator(words in prop::collection::vec(("[-?]?", "[ab]{1,2}"), 0..5), message in "[ab ]{0,8}") {
        let text = words.iter().map(|(sign, word)| format!("{sign}{word}")).collect::<Vec<_>>().join(" ");
        let with = |wanted: &str| words.iter().filter(|(sign, _)| sign == wanted).map(|(_, word)| message.contains(word.as_str())).collect::<Vec<bool>>();
        let (all, none, any) = (with(""), with("-"), with("?"));
        let expected = all.iter().all(|found| *found) && !none.contains(&true) && (!all.is_empty() || !none.is_empty() || any.is_empty() || any.contains(&true));
        prop_assert_eq!(Pattern::parse(&text).unwrap().matches(&message), expected, "{} on {}", text, message);
    }

    #[test]
    fn fields_agree_with_a_naive_evaluator(wanted in prop::collection::vec(prop::option::of("[ab]{1,2}"), 1..4), gap in prop::option::of(0usize..4), values in prop::collection::vec("[ab]{1,2}", 0..6)) {
        let mut names: Vec<String> = wanted.iter().enumerate().map(|(i, value)| match value { Some(value) => format!("f{i}={value}"), None => format!("f{i}") }).collect();
        let gap = gap.map(|gap| gap.min(names.len()));
        if let Some(gap) = gap { names.insert(gap, "...".into()); }
        let fits = |positions: Vec<usize>| wanted.iter().zip(positions).all(|(value, at)| value.as_ref().is_none_or(|value| *value == values[at]));
        let expected = match gap {
            None => values.len() == wanted.len() && fits((0..wanted.len()).collect()),
            Some(gap) => values.len() >= wanted.len() && fits((0..gap).chain(values.len() - (wanted.len() - gap)..values.len()).collect()),
        };
        let text = format!("[{}]", names.join(", "));
        prop_assert_eq!(Pattern::parse(&text).unwrap().matches(&values.join(" ")), expected, "{} on {:?}", text, values);
    }

    #[test]
    fn mutated_patterns_never_panic(seed in 0..SEEDS.len(), edits in prop::collection::vec((0usize..80, any::<char>(), 0u8..3), 0..6), message in ".{0,60}") {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, c, kind) in edits {
            let at = at.min(text.len());
            match kind {
                0 => text.insert(at, c),
                1 if at < text.len() => { text.remove(at); }
                _ if at < text.len() => text[at] = text[text.len() - 1 - at],
                _ => {}
            }
        }
        let text: String = text.into_iter().collect();
        crate::fuzz::filter_pattern(format!("{text}\n{message}").as_bytes());
    }
}

#[test]
fn hostile_messages_take_linear_time() {
    let start = std::time::Instant::now();
    for message in ["[ ".repeat(500_000), "\" \\".repeat(300_000), "{".repeat(1_000_000), "a".repeat(1_000_000)] {
        for pattern in ["[a, ..., b=x]", "{ $.a = 1 }", "%(a|a)%", "%a*a*a*a*a*b%", "aaaaaaaaab"] {
            if let Ok(pattern) = Pattern::parse(pattern) {
                assert!(!pattern.matches(&message));
            }
        }
    }
    // Generous by two orders of magnitude, yet far below what anything quadratic would take.
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
}
