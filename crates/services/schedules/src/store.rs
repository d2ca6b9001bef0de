//! Where schedules lie, and (with its room `store/`) the only place that touches the store.
//!
//! Changed in place, under `schedules`, then account and region:
//!
//! | kind | then | record |
//! |---|---|---|
//! | `group` | name | a group; the default one only once it has tags |
//! | `s` | group, name | a schedule, with its input where that is short |
//! | `i` | group, name, part | its input where it is long |
//! | `n` | group, name | when it fires next; nothing where it does not |
//!
//! Of class queue, under `schedules-due`: the time that a schedule fires, account, region, group, name → the time that it is due.
//!
//! What always holds: `n` and the entry under `schedules-due` are there together, and tell the same time; both are there exactly when
//! the schedule is enabled and has a time left. Each change is one transaction that reads what it changes, so a change and a firing
//! of the same schedule happen one after the other.

mod keys;
mod records;

use ::store::{Error as StoreError, Key, Range, Scan, Store, Transaction, Watch};

use crate::error::Error;
use crate::model::{Due, Group, GroupName, Schedule, ScheduleName, Scope};

use records::{DueRecord, GroupRecord, NextRecord, ScheduleRecord};

/// The longest input that lies with its schedule.
const INPUT_INLINE_BYTES_MAX: usize = 16 << 10;
/// A piece of a longer one.
const PIECE_BYTES: usize = 48 << 10;

/// All schedules of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cabinet {
    store: Store,
}

/// A page of a listing, and whether there is more.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

impl Cabinet {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// One change: all of it or nothing.
    pub(crate) async fn change<T, F, Fut>(&self, mut f: F) -> Result<T, Error>
    where
        F: FnMut(Drawer) -> Fut + Send,
        Fut: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        self.store.transact(|tx| f(Drawer { tx })).await
    }

    /// Tells of every change of a time that is due.
    pub(crate) fn watch_due(&self) -> Watch {
        self.store.watch(keys::all_due())
    }

    /// Tells of every change of a group.
    pub(crate) fn watch_groups(&self) -> Watch {
        self.store.watch(keys::groups())
    }

    /// When the schedule of a key of [`Cabinet::watch_due`] fires.
    pub(crate) fn fire_ms(key: &Key) -> Result<i64, Error> {
        Ok(keys::read_due(key)?.0)
    }

    /// The first that fire at `from_ms` or later, in order.
    pub(crate) async fn due(&self, from_ms: i64, limit: usize) -> Result<Vec<(ScheduleName, Due)>, Error> {
        let range = Range::prefix(&keys::all_due()).from(&keys::all_due().with(from_ms));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        page.items
            .into_iter()
            .map(|(key, value)| {
                let (fire_ms, name) = keys::read_due(&key)?;
                let due: DueRecord = ::store::record::decode(&value)?;
                Ok((name, Due { fire_ms, due_ms: due.due_ms }))
            })
            .collect()
    }

    pub(crate) async fn group(&self, name: &GroupName) -> Result<Option<Group>, Error> {
        let record: Option<GroupRecord> = self.store.snapshot().get_record(&keys::group(name)).await?;
        Ok(record.map(|record| record.model(name)))
    }

    /// Groups whose names begin so, after a name, in order.
    pub(crate) async fn groups(
        &self,
        scope: &Scope,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Group>, Error> {
        let parent = keys::groups_of(scope);
        let mut range = Range::text_prefix(&parent, prefix);
        if let Some(after) = after {
            range = range.after(&parent.clone().with(after));
        }
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (key, value) in page.items {
            let name = scope.group(Some(&key.parts_after(&parent)?.text()?));
            items.push(::store::record::decode::<GroupRecord>(&value)?.model(&name));
        }
        Ok(Page { items, more: page.rest.is_some() })
    }

    /// A group that is being deleted, anybody's.
    pub(crate) async fn group_to_delete(&self) -> Result<Option<GroupName>, Error> {
        let mut rest = Some(Range::prefix(&keys::groups()));
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, Scan::first(1_000)).await?;
            for (key, value) in &page.items {
                if ::store::record::decode::<GroupRecord>(value)?.is_deleting() {
                    return keys::read_group(key).map(Some);
                }
            }
            rest = page.rest;
        }
        Ok(None)
    }

    /// A schedule with its whole input.
    pub(crate) async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, Error> {
        let snapshot = self.store.snapshot();
        let Some(record) = snapshot.get_record::<ScheduleRecord>(&keys::schedule(name)).await? else { return Ok(None) };
        let mut pieces = Vec::new();
        for piece in 0..record.pieces() {
            pieces.push(snapshot.get(&keys::piece(name, piece)).await?.ok_or(Error::Internal)?);
        }
        record.model(name, &pieces.concat()).map(Some)
    }

    /// Schedules of a group, or of all of them, after a name, in order; without long inputs.
    pub(crate) async fn schedules(
        &self,
        scope: &Scope,
        group: Option<&GroupName>,
        after: Option<&ScheduleName>,
        limit: usize,
    ) -> Result<Page<Schedule>, Error> {
        let parent = match group {
            Some(group) => keys::schedules_of(group),
            None => keys::schedules_in(scope),
        };
        let mut range = Range::prefix(&parent);
        if let Some(after) = after {
            range = range.after(&keys::schedule(after));
        }
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (key, value) in page.items {
            let name = keys::read_schedule(scope, &key)?;
            items.push(::store::record::decode::<ScheduleRecord>(&value)?.model(&name, &[])?);
        }
        Ok(Page { items, more: page.rest.is_some() })
    }

    /// When a schedule fires next.
    pub(crate) async fn next(&self, name: &ScheduleName) -> Result<Option<Due>, Error> {
        let record: Option<NextRecord> = self.store.snapshot().get_record(&keys::next(name)).await?;
        Ok(record.map(|record| record.model()))
    }
}

