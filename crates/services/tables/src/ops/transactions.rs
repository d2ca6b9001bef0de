//! `TransactWriteItems` and `TransactGetItems`: all or nothing, and serialisable with every other write.
//!
//! Items of a transaction have 4 MB together. Of writes the items as they are put or become count, and the keys of what is deleted or
//! only looked at; of reads the items that are found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest;
use contract::{Arn, Call, Effect, Fault, Handle};
use item::size;
use wire::dynamodb::{
    CancellationReason, ConsumedCapacity, IdempotentParameterMismatchException, ItemCollectionMetrics, ItemResponse,
    ReturnValuesOnConditionCheckFailure, TransactGetItems, TransactGetItemsInput, TransactGetItemsOutput,
    TransactWriteItem, TransactWriteItems, TransactWriteItemsInput, TransactWriteItemsOutput,
    TransactionCanceledException,
};

use super::rights::Rights;
use super::single::{check_item, collection, shown};
use super::{legacy, table_resource};
use crate::capacity::{Purpose, Reads, Spent, Told, consumed};
use crate::desk::{Desk, Sight};
use crate::model::{Keys, Scope};
use crate::places::Place;
use crate::question::{Change, Condition, Questions};
use crate::store::items::Source;
use crate::stored::Stored;
use crate::values::{self, Attributes};
use crate::write::{By, Deed, Unwritten, Write, Written};
use crate::{Error, Tables};

/// So many bytes of items in one transaction.
const BYTES_MAX: usize = 4 << 20;

/// An action as it was read, and whether the caller wants to see what is there when it fails.
struct Action {
    write: Write,
    shows: bool,
}

/// What all kinds of action have in common.
struct Common {
    table: String,
    names: Option<BTreeMap<String, String>>,
    values: Option<Attributes>,
    condition: Option<String>,
    shows: bool,
}

/// What an action is about.
enum Subject {
    Put(Attributes),
    Update(Attributes, String),
    Delete(Attributes),
    Check(Attributes),
}

/// Takes an action apart.
fn parts(action: TransactWriteItem) -> Result<(Common, Subject), Error> {
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
    fn expressions(&mut self, update: Option<&str>, keys: &Keys) -> Result<(Option<Change>, Option<Condition>), Error> {
        if update.is_none() && self.condition.is_none() {
            legacy::check_alone(self.names.is_some(), self.values.is_some(), "ConditionExpression is null")?;
        }
        let mut questions = Questions::new(self.names.take(), self.values.take())?;
        let change = update.map(|update| questions.update(update, keys)).transpose()?;
        let condition = questions.condition(self.condition.as_deref(), keys)?;
        questions.done()?;
        Ok((change, condition))
    }

    fn read(mut self, subject: Subject, desk: &Arc<Desk>, sight: &Arc<Sight>) -> Result<Action, Error> {
        let keys = &sight.table.keys;
        let (place, deed, condition) = match subject {
            Subject::Put(item) => {
                let item = values::read_item(item)?;
                let (_, condition) = self.expressions(None, keys)?;
                let place = Place::of_item(keys, &item)?;
                check_item(sight, &item)?;
                (place, Deed::Put(item), condition)
            }
            Subject::Update(key, update) => {
                let key = values::read_item(key)?;
                let (change, condition) = self.expressions(Some(&update), keys)?;
                (Place::of_key(keys, &key)?, Deed::Update(change.ok_or(Error::Internal)?), condition)
            }
            Subject::Delete(key) => {
                let key = values::read_item(key)?;
                let (_, condition) = self.expressions(None, keys)?;
                (Place::of_key(keys, &key)?, Deed::Delete, condition)
            }
            Subject::Check(key) => {
                let key = values::read_item(key)?;
                let (_, condition) = self.expressions(None, keys)?;
                (Place::of_key(keys, &key)?, Deed::Check, condition)
            }
        };
        let (desk, sight) = (desk.clone(), sight.clone());
        Ok(Action { write: Write { desk, sight, place, deed, condition, by: By::Caller }, shows: self.shows })
    }
}

