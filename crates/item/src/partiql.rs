//! DynamoDB's PartiQL: statements that say in SQL's words what the other operations say in parameters.
//!
//! A text with its parameters is read into a [`Statement`] ([`read`]), which knows nothing of tables' keys. With them its condition
//! becomes a [`Plan`]: what the key answers, and what is left to be asked of each item, as expressions with placeholders. So a
//! statement does what the ordinary operations do, by their rules.

mod attributes;
mod lexer;
mod parser;
mod plan;

use std::fmt;

use crate::{Item, Refusal, Value};

pub use parser::read;
pub use plan::{Phrases, Plan, Turned};

/// Why a statement is refused. All of them are `ValidationException`s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not the language.
    #[error("Statement wasn't well formed, can't be processed: {0}")]
    Malformed(&'static str),
    /// A table by another name.
    #[error("Aliasing is not supported")]
    Alias,
    /// A name without letters.
    #[error("Path component cannot be an empty string")]
    EmptyName,
    /// More than a table and an index.
    #[error("A path may contain at most 2 components in the FROM clause")]
    LongSource,
    /// A write to an index.
    #[error("This operation is not supported on an index")]
    OnIndex,
    /// A clause of SQL that there is not.
    #[error("Unsupported clause: {0}")]
    Clause(&'static str),
    /// A number that is none of DynamoDB's, and where it stands.
    #[error("{refusal} under root{place}")]
    Number {
        /// Why.
        refusal: Refusal,
        /// `.a[1]`
        place: String,
    },
    /// A set or another value that is none.
    #[error(transparent)]
    Value(#[from] Refusal),
    /// Too few or too many parameters.
    #[error("Number of parameters in request and statement don't match.")]
    Parameters,
    /// A write that does not say which item.
    #[error("Where clause does not contain a mandatory equality on all key attributes")]
    NoKey,
    /// An order of all there is.
    #[error("Must have WHERE clause in the statement when using ORDER BY clause.")]
    OrderOfAll,
    /// An order by what is no key.
    #[error("Attribute {0} in ORDER BY clause must be part of the primary key")]
    OrderByOther(String),
    /// An order without a partition.
    #[error("Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.")]
    OrderWithoutPartition,
    /// An order of several partitions that does not say which is first.
    #[error("Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.")]
    OrderOfPartitions,
    /// What a DELETE cannot answer.
    #[error("Invalid returning clause: RETURNING {0} *. Only RETURNING ALL OLD * is allowed in DELETE statements.")]
    Returning(&'static str),
    /// Nested deeper than any statement needs to be.
    #[error("Statement wasn't well formed, can't be processed: nested deeper than {0} levels")]
    TooDeep(usize),
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Reads items.
    Select(Select),
    /// Whether a read finds an item; a condition of a transaction.
    Exists(Select),
    /// Puts an item that is not there.
    Insert {
        /// Where.
        table: String,
        /// What.
        item: Item,
    },
    /// Changes the item that is there.
    Update {
        /// Where.
        table: String,
        /// What becomes of it.
        changes: Vec<Change>,
        /// Which.
        condition: Test,
        /// What is answered.
        returning: Option<Returning>,
    },
    /// Deletes an item.
    Delete {
        /// Where.
        table: String,
        /// Which.
        condition: Test,
        /// What is answered.
        returning: Option<Returning>,
    },
}

impl Statement {
    /// The table that it speaks of.
    pub fn table(&self) -> &str {
        match self {
            Self::Select(select) | Self::Exists(select) => &select.table,
            Self::Insert { table, .. } | Self::Update { table, .. } | Self::Delete { table, .. } => table,
        }
    }
}

/// A read.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Where.
    pub table: String,
    /// By which index.
    pub index: Option<String>,
    /// What of each item; empty for all of it.
    pub places: Vec<Place>,
    /// Which; none for all.
    pub condition: Option<Test>,
    /// In which order, first by the first.
    pub order: Vec<Order>,
}

/// A term of `ORDER BY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub place: Place,
    /// Whether the order is turned round.
    pub descending: bool,
}

/// What a write answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returning {
    /// The item as it was.
    AllOld,
    /// The item as it is.
    AllNew,
    /// What changed of it, as it was.
    ModifiedOld,
    /// What changed of it, as it is.
    ModifiedNew,
}

/// A place in an item: an attribute, and steps into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The attribute.
    pub head: String,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the entry of a map.
    Name(String),
    /// To the item of a list.
    Index(u32),
}

/// As statements write it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Name(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl Place {
    /// The value at the place.
    pub fn of<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        self.steps.iter().try_fold(item.get(&self.head)?, |value, step| match (step, value) {
            (Step::Name(name), Value::M(entries)) => entries.get(name),
            (Step::Index(index), Value::L(items)) => items.get(*index as usize),
            (Step::Name(_) | Step::Index(_), _) => None,
        })
    }

    /// What an answer calls the value: by the last name, with the indexes behind it.
    pub fn label(&self) -> String {
        let mut label = self.head.clone();
        for step in &self.steps {
            match step {
                Step::Name(name) => label.clone_from(name),
                Step::Index(index) => label.push_str(&format!("[{index}]")),
            }
        }
        label
    }
}

/// What an update does.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets a place.
    Set(Place, Term),
    /// Removes it.
    Remove(Place),
    /// Adds members to a set.
    SetAdd(Place, Value),
    /// Takes members out of a set.
    SetDelete(Place, Value),
}

/// Something with a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// That of an item.
    Place(Place),
    /// One that is given.
    Value(Value),
    /// What a function makes of others.
    Call(String, Vec<Term>),
    /// `a + b` or `a - b`
    Sum(Box<Term>, &'static str, Box<Term>),
}

/// What an item must be like.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// All of them.
    And(Vec<Test>),
    /// One of them.
    Or(Vec<Test>),
    /// Not that.
    Not(Box<Test>),
    /// `a = b` and the like.
    Compare(&'static str, Term, Term),
    /// From the one to the other.
    Between(Term, Term, Term),
    /// One of several.
    In(Term, Vec<Term>),
    /// A function of conditions.
    Call(String, Vec<Term>),
    /// Whether there is nothing.
    Missing(Term),
}
