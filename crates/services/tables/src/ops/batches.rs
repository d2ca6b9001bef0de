//! `BatchGetItem` and `BatchWriteItem`.
//!
//! The writes of a batch are one transaction, where that can hold them all: that is more than DynamoDB promises, and costs one wait for
//! the disk instead of 25.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::dynamodb::{
    BatchGetItem, BatchGetItemInput, BatchGetItemOutput, BatchWriteItem, BatchWriteItemInput, BatchWriteItemOutput,
    KeysAndAttributes, WriteRequest,
};

use super::rights::Rights;
use super::single::{check_item, shown};
use super::{legacy, table_resource};
use crate::capacity::{Purpose, Reads, Spent, Told, consumed};
use crate::desk::Desk;
use crate::model::Scope;
use crate::places::Place;
use crate::question::Projection;
use crate::store::items::Source;
use crate::stored::Stored;
use crate::values::{self, Attributes};
use crate::write::{By, Deed, Unwritten, Write, Written};
use crate::{Error, Tables};

const KEYS_MAX: usize = 100;
const WRITES_MAX: usize = 25;
/// So many bytes of items in one answer.
const BYTES_MAX: usize = 16 << 20;

fn twice() -> Error {
    Error::Invalid("Provided list of item keys contains duplicates".to_owned())
}

/// What is wanted of each item of a table.
fn wanted_parts(wanted: &KeysAndAttributes) -> Result<Option<Projection>, Error> {
    let names = wanted.expression_attribute_names.clone();
    legacy::projection(wanted.projection_expression.as_deref(), names, wanted.attributes_to_get.clone())
}

/// The table that a batch touches, for the audit line: the one, or any.
fn batch_resource<T>(call: &Call, tables: &BTreeMap<String, T>) -> Arn {
    let mut names = tables.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => table_resource(call, only),
        _ => table_resource(call, "*"),
    }
}

impl Handle<BatchGetItem> for Tables {
    const EFFECT: Effect = Effect::Read;
    // Each table is asked about when the call is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &BatchGetItemInput) -> Arn {
        batch_resource(call, &input.request_items)
    }

    async fn handle(&self, call: &Call, input: BatchGetItemInput) -> Result<BatchGetItemOutput, Fault> {
        let tables = input.request_items.keys().map(String::as_str);
        self.check_rights(call, Rights::on_tables(call, "dynamodb:BatchGetItem", tables), &input).await?;
        if input.request_items.values().map(|wanted| wanted.keys.len()).sum::<usize>() > KEYS_MAX {
            return Err(Error::Invalid("Too many items requested for the BatchGetItem call".to_owned()).into());
        }
        let scope = Scope::of(call);
        let snapshot = self.cellar.store.snapshot();
        let mut output = BatchGetItemOutput { responses: Some(BTreeMap::new()), ..Default::default() };
        let projections: Vec<_> = input.request_items.values().map(wanted_parts).collect::<Result<_, _>>()?;
        self.distinct(&scope, input.request_items.keys())?;
        let (mut left, mut paid, mut bytes) = (BTreeMap::new(), Vec::new(), 0);
        let (mut refusal, mut is_any_read) = (None, false);
        for ((name, wanted), projection) in input.request_items.into_iter().zip(projections) {
            let desk = self.desk(&scope, &name)?;
            let sight = desk.sight();
            let KeysAndAttributes { keys, consistent_read, .. } = &wanted;
            projection.iter().try_for_each(|projection| projection.check(&sight.table))?;
            let mut places = Vec::with_capacity(keys.len());
            let mut seen = BTreeSet::new();
            for key in keys {
                let place = Place::of_key(&sight.table.keys, &values::read_item(key.clone())?)?;
                if !seen.insert(place.id()) {
                    return Err(twice().into());
                }
                places.push((place, key.clone()));
            }
            let now_ms = self.now_ms();
            let mut rest: Vec<Attributes> = Vec::new();
            let mut found: Vec<Attributes> = Vec::new();
            let mut spent = Spent::default();
            let admitted = desk.buckets.check(&sight, Purpose::Read, std::iter::empty(), now_ms);
            let mut is_open = admitted.is_ok();
            is_any_read |= is_open;
            refusal = refusal.or(admitted.err());
            for (place, key) in places {
                if !is_open {
                    rest.push(key);
                    continue;
                }
                let item = Source::Snapshot(&snapshot).item(&place.item_key(sight.table.number)).await?;
                let item = item.map(Stored::of_bytes).transpose()?;
                let size = item.as_ref().map_or(0, Stored::size);
                if bytes + size > BYTES_MAX {
                    // It and what follows is for another call.
                    is_open = false;
                    rest.push(key);
                    continue;
                }
                bytes += size;
                spent.table += Reads::of(*consistent_read).units(size);
                if let Some(item) = item {
                    found.push(shown(&item, projection.as_ref())?);
                }
            }
            desk.buckets.spend(&sight, Purpose::Read, &spent, now_ms);
            if !rest.is_empty() {
                left.insert(name.clone(), KeysAndAttributes { keys: rest, ..wanted });
            }
            paid.extend(consumed(input.return_consumed_capacity.as_ref(), &sight, &spent, Told::Plain));
            output.responses.get_or_insert_default().insert(name, found);
        }
        if let Some(error) = refusal.filter(|_| !is_any_read) {
            return Err(error.into());
        }
        output.unprocessed_keys = Some(left);
        output.consumed_capacity = (!paid.is_empty()).then_some(paid);
        Ok(output)
    }
}

