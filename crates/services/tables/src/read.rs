//! How items are read in the order of their keys: queries and scans, of tables and indexes, a page at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::store::{Key, Range};
use item::{Item, Value};

use crate::capacity::{Reads, Spent};
use crate::desk::Sight;
use crate::error::Error;
use crate::model::{Index, Keys};
use crate::places::{self, Place};
use crate::question::{Condition, Projection, SortTest};
use crate::store::items::{Source, Walk, Way};
use crate::store::keys;
use crate::stored::Stored;
use crate::values::{self, Attributes};

/// So many bytes fill a page.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// What is read: the table, or one of its indexes.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) sight: Arc<Sight>,
    /// None for the table itself.
    pub(crate) index: Option<Index>,
}

/// What the caller gets of each item.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// What is read.
    Whole,
    /// Parts of it.
    Parts(Projection),
    /// The item itself where an entry of a local index is read.
    Fetched(Option<Projection>),
    /// Nothing: only how many there are.
    Count,
}

/// One page that is wanted.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) view: View,
    pub(crate) range: Range,
    pub(crate) way: Way,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: Option<Condition>,
    pub(crate) shape: Shape,
    pub(crate) reads: Reads,
}

/// One page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Attributes>,
    pub(crate) count: usize,
    pub(crate) scanned: usize,
    /// Where the next page begins, if there may be one.
    pub(crate) last: Option<Attributes>,
    pub(crate) spent: Spent,
}

/// Why a starting key is none.
#[derive(Debug)]
pub(crate) enum StartFault {
    /// It lacks an attribute, or has one too many.
    Names,
    /// What is wrong with it as a key of what is read.
    View(Error),
    /// What is wrong with it as a key of the table.
    Table(Error),
}

impl View {
    /// The table, or its index of that name.
    pub(crate) fn new(sight: Arc<Sight>, index: Option<&str>) -> Result<Self, Error> {
        let index =
            match index {
                Some(name) => {
                    Some(sight.table.index(name).cloned().ok_or_else(|| {
                        Error::Invalid(format!("The table does not have the specified index: {name}"))
                    })?)
                }
                None => None,
            };
        Ok(Self { sight, index })
    }

    /// What items are found by.
    pub(crate) fn keys(&self) -> &Keys {
        self.index.as_ref().map_or(&self.sight.table.keys, |index| &index.keys)
    }

    /// Whether it is a global index.
    pub(crate) fn global(&self) -> Option<&Index> {
        self.index.as_ref().filter(|index| !self.sight.table.is_local(index))
    }

    fn root(&self) -> Key {
        match &self.index {
            Some(index) => keys::entries(self.sight.table.number, index.number),
            None => keys::items(self.sight.table.number),
        }
    }

    /// How many parts the keys have: a head's key has no more.
    fn parts(&self) -> usize {
        let range = usize::from(self.keys().range.is_some());
        if self.index.is_some() { 6 + range } else { 4 + range }
    }

    /// Everything of one hash key that a test of the sort key lets through.
    pub(crate) fn query_range(&self, hash: &Value, test: Option<&SortTest>) -> Range {
        let under = self.root().with(places::hash_id(hash));
        let at = |value: &Value| under.clone().with(&places::sort_bytes(value)[..]);
        let all = Range::prefix(&under);
        match test {
            None => all,
            Some(SortTest::Equal(value)) => Range::prefix(&at(value)),
            Some(SortTest::Less(value)) => all.before(&at(value)),
            Some(SortTest::LessOrEqual(value)) => all.through(&at(value)),
            Some(SortTest::Greater(value)) => all.after(&at(value)),
            Some(SortTest::GreaterOrEqual(value)) => all.from(&at(value)),
            Some(SortTest::Between(low, high)) => all.from(&at(low)).through(&at(high)),
            Some(SortTest::BeginsWith(value)) => Range::bytes_prefix(&under, &places::sort_bytes(value)),
        }
    }

