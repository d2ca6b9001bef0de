//! `Query` and `Scan`: pages of items in the order of their keys.

use std::collections::BTreeMap;

use ::store::Range;
use contract::{Arn, Call, Effect, Fault, Handle};
use item::Item;
use item::expression::{KeyCondition, KeyTests};
use wire::dynamodb::{Query, QueryInput, QueryOutput, Scan, ScanInput, ScanOutput, Select};

use super::legacy;
use super::view_resource;
use crate::capacity::{Purpose, Reads, Told, consumed};
use crate::desk::Desk;
use crate::model::{Projection as Held, Scope};
use crate::places::{self, Place};
use crate::question::{Condition, Projection, Questions, schema};
use crate::read::{Page, Shape, StartFault, View, Wish};
use crate::store::items::{Source, Way};
use crate::values::{self, Attributes};
use crate::{Error, Tables};

const START_INVALID: &str = "The provided starting key is invalid";

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

/// The expressions of a page, in either world, as the table's keys are asked.
pub(super) struct Words {
    pub(super) key: Option<KeyCondition>,
    pub(super) filter: Option<Condition>,
    pub(super) named: Option<(Projection, &'static str)>,
}

/// What reads pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Query,
    /// A query that a statement becomes: what its key does not answer is asked of each item, of keys too.
    Statement,
    Scan,
}

/// The parameters of a page's expressions.
pub(super) struct Given {
    kind: Kind,
    names: Option<BTreeMap<String, String>>,
    values: Option<Attributes>,
    key: Option<String>,
    filter: Option<String>,
    projection: Option<String>,
    attributes: Option<Vec<String>>,
    key_conditions: Option<BTreeMap<String, wire::dynamodb::Condition>>,
    filters: Option<BTreeMap<String, wire::dynamodb::Condition>>,
    operator: Option<wire::dynamodb::ConditionalOperator>,
}

/// The same, read as far as that goes without a table.
pub(super) struct Read {
    kind: Kind,
    key: Option<KeyTests>,
    /// And what the parameter is called.
    filter: Option<(Condition, &'static str)>,
    named: Option<(Projection, &'static str)>,
}

impl Given {
    /// Those of a query; the rest of it is left as it is.
    pub(super) fn of_query(input: &mut QueryInput) -> Self {
        Self {
            kind: Kind::Query,
            names: input.expression_attribute_names.take(),
            values: input.expression_attribute_values.take(),
            key: input.key_condition_expression.take(),
            filter: input.filter_expression.take(),
            projection: input.projection_expression.take(),
            attributes: input.attributes_to_get.take(),
            key_conditions: input.key_conditions.take(),
            filters: input.query_filter.take(),
            operator: input.conditional_operator.take(),
        }
    }

    /// Those of a query that a statement has become.
    fn of_statement(input: &mut QueryInput) -> Self {
        Self { kind: Kind::Statement, ..Self::of_query(input) }
    }

    /// Those of a scan.
    pub(super) fn of_scan(input: &mut ScanInput) -> Self {
        Self {
            kind: Kind::Scan,
            names: input.expression_attribute_names.take(),
            values: input.expression_attribute_values.take(),
            key: None,
            filter: input.filter_expression.take(),
            projection: input.projection_expression.take(),
            attributes: input.attributes_to_get.take(),
            key_conditions: None,
            filters: input.scan_filter.take(),
            operator: input.conditional_operator.take(),
        }
    }

    /// Reads them, as far as that goes without a table.
    pub(super) fn read(self) -> Result<Read, Error> {
        self.check_worlds()?;
        item::legacy::check_join(self.filters.as_ref().map_or(0, BTreeMap::len), legacy::join(self.operator.as_ref()))?;
        let old_filter = self.filters.map(|given| legacy::filter(given, self.operator.as_ref())).transpose()?.flatten();
        let old_named = self.attributes.map(|names| item::legacy::attributes_to_get(&names)).transpose()?;
        if self.kind == Kind::Query && self.key.is_none() && self.key_conditions.is_none() {
            return Err(Error::Invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
                    .to_owned(),
            ));
        }
        // In the order in which DynamoDB reads them.
        let mut questions = Questions::new(self.names, self.values)?;
        let key = self.key.as_deref().map(|text| questions.key_condition(text)).transpose()?;
        let filter = questions.filter(self.filter.as_deref())?;
        let named = questions.projection(self.projection.as_deref())?;
        questions.done()?;
        let key = match (key, self.key_conditions) {
            (Some(key), _) => Some(key),
            (None, Some(given)) => Some(item::legacy::key_conditions(legacy::comparisons(given)?)?),
            (None, None) => None,
        };
        let old_filter = old_filter.map(|filter| (filter, self.kind.filters()));
        let old_named = old_named.map(|named| (Projection(named), "AttributesToGet"));
        Ok(Read {
            kind: self.kind,
            key,
            filter: filter.map(|filter| (filter, "Filter Expression")).or(old_filter),
            named: named.map(|named| (named, "ProjectionExpression")).or(old_named),
        })
    }

    /// Refuses parameters that do not go together, and placeholders that nothing could use.
    fn check_worlds(&self) -> Result<(), Error> {
        let has_key = self.key.is_some();
        item::legacy::check_worlds(
            &[
                ("ProjectionExpression", self.projection.is_some()),
                ("FilterExpression", self.filter.is_some()),
                ("KeyConditionExpression", has_key),
            ],
            &[
                ("AttributesToGet", self.attributes.is_some()),
                (self.kind.filters(), self.filters.is_some()),
                ("ConditionalOperator", self.operator.is_some()),
                // Those go with every expression but the one that says the same.
                ("KeyConditions", self.key_conditions.is_some() && has_key),
            ],
        )?;
        let has_tests = has_key || self.filter.is_some();
        let has_names = self.names.is_some() && !has_tests && self.projection.is_none();
        let missing = match self.kind {
            Kind::Query | Kind::Statement => "FilterExpression and KeyConditionExpression are null",
            Kind::Scan => "FilterExpression is null",
        };
        legacy::check_alone(has_names, self.values.is_some() && !has_tests, missing)
    }
}

impl Kind {
    /// What its filter was called before there were expressions.
    fn filters(self) -> &'static str {
        match self {
            Self::Query | Self::Statement => "QueryFilter",
            Self::Scan => "ScanFilter",
        }
    }
}

