//! `ExecuteStatement`, `BatchExecuteStatement`, `ExecuteTransaction`: PartiQL. A statement becomes the ordinary operation that does the
//! same, with expressions for its conditions, so that it has that operation's rules, costs and faults.

use std::collections::BTreeMap;

use contract::{Arn, Call, Effect, Fault, Handle};
use item::partiql::{self, Phrases, Place, Plan, Returning, Select, Statement, Wrong};
use item::{Item, Value, json};
use wire::dynamodb::{
    BatchExecuteStatement, BatchExecuteStatementInput, BatchExecuteStatementOutput, BatchStatementError,
    BatchStatementErrorCodeEnum as BatchCode, BatchStatementResponse, ConditionCheck, ConditionalCheckFailedException,
    ConsumedCapacity, Delete, DeleteItem, DeleteItemInput, DuplicateItemException, ExecuteStatement,
    ExecuteStatementInput, ExecuteStatementOutput, ExecuteTransaction, ExecuteTransactionInput,
    ExecuteTransactionOutput, Get, ItemResponse, Put, PutItem, PutItemInput, Query, QueryInput, ReturnConsumedCapacity,
    ReturnValue, ReturnValuesOnConditionCheckFailure, Scan, ScanInput, TransactGetItem, TransactGetItemsInput,
    TransactWriteItem, TransactWriteItemsInput, Update, UpdateItem, UpdateItemInput,
};

use super::rights::Rights;
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
        let statement = read(&input.statement, input.parameters)?;
        self.check_rights(call, Rights::of_statement(call, &statement)).await?;
        let terms = Terms {
            consistent: input.consistent_read,
            limit: input.limit,
            start: input.next_token.as_deref().map(read_token).transpose()?,
            capacity: input.return_consumed_capacity,
            on_failure: input.return_values_on_condition_check_failure,
        };
        let outcome = self.execute(call, statement, terms).await?;
        let next_token = outcome.last.clone().map(write_token).transpose()?;
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
        let (mut responses, mut capacity) = (Vec::with_capacity(input.statements.len()), Vec::new());
        for request in input.statements {
            let parameters = request.parameters.unwrap_or_default();
            let table_name = table_of(&request.statement, parameters.len());
            let terms = Terms {
                consistent: request.consistent_read,
                capacity: input.return_consumed_capacity.clone(),
                on_failure: request.return_values_on_condition_check_failure,
                ..Terms::default()
            };
            let done = match read(&request.statement, Some(parameters)) {
                Ok(statement) => self.execute_single(call, statement, terms).await,
                Err(error) => Err(error.into()),
            };
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
        for (index, given) in input.transact_statements.into_iter().enumerate() {
            let within = move |error: Error| match error {
                Error::Invalid(why) => {
                    Error::Invalid(format!("Validation failed in TransactStatements[{index}]: {why}"))
                }
                other => other,
            };
            let statement = read(&given.statement, given.parameters).map_err(within)?;
            rights = rights.and(Rights::of_statement(call, &statement));
            read_statements.push((statement, given.return_values_on_condition_check_failure, within));
        }
        self.check_rights(call, rights).await?;
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
        let responses = vec![ItemResponse::default(); writes.len()];
        let input = TransactWriteItemsInput {
            transact_items: writes,
            return_consumed_capacity: input.return_consumed_capacity,
            client_request_token: input.client_request_token,
            ..Default::default()
        };
        let output = self.transact_writes(call, input).await?;
        Ok(ExecuteTransactionOutput { responses: Some(responses), consumed_capacity: output.consumed_capacity })
    }
}

