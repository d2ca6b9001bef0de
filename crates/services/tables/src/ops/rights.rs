//! What calls that touch several tables may do. Each table is asked about by itself, by the actions that AWS has for what is done to it:
//! so a denial of one of them counts, and who may use exactly these tables is let through.
//!
//! The operations that ask here are let through by the road, which can ask about one resource only.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use contract::{Arn, Call, Fault};
use item::partiql::Statement;
use wire::dynamodb::{
    BatchGetItemInput, BatchWriteItemInput, ExecuteTransactionInput, ParameterizedStatement, TransactGetItem,
    TransactGetItemsInput, TransactWriteItem, TransactWriteItemsInput,
};
use wire::{Malformed, Member, Reader, Schema, Shape, StaticShape, Written};

use super::{table_resource, view_resource};
use crate::Tables;

/// An action, and the resource that it is done to.
#[derive(Clone, Debug)]
pub(super) struct Right {
    pub(super) action: &'static str,
    pub(super) resource: Arn,
}

impl Right {
    /// What an action of a transaction is on its own. One that is malformed may be several.
    pub(super) fn of_action(call: &Call, action: &TransactWriteItem) -> Vec<Self> {
        let wanted = [
            action.condition_check.as_ref().map(|given| ("dynamodb:ConditionCheckItem", &given.table_name)),
            action.put.as_ref().map(|given| ("dynamodb:PutItem", &given.table_name)),
            action.delete.as_ref().map(|given| ("dynamodb:DeleteItem", &given.table_name)),
            action.update.as_ref().map(|given| ("dynamodb:UpdateItem", &given.table_name)),
        ];
        let right = |(action, table): (_, &String)| Self { action, resource: table_resource(call, table) };
        wanted.into_iter().flatten().map(right).collect()
    }

    /// What a statement is.
    pub(super) fn of_statement(call: &Call, statement: &Statement) -> Self {
        let (action, index) = match statement {
            Statement::Select(select) | Statement::Exists(select) => {
                ("dynamodb:PartiQLSelect", select.index.as_deref())
            }
            Statement::Insert { .. } => ("dynamodb:PartiQLInsert", None),
            Statement::Update { .. } => ("dynamodb:PartiQLUpdate", None),
            Statement::Delete { .. } => ("dynamodb:PartiQLDelete", None),
        };
        Self { action, resource: view_resource(call, statement.table(), index) }
    }
}

/// What is wanted, each once, and of which entries of what the call is given: by their places in its list or map.
#[derive(Debug, Default)]
pub(super) struct Rights(BTreeMap<(&'static str, String), (Arn, Vec<usize>)>);

impl Rights {
    pub(super) fn add(&mut self, entry: usize, Right { action, resource }: Right) {
        let wanted = self.0.entry((action, resource.to_string())).or_insert((resource, Vec::new()));
        wanted.1.push(entry);
    }

    /// One action on each of the tables.
    pub(super) fn on_tables<'a>(call: &Call, action: &'static str, tables: impl Iterator<Item = &'a str>) -> Self {
        let mut rights = Self::default();
        tables.enumerate().for_each(|(entry, table)| {
            rights.add(entry, Right { action, resource: table_resource(call, table) });
        });
        rights
    }
}

/// What a call with entries for several tables is given.
pub(super) trait Entries: StaticShape {
    /// The same with these entries alone.
    fn only(&self, entries: &[usize]) -> Self;
}

fn picked<E, C: FromIterator<E>>(all: impl IntoIterator<Item = E>, entries: &[usize]) -> C {
    all.into_iter().enumerate().filter(|(place, _)| entries.contains(place)).map(|(_, entry)| entry).collect()
}

impl Entries for BatchGetItemInput {
    fn only(&self, entries: &[usize]) -> Self {
        let items: BTreeMap<_, _> = picked(&self.request_items, entries);
        let request_items = items.into_iter().map(|(table, wanted)| (table.clone(), wanted.clone())).collect();
        Self { request_items, return_consumed_capacity: self.return_consumed_capacity.clone() }
    }
}

impl Entries for BatchWriteItemInput {
    fn only(&self, entries: &[usize]) -> Self {
        let items: BTreeMap<_, _> = picked(&self.request_items, entries);
        Self {
            request_items: items.into_iter().map(|(table, wanted)| (table.clone(), wanted.clone())).collect(),
            return_consumed_capacity: self.return_consumed_capacity.clone(),
            return_item_collection_metrics: self.return_item_collection_metrics.clone(),
        }
    }
}

impl Entries for TransactGetItemsInput {
    fn only(&self, entries: &[usize]) -> Self {
        let items: Vec<&TransactGetItem> = picked(&self.transact_items, entries);
        Self {
            transact_items: items.into_iter().cloned().collect(),
            return_consumed_capacity: self.return_consumed_capacity.clone(),
        }
    }
}

impl Entries for TransactWriteItemsInput {
    fn only(&self, entries: &[usize]) -> Self {
        let items: Vec<&TransactWriteItem> = picked(&self.transact_items, entries);
        Self {
            transact_items: items.into_iter().cloned().collect(),
            return_consumed_capacity: self.return_consumed_capacity.clone(),
            return_item_collection_metrics: self.return_item_collection_metrics.clone(),
            client_request_token: self.client_request_token.clone(),
        }
    }
}

impl Entries for ExecuteTransactionInput {
    fn only(&self, entries: &[usize]) -> Self {
        let statements: Vec<&ParameterizedStatement> = picked(&self.transact_statements, entries);
        Self {
            transact_statements: statements.into_iter().cloned().collect(),
            client_request_token: self.client_request_token.clone(),
            return_consumed_capacity: self.return_consumed_capacity.clone(),
        }
    }
}

/// What a call is given, with the entries that one right is wanted for. They are taken out when a policy asks for particulars, so that
/// each entry is read once, however many tables there are, and none where no policy asks.
struct Part<'a, T> {
    whole: &'a T,
    entries: &'a [usize],
    taken: OnceLock<T>,
}

