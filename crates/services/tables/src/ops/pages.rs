//! `Query` and `Scan`: pages of items in the order of their keys.

use std::collections::BTreeMap;

use ::store::Range;
use contract::{Arn, Call, Effect, Fault, Handle};
use item::expression::KeyCondition;
use wire::dynamodb::{Query, QueryInput, QueryOutput, Scan, ScanInput, ScanOutput, Select};

use super::legacy;
use super::view_resource;
use crate::capacity::{Purpose, Reads, Told, consumed};
use crate::desk::Desk;
use crate::model::{Projection as Held, Scope};
use crate::places::Place;
use crate::question::{Condition, Projection, Questions, schema};
use crate::read::{Page, Shape, View, Wish};
use crate::store::items::{Source, Way};
use crate::values::{self, Attributes};
use crate::{Error, Tables};

/// What a page shows of each item, as it was asked for.
struct Asked<'a> {
    select: Option<&'a Select>,
    /// What was named, and by which parameter.
    named: Option<(Projection, &'static str)>,
    reads: Reads,
}

impl Asked<'_> {
    /// Checks it against what is read.
    fn shape(self, view: &View) -> Result<Shape, Error> {
        if let Some(global) = view.global()
            && self.reads == Reads::Consistent
        {
            tracing::debug!(index = global.name, "a consistent read of a global index was refused");
            return Err(Error::Invalid("Consistent reads are not supported on global secondary indexes".to_owned()));
        }
        match (self.select, self.named) {
            (None | Some(Select::SpecificAttributes), Some((projection, _))) => parts(view, projection),
            (Some(Select::SpecificAttributes), None) => Err(Error::Invalid(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
                    .to_owned(),
            )),
            (Some(select), Some((_, parameter))) => {
                let what = if *select == Select::Count { "only the Count" } else { select.as_str() };
                Err(Error::Invalid(format!("Cannot specify the {parameter} when choosing to get {what}")))
            }
            (Some(Select::Count), None) => Ok(Shape::Count),
            (Some(Select::AllProjectedAttributes), None) => match &view.index {
                Some(_) => Ok(Shape::Whole),
                None => {
                    Err(Error::parameters("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"))
                }
            },
            (Some(Select::AllAttributes), None) => all(view),
            (None | Some(Select::Other(_)), None) => Ok(Shape::Whole),
        }
    }
}

fn all(view: &View) -> Result<Shape, Error> {
    match &view.index {
        Some(index) if index.projection != Held::All => match view.global() {
            Some(global) => Err(Error::parameters(format_args!(
                "Select type ALL_ATTRIBUTES is not supported for global secondary index {} because its projection type is not \
                 ALL",
                global.name
            ))),
            None => Ok(Shape::Fetched(None)),
        },
        Some(_) | None => Ok(Shape::Whole),
    }
}

fn parts(view: &View, projection: Projection) -> Result<Shape, Error> {
    let Some(index) = &view.index else { return Ok(Shape::Parts(projection)) };
    let mut missing: Vec<&str> = projection.0.heads().filter(|name| !index.holds(&view.sight.table, name)).collect();
    missing.dedup();
    match (missing.is_empty(), view.global()) {
        (true, _) => Ok(Shape::Parts(projection)),
        (false, None) => Ok(Shape::Fetched(Some(projection))),
        (false, Some(global)) => Err(Error::parameters(format_args!(
            "Global secondary index {} does not project [{}]",
            global.name,
            missing.join(", ")
        ))),
    }
}

fn limit(given: Option<i32>) -> Option<usize> {
    given.and_then(|limit| usize::try_from(limit).ok())
}

