//! Conditions: what an item must be like.

use std::fmt;
use std::sync::Arc;

use super::bind::Binder;
use super::fault::{Clause, Invalid};
use super::syntax::{Call, Node, Operand, Path, Printed, Words};
use super::{Placeholders, parser};
use crate::packed::{self, Damaged, Packed, View};
use crate::{Kind, Value};

/// The text of a condition, a filter or a key condition, once it is read. It holds no value and may be kept by its text and clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCondition(Arc<Parsed>);

#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    clause: Clause,
    words: Words,
    node: Node,
}

impl ParsedCondition {
    /// Reads a text, with the faults that it alone shows.
    pub fn parse(clause: Clause, text: &str) -> Result<Self, Invalid> {
        let (words, node) = parser::condition(clause, text)?;
        Ok(Self(Arc::new(Parsed { clause, words, node })))
    }

    /// The condition with a request's names and values.
    pub fn bind(&self, placeholders: &mut Placeholders) -> Result<Condition, Invalid> {
        let Parsed { clause, words, node } = &*self.0;
        let mut binder = Binder::new(words, placeholders);
        binder.node(node).map_err(|why| why.of(*clause))?;
        let (names, values) = binder.finish();
        Ok(Condition(Arc::new(Bound { parsed: Arc::clone(&self.0), names, values: Values::pack(&values) })))
    }
}

/// A text that reads as the same condition.
impl fmt::Display for ParsedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printed(&self.0.words, &self.0.node).fmt(f)
    }
}

/// A condition that can be asked of items.
#[derive(Clone, Debug)]
pub struct Condition(pub(crate) Arc<Bound>);

/// What a condition is made of: the tree, and what its words mean.
#[derive(Debug)]
pub(crate) struct Bound {
    parsed: Arc<Parsed>,
    pub(super) names: Vec<Box<str>>,
    pub(super) values: Values,
}

impl Condition {
    /// Whether it holds for an item, or for there being none.
    pub fn holds(&self, item: Option<Packed<'_>>) -> Result<bool, Damaged> {
        super::evaluate::holds(&self.0, self.0.node(), item)
    }

    /// Refuses a filter that looks at the key, of which the key condition speaks. `parameter` is what the filter came in.
    pub fn check_filter(&self, keys: &[&str], parameter: &'static str) -> Result<(), Invalid> {
        let heads = self.attributes();
        match keys.iter().find(|key| heads.contains(key)) {
            Some(key) => Err(Invalid::FilterOnKey { parameter, attribute: (*key).to_owned() }),
            None => Ok(()),
        }
    }

    /// Refuses paths that look into attributes of keys.
    pub fn check_key_paths(&self, keys: &KeyNames<'_>) -> Result<(), Invalid> {
        self.0.each_path(&mut |path| keys.check(&self.0.names, path))
    }

    /// The attributes that it looks at, some perhaps twice.
    pub fn attributes(&self) -> Vec<&str> {
        let mut heads = Vec::new();
        let _ = self.0.each_path::<()>(&mut |path| {
            heads.push(&*self.0.names[path.head]);
            Ok(())
        });
        heads
    }

    /// A condition that was not read from a text.
    pub(crate) fn made(clause: Clause, words: Words, node: Node, names: Vec<Box<str>>, values: &[Value]) -> Self {
        let parsed = Arc::new(Parsed { clause, words, node });
        Self(Arc::new(Bound { parsed, names, values: Values::pack(values) }))
    }
}

/// The attributes that keys of a table are made of. They hold no maps and no lists, so no path leads into them.
#[derive(Clone, Debug, Default)]
pub struct KeyNames<'a> {
    /// Those of the table's own key.
    pub table: Vec<&'a str>,
    /// Those of its indexes' keys.
    pub indexes: Vec<&'a str>,
}

impl KeyNames<'_> {
    /// Refuses a path into one of them.
    pub(super) fn check(&self, names: &[Box<str>], path: &Path) -> Result<(), Invalid> {
        let head = &*names[path.head];
        if path.steps.is_empty() { Ok(()) } else { self.check_head(head) }
    }

    /// Refuses one of them as the head of a path that leads further.
    pub(super) fn check_head(&self, head: &str) -> Result<(), Invalid> {
        if self.table.contains(&head) {
            return Err(Invalid::InsideKey(head.to_owned()));
        }
        if self.indexes.contains(&head) {
            return Err(Invalid::InsideIndexKey(head.to_owned()));
        }
        Ok(())
    }
}

impl Bound {
    pub(super) fn node(&self) -> &Node {
        &self.parsed.node
    }

    pub(super) fn clause(&self) -> Clause {
        self.parsed.clause
    }

    /// Every path of the condition, from left to right, until one is refused.
    fn each_path<'a, E>(&'a self, take: &mut dyn FnMut(&'a Path) -> Result<(), E>) -> Result<(), E> {
        node_paths(self.node(), take)
    }
}

fn node_paths<'a, E>(node: &'a Node, take: &mut dyn FnMut(&'a Path) -> Result<(), E>) -> Result<(), E> {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().try_for_each(|node| node_paths(node, take)),
        Node::Not(node) => node_paths(node, take),
        Node::Compare(_, left, right) => [left, right].into_iter().try_for_each(|operand| operand_paths(operand, take)),
        Node::Between(value, low, high) => {
            [value, low, high].into_iter().try_for_each(|operand| operand_paths(operand, take))
        }
        Node::In(value, list) => {
            operand_paths(value, take)?;
            list.iter().try_for_each(|operand| operand_paths(operand, take))
        }
        Node::Call(call) => call_paths(call, take),
    }
}

fn call_paths<'a, E>(call: &'a Call, take: &mut dyn FnMut(&'a Path) -> Result<(), E>) -> Result<(), E> {
    call.operands.iter().try_for_each(|operand| operand_paths(operand, take))
}

/// Every path of an operand.
pub(super) fn operand_paths<'a, E>(
    operand: &'a Operand,
    take: &mut dyn FnMut(&'a Path) -> Result<(), E>,
) -> Result<(), E> {
    match operand {
        Operand::Path(path) => take(path),
        Operand::Value(_) => Ok(()),
        Operand::Call(call) => call_paths(call, take),
        Operand::Sum(sum) => {
            operand_paths(&sum.left, take)?;
            operand_paths(&sum.right, take)
        }
    }
}

/// A request's values, packed as items are, so that they are compared as bytes.
#[derive(Debug)]
pub(super) struct Values {
    bytes: Vec<u8>,
    /// The type of each, and where what is compared begins and ends.
    places: Vec<(Kind, usize, usize)>,
}

impl Values {
    fn pack(values: &[Value]) -> Self {
        let (mut bytes, mut places) = (Vec::new(), Vec::with_capacity(values.len()));
        for value in values {
            let start = bytes.len();
            packed::pack_value(value, &mut bytes);
            let (view, _) = View::read(&bytes[start..]).expect("what was just packed is readable");
            places.push((value.kind(), bytes.len() - view.bytes().len(), bytes.len()));
        }
        Self { bytes, places }
    }

    pub(super) fn view(&self, place: usize) -> View<'_> {
        let (kind, start, end) = self.places[place];
        View::trusted(kind, &self.bytes[start..end])
    }
}
