//! `TransactWriteItems` and `TransactGetItems`: all or nothing, and serialisable with every other write.
//!
//! Items of a transaction have 4 MB together. Of writes the items as they are put or become count, and the keys of what is deleted or
//! only looked at; of reads the items that are found.

mod actions;
mod undone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    ConsumedCapacity, ItemCollectionMetrics, ItemResponse, TransactGetItems, TransactGetItemsInput,
    TransactGetItemsOutput, TransactWriteItem, TransactWriteItems, TransactWriteItemsInput, TransactWriteItemsOutput,
};

use self::actions::Action;
pub(super) use self::actions::{Subject, parts};
use self::undone::{Undone, all_or_reasons, conflicting, nothing_wrong, reason};
use super::rights::{Right, Rights};
use super::single::shown;
use super::{legacy, table_resource};
use crate::capacity::{Purpose, Reads, Spent, Told, consumed};
use crate::desk::Desk;
use crate::model::Scope;
use crate::places::Place;
use crate::store::items::Source;
use crate::stored::Stored;
use crate::values;
use crate::write::Written;
use crate::{Error, Tables};

/// So many bytes of items in one transaction.
const BYTES_MAX: usize = 4 << 20;

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

/// Refuses a second action on one item. Those that have no place are refused by themselves.
fn check_twice<'a>(places: impl Iterator<Item = (u64, &'a Place)>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (desk, place) in places {
        if !seen.insert((desk, place.id())) {
            return Err(Error::Invalid(
                "Transaction request cannot include multiple operations on one item".to_owned(),
            ));
        }
    }
    Ok(())
}

/// What became of a transaction.
enum Done {
    /// It was done now.
    Now(Vec<Written>),
    /// Its token says that it was done before. How large the items are now: they were read for the answer.
    Before(Vec<usize>),
}

