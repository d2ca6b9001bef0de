//! What a call asks of items: its expressions, with its own names and values, as the rest of the service uses them.

use item::Item;
use item::expression::{
    Clause, Invalid, KeyCondition, KeySchema, ParsedCondition, ParsedProjection, ParsedUpdate, Placeholders, Update,
};

pub(crate) use item::expression::KeyTest as SortTest;

use crate::error::Error;
use crate::model::Keys;
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
    /// Whether it holds for an item, or for there being none.
    pub(crate) fn holds(&self, stored: Option<&Stored>) -> Result<bool, Error> {
        Ok(self.0.holds(stored.map(Stored::packed).transpose()?)?)
    }
}

/// What of an item is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Projection(pub(crate) item::expression::Projection);

impl Projection {
    /// That of a stored item.
    pub(crate) fn take(&self, stored: &Stored) -> Result<Item, Error> {
        Ok(self.0.take(stored.packed()?)?)
    }
}

/// What becomes of an item.
#[derive(Clone, Debug)]
pub(crate) struct Change(pub(crate) Update);

impl Change {
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

    pub(crate) fn condition(&mut self, text: Option<&str>, keys: &Keys) -> Result<Option<Condition>, Error> {
        let Some(text) = text else { return Ok(None) };
        let condition = ParsedCondition::parse(Clause::Condition, text)?.bind(&mut self.0)?;
        condition.check_key_paths(&names(keys))?;
        Ok(Some(Condition(condition)))
    }

    /// A filter, which must not look at the key where a key condition speaks of that.
    pub(crate) fn filter(&mut self, text: Option<&str>, queried: Option<&Keys>) -> Result<Option<Condition>, Error> {
        let Some(text) = text else { return Ok(None) };
        let condition = ParsedCondition::parse(Clause::Filter, text)?.bind(&mut self.0)?;
        if let Some(keys) = queried {
            condition.check_filter(&names(keys))?;
        }
        Ok(Some(Condition(condition)))
    }

    pub(crate) fn key_condition(&mut self, text: &str, keys: &Keys) -> Result<KeyCondition, Error> {
        let condition = ParsedCondition::parse(Clause::KeyCondition, text)?.bind(&mut self.0)?;
        Ok(KeyCondition::split(&condition, schema(keys))?)
    }

    pub(crate) fn update(&mut self, text: &str, keys: &Keys) -> Result<Change, Error> {
        let update = ParsedUpdate::parse(text)?.bind(&mut self.0)?;
        update.check_keys(&names(keys))?;
        Ok(Change(update))
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

fn names(keys: &Keys) -> Vec<&str> {
    keys.each().map(|key| key.name.as_str()).collect()
}