/// The expressions of a page, in either world.
struct Words {
    key: Option<KeyCondition>,
    filter: Option<Condition>,
    named: Option<(Projection, &'static str)>,
}

/// The parameters of a page's expressions.
struct Given {
    names: Option<BTreeMap<String, String>>,
    values: Option<Attributes>,
    key: Option<String>,
    filter: Option<String>,
    projection: Option<String>,
    attributes: Option<Vec<String>>,
    key_conditions: Option<BTreeMap<String, wire::dynamodb::Condition>>,
    filters: Option<BTreeMap<String, wire::dynamodb::Condition>>,
    operator: Option<wire::dynamodb::ConditionalOperator>,
    /// What the parameter of `filters` is called.
    filters_name: &'static str,
}

impl Given {
    fn read(self, view: &View, is_query: bool) -> Result<Words, Error> {
        item::legacy::check_worlds(
            &[
                ("ExpressionAttributeNames", self.names.is_some()),
                ("ExpressionAttributeValues", self.values.is_some()),
                ("ProjectionExpression", self.projection.is_some()),
                ("FilterExpression", self.filter.is_some()),
                ("KeyConditionExpression", self.key.is_some()),
            ],
            &[
                ("AttributesToGet", self.attributes.is_some()),
                (self.filters_name, self.filters.is_some()),
                ("ConditionalOperator", self.operator.is_some()),
                ("KeyConditions", self.key_conditions.is_some()),
            ],
        )?;
        let keys = view.keys();
        let has_expressions = self.key.is_some() || self.filter.is_some() || self.projection.is_some();
        if !has_expressions {
            legacy::check_alone(self.names.is_some(), self.values.is_some(), "FilterExpression is null")?;
            let key = self
                .key_conditions
                .map(|given| Ok::<_, Error>(item::legacy::key_conditions(legacy::comparisons(given)?, schema(keys))?));
            let filter = self.filters.map(|given| legacy::filter(given, self.operator.as_ref())).transpose()?.flatten();
            let named = self.attributes.map(|names| item::legacy::attributes_to_get(&names)).transpose()?;
            let named = named.map(|named| (Projection(named), "AttributesToGet"));
            return Ok(Words { key: key.transpose()?, filter, named });
        }
        let mut questions = Questions::new(self.names, self.values)?;
        let named = questions.projection(self.projection.as_deref())?;
        let filter = questions.filter(self.filter.as_deref(), is_query.then_some(keys))?;
        let key = self.key.as_deref().map(|text| questions.key_condition(text, keys)).transpose()?;
        questions.done()?;
        Ok(Words { key, filter, named: named.map(|named| (named, "ProjectionExpression")) })
    }
}

impl Tables {
    /// Reads a page, and takes what it cost from what is provisioned.
    async fn page(&self, desk: &Desk, wish: Wish) -> Result<Page, Error> {
        let sight = wish.view.sight.clone();
        let now_ms = self.now_ms();
        let of = wish.view.global().map(|global| global.number);
        desk.buckets.check(&sight, Purpose::Read, of.into_iter(), now_ms)?;
        let snapshot = self.cellar.store.snapshot();
        let page = wish.read(Source::Snapshot(&snapshot)).await?;
        desk.buckets.spend(&sight, Purpose::Read, &page.spent, now_ms);
        Ok(page)
    }
}

impl Handle<Query> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &QueryInput) -> Arn {
        view_resource(call, &input.table_name, input.index_name.as_deref())
    }

    async fn handle(&self, call: &Call, input: QueryInput) -> Result<QueryOutput, Fault> {
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let view = View::new(desk.sight(), input.index_name.as_deref())?;
        let reads = Reads::of(input.consistent_read);
        let given = Given {
            names: input.expression_attribute_names,
            values: input.expression_attribute_values,
            key: input.key_condition_expression,
            filter: input.filter_expression,
            projection: input.projection_expression,
            attributes: input.attributes_to_get,
            key_conditions: input.key_conditions,
            filters: input.query_filter,
            operator: input.conditional_operator,
            filters_name: "QueryFilter",
        };
        let Words { key, filter, named } = given.read(&view, true)?;
        let shape = Asked { select: input.select.as_ref(), named, reads }.shape(&view)?;
        let key = key.ok_or_else(|| {
            Error::Invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
                    .to_owned(),
            )
        })?;
        let way = if input.scan_index_forward.unwrap_or(true) { Way::Up } else { Way::Down };
        let all = view.query_range(&key.hash, key.range.as_ref());
        let range = match input.exclusive_start_key {
            Some(start) => query_start(&view, &key, all, start, way)?,
            None => all,
        };
        let wish = Wish { range, way, limit: limit(input.limit), filter, shape, reads, view: view.clone() };
        let is_count = matches!(wish.shape, Shape::Count);
        let page = self.page(&desk, wish).await?;
        Ok(QueryOutput {
            items: (!is_count).then_some(page.items),
            count: i32::try_from(page.count).ok(),
            scanned_count: i32::try_from(page.scanned).ok(),
            last_evaluated_key: page.last,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), &view.sight, &page.spent, Told::Plain),
        })
    }
}