impl Tables {
    /// Does all of them in one transaction, or none; and none if the token says that they were done.
    async fn act(
        &self,
        scope: &Scope,
        actions: &[Action],
        token: Option<(&str, [u8; 32])>,
        now_ms: i64,
    ) -> Result<Done, Undone> {
        let tried = |tx: ::store::Transaction| async move {
            if let Some((token, digest)) = token {
                match self.cellar.done_before(&tx, scope, token, now_ms).await? {
                    Some(same) if same == digest => return Ok(Done::Before(sizes(&tx, actions).await?)),
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
            if failed { Err(Undone::Cancelled(reasons)) } else { Ok(Done::Now(done)) }
        };
        self.cellar.transact_wide(tried).await.map_err(|undone| match undone {
            Undone::Conflict => conflicting(actions.len()),
            other => other,
        })
    }
}

/// How large the items are that actions speak of.
async fn sizes(tx: &::store::Transaction, actions: &[Action]) -> Result<Vec<usize>, Error> {
    let mut sizes = Vec::with_capacity(actions.len());
    for Action { write, .. } in actions {
        let found = Source::Transaction(tx).item(&write.place.item_key(write.desk.number)).await?;
        sizes.push(found.map(Stored::of_bytes).transpose()?.as_ref().map_or(0, Stored::size));
    }
    Ok(sizes)
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
        let mut rights = Rights::default();
        for (entry, action) in input.transact_items.iter().enumerate() {
            Right::of_action(call, action).into_iter().for_each(|right| rights.add(entry, right));
        }
        self.check_rights(call, rights, &input).await?;
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
        let mut sent = Vec::with_capacity(input.transact_items.len());
        for action in input.transact_items.clone() {
            let (common, subject) = parts(action)?;
            sent.push(common.read(subject)?);
        }
        let all = sent.iter().map(|sent| self.desk(&scope, &sent.table)).collect::<Result<Vec<_>, _>>()?;
        let mut desks = all.clone();
        desks.sort_by_key(|desk| desk.number);
        desks.dedup_by_key(|desk| desk.number);
        let mut open = Vec::with_capacity(desks.len());
        for desk in &desks {
            open.push(desk.enter().await);
        }
        let actions: Vec<Result<Action, Error>> =
            sent.into_iter().zip(&all).map(|(sent, desk)| sent.on(desk, &desk.current()?)).collect();
        check_twice(actions.iter().flatten().map(|action| (action.write.desk.number, &action.write.place)))?;
        let actions = all_or_reasons(actions)?;
        let mut bytes = Bytes::default();
        actions.iter().try_for_each(|action| bytes.add(action.bytes()))?;
        let now_ms = self.now_ms();
        all_or_reasons(actions.iter().map(|action| action.write.admit(now_ms)).collect())?;
        let (spent, told) = match self.act(&scope, &actions, token, now_ms).await? {
            Done::Now(mut done) => {
                for (action, written) in actions.iter().zip(&mut done) {
                    written.spent = written.spent.twice();
                    action.write.account(written, now_ms);
                }
                (done.into_iter().map(|written| written.spent).collect(), Told::Writes)
            }
            Done::Before(sizes) => {
                let spent = sizes.into_iter().map(|size| Spent::on_table(Reads::Transactional.units(size)));
                let spent: Vec<Spent> = spent.collect();
                for (Action { write, .. }, spent) in actions.iter().zip(&spent) {
                    write.desk.buckets.spend(&write.sight, Purpose::Read, spent, now_ms);
                }
                (spent, Told::Reads)
            }
        };
        drop(open);
        Ok(self.transacted(&input, &desks, &actions, &spent, told).await)
    }
}

impl Tables {
    async fn transacted(
        &self,
        input: &TransactWriteItemsInput,
        desks: &[Arc<Desk>],
        actions: &[Action],
        each: &[Spent],
        told: Told,
    ) -> TransactWriteItemsOutput {
        let (mut paid, mut metrics): (Vec<ConsumedCapacity>, BTreeMap<String, Vec<ItemCollectionMetrics>>) =
            Default::default();
        for desk in desks {
            let mut spent = Spent::default();
            let mut places = Vec::new();
            let own = actions.iter().zip(each).filter(|(action, _)| action.write.desk.number == desk.number);
            for (Action { write, .. }, one) in own {
                spent.add(one);
                places.push(&write.place);
            }
            let sight = desk.sight();
            let wanted = input.return_item_collection_metrics.as_ref();
            let sizes = self.collections(wanted, desk, &sight, places).await;
            paid.extend(consumed(input.return_consumed_capacity.as_ref(), &sight, &spent, told));
            if !sizes.is_empty() {
                metrics.insert(sight.table.name.clone(), sizes);
            }
        }
        TransactWriteItemsOutput {
            consumed_capacity: (!paid.is_empty()).then_some(paid),
            item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
        }
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
        self.check_rights(call, Rights::on_tables(call, "dynamodb:GetItem", tables), &input).await?;
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
        let now_ms = self.now_ms();
        let mut gets = Vec::with_capacity(input.transact_items.len());
        for get in input.transact_items.into_iter().map(|action| action.get) {
            let (text, names) = (get.projection_expression, get.expression_attribute_names);
            gets.push((get.table_name, values::read_item(get.key)?, legacy::projection(text.as_deref(), names, None)?));
        }
        let mut wanted = Vec::with_capacity(gets.len());
        for (table, key, projection) in gets {
            let desk = self.desk(&scope, &table)?;
            let sight = desk.sight();
            let place = Place::of_key(&sight.table.keys, &key).and_then(|place| {
                projection.iter().try_for_each(|projection| projection.check(&sight.table))?;
                Ok(place)
            });
            wanted.push(place.map(|place| (desk, place, projection)));
        }
        check_twice(wanted.iter().flatten().map(|(desk, place, _)| (desk.number, place)))?;
        let places = all_or_reasons(wanted)?;
        let admit = |desk: &Desk| desk.buckets.check(&desk.sight(), Purpose::Read, std::iter::empty(), now_ms);
        all_or_reasons(places.iter().map(|(desk, ..)| admit(desk)).collect())?;
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
