//! `ExecuteStatement`, `BatchExecuteStatement`, `ExecuteTransaction`: PartiQL. A statement becomes the ordinary operation that does the
//! same, with expressions for its conditions, so that it has that operation's rules, costs and faults.

mod answers;
mod selected;
mod transacted;

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use item::Value;
use item::partiql::{self, Phrases, Place, Plan, Returning, Select, Statement, Wrong};
use wire::dynamodb::{
    BatchExecuteStatement, BatchExecuteStatementInput, BatchExecuteStatementOutput, BatchStatementRequest,
    BatchStatementResponse, ConsumedCapacity, DeleteItem, DeleteItemInput, ExecuteStatement, ExecuteStatementInput,
    ExecuteStatementOutput, ExecuteTransaction, ExecuteTransactionInput, ExecuteTransactionOutput, PutItem,
    PutItemInput, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactGetItem,
    TransactGetItemsInput, TransactWriteItemsInput, UpdateItem, UpdateItemInput,
};

use self::answers::{Binding, batch_error, duplicate, taken, unexpressed};
use super::rights::{Right, Rights};
use super::table_resource;
use crate::model::{Keys, Scope};
use crate::read::View;
use crate::values::{self, Attributes};
use crate::{Error, Tables};

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Invalid(wrong.to_string())
    }
}

/// How a statement is to be executed.
#[derive(Default)]
struct Terms {
    consistent: Option<bool>,
    limit: Option<i32>,
    start: Option<Attributes>,
    capacity: Option<ReturnConsumedCapacity>,
    on_failure: Option<ReturnValuesOnConditionCheckFailure>,
}

/// What came of a statement.
#[derive(Default)]
struct Outcome {
    items: Vec<Attributes>,
    last: Option<Attributes>,
    capacity: Option<ConsumedCapacity>,
}

/// A statement that is to mean one item: its key, and what else must hold.
struct Meant {
    key: Attributes,
    condition: Option<String>,
    phrases: Phrases,
}

impl Handle<ExecuteStatement> for Tables {
    const EFFECT: Effect = Effect::Write;
    // Each statement is asked about when it is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &ExecuteStatementInput) -> Arn {
        resource(call, &input.statement, input.parameters.as_ref().map_or(0, Vec::len))
    }

    async fn handle(&self, call: &Call, input: ExecuteStatementInput) -> Result<ExecuteStatementOutput, Fault> {
        let statement = read(&input.statement, input.parameters.clone())?;
        self.check_right(call, Right::of_statement(call, &statement), &input).await?;
        // Only where there are several pages: parameters may be long.
        let binding = || Binding::of(&input.statement, input.parameters.as_deref());
        let terms = Terms {
            consistent: input.consistent_read,
            limit: input.limit,
            start: input.next_token.as_deref().map(|token| binding().read(token)).transpose()?,
            capacity: input.return_consumed_capacity,
            on_failure: input.return_values_on_condition_check_failure,
        };
        let outcome = self.execute(call, statement, terms).await?;
        let next_token = outcome.last.clone().map(|last| binding().write(last)).transpose()?;
        Ok(ExecuteStatementOutput {
            items: Some(outcome.items),
            next_token,
            consumed_capacity: outcome.capacity,
            last_evaluated_key: outcome.last,
        })
    }
}

