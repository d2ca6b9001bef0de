//! Values that came as text: header values, path labels, query strings, forms and XML all end as a [`Node`], which shapes are
//! then read from.

use std::vec::IntoIter;

use base64::Engine;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::json::BASE64;
use crate::schema::TimestampFormat;
use crate::{Malformed, Member, Payload, Schema, Source, text};

/// A value in textual form, shaped as its schema wants it.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A scalar.
    Text(String),
    /// Bytes as they are.
    Raw(Bytes),
    /// Bytes that are still coming.
    Stream(Payload),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Vec<(String, Node)>),
    /// A structure: members by their place in the schema.
    Structure(Vec<(usize, Node)>),
}

/// Reads shapes from a [`Node`].
pub struct TreeSource {
    next: Node,
    open: Vec<Open>,
}

enum Open {
    List(IntoIter<Node>),
    Map(IntoIter<(String, Node)>),
    Structure(IntoIter<(usize, Node)>),
}

impl TreeSource {
    /// Reads from that node.
    pub fn new(root: Node) -> Self {
        Self { next: root, open: Vec::new() }
    }

    fn take(&mut self) -> Node {
        std::mem::replace(&mut self.next, Node::Text(String::new()))
    }

    fn text(&mut self, wanted: &'static str) -> Result<String, Malformed> {
        match self.take() {
            Node::Text(text) => Ok(text),
            Node::Raw(bytes) => String::from_utf8(bytes.into()).map_err(|_| Malformed::Utf8 { member: wanted }),
            Node::List(_) | Node::Stream(_) => Err(Malformed::UnexpectedList),
            Node::Map(_) | Node::Structure(_) => Err(Malformed::UnexpectedStructure),
        }
    }
}

impl Source for TreeSource {
    fn take_null(&mut self) -> Result<bool, Malformed> {
        Ok(false)
    }

    fn boolean(&mut self, at: &'static Member) -> Result<bool, Malformed> {
        text::parse_boolean(&self.text(at.name)?)
    }

    fn integer(&mut self, at: &'static Member) -> Result<i64, Malformed> {
        text::parse_integer(&self.text(at.name)?)
    }

    fn double(&mut self, at: &'static Member) -> Result<f64, Malformed> {
        text::parse_double(&self.text(at.name)?)
    }

    fn string(&mut self, at: &'static Member) -> Result<String, Malformed> {
        self.text(at.name)
    }

    fn blob(&mut self, at: &'static Member) -> Result<Bytes, Malformed> {
        match self.take() {
            Node::Raw(bytes) => Ok(bytes),
            Node::Text(text) => {
                BASE64.decode(text.trim()).map(Bytes::from).map_err(|_| Malformed::Base64 { member: at.name })
            }
            Node::List(_) | Node::Stream(_) => Err(Malformed::UnexpectedList),
            Node::Map(_) | Node::Structure(_) => Err(Malformed::UnexpectedStructure),
        }
    }

    fn payload(&mut self, at: &'static Member) -> Result<Payload, Malformed> {
        match std::mem::replace(&mut self.next, Node::Text(String::new())) {
            Node::Stream(payload) => Ok(payload),
            other => {
                self.next = other;
                self.blob(at).map(Payload::from)
            }
        }
    }

    fn timestamp(&mut self, at: &'static Member) -> Result<Timestamp, Malformed> {
        text::parse_timestamp(self.text(at.name)?.trim(), at.timestamp_format(TimestampFormat::Iso8601))
    }

    fn document(&mut self, at: &'static Member) -> Result<Value, Malformed> {
        let text = self.text(at.name)?;
        serde_json::from_str(&text).map_err(|_| Malformed::Syntax { at: 0, expected: "JSON" })
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        self.take();
        Ok(())
    }

    fn begin_structure(&mut self, _schema: &'static Schema) -> Result<(), Malformed> {
        let members = match self.take() {
            Node::Structure(members) => members,
            Node::Text(text) if text.trim().is_empty() => Vec::new(),
            Node::List(_) => return Err(Malformed::UnexpectedList),
            Node::Text(_) | Node::Raw(_) | Node::Stream(_) | Node::Map(_) => return Err(Malformed::NoStructure),
        };
        self.open.push(Open::Structure(members.into_iter()));
        Ok(())
    }

    fn next_member(&mut self, _schema: &'static Schema) -> Result<Option<usize>, Malformed> {
        let Some(Open::Structure(members)) = self.open.last_mut() else { return Ok(None) };
        let Some((index, node)) = members.next() else {
            self.open.pop();
            return Ok(None);
        };
        self.next = node;
        Ok(Some(index))
    }

    fn begin_list(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        let items = match self.take() {
            Node::List(items) => items,
            Node::Text(text) if text.trim().is_empty() => Vec::new(),
            Node::Text(_) | Node::Raw(_) | Node::Stream(_) | Node::Map(_) | Node::Structure(_) => {
                return Err(Malformed::NoList);
            }
        };
        self.open.push(Open::List(items.into_iter()));
        Ok(())
    }

    fn next_item(&mut self, _at: &'static Member) -> Result<bool, Malformed> {
        let Some(Open::List(items)) = self.open.last_mut() else { return Ok(false) };
        let Some(node) = items.next() else {
            self.open.pop();
            return Ok(false);
        };
        self.next = node;
        Ok(true)
    }

    fn begin_map(&mut self, _at: &'static Member) -> Result<(), Malformed> {
        let entries = match self.take() {
            Node::Map(entries) => entries,
            Node::Text(text) if text.trim().is_empty() => Vec::new(),
            Node::Text(_) | Node::Raw(_) | Node::Stream(_) | Node::List(_) | Node::Structure(_) => {
                return Err(Malformed::NoMap);
            }
        };
        self.open.push(Open::Map(entries.into_iter()));
        Ok(())
    }

    fn next_key(&mut self, _at: &'static Member) -> Result<Option<String>, Malformed> {
        let Some(Open::Map(entries)) = self.open.last_mut() else { return Ok(None) };
        let Some((key, node)) = entries.next() else {
            self.open.pop();
            return Ok(None);
        };
        self.next = node;
        Ok(Some(key))
    }
}