/// The rest of a query behind a starting key.
fn query_start(view: &View, key: &KeyCondition, all: Range, start: Attributes, way: Way) -> Result<Range, Error> {
    let invalid = || Error::Invalid("The provided starting key is invalid".to_owned());
    let start = values::read_item(start)?;
    let (at, Place { hash, .. }) = view.start_key(&start).map_err(|_| invalid())?;
    if hash != key.hash {
        return Err(Error::Invalid(
            "The provided starting key is outside query boundaries based on provided conditions".to_owned(),
        ));
    }
    if !all.contains(&at) {
        return Err(Error::Invalid("The provided starting key does not match the range key predicate".to_owned()));
    }
    Ok(behind(all, &at, way))
}

fn behind(all: Range, at: &::store::Key, way: Way) -> Range {
    match way {
        Way::Up => all.after(at),
        Way::Down => all.before(at),
    }
}

impl Handle<Scan> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ScanInput) -> Arn {
        view_resource(call, &input.table_name, input.index_name.as_deref())
    }

    async fn handle(&self, call: &Call, input: ScanInput) -> Result<ScanOutput, Fault> {
        let (segment, total) = segments(input.segment, input.total_segments)?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let view = View::new(desk.sight(), input.index_name.as_deref())?;
        let reads = Reads::of(input.consistent_read);
        let given = Given {
            names: input.expression_attribute_names,
            values: input.expression_attribute_values,
            key: None,
            filter: input.filter_expression,
            projection: input.projection_expression,
            attributes: input.attributes_to_get,
            key_conditions: None,
            filters: input.scan_filter,
            operator: input.conditional_operator,
            filters_name: "ScanFilter",
        };
        let Words { filter, named, .. } = given.read(&view, false)?;
        let shape = Asked { select: input.select.as_ref(), named, reads }.shape(&view)?;
        let all = view.segment_range(segment, total);
        let range = match input.exclusive_start_key {
            Some(start) => {
                let start = values::read_item(start)?;
                let (at, _) = view
                    .start_key(&start)
                    .map_err(|why| Error::Invalid(format!("The provided starting key is invalid: {why}")))?;
                if !all.contains(&at) {
                    return Err(Error::Invalid(
                        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with \
                         correct Segment. TotalSegments and Segment must match those of the previous request"
                            .to_owned(),
                    )
                    .into());
                }
                behind(all, &at, Way::Up)
            }
            None => all,
        };
        let wish = Wish { range, way: Way::Up, limit: limit(input.limit), filter, shape, reads, view: view.clone() };
        let is_count = matches!(wish.shape, Shape::Count);
        let page = self.page(&desk, wish).await?;
        Ok(ScanOutput {
            items: (!is_count).then_some(page.items),
            count: i32::try_from(page.count).ok(),
            scanned_count: i32::try_from(page.scanned).ok(),
            last_evaluated_key: page.last,
            consumed_capacity: consumed(input.return_consumed_capacity.as_ref(), &view.sight, &page.spent, Told::Plain),
        })
    }
}

/// Which part of how many is scanned.
fn segments(segment: Option<i32>, total: Option<i32>) -> Result<(u64, u64), Error> {
    match (segment, total) {
        (None, None) => Ok((0, 1)),
        (Some(_), None) => Err(Error::Invalid(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"
                .to_owned(),
        )),
        (None, Some(_)) => Err(Error::Invalid(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"
                .to_owned(),
        )),
        (Some(segment), Some(total)) if segment >= total => Err(Error::Invalid(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is not less \
             than TotalSegments: {total}"
        ))),
        (Some(segment), Some(total)) => Ok((segment.unsigned_abs().into(), total.unsigned_abs().into())),
    }
}