impl<'a, T: Entries> Part<'a, T> {
    fn new(whole: &'a T, entries: &'a [usize]) -> Self {
        Self { whole, entries, taken: OnceLock::new() }
    }

    fn taken(&self) -> &T {
        self.taken.get_or_init(|| self.whole.only(self.entries))
    }
}

impl<T: Entries> Shape for Part<'_, T> {
    fn schema(&self) -> &'static Schema {
        T::SCHEMA
    }

    fn member(&self, index: usize) -> &dyn Written {
        self.taken().member(index)
    }

    fn read_member(&mut self, index: usize, reader: &mut Reader<'_>, at: &'static Member) -> Result<(), Malformed> {
        let mut taken = self.taken().clone();
        let read = taken.read_member(index, reader, at);
        self.taken = OnceLock::from(taken);
        read
    }
}

impl Tables {
    /// Refuses a call that may not do all of them. What the call is given says what is done to each.
    pub(super) async fn check_rights<T: Entries>(&self, call: &Call, rights: Rights, input: &T) -> Result<(), Fault> {
        for ((action, _), (resource, entries)) in rights.0 {
            // Where a policy asks for particulars an entry may be long to read: others have their turn between.
            tokio::task::yield_now().await;
            let part = Part::new(input, &entries);
            self.dispatch.authorise_part("dynamodb", call, &[action], &resource, &part).await?;
        }
        Ok(())
    }

    /// The same of a call that does one thing.
    pub(super) async fn check_right(&self, call: &Call, right: Right, input: &dyn Shape) -> Result<(), Fault> {
        self.dispatch.authorise_part("dynamodb", call, &[right.action], &right.resource, input).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_read_for_its_own_right_alone() {
        let statement = |text: &str| ParameterizedStatement { statement: text.to_owned(), ..Default::default() };
        let input = ExecuteTransactionInput {
            transact_statements: ["a", "b", "c", "d"].map(statement).to_vec(),
            client_request_token: Some("once".to_owned()),
            ..Default::default()
        };
        let right = |action| Right { action, resource: Arn::any() };
        let mut rights = Rights::default();
        for (entry, action) in ["first", "second", "first", "third"].into_iter().enumerate() {
            rights.add(entry, right(action));
        }
        let mut read = Vec::new();
        for ((action, _), (_, entries)) in &rights.0 {
            let part = Part::new(&input, entries);
            assert_eq!(part.schema().name, "ExecuteTransactionInput");
            assert!(part.taken.get().is_none(), "nobody has asked");
            let document = wire::document::write(&part);
            assert_eq!(document["ClientRequestToken"], "once");
            let statements = document["TransactStatements"].as_array().unwrap().iter();
            read.extend(statements.map(|given| format!("{action} {}", given["Statement"].as_str().unwrap())));
        }
        assert_eq!(read, ["first a", "first c", "second b", "third d"]);
    }
}