/// What one change may do.
#[derive(Clone)]
pub(crate) struct Drawer {
    tx: Transaction,
}

impl Drawer {
    /// The transaction, for who puts something else into it.
    pub(crate) fn transaction(&self) -> &Transaction {
        &self.tx
    }

    pub(crate) async fn group(&self, name: &GroupName) -> Result<Option<Group>, Error> {
        let record: Option<GroupRecord> = self.tx.get_record(&keys::group(name)).await?;
        Ok(record.map(|record| record.model(name)))
    }

    pub(crate) fn put_group(&self, group: &Group) {
        self.tx.put_record(keys::group(&group.name), &GroupRecord::of(group));
    }

    pub(crate) fn delete_group(&self, name: &GroupName) {
        self.tx.delete(keys::group(name));
    }

    pub(crate) async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, Error> {
        let Some(record) = self.tx.get_record::<ScheduleRecord>(&keys::schedule(name)).await? else { return Ok(None) };
        let mut pieces = Vec::new();
        for piece in 0..record.pieces() {
            pieces.push(self.tx.get(&keys::piece(name, piece)).await?.ok_or(Error::Internal)?);
        }
        record.model(name, &pieces.concat()).map(Some)
    }

    /// Some schedules of a group.
    pub(crate) async fn some_of(&self, group: &GroupName, limit: usize) -> Result<Vec<ScheduleName>, Error> {
        let range = Range::prefix(&keys::schedules_of(group));
        let page = self.tx.scan(range, Scan::first(limit)).await?;
        page.items.iter().map(|(key, _)| keys::read_schedule(&group.scope, key)).collect()
    }

    /// Writes a schedule, in place of the one of that name if there is one.
    pub(crate) async fn put_schedule(&self, schedule: &Schedule) -> Result<(), Error> {
        let name = &schedule.name;
        let before: Option<ScheduleRecord> = self.tx.get_record(&keys::schedule(name)).await?;
        let input = schedule.settings.target.input.as_deref().unwrap_or_default().as_bytes();
        let pieces: Vec<&[u8]> = match input.len() {
            0..=INPUT_INLINE_BYTES_MAX => Vec::new(),
            _ => input.chunks(PIECE_BYTES).collect(),
        };
        let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        for (number, piece) in (0..).zip(pieces) {
            self.tx.put(keys::piece(name, number), piece.to_vec());
        }
        for stale in count..before.map_or(0, |before| before.pieces()) {
            self.tx.delete(keys::piece(name, stale));
        }
        self.tx.put_record(keys::schedule(name), &ScheduleRecord::of(schedule, count));
        Ok(())
    }

    pub(crate) async fn delete_schedule(&self, name: &ScheduleName) -> Result<(), Error> {
        let before: Option<ScheduleRecord> = self.tx.get_record(&keys::schedule(name)).await?;
        (0..before.map_or(0, |before| before.pieces())).for_each(|piece| self.tx.delete(keys::piece(name, piece)));
        self.tx.delete(keys::schedule(name));
        self.set_next(name, None).await
    }

    /// When it fires next, as this transaction knows it.
    pub(crate) async fn next(&self, name: &ScheduleName) -> Result<Option<Due>, Error> {
        let record: Option<NextRecord> = self.tx.get_record(&keys::next(name)).await?;
        Ok(record.map(|record| record.model()))
    }

    /// Lets a schedule fire then, and at no other time.
    pub(crate) async fn set_next(&self, name: &ScheduleName, next: Option<Due>) -> Result<(), Error> {
        if let Some(before) = self.next(name).await? {
            self.tx.delete(keys::due(before.fire_ms, name));
        }
        match next {
            Some(next) => {
                self.tx.put_record(keys::next(name), &NextRecord::of(next));
                self.tx.put_record(keys::due(next.fire_ms, name), &DueRecord { due_ms: next.due_ms });
            }
            None => self.tx.delete(keys::next(name)),
        }
        Ok(())
    }
}

/// What a key of ours says that it does not.
fn wrong_key(expected: &'static str) -> Error {
    StoreError::KeyPart { expected, found: "other text" }.into()
}
