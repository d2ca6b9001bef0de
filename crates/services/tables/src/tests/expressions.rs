//! Random conditions, updates, filters and projections over random items, through the operations, held against what they plainly mean.
//! A failure prints the seed that brings it back; `FREEHOLD_TABLES_ROUNDS` makes it longer.

mod plain;

use std::collections::BTreeMap;

use base::Random;
use serde_json::{Map, Value, json};

use self::plain::{Action, Fault, Made, Operand, Path, Step, Test, overlap, project, sorted, updated};
use super::model::rounds;
use super::{Bench, aws};

/// What the items are found by: `p` and `s`.
type Items = BTreeMap<(String, String), Value>;

const HEADS: [&str; 4] = ["a", "b", "c", "d"];
const INNER: [&str; 2] = ["x", "y"];
/// Bytes 00, 01, 01 02, and none.
const BYTES: [&str; 4] = ["AA==", "AQ==", "AQI=", ""];
const TEXTS: [&str; 6] = ["", "a", "ab", "b", "é𝄞", "aé"];
const KINDS: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];

/// Makes everything at random.
struct Dice<'a>(&'a Random);

impl Dice<'_> {
    fn one_in(&self, of: u64) -> bool {
        self.0.below(of) == 0
    }

    fn of<T: Copy>(&self, all: &[T]) -> T {
        all[self.0.below(all.len() as u64) as usize]
    }

    fn number(&self) -> Value {
        json!({"N": (self.0.below(8) as i64 - 3).to_string()})
    }

    fn text(&self) -> Value {
        json!({"S": self.of(&TEXTS)})
    }

    fn bytes(&self) -> Value {
        json!({"B": self.of(&BYTES)})
    }

    /// Something with an order.
    fn ordered(&self) -> Value {
        match self.0.below(3) {
            0 => self.text(),
            1 => self.number(),
            _ => self.bytes(),
        }
    }

    fn set(&self) -> Value {
        let members = |all: &[&str]| {
            let mut some: Vec<String> =
                all.iter().filter(|_| !self.one_in(2)).map(|member| (*member).to_owned()).collect();
            some.is_empty().then(|| some.push(all[0].to_owned()));
            some.sort_unstable();
            json!(some)
        };
        match self.0.below(3) {
            0 => json!({"SS": members(&["a", "b", "c"])}),
            1 => json!({"NS": members(&["1", "2", "3"])}),
            _ => json!({"BS": members(&BYTES[..3])}),
        }
    }

    fn list(&self, depth: u32) -> Value {
        json!({"L": (0..self.0.below(4)).map(|_| self.value(depth)).collect::<Vec<_>>()})
    }

    fn value(&self, depth: u32) -> Value {
        match self.0.below(if depth == 0 { 7 } else { 13 }) {
            0..=2 => self.ordered(),
            3 => json!({"BOOL": self.one_in(2)}),
            4 => json!({"NULL": true}),
            5 | 6 => self.set(),
            7..=9 => self.list(depth - 1),
            _ => {
                let some = INNER.iter().filter(|_| !self.one_in(3));
                json!({"M": some.map(|name| ((*name).to_owned(), self.value(depth - 1))).collect::<Map<_, _>>()})
            }
        }
    }

    fn key(&self) -> (String, String) {
        (format!("p{}", self.0.below(2)), BYTES[self.0.below(3) as usize].to_owned())
    }

    fn item(&self, (p, s): &(String, String)) -> Value {
        let mut item = key_item(&(p.clone(), s.clone()));
        for head in HEADS {
            if !self.one_in(4) {
                item[head] = self.value(2);
            }
        }
        if !self.one_in(3) {
            item["g"] = json!({"S": format!("g{}", self.0.below(2))});
        }
        item
    }

    fn path(&self) -> Path {
        let mut path = vec![Step::Name(self.of(&HEADS))];
        while path.len() < 3 && !self.one_in(2) {
            path.push(match self.one_in(2) {
                true => Step::Name(self.of(&INNER)),
                false => Step::Index(self.0.below(4) as usize),
            });
        }
        path
    }

    /// A path into one item, most of the time.
    fn path_in(&self, item: &Value) -> Path {
        let known = (0..8).map(|_| self.path()).find(|path| plain::get(item, path).is_some());
        known.filter(|_| !self.one_in(4)).unwrap_or_else(|| self.path())
    }

    fn operand(&self, item: &Value) -> Operand {
        match self.0.below(4) {
            0 => Operand::Size(self.path_in(item)),
            _ => Operand::Path(self.path_in(item)),
        }
    }

    /// A value that a path of the item has, most of the time: or else nothing would ever be equal.
    fn found(&self, item: &Value) -> Value {
        let there = plain::get(item, &self.path_in(item)).cloned();
        there.filter(|_| !self.one_in(3)).unwrap_or_else(|| self.value(1))
    }

    fn test(&self, item: &Value, depth: u32) -> Test {
        let inner = || Box::new(self.test(item, depth - 1));
        match self.0.below(if depth == 0 { 8 } else { 12 }) {
            0 => Test::Compare(self.of(&["=", "<>"]), self.operand(item), Operand::Value(self.found(item))),
            1 => match (self.operand(item), self.operand(item)) {
                (Operand::Path(one), Operand::Path(two)) if one == two => Test::Exists(one),
                (one, two) => Test::Compare(self.of(&["=", "<>", "<", ">="]), one, two),
            },
            2 => Test::Compare(self.of(&["<", "<=", ">", ">="]), self.operand(item), Operand::Value(self.ordered())),
            3 => {
                let mut bounds = [self.0.below(8) as i64 - 3, self.0.below(8) as i64 - 3];
                bounds.sort_unstable();
                let [low, high] = bounds.map(|bound| json!({"N": bound.to_string()}));
                Test::Between(self.operand(item), low, high)
            }
            4 => Test::In(self.operand(item), (0..=self.0.below(3)).map(|_| self.found(item)).collect()),
            5 => match self.one_in(2) {
                true => Test::Exists(self.path_in(item)),
                false => Test::NotExists(self.path_in(item)),
            },
            6 => match self.one_in(2) {
                true => Test::Type(self.path_in(item), self.of(&KINDS)),
                false => Test::Begins(self.path_in(item), if self.one_in(2) { self.text() } else { self.bytes() }),
            },
            7 => Test::Contains(self.path_in(item), Operand::Value(self.ordered())),
            8 => Test::Not(inner()),
            9 | 10 => Test::And(inner(), inner()),
            _ => Test::Or(inner(), inner()),
        }
    }

    fn made(&self, item: &Value) -> Made {
        let path = || Operand::Path(self.path_in(item));
        let number = || if self.one_in(2) { path() } else { Operand::Value(self.number()) };
        let list = || if self.one_in(2) { path() } else { Operand::Value(self.list(1)) };
        match self.0.below(6) {
            0 => Made::Operand(path()),
            1 => Made::Sum(number(), self.of(&["+", "-"]), number()),
            2 => Made::IfNotExists(self.path_in(item), self.value(1)),
            3 => Made::Append(list(), list()),
            _ => Made::Operand(Operand::Value(self.value(2))),
        }
    }

    fn actions(&self, item: &Value) -> Vec<Action> {
        let action = |_| match self.0.below(7) {
            0..=2 => Action::Set(self.path_in(item), self.made(item)),
            3 | 4 => Action::Remove(self.path_in(item)),
            5 => Action::Add(self.path_in(item), if self.one_in(2) { self.number() } else { self.set() }),
            _ => Action::Delete(self.path_in(item), self.set()),
        };
        (0..=self.0.below(3)).map(action).collect()
    }
}

