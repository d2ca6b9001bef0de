//! What a call says of itself to policies: DynamoDB's own condition keys. Read off the input only where a policy asks for one of them, by
//! what the operation itself reads it with, so that both understand the same.
//!
//! What always holds:
//! - An input that cannot be read is refused with what is wrong with it: nobody is let through by a key that could not be told.
//! - A key with several values has the values of all that is done to the one resource that is asked about, as AWS documents it of
//!   batches. A scan has no leading keys, and a table that is not there tells nothing.
//! - `Attributes` are the top-level attributes that the input names. What is answered unnamed is told by `Select` and `ReturnValues`, which
//!   are told with their defaults too; to show what is there when a condition fails is to return `ALL_OLD`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use contract::{Call, Fault};
use dispatch::Asked;
use item::Value;
use item::partiql::{Plan, Select as Selection, Statement};
use wire::dynamodb::{
    BatchGetItemInput, BatchWriteItemInput, DeleteItemInput, ExecuteStatementInput, ExecuteTransactionInput,
    GetItemInput, PutItemInput, QueryInput, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, ScanInput,
    Select, TransactGetItemsInput, TransactWriteItemsInput, UpdateItemInput,
};
use wire::{Shape, StaticShape, document};

use super::pages::{Given, Words};
use super::rights::Right;
use super::transactions::{Subject, parts};
use super::{legacy, statements, table_resource};
use crate::model::{Keys, Scope};
use crate::places::Place;
use crate::question::{Condition, Projection};
use crate::read::View;
use crate::values::{self, Attributes};
use crate::{Error, Tables};

/// What DynamoDB's condition keys begin with.
pub(crate) const PREFIX: &str = "dynamodb:";

const LEADING_KEYS: &str = "dynamodb:LeadingKeys";
const ATTRIBUTES: &str = "dynamodb:Attributes";
const SELECT: &str = "dynamodb:Select";
const RETURN_VALUES: &str = "dynamodb:ReturnValues";
const RETURN_CONSUMED_CAPACITY: &str = "dynamodb:ReturnConsumedCapacity";
const ENCLOSING_OPERATION: &str = "dynamodb:EnclosingOperation";
const FULL_TABLE_SCAN: &str = "dynamodb:FullTableScan";
const KNOWN: [&str; 7] =
    [LEADING_KEYS, ATTRIBUTES, SELECT, RETURN_VALUES, RETURN_CONSUMED_CAPACITY, ENCLOSING_OPERATION, FULL_TABLE_SCAN];

