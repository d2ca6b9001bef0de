//! What expressions are once they are read: small trees over tables of names and of placeholders for values.
//!
//! A tree holds no value and no name that a placeholder stands for, so that it can be kept and used by other requests with
//! the same text. It prints as a text that reads as the same tree.

use std::fmt;

/// A name as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Itself.
    Literal(Box<str>),
    /// `#name`
    Placeholder(Box<str>),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Placeholder(text) => text,
        }
    }
}

/// What an expression speaks of; its trees hold places in these tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) names: Vec<Name>,
    /// `:value`
    pub(crate) values: Vec<Box<str>>,
}

/// A place inside an item: an attribute, and steps into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) head: usize,
    pub(crate) steps: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the entry of a map.
    Name(usize),
    /// To the item of a list.
    Index(u32),
}

/// What a condition compares, and what an update sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Path(Path),
    Value(usize),
    Call(Call),
    Sum(Box<Sum>),
}

/// A function and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) operands: Vec<Operand>,
}

/// `a + b` or `a - b`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) sign: Sign,
    pub(crate) left: Operand,
    pub(crate) right: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    AttributeExists,
    AttributeNotExists,
    AttributeType,
    BeginsWith,
    Contains,
    Size,
    IfNotExists,
    ListAppend,
}

/// Where a function may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As a condition.
    Condition,
    /// As an operand of a condition.
    Operand,
    /// In an update.
    Update,
}

impl Function {
    const ALL: [Self; 8] = [
        Self::AttributeExists,
        Self::AttributeNotExists,
        Self::AttributeType,
        Self::BeginsWith,
        Self::Contains,
        Self::Size,
        Self::IfNotExists,
        Self::ListAppend,
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AttributeExists => "attribute_exists",
            Self::AttributeNotExists => "attribute_not_exists",
            Self::AttributeType => "attribute_type",
            Self::BeginsWith => "begins_with",
            Self::Contains => "contains",
            Self::Size => "size",
            Self::IfNotExists => "if_not_exists",
            Self::ListAppend => "list_append",
        }
    }

    pub(crate) fn place(self) -> Place {
        match self {
            Self::AttributeExists
            | Self::AttributeNotExists
            | Self::AttributeType
            | Self::BeginsWith
            | Self::Contains => Place::Condition,
            Self::Size => Place::Operand,
            Self::IfNotExists | Self::ListAppend => Place::Update,
        }
    }

    /// How many operands it has.
    pub(crate) fn operands(self) -> usize {
        match self {
            Self::AttributeExists | Self::AttributeNotExists | Self::Size => 1,
            Self::AttributeType | Self::BeginsWith | Self::Contains | Self::IfNotExists | Self::ListAppend => 2,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it asks for an order, which not all values have.
    pub(crate) fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }

    /// The one that says the same with the operands changed round.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Unequal => Self::Unequal,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// All of them; two at least.
    And(Vec<Node>),
    /// One of them; two at least.
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Call(Call),
}

/// What an update does with a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set(Operand),
    Remove,
    Add(usize),
    Delete(usize),
}

/// One action of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) path: Path,
    pub(crate) change: Change,
}

impl Change {
    /// The section that it stands in.
    pub(crate) fn section(&self) -> &'static str {
        match self {
            Self::Set(_) => "SET",
            Self::Remove => "REMOVE",
            Self::Add(_) => "ADD",
            Self::Delete(_) => "DELETE",
        }
    }
}

/// A tree with the tables that it speaks of, to be printed.
pub(crate) struct Printed<'a, T>(pub(crate) &'a Words, pub(crate) &'a T);

impl fmt::Display for Printed<'_, Path> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(words, path) = self;
        f.write_str(words.names[path.head].as_str())?;
        path.steps.iter().try_for_each(|step| match step {
            Step::Name(name) => write!(f, ".{}", words.names[*name].as_str()),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl fmt::Display for Printed<'_, Operand> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(words, operand) = self;
        match operand {
            Operand::Path(path) => Printed(words, path).fmt(f),
            Operand::Value(value) => f.write_str(&words.values[*value]),
            Operand::Call(call) => Printed(words, call).fmt(f),
            Operand::Sum(sum) => {
                write!(f, "{} {} {}", Printed(words, &sum.left), sum.sign.as_str(), Printed(words, &sum.right))
            }
        }
    }
}

impl fmt::Display for Printed<'_, Call> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(words, call) = self;
        write!(f, "{}(", call.function.as_str())?;
        row(f, words, &call.operands, ", ")?;
        f.write_str(")")
    }
}

impl fmt::Display for Printed<'_, Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(words, node) = self;
        let operand = |operand| Printed(words, operand);
        match node {
            Node::And(nodes) => row(f, words, &nodes.iter().map(Inside).collect::<Vec<_>>(), " AND "),
            Node::Or(nodes) => row(f, words, nodes, " OR "),
            Node::Not(node) => write!(f, "NOT {}", Printed(words, &Inside(node))),
            Node::Compare(comparator, left, right) => {
                write!(f, "{} {} {}", operand(left), comparator.as_str(), operand(right))
            }
            Node::Between(value, low, high) => {
                write!(f, "{} BETWEEN {} AND {}", operand(value), operand(low), operand(high))
            }
            Node::In(value, list) => {
                write!(f, "{} IN (", operand(value))?;
                row(f, words, list, ", ")?;
                f.write_str(")")
            }
            Node::Call(call) => Printed(words, call).fmt(f),
        }
    }
}

/// A condition inside another that binds more tightly than OR.
struct Inside<'a>(&'a Node);

impl fmt::Display for Printed<'_, Inside<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(words, Inside(node)) = self;
        match node {
            Node::And(_) | Node::Or(_) => write!(f, "({})", Printed(words, *node)),
            Node::Not(_) | Node::Compare(..) | Node::Between(..) | Node::In(..) | Node::Call(_) => {
                Printed(words, *node).fmt(f)
            }
        }
    }
}

/// Things with something between each two.
pub(crate) fn row<T>(f: &mut fmt::Formatter<'_>, words: &Words, items: &[T], between: &str) -> fmt::Result
where
    for<'a> Printed<'a, T>: fmt::Display,
{
    for (place, item) in items.iter().enumerate() {
        f.write_str(if place > 0 { between } else { "" })?;
        fmt::Display::fmt(&Printed(words, item), f)?;
    }
    Ok(())
}
