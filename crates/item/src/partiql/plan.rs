//! A statement's condition with a key: what the key answers, and what is left for each item. Everything becomes an expression.

use std::collections::BTreeMap;

use super::{Change, Order, Place, Step, Term, Test, Wrong};
use crate::{Item, Value};

/// Expressions that are being written, and what their placeholders stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phrases {
    /// `ExpressionAttributeNames`
    pub names: BTreeMap<String, String>,
    /// `ExpressionAttributeValues`
    pub values: BTreeMap<String, Value>,
}

/// The most partitions that a read may name; one that names more is a scan.
const PARTITIONS_MAX: usize = 50;

/// What the key answers of a condition, and the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<'a> {
    /// What says which partitions are read.
    hash: Option<&'a Test>,
    /// Each once, in the order of the statement.
    partitions: Vec<&'a Value>,
    hash_name: String,
    /// Where the sort key lies.
    range: Option<&'a Test>,
    rest: Vec<&'a Test>,
}

/// From which end is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Whether the partitions come in the order of their keys, and that turned round; none for the order of the statement.
    pub partitions: Option<bool>,
    /// Whether what is in a partition comes from the end of its sort keys.
    pub items: bool,
}

impl<'a> Plan<'a> {
    /// Takes a condition apart along a key.
    pub fn new(condition: Option<&'a Test>, hash: &str, range: Option<&str>) -> Self {
        let all: Vec<&Test> = match condition {
            None => Vec::new(),
            Some(Test::And(tests)) => tests.iter().collect(),
            Some(test) => vec![test],
        };
        let mut plan =
            Self { hash: None, partitions: Vec::new(), hash_name: hash.to_owned(), range: None, rest: Vec::new() };
        for test in all {
            let on = attribute(test);
            let partitions = if plan.hash.is_none() { partitions(test, hash) } else { None };
            if let Some(partitions) = partitions {
                (plan.hash, plan.partitions) = (Some(test), partitions);
            } else if plan.range.is_none() && on.is_some_and(|(name, _)| Some(name) == range) {
                plan.range = Some(test);
            } else {
                plan.rest.push(test);
            }
        }
        // Without a partition the key answers nothing.
        if plan.hash.is_none() {
            plan.rest.extend(plan.range.take());
        }
        plan
    }

    /// Whether the key says which partitions are read.
    pub fn is_query(&self) -> bool {
        self.hash.is_some()
    }

    /// The hash keys of what is read, where the key says which they are.
    pub fn partitions(&self) -> &[&'a Value] {
        &self.partitions
    }

    /// Refuses an order that the key has not, and says whether partitions and what is in each are read from their ends: as DynamoDB has
    /// it, a sort key that is not named comes from its end wherever there is an order at all.
    pub fn check_order(&self, order: &[Order], range: Option<&str>) -> Result<Turned, Wrong> {
        if order.is_empty() {
            return Ok(Turned::default());
        }
        if self.hash.is_none() && self.rest.is_empty() {
            return Err(Wrong::OrderOfAll);
        }
        let of = |name: Option<&str>| {
            order
                .iter()
                .find(|term| name.is_some_and(|name| is_attribute(&term.place, name)))
                .map(|term| term.descending)
        };
        let is_key = |place: &Place| {
            [Some(self.hash_name.as_str()), range].into_iter().flatten().any(|name| is_attribute(place, name))
        };
        if let Some(other) = order.iter().find(|term| !is_key(&term.place)) {
            return Err(Wrong::OrderByOther(other.place.to_string()));
        }
        match (self.partitions.len(), of(Some(&self.hash_name))) {
            (0, _) => Err(Wrong::OrderWithoutPartition),
            (2.., None) => Err(Wrong::OrderOfPartitions),
            (_, partitions) => Ok(Turned { partitions, items: of(range).unwrap_or(true) }),
        }
    }

