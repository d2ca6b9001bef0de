//! Updates: what becomes of an item.

mod apply;
mod place;

use std::fmt;
use std::sync::Arc;

use super::bind::{Binder, check_overlaps};
use super::condition::{KeyNames, operand_paths};
use super::fault::{Clause, Invalid, Why};
use super::syntax::{Action, Change, Function, Operand, Printed, Words};
use super::{Placeholders, Projection, parser};
use crate::{Item, Kind, Value};

/// The text of an update once it is read. It holds no value and may be kept by its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedUpdate(Arc<(Words, Vec<Action>)>);

impl ParsedUpdate {
    /// Reads a text, with the faults that it alone shows.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parser::update(text).map(|parsed| Self(Arc::new(parsed)))
    }

    /// The update with a request's names and values.
    pub fn bind(&self, placeholders: &mut Placeholders) -> Result<Update, Invalid> {
        let (words, actions) = &*self.0;
        let mut binder = Binder::new(words, placeholders);
        bind(&mut binder, actions).map_err(|why| why.of(Clause::Update))?;
        let (names, values) = binder.finish();
        Ok(Update(Arc::new(Bound { actions: actions.clone(), names, values, dialect: Dialect::Expression })))
    }
}

/// In DynamoDB's order: what is written to, whether that is twice, all other names, and then values and types. It looks at the
/// actions from the last to the first, but for the first two.
fn bind(binder: &mut Binder<'_>, actions: &[Action]) -> Result<(), Why> {
    actions.iter().try_for_each(|action| binder.path_names(&action.path))?;
    let paths: Vec<Vec<String>> = actions.iter().map(|action| binder.parts(&action.path)).collect();
    check_overlaps(&paths)?;
    actions.iter().rev().try_for_each(|action| binder.action_names(action))?;
    actions.iter().rev().try_for_each(|action| binder.action(action))
}

/// A text that reads as the same update.
impl fmt::Display for ParsedUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, actions) = &*self.0;
        let mut section = "";
        for action in actions {
            let here = action.change.section();
            match section {
                "" => write!(f, "{here} ")?,
                same if same == here => f.write_str(", ")?,
                _ => write!(f, " {here} ")?,
            }
            section = here;
            Printed(words, &action.path).fmt(f)?;
            match &action.change {
                Change::Set(operand) => write!(f, " = {}", Printed(words, operand))?,
                Change::Remove => {}
                Change::Add(value) | Change::Delete(value) => write!(f, " {}", words.values[*value])?,
            }
        }
        Ok(())
    }
}

/// An update that can be applied to items.
#[derive(Clone, Debug)]
pub struct Update(Arc<Bound>);

#[derive(Debug)]
struct Bound {
    actions: Vec<Action>,
    names: Vec<Box<str>>,
    values: Vec<Value>,
    dialect: Dialect,
}

/// Where an update comes from, which decides what it says of values of another type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dialect {
    /// An `UpdateExpression`.
    Expression,
    /// `AttributeUpdates`.
    Legacy,
}

impl Dialect {
    fn mismatch(self) -> Invalid {
        match self {
            Self::Expression => Invalid::OperandType,
            Self::Legacy => Invalid::LegacyType,
        }
    }
}

impl Update {
    /// What becomes of an item. All that is read is read from the item as it was. One that is not there yet is its key alone.
    pub fn apply(&self, item: &Item) -> Result<Item, Invalid> {
        apply::apply(&self.0, item)
    }

    /// Refuses an update that writes to the table's key, or looks into any.
    pub fn check_keys(&self, keys: &KeyNames<'_>) -> Result<(), Invalid> {
        let Bound { actions, names, .. } = &*self.0;
        let mut written = actions.iter().map(|action| &*names[action.path.head]);
        if let Some(key) = written.find(|name| keys.table.contains(name)) {
            return Err(Invalid::KeyUpdate(key.to_owned()));
        }
        for action in actions {
            keys.check(names, &action.path)?;
            if let Change::Set(operand) = &action.change {
                operand_paths(operand, &mut |path| keys.check(names, path))?;
            }
        }
        Ok(())
    }

    /// The whole attributes of which it is known without an item what type they are given; and the value, where that is known too.
    pub fn given(&self) -> impl Iterator<Item = (&str, Kind, Option<&Value>)> {
        let Bound { actions, names, values, .. } = &*self.0;
        actions.iter().filter(|action| action.path.steps.is_empty()).filter_map(move |action| {
            let (kind, value) = match &action.change {
                Change::Set(Operand::Value(value)) => (values[*value].kind(), Some(&values[*value])),
                Change::Set(Operand::Sum(_)) => (Kind::N, None),
                Change::Set(Operand::Call(call)) if call.function == Function::ListAppend => (Kind::L, None),
                Change::Set(Operand::Call(_) | Operand::Path(_)) | Change::Remove => return None,
                Change::Add(value) | Change::Delete(value) => (values[*value].kind(), None),
            };
            Some((&*names[action.path.head], kind, value))
        })
    }

    /// The places that it writes to: what `UPDATED_OLD` and `UPDATED_NEW` show.
    pub fn touched(&self) -> Projection {
        Projection::of(&self.0.names, self.0.actions.iter().map(|action| &action.path))
    }

    /// The attributes that it looks at or writes to, some perhaps twice.
    pub fn attributes(&self) -> Vec<&str> {
        let Bound { actions, names, .. } = &*self.0;
        let mut heads = Vec::new();
        for action in actions {
            heads.push(&*names[action.path.head]);
            if let Change::Set(operand) = &action.change {
                let _ = operand_paths::<()>(operand, &mut |path| {
                    heads.push(&*names[path.head]);
                    Ok(())
                });
            }
        }
        heads
    }

    /// An update that was not read from a text.
    pub(crate) fn made(actions: Vec<Action>, names: Vec<Box<str>>, values: Vec<Value>, dialect: Dialect) -> Self {
        Self(Arc::new(Bound { actions, names, values, dialect }))
    }
}
