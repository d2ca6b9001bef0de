//! PartiQL, case by case: what statements say as expressions, and how they are refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are test code too")]

use item::partiql::{Phrases, Plan, Statement, Step, Turned, Wrong, read};
use item::{Value, fuzzing, json};
use serde_json::json;

/// What a statement's condition is with the key (pk, sk): the key condition, what is left, and the update.
fn said(text: &str, parameters: &[Value]) -> String {
    let statement = read(text, parameters).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
    let mut phrases = Phrases::default();
    let (condition, update) = match &statement {
        Statement::Select(select) | Statement::Exists(select) => (select.condition.as_ref(), None),
        Statement::Insert { item, .. } => return json::write_item(item).to_string(),
        Statement::Update { changes, condition, .. } => (Some(condition), Some(phrases.update(changes))),
        Statement::Delete { condition, .. } => (Some(condition), None),
    };
    let plan = Plan::new(condition, "pk", Some("sk"));
    let keys = plan.partitions().iter().map(|partition| plan.key_condition(partition, &mut phrases));
    let keys = keys.collect::<Vec<_>>().join(", ");
    let parts = [Some(keys), plan.rest(&mut phrases), update];
    let mut text = parts.map(Option::unwrap_or_default).join(" | ");
    for (key, name) in phrases.names.iter().rev() {
        text = text.replace(key, name);
    }
    for (key, value) in phrases.values.iter().rev() {
        text = text.replace(key, &json::write(value).to_string());
    }
    text
}

