//! Shapes from forms: the dotted names become a tree, the tree the [`Node`] that its schema wants.

use std::collections::HashMap;

use super::Dialect;
use crate::reader::DEPTH_MAX;
use crate::schema::Kind;
use crate::tree::Node;
use crate::{Malformed, Member, Schema, uri};

/// What the names before a dot hold.
#[derive(Debug, Default)]
struct Branch {
    value: Option<String>,
    parts: HashMap<String, Branch>,
}

/// The structure that a form is.
pub(crate) fn node(form: &str, schema: &'static Schema, dialect: Dialect) -> Result<Node, Malformed> {
    let mut root = Branch::default();
    for (name, value) in uri::pairs(form) {
        let mut branch = &mut root;
        for (depth, part) in name.split('.').enumerate() {
            if depth > DEPTH_MAX {
                return Err(Malformed::TooDeep { limit: DEPTH_MAX });
            }
            branch = branch.parts.entry(part.to_owned()).or_default();
        }
        branch.value = Some(value);
    }
    structure(&root, schema, dialect)
}

fn structure(branch: &Branch, schema: &'static Schema, dialect: Dialect) -> Result<Node, Malformed> {
    let mut members = Vec::new();
    for (index, at) in schema.members().iter().enumerate() {
        if let Some(part) = branch.parts.get(&dialect.name(at)) {
            members.push((index, value(part, at, dialect)?));
        }
    }
    Ok(Node::Structure(members))
}

fn value(branch: &Branch, at: &'static Member, dialect: Dialect) -> Result<Node, Malformed> {
    match at.target.kind {
        Kind::Structure(_) | Kind::Union(_) => structure(branch, at.target, dialect),
        Kind::List(item) => {
            let holder = match dialect {
                Dialect::Query if !at.flattened => branch.parts.get(item.wire),
                Dialect::Query | Dialect::Ec2 => Some(branch),
            };
            let items = holder.map(numbered).unwrap_or_default();
            items.into_iter().map(|part| value(part, item, dialect)).collect::<Result<_, _>>().map(Node::List)
        }
        Kind::Map { key, value: held } => {
            let holder = if at.flattened { Some(branch) } else { branch.parts.get("entry") };
            let mut entries = Vec::new();
            for part in holder.map(numbered).unwrap_or_default() {
                let name = part.parts.get(key.wire).and_then(|part| part.value.clone()).unwrap_or_default();
                let empty = Branch { value: Some(String::new()), parts: HashMap::new() };
                entries.push((name, value(part.parts.get(held.wire).unwrap_or(&empty), held, dialect)?));
            }
            Ok(Node::Map(entries))
        }
        Kind::Boolean
        | Kind::Integer
        | Kind::Long
        | Kind::Float
        | Kind::Double
        | Kind::String
        | Kind::Blob
        | Kind::Timestamp
        | Kind::Document => branch.value.clone().map(Node::Text).ok_or(Malformed::UnexpectedStructure),
    }
}

/// The parts whose names are numbers, in their order; gaps say nothing.
fn numbered(branch: &Branch) -> Vec<&Branch> {
    let number = |name: &String| name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse::<u32>().ok()).flatten();
    let mut parts: Vec<(u32, &Branch)> =
        branch.parts.iter().filter_map(|(name, part)| number(name).map(|number| (number, part))).collect();
    parts.sort_unstable_by_key(|(number, _)| *number);
    parts.into_iter().map(|(_, part)| part).collect()
}