/// Expressions as texts, and what their placeholders stand for.
#[derive(Default)]
struct Words {
    names: Map<String, Value>,
    values: Map<String, Value>,
}

impl Words {
    fn value(&mut self, value: &Value) -> String {
        let key = format!(":v{}", self.values.len());
        self.values.insert(key.clone(), value.clone());
        key
    }

    fn path(&mut self, path: &Path) -> String {
        let mut text = String::new();
        for (at, step) in path.iter().enumerate() {
            match step {
                // Each second name by a placeholder.
                Step::Name(name) if (self.names.len() + at).is_multiple_of(2) => {
                    self.names.insert(format!("#{name}"), (*name).into());
                    text.push_str(&format!("{}#{name}", if at == 0 { "" } else { "." }));
                }
                Step::Name(name) => text.push_str(&format!("{}{name}", if at == 0 { "" } else { "." })),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    fn operand(&mut self, operand: &Operand) -> String {
        match operand {
            Operand::Path(path) => self.path(path),
            Operand::Value(value) => self.value(value),
            Operand::Size(path) => format!("size({})", self.path(path)),
        }
    }

    fn group(&mut self, test: &Test) -> String {
        match test {
            Test::And(..) | Test::Or(..) => format!("({})", self.test(test)),
            _ => self.test(test),
        }
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::Compare(comparator, left, right) => {
                format!("{} {comparator} {}", self.operand(left), self.operand(right))
            }
            Test::Between(of, low, high) => {
                format!("{} BETWEEN {} AND {}", self.operand(of), self.value(low), self.value(high))
            }
            Test::In(of, list) => {
                let of = self.operand(of);
                format!("{of} IN ({})", list.iter().map(|value| self.value(value)).collect::<Vec<_>>().join(", "))
            }
            Test::Exists(path) => format!("attribute_exists({})", self.path(path)),
            Test::NotExists(path) => format!("attribute_not_exists({})", self.path(path)),
            Test::Type(path, kind) => {
                format!("attribute_type({}, {})", self.path(path), self.value(&json!({"S": kind})))
            }
            Test::Begins(path, prefix) => format!("begins_with({}, {})", self.path(path), self.value(prefix)),
            Test::Contains(path, part) => format!("contains({}, {})", self.path(path), self.operand(part)),
            Test::Not(inner) => format!("NOT {}", self.group(inner)),
            Test::And(left, right) => format!("{} AND {}", self.group(left), self.group(right)),
            Test::Or(left, right) => format!("{} OR {}", self.group(left), self.group(right)),
        }
    }

    fn update(&mut self, actions: &[Action]) -> String {
        let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for action in actions {
            let path = self.path(action.path());
            let (section, text) = match action {
                Action::Set(_, Made::Operand(operand)) => ("SET", format!("{path} = {}", self.operand(operand))),
                Action::Set(_, Made::Sum(left, sign, right)) => {
                    ("SET", format!("{path} = {} {sign} {}", self.operand(left), self.operand(right)))
                }
                Action::Set(_, Made::IfNotExists(other, value)) => {
                    ("SET", format!("{path} = if_not_exists({}, {})", self.path(other), self.value(value)))
                }
                Action::Set(_, Made::Append(left, right)) => {
                    ("SET", format!("{path} = list_append({}, {})", self.operand(left), self.operand(right)))
                }
                Action::Remove(_) => ("REMOVE", path),
                Action::Add(_, value) => ("ADD", format!("{path} {}", self.value(value))),
                Action::Delete(_, value) => ("DELETE", format!("{path} {}", self.value(value))),
            };
            sections.entry(section).or_default().push(text);
        }
        let texts = sections.into_iter().map(|(section, actions)| format!("{section} {}", actions.join(", ")));
        texts.collect::<Vec<_>>().join(" ")
    }

    /// With what the placeholders stand for.
    fn beside(self, mut input: Value) -> Value {
        input["TableName"] = "random".into();
        for (parameter, given) in [("ExpressionAttributeNames", self.names), ("ExpressionAttributeValues", self.values)]
        {
            if !given.is_empty() {
                input[parameter] = given.into();
            }
        }
        input
    }
}

fn key_item((p, s): &(String, String)) -> Value {
    json!({"p": {"S": p}, "s": {"B": s}})
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let index = |name: &str, projection: Value| json!({"IndexName": name, "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": projection});
    let definitions = [("p", "S"), ("s", "B"), ("g", "S")];
    let definitions = definitions.map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}));
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "random", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": definitions,
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "GlobalSecondaryIndexes": [
                index("all", json!({"ProjectionType": "ALL"})),
                index("some", json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "b"]})),
                index("keys", json!({"ProjectionType": "KEYS_ONLY"})),
            ],
        }))
        .await;
    bench
}

