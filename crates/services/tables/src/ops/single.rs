//! `PutItem`, `UpdateItem`, `DeleteItem`, `GetItem`: one item, in one transaction or one read.

use contract::{Arn, Call, Effect, Fault, Handle};
use item::size;
use wire::dynamodb::{
    DeleteItem, DeleteItemInput, DeleteItemOutput, GetItem, GetItemInput, GetItemOutput, ItemCollectionMetrics,
    PutItem, PutItemInput, PutItemOutput, ReturnItemCollectionMetrics, ReturnValue,
    ReturnValuesOnConditionCheckFailure, UpdateItem, UpdateItemInput, UpdateItemOutput,
};

use super::{legacy, table_resource};
use crate::capacity::{Purpose, Reads, Spent, Told, consumed};
use crate::desk::Sight;
use crate::model::Scope;
use crate::places::{self, Place};
use crate::question::Projection;
use crate::store::items::Source;
use crate::stored::Stored;
use crate::values::{self, Attributes};
use crate::write::{By, Deed, Unwritten, Write, Written, failed_condition};
use crate::{Error, Tables};

/// The refusal of a write; with the item that is there, if the caller wants to see it.
fn refusal(unwritten: Unwritten, wanted: Option<&ReturnValuesOnConditionCheckFailure>) -> Result<Fault, Error> {
    match unwritten {
        Unwritten::Error(error) => Ok(error.into()),
        Unwritten::Condition(there) => {
            let shown = there.filter(|_| wanted == Some(&ReturnValuesOnConditionCheckFailure::AllOld));
            let item = shown.map(|there| Ok::<_, Error>(values::write_packed(&there.packed()?)?)).transpose()?;
            Ok(failed_condition(item).into())
        }
    }
}

fn refused(unwritten: Unwritten, wanted: Option<&ReturnValuesOnConditionCheckFailure>) -> Fault {
    refusal(unwritten, wanted).unwrap_or_else(Fault::from)
}

fn whole(stored: Option<&Stored>) -> Result<Option<Attributes>, Error> {
    stored.map(|stored| Ok(values::write_packed(&stored.packed()?)?)).transpose()
}

/// What a put or a delete answers of the item that was there.
fn old_image(wanted: Option<&ReturnValue>, written: &Written) -> Result<Option<Attributes>, Error> {
    match wanted {
        Some(ReturnValue::AllOld) => whole(written.old.as_ref()),
        Some(_) | None => Ok(None),
    }
}

fn check_old_only(wanted: Option<&ReturnValue>) -> Result<(), Error> {
    match wanted {
        None | Some(ReturnValue::None | ReturnValue::AllOld) => Ok(()),
        Some(_) => Err(Error::Invalid("ReturnValues can only be ALL_OLD or NONE".to_owned())),
    }
}

/// How large the items of one hash key are together, where local indexes make that count.
pub(super) fn collection(
    wanted: Option<&ReturnItemCollectionMetrics>,
    sight: &Sight,
    place: &Place,
) -> Option<ItemCollectionMetrics> {
    if wanted != Some(&ReturnItemCollectionMetrics::Size) || sight.table.locals.is_empty() {
        return None;
    }
    let key = [(sight.table.keys.hash.name.clone(), values::write(place.hash.clone()))].into();
    Some(ItemCollectionMetrics { item_collection_key: Some(key), size_estimate_range_gb: Some(vec![0.0, 1.0]) })
}

/// Refuses an item that is too large, or that an index cannot have.
pub(super) fn check_item(sight: &Sight, item: &item::Item) -> Result<(), Error> {
    if size::item(item) > size::ITEM_BYTES_MAX {
        return Err(Error::Invalid("Item size has exceeded the maximum allowed size".to_owned()));
    }
    places::check_index_keys(&sight.table, item)
}

impl Handle<PutItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: PutItemInput) -> Result<PutItemOutput, Fault> {
        check_old_only(input.return_values.as_ref())?;
        let item = values::read_item(input.item)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let asked = legacy::Asked {
            expression: input.condition_expression.as_deref(),
            names: input.expression_attribute_names,
            values: input.expression_attribute_values,
            expected: input.expected,
            operator: input.conditional_operator,
        };
        let condition = asked.condition(&sight.table.keys)?;
        let place = Place::of_item(&sight.table.keys, &item)?;
        check_item(&sight, &item)?;
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Put(item), condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        Ok(PutItemOutput {
            attributes: old_image(input.return_values.as_ref(), &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: collection(input.return_item_collection_metrics.as_ref(), sight, place),
        })
    }
}

