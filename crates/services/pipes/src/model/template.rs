//! `InputTemplate`: text with places for values, `<$.body.x>` and `<aws.pipes.…>`. Pure.
//!
//! In a template that is JSON, a place that stands by itself becomes its value as JSON, and one inside a text becomes the value's text,
//! escaped as texts in JSON are. A template that is no JSON becomes text. What is not there becomes `null`, or nothing inside a text.

use std::fmt;

use serde_json::Value;

use super::path::{BadPath, Path};

/// A template, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place { variable: Variable, quoted: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Variable {
    Path(Path),
    Reserved(Reserved),
}

/// What every pipe knows of itself and its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reserved {
    PipeArn,
    PipeName,
    SourceArn,
    EnrichmentArn,
    TargetArn,
    IngestionTime,
    Event,
    EventJson,
}

/// The values of the reserved places.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The pipe's ARN.
    pub pipe_arn: &'a str,
    /// The pipe's name.
    pub pipe_name: &'a str,
    /// The source's ARN.
    pub source_arn: &'a str,
    /// The enrichment's ARN, or empty.
    pub enrichment_arn: &'a str,
    /// The target's ARN.
    pub target_arn: &'a str,
    /// When the pipe got the event, as text.
    pub ingestion_time: &'a str,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTemplate {
    /// A place has no end.
    Open,
    /// A place names nothing that there is.
    Unknown(String),
    /// A place has a path that is none.
    Path(BadPath),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("a '<' has no '>'"),
            Self::Unknown(name) => write!(f, "there is no variable '{name}'"),
            Self::Path(bad) => bad.fmt(f),
        }
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut quotes = Quotes::default();
        let mut rest = text;
        while let Some(start) = place(rest) {
            let (before, after) = (&rest[..start], &rest[start + 1..]);
            let end = after.find('>').ok_or(BadTemplate::Open)?;
            quotes.pass(before);
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place { variable: variable(&after[..end])?, quoted: quotes.open });
            rest = &after[end + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// The event as the template makes it: JSON where that is what comes out, text otherwise.
    pub fn fill(&self, event: &Value, known: &Known<'_>) -> Value {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place { variable, quoted } => {
                    let value = variable.value(event, known);
                    match (value, quoted) {
                        (Some(value), false) => out.push_str(&value.to_string()),
                        (None, false) => out.push_str("null"),
                        (Some(value), true) => out.push_str(&escaped(&value)),
                        (None, true) => {}
                    }
                }
            }
        }
        serde_json::from_str(&out).unwrap_or_else(|_| Value::String(self.as_text(event, known)))
    }

    /// The same where it is not JSON: values as plain text.
    fn as_text(&self, event: &Value, known: &Known<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place { variable, .. } => variable.value(event, known).map(|value| plain(&value)).unwrap_or_default(),
        };
        self.parts.iter().map(part).collect()
    }
}

/// Where the next place begins. Other `<` are text.
fn place(text: &str) -> Option<usize> {
    ["<$", "<aws.pipes."].iter().filter_map(|opening| text.find(opening)).min()
}

fn variable(text: &str) -> Result<Variable, BadTemplate> {
    let text = text.trim();
    if text.starts_with('$') {
        return Path::parse(text).map(Variable::Path).map_err(BadTemplate::Path);
    }
    Ok(Variable::Reserved(match text {
        "aws.pipes.pipe-arn" => Reserved::PipeArn,
        "aws.pipes.pipe-name" => Reserved::PipeName,
        "aws.pipes.source-arn" => Reserved::SourceArn,
        "aws.pipes.enrichment-arn" => Reserved::EnrichmentArn,
        "aws.pipes.target-arn" => Reserved::TargetArn,
        "aws.pipes.event.ingestion-time" => Reserved::IngestionTime,
        "aws.pipes.event" => Reserved::Event,
        "aws.pipes.event.json" => Reserved::EventJson,
        other => return Err(BadTemplate::Unknown(other.to_owned())),
    }))
}

