//! What serverless resources write into others of the same template: a line more in a list of their properties.
//!
//! What always holds: only what the template has is written into, and only where a list is or may be.

use std::collections::BTreeMap;

use contract::{Extension, PropertyFault};
use template::{Entry, Node, Resource, Template, Value};

use crate::Error;

/// An extension, and who asks for it.
pub(super) struct Asked {
    /// The logical id of the resource that was expanded.
    pub(super) resource: String,
    /// The line that asks.
    pub(super) line: u32,
    pub(super) extension: Extension,
}

impl Asked {
    /// Writes it into the resource that it means, and tells how many bytes that has more.
    pub(super) fn write(&self, made: &mut BTreeMap<String, Resource>, template: &Template) -> Result<usize, Error> {
        let Extension { resource, kind, path, item, after, asked_by: _ } = &self.extension;
        let Some(extended) = made.get_mut(resource).filter(|found| found.kind == *kind) else {
            // Where its condition does not hold there is nobody who could do what is asked of it.
            let absent = |found: &Resource| found.id == *resource && found.kind == *kind;
            return match template.resources.iter().any(absent) {
                true => Ok(0),
                false => Err(self.refusal(format!("{resource} is no {kind} of this template"))),
            };
        };
        let line = Node::from_json(item, self.line);
        let bytes = line.bytes();
        let list = list_at(&mut extended.properties, path).ok_or_else(|| {
            self.refusal(format!("{} of {resource} is not a list that can be added to", path.join(".")))
        })?;
        list.push(line);
        extended.depends_on.push(after.clone());
        Ok(bytes)
    }

    fn refusal(&self, message: String) -> Error {
        let fault = PropertyFault { path: self.extension.asked_by.clone(), message };
        Error::Properties { resource: self.resource.clone(), fault, line: (self.line > 0).then_some(self.line) }
    }
}

/// The list under a path of names, made where it is missing; nothing where something else is.
fn list_at<'a>(properties: &'a mut Node, path: &[&str]) -> Option<&'a mut Vec<Node>> {
    // What other resources' values decide is not known yet.
    if properties.function().is_some() {
        return None;
    }
    let line = properties.line;
    let Some((name, rest)) = path.split_first() else {
        return match &mut properties.value {
            Value::List(items) => Some(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => None,
        };
    };
    let Value::Map(entries) = &mut properties.value else { return None };
    let index = match entries.iter().position(|entry| entry.key == *name) {
        Some(index) => index,
        None => {
            let value = if rest.is_empty() { Value::List(Vec::new()) } else { Value::Map(Vec::new()) };
            entries.push(Entry { key: (*name).to_owned(), line, value: Node::new(line, value) });
            entries.len() - 1
        }
    };
    list_at(&mut entries.get_mut(index)?.value, rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_found_or_made_where_they_may_be() {
        let check = |properties: serde_json::Value, expected: Option<serde_json::Value>| {
            let mut node = Node::from_json(&properties, 1);
            let found = list_at(&mut node, &["A", "B"]).map(|list| list.push(Node::text(1, "new"))).is_some();
            assert_eq!(found.then(|| node.to_json()), expected, "{properties}");
        };
        check(json!({}), Some(json!({ "A": { "B": ["new"] } })));
        check(json!({ "A": { "C": 1 } }), Some(json!({ "A": { "C": 1, "B": ["new"] } })));
        check(json!({ "A": { "B": ["old"] } }), Some(json!({ "A": { "B": ["old", "new"] } })));
        check(json!({ "A": { "B": { "Ref": "List" } } }), None);
        check(json!({ "A": { "Fn::GetAtt": ["X", "Y"] } }), None);
        check(json!({ "A": [] }), None);
        check(json!({ "A": "text" }), None);
    }
}