impl Read {
    /// Held against the keys of what is read.
    pub(super) fn on(self, view: &View) -> Result<Words, Error> {
        let (keys, table) = (view.keys(), &view.sight.table);
        let key = self.key.map(|tests| tests.on(schema(keys))).transpose()?;
        self.named.iter().try_for_each(|(named, _)| named.check(table))?;
        if let (Kind::Query, Some((filter, parameter))) = (self.kind, &self.filter) {
            filter.check_filter(keys, parameter)?;
        }
        let filter = self.filter.map(|(filter, _)| filter);
        filter.iter().try_for_each(|filter| filter.check(table))?;
        Ok(Words { key, filter, named: self.named })
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

    async fn handle(&self, call: &Call, mut input: QueryInput) -> Result<QueryOutput, Fault> {
        let given = Given::of_query(&mut input);
        Ok(self.query(call, input, given).await?)
    }
}

impl Tables {
    /// A query that a statement has become.
    pub(super) async fn query_for_statement(&self, call: &Call, mut input: QueryInput) -> Result<QueryOutput, Fault> {
        let given = Given::of_statement(&mut input);
        Ok(self.query(call, input, given).await?)
    }

    async fn query(&self, call: &Call, input: QueryInput, given: Given) -> Result<QueryOutput, Error> {
        let read = given.read()?;
        let start = input.exclusive_start_key.map(values::read_item).transpose()?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let view = View::new(desk.sight(), input.index_name.as_deref())?;
        let reads = Reads::of(input.consistent_read);
        let Words { key, filter, named } = read.on(&view)?;
        let shape = Asked { select: input.select.as_ref(), named, reads }.shape(&view)?;
        // One that comes without was refused when it was read.
        let key = key.ok_or(Error::Internal)?;
        let way = if input.scan_index_forward.unwrap_or(true) { Way::Up } else { Way::Down };
        let all = view.query_range(&key.hash, key.range.as_ref());
        let range = match start {
            Some(start) => query_start(&view, &key, all, &start, way)?,
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
fn query_start(view: &View, key: &KeyCondition, all: Range, start: &Item, way: Way) -> Result<Range, Error> {
    let refused = |why: &str| Err(Error::Invalid(why.to_owned()));
    let (at, Place { hash, .. }) = match view.start_key(start) {
        Ok(start) => start,
        Err(StartFault::Names) => return refused(START_INVALID),
        Err(StartFault::View(why)) => return Err(why),
        Err(StartFault::Table(why)) => return Err(Error::Invalid(format!("{START_INVALID}: {why}"))),
    };
    match (hash == key.hash, &key.range) {
        (true, _) if all.contains(&at) => Ok(behind(all, &at, way)),
        (true, _) => refused("The provided starting key does not match the range key predicate"),
        (false, None) => refused("The provided starting key is outside query boundaries based on provided conditions"),
        // The sort key is looked at first: it may be what is wrong too.
        (false, Some(_)) => match view.query_range(&hash, key.range.as_ref()).contains(&at) {
            true => refused("The query can return at most one row and cannot be restarted"),
            false => refused("The provided starting key does not match the range key predicate"),
        },
    }
}

/// The rest of a part of a scan behind a starting key.
fn scan_start(view: &View, (segment, total): (u64, u64), start: &Item) -> Result<Range, Error> {
    let invalid = |why: &dyn std::fmt::Display| Error::Invalid(format!("{START_INVALID}: {why}"));
    let (at, _) = view.start_key(start).map_err(|fault| match (fault, &view.index) {
        (StartFault::Names, Some(_)) => Error::Invalid(START_INVALID.to_owned()),
        (StartFault::Names, None) => invalid(&places::mismatch()),
        (StartFault::View(why), Some(_)) => why,
        (StartFault::View(why), None) | (StartFault::Table(why), _) => invalid(&why),
    })?;
    let all = view.segment_range(segment, total);
    if !all.contains(&at) {
        return Err(invalid(&format_args!(
            "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: {total} Segment: {segment}"
        )));
    }
    Ok(behind(all, &at, Way::Up))
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

    async fn handle(&self, call: &Call, mut input: ScanInput) -> Result<ScanOutput, Fault> {
        let given = Given::of_scan(&mut input);
        let part = segments(input.segment, input.total_segments)?;
        let read = given.read()?;
        let start = input.exclusive_start_key.map(values::read_item).transpose()?;
        let desk = self.desk(&Scope::of(call), &input.table_name)?;
        let view = View::new(desk.sight(), input.index_name.as_deref())?;
        let reads = Reads::of(input.consistent_read);
        let Words { filter, named, .. } = read.on(&view)?;
        let shape = Asked { select: input.select.as_ref(), named, reads }.shape(&view)?;
        let range = match start {
            Some(start) => scan_start(&view, part, &start)?,
            None => view.segment_range(part.0, part.1),
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
