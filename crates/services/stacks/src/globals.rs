//! `Globals`: defaults for the properties of serverless resources. Maps are merged, lists are put together (the defaults first),
//! and everything else is overridden by the resource's own.

use std::collections::HashMap;

use template::{Entry, Node, Value};

/// Adds the defaults of `section` to `properties`.
pub(crate) fn merge(section: Option<&str>, globals: &[Entry], properties: &mut Node) {
    let defaults = section.and_then(|section| globals.iter().find(|entry| entry.key == section));
    if let Some(defaults) = defaults {
        let own = std::mem::replace(properties, Node::new(properties.line, Value::Null));
        *properties = merged(defaults.value.clone(), own);
    }
}

fn merged(default: Node, own: Node) -> Node {
    // A function is a value and not a map to merge into.
    if default.function().is_some() || own.function().is_some() {
        return own;
    }
    let line = own.line;
    match (default.value, own.value) {
        (Value::Map(defaults), Value::Map(entries)) => {
            // Maps may have a hundred thousand keys, so each is looked up and not searched for.
            let mut own: HashMap<String, Entry> = HashMap::with_capacity(entries.len());
            let order: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            own.extend(entries.into_iter().map(|entry| (entry.key.clone(), entry)));
            let mut map = Vec::with_capacity(defaults.len() + own.len());
            for default in defaults {
                map.push(match own.remove(&default.key) {
                    Some(Entry { key, line, value }) => Entry { key, line, value: merged(default.value, value) },
                    None => default,
                });
            }
            map.extend(order.iter().filter_map(|key| own.remove(key)));
            Node::new(line, Value::Map(map))
        }
        (Value::List(mut defaults), Value::List(items)) => {
            defaults.extend(items);
            Node::list(line, defaults)
        }
        (_, own) => Node::new(line, own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_merged_by_form() {
        for (defaults, own, expected) in [
            (json!({"Timeout": 3}), json!({}), json!({"Timeout": 3})),
            (json!({"Timeout": 3}), json!({"Timeout": 9}), json!({"Timeout": 9})),
            (
                json!({"Environment": {"Variables": {"A": 1, "B": 1}}}),
                json!({"Environment": {"Variables": {"B": 2, "C": 2}}}),
                json!({"Environment": {"Variables": {"A": 1, "B": 2, "C": 2}}}),
            ),
            (json!({"Layers": ["a"]}), json!({"Layers": ["b"]}), json!({"Layers": ["a", "b"]})),
            (json!({"Tags": {"a": 1}}), json!({"Tags": {"Ref": "X"}}), json!({"Tags": {"Ref": "X"}})),
        ] {
            let globals = [Entry { key: "Function".into(), line: 0, value: Node::from_json(&defaults, 0) }];
            let mut properties = Node::from_json(&own, 0);
            merge(Some("Function"), &globals, &mut properties);
            assert_eq!(properties.to_json(), expected);
            let mut properties = Node::from_json(&own, 0);
            merge(Some("Api"), &globals, &mut properties);
            assert_eq!(properties.to_json(), own);
        }
    }
}