const FAILED: &str = "ConditionalCheckFailedException";

/// What a refusal of an update says.
fn fault(words: &str) -> Fault {
    match words {
        "The document path provided in the update expression is invalid for update" => Fault::NoPlace,
        "The provided expression refers to an attribute that does not exist in the item" => Fault::NoAttribute,
        "An operand in the update expression has an incorrect data type" => Fault::Type,
        other if other.starts_with("Invalid UpdateExpression: Two document paths") => Fault::Paths,
        other => panic!("{other}"),
    }
}

async fn put(bench: &Bench, items: &mut Items, dice: &Dice<'_>) {
    let key = dice.key();
    let there = items.get(&key).cloned();
    let seen = there.clone().unwrap_or_else(|| json!({}));
    let test = dice.test(&seen, 3);
    let item = dice.item(&key);
    let mut words = Words::default();
    let text = words.test(&test);
    let input = words.beside(json!({"Item": item, "ConditionExpression": text, "ReturnValues": "ALL_OLD"}));
    match bench.try_call::<aws::PutItem>(input.clone()).await {
        Ok(output) => {
            assert!(test.holds(&seen), "{input} over {seen}");
            assert_eq!(sorted(&output["Attributes"]), there.unwrap_or_default(), "{input}");
            items.insert(key, sorted(&item));
        }
        Err(refused) => {
            assert_eq!((refused.code.as_str(), test.holds(&seen)), (FAILED, false), "{input} over {seen}: {refused}")
        }
    }
}

