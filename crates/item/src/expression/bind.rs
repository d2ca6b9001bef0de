//! A form meets a request: its placeholders become names and values, and what could only be seen with them is checked, from left to
//! right as the text stands (in updates from the last action to the first, as DynamoDB does).

use std::collections::HashSet;

use super::fault::Why;
use super::syntax::{Action, Call, Change, Comparator, Function, Node, Operand, Path, Step, Words};
use super::{IN_OPERANDS_MAX, Placeholders};
use crate::value::Kind;
use crate::{Value, json, key};

/// The deepest path.
const PATH_LEVELS_MAX: usize = 32;

/// How DynamoDB calls an operand whose type is only known when there is an item.
const ANY_KIND: &str =
    "{SS,M,DECIMAL,DOUBLESET,HDS,N,B,DICT,INTSET,BOOL,HD,BS,INT,DECIMALSET,NULL,FLOAT,FS,S,L,NS,DOUBLE}";

/// The names and values of a form, in its order.
pub(super) struct Binder<'a> {
    words: &'a Words,
    placeholders: &'a mut Placeholders,
    names: Vec<Option<Box<str>>>,
    values: Vec<Option<Value>>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(words: &'a Words, placeholders: &'a mut Placeholders) -> Self {
        let (names, values) = (vec![None; words.names.len()], vec![None; words.values.len()]);
        Self { words, placeholders, names, values }
    }

    /// All names and values. To be called when the whole form was visited.
    pub(super) fn finish(self) -> (Vec<Box<str>>, Vec<Value>) {
        let names = self.names.into_iter().map(|name| name.expect("every name of a form stands in its tree"));
        let values = self.values.into_iter().map(|value| value.expect("every value of a form stands in its tree"));
        (names.collect(), values.collect())
    }

    /// A condition, with all in it.
    pub(super) fn node(&mut self, node: &Node) -> Result<(), Why> {
        match node {
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().try_for_each(|node| self.node(node)),
            Node::Not(node) => self.node(node),
            Node::Compare(comparator, left, right) => self.compare(*comparator, left, right),
            Node::Between(value, low, high) => self.between(value, low, high),
            Node::In(value, list) => {
                self.operand(value)?;
                self.operands(list)?;
                if list.len() > IN_OPERANDS_MAX {
                    return Err(Why::TooManyIn(list.len()));
                }
                self.check_distinct("IN", value, list)
            }
            Node::Call(call) => self.call(call),
        }
    }

    fn compare(&mut self, comparator: Comparator, left: &Operand, right: &Operand) -> Result<(), Why> {
        self.operand(left)?;
        self.operand(right)?;
        self.check_distinct(comparator.as_str(), left, std::slice::from_ref(right))?;
        if comparator.is_ordering() {
            self.check_kind(comparator.as_str(), left, Kind::is_ordered)?;
            self.check_kind(comparator.as_str(), right, Kind::is_ordered)?;
        }
        Ok(())
    }

    fn between(&mut self, value: &Operand, low: &Operand, high: &Operand) -> Result<(), Why> {
        for operand in [value, low, high] {
            self.operand(operand)?;
        }
        self.check_distinct("BETWEEN", value, &[low.clone(), high.clone()])?;
        for operand in [value, low, high] {
            self.check_kind("BETWEEN", operand, Kind::is_ordered)?;
        }
        let (Operand::Value(low), Operand::Value(high)) = (low, high) else { return Ok(()) };
        let (Some(low), Some(high)) = (&self.values[*low], &self.values[*high]) else { return Ok(()) };
        let texts = || (bound(low), bound(high));
        if low.kind() != high.kind() {
            let (low, high) = texts();
            return Err(Why::BoundTypes { low, high });
        }
        if let (Some(low_key), Some(high_key)) = (key::encode(low), key::encode(high))
            && *low_key > *high_key
        {
            let (low, high) = texts();
            return Err(Why::Bounds { low, high });
        }
        Ok(())
    }

    fn operands(&mut self, operands: &[Operand]) -> Result<(), Why> {
        operands.iter().try_for_each(|operand| self.operand(operand))
    }

    fn operand(&mut self, operand: &Operand) -> Result<(), Why> {
        match operand {
            Operand::Path(path) => self.path(path),
            Operand::Value(value) => self.value(*value),
            Operand::Call(call) => self.call(call),
            Operand::Sum(sum) => {
                self.operand(&sum.left)?;
                self.operand(&sum.right)?;
                self.check_kind(sum.sign.as_str(), &sum.left, |kind| kind == Kind::N)?;
                self.check_kind(sum.sign.as_str(), &sum.right, |kind| kind == Kind::N)
            }
        }
    }

    pub(super) fn path(&mut self, path: &Path) -> Result<(), Why> {
        self.path_names(path)?;
        match path.steps.len() + 1 {
            levels if levels > PATH_LEVELS_MAX => Err(Why::PathTooDeep(levels)),
            _ => Ok(()),
        }
    }

    fn value(&mut self, place: usize) -> Result<(), Why> {
        if self.values[place].is_none() {
            self.values[place] = Some(self.placeholders.value(&self.words.values[place])?.clone());
        }
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Result<(), Why> {
        let (function, operands) = (call.function, &call.operands[..]);
        let name = function.as_str();
        if operands.len() != function.operands() {
            return Err(Why::Operands { function: name, operands: operands.len() });
        }
        self.operands(operands)?;
        let (first, rest) = operands.split_first().expect("every function has an operand, as was just counted");
        match function {
            Function::AttributeExists | Function::AttributeNotExists => check_path(name, first),
            Function::IfNotExists => {
                check_path(name, first)?;
                self.check_distinct(name, first, rest)
            }
            Function::AttributeType => {
                check_path(name, first)?;
                self.check_distinct(name, first, rest)?;
                rest.iter().try_for_each(|operand| self.check_type_name(name, operand))
            }
            Function::BeginsWith => {
                self.check_distinct(name, first, rest)?;
                let is_text = |kind| matches!(kind, Kind::S | Kind::B);
                operands.iter().try_for_each(|operand| self.check_kind(name, operand, is_text))
            }
            Function::Contains => self.check_distinct(name, first, rest),
            Function::Size => {
                let has_size = |kind| !matches!(kind, Kind::N | Kind::Bool | Kind::Null);
                self.check_kind(name, first, has_size)
            }
            Function::ListAppend => {
                operands.iter().try_for_each(|operand| self.check_kind(name, operand, |kind| kind == Kind::L))
            }
        }
    }

    fn check_type_name(&self, operator: &'static str, operand: &Operand) -> Result<(), Why> {
        match operand {
            Operand::Value(value) => match &self.values[*value] {
                Some(Value::S(name)) if Kind::from_name(name).is_some() => Ok(()),
                Some(Value::S(name)) => Err(Why::NoType(name.clone())),
                Some(other) => Err(Why::kind(operator, other.kind())),
                None => Ok(()),
            },
            Operand::Call(_) | Operand::Sum(_) => Err(Why::kind(operator, Kind::N)),
            Operand::Path(_) => Err(Why::Type { operator, kind: ANY_KIND.to_owned() }),
        }
    }

    /// Refuses an operand whose type is known and wrong.
    fn check_kind(&self, operator: &'static str, operand: &Operand, wanted: impl Fn(Kind) -> bool) -> Result<(), Why> {
        match self.kind(operand) {
            Some(kind) if !wanted(kind) => Err(Why::kind(operator, kind)),
            _ => Ok(()),
        }
    }

    /// The type that an operand has whatever the item.
    fn kind(&self, operand: &Operand) -> Option<Kind> {
        match operand {
            Operand::Value(value) => self.values[*value].as_ref().map(Value::kind),
            Operand::Call(call) if call.function == Function::Size => Some(Kind::N),
            Operand::Call(_) | Operand::Path(_) | Operand::Sum(_) => None,
        }
    }

    fn check_distinct(&self, operator: &'static str, first: &Operand, rest: &[Operand]) -> Result<(), Why> {
        let Operand::Path(path) = first else { return Ok(()) };
        let parts = self.parts(path);
        let same = |operand: &Operand| matches!(operand, Operand::Path(other) if self.parts(other) == parts);
        if rest.iter().any(same) {
            return Err(Why::NotDistinct { operator, path: listed(&parts) });
        }
        Ok(())
    }

    /// What a path says, in the words of faults. Its names must be known.
    pub(super) fn parts(&self, path: &Path) -> Vec<String> {
        let name = |place: usize| self.names[place].as_deref().unwrap_or_default().to_owned();
        let steps = path.steps.iter().map(|step| match step {
            Step::Name(place) => name(*place),
            Step::Index(index) => format!("[{index}]"),
        });
        std::iter::once(name(path.head)).chain(steps).collect()
    }

    // Updates.

    /// The names of an action, of its value first as DynamoDB does not: the place comes first.
    pub(super) fn action_names(&mut self, action: &Action) -> Result<(), Why> {
        self.path_names(&action.path)?;
        match &action.change {
            Change::Set(operand) => self.operand_names(operand),
            Change::Remove | Change::Add(_) | Change::Delete(_) => Ok(()),
        }
    }

    pub(super) fn path_names(&mut self, path: &Path) -> Result<(), Why> {
        self.name(path.head)?;
        path.steps.iter().try_for_each(|step| match step {
            Step::Name(place) => self.name(*place),
            Step::Index(_) => Ok(()),
        })
    }

    fn name(&mut self, place: usize) -> Result<(), Why> {
        if self.names[place].is_none() {
            self.names[place] = Some(self.placeholders.name(&self.words.names[place])?.into());
        }
        Ok(())
    }

    fn operand_names(&mut self, operand: &Operand) -> Result<(), Why> {
        match operand {
            Operand::Path(path) => self.path_names(path),
            Operand::Value(_) => Ok(()),
            Operand::Call(call) => call.operands.iter().try_for_each(|operand| self.operand_names(operand)),
            Operand::Sum(sum) => {
                self.operand_names(&sum.left)?;
                self.operand_names(&sum.right)
            }
        }
    }

    /// The rest of an action.
    pub(super) fn action(&mut self, action: &Action) -> Result<(), Why> {
        self.path(&action.path)?;
        let section = action.change.section();
        let (value, allowed): (usize, &[Kind]) = match &action.change {
            Change::Set(operand) => return self.operand(operand),
            Change::Remove => return Ok(()),
            Change::Add(value) => (*value, &[Kind::N, Kind::Ss, Kind::Ns, Kind::Bs]),
            Change::Delete(value) => (*value, &[Kind::Ss, Kind::Ns, Kind::Bs]),
        };
        self.value(value)?;
        match self.values[value].as_ref().map(Value::kind) {
            Some(kind) if !allowed.contains(&kind) => Err(Why::SectionType { section, kind: in_words(kind) }),
            _ => Ok(()),
        }
    }
}