/// Counts the bytes of items, and refuses them when they are too many together.
#[derive(Default)]
struct Bytes(usize);

impl Bytes {
    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 += bytes;
        match self.0 > BYTES_MAX {
            true => {
                Err(Error::Invalid("The aggregate size of the items in the transaction cannot exceed 4 MB".to_owned()))
            }
            false => Ok(()),
        }
    }
}

impl Action {
    /// What it brings along: an item, or the key of one.
    fn bytes(&self) -> usize {
        match &self.write.deed {
            Deed::Put(item) => size::item(item),
            Deed::Update(_) | Deed::Delete | Deed::Check => {
                size::item(&self.write.place.to_item(&self.write.sight.table.keys))
            }
        }
    }

    /// What it comes to when it is done.
    fn bytes_written(&self, written: &Written) -> usize {
        match &self.write.deed {
            Deed::Update(_) => written.new.as_ref().map_or(0, Stored::size),
            Deed::Put(_) | Deed::Delete | Deed::Check => self.bytes(),
        }
    }
}

/// Why a transaction was not done.
enum Undone {
    Cancelled(Vec<CancellationReason>),
    Mismatch,
    Error(Error),
}

impl From<::store::Error> for Undone {
    fn from(error: ::store::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Undone> for Fault {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Error(error) => error.into(),
            Undone::Mismatch => IdempotentParameterMismatchException::default().into(),
            Undone::Cancelled(reasons) => {
                let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason.code.as_deref()).collect();
                let message = format!(
                    "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                    codes.join(", ")
                );
                let exception =
                    TransactionCanceledException { message: Some(message), cancellation_reasons: Some(reasons) };
                exception.into()
            }
        }
    }
}

fn nothing_wrong() -> CancellationReason {
    CancellationReason { code: Some("None".to_owned()), ..Default::default() }
}

/// What is said of each action when some of them exceed what is provisioned; nothing if none does.
fn exceeded(admitted: Vec<Result<(), Error>>) -> Result<(), Undone> {
    if admitted.iter().all(Result::is_ok) {
        return Ok(());
    }
    let reason = |admitted| match admitted {
        Ok(()) => Ok(nothing_wrong()),
        Err(Error::Exceeded(why)) => Ok(CancellationReason {
            item: None,
            code: Some("ProvisionedThroughputExceeded".to_owned()),
            message: Some(why),
        }),
        Err(error) => Err(error),
    };
    Err(Undone::Cancelled(admitted.into_iter().map(reason).collect::<Result<_, _>>()?))
}

fn reason(action: &Action, unwritten: Unwritten) -> Result<CancellationReason, Error> {
    let told = |code: &str, message: String, item| CancellationReason {
        item,
        code: Some(code.to_owned()),
        message: Some(message),
    };
    match unwritten {
        Unwritten::Condition(there) => {
            let shown = there.filter(|_| action.shows);
            let item = shown.map(|there| Ok::<_, Error>(values::write_packed(&there.packed()?)?)).transpose()?;
            Ok(told("ConditionalCheckFailed", "The conditional request failed".to_owned(), item))
        }
        Unwritten::Error(Error::Invalid(why)) => Ok(told("ValidationError", why, None)),
        Unwritten::Error(error) => Err(error),
    }
}