impl Handle<BatchWriteItem> for Tables {
    const EFFECT: Effect = Effect::Write;
    // Each table is asked about when the call is read, see `rights.rs`.
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, call: &Call, input: &BatchWriteItemInput) -> Arn {
        batch_resource(call, &input.request_items)
    }

    async fn handle(&self, call: &Call, input: BatchWriteItemInput) -> Result<BatchWriteItemOutput, Fault> {
        let tables = input.request_items.keys().map(String::as_str);
        self.check_rights(call, Rights::on_tables(call, "dynamodb:BatchWriteItem", tables), &input).await?;
        if input.request_items.values().map(Vec::len).sum::<usize>() > WRITES_MAX {
            return Err(Error::Invalid("Too many items requested for the BatchWriteItem call".to_owned()).into());
        }
        let scope = Scope::of(call);
        let desks = self.distinct(&scope, input.request_items.keys())?;
        let mut open = Vec::new();
        for (_, desk) in &desks {
            open.push(desk.enter().await);
        }
        let now_ms = self.now_ms();
        let (mut writes, mut left) = (Vec::new(), BTreeMap::new());
        let mut requests = input.request_items;
        let mut refusal = None;
        for (name, desk) in &desks {
            let wanted = requests.remove(name).unwrap_or_default();
            let read = read_writes(desk, &wanted)?;
            match read.first().map(|write| write.admit(now_ms)) {
                Some(Err(error)) => {
                    refusal = Some(error);
                    left.insert(name.clone(), wanted);
                }
                Some(Ok(())) | None => writes.extend(read),
            }
        }
        if let Some(error) = refusal.filter(|_| writes.is_empty()) {
            return Err(error.into());
        }
        let done = self.write_all(&writes, now_ms).await?;
        let (mut paid, mut metrics) = (Vec::new(), BTreeMap::new());
        for (name, desk) in &desks {
            let mut spent = Spent::default();
            let mut places = Vec::new();
            let own = writes.iter().zip(&done).filter(|(write, _)| write.desk.number == desk.number);
            for (write, written) in own {
                spent.add(&written.spent);
                places.push(&write.place);
            }
            let wanted = input.return_item_collection_metrics.as_ref();
            let sizes = self.collections(wanted, desk, &desk.sight(), places).await;
            paid.extend(consumed(input.return_consumed_capacity.as_ref(), &desk.sight(), &spent, Told::Plain));
            if !sizes.is_empty() {
                metrics.insert(name.clone(), sizes);
            }
        }
        drop(open);
        Ok(BatchWriteItemOutput {
            unprocessed_items: Some(left),
            item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
            consumed_capacity: (!paid.is_empty()).then_some(paid),
        })
    }
}

impl Tables {
    /// Does the writes of a batch, in as few transactions as hold them. What a crash or a full disk cuts off is done up to there, which is
    /// what DynamoDB promises of a batch.
    async fn write_all(&self, writes: &[Write], now_ms: i64) -> Result<Vec<Written>, Error> {
        let mut done = Vec::with_capacity(writes.len());
        let mut parts = vec![writes];
        while let Some(part) = parts.pop() {
            let write = |tx: Transaction| async move {
                let mut written = Vec::with_capacity(part.len());
                for write in part {
                    written.push(write.apply(&tx, now_ms).await?);
                }
                Ok::<_, Unwritten>(written)
            };
            // One write alone may be wide: a long item has an entry in each index, and images of what was and is.
            let fitting = match part.len() {
                1 => Some(self.cellar.transact_wide(write).await?),
                _ => self.cellar.transact_if_it_fits(write).await?,
            };
            match fitting {
                Some(written) => {
                    part.iter().zip(&written).for_each(|(write, written)| write.account(written, now_ms));
                    done.extend(written);
                }
                None => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(done)
    }

    /// The tables of a batch. One that is named by its name and by its ARN is refused: its gate is to be entered once, its items counted
    /// once, and its keys must differ.
    fn distinct<'a>(
        &self,
        scope: &Scope,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<(String, Arc<Desk>)>, Error> {
        let mut desks: Vec<(String, Arc<Desk>)> = Vec::new();
        for name in names {
            let desk = self.desk(scope, name)?;
            if desks.iter().any(|(_, known)| known.number == desk.number) {
                return Err(Error::Invalid(format!("The table {name} is named twice in RequestItems")));
            }
            desks.push((name.clone(), desk));
        }
        Ok(desks)
    }
}

/// The writes of one table, all checked before any is done.
fn read_writes(desk: &Arc<Desk>, wanted: &[WriteRequest]) -> Result<Vec<Write>, Error> {
    let sight = desk.current()?;
    let mut seen = BTreeSet::new();
    let mut writes = Vec::with_capacity(wanted.len());
    for request in wanted {
        let (place, deed) = match (&request.put_request, &request.delete_request) {
            (Some(put), None) => {
                let item = values::read_item(put.item.clone())?;
                let place = Place::of_item(&sight.table.keys, &item)?;
                check_item(&sight, &item)?;
                (place, Deed::Put(item))
            }
            (None, Some(delete)) => {
                (Place::of_key(&sight.table.keys, &values::read_item(delete.key.clone())?)?, Deed::Delete)
            }
            // DynamoDB calls a request a value here.
            (Some(_), Some(_)) => return Err(item::Refusal::ManyTypes.into()),
            (None, None) => return Err(item::Refusal::NoType.into()),
        };
        if !seen.insert(place.id()) {
            return Err(twice());
        }
        let (desk, sight) = (desk.clone(), sight.clone());
        writes.push(Write { desk, sight, place, deed, condition: None, by: By::Caller });
    }
    Ok(writes)
}
