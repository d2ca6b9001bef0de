//! How an item is written: its old self read, its condition asked, and the item, its entries in the indexes, its expiry and its record
//! in the stream written, all in the transaction that is handed in. Every write of an item comes through here: single ones, batches,
//! transactions, and those that the table makes by itself.

use std::sync::Arc;

use ::store::{Key, Transaction};
use contract::Fault;
use item::{Item, size};
use wire::dynamodb::ConditionalCheckFailedException;

use crate::Tables;
use crate::capacity::{Purpose, Spent, write_units};
use crate::desk::{Desk, Growth, Sight};
use crate::error::Error;
use crate::model::{Index, IndexStatus, Projection};
use crate::places::{self, Place};
use crate::question::{Change, Condition};
use crate::store::items::{self, Source};
use crate::store::{changes, keys, versions};
use crate::stored::Stored;

/// Times further back than five years are taken for a mistake, as DynamoDB does.
const EXPIRY_AGE_MAX_S: i64 = 5 * 365 * 86_400;

/// A write that was asked for.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) desk: Arc<Desk>,
    /// The table as it was when the write was asked for; its gate is held open.
    pub(crate) sight: Arc<Sight>,
    pub(crate) place: Place,
    pub(crate) deed: Deed,
    pub(crate) condition: Option<Condition>,
    pub(crate) by: By,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Deed {
    /// This item takes the place of what is there.
    Put(Item),
    /// What is there is changed; where nothing is, it is made.
    Update(Change),
    /// What is there goes.
    Delete,
    /// Nothing: only the condition counts.
    Check,
}

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A caller.
    Caller,
    /// The table, because the item's time is over.
    Expiry,
}

/// What became of it, once the transaction is committed.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) old: Option<Stored>,
    pub(crate) new: Option<Stored>,
    pub(crate) spent: Spent,
    pub(crate) growth: Vec<(Option<u16>, Growth)>,
    /// When the new item's time is over.
    pub(crate) due: Option<u64>,
}

/// Why it was not done.
#[derive(Clone, Debug)]
pub(crate) enum Unwritten {
    /// The condition does not hold; what is there.
    Condition(Option<Stored>),
    /// Something else.
    Error(Error),
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<::store::Error> for Unwritten {
    fn from(error: ::store::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<Unwritten> for Error {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Error(error) => error,
            Unwritten::Condition(_) => Self::from(Fault::from(failed_condition(None))),
        }
    }
}

/// The refusal of a write whose condition does not hold, with the item if that is wanted.
pub(crate) fn failed_condition(item: Option<crate::values::Attributes>) -> ConditionalCheckFailedException {
    ConditionalCheckFailedException { message: Some("The conditional request failed".to_owned()), item }
}

impl Tables {
    /// Does one write in a transaction of its own. The gate of its table is held open by the caller.
    pub(crate) async fn write(&self, write: &Write) -> Result<Written, Unwritten> {
        let now_ms = self.now_ms();
        write.admit(now_ms)?;
        let written = self.cellar.transact_wide(|tx| async move { write.apply(&tx, now_ms).await }).await;
        match &written {
            Ok(written) => write.account(written, now_ms),
            // What was looked at is paid for.
            Err(_) => write.desk.buckets.spend(&write.sight, Purpose::Write, &Spent::on_table(1.0), now_ms),
        }
        written
    }
}

impl Write {
    /// Refuses when nothing is left of what is provisioned.
    pub(crate) fn admit(&self, now_ms: i64) -> Result<(), Error> {
        let globals = self.sight.table.globals.iter().map(|index| index.number);
        self.desk.buckets.check(&self.sight, Purpose::Write, globals, now_ms)
    }

    /// Counts what a write that is committed has changed and cost.
    pub(crate) fn account(&self, written: &Written, now_ms: i64) {
        written.growth.iter().for_each(|(of, growth)| self.desk.count(*of, *growth));
        if let Some(due) = written.due {
            self.desk.expects(due);
        }
        self.desk.buckets.spend(&self.sight, Purpose::Write, &written.spent, now_ms);
    }