impl Tables {
    /// Does all of them in one transaction, or none; nothing if the token says that they were done.
    async fn act(
        &self,
        scope: &Scope,
        actions: &[Action],
        token: Option<(&str, [u8; 32])>,
        now_ms: i64,
    ) -> Result<Vec<Written>, Undone> {
        let tried = |tx: ::store::Transaction| async move {
            if let Some((token, digest)) = token {
                match self.cellar.done_before(&tx, scope, token, now_ms).await? {
                    Some(same) if same == digest => return Ok(Vec::new()),
                    Some(_) => return Err(Undone::Mismatch),
                    None => self.cellar.note_done(&tx, scope, token, &digest, now_ms),
                }
            }
            let (mut done, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
            let mut bytes = Bytes::default();
            for action in actions {
                match action.write.apply(&tx, now_ms).await {
                    Ok(written) => {
                        bytes.add(action.bytes_written(&written))?;
                        done.push(written);
                        reasons.push(nothing_wrong());
                    }
                    Err(unwritten) => {
                        failed = true;
                        reasons.push(reason(action, unwritten)?);
                    }
                }
            }
            if failed { Err(Undone::Cancelled(reasons)) } else { Ok(done) }
        };
        self.cellar.store.transact(tried).await
    }
}

impl Handle<TransactWriteItems> for Tables {
    const EFFECT: Effect = Effect::Write;
    // Each table is asked about when the call is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &TransactWriteItemsInput) -> Arn {
        transaction_resource(
            call,
            input.transact_items.iter().map(|action| {
                let check = action.condition_check.as_ref().map(|given| &given.table_name);
                let put = action.put.as_ref().map(|given| &given.table_name);
                let delete = action.delete.as_ref().map(|given| &given.table_name);
                let update = action.update.as_ref().map(|given| &given.table_name);
                check.or(put).or(delete).or(update).map_or("*", String::as_str)
            }),
        )
    }

    async fn handle(&self, call: &Call, input: TransactWriteItemsInput) -> Result<TransactWriteItemsOutput, Fault> {
        self.check_rights(call, Rights::of_transaction(call, &input.transact_items)).await?;
        self.transact_writes(call, input).await
    }
}

impl Tables {
    /// Does what a caller who may asks for.
    pub(super) async fn transact_writes(
        &self,
        call: &Call,
        input: TransactWriteItemsInput,
    ) -> Result<TransactWriteItemsOutput, Fault> {
        let scope = Scope::of(call);
        let token = input.client_request_token.as_deref().map(|token| (token, request_digest(&input.transact_items)));
        let mut read = Vec::with_capacity(input.transact_items.len());
        for action in input.transact_items.clone() {
            let (common, subject) = parts(action)?;
            let desk = self.desk(&scope, &common.table)?;
            read.push((common, subject, desk));
        }
        let mut desks: Vec<Arc<Desk>> = read.iter().map(|(_, _, desk)| desk.clone()).collect();
        desks.sort_by_key(|desk| desk.number);
        desks.dedup_by_key(|desk| desk.number);
        let mut open = Vec::with_capacity(desks.len());
        for desk in &desks {
            open.push(desk.enter().await);
        }
        let mut actions = Vec::with_capacity(read.len());
        let mut seen = BTreeSet::new();
        for (common, subject, desk) in read {
            let sight = desk.current()?;
            let action = common.read(subject, &desk, &sight)?;
            if !seen.insert((desk.number, action.write.place.id())) {
                return Err(Error::Invalid(
                    "Transaction request cannot include multiple operations on one item".to_owned(),
                )
                .into());
            }
            actions.push(action);
        }
        let mut bytes = Bytes::default();
        actions.iter().try_for_each(|action| bytes.add(action.bytes()))?;
        let now_ms = self.now_ms();
        exceeded(actions.iter().map(|action| action.write.admit(now_ms)).collect())?;
        let mut done = self.act(&scope, &actions, token, now_ms).await?;
        for (action, written) in actions.iter().zip(&mut done) {
            written.spent = written.spent.twice();
            action.write.account(written, now_ms);
        }
        drop(open);
        Ok(answer(&input, &desks, &actions, &done))
    }
}

fn answer(
    input: &TransactWriteItemsInput,
    desks: &[Arc<Desk>],
    actions: &[Action],
    done: &[Written],
) -> TransactWriteItemsOutput {
    let (mut paid, mut metrics): (Vec<ConsumedCapacity>, BTreeMap<String, Vec<ItemCollectionMetrics>>) =
        Default::default();
    for desk in desks {
        let mut spent = Spent::default();
        let mut sizes = Vec::new();
        let own = actions.iter().zip(done).filter(|(action, _)| action.write.desk.number == desk.number);
        for (Action { write, .. }, written) in own {
            spent.add(&written.spent);
            sizes.extend(collection(input.return_item_collection_metrics.as_ref(), &write.sight, &write.place));
        }
        let sight = desk.sight();
        // A transaction that was done before costs what it takes to look that up.
        paid.extend(consumed(input.return_consumed_capacity.as_ref(), &sight, &spent, Told::Writes));
        if !sizes.is_empty() {
            metrics.insert(sight.table.name.clone(), sizes);
        }
    }
    TransactWriteItemsOutput {
        consumed_capacity: (!paid.is_empty()).then_some(paid),
        item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
    }
}