fn check_path(operator: &'static str, operand: &Operand) -> Result<(), Why> {
    match operand {
        Operand::Path(_) => Ok(()),
        Operand::Value(_) | Operand::Call(_) | Operand::Sum(_) => Err(Why::NeedsPath(operator)),
    }
}

/// `[a, b, [1]]`
pub(super) fn listed(parts: &[String]) -> String {
    format!("[{}]", parts.join(", "))
}

/// Refuses paths of which one is another, or inside another, or says of a value that it is a list where another says a map.
pub(super) fn check_overlaps(paths: &[Vec<String>]) -> Result<(), Why> {
    // Most expressions name each attribute once, which is quickly seen; only the others are held against each other.
    let mut heads = HashSet::new();
    if paths.iter().all(|path| heads.insert(&path[0])) {
        return Ok(());
    }
    for (place, two) in paths.iter().enumerate() {
        for one in &paths[..place] {
            let differ = one.iter().zip(two).find(|(one, two)| one != two);
            let texts = || (listed(one), listed(two));
            match differ {
                None => {
                    let (one, two) = texts();
                    return Err(Why::Overlap { one, two });
                }
                Some((left, right)) if left.starts_with('[') != right.starts_with('[') => {
                    let (one, two) = texts();
                    return Err(Why::Conflict { one, two });
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// A bound as Java prints it.
fn bound(value: &Value) -> String {
    match value {
        Value::S(text) => format!("{{S:{text}}}"),
        Value::N(number) => format!("{{N:{number}}}"),
        Value::B(bytes) => format!("{{B:java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]}}", bytes.len()),
        other => format!("{{{}:{}}}", other.kind(), json::write(other)),
    }
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::S => "STRING",
        Kind::N => "NUMBER",
        Kind::B => "BINARY",
        Kind::Bool => "BOOLEAN",
        Kind::Null => "NULL",
        Kind::M => "MAP",
        Kind::L => "LIST",
        Kind::Ss => "STRING_SET",
        Kind::Ns => "NUMBER_SET",
        Kind::Bs => "BINARY_SET",
    }
}