    /// The one item that is meant; a write must mean one.
    pub fn key(&self, range: Option<&str>) -> Result<Item, Wrong> {
        let mut key = Item::new();
        let tests = self.hash.into_iter().chain(self.range);
        key.extend(tests.filter_map(equality));
        if key.len() == 1 + usize::from(range.is_some()) { Ok(key) } else { Err(Wrong::NoKey) }
    }

    /// `KeyConditionExpression` for one of the partitions.
    pub fn key_condition(&self, partition: &Value, phrases: &mut Phrases) -> String {
        let (name, value) = (phrases.name(&self.hash_name), phrases.value(partition));
        let range = self.range.map(|test| format!(" AND {}", phrases.test(test))).unwrap_or_default();
        format!("{name} = {value}{range}")
    }

    /// What is left, as one condition.
    pub fn rest(&self, phrases: &mut Phrases) -> Option<String> {
        match &self.rest[..] {
            [] => None,
            [test] => Some(phrases.test(test)),
            tests => Some(tests.iter().map(|test| phrases.inner(test)).collect::<Vec<_>>().join(" AND ")),
        }
    }
}

/// The attribute that a key could be asked about, and whether it is asked for equality.
fn attribute<'a>(test: &'a Test) -> Option<(&'a str, bool)> {
    let place = |term: &Term| matches!(term, Term::Place(place) if place.steps.is_empty());
    let value = |term: &Term| matches!(term, Term::Value(_));
    let name = |term: &'a Term| match term {
        Term::Place(place) => Some(place.head.as_str()),
        _ => None,
    };
    match test {
        Test::Compare(comparator, left, right) if *comparator != "<>" => match (left, right) {
            (left, right) if place(left) && value(right) => Some((name(left)?, *comparator == "=")),
            (left, right) if value(left) && place(right) => Some((name(right)?, *comparator == "=")),
            _ => None,
        },
        Test::Between(of, low, high) if place(of) && value(low) && value(high) => Some((name(of)?, false)),
        Test::In(of, list) if place(of) && list.len() == 1 && list.iter().all(value) => Some((name(of)?, true)),
        Test::Call(function, operands) if function == "begins_with" => match &operands[..] {
            [of, prefix] if place(of) && value(prefix) => Some((name(of)?, false)),
            _ => None,
        },
        _ => None,
    }
}

/// The partitions that a test means: one, or some of which each item is in one.
fn partitions<'a>(test: &'a Test, hash: &str) -> Option<Vec<&'a Value>> {
    let named = |term: &Term| matches!(term, Term::Place(place) if is_attribute(place, hash));
    let value = |term: &'a Term| match term {
        Term::Value(value) => Some(value),
        _ => None,
    };
    let one = |test: &'a Test| match test {
        Test::Compare("=", left, right) if named(left) => value(right),
        Test::Compare("=", left, right) if named(right) => value(left),
        _ => None,
    };
    let all: Vec<&Value> = match test {
        Test::Compare(..) => vec![one(test)?],
        Test::In(of, list) if named(of) => list.iter().map(value).collect::<Option<_>>()?,
        Test::Or(tests) => tests.iter().map(one).collect::<Option<_>>()?,
        _ => return None,
    };
    let mut once: Vec<&Value> = Vec::with_capacity(all.len());
    for value in all {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    (once.len() <= PARTITIONS_MAX).then_some(once)
}

fn is_attribute(place: &Place, name: &str) -> bool {
    place.steps.is_empty() && place.head == name
}