/// Whether the update was taken.
async fn update(bench: &Bench, items: &mut Items, dice: &Dice<'_>) -> bool {
    let key = dice.key();
    let there = items.get(&key).cloned();
    let seen = there.clone().unwrap_or_else(|| json!({}));
    let before = there.clone().unwrap_or_else(|| key_item(&key));
    let (actions, test) = (dice.actions(&before), dice.test(&seen, 1));
    let mut words = Words::default();
    let mut input = json!({"Key": key_item(&key), "UpdateExpression": words.update(&actions)});
    let is_conditional = dice.one_in(4);
    if is_conditional {
        input["ConditionExpression"] = words.test(&test).into();
    }
    let returned = dice.of(&["UPDATED_NEW", "UPDATED_OLD", "ALL_NEW"]);
    input["ReturnValues"] = returned.into();
    let input = words.beside(input);
    let expected = updated(&before, &actions);
    let paths: Vec<Path> = actions.iter().map(|action| action.path().clone()).collect();
    match (bench.try_call::<aws::UpdateItem>(input.clone()).await, expected) {
        (Ok(output), Ok(after)) => {
            assert!(!is_conditional || test.holds(&seen), "{input} over {seen}");
            let after = sorted(&after);
            let shown = match returned {
                "UPDATED_NEW" => project(&after, &paths),
                "UPDATED_OLD" => there.map_or_else(|| json!({}), |there| project(&there, &paths)),
                _ => after.clone(),
            };
            let found = sorted(output.get("Attributes").unwrap_or(&json!({})));
            assert_eq!(found, shown, "{input} over {before}");
            items.insert(key, after);
            return true;
        }
        (Err(refused), expected) if refused.code == FAILED => {
            assert!(is_conditional && !test.holds(&seen), "{input} over {seen}: {refused}, {expected:?}");
        }
        (Err(refused), Err(faults)) => {
            assert!(
                faults.contains(&fault(&refused.message)),
                "{input} over {before}: {refused}, not one of {faults:?}"
            );
        }
        (answer, expected) => panic!("{input} over {before}: {answer:?}, and not {expected:?}"),
    }
    false
}