impl Tables {
    async fn execute(&self, call: &Call, statement: Statement, terms: Terms) -> Result<Outcome, Fault> {
        let scope = Scope::of(call);
        match statement {
            Statement::Select(select) => self.select(call, select, terms).await,
            Statement::Exists(_) => {
                Err(Error::Invalid("EXISTS is only allowed in ExecuteTransaction".to_owned()).into())
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

    async fn select(&self, call: &Call, select: Select, terms: Terms) -> Result<Outcome, Fault> {
        let view = self.view(&Scope::of(call), &select)?;
        if view.global().is_some() && terms.consistent == Some(true) {
            let why = "Strongly consistent read is not supported on Global Secondary Indexes";
            return Err(Error::Invalid(why.to_owned()).into());
        }
        let keys = view.keys();
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(keys));
        let mut phrases = Phrases::default();
        let (key_condition, filter) = (plan.key_condition(&mut phrases), plan.rest(&mut phrases));
        let (names, values) = placeholders(phrases);
        let (items, last, capacity) = if plan.is_query() {
            let input = QueryInput {
                table_name: select.table,
                index_name: select.index,
                key_condition_expression: key_condition,
                filter_expression: filter,
                expression_attribute_names: names,
                expression_attribute_values: values,
                consistent_read: terms.consistent,
                limit: terms.limit,
                exclusive_start_key: terms.start,
                scan_index_forward: Some(!select.descending),
                return_consumed_capacity: terms.capacity,
                ..Default::default()
            };
            let page = Handle::<Query>::handle(self, call, input).await?;
            (page.items, page.last_evaluated_key, page.consumed_capacity)
        } else {
            let input = ScanInput {
                table_name: select.table,
                index_name: select.index,
                filter_expression: filter,
                expression_attribute_names: names,
                expression_attribute_values: values,
                consistent_read: terms.consistent,
                limit: terms.limit,
                exclusive_start_key: terms.start,
                return_consumed_capacity: terms.capacity,
                ..Default::default()
            };
            let page = Handle::<Scan>::handle(self, call, input).await?;
            (page.items, page.last_evaluated_key, page.consumed_capacity)
        };
        let items = items.unwrap_or_default().into_iter().map(|item| taken(item, &select.places));
        Ok(Outcome { items: items.collect::<Result<_, Error>>()?, last, capacity })
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
    async fn execute_single(&self, call: &Call, statement: Statement, terms: Terms) -> Result<Outcome, Fault> {
        self.check_rights(call, Rights::of_statement(call, &statement)).await?;
        self.check_single(call, &statement)?;
        self.execute(call, statement, terms).await
    }

    /// Refuses a read of a batch that does not mean one item.
    fn check_single(&self, call: &Call, statement: &Statement) -> Result<(), Error> {
        let Statement::Select(select) = statement else { return Ok(()) };
        let keys = self.keys(&Scope::of(call), &select.table)?;
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(&keys));
        match (&select.index, plan.key(range_name(&keys))) {
            (None, Ok(_)) => Ok(()),
            (Some(_), _) | (None, Err(_)) => Err(Error::Invalid(
                "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
                    .to_owned(),
            )),
        }
    }

    fn transact_read(&self, scope: &Scope, select: Select) -> Result<(TransactGetItem, Vec<Place>), Error> {
        if select.index.is_some() {
            return Err(Error::Invalid("Reads on indices are not supported within transactions.".to_owned()));
        }
        let keys = self.keys(scope, &select.table)?;
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(&keys));
        let key = plan.key(range_name(&keys)).map_err(|_| {
            let why = "Select statements within ExecuteTransaction must specify the primary key in the where clause.";
            Error::Invalid(why.to_owned())
        })?;
        let get = Get { key: values::write_item(key), table_name: select.table, ..Default::default() };
        Ok((TransactGetItem { get }, select.places))
    }

    fn transact_write(
        &self,
        scope: &Scope,
        statement: Statement,
        on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> Result<TransactWriteItem, Error> {
        let keys = self.keys(scope, statement.table())?;
        match statement {
            Statement::Update { returning: Some(_), .. } | Statement::Delete { returning: Some(_), .. } => {
                Err(Error::Invalid("RETURNING clause is not supported in ExecuteTransaction.".to_owned()))
            }
            Statement::Insert { table, item } => {
                let mut phrases = Phrases::default();
                let condition = format!("attribute_not_exists({})", phrases.name(&keys.hash.name));
                let put = Put {
                    item: values::write_item(item),
                    table_name: table,
                    condition_expression: Some(condition),
                    expression_attribute_names: placeholders(phrases).0,
                    return_values_on_condition_check_failure: on_failure,
                    ..Default::default()
                };
                Ok(TransactWriteItem { put: Some(put), ..Default::default() })
            }
            Statement::Update { table, changes, condition, returning: None } => {
                let Meant { key, condition, mut phrases } = meant(&condition, &keys, Held::Needed)?;
                let update_expression = phrases.update(&changes);
                let (names, values) = placeholders(phrases);
                let update = Update {
                    key,
                    update_expression,
                    table_name: table,
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { update: Some(update), ..Default::default() })
            }
            Statement::Delete { table, condition, returning: None } => {
                let Meant { key, condition, phrases } = meant(&condition, &keys, Held::Either)?;
                let (names, values) = placeholders(phrases);
                let delete = Delete {
                    key,
                    table_name: table,
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { delete: Some(delete), ..Default::default() })
            }
            Statement::Exists(select) | Statement::Select(select) => {
                let condition = select.condition.ok_or(Wrong::NoKey)?;
                let Meant { key, condition, phrases } = meant(&condition, &keys, Held::Needed)?;
                let (names, values) = placeholders(phrases);
                let check = ConditionCheck {
                    key,
                    table_name: select.table,
                    condition_expression: condition.unwrap_or_default(),
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { condition_check: Some(check), ..Default::default() })
            }
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

fn range_name(keys: &Keys) -> Option<&str> {
    keys.range.as_ref().map(|range| range.name.as_str())
}

fn read(text: &str, parameters: Option<Vec<wire::dynamodb::AttributeValue>>) -> Result<Statement, Error> {
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

type Placeholders = (Option<BTreeMap<String, String>>, Option<Attributes>);

fn placeholders(phrases: Phrases) -> Placeholders {
    let names = (!phrases.names.is_empty()).then_some(phrases.names);
    let values = (!phrases.values.is_empty()).then(|| values::write_item(phrases.values));
    (names, values)
}

fn return_value(returning: Returning) -> ReturnValue {
    match returning {
        Returning::AllOld => ReturnValue::AllOld,
        Returning::AllNew => ReturnValue::AllNew,
        Returning::ModifiedOld => ReturnValue::UpdatedOld,
        Returning::ModifiedNew => ReturnValue::UpdatedNew,
    }
}

/// What a statement wants of an item, by the names that answers have for it.
fn taken(item: Attributes, places: &[Place]) -> Result<Attributes, Error> {
    if places.is_empty() {
        return Ok(item);
    }
    let item: Item = values::read_item(item)?;
    let found = places.iter().filter_map(|place| Some((place.label(), place.of(&item)?.clone())));
    Ok(values::write_item(found.collect()))
}

fn duplicate(fault: Fault) -> Fault {
    if fault.code == ConditionalCheckFailedException::CODE {
        return DuplicateItemException::new("Duplicate primary key exists in table").into();
    }
    fault
}

fn batch_error(fault: Fault) -> BatchStatementError {
    let code = match fault.code.as_str() {
        "ValidationException" => BatchCode::ValidationError,
        "ResourceNotFoundException" => BatchCode::ResourceNotFound,
        "ConditionalCheckFailedException" => BatchCode::ConditionalCheckFailed,
        "DuplicateItemException" => BatchCode::DuplicateItem,
        "ProvisionedThroughputExceededException" => BatchCode::ProvisionedThroughputExceeded,
        "ItemCollectionSizeLimitExceededException" => BatchCode::ItemCollectionSizeLimitExceeded,
        "TransactionConflictException" => BatchCode::TransactionConflict,
        "AccessDeniedException" => BatchCode::AccessDenied,
        "ThrottlingException" => BatchCode::ThrottlingError,
        _ => BatchCode::InternalServerError,
    };
    BatchStatementError { code: Some(code), message: Some(fault.message), item: None }
}

/// Where the next page begins.
fn write_token(last: Attributes) -> Result<String, Error> {
    Ok(hex::encode(json::write_item(&values::read_item(last)?).to_string()))
}

fn read_token(token: &str) -> Result<Attributes, Error> {
    let wrong = || Error::Invalid("Given NextToken is invalid".to_owned());
    let bytes = hex::decode(token).map_err(|_| wrong())?;
    let key = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    Ok(values::write_item(json::read_item(&key).map_err(|_| wrong())?))
}
