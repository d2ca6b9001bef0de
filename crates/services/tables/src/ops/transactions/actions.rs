//! The actions of a transaction that writes: as they are sent, as they are read without their tables, and on their tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use item::{Item, size};
use wire::dynamodb::{ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use crate::Error;
use crate::desk::{Desk, Sight};
use crate::ops::legacy;
use crate::ops::single::check_size;
use crate::places::{self, Place};
use crate::question::{Change, Condition, Questions};
use crate::stored::Stored;
use crate::values::{self, Attributes};
use crate::write::{By, Deed, Write, Written};

/// An action as it was read, and whether the caller wants to see what is there when it fails.
pub(super) struct Action {
    pub(super) write: Write,
    pub(super) shows: bool,
}

/// What all kinds of action have in common.
pub(in crate::ops) struct Common {
    pub(in crate::ops) table: String,
    names: Option<BTreeMap<String, String>>,
    values: Option<Attributes>,
    condition: Option<String>,
    pub(in crate::ops) shows: bool,
}

/// What an action is about.
pub(in crate::ops) enum Subject {
    Put(Attributes),
    Update(Attributes, String),
    Delete(Attributes),
    Check(Attributes),
}

/// Takes an action apart.
pub(in crate::ops) fn parts(action: TransactWriteItem) -> Result<(Common, Subject), Error> {
    macro_rules! common {
        ($given:ident, $condition:expr) => {
            Common {
                table: $given.table_name,
                names: $given.expression_attribute_names,
                values: $given.expression_attribute_values,
                condition: $condition,
                shows: $given.return_values_on_condition_check_failure
                    == Some(ReturnValuesOnConditionCheckFailure::AllOld),
            }
        };
    }
    match action {
        TransactWriteItem { condition_check: Some(check), put: None, delete: None, update: None } => {
            Ok((common!(check, Some(check.condition_expression)), Subject::Check(check.key)))
        }
        TransactWriteItem { condition_check: None, put: Some(put), delete: None, update: None } => {
            Ok((common!(put, put.condition_expression), Subject::Put(put.item)))
        }
        TransactWriteItem { condition_check: None, put: None, delete: Some(delete), update: None } => {
            Ok((common!(delete, delete.condition_expression), Subject::Delete(delete.key)))
        }
        TransactWriteItem { condition_check: None, put: None, delete: None, update: Some(update) } => {
            let subject = Subject::Update(update.key, update.update_expression);
            Ok((common!(update, update.condition_expression), subject))
        }
        TransactWriteItem { .. } => {
            Err(Error::Invalid("TransactItems can only contain one of Check, Put, Update or Delete".to_owned()))
        }
    }
}

impl Common {
    pub(in crate::ops) fn expressions(
        &mut self,
        update: Option<&str>,
    ) -> Result<(Option<Change>, Option<Condition>), Error> {
        if update.is_none() && self.condition.is_none() {
            legacy::check_alone(self.names.is_some(), self.values.is_some(), "ConditionExpression is null")?;
        }
        let mut questions = Questions::new(self.names.take(), self.values.take())?;
        let change = update.map(|update| questions.update(update)).transpose()?;
        let condition = questions.condition(self.condition.as_deref())?;
        questions.done()?;
        Ok((change, condition))
    }

    /// Reads an action as far as that goes without its table: what is wrong with it here is wrong with the whole call.
    pub(super) fn read(mut self, subject: Subject) -> Result<Sent, Error> {
        let (what, condition) = match subject {
            Subject::Put(item) => {
                let item = values::read_item(item)?;
                check_size(&item)?;
                (What::Put(item), self.expressions(None)?.1)
            }
            Subject::Update(key, update) => {
                let key = values::read_item(key)?;
                let (change, condition) = self.expressions(Some(&update))?;
                (What::Update(key, change.ok_or(Error::Internal)?), condition)
            }
            Subject::Delete(key) => (What::Delete(values::read_item(key)?), self.expressions(None)?.1),
            Subject::Check(key) => (What::Check(values::read_item(key)?), self.expressions(None)?.1),
        };
        Ok(Sent { table: self.table, what, condition, shows: self.shows })
    }
}

/// An action as it was sent, of a table that may or may not be there.
pub(super) struct Sent {
    pub(super) table: String,
    what: What,
    condition: Option<Condition>,
    shows: bool,
}

/// What it does; to the item of a key, but for a put.
enum What {
    Put(Item),
    Update(Item, Change),
    Delete(Item),
    Check(Item),
}

impl Sent {
    /// The action on its table. What is wrong with it here is a reason why the transaction is cancelled.
    pub(super) fn on(self, desk: &Arc<Desk>, sight: &Arc<Sight>) -> Result<Action, Error> {
        let (table, keys) = (&sight.table, &sight.table.keys);
        let (place, deed) = match self.what {
            What::Put(item) => {
                let place = Place::of_item(keys, &item)?;
                places::check_index_keys(table, &item)?;
                (place, Deed::Put(item))
            }
            What::Update(key, change) => {
                let place = Place::of_key(keys, &key)?;
                change.check(table)?;
                (place, Deed::Update(change))
            }
            What::Delete(key) => (Place::of_key(keys, &key)?, Deed::Delete),
            What::Check(key) => (Place::of_key(keys, &key)?, Deed::Check),
        };
        self.condition.iter().try_for_each(|condition| condition.check(table))?;
        let (desk, sight) = (desk.clone(), sight.clone());
        let write = Write { desk, sight, place, deed, condition: self.condition, by: By::Caller };
        Ok(Action { write, shows: self.shows })
    }
}

impl Action {
    /// What it brings along: an item, or the key of one.
    pub(super) fn bytes(&self) -> usize {
        match &self.write.deed {
            Deed::Put(item) => size::item(item),
            Deed::Update(_) | Deed::Delete | Deed::Check => {
                size::item(&self.write.place.to_item(&self.write.sight.table.keys))
            }
        }
    }

    /// What it comes to when it is done.
    pub(super) fn bytes_written(&self, written: &Written) -> usize {
        match &self.write.deed {
            Deed::Update(_) => written.new.as_ref().map_or(0, Stored::size),
            Deed::Put(_) | Deed::Delete | Deed::Check => self.bytes(),
        }
    }
}
