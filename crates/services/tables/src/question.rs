//! What a call asks of items: its expressions, with its own names and values, as the rest of the service uses them.
//!
//! They are read before the table is looked for, and held against its keys afterwards: so DynamoDB says first what is wrong with a call
//! whatever the table is, and then what is wrong with it for this table.

use item::Item;
use item::expression::{
    Clause, Invalid, KeyNames, KeySchema, KeyTests, ParsedCondition, ParsedProjection, ParsedUpdate, Placeholders,
    Update,
};

pub(crate) use item::expression::KeyTest as SortTest;

use crate::error::Error;
use crate::model::{Keys, Table};
use crate::places;
use crate::stored::Stored;
use crate::values::{self, Attributes};

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

/// What an item must be like.
#[derive(Clone, Debug)]
pub(crate) struct Condition(pub(crate) item::expression::Condition);

impl Condition {
    /// Refuses one that looks into a key.
    pub(crate) fn check(&self, table: &Table) -> Result<(), Error> {
        Ok(self.0.check_key_paths(&key_names(table))?)
    }

    /// Refuses a filter that looks at the key of which the key condition speaks. `parameter` is what it came in.
    pub(crate) fn check_filter(&self, queried: &Keys, parameter: &'static str) -> Result<(), Error> {
        Ok(self.0.check_filter(&names(queried), parameter)?)
    }

    /// Whether it holds for an item, or for there being none.
    pub(crate) fn holds(&self, stored: Option<&Stored>) -> Result<bool, Error> {
        Ok(self.0.holds(stored.map(Stored::packed).transpose()?)?)
    }
}

/// What of an item is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Projection(pub(crate) item::expression::Projection);

impl Projection {
    /// Refuses one that looks into a key.
    pub(crate) fn check(&self, table: &Table) -> Result<(), Error> {
        Ok(self.0.check_key_paths(&key_names(table))?)
    }

    /// That of a stored item.
    pub(crate) fn take(&self, stored: &Stored) -> Result<Item, Error> {
        Ok(self.0.take(stored.packed()?)?)
    }
}

/// What becomes of an item.
#[derive(Clone, Debug)]
pub(crate) struct Change(pub(crate) Update);

impl Change {
    /// Refuses one that writes to the table's key, looks into any, or gives that of an index what it cannot be.
    pub(crate) fn check(&self, table: &Table) -> Result<(), Error> {
        self.0.check_keys(&key_names(table))?;
        places::check_given(table, &self.0)
    }

    /// The item afterwards.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, Error> {
        Ok(self.0.apply(before)?)
    }

    /// What it writes to.
    pub(crate) fn touched(&self) -> Projection {
        Projection(self.0.touched())
    }
}

/// The expressions of one call, read one after the other in the order in which DynamoDB looks at them; [`Questions::done`] ends it.
#[derive(Debug)]
pub(crate) struct Questions(Placeholders);

impl Questions {
    pub(crate) fn new(
        names: Option<std::collections::BTreeMap<String, String>>,
        values: Option<Attributes>,
    ) -> Result<Self, Error> {
        let value = |(name, value)| match values::read(value) {
            Ok(value) => Ok((name, value)),
            Err(why) => {
                Err(Error::Invalid(format!("ExpressionAttributeValues contains invalid value: {why} for key {name}")))
            }
        };
        let values = values.map(|values| values.into_iter().map(value).collect::<Result<_, _>>()).transpose()?;
        Ok(Self(Placeholders::new(names, values)?))
    }

    pub(crate) fn condition(&mut self, text: Option<&str>) -> Result<Option<Condition>, Error> {
        self.test(Clause::Condition, text)
    }

    pub(crate) fn filter(&mut self, text: Option<&str>) -> Result<Option<Condition>, Error> {
        self.test(Clause::Filter, text)
    }

    pub(crate) fn key_condition(&mut self, text: &str) -> Result<KeyTests, Error> {
        Ok(KeyTests::split(&ParsedCondition::parse(Clause::KeyCondition, text)?.bind(&mut self.0)?)?)
    }

    fn test(&mut self, clause: Clause, text: Option<&str>) -> Result<Option<Condition>, Error> {
        let Some(text) = text else { return Ok(None) };
        Ok(Some(Condition(ParsedCondition::parse(clause, text)?.bind(&mut self.0)?)))
    }

    pub(crate) fn update(&mut self, text: &str) -> Result<Change, Error> {
        Ok(Change(ParsedUpdate::parse(text)?.bind(&mut self.0)?))
    }

    pub(crate) fn projection(&mut self, text: Option<&str>) -> Result<Option<Projection>, Error> {
        let Some(text) = text else { return Ok(None) };
        Ok(Some(Projection(ParsedProjection::parse(text)?.bind(&mut self.0)?)))
    }

    /// Refuses names and values that no expression has used.
    pub(crate) fn done(self) -> Result<(), Error> {
        Ok(self.0.check_used()?)
    }
}

/// A key schema as expressions see it.
pub(crate) fn schema(keys: &Keys) -> KeySchema<'_> {
    let part = |attribute: &'_ crate::model::Attribute| places::kind(attribute);
    KeySchema {
        hash: (&keys.hash.name, part(&keys.hash)),
        range: keys.range.as_ref().map(|range| (range.name.as_str(), part(range))),
    }
}

/// What no path may lead into.
fn key_names(table: &Table) -> KeyNames<'_> {
    KeyNames { table: names(&table.keys), indexes: table.indexes().flat_map(|index| names(&index.keys)).collect() }
}

fn names(keys: &Keys) -> Vec<&str> {
    keys.each().map(|key| key.name.as_str()).collect()
}
