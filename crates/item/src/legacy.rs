//! The parameters that came before expressions: `Expected`, `AttributeUpdates`, `KeyConditions`, `QueryFilter`, `ScanFilter`,
//! `ConditionalOperator` and `AttributesToGet`. They become what expressions become, so that there is one way of asking and changing.

use std::collections::BTreeMap;

use crate::expression::syntax::{Action, Call, Change, Comparator, Function, Name, Node, Operand, Path, Words};
use crate::expression::{
    Clause, Condition, Dialect, Invalid, KeyFault, KeyTest, KeyTests, LegacyFault, Projection, Update,
};
use crate::{Kind, Value, key};

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// One of several.
    In,
    /// Less or equal.
    Le,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// From one value to another.
    Between,
    /// There.
    NotNull,
    /// Not there.
    Null,
    /// Has a part or a member.
    Contains,
    /// Has it not.
    NotContains,
    /// Begins so.
    BeginsWith,
}

impl Operator {
    /// All of them, in the order in which the model names them.
    pub const ALL: [Self; 13] = [
        Self::Eq,
        Self::Ne,
        Self::In,
        Self::Le,
        Self::Lt,
        Self::Ge,
        Self::Gt,
        Self::Between,
        Self::NotNull,
        Self::Null,
        Self::Contains,
        Self::NotContains,
        Self::BeginsWith,
    ];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == name)
    }

    /// As AWS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "EQ",
            Self::Ne => "NE",
            Self::In => "IN",
            Self::Le => "LE",
            Self::Lt => "LT",
            Self::Ge => "GE",
            Self::Gt => "GT",
            Self::Between => "BETWEEN",
            Self::NotNull => "NOT_NULL",
            Self::Null => "NULL",
            Self::Contains => "CONTAINS",
            Self::NotContains => "NOT_CONTAINS",
            Self::BeginsWith => "BEGINS_WITH",
        }
    }

    /// How many values it compares with.
    fn takes(self, count: usize) -> bool {
        match self {
            Self::Null | Self::NotNull => count == 0,
            Self::In => count > 0,
            Self::Between => count == 2,
            Self::Eq
            | Self::Ne
            | Self::Le
            | Self::Lt
            | Self::Ge
            | Self::Gt
            | Self::Contains
            | Self::NotContains
            | Self::BeginsWith => count == 1,
        }
    }

    fn compares(self, kind: Kind) -> bool {
        match self {
            Self::Eq | Self::Ne | Self::Null | Self::NotNull => true,
            Self::BeginsWith => matches!(kind, Kind::S | Kind::B),
            Self::In
            | Self::Le
            | Self::Lt
            | Self::Ge
            | Self::Gt
            | Self::Between
            | Self::Contains
            | Self::NotContains => kind.is_ordered(),
        }
    }
}

/// `ConditionalOperator`: whether all conditions must hold, or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// All.
    #[default]
    And,
    /// One.
    Or,
}

/// A condition of `QueryFilter`, `ScanFilter` or `KeyConditions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How.
    pub operator: Operator,
    /// With what.
    pub values: Vec<Value>,
}

/// An entry of `Expected`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// `Exists`
    pub exists: Option<bool>,
    /// `Value`
    pub value: Option<Value>,
    /// `ComparisonOperator`
    pub operator: Option<Operator>,
    /// `AttributeValueList`
    pub values: Option<Vec<Value>>,
}

/// What `AttributeUpdates` does with an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionKind {
    /// Puts a value.
    #[default]
    Put,
    /// Adds to a number, a set or a list.
    Add,
    /// Removes the attribute, or members of a set.
    Delete,
}

/// An entry of `AttributeUpdates`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeUpdate {
    /// What.
    pub action: ActionKind,
    /// With what.
    pub value: Option<Value>,
}

