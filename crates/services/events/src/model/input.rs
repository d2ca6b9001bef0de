//! What a target is sent of an event: all of it, a part, a constant, or a text made from parts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Event;

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The event.
    Whole,
    /// This text.
    Constant(String),
    /// The part at a path.
    Part(Path),
    /// A template with parts in it.
    Template {
        /// Parts by name.
        parts: BTreeMap<String, Path>,
        /// The text, in which `<name>` stands for a part.
        template: String,
    },
}

/// What a template may know beside the event.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The rule's ARN.
    pub rule_arn: &'a str,
    /// The rule's name.
    pub rule_name: &'a str,
    /// When the event came in.
    pub ingested_ms: i64,
}

impl Input {
    /// The text that the target gets.
    pub fn make(&self, event: &Event, around: Around<'_>) -> String {
        match self {
            Self::Whole => event.text.clone(),
            Self::Constant(text) => text.clone(),
            // AWS sends nothing at all where there is no such part; a target wants something.
            Self::Part(path) => path.find(&event.document).map_or_else(|| "{}".to_owned(), |part| part.to_string()),
            Self::Template { parts, template } => fill(template, |name| match name {
                "aws.events.rule-arn" => Some(around.rule_arn.into()),
                "aws.events.rule-name" => Some(around.rule_name.into()),
                "aws.events.event.ingestion-time" => Some(super::event::time(around.ingested_ms).into()),
                "aws.events.event.json" => Some(event.document.clone()),
                "aws.events.event" => {
                    let mut bare = event.document.clone();
                    bare.as_object_mut().map(|members| members.shift_remove("detail"));
                    Some(bare)
                }
                name => parts.get(name).map(|path| path.find(&event.document).unwrap_or(Value::String(String::new()))),
            }),
        }
    }
}

/// Puts values where names stand. Inside quotes a value goes in as text; outside of them, in an object or array, as JSON. A template
/// that is neither is text, and values go in as text everywhere. A name that nobody knows stays as it is.
fn fill(template: &str, value_of: impl Fn(&str) -> Option<Value>) -> String {
    let is_json = template.trim_start().starts_with(['{', '[']);
    let (mut out, mut rest, mut quoted) = (String::with_capacity(template.len() * 2), template, false);
    while let Some(at) = rest.find(['<', '"', '\\']) {
        out.push_str(&rest[..at]);
        let (this, after) = rest[at..].split_at(1);
        rest = after;
        match this {
            "\\" => {
                out.push('\\');
                // Whatever is escaped stands for itself.
                let escaped = rest.chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..escaped]);
                rest = &rest[escaped..];
            }
            "\"" => {
                quoted = !quoted;
                out.push('"');
            }
            _ => match rest.split_once('>').and_then(|(name, after)| Some((value_of(name)?, after))) {
                None => out.push('<'),
                Some((value, after)) => {
                    rest = after;
                    match (is_json, quoted) {
                        (true, false) => out.push_str(&value.to_string()),
                        (true, true) | (false, true) => out.push_str(&escaped(&plain(&value))),
                        (false, false) => out.push_str(&plain(&value)),
                    }
                }
            },
        }
    }
    out.push_str(rest);
    out
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A path into an event: `$.detail.items[0].name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    /// All elements, as a list.
    All,
}

impl Path {
    /// Reads `$`, `.name`, `['name']`, `[7]` and `[*]`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$')?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let length = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at(length);
                let is_good = !name.is_empty()
                    && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '@' | ':' | '$' | '/'));
                steps.push(match name {
                    "*" => Step::All,
                    name if is_good => Step::Member(name.to_owned()),
                    _ => return None,
                });
                rest = after;
                continue;
            }
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let name = inside.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
            steps.push(match name {
                Some(name) => Step::Member(name.to_owned()),
                None if inside == "*" => Step::All,
                None => Step::Element(inside.parse().ok()?),
            });
            rest = after;
        }
        Some(Self(steps))
    }

    /// What is there.
    pub fn find(&self, document: &Value) -> Option<Value> {
        walk(&self.0, document)
    }
}

fn walk(steps: &[Step], value: &Value) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.clone()) };
    match step {
        Step::Member(name) => walk(rest, value.get(name)?),
        Step::Element(index) => walk(rest, value.get(index)?),
        Step::All => Some(value.as_array()?.iter().filter_map(|element| walk(rest, element)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Event {
        let document = json!({
            "id": "7", "source": "shop", "resources": ["r"],
            "detail": { "state": "on \"it\"", "n": 3, "list": [{ "a": 1 }, { "a": 2 }], "inner": { "x": "y" }, "none": null },
        });
        Event::from_document(document, 0)
    }

    const AROUND: Around<'_> = Around { rule_arn: "arn:rule", rule_name: "rule", ingested_ms: 1_000 };

    #[test]
    fn parts_are_found() {
        let check = |path: &str, expected: Option<&str>| {
            let found = Path::parse(path).and_then(|path| path.find(&event().document));
            assert_eq!(found.map(|value| value.to_string()).as_deref(), expected, "{path}");
        };
        check("$.detail.n", Some("3"));
        check("$.detail['inner'].x", Some("\"y\""));
        check("$.detail.list[1].a", Some("2"));
        check("$.detail.list[*].a", Some("[1,2]"));
        check("$.detail.none", Some("null"));
        check("$.detail.missing", None);
        check("$.detail.list[9]", None);
        check("detail", None);
        check("$..detail", None);
        check("$.detail[", None);
    }

    #[test]
    fn templates_are_filled() {
        let parts: BTreeMap<String, Path> = [
            ("state", "$.detail.state"),
            ("n", "$.detail.n"),
            ("inner", "$.detail.inner"),
            ("none", "$.detail.none"),
            ("missing", "$.detail.missing"),
        ]
        .map(|(name, path)| (name.to_owned(), Path::parse(path).unwrap()))
        .into();
        let check = |template: &str, expected: &str| {
            let input = Input::Template { parts: parts.clone(), template: template.to_owned() };
            assert_eq!(input.make(&event(), AROUND), expected, "{template}");
        };
        check(r#"{"state": <state>, "n": <n>, "o": <inner>}"#, r#"{"state": "on \"it\"", "n": 3, "o": {"x":"y"}}"#);
        check(r#"{"text": "is <state>, <n>, <inner>"}"#, r#"{"text": "is on \"it\", 3, {\"x\":\"y\"}"}"#);
        check(r#"{"gone": <missing>, "null": <none>}"#, r#"{"gone": "", "null": null}"#);
        check(r#""the <state>""#, r#""the on \"it\"""#);
        check("the <n> of <unknown> < 5", "the 3 of <unknown> < 5");
        check(r#"{"a": "\"<n>\""}"#, r#"{"a": "\"3\""}"#);
        check(
            r#"{"rule": <aws.events.rule-arn>, "name": "<aws.events.rule-name>"}"#,
            r#"{"rule": "arn:rule", "name": "rule"}"#,
        );
        check("<aws.events.event.ingestion-time>", "1970-01-01T00:00:01Z");
        check(r#"{"e": <aws.events.event>}"#, r#"{"e": {"id":"7","source":"shop","resources":["r"]}}"#);
        assert!(
            Input::Template { parts: BTreeMap::new(), template: r#"{"e": <aws.events.event.json>}"#.into() }
                .make(&event(), AROUND)
                .contains(r#""n":3"#)
        );
    }
}
