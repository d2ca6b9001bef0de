//! A read, as queries of the partitions that its condition names, one behind the other, or as a scan where it names none.
//!
//! A page goes on behind the item where it ended. Between two partitions there is no such item, so there the token names the partition
//! that comes next, by its hash key alone; where a partition has one item at the most it names the item of the one before.

use contract::{Call, Fault, Handle};
use item::partiql::{Phrases, Plan, Select, Turned};
use item::{Value, key};
use wire::dynamodb::{Capacity, ConsumedCapacity, QueryInput, ReturnConsumedCapacity, Scan, ScanInput};

use super::answers::{invalid_token, taken};
use super::{Outcome, Terms, placeholders, range_name};
use crate::model::Scope;
use crate::read::View;
use crate::values::{self, Attributes};
use crate::{Error, Tables};

/// What a full page costs; a consistent one costs twice that.
const PAGE_UNITS: f64 = 128.0;

impl Tables {
    pub(super) async fn select(&self, call: &Call, select: Select, terms: Terms) -> Result<Outcome, Fault> {
        let view = self.view(&Scope::of(call), &select)?;
        if view.global().is_some() && terms.consistent == Some(true) {
            let why = "Strongly consistent read is not supported on Global Secondary Indexes";
            return Err(Error::Invalid(why.to_owned()).into());
        }
        let keys = view.keys();
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(keys));
        let turned = plan.check_order(&select.order, range_name(keys)).map_err(Error::from)?;
        let mut outcome = match plan.is_query() {
            true => self.read_partitions(call, (&select, &plan, turned), &view, terms).await?,
            false => self.read_all(call, (&select, &plan), terms).await?,
        };
        let items = outcome.items.into_iter().map(|item| taken(item, &select.places));
        outcome.items = items.collect::<Result<_, Error>>()?;
        Ok(outcome)
    }

    async fn read_all(
        &self,
        call: &Call,
        (select, plan): (&Select, &Plan<'_>),
        terms: Terms,
    ) -> Result<Outcome, Fault> {
        let mut phrases = Phrases::default();
        let filter = plan.rest(&mut phrases);
        let (names, values) = placeholders(phrases);
        let input = ScanInput {
            table_name: select.table.clone(),
            index_name: select.index.clone(),
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
        let items = page.items.unwrap_or_default();
        Ok(Outcome { items, last: page.last_evaluated_key, capacity: page.consumed_capacity })
    }

    async fn read_partitions(
        &self,
        call: &Call,
        (select, plan, turned): (&Select, &Plan<'_>, Turned),
        view: &View,
        terms: Terms,
    ) -> Result<Outcome, Fault> {
        let partitions = in_order(plan.partitions().to_vec(), turned);
        let (first, mut start) = going_on(&partitions, view, terms.start)?;
        // What it costs says when the page is full, whether or not the caller wants to know.
        let is_told = matches!(terms.capacity, Some(ReturnConsumedCapacity::Indexes | ReturnConsumedCapacity::Total));
        let asked = terms.capacity.clone().filter(|_| is_told).unwrap_or(ReturnConsumedCapacity::Total);
        let full = if terms.consistent == Some(true) { 2.0 * PAGE_UNITS } else { PAGE_UNITS };
        let (mut outcome, mut scanned) = (Outcome::default(), 0);
        for (at, partition) in partitions.iter().enumerate().skip(first) {
            let mut phrases = Phrases::default();
            let key_condition = plan.key_condition(partition, &mut phrases);
            let filter = plan.rest(&mut phrases);
            let (names, values) = placeholders(phrases);
            let input = QueryInput {
                table_name: select.table.clone(),
                index_name: select.index.clone(),
                key_condition_expression: Some(key_condition),
                filter_expression: filter,
                expression_attribute_names: names,
                expression_attribute_values: values,
                consistent_read: terms.consistent,
                limit: terms.limit.map(|limit| limit - scanned),
                exclusive_start_key: start.take(),
                scan_index_forward: Some(!turned.items),
                return_consumed_capacity: Some(asked.clone()),
                ..Default::default()
            };
            let page = self.query_for_statement(call, input).await?;
            scanned += page.scanned_count.unwrap_or_default();
            outcome.items.extend(page.items.unwrap_or_default());
            add(&mut outcome.capacity, page.consumed_capacity);
            // A query that has read as many as it may says where it ended, so the limit is never used up here without that.
            outcome.last = page.last_evaluated_key;
            let is_full = units(outcome.capacity.as_ref()) >= full;
            match partitions.get(at + 1) {
                _ if outcome.last.is_some() => break,
                Some(next) if is_full => {
                    outcome.last = Some(between(view, partition, next));
                    break;
                }
                Some(_) | None => {}
            }
        }
        outcome.capacity = outcome.capacity.filter(|_| is_told);
        Ok(outcome)
    }
}

/// The partitions in the order in which they are read.
fn in_order(mut partitions: Vec<&Value>, turned: Turned) -> Vec<&Value> {
    if let Some(descending) = turned.partitions {
        partitions.sort_by_cached_key(|value| key::encode(value).map(|bytes| bytes.to_vec()));
        if descending {
            partitions.reverse();
        }
    }
    partitions
}

/// Which partition a page begins in, and behind which item of it.
fn going_on(
    partitions: &[&Value],
    view: &View,
    start: Option<Attributes>,
) -> Result<(usize, Option<Attributes>), Error> {
    let Some(mut start) = start else { return Ok((0, None)) };
    let name = &view.keys().hash.name;
    let hash = values::read(start.remove(name).ok_or_else(invalid_token)?)?;
    let first = partitions.iter().position(|partition| **partition == hash).ok_or_else(invalid_token)?;
    let is_item = !start.is_empty() || is_alone(view);
    start.insert(name.clone(), values::write(hash));
    Ok((first, is_item.then_some(start)))
}

/// Where a page goes on that ended with a partition.
fn between(view: &View, read: &Value, next: &Value) -> Attributes {
    let hash = if is_alone(view) { read } else { next };
    Attributes::from([(view.keys().hash.name.clone(), values::write(hash.clone()))])
}

/// Whether each partition has one item at the most, whose hash key says all of where it lies: so it is with an index too that has the key
/// of its table.
fn is_alone(view: &View) -> bool {
    let (keys, table) = (view.keys(), &view.sight.table.keys);
    keys.range.is_none() && table.range.is_none() && keys.hash.name == table.hash.name
}

fn units(spent: Option<&ConsumedCapacity>) -> f64 {
    spent.and_then(|spent| spent.capacity_units).unwrap_or_default()
}

fn add(sum: &mut Option<ConsumedCapacity>, more: Option<ConsumedCapacity>) {
    let Some(more) = more else { return };
    let Some(sum) = sum else {
        *sum = Some(more);
        return;
    };
    let plus =
        |sum: &mut Option<f64>, more: Option<f64>| *sum = Some(sum.unwrap_or_default() + more.unwrap_or_default());
    let plus_capacity = |sum: &mut Capacity, more: &Capacity| plus(&mut sum.capacity_units, more.capacity_units);
    plus(&mut sum.capacity_units, more.capacity_units);
    if let (Some(sum), Some(more)) = (&mut sum.table, &more.table) {
        plus_capacity(sum, more);
    }
    let indexes = [
        (&mut sum.local_secondary_indexes, more.local_secondary_indexes),
        (&mut sum.global_secondary_indexes, more.global_secondary_indexes),
    ];
    for (sum, more) in indexes {
        for (name, more) in more.unwrap_or_default() {
            plus_capacity(sum.get_or_insert_default().entry(name).or_default(), &more);
        }
    }
}
