//! Asking a condition of an item. Values are compared as the bytes that they are packed in; nothing is unpacked, nothing allocated.

use std::cmp::Ordering;

use memchr::memmem;

use super::condition::Bound;
use super::syntax::{Call, Comparator, Function, Node, Operand, Path, Step};
use crate::packed::{Damaged, Packed, View};
use crate::{Kind, Number, key};

/// Whether a condition holds for an item, or for there being none.
pub(super) fn holds(bound: &Bound, node: &Node, item: Option<Packed<'_>>) -> Result<bool, Damaged> {
    Asked { bound, item }.node(node)
}

/// What an operand is for one item.
enum Datum<'a> {
    Stored(View<'a>),
    /// How large something is, as the bytes of a number.
    Size(key::NumberBytes),
}

impl Datum<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::Stored(view) => view.kind(),
            Self::Size(_) => Kind::N,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Stored(view) => view.bytes(),
            Self::Size(bytes) => bytes,
        }
    }

    fn is(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.bytes() == other.bytes()
    }

    /// How two values of one type with an order lie; none for all others.
    fn order(&self, other: &Self) -> Option<Ordering> {
        (self.kind() == other.kind() && self.kind().is_ordered()).then(|| self.bytes().cmp(other.bytes()))
    }
}

struct Asked<'a> {
    bound: &'a Bound,
    item: Option<Packed<'a>>,
}

impl<'a> Asked<'a> {
    fn node(&self, node: &'a Node) -> Result<bool, Damaged> {
        match node {
            Node::And(nodes) => {
                for node in nodes {
                    if !self.node(node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Or(nodes) => {
                for node in nodes {
                    if self.node(node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::Not(node) => Ok(!self.node(node)?),
            Node::Compare(comparator, left, right) => {
                Ok(compare(*comparator, self.operand(left)?.as_ref(), self.operand(right)?.as_ref()))
            }
            Node::Between(value, low, high) => {
                let (value, low, high) = (self.operand(value)?, self.operand(low)?, self.operand(high)?);
                Ok(compare(Comparator::GreaterOrEqual, value.as_ref(), low.as_ref())
                    && compare(Comparator::LessOrEqual, value.as_ref(), high.as_ref()))
            }
            Node::In(value, list) => {
                let Some(value) = self.operand(value)? else { return Ok(false) };
                for other in list {
                    if self.operand(other)?.is_some_and(|other| other.is(&value)) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::Call(call) => self.call(call),
        }
    }

    fn call(&self, call: &'a Call) -> Result<bool, Damaged> {
        let mut operands = call.operands.iter();
        let first = operands.next().map_or(Ok(None), |operand| self.operand(operand))?;
        let second = operands.next().map_or(Ok(None), |operand| self.operand(operand))?;
        match call.function {
            Function::AttributeExists => return Ok(first.is_some()),
            Function::AttributeNotExists => return Ok(first.is_none()),
            Function::AttributeType | Function::BeginsWith | Function::Contains => {}
            // No conditions; the parser refuses them here.
            Function::Size | Function::IfNotExists | Function::ListAppend => return Ok(false),
        }
        let (Some(first), Some(second)) = (first, second) else { return Ok(false) };
        match call.function {
            Function::AttributeType => Ok(first.kind().as_str().as_bytes() == second.bytes()),
            Function::BeginsWith => Ok(first.kind() == second.kind()
                && matches!(first.kind(), Kind::S | Kind::B)
                && first.bytes().starts_with(second.bytes())),
            _ => contains(&first, &second),
        }
    }

    fn operand(&self, operand: &'a Operand) -> Result<Option<Datum<'a>>, Damaged> {
        match operand {
            Operand::Path(path) => Ok(self.path(path)?.map(Datum::Stored)),
            Operand::Value(place) => Ok(Some(Datum::Stored(self.bound.values.view(*place)))),
            Operand::Call(call) if call.function == Function::Size => match call.operands.first() {
                Some(of) => self.operand(of)?.map_or(Ok(None), |datum| size(&datum)),
                None => Ok(None),
            },
            // Only updates have them.
            Operand::Call(_) | Operand::Sum(_) => Ok(None),
        }
    }

    fn path(&self, path: &Path) -> Result<Option<View<'a>>, Damaged> {
        let Some(item) = self.item else { return Ok(None) };
        let Some(mut view) = item.get(&self.bound.names[path.head])? else { return Ok(None) };
        for step in &path.steps {
            let inner = match step {
                Step::Name(name) => view.entry(&self.bound.names[*name])?,
                Step::Index(index) => view.item(*index as usize)?,
            };
            let Some(inner) = inner else { return Ok(None) };
            view = inner;
        }
        Ok(Some(view))
    }
}

fn compare(comparator: Comparator, left: Option<&Datum<'_>>, right: Option<&Datum<'_>>) -> bool {
    let is = || matches!((left, right), (Some(left), Some(right)) if left.is(right));
    let order = || left.zip(right).and_then(|(left, right)| left.order(right));
    match comparator {
        Comparator::Equal => is(),
        // Also of what is not there.
        Comparator::Unequal => !is(),
        Comparator::Less => order().is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => order().is_some_and(Ordering::is_le),
        Comparator::Greater => order().is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}

fn contains(whole: &Datum<'_>, part: &Datum<'_>) -> Result<bool, Damaged> {
    let Datum::Stored(view) = whole else { return Ok(false) };
    let member = match view.kind() {
        Kind::S | Kind::B => {
            return Ok(part.kind() == view.kind() && memmem::find(view.bytes(), part.bytes()).is_some());
        }
        Kind::L => {
            for item in view.items()? {
                if Datum::Stored(item?).is(part) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        Kind::Ss => Kind::S,
        Kind::Ns => Kind::N,
        Kind::Bs => Kind::B,
        Kind::N | Kind::Bool | Kind::Null | Kind::M => return Ok(false),
    };
    if part.kind() != member {
        return Ok(false);
    }
    for found in view.members()? {
        if found? == part.bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn size<'a>(datum: &Datum<'_>) -> Result<Option<Datum<'a>>, Damaged> {
    let Datum::Stored(view) = datum else { return Ok(None) };
    let count = match view.kind() {
        Kind::S => Some(text_units(view.bytes())),
        Kind::N | Kind::B | Kind::Bool | Kind::Null | Kind::M | Kind::L | Kind::Ss | Kind::Ns | Kind::Bs => {
            view.count()?
        }
    };
    Ok(count.map(|count| Datum::Size(key::encode_number(Number::from(count as u64)))))
}

/// How long DynamoDB takes a text to be: in units of UTF-16.
fn text_units(utf8: &[u8]) -> usize {
    let starts = utf8.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let pairs = utf8.iter().filter(|byte| **byte >= 0xf0).count();
    starts + pairs
}