impl Handle<BatchExecuteStatement> for Tables {
    const EFFECT: Effect = Effect::Write;
    // Each statement is asked about when it is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &BatchExecuteStatementInput) -> Arn {
        let first = input.statements.first();
        first.map_or_else(Arn::any, |first| {
            resource(call, &first.statement, first.parameters.as_ref().map_or(0, Vec::len))
        })
    }

    async fn handle(
        &self,
        call: &Call,
        input: BatchExecuteStatementInput,
    ) -> Result<BatchExecuteStatementOutput, Fault> {
        check_unmixed(&input.statements)?;
        let (mut responses, mut capacity) = (Vec::with_capacity(input.statements.len()), Vec::new());
        for request in input.statements {
            let table_name = table_of(&request.statement, request.parameters.as_ref().map_or(0, Vec::len));
            // What it would be on its own.
            let alone = ExecuteStatementInput {
                statement: request.statement,
                parameters: request.parameters,
                consistent_read: request.consistent_read,
                return_consumed_capacity: input.return_consumed_capacity.clone(),
                return_values_on_condition_check_failure: request.return_values_on_condition_check_failure,
                ..Default::default()
            };
            let done = self.execute_single(call, alone).await;
            responses.push(match done {
                Ok(mut outcome) => {
                    capacity.extend(outcome.capacity.take());
                    let item = outcome.items.pop().filter(|item| !item.is_empty());
                    BatchStatementResponse { item, table_name, error: None }
                }
                Err(fault) => BatchStatementResponse { error: Some(batch_error(fault)), table_name, item: None },
            });
        }
        let consumed_capacity = (!capacity.is_empty()).then_some(capacity);
        Ok(BatchExecuteStatementOutput { responses: Some(responses), consumed_capacity })
    }
}

impl Handle<ExecuteTransaction> for Tables {
    const EFFECT: Effect = Effect::Write;
    // Each statement is asked about when it is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &ExecuteTransactionInput) -> Arn {
        let first = input.transact_statements.first();
        first.map_or_else(Arn::any, |first| {
            resource(call, &first.statement, first.parameters.as_ref().map_or(0, Vec::len))
        })
    }

    async fn handle(&self, call: &Call, input: ExecuteTransactionInput) -> Result<ExecuteTransactionOutput, Fault> {
        let scope = Scope::of(call);
        let (mut read_statements, mut rights) = (Vec::new(), Rights::default());
        for (index, given) in input.transact_statements.iter().enumerate() {
            let within = move |error: Error| match error {
                Error::Invalid(why) => {
                    Error::Invalid(format!("Validation failed in TransactStatements[{index}]: {why}"))
                }
                other => other,
            };
            let statement = read(&given.statement, given.parameters.clone()).map_err(within)?;
            rights.add(index, Right::of_statement(call, &statement));
            read_statements.push((statement, given.return_values_on_condition_check_failure.clone(), within));
        }
        self.check_rights(call, rights, &input).await?;
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for (statement, on_failure, within) in read_statements {
            match statement {
                Statement::Select(select) => reads.push(self.transact_read(&scope, select).map_err(within)?),
                write => writes.push(self.transact_write(&scope, write, on_failure).map_err(within)?),
            }
        }
        if !reads.is_empty() && !writes.is_empty() {
            return Err(
                Error::Invalid("A transaction reads or writes: its statements must do one of both".to_owned()).into()
            );
        }
        if writes.is_empty() {
            let (gets, places): (Vec<TransactGetItem>, Vec<Vec<Place>>) = reads.into_iter().unzip();
            let input = TransactGetItemsInput {
                transact_items: gets,
                return_consumed_capacity: input.return_consumed_capacity,
            };
            let output = self.transact_gets(call, input).await?;
            let mut responses = output.responses.unwrap_or_default();
            for (response, places) in responses.iter_mut().zip(places) {
                let item = response.item.take();
                response.item = item.map(|item| taken(item, &places)).transpose()?;
            }
            return Ok(ExecuteTransactionOutput {
                responses: Some(responses),
                consumed_capacity: output.consumed_capacity,
            });
        }
        let input = TransactWriteItemsInput {
            transact_items: writes,
            return_consumed_capacity: input.return_consumed_capacity,
            client_request_token: input.client_request_token,
            ..Default::default()
        };
        let output = self.transact_writes(call, input).await?;
        // Writes have no answers, not even empty ones.
        Ok(ExecuteTransactionOutput { responses: Some(Vec::new()), consumed_capacity: output.consumed_capacity })
    }
}

