//! What expressions mean, in the plainest way: over the documents that callers send, with everything copied and looked at anew.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Name(&'static str),
    Index(usize),
}

/// A path: an attribute, and steps into it.
pub(super) type Path = Vec<Step>;

/// Something with a value.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
}

/// What must hold.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Compare(&'static str, Operand, Operand),
    Between(Operand, Value, Value),
    In(Operand, Vec<Value>),
    Exists(Path),
    NotExists(Path),
    Type(Path, &'static str),
    Begins(Path, Value),
    Contains(Path, Operand),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

/// What is set.
#[derive(Clone, Debug)]
pub(super) enum Made {
    Operand(Operand),
    Sum(Operand, &'static str, Operand),
    IfNotExists(Path, Value),
    Append(Operand, Operand),
}

/// What becomes of one place.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Set(Path, Made),
    Remove(Path),
    Add(Path, Value),
    Delete(Path, Value),
}

/// Why an update is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Paths,
    NoPlace,
    NoAttribute,
    Type,
}

/// Stands where an item of a list was.
const GONE: &str = "gone";

/// The type of a value, and what is in it.
fn parts(value: &Value) -> (&str, &Value) {
    let (kind, inner) = value.as_object().unwrap().iter().next().unwrap();
    (kind, inner)
}

fn list<'a>(value: &'a Value, kind: &str) -> Option<&'a Vec<Value>> {
    value.get(kind)?.as_array()
}