/// Reads all, or one partition, or an index, with a filter and perhaps parts of the items.
async fn read(bench: &Bench, items: &Items, dice: &Dice<'_>) {
    let sample =
        items.values().nth(dice.0.below(items.len().max(1) as u64) as usize).cloned().unwrap_or_else(|| json!({}));
    let (test, paths) =
        (dice.test(&sample, 3), (0..=dice.0.below(2)).map(|_| dice.path_in(&sample)).collect::<Vec<_>>());
    let mut words = Words::default();
    let mut input = json!({"FilterExpression": words.test(&test)});
    let source = dice.of(&["table", "partition", "all", "some", "keys"]);
    let held: Option<&[&str]> = match source {
        "some" => Some(&["p", "s", "g", "a", "b"]),
        "keys" => Some(&["p", "s", "g"]),
        _ => None,
    };
    let is_projected = held.is_none() && dice.one_in(2);
    if is_projected {
        let texts: Vec<String> = paths.iter().map(|path| words.path(path)).collect();
        input["ProjectionExpression"] = texts.join(", ").into();
    }
    let hash = match source {
        "table" => None,
        "partition" => Some(("p", "p1")),
        index => {
            input["IndexName"] = index.into();
            Some(("g", "g1"))
        }
    };
    // What the sort key of a partition must be besides.
    let sort = (source == "partition").then(|| {
        let value = json!({"B": dice.of(&BYTES[..3])});
        match dice.0.below(4) {
            0 => Test::Exists(vec![Step::Name("s")]),
            1 => Test::Begins(vec![Step::Name("s")], value),
            2 => Test::Compare(">=", Operand::Path(vec![Step::Name("s")]), Operand::Value(value)),
            _ => Test::Compare("<", Operand::Path(vec![Step::Name("s")]), Operand::Value(value)),
        }
    });
    if let Some((name, value)) = hash {
        let mut text = format!("{name} = {}", words.value(&json!({ "S": value })));
        if let Some(sort) = sort.as_ref().filter(|sort| !matches!(sort, Test::Exists(_))) {
            text.push_str(&format!(" AND {}", words.test(sort)));
        }
        input["KeyConditionExpression"] = text.into();
    }
    let input = words.beside(input);
    let answer = match hash {
        Some(_) => bench.try_call::<aws::Query>(input.clone()).await,
        None => bench.try_call::<aws::Scan>(input.clone()).await,
    };
    if is_projected && overlap(&paths) {
        let refused = answer.unwrap_err();
        assert!(refused.message.starts_with("Invalid ProjectionExpression: Two document paths"), "{input}: {refused}");
        return;
    }
    let seen = |item: &Value| match held {
        Some(names) => names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), item.get(name)?.clone())))
            .collect::<Map<_, _>>()
            .into(),
        None => item.clone(),
    };
    let wanted = items.values().filter(|item| hash.is_none_or(|(name, value)| item[name]["S"] == value));
    let wanted = wanted.filter(|item| sort.as_ref().is_none_or(|sort| sort.holds(item))).map(seen);
    let shown = |item: Value| if is_projected { project(&item, &paths) } else { item };
    let in_order = |items: Vec<Value>| {
        let mut texts: Vec<String> = items.iter().map(|item| canonical(&sorted(item))).collect();
        texts.sort_unstable();
        texts
    };
    let expected = in_order(wanted.filter(|item: &Value| test.holds(item)).map(shown).collect());
    let found = in_order(answer.unwrap()["Items"].as_array().unwrap().clone());
    assert_eq!(found, expected, "{input}");
}

/// A text that is the same for documents that are.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: BTreeMap<&String, String> =
                entries.iter().map(|(name, value)| (name, canonical(value))).collect();
            format!("{entries:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn random_expressions_are_what_they_plainly_say() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let random = Random::seeded(seed);
        let (bench, mut items, dice) = (bench().await, Items::new(), Dice(&random));
        let mut taken = 0;
        for _ in 0..60 {
            put(&bench, &mut items, &dice).await;
            for _ in 0..2 {
                taken += usize::from(update(&bench, &mut items, &dice).await);
            }
            read(&bench, &items, &dice).await;
        }
        assert!((1..120).contains(&taken), "{taken} of 120 updates were taken: neither all nor none");
    }
}
