//! JSON paths as pipes have them: `$`, `.name`, `['name']`, `[0]`. A text that is met on the way and is JSON is opened, so that
//! `$.body.order.id` finds its way into a message's body. Pure.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPath(String);

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a path such as $.body.name or $.list[0]", self.0)
    }
}

impl Path {
    /// Reads a path, which begins with `$`.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let bad = || BadPath(text.to_owned());
        let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                if name.is_empty() || name.contains(char::is_whitespace) {
                    return Err(bad());
                }
                steps.push(Step::Name(name.to_owned()));
                rest = &after[end..];
            } else {
                let after = rest.strip_prefix('[').ok_or_else(bad)?;
                let end = after.find(']').ok_or_else(bad)?;
                let inside = &after[..end];
                let quoted = inside.strip_prefix('\'').and_then(|inside| inside.strip_suffix('\''));
                steps.push(match quoted {
                    Some(name) => Step::Name(name.to_owned()),
                    None => Step::Index(inside.parse().map_err(|_| bad())?),
                });
                rest = &after[end + 1..];
            }
        }
        Ok(Self(steps))
    }

    /// What is there; none if nothing is.
    pub fn find<'a>(&self, event: &'a Value) -> Option<Cow<'a, Value>> {
        let mut here = Cow::Borrowed(event);
        for step in &self.0 {
            if let Value::String(text) = &*here {
                here = Cow::Owned(serde_json::from_str(text).ok()?);
            }
            here = match (here, step) {
                (Cow::Borrowed(value), Step::Name(name)) => Cow::Borrowed(value.get(name)?),
                (Cow::Borrowed(value), Step::Index(index)) => Cow::Borrowed(value.get(index)?),
                (Cow::Owned(value), Step::Name(name)) => Cow::Owned(value.get(name)?.clone()),
                (Cow::Owned(value), Step::Index(index)) => Cow::Owned(value.get(index)?.clone()),
            };
        }
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_their_way_also_into_texts_that_are_json() {
        let event =
            json!({ "body": r#"{"order":{"id":7,"lines":["a","b"]}}"#, "list": [1, { "x y": 2 }], "text": "plain" });
        for (path, expected) in [
            ("$", Some(event.clone())),
            ("$.text", Some(json!("plain"))),
            ("$.body.order.id", Some(json!(7))),
            ("$.body.order.lines[1]", Some(json!("b"))),
            ("$.list[0]", Some(json!(1))),
            ("$.list[1]['x y']", Some(json!(2))),
            ("$.list[2]", None),
            ("$.text.more", None),
            ("$.nothing", None),
        ] {
            let found = Path::parse(path).expect(path).find(&event).map(Cow::into_owned);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "body", "$body", "$.", "$..a", "$[", "$[x]", "$.a b", "$.a[]"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