impl Variable {
    fn value(&self, event: &Value, known: &Known<'_>) -> Option<Value> {
        let text = |text: &str| Some(Value::from(text));
        match self {
            Self::Path(path) => path.find(event).map(std::borrow::Cow::into_owned),
            Self::Reserved(Reserved::PipeArn) => text(known.pipe_arn),
            Self::Reserved(Reserved::PipeName) => text(known.pipe_name),
            Self::Reserved(Reserved::SourceArn) => text(known.source_arn),
            Self::Reserved(Reserved::EnrichmentArn) => text(known.enrichment_arn),
            Self::Reserved(Reserved::TargetArn) => text(known.target_arn),
            Self::Reserved(Reserved::IngestionTime) => text(known.ingestion_time),
            Self::Reserved(Reserved::Event) => Some(event.clone()),
            Self::Reserved(Reserved::EventJson) => (!event.is_string()).then(|| event.clone()),
        }
    }
}

/// A value inside a text of JSON.
fn escaped(value: &Value) -> String {
    let quoted = Value::String(plain(value)).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether we are inside a text of JSON.
#[derive(Default)]
struct Quotes {
    open: bool,
}

impl Quotes {
    fn pass(&mut self, text: &str) {
        let mut escaped = false;
        for byte in text.bytes() {
            match byte {
                b'"' if !escaped => self.open = !self.open,
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KNOWN: Known<'_> = Known {
        pipe_arn: "arn:aws:pipes:r:000000000000:pipe/p",
        pipe_name: "p",
        source_arn: "source",
        enrichment_arn: "",
        target_arn: "target",
        ingestion_time: "2026-01-01T00:00:00Z",
    };

    fn check(template: &str, expected: Value) {
        let event =
            json!({ "messageId": "1", "body": r#"{"name":"Ada \"A\"","age":36,"tags":["x"]}"#, "plain": "a\nb" });
        let filled = Template::parse(template).unwrap_or_else(|why| panic!("{template}: {why}")).fill(&event, &KNOWN);
        assert_eq!(filled, expected, "{template}");
    }

    #[test]
    fn places_become_values_or_text() {
        check(r#"{"name": <$.body.name>, "age": <$.body.age>}"#, json!({ "name": "Ada \"A\"", "age": 36 }));
        check(r#"{"said": "<$.body.name> is <$.body.age>"}"#, json!({ "said": "Ada \"A\" is 36" }));
        check(r#"{"tags": <$.body.tags>, "in": "<$.body.tags>"}"#, json!({ "tags": ["x"], "in": r#"["x"]"# }));
        check("Hello <$.body.name>!", json!("Hello Ada \"A\"!"));
        check("<$.plain>", json!("a\nb"));
        check(r#"{"a": <$.nothing>, "b": "-<$.nothing>-"}"#, json!({ "a": null, "b": "--" }));
        check(r#"{"fixed": [1, 2]}"#, json!({ "fixed": [1, 2] }));
        check("1 < 2", json!("1 < 2"));
    }

    #[test]
    fn reserved_places_tell_of_the_pipe() {
        check(
            r#"{"pipe": <aws.pipes.pipe-name>, "arn": "<aws.pipes.pipe-arn>", "at": <aws.pipes.event.ingestion-time>,
                "from": <aws.pipes.source-arn>, "to": <aws.pipes.target-arn>, "by": <aws.pipes.enrichment-arn>}"#,
            json!({
                "pipe": "p", "arn": "arn:aws:pipes:r:000000000000:pipe/p", "at": "2026-01-01T00:00:00Z", "from": "source",
                "to": "target", "by": "",
            }),
        );
        let event = json!({ "a": 1 });
        for template in ["<aws.pipes.event>", "<aws.pipes.event.json>", "<$>"] {
            assert_eq!(Template::parse(template).expect("it is one").fill(&event, &KNOWN), event);
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, expected) in [
            ("<$.a", "a '<' has no '>'"),
            ("<aws.pipes.nothing>", "there is no variable 'aws.pipes.nothing'"),
            ("<$.a[>", "is not a path"),
        ] {
            let why = Template::parse(text).expect_err(text).to_string();
            assert!(why.contains(expected), "{why}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[<>$.a-z\"{}\\\\ :]{0,60}", body in ".{0,20}") {
            if let Ok(template) = Template::parse(&text) {
                template.fill(&json!({ "body": body }), &KNOWN);
            }
        }

        #[test]
        fn values_stay_whole_inside_and_outside_of_texts(value in ".{0,40}") {
            let template = Template::parse(r#"{"a": <$.v>, "b": "<$.v>"}"#).expect("it is one");
            let filled = template.fill(&json!({ "v": &value }), &KNOWN);
            prop_assert_eq!(filled, json!({ "a": &value, "b": &value }));
        }
    }
}