    /// Does it in a transaction, which may be tried several times.
    pub(crate) async fn apply(&self, tx: &Transaction, now_ms: i64) -> Result<Written, Unwritten> {
        let table = &self.sight.table;
        let key = self.place.item_key(table.number);
        let old = Source::Transaction(tx).item(&key).await?.map(Stored::of_bytes).transpose()?;
        if let Some(condition) = &self.condition
            && !condition.holds(old.as_ref())?
        {
            return Err(Unwritten::Condition(old));
        }
        let new = match &self.deed {
            Deed::Put(item) => Some(Stored::new(item)),
            Deed::Update(change) => Some(self.updated(change, old.as_ref())?),
            Deed::Delete => None,
            Deed::Check => old.clone(),
        };
        let bytes = |stored: &Option<Stored>| stored.as_ref().map_or(0, Stored::size);
        let mut written = Written {
            spent: Spent::on_table(write_units(bytes(&old).max(bytes(&new)))),
            growth: Vec::new(),
            due: None,
            old,
            new,
        };
        if matches!(self.deed, Deed::Check) {
            return Ok(written);
        }
        self.put(tx, &key, &mut written);
        if written.old != written.new {
            self.put_beside(tx, &key, &mut written, now_ms).await?;
        }
        Ok(written)
    }

    /// The item after an update.
    fn updated(&self, change: &Change, old: Option<&Stored>) -> Result<Stored, Error> {
        let before = match old {
            Some(old) => old.item()?,
            None => self.place.to_item(&self.sight.table.keys),
        };
        let after = change.apply(&before)?;
        if size::item(&after) > size::ITEM_BYTES_MAX {
            return Err(Error::Invalid("Item size to update has exceeded the maximum allowed size".to_owned()));
        }
        // What an update puts into itself grows deeper with each, and neither memory nor a reader's stack is endless.
        after.values().try_for_each(item::Value::check_depth)?;
        places::check_index_updates(&self.sight.table, &before, &after)?;
        Ok(Stored::new(&after))
    }

    fn put(&self, tx: &Transaction, key: &Key, written: &mut Written) {
        let old_bytes = written.old.as_ref().map(|old| old.bytes().len());
        match (&written.new, old_bytes) {
            (Some(new), _) if Some(new) != written.old.as_ref() => items::put(tx, key, new.bytes(), old_bytes),
            (Some(_), _) | (None, None) => {}
            (None, Some(old_bytes)) => items::delete(tx, key, old_bytes),
        }
        written.growth.push((None, growth(written.old.as_ref(), written.new.as_ref())));
    }

    /// What lies beside the item: entries of indexes, its expiry, its record in the stream.
    async fn put_beside(&self, tx: &Transaction, key: &Key, written: &mut Written, now_ms: i64) -> Result<(), Error> {
        let table = &self.sight.table;
        let is_alone = table.indexes().next().is_none() && table.expiry.is_none();
        if is_alone && table.open_stream().is_none() && !table.keeps_versions() {
            return Ok(());
        }
        let old = written.old.as_ref().map(Stored::item).transpose()?;
        let new = written.new.as_ref().map(Stored::item).transpose()?;
        if !is_alone {
            let id = self.place.id();
            for index in table.kept_indexes() {
                let (units, growth) = self.put_entry(tx, index, &id, old.as_ref(), new.as_ref()).await?;
                written.spent.add_index(index.number, units);
                written.growth.push((Some(index.number), growth));
            }
            written.due = self.put_expiry(tx, key, &id, old.as_ref(), new.as_ref(), now_ms);
        }
        if let Some(stream) = table.open_stream() {
            let keys = self.place.to_item(&table.keys);
            let record = changes::Record::new(stream.view, self.by, now_ms, keys, old, new);
            changes::append(tx, &changes::stream(table.number, stream), &record.pack());
        }
        if table.keeps_versions() {
            versions::append(tx, table.number, &self.place, now_ms, written.old.as_ref());
        }
        Ok(())
    }

