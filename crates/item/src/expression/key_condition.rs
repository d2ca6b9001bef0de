//! Key conditions: which items a query reads. A condition that says of the partition what it is, and perhaps of the sort key where it
//! lies.

use super::condition::{Bound, Condition};
use super::fault::{Invalid, KeyFault, Why};
use super::syntax::{Call, Comparator, Function, Node, Operand, Path};
use crate::{Kind, Value};

/// The key of a table or an index.
#[derive(Clone, Copy, Debug)]
pub struct KeySchema<'a> {
    /// The partition's attribute and its type.
    pub hash: (&'a str, Kind),
    /// The sort key's attribute and its type, if there is one.
    pub range: Option<(&'a str, Kind)>,
}

/// Which items a query reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCondition {
    /// The partition.
    pub hash: Value,
    /// What the sort key must be; none for all.
    pub range: Option<KeyTest>,
}

/// Where a sort key must lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTest {
    /// There.
    Equal(Value),
    /// Before it.
    Less(Value),
    /// Before it, or there.
    LessOrEqual(Value),
    /// Behind it.
    Greater(Value),
    /// Behind it, or there.
    GreaterOrEqual(Value),
    /// From the one to the other, both included.
    Between(Value, Value),
    /// Where texts or bytes begin so.
    BeginsWith(Value),
}

impl KeyTest {
    fn values(&self) -> impl Iterator<Item = &Value> {
        let (first, second) = match self {
            Self::Equal(value)
            | Self::Less(value)
            | Self::LessOrEqual(value)
            | Self::Greater(value)
            | Self::GreaterOrEqual(value)
            | Self::BeginsWith(value) => (value, None),
            Self::Between(low, high) => (low, Some(high)),
        };
        std::iter::once(first).chain(second)
    }
}

/// What a key condition asks of each attribute, in the order of the request, before the key is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTests(pub(crate) Vec<(String, KeyTest)>);

impl KeyTests {
    /// Takes a key condition apart, with the faults of one that no key could answer.
    pub fn split(condition: &Condition) -> Result<Self, Invalid> {
        let bound = &*condition.0;
        let mut tests = Vec::new();
        collect(bound, bound.node(), &mut tests)?;
        Ok(Self(tests))
    }

    /// Asked of a key, with the faults of what this key cannot answer.
    pub fn on(self, schema: KeySchema<'_>) -> Result<KeyCondition, Invalid> {
        let Self(tests) = self;
        let attributes = 1 + usize::from(schema.range.is_some());
        if tests.len() > attributes {
            return Err(KeyFault::TooMany { conditions: tests.len(), attributes }.into());
        }
        let mut hash = None;
        let mut range = None;
        let missed = |name: &str| Invalid::from(KeyFault::Missed(name.to_owned()));
        let mut others = false;
        for (name, test) in tests {
            match schema.range {
                _ if name == schema.hash.0 => hash = Some(test),
                Some((sort, _)) if name == sort => range = Some(test),
                _ => others = true,
            }
        }
        let hash = hash.ok_or_else(|| missed(schema.hash.0))?;
        if let (true, Some((sort, _))) = (others, schema.range) {
            return Err(missed(sort));
        }
        let KeyTest::Equal(value) = &hash else { return Err(KeyFault::Unsupported.into()) };
        check_value(schema.hash, value)?;
        if let (Some(test), Some(attribute)) = (&range, schema.range) {
            test.values().try_for_each(|value| check_value(attribute, value))?;
            // Numbers begin with nothing.
            if matches!(test, KeyTest::BeginsWith(_)) && attribute.1 == Kind::N {
                return Err(KeyFault::Type.into());
            }
        }
        Ok(KeyCondition { hash: value.clone(), range })
    }
}

fn check_value((name, kind): (&str, Kind), value: &Value) -> Result<(), Invalid> {
    if value.kind() != kind {
        return Err(KeyFault::Type.into());
    }
    let empty = |what| Err(KeyFault::Empty { what, key: name.to_owned() }.into());
    match value {
        Value::S(text) if text.is_empty() => empty("string"),
        Value::B(bytes) if bytes.is_empty() => empty("binary"),
        _ => Ok(()),
    }
}

