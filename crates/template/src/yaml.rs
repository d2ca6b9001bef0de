//! Reading YAML as CloudFormation does: short functions (`!Ref x`) become long ones, no key twice, bounded depth and size, scalars
//! that a number would change stay text. Aliases are replaced by what they stand for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::Number;

use crate::limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX};
use crate::{Entry, Error, Node, Problem, Value};

/// Reads one YAML document.
pub fn read(text: &str) -> Result<Node, Error> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), read: Amount::default() };
    reader.document()
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    anchors: HashMap<usize, Anchored>,
    read: Amount,
}

/// How much was read, aliases counted as what they stand for.
#[derive(Clone, Copy, Default)]
struct Amount {
    nodes: usize,
    /// Of texts and keys.
    bytes: usize,
}

/// What an alias stands for, how much that is, and how deep its nodes lie in each other.
#[derive(Clone)]
struct Anchored {
    node: Node,
    amount: Amount,
    height: usize,
}

type TagOf<'input> = Option<Cow<'input, Tag>>;

impl<'input> Reader<'input> {
    fn document(&mut self) -> Result<Node, Error> {
        let mut node = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return node.ok_or_else(|| Problem::Unsupported.nowhere()),
                event if node.is_none() => node = Some(self.node(event, span, 0)?),
                _ => return Err(malformed(span, "a template is one document, and a second one begins here")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'input>, Span), Error> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(scan_error(&error)),
            None => Err(Problem::Unsupported.nowhere()),
        }
    }

    /// One value. Trees stay within twice [`DEPTH_MAX`], as each tag adds one level.
    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, Error> {
        if depth > DEPTH_MAX {
            return Err(malformed(span, &format!("nested deeper than {DEPTH_MAX} levels")));
        }
        let first = self.read;
        self.count(Amount { nodes: 1, bytes: 0 }, span)?;
        let line = line_of(span);
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(Amount { nodes: 0, bytes: text.len() }, span)?;
                (anchor, scalar(line, &text, style, tag.as_deref(), span)?)
            }
            Event::SequenceStart(anchor, tag) => {
                let list = Node::list(line, self.items(depth)?);
                (anchor, tagged(list, tag, span)?)
            }
            Event::MappingStart(anchor, tag) => {
                let map = Node::new(line, Value::Map(self.entries(depth)?));
                (anchor, tagged(map, tag, span)?)
            }
            Event::Alias(anchor) => {
                let Some(Anchored { amount, height, .. }) = self.anchors.get(&anchor) else {
                    return Err(malformed(span, "this alias has no anchor yet"));
                };
                if depth + height > DEPTH_MAX {
                    return Err(malformed(span, &format!("nested deeper than {DEPTH_MAX} levels")));
                }
                let amount = *amount;
                self.count(amount, span)?;
                return Ok(self.anchors[&anchor].node.clone());
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(malformed(span, "a value is missing here")),
        };
        if anchor > 0 {
            let amount = Amount { nodes: self.read.nodes - first.nodes, bytes: self.read.bytes - first.bytes };
            // The copy for later takes memory too.
            self.count(amount, span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), amount, height: node.height() });
        }
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Error> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, _, _, None) => text.into_owned(),
                Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                    return Err(malformed(span, "a key must be plain text"));
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::SequenceEnd => return Err(malformed(span, "a key is missing here")),
            };
            if key == "<<" {
                return Err(malformed(span, "merging maps with '<<' is not supported in templates"));
            }
            if !seen.insert(key.clone()) {
                return Err(malformed(span, &format!("the key '{key}' is there twice")));
            }
            self.count(Amount { nodes: 0, bytes: key.len() }, span)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            entries.push(Entry { key, line: line_of(span), value });
        }
    }

    fn count(&mut self, more: Amount, span: Span) -> Result<(), Error> {
        self.read.nodes = self.read.nodes.saturating_add(more.nodes);
        self.read.bytes = self.read.bytes.saturating_add(more.bytes);
        for (count, what, count_max) in
            [(self.read.nodes, "values", NODES_MAX), (self.read.bytes, "bytes", EXPANDED_BYTES_MAX)]
        {
            if count > count_max {
                let reason = format!("more than {count_max} {what}, aliases counted as what they stand for");
                return Err(malformed(span, &reason));
            }
        }
        Ok(())
    }
}

fn scalar(line: u32, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node, Error> {
    let plain = match style {
        ScalarStyle::Plain => plain(text),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => {
            Value::Text(text.to_owned())
        }
    };
    match tag {
        None => Ok(Node::new(line, plain)),
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "str" => Ok(Node::text(line, text)),
            "int" | "float" | "bool" | "null" => Ok(Node::new(line, plain)),
            _ => Err(unknown_tag(tag, span)),
        },
        // An argument of a function is text, whatever it looks like: `!Sub 0777`. Only a condition's value may be anything.
        Some(tag) => function(line, tag, Node::text(line, text), span),
    }
}

/// A plain scalar as the core schema reads it, unless that would change how it prints: `0777`, `1.10`, `000000000123`, `1e3` and
/// `0x1F` stay text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number: Option<Number> = match (text.parse::<i64>(), text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(number), _, _) => Some(number.into()),
        (_, Ok(number), _) => Some(number.into()),
        (_, _, Ok(number)) => Number::from_f64(number),
        (Err(_), Err(_), Err(_)) => None,
    };
    match number {
        Some(number) if number.to_string() == text => Value::Number(number),
        Some(_) | None => Value::Text(text.to_owned()),
    }
}

fn tagged(node: Node, tag: TagOf<'_>, span: Span) -> Result<Node, Error> {
    match tag.as_deref() {
        None => Ok(node),
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "map" | "seq" => Ok(node),
            _ => Err(unknown_tag(tag, span)),
        },
        Some(tag) => function(node.line, tag, node, span),
    }
}

/// `!Name argument` as `{"Fn::Name": argument}`; `Ref` and `Condition` stand alone.
fn function(line: u32, tag: &Tag, argument: Node, span: Span) -> Result<Node, Error> {
    let name = tag.suffix.as_str();
    if tag.handle != "!" || name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':') {
        return Err(unknown_tag(tag, span));
    }
    match name {
        "Ref" | "Condition" => Ok(Node::single(line, name, argument)),
        "GetAtt" => Ok(Node::single(line, "Fn::GetAtt", dotted(argument))),
        _ if crate::functions::SUPPORTED.contains(&format!("Fn::{name}").as_str()) => {
            Ok(Node::single(line, format!("Fn::{name}"), argument))
        }
        _ => Err(unknown_tag(tag, span)),
    }
}

/// `Resource.Attribute.Part` as `[Resource, Attribute.Part]`.
pub(crate) fn dotted(argument: Node) -> Node {
    match argument.as_text().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => {
            let line = argument.line;
            Node::list(line, vec![Node::text(line, resource), Node::text(line, attribute)])
        }
        None => argument,
    }
}

fn unknown_tag(tag: &Tag, span: Span) -> Error {
    malformed(span, &format!("the tag '{tag}' is not a function that templates have"))
}

fn line_of(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(0)
}

fn malformed(span: Span, reason: &str) -> Error {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    Problem::NotWellFormed { format: "YAML", line, column, reason: reason.to_owned() }.nowhere()
}

fn scan_error(error: &ScanError) -> Error {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    Problem::NotWellFormed { format: "YAML", line, column, reason: error.info().to_owned() }.nowhere()
}