/// Refuses parameters of both worlds in one request. Each parameter comes with whether it is there, in the order in which DynamoDB
/// names them; placeholders are not among them.
pub fn check_worlds(expressions: &[(&'static str, bool)], legacy: &[(&'static str, bool)]) -> Result<(), Invalid> {
    let there = |parameters: &[(&'static str, bool)]| -> Vec<&'static str> {
        parameters.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect()
    };
    let (expressions, legacy) = (there(expressions), there(legacy));
    if expressions.is_empty() || legacy.is_empty() {
        return Ok(());
    }
    Err(Invalid::BothWorlds { legacy: legacy.join(", "), expressions: expressions.join(", ") })
}

/// `Expected` as a condition.
pub fn expected(conditions: BTreeMap<String, Expected>, join: Option<Join>) -> Result<Condition, Invalid> {
    check_join(conditions.len(), join)?;
    let mut maker = Maker::default();
    let mut nodes = Vec::with_capacity(conditions.len());
    for (name, condition) in conditions {
        let comparison = comparison(&name, condition)?;
        check(&comparison)?;
        nodes.push(maker.node(name, comparison));
    }
    Ok(maker.condition(Clause::Condition, nodes, join))
}

/// `QueryFilter` or `ScanFilter` as a filter.
pub fn filter(conditions: BTreeMap<String, Comparison>, join: Option<Join>) -> Result<Condition, Invalid> {
    check_join(conditions.len(), join)?;
    let mut maker = Maker::default();
    let mut nodes = Vec::with_capacity(conditions.len());
    for (name, comparison) in conditions {
        check(&comparison)?;
        nodes.push(maker.node(name, comparison));
    }
    Ok(maker.condition(Clause::Filter, nodes, join))
}

/// `KeyConditions` as what they ask of attributes, for a key that is not known yet.
pub fn key_conditions(conditions: BTreeMap<String, Comparison>) -> Result<KeyTests, Invalid> {
    conditions.values().try_for_each(check)?;
    let tests = conditions.into_iter().map(|(name, comparison)| Ok((name, key_test(comparison)?)));
    tests.collect::<Result<_, Invalid>>().map(KeyTests)
}

/// `AttributeUpdates` as an update.
pub fn updates(updates: BTreeMap<String, AttributeUpdate>) -> Result<Update, Invalid> {
    let (mut actions, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (name, update) in updates {
        let path = Path { head: names.len(), steps: Vec::new() };
        names.push(name.into_boxed_str());
        let value = values.len();
        let change = match (update.action, &update.value) {
            (ActionKind::Delete, None) => Change::Remove,
            (ActionKind::Put | ActionKind::Add, None) => return Err(Invalid::Legacy(LegacyFault::ValueNeeded)),
            (ActionKind::Put, Some(_)) => Change::Set(Operand::Value(value)),
            (ActionKind::Add, Some(added)) => match added.kind() {
                Kind::N | Kind::Ss | Kind::Ns | Kind::Bs | Kind::L => Change::Add(value),
                kind @ (Kind::S | Kind::B | Kind::Bool | Kind::Null | Kind::M) => {
                    return Err(Invalid::Legacy(LegacyFault::AddType(kind)));
                }
            },
            (ActionKind::Delete, Some(deleted)) => match deleted.kind() {
                Kind::Ss | Kind::Ns | Kind::Bs => Change::Delete(value),
                kind @ (Kind::S | Kind::N | Kind::B | Kind::Bool | Kind::Null | Kind::M | Kind::L) => {
                    return Err(Invalid::Legacy(LegacyFault::DeleteType(kind)));
                }
            },
        };
        values.extend(update.value);
        actions.push(Action { path, change });
    }
    Ok(Update::made(actions, names, values, Dialect::Legacy))
}

/// `AttributesToGet` as a projection.
pub fn attributes_to_get(names: &[String]) -> Result<Projection, Invalid> {
    let twice = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    match twice {
        Some((_, name)) => Err(Invalid::Legacy(LegacyFault::AttributeTwice(name.clone()))),
        None => Ok(Projection::attributes(names.iter().map(String::as_str))),
    }
}

/// Refuses an operator between conditions where there are not several.
pub fn check_join(conditions: usize, join: Option<Join>) -> Result<(), Invalid> {
    match (join, conditions) {
        (None, _) => Ok(()),
        (Some(_), 0) => Err(Invalid::OperatorAlone),
        (Some(_), 1) => Err(Invalid::OperatorForOne),
        (Some(_), _) => Ok(()),
    }
}

/// What an entry of `Expected` compares.
fn comparison(attribute: &str, expected: Expected) -> Result<Comparison, Invalid> {
    let attribute = || attribute.to_owned();
    let refused = |fault| Err(Invalid::Legacy(fault));
    let Expected { exists, value, operator, values } = expected;
    if value.is_some() && values.is_some() {
        return refused(LegacyFault::ValueAndList(attribute()));
    }
    match (operator, exists) {
        (Some(_), Some(_)) => refused(LegacyFault::ExistsAndOperator(attribute())),
        (Some(operator), None) => {
            let needs_none = matches!(operator, Operator::Null | Operator::NotNull);
            if !needs_none && value.is_none() && values.is_none() {
                return refused(LegacyFault::NoValue { operator: operator.as_str(), attribute: attribute() });
            }
            Ok(Comparison { operator, values: values.unwrap_or_else(|| value.into_iter().collect()) })
        }
        (None, _) if values.is_some() => refused(LegacyFault::ListWithoutOperator(attribute())),
        (None, Some(false)) => match value {
            None => Ok(Comparison { operator: Operator::Null, values: Vec::new() }),
            Some(_) => refused(LegacyFault::ValueOfNothing(attribute())),
        },
        (None, exists @ (None | Some(true))) => match value {
            Some(value) => Ok(Comparison { operator: Operator::Eq, values: vec![value] }),
            None => {
                let exists = if exists.is_none() { "null" } else { "true" };
                refused(LegacyFault::ValueMissing { exists, attribute: attribute() })
            }
        },
    }
}

fn check(comparison: &Comparison) -> Result<(), Invalid> {
    let Comparison { operator, values } = comparison;
    let refused = |fault| Err(Invalid::Legacy(fault));
    if !operator.takes(values.len()) {
        return refused(LegacyFault::Arguments(operator.as_str()));
    }
    if values.windows(2).any(|pair| pair[0].kind() != pair[1].kind()) {
        return refused(LegacyFault::MixedTypes);
    }
    if let Some(value) = values.iter().find(|value| !operator.compares(value.kind())) {
        return refused(LegacyFault::OperatorType { operator: operator.as_str(), kind: value.kind() });
    }
    let keys: Vec<_> = values.iter().filter_map(key::encode).collect();
    match (operator, &keys[..]) {
        (Operator::Between, [low, high]) if **low > **high => Err(Invalid::LegacyBounds),
        _ => Ok(()),
    }
}

fn key_test(comparison: Comparison) -> Result<KeyTest, Invalid> {
    let mut values = comparison.values.into_iter();
    let (first, second) = (values.next(), values.next());
    let test = match comparison.operator {
        Operator::Eq => first.map(KeyTest::Equal),
        Operator::Lt => first.map(KeyTest::Less),
        Operator::Le => first.map(KeyTest::LessOrEqual),
        Operator::Gt => first.map(KeyTest::Greater),
        Operator::Ge => first.map(KeyTest::GreaterOrEqual),
        Operator::BeginsWith => first.map(KeyTest::BeginsWith),
        Operator::Between => first.zip(second).map(|(low, high)| KeyTest::Between(low, high)),
        Operator::Ne
        | Operator::In
        | Operator::Null
        | Operator::NotNull
        | Operator::Contains
        | Operator::NotContains => None,
    };
    test.ok_or(Invalid::Key(KeyFault::NotIndexable))
}

/// Makes a condition out of pieces that are not text.
#[derive(Default)]
struct Maker {
    words: Words,
    names: Vec<Box<str>>,
    values: Vec<Value>,
}

impl Maker {
    fn node(&mut self, attribute: String, comparison: Comparison) -> Node {
        let path = self.path(attribute);
        let mut operands: Vec<Operand> = comparison.values.into_iter().map(|value| self.value(value)).collect();
        // The values were counted; what is missing would be a bug, and is told as an attribute that is not there.
        let mut next = || if operands.is_empty() { None } else { Some(operands.remove(0)) };
        let call = |function, operands| Node::Call(Call { function, operands });
        let compare = |comparator, value: Option<Operand>| match value {
            Some(value) => Node::Compare(comparator, path.clone(), value),
            None => call(Function::AttributeNotExists, vec![path.clone()]),
        };
        match comparison.operator {
            Operator::Eq => compare(Comparator::Equal, next()),
            Operator::Ne => compare(Comparator::Unequal, next()),
            Operator::Lt => compare(Comparator::Less, next()),
            Operator::Le => compare(Comparator::LessOrEqual, next()),
            Operator::Gt => compare(Comparator::Greater, next()),
            Operator::Ge => compare(Comparator::GreaterOrEqual, next()),
            Operator::Null => call(Function::AttributeNotExists, vec![path]),
            Operator::NotNull => call(Function::AttributeExists, vec![path]),
            Operator::In => Node::In(path, operands),
            Operator::Between => match (next(), next()) {
                (Some(low), Some(high)) => Node::Between(path, low, high),
                _ => call(Function::AttributeNotExists, vec![path]),
            },
            Operator::Contains => call(Function::Contains, std::iter::once(path).chain(operands).collect()),
            Operator::BeginsWith => call(Function::BeginsWith, std::iter::once(path).chain(operands).collect()),
            Operator::NotContains => {
                Node::Not(Box::new(call(Function::Contains, std::iter::once(path).chain(operands).collect())))
            }
        }
    }

    fn condition(self, clause: Clause, mut nodes: Vec<Node>, join: Option<Join>) -> Condition {
        let node = match (nodes.len(), join.unwrap_or_default()) {
            (1, _) => nodes.swap_remove(0),
            // None of nothing is false, so nothing asked always holds.
            (_, Join::And) => Node::And(nodes),
            (_, Join::Or) => Node::Or(nodes),
        };
        Condition::made(clause, self.words, node, self.names, &self.values)
    }

    fn path(&mut self, attribute: String) -> Operand {
        self.words.names.push(Name::Literal(attribute.as_str().into()));
        self.names.push(attribute.into_boxed_str());
        Operand::Path(Path { head: self.names.len() - 1, steps: Vec::new() })
    }

    fn value(&mut self, value: Value) -> Operand {
        self.words.values.push(format!(":{}", self.values.len()).into());
        self.values.push(value);
        Operand::Value(self.values.len() - 1)
    }
}