impl Handle<DeleteItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: DeleteItemInput) -> Result<DeleteItemOutput, Fault> {
        check_old_only(input.return_values.as_ref())?;
        let key = values::read_item(input.key)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let asked = legacy::Asked {
            expression: input.condition_expression.as_deref(),
            names: input.expression_attribute_names,
            values: input.expression_attribute_values,
            expected: input.expected,
            operator: input.conditional_operator,
        };
        let condition = asked.condition(&sight.table.keys)?;
        let place = Place::of_key(&sight.table.keys, &key)?;
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Delete, condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        Ok(DeleteItemOutput {
            attributes: old_image(input.return_values.as_ref(), &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: collection(input.return_item_collection_metrics.as_ref(), sight, place),
        })
    }
}

impl Handle<UpdateItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: UpdateItemInput) -> Result<UpdateItemOutput, Fault> {
        let key = values::read_item(input.key)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let asked = legacy::Asked {
            expression: input.condition_expression.as_deref(),
            names: input.expression_attribute_names,
            values: input.expression_attribute_values,
            expected: input.expected,
            operator: input.conditional_operator,
        };
        let update = input.update_expression.as_deref();
        let (change, condition) = asked.update(update, input.attribute_updates, &sight.table.keys)?;
        let place = Place::of_key(&sight.table.keys, &key)?;
        let touched = change.touched();
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Update(change), condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        Ok(UpdateItemOutput {
            attributes: updated_image(input.return_values.as_ref(), &touched, &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: collection(input.return_item_collection_metrics.as_ref(), sight, place),
        })
    }
}

/// What an update answers of the item.
fn updated_image(
    wanted: Option<&ReturnValue>,
    touched: &Projection,
    written: &Written,
) -> Result<Option<Attributes>, Error> {
    let part = |stored: Option<&Stored>| {
        let taken = stored.map(|stored| Ok::<_, Error>(values::write_item(touched.take(stored)?))).transpose()?;
        Ok(taken.filter(|taken| !taken.is_empty()))
    };
    match wanted {
        Some(ReturnValue::AllOld) => whole(written.old.as_ref()),
        Some(ReturnValue::AllNew) => whole(written.new.as_ref()),
        Some(ReturnValue::UpdatedOld) => part(written.old.as_ref()),
        Some(ReturnValue::UpdatedNew) => part(written.new.as_ref()),
        Some(ReturnValue::None | ReturnValue::Other(_)) | None => Ok(None),
    }
}

impl Handle<GetItem> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: GetItemInput) -> Result<GetItemOutput, Fault> {
        let key = values::read_item(input.key)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let sight = desk.sight();
        let projection = legacy::projection(
            input.projection_expression.as_deref(),
            input.expression_attribute_names,
            input.attributes_to_get,
        )?;
        let place = Place::of_key(&sight.table.keys, &key)?;
        let now_ms = self.now_ms();
        desk.buckets.check(&sight, Purpose::Read, std::iter::empty(), now_ms)?;
        let snapshot = self.cellar.store.snapshot();
        let found = Source::Snapshot(&snapshot).item(&place.item_key(sight.table.number)).await?;
        let found = found.map(Stored::of_bytes).transpose()?;
        let units = Reads::of(input.consistent_read).units(found.as_ref().map_or(0, Stored::size));
        let spent = Spent::on_table(units);
        desk.buckets.spend(&sight, Purpose::Read, &spent, now_ms);
        Ok(GetItemOutput {
            item: found.as_ref().map(|found| shown(found, projection.as_ref())).transpose()?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), &sight, &spent, Told::Plain),
        })
    }
}

/// An item, or what is wanted of it.
pub(super) fn shown(stored: &Stored, projection: Option<&Projection>) -> Result<Attributes, Error> {
    match projection {
        Some(projection) => Ok(values::write_item(projection.take(stored)?)),
        None => Ok(values::write_packed(&stored.packed()?)?),
    }
}