/// Whether a condition key is one that is told, where it is one of DynamoDB's.
pub(crate) fn is_told(key: &str) -> bool {
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Condition keys with their values.
pub(crate) type Told = Vec<(Cow<'static, str>, String)>;

/// What is gathered of a call, each value once.
#[derive(Default)]
struct Particulars(BTreeSet<(&'static str, String)>);

impl Tables {
    /// The condition keys of what the call does to the resource that is asked about.
    pub(crate) fn particulars(&self, asked: &Asked<'_>) -> Result<Told, Fault> {
        let Some(input) = asked.input else { return Ok(Told::new()) };
        let reader = Reader { tables: self, call: asked.call, asked };
        let mut told = Particulars::default();
        reader.read(input, &mut told)?;
        Ok(told.0.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

impl Particulars {
    fn add(&mut self, key: &'static str, value: impl Into<String>) {
        self.0.insert((key, value.into()));
    }

    fn attributes<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        names.into_iter().for_each(|name| self.add(ATTRIBUTES, name));
    }

    fn leading(&mut self, hash: &Value) {
        let text = match hash {
            Value::S(text) => text.clone(),
            Value::N(number) => number.to_string(),
            // Bytes are told in base64. No key is of a third type.
            other => item::json::write(other)["B"].as_str().unwrap_or_default().to_owned(),
        };
        self.add(LEADING_KEYS, text);
    }

    fn key(&mut self, keys: &Keys, sent: Attributes) -> Result<(), Error> {
        self.leading(&Place::of_key(keys, &values::read_item(sent)?)?.hash);
        self.attributes(keys.each().map(|key| key.name.as_str()));
        Ok(())
    }

    fn item(&mut self, keys: &Keys, sent: Attributes) -> Result<(), Error> {
        let item = values::read_item(sent)?;
        self.leading(&Place::of_item(keys, &item)?.hash);
        self.attributes(item.keys().map(String::as_str));
        Ok(())
    }

    fn condition(&mut self, condition: Option<&Condition>) {
        self.attributes(condition.into_iter().flat_map(|condition| condition.0.attributes()));
    }

    /// What is wanted of items that are read by their keys.
    fn projection(&mut self, projection: Option<&Projection>) {
        self.select(projection, None, &Select::AllAttributes);
    }

    fn select(&mut self, named: Option<&Projection>, said: Option<&Select>, otherwise: &Select) {
        self.attributes(named.into_iter().flat_map(|projection| projection.0.heads()));
        let select = said.unwrap_or(if named.is_some() { &Select::SpecificAttributes } else { otherwise });
        self.add(SELECT, select.as_str());
    }

    fn returns(&mut self, wanted: Option<&ReturnValue>, on_failure: Option<&OnFailure>) {
        self.add(RETURN_VALUES, wanted.unwrap_or(&ReturnValue::None).as_str());
        if let Some(on_failure) = on_failure.filter(|wanted| **wanted != OnFailure::None) {
            self.add(RETURN_VALUES, on_failure.as_str());
        }
    }

    fn capacity(&mut self, wanted: Option<&wire::dynamodb::ReturnConsumedCapacity>) {
        let none = &wire::dynamodb::ReturnConsumedCapacity::None;
        self.add(RETURN_CONSUMED_CAPACITY, wanted.unwrap_or(none).as_str());
    }
}

/// What comes without a select brings what the view has.
fn all_of(view: &View) -> Select {
    if view.index.is_some() { Select::AllProjectedAttributes } else { Select::AllAttributes }
}

/// The input as the operation's own shape.
fn typed<T: StaticShape>(input: &dyn Shape) -> Result<T, Fault> {
    let read = document::read(document::write(input));
    read.map(|(shape, _)| shape).map_err(|malformed| {
        tracing::error!(shape = input.schema().name, %malformed, "an input cannot be read again; this is a bug");
        Fault::internal()
    })
}

struct Reader<'a> {
    tables: &'a Tables,
    call: &'a Call,
    asked: &'a Asked<'a>,
}

impl Reader<'_> {
    /// By what the input is. Operations that are not about items have none of these keys.
    fn read(&self, input: &dyn Shape, told: &mut Particulars) -> Result<(), Fault> {
        match input.schema().name {
            "GetItemInput" => self.get(typed(input)?, told),
            "PutItemInput" => self.put(typed(input)?, told),
            "DeleteItemInput" => self.delete(typed(input)?, told),
            "UpdateItemInput" => self.update(typed(input)?, told),
            "QueryInput" => self.query(typed(input)?, told),
            "ScanInput" => self.scan(typed(input)?, told),
            "BatchGetItemInput" => self.batch_get(typed(input)?, told),
            "BatchWriteItemInput" => self.batch_write(typed(input)?, told),
            "TransactGetItemsInput" => self.transact_get(typed(input)?, told),
            "TransactWriteItemsInput" => self.transact_write(typed(input)?, told),
            "ExecuteStatementInput" => self.statement(typed(input)?, told),
            "ExecuteTransactionInput" => self.transaction(typed(input)?, told),
            _ => Ok(()),
        }
        .map_err(Fault::from)
    }

    /// The keys of a table, if there is one. One that is not active yet tells them too: it may be when the operation comes to it.
    fn keys(&self, table: &str) -> Option<Keys> {
        Some(self.view(table, None).ok()??.keys().clone())
    }

    fn view(&self, table: &str, index: Option<&str>) -> Result<Option<View>, Error> {
        let Ok(desk) = self.tables.managed(&Scope::of(self.call), table) else { return Ok(None) };
        View::new(desk.sight(), index).map(Some)
    }

    /// Whether that is what is asked about.
    fn is_meant(&self, right: &Right) -> bool {
        self.asked.actions == [right.action] && right.resource.to_string() == self.asked.resource.to_string()
    }

    fn get(&self, input: GetItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        let Some(keys) = self.keys(&input.table_name) else { return Ok(()) };
        told.key(&keys, input.key)?;
        let names = input.expression_attribute_names;
        let projection = legacy::projection(input.projection_expression.as_deref(), names, input.attributes_to_get)?;
        told.projection(projection.as_ref());
        Ok(())
    }

    fn put(&self, mut input: PutItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        told.returns(input.return_values.as_ref(), input.return_values_on_condition_check_failure.as_ref());
        let Some(keys) = self.keys(&input.table_name) else { return Ok(()) };
        let asked = legacy::Asked::of_put(&mut input)?;
        told.item(&keys, input.item)?;
        told.condition(asked.condition()?.as_ref());
        Ok(())
    }

    fn delete(&self, mut input: DeleteItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        told.returns(input.return_values.as_ref(), input.return_values_on_condition_check_failure.as_ref());
        let Some(keys) = self.keys(&input.table_name) else { return Ok(()) };
        let asked = legacy::Asked::of_delete(&mut input)?;
        told.key(&keys, input.key)?;
        told.condition(asked.condition()?.as_ref());
        Ok(())
    }

    fn update(&self, mut input: UpdateItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        told.returns(input.return_values.as_ref(), input.return_values_on_condition_check_failure.as_ref());
        let Some(keys) = self.keys(&input.table_name) else { return Ok(()) };
        let asked = legacy::Asked::of_update(&mut input)?;
        told.key(&keys, input.key)?;
        let (change, condition) = asked.update()?;
        told.attributes(change.0.attributes());
        told.condition(condition.as_ref());
        Ok(())
    }

    fn query(&self, mut input: QueryInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        let Some(view) = self.view(&input.table_name, input.index_name.as_deref())? else { return Ok(()) };
        let Words { key, filter, named } = Given::of_query(&mut input).read()?.on(&view)?;
        if let Some(key) = key {
            told.leading(&key.hash);
            let range = view.keys().range.as_ref().filter(|_| key.range.is_some());
            told.attributes(std::iter::once(&view.keys().hash).chain(range).map(|part| part.name.as_str()));
        }
        told.condition(filter.as_ref());
        told.select(named.as_ref().map(|(named, _)| named), input.select.as_ref(), &all_of(&view));
        Ok(())
    }

    fn scan(&self, mut input: ScanInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        let Some(view) = self.view(&input.table_name, input.index_name.as_deref())? else { return Ok(()) };
        let Words { filter, named, .. } = Given::of_scan(&mut input).read()?.on(&view)?;
        told.condition(filter.as_ref());
        told.select(named.as_ref().map(|(named, _)| named), input.select.as_ref(), &all_of(&view));
        Ok(())
    }

    fn batch_get(&self, input: BatchGetItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        for (name, wanted) in input.request_items {
            let right = Right { action: "dynamodb:BatchGetItem", resource: table_resource(self.call, &name) };
            let Some(keys) = self.keys(&name).filter(|_| self.is_meant(&right)) else { continue };
            wanted.keys.into_iter().try_for_each(|key| told.key(&keys, key))?;
            let (text, names) = (wanted.projection_expression, wanted.expression_attribute_names);
            told.projection(legacy::projection(text.as_deref(), names, wanted.attributes_to_get)?.as_ref());
        }
        Ok(())
    }

    fn batch_write(&self, input: BatchWriteItemInput, told: &mut Particulars) -> Result<(), Error> {
        told.capacity(input.return_consumed_capacity.as_ref());
        for (name, requests) in input.request_items {
            let right = Right { action: "dynamodb:BatchWriteItem", resource: table_resource(self.call, &name) };
            let Some(keys) = self.keys(&name).filter(|_| self.is_meant(&right)) else { continue };
            for request in requests {
                request.put_request.map(|put| told.item(&keys, put.item)).transpose()?;
                request.delete_request.map(|delete| told.key(&keys, delete.key)).transpose()?;
            }
        }
        Ok(())
    }

    fn transact_get(&self, input: TransactGetItemsInput, told: &mut Particulars) -> Result<(), Error> {
        told.add(ENCLOSING_OPERATION, "TransactGetItems");
        told.capacity(input.return_consumed_capacity.as_ref());
        for get in input.transact_items.into_iter().map(|action| action.get) {
            let right = Right { action: "dynamodb:GetItem", resource: table_resource(self.call, &get.table_name) };
            let Some(keys) = self.keys(&get.table_name).filter(|_| self.is_meant(&right)) else { continue };
            told.key(&keys, get.key)?;
            let (text, names) = (get.projection_expression, get.expression_attribute_names);
            told.projection(legacy::projection(text.as_deref(), names, None)?.as_ref());
        }
        Ok(())
    }

    fn transact_write(&self, input: TransactWriteItemsInput, told: &mut Particulars) -> Result<(), Error> {
        told.add(ENCLOSING_OPERATION, "TransactWriteItems");
        told.capacity(input.return_consumed_capacity.as_ref());
        for action in input.transact_items {
            let rights = Right::of_action(self.call, &action);
            let (mut common, subject) = parts(action)?;
            let meant = rights.iter().any(|right| self.is_meant(right));
            let Some(keys) = self.keys(&common.table).filter(|_| meant) else { continue };
            let update = match subject {
                Subject::Put(item) => {
                    told.item(&keys, item)?;
                    None
                }
                Subject::Update(key, update) => {
                    told.key(&keys, key)?;
                    Some(update)
                }
                Subject::Delete(key) | Subject::Check(key) => {
                    told.key(&keys, key)?;
                    None
                }
            };
            told.returns(None, common.shows.then_some(&OnFailure::AllOld));
            let (change, condition) = common.expressions(update.as_deref())?;
            told.attributes(change.iter().flat_map(|change| change.0.attributes()));
            told.condition(condition.as_ref());
        }
        Ok(())
    }

    fn statement(&self, input: ExecuteStatementInput, told: &mut Particulars) -> Result<(), Error> {
        let statement = statements::read(&input.statement, input.parameters)?;
        self.partiql(&statement, input.return_values_on_condition_check_failure.as_ref(), told)
    }

    fn transaction(&self, input: ExecuteTransactionInput, told: &mut Particulars) -> Result<(), Error> {
        told.add(ENCLOSING_OPERATION, "ExecuteTransaction");
        for given in input.transact_statements {
            let statement = statements::read(&given.statement, given.parameters)?;
            if self.is_meant(&Right::of_statement(self.call, &statement)) {
                self.partiql(&statement, given.return_values_on_condition_check_failure.as_ref(), told)?;
            }
        }
        Ok(())
    }

    fn partiql(
        &self,
        statement: &Statement,
        on_failure: Option<&OnFailure>,
        told: &mut Particulars,
    ) -> Result<(), Error> {
        told.attributes(statement.attributes());
        match statement {
            Statement::Select(select) | Statement::Exists(select) => return self.selection(select, on_failure, told),
            Statement::Insert { table, item } => {
                if let Some(keys) = self.keys(table) {
                    told.leading(&Place::of_item(&keys, item)?.hash);
                }
                if on_failure.is_some() {
                    told.returns(None, on_failure);
                }
            }
            Statement::Update { table, condition, returning, .. }
            | Statement::Delete { table, condition, returning } => {
                told.returns(returning.map(statements::return_value).as_ref(), on_failure);
                if let Some(keys) = self.keys(table) {
                    let plan = Plan::new(Some(condition), &keys.hash.name, statements::range_name(&keys));
                    plan.key(statements::range_name(&keys))?;
                    plan.partitions().iter().for_each(|hash| told.leading(hash));
                }
            }
        }
        Ok(())
    }

    fn selection(
        &self,
        select: &Selection,
        on_failure: Option<&OnFailure>,
        told: &mut Particulars,
    ) -> Result<(), Error> {
        let Some(view) = self.view(&select.table, select.index.as_deref())? else { return Ok(()) };
        let keys = view.keys();
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, statements::range_name(keys));
        told.add(FULL_TABLE_SCAN, if plan.is_query() { "false" } else { "true" });
        plan.partitions().iter().for_each(|hash| told.leading(hash));
        let all = select.places.is_empty();
        told.add(SELECT, if all { all_of(&view) } else { Select::SpecificAttributes }.as_str());
        if on_failure.is_some() {
            told.returns(None, on_failure);
        }
        Ok(())
    }
}
