//! `BatchGetItem` and `BatchWriteItem`.
//!
//! The writes of a batch are one transaction: that is more than DynamoDB promises, and costs one wait for the disk instead of 25.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    BatchGetItem, BatchGetItemInput, BatchGetItemOutput, BatchWriteItem, BatchWriteItemInput, BatchWriteItemOutput,
    KeysAndAttributes, WriteRequest,
};

use super::rights::Rights;
use super::single::{check_item, collection, shown};
use super::{legacy, table_resource};
use crate::capacity::{Purpose, Reads, Spent, Told, consumed};
use crate::desk::Desk;
use crate::model::Scope;
use crate::places::Place;
use crate::store::items::Source;
use crate::stored::Stored;
use crate::values::{self, Attributes};
use crate::write::{By, Deed, Unwritten, Write};
use crate::{Error, Tables};

const KEYS_MAX: usize = 100;
const WRITES_MAX: usize = 25;
/// So many bytes of items in one answer.
const BYTES_MAX: usize = 16 << 20;

fn twice() -> Error {
    Error::Invalid("Provided list of item keys contains duplicates".to_owned())
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
        self.check_rights(call, Rights::on_tables(call, "dynamodb:BatchGetItem", tables)).await?;
        if input.request_items.values().map(|wanted| wanted.keys.len()).sum::<usize>() > KEYS_MAX {
            return Err(Error::Invalid("Too many items requested for the BatchGetItem call".to_owned()).into());
        }
        let scope = Scope::of(call);
        let snapshot = self.cellar.store.snapshot();
        let mut output = BatchGetItemOutput { responses: Some(BTreeMap::new()), ..Default::default() };
        let (mut left, mut paid, mut bytes) = (BTreeMap::new(), Vec::new(), 0);
        for (name, wanted) in input.request_items {
            let desk = self.desk(&scope, &name)?;
            let sight = desk.sight();
            let KeysAndAttributes { keys, attributes_to_get, consistent_read, projection_expression, .. } = &wanted;
            let projection = legacy::projection(
                projection_expression.as_deref(),
                wanted.expression_attribute_names.clone(),
                attributes_to_get.clone(),
            )?;
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
            let mut is_open = desk.buckets.check(&sight, Purpose::Read, std::iter::empty(), now_ms).is_ok();
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
        self.check_rights(call, Rights::on_tables(call, "dynamodb:BatchWriteItem", tables)).await?;
        if input.request_items.values().map(Vec::len).sum::<usize>() > WRITES_MAX {
            return Err(Error::Invalid("Too many items requested for the BatchWriteItem call".to_owned()).into());
        }
        let scope = Scope::of(call);
        let mut desks = Vec::new();
        for name in input.request_items.keys() {
            let desk = self.desk(&scope, name)?;
            // By its name and by its ARN: its gate is to be entered once, and its items counted once.
            if desks.iter().any(|(_, known): &(String, Arc<Desk>)| known.number == desk.number) {
                return Err(Error::Invalid(format!("The table {name} is named twice in RequestItems")).into());
            }
            desks.push((name.clone(), desk));
        }
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
        let all = &writes;
        let done = self.cellar.store.transact(|tx| async move {
            let mut done = Vec::with_capacity(all.len());
            for write in all {
                done.push(write.apply(&tx, now_ms).await?);
            }
            Ok::<_, Unwritten>(done)
        });
        let done = done.await.map_err(Error::from)?;
        let (mut paid, mut metrics) = (Vec::new(), BTreeMap::new());
        for (name, desk) in &desks {
            let mut spent = Spent::default();
            let mut sizes = Vec::new();
            let own = writes.iter().zip(&done).filter(|(write, _)| write.desk.number == desk.number);
            for (write, written) in own {
                write.account(written, now_ms);
                spent.add(&written.spent);
                sizes.extend(collection(input.return_item_collection_metrics.as_ref(), &write.sight, &write.place));
            }
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
