//! Shapes from forms: the schema is walked, and at each of its levels the pairs are parted by the next step of their names. Names
//! that the schema does not know are never taken apart, so that a form costs no more memory than its length.

use std::collections::HashMap;

use super::Dialect;
use crate::reader::DEPTH_MAX;
use crate::schema::Kind;
use crate::tree::Node;
use crate::{Malformed, Member, Schema, uri};

/// Some pairs of a form: what is left of the name, and the value.
type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// The structure that a form is.
pub(crate) fn node(form: &str, schema: &'static Schema, dialect: Dialect) -> Result<Node, Malformed> {
    let pairs: Vec<(String, String)> = uri::pairs(form).collect();
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Walk { dialect, depth: 0 }.structure(&pairs, schema)
}

/// One level of the walk.
#[derive(Clone, Copy)]
struct Walk {
    dialect: Dialect,
    depth: usize,
}

impl Walk {
    fn structure(self, pairs: &Pairs<'_>, schema: &'static Schema) -> Result<Node, Malformed> {
        let parts = parted(pairs);
        let mut members = Vec::new();
        for (index, at) in schema.members().iter().enumerate() {
            if let Some(part) = parts.get(self.dialect.name(at).as_str()) {
                members.push((index, self.value(part, at)?));
            }
        }
        Ok(Node::Structure(members))
    }

    fn value(self, pairs: &Pairs<'_>, at: &'static Member) -> Result<Node, Malformed> {
        if self.depth >= DEPTH_MAX {
            return Err(Malformed::TooDeep { limit: DEPTH_MAX });
        }
        let inner = Self { depth: self.depth + 1, ..self };
        match at.target.kind {
            Kind::Structure(_) | Kind::Union(_) => inner.structure(pairs, at.target),
            Kind::List(item) => {
                let items = match self.dialect {
                    Dialect::Query if !at.flattened => parted(pairs).remove(item.wire).unwrap_or_default(),
                    Dialect::Query | Dialect::Ec2 => pairs.clone(),
                };
                let items = numbered(&items).into_iter().map(|part| inner.value(&part, item));
                items.collect::<Result<_, _>>().map(Node::List)
            }
            Kind::Map { key, value } => {
                let entries =
                    if at.flattened { pairs.clone() } else { parted(pairs).remove("entry").unwrap_or_default() };
                let entries = numbered(&entries).into_iter().map(|part| inner.entry(&part, key, value));
                entries.collect::<Result<_, _>>().map(Node::Map)
            }
            Kind::Boolean
            | Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::String
            | Kind::Blob
            | Kind::Timestamp
            | Kind::Document => {
                own(pairs).map(|value| Node::Text(value.to_owned())).ok_or(Malformed::UnexpectedStructure)
            }
        }
    }

    fn entry(
        self,
        pairs: &Pairs<'_>,
        key: &'static Member,
        value: &'static Member,
    ) -> Result<(String, Node), Malformed> {
        let parts = parted(pairs);
        let name = parts.get(key.wire).and_then(own).unwrap_or_default();
        let node = match parts.get(value.wire) {
            Some(part) => self.value(part, value)?,
            None => Node::Text(String::new()),
        };
        Ok((name.to_owned(), node))
    }
}

/// The value of the name itself. Of one that is there twice, the last counts.
fn own<'a>(pairs: &Pairs<'a>) -> Option<&'a str> {
    pairs.iter().rev().find(|(name, _)| name.is_empty()).map(|(_, value)| *value)
}

/// The pairs by the next step of their names.
fn parted<'a>(pairs: &Pairs<'a>) -> HashMap<&'a str, Pairs<'a>> {
    let mut parts: HashMap<&str, Pairs<'_>> = HashMap::new();
    for (name, value) in pairs.iter().filter(|(name, _)| !name.is_empty()) {
        let (step, rest) = name.split_once('.').unwrap_or((name, ""));
        parts.entry(step).or_default().push((rest, value));
    }
    parts
}

/// The parts whose steps are numbers, in their order; gaps say nothing.
fn numbered<'a>(pairs: &Pairs<'a>) -> Vec<Pairs<'a>> {
    let number = |step: &str| step.bytes().all(|b| b.is_ascii_digit()).then(|| step.parse::<u32>().ok()).flatten();
    let mut parts: Vec<(u32, Pairs<'a>)> =
        parted(pairs).into_iter().filter_map(|(step, part)| number(step).map(|number| (number, part))).collect();
    parts.sort_unstable_by_key(|(number, _)| *number);
    parts.into_iter().map(|(_, part)| part).collect()
}