/// What a condition asks of each attribute.
fn collect(bound: &Bound, node: &Node, tests: &mut Vec<(String, KeyTest)>) -> Result<(), Invalid> {
    let (name, test) = match node {
        Node::And(nodes) => return nodes.iter().try_for_each(|node| collect(bound, node, tests)),
        Node::Or(_) => return Err(KeyFault::Operator("OR").into()),
        Node::Not(_) => return Err(KeyFault::Operator("NOT").into()),
        Node::In(..) => return Err(KeyFault::Operator("IN").into()),
        Node::Compare(comparator, left, right) => comparison(bound, *comparator, left, right)?,
        Node::Between(value, low, high) => {
            let name = first(bound, "BETWEEN", value)?;
            (name, KeyTest::Between(constant(bound, low)?, constant(bound, high)?))
        }
        Node::Call(Call { function: Function::BeginsWith, operands }) => match &operands[..] {
            [path, prefix] => (first(bound, "begins_with", path)?, KeyTest::BeginsWith(constant(bound, prefix)?)),
            _ => return Err(KeyFault::NoAttribute.into()),
        },
        Node::Call(call) => return Err(KeyFault::Operator(call.function.as_str()).into()),
    };
    if tests.iter().any(|(known, _)| *known == name) {
        return Err(Why::KeyTwice.of(bound.clause()));
    }
    tests.push((name, test));
    Ok(())
}

fn comparison(
    bound: &Bound,
    comparator: Comparator,
    left: &Operand,
    right: &Operand,
) -> Result<(String, KeyTest), Invalid> {
    if comparator == Comparator::Unequal {
        return Err(KeyFault::Operator("<>").into());
    }
    let (path, value, comparator) = match (left, right) {
        (Operand::Call(_) | Operand::Sum(_), _) | (_, Operand::Call(_) | Operand::Sum(_)) => {
            return Err(Why::KeyOperation.of(bound.clause()));
        }
        (Operand::Path(_), Operand::Path(_)) => return Err(KeyFault::ManyAttributes.into()),
        (Operand::Value(_), Operand::Value(_)) => return Err(KeyFault::NoAttribute.into()),
        (Operand::Path(path), value) => (path, value, comparator),
        (value, Operand::Path(path)) => (path, value, comparator.turned()),
    };
    let (name, value) = (attribute(bound, path)?, constant(bound, value)?);
    let test = match comparator {
        // The latter was refused above.
        Comparator::Equal | Comparator::Unequal => KeyTest::Equal(value),
        Comparator::Less => KeyTest::Less(value),
        Comparator::LessOrEqual => KeyTest::LessOrEqual(value),
        Comparator::Greater => KeyTest::Greater(value),
        Comparator::GreaterOrEqual => KeyTest::GreaterOrEqual(value),
    };
    Ok((name, test))
}

/// The attribute that must come first.
fn first(bound: &Bound, operator: &'static str, operand: &Operand) -> Result<String, Invalid> {
    match operand {
        Operand::Path(path) => attribute(bound, path),
        Operand::Call(_) | Operand::Sum(_) => Err(Why::KeyOperation.of(bound.clause())),
        Operand::Value(_) => Err(KeyFault::NotFirst(operator).into()),
    }
}

fn attribute(bound: &Bound, path: &Path) -> Result<String, Invalid> {
    match path.steps.is_empty() {
        true => Ok(bound.names[path.head].to_string()),
        false => Err(Why::KeyNested.of(bound.clause())),
    }
}

fn constant(bound: &Bound, operand: &Operand) -> Result<Value, Invalid> {
    match operand {
        Operand::Value(place) => Ok(bound.values.view(*place).unpack()?),
        Operand::Path(_) => Err(KeyFault::ManyAttributes.into()),
        Operand::Call(_) | Operand::Sum(_) => Err(Why::KeyOperation.of(bound.clause())),
    }
}