    /// Brings an index to what the item is now. What that costs, and how the index grew.
    async fn put_entry(
        &self,
        tx: &Transaction,
        index: &Index,
        id: &[u8; 16],
        old: Option<&Item>,
        new: Option<&Item>,
    ) -> Result<(f64, Growth), Error> {
        let table = &self.sight.table;
        let entry = |item: Option<&Item>| entry(&self.sight, index, id, item?);
        let (old, new) = (entry(old), entry(new));
        if old == new {
            return Ok((0.0, Growth::default()));
        }
        // An index that is being filled may not have come to the item yet: what is not there was not counted either.
        let was_counted = match (index.status, &old) {
            (IndexStatus::Creating, Some((key, _))) => tx.get(key).await?.is_some(),
            (IndexStatus::Creating | IndexStatus::Active | IndexStatus::Deleting, _) => true,
        };
        let mut units = 0.0;
        let moved = old.as_ref().map(|(key, _)| key) != new.as_ref().map(|(key, _)| key);
        if let Some((key, stored)) = old.as_ref().filter(|_| moved) {
            items::delete(tx, key, stored.bytes().len());
            units += write_units(stored.size());
        }
        if let Some((key, stored)) = &new {
            let there = old.as_ref().filter(|_| !moved).map(|(_, stored)| stored);
            items::put(tx, key, stored.bytes(), there.map(|there| there.bytes().len()));
            units += write_units(stored.size().max(there.map_or(0, Stored::size)));
        }
        debug_assert_eq!(table.number, self.desk.number, "a desk keeps one table");
        let stored = |entry: Option<(Key, Stored)>| entry.map(|(_, stored)| stored);
        let counted = if was_counted { stored(old) } else { None };
        Ok((units, growth(counted.as_ref(), stored(new).as_ref())))
    }

    fn put_expiry(
        &self,
        tx: &Transaction,
        key: &Key,
        id: &[u8; 16],
        old: Option<&Item>,
        new: Option<&Item>,
        now_ms: i64,
    ) -> Option<u64> {
        let expiry = self.sight.table.expiry.as_ref()?;
        let second = |item: Option<&Item>| expiry_second(item?, &expiry.attribute, now_ms);
        let prefix = keys::expiries(self.sight.table.number, expiry.number);
        let (old, new) = (second(old), second(new));
        if old == new {
            return None;
        }
        if let Some(old) = old {
            tx.delete(prefix.clone().with(old).with(*id));
        }
        if let Some(new) = new {
            tx.put(prefix.with(new).with(*id), key.as_bytes().to_vec());
        }
        new
    }
}

/// The key and content of an item's entry in an index; none where it does not belong there.
pub(crate) fn entry(sight: &Sight, index: &Index, id: &[u8; 16], item: &Item) -> Option<(Key, Stored)> {
    let place = Place::in_index(&index.keys, item)?;
    let key = place.entry_key(sight.table.number, index.number, id);
    let stored = match &index.projection {
        Projection::All => Stored::new(item),
        Projection::KeysOnly | Projection::Include(_) => {
            let held = item.iter().filter(|(name, _)| index.holds(&sight.table, name));
            Stored::new(&held.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
    };
    Some((key, stored))
}

/// The second at which an item's time is over, if it has one that counts.
pub(crate) fn expiry_second(item: &Item, attribute: &str, now_ms: i64) -> Option<u64> {
    let item::Value::N(number) = item.get(attribute)? else { return None };
    let second = number.to_i64().filter(|second| *second > now_ms / 1_000 - EXPIRY_AGE_MAX_S)?;
    u64::try_from(second).ok()
}

fn growth(old: Option<&Stored>, new: Option<&Stored>) -> Growth {
    let items = |stored: Option<&Stored>| i64::from(stored.is_some());
    let bytes = |stored: Option<&Stored>| stored.map_or(0, |stored| i64::try_from(stored.size()).unwrap_or(i64::MAX));
    Growth { items: items(new) - items(old), bytes: bytes(new) - bytes(old) }
}