    /// How many bytes are under a hash key, if that is not more than `most`: no more of it is read.
    pub(crate) async fn weigh(&self, source: Source<'_>, hash: &Value, most: usize) -> Result<Option<usize>, Error> {
        let mut walk = Walk::new(source, self.query_range(hash, None), self.parts(), Way::Up, None);
        let mut bytes = 0;
        while let Some((_, value)) = walk.next().await? {
            bytes += Stored::of_bytes(value)?.size();
            if bytes > most {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    /// One of so many equal parts of everything.
    pub(crate) fn segment_range(&self, segment: u64, total: u64) -> Range {
        let bound = |number: u64| {
            // 2^128 / total × number, without leaving 128 bits.
            let (step, rest) = (u128::MAX / u128::from(total), u128::MAX % u128::from(total));
            (step * u128::from(number) + rest * u128::from(number) / u128::from(total)).to_be_bytes()
        };
        let root = self.root();
        let range = Range::prefix(&root);
        let range = if segment == 0 { range } else { range.from(&root.clone().with(bound(segment))) };
        if segment + 1 >= total { range } else { range.before(&root.with(bound(segment + 1))) }
    }

    /// The key in the store that a starting key means: the view's keys and the table's.
    pub(crate) fn start_key(&self, start: &Item) -> Result<(Key, Place), StartFault> {
        let table = &self.sight.table;
        let named = |keys: &Keys| -> Item {
            keys.each().filter_map(|key| Some((key.name.clone(), start.get(&key.name)?.clone()))).collect()
        };
        let wanted: BTreeSet<&str> = table.keys.each().chain(self.keys().each()).map(|key| key.name.as_str()).collect();
        let own = named(self.keys());
        if start.len() != wanted.len() || own.len() != self.keys().each().count() {
            return Err(StartFault::Names);
        }
        let there = Place::of_key(self.keys(), &own).map_err(StartFault::View)?;
        let Some(index) = &self.index else { return Ok((there.item_key(table.number), there)) };
        let place = Place::of_key(&table.keys, &named(&table.keys)).map_err(StartFault::Table)?;
        Ok((there.entry_key(table.number, index.number, &place.id()), there))
    }

    /// What brings a reader back to behind this item.
    fn key_of(&self, stored: &Stored) -> Result<Attributes, Error> {
        let packed = stored.packed()?;
        let own = self.index.as_ref().map(|index| &index.keys);
        let mut key = Attributes::new();
        for attribute in std::iter::once(&self.sight.table.keys).chain(own).flat_map(Keys::each) {
            if let Some(view) = packed.get(&attribute.name)? {
                key.insert(attribute.name.clone(), values::write_view(&view)?);
            }
        }
        Ok(key)
    }
}

impl Wish {
    /// Reads the page.
    pub(crate) async fn read(self, source: Source<'_>) -> Result<Page, Error> {
        let mut page = Page::default();
        let mut walk = Walk::new(source, self.range.clone(), self.view.parts(), self.way, self.limit);
        let (mut bytes, mut fetched, mut fetched_bytes) = (0, 0.0, 0);
        let mut last = None;
        let mut more = false;
        while let Some((_, value)) = walk.next().await? {
            let stored = Stored::of_bytes(value)?;
            bytes += stored.size();
            page.scanned += 1;
            let is_wanted = match &self.filter {
                Some(filter) => filter.holds(Some(&stored))?,
                None => true,
            };
            if is_wanted {
                page.count += 1;
                if let Some(size) = self.take(source, &stored, &mut page.items).await? {
                    fetched += self.reads.units(size);
                    fetched_bytes += size;
                }
            }
            last = Some(stored);
            // The item that crosses the border belongs to the page: that is why a full one costs 128.5 units and not 128. What is fetched
            // is in memory too, and in the answer: it may be far more than the index's entries.
            let is_full = bytes >= PAGE_BYTES_MAX || fetched_bytes >= PAGE_BYTES_MAX;
            if is_full || self.limit.is_some_and(|limit| page.scanned >= limit) {
                more = true;
                break;
            }
        }
        if let Some(last) = last.filter(|_| more) {
            page.last = Some(self.view.key_of(&last)?);
        }
        let units = self.reads.units(bytes);
        match &self.view.index {
            Some(index) => page.spent.add_index(index.number, units),
            None => page.spent.table = units,
        }
        page.spent.table += fetched;
        Ok(page)
    }

    /// Takes what is wanted of an item. How large it is where it was fetched, because the index does not hold it.
    async fn take(
        &self,
        source: Source<'_>,
        stored: &Stored,
        items: &mut Vec<Attributes>,
    ) -> Result<Option<usize>, Error> {
        match &self.shape {
            Shape::Whole => items.push(values::write_packed(&stored.packed()?)?),
            Shape::Parts(projection) => items.push(values::write_item(projection.take(stored)?)),
            Shape::Count => {}
            Shape::Fetched(projection) => {
                let table = &self.view.sight.table;
                let place = Place::in_index(&table.keys, &stored.item()?).ok_or(Error::Internal)?;
                let Some(whole) = source.item(&place.item_key(table.number)).await? else { return Ok(None) };
                let whole = Stored::of_bytes(whole)?;
                items.push(match projection {
                    Some(projection) => values::write_item(projection.take(&whole)?),
                    None => values::write_packed(&whole.packed()?)?,
                });
                return Ok(Some(whole.size()));
            }
        }
        Ok(None)
    }
}