/// What tells one request from another that has the same token.
fn request_digest(actions: &[TransactWriteItem]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for action in actions {
        context.update(wire::document::write(action).to_string().as_bytes());
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

fn transaction_resource<'a>(call: &Call, tables: impl Iterator<Item = &'a str>) -> Arn {
    let tables: BTreeSet<&str> = tables.collect();
    match tables.first() {
        Some(only) if tables.len() == 1 => table_resource(call, only),
        Some(_) | None => table_resource(call, "*"),
    }
}

impl Handle<TransactGetItems> for Tables {
    const EFFECT: Effect = Effect::Read;
    // Each table is asked about when the call is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &TransactGetItemsInput) -> Arn {
        transaction_resource(call, input.transact_items.iter().map(|action| action.get.table_name.as_str()))
    }

    async fn handle(&self, call: &Call, input: TransactGetItemsInput) -> Result<TransactGetItemsOutput, Fault> {
        let tables = input.transact_items.iter().map(|action| action.get.table_name.as_str());
        self.check_rights(call, Rights::on_tables(call, "dynamodb:GetItem", tables)).await?;
        self.transact_gets(call, input).await
    }
}

impl Tables {
    /// Reads what a caller who may asks for.
    pub(super) async fn transact_gets(
        &self,
        call: &Call,
        input: TransactGetItemsInput,
    ) -> Result<TransactGetItemsOutput, Fault> {
        let scope = Scope::of(call);
        // One snapshot is one moment, so nothing between the reads can be seen.
        let snapshot = self.cellar.store.snapshot();
        let mut spent: BTreeMap<u64, (Arc<Desk>, Spent)> = BTreeMap::new();
        let (mut places, mut admitted, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let now_ms = self.now_ms();
        for action in input.transact_items {
            let get = action.get;
            let desk = self.desk(&scope, &get.table_name)?;
            let sight = desk.sight();
            let projection =
                legacy::projection(get.projection_expression.as_deref(), get.expression_attribute_names, None)?;
            let place = Place::of_key(&sight.table.keys, &values::read_item(get.key)?)?;
            if !seen.insert((desk.number, place.id())) {
                return Err(Error::Invalid(
                    "Transaction request cannot include multiple operations on one item".to_owned(),
                )
                .into());
            }
            admitted.push(desk.buckets.check(&sight, Purpose::Read, std::iter::empty(), now_ms));
            places.push((desk, place, projection));
        }
        exceeded(admitted)?;
        let (mut responses, mut bytes) = (Vec::with_capacity(places.len()), Bytes::default());
        for (desk, place, projection) in places {
            let found = Source::Snapshot(&snapshot).item(&place.item_key(desk.number)).await?;
            let found = found.map(Stored::of_bytes).transpose()?;
            bytes.add(found.as_ref().map_or(0, Stored::size))?;
            let units = Reads::Transactional.units(found.as_ref().map_or(0, Stored::size));
            spent.entry(desk.number).or_insert_with(|| (desk.clone(), Spent::default())).1.table += units;
            let item = found.map(|found| shown(&found, projection.as_ref())).transpose()?;
            responses.push(ItemResponse { item });
        }
        let mut paid = Vec::new();
        for (desk, spent) in spent.values() {
            desk.buckets.spend(&desk.sight(), Purpose::Read, spent, now_ms);
            paid.extend(consumed(input.return_consumed_capacity.as_ref(), &desk.sight(), spent, Told::Reads));
        }
        Ok(TransactGetItemsOutput { consumed_capacity: (!paid.is_empty()).then_some(paid), responses: Some(responses) })
    }
}