impl Tables {
    async fn execute(&self, call: &Call, statement: Statement, terms: Terms) -> Result<Outcome, Fault> {
        self.execute_as(call, statement, terms).await.map_err(unexpressed)
    }

    async fn execute_as(&self, call: &Call, statement: Statement, terms: Terms) -> Result<Outcome, Fault> {
        let scope = Scope::of(call);
        match statement {
            Statement::Select(select) => self.select(call, select, terms).await,
            Statement::Exists(_) => {
                Err(Error::Invalid("EXISTS can only be used in ExecuteTransaction write requests.".to_owned()).into())
            }
            Statement::Insert { table, item } => {
                let keys = self.keys(&scope, &table)?;
                let mut phrases = Phrases::default();
                let condition = format!("attribute_not_exists({})", phrases.name(&keys.hash.name));
                let (names, _) = placeholders(phrases);
                let input = PutItemInput {
                    table_name: table,
                    item: values::write_item(item),
                    condition_expression: Some(condition),
                    expression_attribute_names: names,
                    return_consumed_capacity: terms.capacity,
                    ..Default::default()
                };
                let output = Handle::<PutItem>::handle(self, call, input).await.map_err(duplicate)?;
                Ok(Outcome { capacity: output.consumed_capacity, ..Outcome::default() })
            }
            Statement::Update { table, changes, condition, returning } => {
                let keys = self.keys(&scope, &table)?;
                let Meant { key, condition, mut phrases } = meant(&condition, &keys, Held::Needed)?;
                let update = phrases.update(&changes);
                let (names, values) = placeholders(phrases);
                let input = UpdateItemInput {
                    table_name: table,
                    key,
                    update_expression: Some(update),
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values: returning.map(return_value),
                    return_consumed_capacity: terms.capacity,
                    return_values_on_condition_check_failure: terms.on_failure,
                    ..Default::default()
                };
                let output = Handle::<UpdateItem>::handle(self, call, input).await?;
                let items = output.attributes.filter(|item| !item.is_empty()).into_iter().collect();
                Ok(Outcome { items, capacity: output.consumed_capacity, last: None })
            }
            Statement::Delete { table, condition, returning } => {
                let keys = self.keys(&scope, &table)?;
                let Meant { key, condition, phrases } = meant(&condition, &keys, Held::Either)?;
                let (names, values) = placeholders(phrases);
                let input = DeleteItemInput {
                    table_name: table,
                    key,
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values: returning.map(return_value),
                    return_consumed_capacity: terms.capacity,
                    return_values_on_condition_check_failure: terms.on_failure,
                    ..Default::default()
                };
                let output = Handle::<DeleteItem>::handle(self, call, input).await?;
                let items = output.attributes.filter(|item| !item.is_empty()).into_iter().collect();
                Ok(Outcome { items, capacity: output.consumed_capacity, last: None })
            }
        }
    }

    fn keys(&self, scope: &Scope, table: &str) -> Result<Keys, Error> {
        Ok(self.desk(scope, table)?.sight().table.keys.clone())
    }

    fn view(&self, scope: &Scope, select: &Select) -> Result<View, Error> {
        let sight = self.desk(scope, &select.table)?.sight();
        View::new(sight, select.index.as_deref())
            .map_err(|_| Error::Invalid("The table does not have the specified index".to_owned()))
    }

    /// Executes a statement of a batch. Who may not is told so beside what came of the others.
    async fn execute_single(&self, call: &Call, alone: ExecuteStatementInput) -> Result<Outcome, Fault> {
        let statement = read(&alone.statement, alone.parameters.clone())?;
        self.check_right(call, Right::of_statement(call, &statement), &alone).await?;
        self.check_single(call, &statement)?;
        let terms = Terms {
            consistent: alone.consistent_read,
            capacity: alone.return_consumed_capacity,
            on_failure: alone.return_values_on_condition_check_failure,
            ..Terms::default()
        };
        self.execute(call, statement, terms).await
    }

