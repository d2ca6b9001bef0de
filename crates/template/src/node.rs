//! A template's values, each with the line it stands on. Not a working model: [`crate::Template`] is.

use serde_json::Number;

/// One value, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, from 1; 0 where nobody knows it.
    pub line: u32,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing; templates may not hold it outside of free-form sections.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that prints as it was written; all others stay text, so that `000000000123` and `1.10` survive.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text; no key twice.
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line.
    pub line: u32,
    /// What it leads to.
    pub value: Node,
}

impl Node {
    /// A node.
    pub fn new(line: u32, value: Value) -> Self {
        Self { line, value }
    }

    /// Text.
    pub fn text(line: u32, text: impl Into<String>) -> Self {
        Self::new(line, Value::Text(text.into()))
    }

    /// A list.
    pub fn list(line: u32, items: Vec<Node>) -> Self {
        Self::new(line, Value::List(items))
    }

    /// A map with one key: the form of a function.
    pub fn single(line: u32, key: impl Into<String>, value: Node) -> Self {
        Self::new(line, Value::Map(vec![Entry { key: key.into(), line, value }]))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What it is as text, if it is no list, map or null: CloudFormation takes numbers and truth values for text everywhere.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => None,
        }
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// What lies under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// What lies under a path of keys and indices, such as `Code.ZipFile`, `Layers.0` or `Tags[0].Key`. The longest key wins, so that
    /// keys with dots in them are found.
    pub fn at(&self, path: &str) -> Option<&Node> {
        self.walk(path).or_else(|| {
            // A key may have brackets too, and then it was found.
            let dotted = path.contains('[').then(|| path.replace('[', ".").replace(']', ""))?;
            self.walk(&dotted)
        })
    }

    fn walk(&self, path: &str) -> Option<&Node> {
        if path.is_empty() {
            return Some(self);
        }
        let mut end = path.len();
        loop {
            let (head, rest) = (&path[..end], path.get(end + 1..).unwrap_or(""));
            let below = match &self.value {
                Value::Map(_) => self.get(head),
                Value::List(items) => head.parse::<usize>().ok().and_then(|index| items.get(index)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
            };
            if let Some(found) = below.and_then(|below| below.walk(rest)) {
                return Some(found);
            }
            end = path[..end].rfind('.')?;
        }
    }

    /// The function that this is, if it is one: a map whose only key is `Ref` or begins with `Fn::`.
    pub fn function(&self) -> Option<(&str, &Node)> {
        match self.as_map()? {
            [only] if only.key == "Ref" || only.key.starts_with("Fn::") => Some((&only.key, &only.value)),
            _ => None,
        }
    }

    /// Whether a function is left anywhere in it.
    pub fn has_function(&self) -> bool {
        self.function().is_some()
            || match &self.value {
                Value::List(items) => items.iter().any(Node::has_function),
                Value::Map(entries) => entries.iter().any(|entry| entry.value.has_function()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => false,
            }
    }

    /// How many levels of lists and maps lie in each other, and one for what is innermost.
    pub fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.height()).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => 1,
        }
    }

    /// How many bytes its texts and keys have together, and some for whatever else there is.
    pub fn bytes(&self) -> usize {
        match &self.value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 8,
            Value::Text(text) => 8 + text.len(),
            Value::List(items) => 8 + items.iter().map(Self::bytes).sum::<usize>(),
            Value::Map(entries) => 8 + entries.iter().map(|entry| entry.key.len() + entry.value.bytes()).sum::<usize>(),
        }
    }

    /// From JSON; every value is given `line`. The caller bounds depth: a parser did, or the template was read before.
    pub fn from_json(document: &serde_json::Value, line: u32) -> Self {
        use serde_json::Value as Json;
        let value = match document {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => Value::Number(number.clone()),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(|item| Self::from_json(item, line)).collect()),
            Json::Object(members) => Value::Map(
                members
                    .iter()
                    .map(|(key, value)| Entry { key: key.clone(), line, value: Self::from_json(value, line) })
                    .collect(),
            ),
        };
        Self { line, value }
    }

    /// To JSON; lines are lost.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_maps_lists_and_dotted_keys() {
        let node = Node::from_json(&json!({"Code": {"ZipFile": 1}, "L": [{"a": 2}], "x.y": {"z": 3}, "k[0]": 4}), 1);
        for (path, expected) in [
            ("Code.ZipFile", Some(json!(1))),
            ("L.0.a", Some(json!(2))),
            ("L[0].a", Some(json!(2))),
            ("L[1]", None),
            ("k[0]", Some(json!(4))),
            ("x.y.z", Some(json!(3))),
            ("", Some(node.to_json())),
            ("L.1", None),
            ("Nope", None),
            ("Code.ZipFile.deeper", None),
        ] {
            assert_eq!(node.at(path).map(Node::to_json), expected, "{path}");
        }
    }
}