pub(super) fn get<'a>(item: &'a Value, path: &[Step]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let Step::Name(head) = first else { return None };
    rest.iter().try_fold(item.get(head)?, |value, step| match step {
        Step::Name(name) => value.get("M")?.get(name),
        Step::Index(index) => value.get("L")?.get(index),
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    item::json::read(value)
        .map(|value| match value {
            item::Value::B(bytes) => bytes.to_vec(),
            item::Value::S(text) => text.into_bytes(),
            other => panic!("{other:?} has no bytes"),
        })
        .unwrap()
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
    match (parts(left).0, parts(right).0) {
        ("N", "N") => Some(number(left).cmp(&number(right))),
        ("S", "S") | ("B", "B") => Some(bytes(left).cmp(&bytes(right))),
        _ => None,
    }
}

fn size(value: &Value) -> Option<Value> {
    let count = match parts(value) {
        ("S", text) => text.as_str().unwrap().encode_utf16().count(),
        ("B", _) => bytes(value).len(),
        ("M", entries) => entries.as_object().unwrap().len(),
        ("L" | "SS" | "NS" | "BS", all) => all.as_array().unwrap().len(),
        _ => return None,
    };
    Some(json!({"N": count.to_string()}))
}

impl Operand {
    fn of(&self, item: &Value) -> Option<Value> {
        match self {
            Self::Path(path) => get(item, path).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(path) => size(get(item, path)?),
        }
    }
}

impl Test {
    /// Whether it holds for an item; one that is not there has no attributes.
    pub(super) fn holds(&self, item: &Value) -> bool {
        match self {
            Self::Compare(comparator, left, right) => {
                let (left, right) = (left.of(item), right.of(item));
                let is = left.is_some() && left == right;
                let order = left.zip(right).and_then(|(left, right)| order(&left, &right));
                match *comparator {
                    "=" => is,
                    "<>" => !is,
                    "<" => order.is_some_and(Ordering::is_lt),
                    "<=" => order.is_some_and(Ordering::is_le),
                    ">" => order.is_some_and(Ordering::is_gt),
                    _ => order.is_some_and(Ordering::is_ge),
                }
            }
            Self::Between(of, low, high) => of.of(item).is_some_and(|of| {
                order(&of, low).is_some_and(Ordering::is_ge) && order(&of, high).is_some_and(Ordering::is_le)
            }),
            Self::In(of, list) => of.of(item).is_some_and(|of| list.contains(&of)),
            Self::Exists(path) => get(item, path).is_some(),
            Self::NotExists(path) => get(item, path).is_none(),
            Self::Type(path, kind) => get(item, path).is_some_and(|value| parts(value).0 == *kind),
            Self::Begins(path, prefix) => get(item, path)
                .is_some_and(|value| parts(value).0 == parts(prefix).0 && bytes(value).starts_with(&bytes(prefix))),
            Self::Contains(path, part) => {
                get(item, path).zip(part.of(item)).is_some_and(|(whole, part)| contains(whole, &part))
            }
            Self::Not(test) => !test.holds(item),
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
        }
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    let (kind, inner) = parts(part);
    match parts(whole) {
        ("S", _) if kind == "S" => whole["S"].as_str().unwrap().contains(inner.as_str().unwrap()),
        ("B", _) if kind == "B" => {
            let part = bytes(part);
            part.is_empty() || bytes(whole).windows(part.len()).any(|window| window == part)
        }
        ("L", all) => all.as_array().unwrap().contains(part),
        (set @ ("SS" | "NS" | "BS"), all) => {
            set.starts_with(kind) && kind.len() == 1 && all.as_array().unwrap().contains(inner)
        }
        _ => false,
    }
}

/// What paths that do not overlap show of an item: maps with the wanted entries, lists with the wanted items closed up.
pub(super) fn project(item: &Value, paths: &[Path]) -> Value {
    let whole = json!({ "M": item });
    let wanted: Vec<&[Step]> = paths.iter().map(Vec::as_slice).collect();
    part(&whole, &wanted).map_or_else(|| json!({}), |part| part["M"].clone())
}

fn part(value: &Value, paths: &[&[Step]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    let mut branches: BTreeMap<Step, Vec<&[Step]>> = BTreeMap::new();
    for path in paths {
        branches.entry(path[0]).or_default().push(&path[1..]);
    }
    let inner = |step: &Step| match step {
        Step::Name(name) => value.get("M")?.get(name),
        Step::Index(index) => value.get("L")?.get(index),
    };
    let found = branches.iter().filter_map(|(step, rest)| Some((step, part(inner(step)?, rest)?)));
    let found: Vec<(&Step, Value)> = found.collect();
    match found.first()? {
        (Step::Index(_), _) => Some(json!({"L": found.into_iter().map(|(_, value)| value).collect::<Vec<_>>()})),
        (Step::Name(_), _) => {
            let entry = |(step, value): (&Step, Value)| match step {
                Step::Name(name) => ((*name).to_owned(), value),
                Step::Index(index) => panic!("{index} beside names"),
            };
            Some(json!({"M": found.into_iter().map(entry).collect::<Map<_, _>>()}))
        }
    }
}

/// Whether two of the paths are one, or one is in the other, or they take a value for different things.
pub(super) fn overlap(paths: &[Path]) -> bool {
    let clash = |one: &Path, two: &Path| match one.iter().zip(two).find(|(one, two)| one != two) {
        None => true,
        Some((one, two)) => matches!(one, Step::Name(_)) != matches!(two, Step::Name(_)),
    };
    paths.iter().enumerate().any(|(at, two)| paths[..at].iter().any(|one| clash(one, two)))
}

impl Action {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Set(path, _) | Self::Remove(path) | Self::Add(path, _) | Self::Delete(path, _) => path,
        }
    }

    /// What is put at the place, or that it goes; none where nothing happens. Everything that is wrong is noted.
    fn of(&self, item: &Value, faults: &mut BTreeSet<Fault>) -> Option<Option<Value>> {
        let (last, parent) = self.path().split_last().unwrap();
        if !parent.is_empty() {
            let kind = if matches!(last, Step::Name(_)) { "M" } else { "L" };
            if get(item, parent).is_none_or(|parent| parts(parent).0 != kind) {
                faults.insert(Fault::NoPlace);
            }
        }
        let there = get(item, self.path());
        match self {
            Self::Set(_, made) => Some(made.of(item, faults)),
            Self::Remove(_) => Some(None),
            Self::Add(_, more) => Some(match there {
                None => Some(more.clone()),
                Some(there) => changed(there, more, faults, |mut all, more| {
                    all.extend(more.iter().filter(|member| !all.contains(member)).cloned().collect::<Vec<_>>());
                    all
                }),
            }),
            Self::Delete(_, less) => {
                let left = changed(there?, less, faults, |all, less| {
                    all.into_iter().filter(|member| !less.contains(member)).collect()
                });
                Some(left.filter(|left| parts(left).1.as_array().is_none_or(|members| !members.is_empty())))
            }
        }
    }
}

/// A number with another added, or a set changed by one of its type.
fn changed(
    there: &Value,
    by: &Value,
    faults: &mut BTreeSet<Fault>,
    change: impl Fn(Vec<Value>, &Vec<Value>) -> Vec<Value>,
) -> Option<Value> {
    let (kind, inner) = parts(by);
    if parts(there).0 != kind {
        faults.insert(Fault::Type);
        return None;
    }
    Some(match kind {
        "N" => sum(there, "+", by),
        _ => json!({ kind: change(there[kind].as_array().unwrap().clone(), inner.as_array().unwrap()) }),
    })
}

fn sum(left: &Value, sign: &str, right: &Value) -> Value {
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
    let (left, right) = (number(left), number(right));
    json!({"N": if sign == "+" { left + right } else { left - right }.to_string()})
}

impl Made {
    fn of(&self, item: &Value, faults: &mut BTreeSet<Fault>) -> Option<Value> {
        let mut read = |operand: &Operand, kind: Option<&str>| {
            let Some(value) = operand.of(item) else {
                faults.insert(Fault::NoAttribute);
                return None;
            };
            if kind.is_some_and(|kind| parts(&value).0 != kind) {
                faults.insert(Fault::Type);
                return None;
            }
            Some(value)
        };
        match self {
            Self::Operand(operand) => read(operand, None),
            Self::Sum(left, sign, right) => {
                let (left, right) = (read(left, Some("N")), read(right, Some("N")));
                Some(sum(&left?, sign, &right?))
            }
            Self::IfNotExists(path, value) => Some(get(item, path).unwrap_or(value).clone()),
            Self::Append(left, right) => {
                let (left, right) = (read(left, Some("L")), read(right, Some("L")));
                let (left, right) = (left?, right?);
                let all = [list(&left, "L")?.clone(), list(&right, "L")?.clone()].concat();
                Some(json!({ "L": all }))
            }
        }
    }
}

/// The item after an update, or all that is wrong with that.
pub(super) fn updated(item: &Value, actions: &[Action]) -> Result<Value, BTreeSet<Fault>> {
    let paths: Vec<Path> = actions.iter().map(|action| action.path().clone()).collect();
    if overlap(&paths) {
        return Err(BTreeSet::from([Fault::Paths]));
    }
    let mut faults = BTreeSet::new();
    let written: Vec<_> = actions.iter().map(|action| action.of(item, &mut faults)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut whole = json!({ "M": item });
    let mut behind: Vec<(Path, Value)> = Vec::new();
    for (path, write) in paths.into_iter().zip(written) {
        let Some(write) = write else { continue };
        let (last, parent) = path.split_last().unwrap();
        let inside = place(&mut whole, parent);
        match (last, write) {
            (Step::Name(name), Some(value)) => inside["M"][name] = value,
            (Step::Name(name), None) => drop(inside["M"].as_object_mut().unwrap().remove(*name)),
            (Step::Index(index), write) => match (inside["L"].get_mut(index), write) {
                (Some(there), write) => *there = write.unwrap_or_else(|| json!({ GONE: true })),
                (None, Some(value)) => behind.push((path, value)),
                (None, None) => {}
            },
        }
    }
    // What is put behind the end of a list comes there in the order of the indexes that were asked for.
    behind.sort_by(|(one, _), (two, _)| one.cmp(two));
    for (path, value) in behind {
        place(&mut whole, &path[..path.len() - 1])["L"].as_array_mut().unwrap().push(value);
    }
    close_up(&mut whole);
    Ok(whole["M"].take())
}

fn place<'a>(whole: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(whole, |value, step| match step {
        Step::Name(name) => &mut value["M"][name],
        Step::Index(index) => &mut value["L"][index],
    })
}

fn close_up(value: &mut Value) {
    if let Some(items) = value.get_mut("L").and_then(Value::as_array_mut) {
        items.retain(|item| item.get(GONE).is_none());
        items.iter_mut().for_each(close_up);
    }
    if let Some(entries) = value.get_mut("M").and_then(Value::as_object_mut) {
        entries.values_mut().for_each(close_up);
    }
}

/// With the members of sets in one order.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, inner)| match (name.as_str(), inner) {
                ("SS" | "NS" | "BS", Value::Array(members)) => {
                    let mut members: Vec<String> =
                        members.iter().map(|member| member.as_str().unwrap().to_owned()).collect();
                    members.sort_unstable();
                    (name.clone(), json!(members))
                }
                _ => (name.clone(), sorted(inner)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