fn equality(test: &Test) -> Option<(String, Value)> {
    match test {
        Test::Compare("=", Term::Place(place), Term::Value(value))
        | Test::Compare("=", Term::Value(value), Term::Place(place)) => Some((place.head.clone(), value.clone())),
        // One of one is that one.
        Test::In(Term::Place(place), list) => match &list[..] {
            [Term::Value(value)] => Some((place.head.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    }
}

impl Phrases {
    /// The placeholder of a name.
    pub fn name(&mut self, name: &str) -> String {
        if let Some((key, _)) = self.names.iter().find(|(_, known)| *known == name) {
            return key.clone();
        }
        let key = format!("#n{}", self.names.len());
        self.names.insert(key.clone(), name.to_owned());
        key
    }

    /// The placeholder of a value.
    pub fn value(&mut self, value: &Value) -> String {
        let key = format!(":v{}", self.values.len());
        self.values.insert(key.clone(), value.clone());
        key
    }

    /// `UpdateExpression`
    pub fn update(&mut self, changes: &[Change]) -> String {
        let mut sections: [(&str, Vec<String>); 4] =
            [("SET", Vec::new()), ("REMOVE", Vec::new()), ("ADD", Vec::new()), ("DELETE", Vec::new())];
        for change in changes {
            let (section, action) = match change {
                Change::Set(place, term) => {
                    let (place, term) = (self.place(place), self.term(term));
                    (0, format!("{place} = {term}"))
                }
                Change::Remove(place) => (1, self.place(place)),
                Change::SetAdd(place, value) => (2, format!("{} {}", self.place(place), self.value(value))),
                Change::SetDelete(place, value) => (3, format!("{} {}", self.place(place), self.value(value))),
            };
            sections[section].1.push(action);
        }
        let sections = sections.iter().filter(|(_, actions)| !actions.is_empty());
        sections.map(|(name, actions)| format!("{name} {}", actions.join(", "))).collect::<Vec<_>>().join(" ")
    }

    /// A condition.
    pub fn test(&mut self, test: &Test) -> String {
        match test {
            Test::And(tests) => self.joined(tests, " AND "),
            Test::Or(tests) => self.joined(tests, " OR "),
            Test::Not(test) => format!("NOT {}", self.inner(test)),
            Test::Compare(comparator, left, right) => {
                let (left, right) = (self.term(left), self.term(right));
                format!("{left} {comparator} {right}")
            }
            Test::Between(of, low, high) => {
                let (of, low, high) = (self.term(of), self.term(low), self.term(high));
                format!("{of} BETWEEN {low} AND {high}")
            }
            Test::In(of, list) => {
                let of = self.term(of);
                // A key condition knows no list, and one of one is that one.
                if let [one] = &list[..] {
                    return format!("{of} = {}", self.term(one));
                }
                format!("{of} IN ({})", self.terms(list))
            }
            Test::Call(name, operands) => format!("{name}({})", self.terms(operands)),
            Test::Missing(term) => format!("attribute_not_exists({})", self.term(term)),
        }
    }

    /// A condition inside another.
    fn inner(&mut self, test: &Test) -> String {
        match test {
            Test::And(_) | Test::Or(_) => format!("({})", self.test(test)),
            Test::Not(_) | Test::Compare(..) | Test::Between(..) | Test::In(..) | Test::Call(..) | Test::Missing(_) => {
                self.test(test)
            }
        }
    }

    fn joined(&mut self, tests: &[Test], between: &str) -> String {
        tests.iter().map(|test| self.inner(test)).collect::<Vec<_>>().join(between)
    }

    fn terms(&mut self, terms: &[Term]) -> String {
        terms.iter().map(|term| self.term(term)).collect::<Vec<_>>().join(", ")
    }

    fn term(&mut self, term: &Term) -> String {
        match term {
            Term::Place(place) => self.place(place),
            Term::Value(value) => self.value(value),
            Term::Call(name, operands) => format!("{name}({})", self.terms(operands)),
            Term::Sum(left, sign, right) => {
                let (left, right) = (self.term(left), self.term(right));
                format!("{left} {sign} {right}")
            }
        }
    }

    fn place(&mut self, place: &Place) -> String {
        let mut text = self.name(&place.head);
        for step in &place.steps {
            match step {
                Step::Name(name) => {
                    let name = self.name(name);
                    text.push_str(&format!(".{name}"));
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}