#[test]
fn statements_are_expressions() {
    for (text, expected) in [
        ("SELECT * FROM \"t\" WHERE pk = 'x'", r#"pk = {"S":"x"} |  | "#),
        ("select a, b.c[1] from t where pk='it''s' and sk >= 5", r#"pk = {"S":"it's"} AND sk >= {"N":"5"} |  | "#),
        (
            "SELECT * FROM t WHERE sk BETWEEN 1 AND 2 AND pk = ? AND (a = 1 OR NOT b IN [1, 'x'])",
            r#"pk = {"S":"param"} AND sk BETWEEN {"N":"1"} AND {"N":"2"} | a = {"N":"1"} OR NOT b IN ({"N":"1"}, {"S":"x"}) | "#,
        ),
        (
            "SELECT * FROM t WHERE pk = 'a' AND begins_with(\"sk\", 'p-')",
            r#"pk = {"S":"a"} AND begins_with(sk, {"S":"p-"}) |  | "#,
        ),
        ("SELECT * FROM t WHERE sk = 1", r#" | sk = {"N":"1"} | "#),
        ("SELECT * FROM t WHERE pk = 'a' OR 'b' = pk", r#"pk = {"S":"a"}, pk = {"S":"b"} |  | "#),
        (
            "SELECT * FROM t WHERE pk IN ['a', 'b', 'a'] AND sk > 1 AND n = 2",
            r#"pk = {"S":"a"} AND sk > {"N":"1"}, pk = {"S":"b"} AND sk > {"N":"1"} | n = {"N":"2"} | "#,
        ),
        ("SELECT * FROM t WHERE pk = 'a' OR sk = 1", r#" | pk = {"S":"a"} OR sk = {"N":"1"} | "#),
        ("SELECT * FROM t WHERE NOT pk IN ['a', 'b']", r#" | NOT pk IN ({"S":"a"}, {"S":"b"}) | "#),
        ("SELECT * FROM t", " |  | "),
        (
            "SELECT * FROM t WHERE a IS MISSING AND b IS NOT NULL AND size(c) > -2 -- so it is",
            r#" | attribute_not_exists(a) AND NOT b = {"NULL":true} AND size(c) > {"N":"-2"} | "#,
        ),
        (
            "UPDATE t SET a = a + 1, b.c = list_append(b.c, [1]) REMOVE d[0] WHERE pk = 'x' AND sk = 2 AND e <> TRUE",
            r#"pk = {"S":"x"} AND sk = {"N":"2"} | e <> {"BOOL":true} | SET a = a + {"N":"1"}, b.c = list_append(b.c, {"L":[{"N":"1"}]}) REMOVE d[0]"#,
        ),
        (
            "UPDATE t SET s = set_add(s, <<'x'>>) SET r = set_delete(r, << 1, 2 >>) WHERE pk='x' AND sk=2 RETURNING ALL NEW *",
            r#"pk = {"S":"x"} AND sk = {"N":"2"} |  | ADD s {"SS":["x"]} DELETE r {"NS":["1","2"]}"#,
        ),
        ("DELETE FROM t WHERE pk = 'x' AND sk = 1 RETURNING ALL OLD *", r#"pk = {"S":"x"} AND sk = {"N":"1"} |  | "#),
        (
            "INSERT INTO t VALUE {'pk': 'x', 'n': 1.50, 'l': [true, null], 'm': {'a': ?}, 's': <<'b', 'a'>>}",
            r#"{"l":{"L":[{"BOOL":true},{"NULL":true}]},"m":{"M":{"a":{"S":"param"}}},"n":{"N":"1.5"},"pk":{"S":"x"},"s":{"SS":["a","b"]}}"#,
        ),
    ] {
        let parameters = if text.contains('?') { vec![Value::from("param")] } else { Vec::new() };
        assert_eq!(said(text, &parameters), expected, "{text}");
    }
    let Statement::Select(select) = read("SELECT m.nested, l[0] FROM \"t\".\"i\" ORDER BY sk DESC", &[]).unwrap()
    else {
        panic!("a read")
    };
    let order: Vec<_> = select.order.iter().map(|term| (term.place.to_string(), term.descending)).collect();
    assert_eq!((select.index.as_deref(), &order[..]), (Some("i"), &[("sk".to_owned(), true)][..]));
    let item = json::read_item(&json!({"m": {"M": {"nested": {"S": "deep"}}}, "l": {"L": [{"N": "1"}]}})).unwrap();
    let labelled: Vec<_> = select.places.iter().map(|place| (place.label(), place.of(&item).cloned())).collect();
    assert_eq!(labelled, [("nested".to_owned(), Some(Value::from("deep"))), ("l[0]".to_owned(), Some(Value::from(1)))]);
    assert_eq!(select.places[1].steps, [Step::Index(0)]);
    assert!(matches!(read("EXISTS(SELECT * FROM t WHERE pk = 'x')", &[]), Ok(Statement::Exists(_))));
}

#[test]
fn an_order_is_one_that_the_key_has() {
    let turned = |text: &str| {
        let Statement::Select(select) = read(&format!("SELECT * FROM t {text}"), &[]).unwrap() else {
            panic!("a read")
        };
        let plan = Plan::new(select.condition.as_ref(), "pk", Some("sk"));
        plan.check_order(&select.order, Some("sk")).map(|Turned { partitions, items }| (partitions, items))
    };
    for (text, expected) in [
        ("WHERE pk = 'x'", (None, false)),
        ("WHERE pk = 'x' ORDER BY sk", (None, false)),
        ("WHERE pk = 'x' ORDER BY sk DESC", (None, true)),
        ("WHERE pk = 'x' ORDER BY pk", (Some(false), true)),
        ("WHERE pk IN ['x', 'y'] ORDER BY pk DESC, sk ASC", (Some(true), false)),
        ("WHERE pk IN ['x'] ORDER BY sk ASC", (None, false)),
    ] {
        assert_eq!(turned(text), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("ORDER BY sk", "Must have WHERE clause in the statement when using ORDER BY clause."),
        ("WHERE pk = 'x' ORDER BY sk, n", "Attribute n in ORDER BY clause must be part of the primary key"),
        ("WHERE pk = 'x' ORDER BY sk.a[1]", "Attribute sk.a[1] in ORDER BY clause must be part of the primary key"),
        (
            "WHERE pk > 'x' ORDER BY sk",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        (
            "WHERE pk IN ['x', 'y'] ORDER BY sk",
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ),
    ] {
        assert_eq!(turned(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_write_must_mean_one_item() {
    let key = |text: &str| {
        let Statement::Delete { condition, .. } = read(text, &[]).unwrap() else { panic!("a delete") };
        let key = Plan::new(Some(&condition), "pk", Some("sk")).key(Some("sk"));
        key.map(|key| json::write_item(&key).to_string())
    };
    assert_eq!(key("DELETE FROM t WHERE pk = 'x' AND 1 = sk"), Ok(r#"{"pk":{"S":"x"},"sk":{"N":"1"}}"#.to_owned()));
    for text in
        ["DELETE FROM t WHERE pk = 'x'", "DELETE FROM t WHERE pk = 'x' AND sk > 1", "DELETE FROM t WHERE sk = 1"]
    {
        assert_eq!(key(text), Err(Wrong::NoKey), "{text}");
    }
}

#[test]
fn statements_are_refused_in_dynamodbs_words() {
    let malformed = "Statement wasn't well formed, can't be processed: ";
    let leftover = format!("{malformed}Unexpected token after expression");
    let overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range";
    for (text, expected) in [
        ("SELECT * FROM t WHERE pk = 1 foo", leftover.clone()),
        ("SELECT * FROM t WHERE pk = 1 e5", leftover.clone()),
        ("INSERT INTO t VALUE {'pk': 1} foo", leftover.clone()),
        ("UPDATE t SET a = 9 WHERE pk = 1 foo", leftover.clone()),
        ("DELETE FROM t WHERE pk = 1 ORDER BY pk", leftover.clone()),
        ("SELECT * FROM t ORDER BY pk WHERE pk = 1", leftover.clone()),
        ("SELECT * FROM t WHERE pk = 1)", leftover.clone()),
        ("INSERT INTO t x VALUE {'pk': 'x'}", leftover),
        ("SELECT * FROM t WHERE pk = 1e2147483648", malformed.to_owned()),
        ("SELECT * FROM t WHERE pk = 1.5e-2147483647", malformed.to_owned()),
        ("SELECT * FROM t WHERE pk = 1 # note", malformed.to_owned()),
        ("SELECT * FROM t WHERE pk = 1 /* note", malformed.to_owned()),
        ("SELECT * FROM \"t", malformed.to_owned()),
        ("SLECT * FROM t", format!("{malformed}Expected data manipulation")),
        ("SELECT * FROM t WHERE pk = 'x' LIMIT 5", "Unsupported clause: LIMIT".to_owned()),
        ("SELECT * FROM t LIMIT 5", "Unsupported clause: LIMIT".to_owned()),
        ("SELECT a FROM t GROUP BY a", "Unsupported clause: GROUP BY".to_owned()),
        ("SELECT a FROM t WHERE pk = 'x' HAVING a = 1", "Unsupported clause: HAVING".to_owned()),
        ("UPDATE t.i SET a = 1 WHERE pk = 'x'", "This operation is not supported on an index".to_owned()),
        ("DELETE FROM t.i WHERE pk = 'x'", "This operation is not supported on an index".to_owned()),
        ("INSERT INTO t.i VALUE {'pk': 'x'}", "This operation is not supported on an index".to_owned()),
        ("SELECT * FROM t x WHERE pk = 'x'", "Aliasing is not supported".to_owned()),
        ("SELECT * FROM t AS x WHERE pk = 'x'", "Aliasing is not supported".to_owned()),
        ("UPDATE t x SET a = 3 WHERE pk = 'x'", "Aliasing is not supported".to_owned()),
        ("SELECT * FROM \"\" WHERE pk = 'p'", "Path component cannot be an empty string".to_owned()),
        ("SELECT * FROM t.\"\" WHERE pk = 'p'", "Path component cannot be an empty string".to_owned()),
        ("SELECT * FROM t.i.x WHERE pk = 'p'", "A path may contain at most 2 components in the FROM clause".to_owned()),
        ("SELECT * FROM t WHERE pk = 1e126", format!("{overflow} under root")),
        ("INSERT INTO t VALUE {'pk': 1e126}", format!("{overflow} under root")),
        ("INSERT INTO t VALUE {'pk': 1, 'm': {'x': 1e126}}", format!("{overflow} under root.x")),
        ("INSERT INTO t VALUE {'pk': 1, 'l': [1, 1e126]}", format!("{overflow} under root[1]")),
        (
            "DELETE FROM t WHERE pk = 'x' RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements.".to_owned(),
        ),
        ("SELECT * FROM t WHERE pk = ?", "Number of parameters in request and statement don't match.".to_owned()),
    ] {
        assert_eq!(read(text, &[]).unwrap_err().to_string(), expected, "{text}");
    }
    assert_eq!(read("SELECT * FROM t", &[Value::Null]), Err(Wrong::Parameters));
    assert!(read(&format!("SELECT * FROM t WHERE a = {}1", "[".repeat(3000)), &[]).is_err());
    assert!(read(&format!("SELECT * FROM t WHERE {}a = 1", "(".repeat(3000)), &[]).is_err());
    assert!(read(&format!("SELECT * FROM t WHERE {}a = 1", "NOT ".repeat(1500)), &[]).is_err());
}

#[test]
fn damaged_statements_do_not_panic() {
    const TEXTS: [&str; 4] = [
        "SELECT a, b.c[1] FROM \"t\".\"i\" WHERE pk = 'x' AND (sk BETWEEN 1 AND 2 OR NOT a IN [1, 'x']) ORDER BY sk DESC",
        "UPDATE t SET s = set_add(s, <<'x'>>) SET a = a + 1 REMOVE d[0] WHERE pk='x' AND sk=2 RETURNING ALL NEW *",
        "INSERT INTO t VALUE {'pk': 'x', 'n': -1.5e3, 'l': [true, null], 's': <<1, 2>>}",
        "EXISTS(SELECT * FROM t WHERE pk = ? AND a IS NOT MISSING) -- note",
    ];
    let random = base::Random::seeded(6);
    for _ in 0..20_000 {
        let mut text: Vec<u8> = TEXTS[random.below(4) as usize].bytes().collect();
        for _ in 0..=random.below(4) {
            let place = random.below(text.len() as u64) as usize;
            match random.below(3) {
                0 => text[place] = b"()[]{}<>'\".,:=?*+- aZ0_"[random.below(23) as usize],
                1 => drop(text.remove(place)),
                _ => text.insert(place, b"()[]{}<>'\".,:=?*+- aZ0_"[random.below(23) as usize]),
            }
        }
        fuzzing::statement(&text);
    }
}
