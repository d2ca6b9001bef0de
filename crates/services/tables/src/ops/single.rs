//! `PutItem`, `UpdateItem`, `DeleteItem`, `GetItem`: one item, in one transaction or one read.

use contract::{Arn, Call, Effect, Fault, Handle};
use item::size;
use wire::dynamodb::{
    DeleteItem, DeleteItemInput, DeleteItemOutput, GetItem, GetItemInput, GetItemOutput, PutItem, PutItemInput,
    PutItemOutput, ReturnValue, ReturnValuesOnConditionCheckFailure, UpdateItem, UpdateItemInput, UpdateItemOutput,
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

/// Refuses an item that is too large.
pub(super) fn check_size(item: &item::Item) -> Result<(), Error> {
    match size::item(item) > size::ITEM_BYTES_MAX {
        true => Err(Error::Invalid("Item size has exceeded the maximum allowed size".to_owned())),
        false => Ok(()),
    }
}

/// Refuses an item that is too large, or that an index cannot have.
pub(super) fn check_item(sight: &Sight, item: &item::Item) -> Result<(), Error> {
    check_size(item)?;
    places::check_index_keys(&sight.table, item)
}

impl Handle<PutItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, mut input: PutItemInput) -> Result<PutItemOutput, Fault> {
        let asked = legacy::Asked::of_put(&mut input)?;
        let item = values::read_item(input.item)?;
        check_old_only(input.return_values.as_ref())?;
        check_size(&item)?;
        let condition = asked.condition()?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let place = Place::of_item(&sight.table.keys, &item)?;
        places::check_index_keys(&sight.table, &item)?;
        condition.iter().try_for_each(|condition| condition.check(&sight.table))?;
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Put(item), condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        let metrics = input.return_item_collection_metrics.as_ref();
        Ok(PutItemOutput {
            attributes: old_image(input.return_values.as_ref(), &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: self.collection(metrics, &desk, sight, place).await,
        })
    }
}

impl Handle<DeleteItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, mut input: DeleteItemInput) -> Result<DeleteItemOutput, Fault> {
        let asked = legacy::Asked::of_delete(&mut input)?;
        let key = values::read_item(input.key)?;
        check_old_only(input.return_values.as_ref())?;
        let condition = asked.condition()?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let place = Place::of_key(&sight.table.keys, &key)?;
        condition.iter().try_for_each(|condition| condition.check(&sight.table))?;
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Delete, condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        let metrics = input.return_item_collection_metrics.as_ref();
        Ok(DeleteItemOutput {
            attributes: old_image(input.return_values.as_ref(), &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: self.collection(metrics, &desk, sight, place).await,
        })
    }
}

impl Handle<UpdateItem> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateItemInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, mut input: UpdateItemInput) -> Result<UpdateItemOutput, Fault> {
        let asked = legacy::Asked::of_update(&mut input)?;
        let key = values::read_item(input.key)?;
        let (change, condition) = asked.update()?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let _open = desk.enter().await;
        let sight = desk.current()?;
        let place = Place::of_key(&sight.table.keys, &key)?;
        change.check(&sight.table)?;
        condition.iter().try_for_each(|condition| condition.check(&sight.table))?;
        let touched = change.touched();
        let write = Write { desk: desk.clone(), sight, place, deed: Deed::Update(change), condition, by: By::Caller };
        let wanted = input.return_values_on_condition_check_failure.as_ref();
        let written = self.write(&write).await.map_err(|unwritten| refused(unwritten, wanted))?;
        let Write { sight, place, .. } = &write;
        let metrics = input.return_item_collection_metrics.as_ref();
        Ok(UpdateItemOutput {
            attributes: updated_image(input.return_values.as_ref(), &touched, &written)?,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), sight, &written.spent, Told::Plain),
            item_collection_metrics: self.collection(metrics, &desk, sight, place).await,
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
        let names = input.expression_attribute_names;
        let projection = legacy::projection(input.projection_expression.as_deref(), names, input.attributes_to_get)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let sight = desk.sight();
        let place = Place::of_key(&sight.table.keys, &key)?;
        projection.iter().try_for_each(|projection| projection.check(&sight.table))?;
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