    /// Refuses a read of a batch that does not mean one item.
    fn check_single(&self, call: &Call, statement: &Statement) -> Result<(), Error> {
        let Statement::Select(select) = statement else { return Ok(()) };
        let keys = self.keys(&Scope::of(call), &select.table)?;
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(&keys));
        let is_key = plan.key(range_name(&keys)).is_ok() && plan.rest(&mut Phrases::default()).is_none();
        match select.index.is_none() && is_key {
            true => Ok(()),
            false => Err(Error::Invalid(
                "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
                    .to_owned(),
            )),
        }
    }
}

/// Whether a write needs the item to be there.
enum Held {
    Needed,
    Either,
}

fn meant(condition: &partiql::Test, keys: &Keys, held: Held) -> Result<Meant, Error> {
    let range = range_name(keys);
    let plan = Plan::new(Some(condition), &keys.hash.name, range);
    let key = plan.key(range)?;
    let mut phrases = Phrases::default();
    let there = match held {
        Held::Needed => Some(format!("attribute_exists({})", phrases.name(&keys.hash.name))),
        Held::Either => None,
    };
    let condition = match (there, plan.rest(&mut phrases)) {
        (Some(there), Some(rest)) => Some(format!("{there} AND ({rest})")),
        (there, rest) => there.or(rest),
    };
    Ok(Meant { key: values::write_item(key), condition, phrases })
}

pub(super) fn range_name(keys: &Keys) -> Option<&str> {
    keys.range.as_ref().map(|range| range.name.as_str())
}

pub(super) fn read(text: &str, parameters: Option<Vec<wire::dynamodb::AttributeValue>>) -> Result<Statement, Error> {
    let parameters: Vec<Value> =
        parameters.unwrap_or_default().into_iter().map(values::read).collect::<Result<_, _>>()?;
    Ok(partiql::read(text, &parameters)?)
}

/// The table that a statement speaks of, if it is one.
fn table_of(text: &str, parameters: usize) -> Option<String> {
    partiql::read(text, &vec![Value::Null; parameters]).ok().map(|statement| statement.table().to_owned())
}

fn resource(call: &Call, text: &str, parameters: usize) -> Arn {
    table_of(text, parameters).map_or_else(Arn::any, |table| table_resource(call, &table))
}

/// Refuses a batch that both reads and writes, before anything is done. What cannot be read is told in its place.
fn check_unmixed(statements: &[BatchStatementRequest]) -> Result<(), Error> {
    let read = |given: &BatchStatementRequest| {
        let parameters = vec![Value::Null; given.parameters.as_ref().map_or(0, Vec::len)];
        let statement = partiql::read(&given.statement, &parameters).ok()?;
        Some(matches!(statement, Statement::Select(_) | Statement::Exists(_)))
    };
    let mut kinds = statements.iter().filter_map(read);
    let first = kinds.next();
    match kinds.all(|reads| Some(reads) == first) {
        true => Ok(()),
        false => Err(Error::Invalid(
            "The entire batch must consist of either read statements or write statements, you cannot mix both in one batch."
                .to_owned(),
        )),
    }
}

type Placeholders = (Option<BTreeMap<String, String>>, Option<Attributes>);

fn placeholders(phrases: Phrases) -> Placeholders {
    let names = (!phrases.names.is_empty()).then_some(phrases.names);
    let values = (!phrases.values.is_empty()).then(|| values::write_item(phrases.values));
    (names, values)
}

pub(super) fn return_value(returning: Returning) -> ReturnValue {
    match returning {
        Returning::AllOld => ReturnValue::AllOld,
        Returning::AllNew => ReturnValue::AllNew,
        Returning::ModifiedOld => ReturnValue::UpdatedOld,
        Returning::ModifiedNew => ReturnValue::UpdatedNew,
    }
}
