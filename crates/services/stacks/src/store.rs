//! The only file that touches the store. A stack is its record, two templates (what it is, and what the operation under way wants
//! it to be), a record for each resource, its exports and imports, and its history.
//!
//! Every write of an operation is fenced by the operation's lease, so that one that was thought dead, and is not, changes nothing.
//! What may be larger than one value of the store is kept in pieces.

mod records;

use std::collections::{BTreeMap, BTreeSet};

use ::store::{Error, Key, Lease, Range, Record, Scan, Store, Transaction, Watch, record};
use contract::{AccountId, Region};
use serde_json::Value;

use crate::model::{Event, ResourceState, Stack, Stage, resource_status};
use records::{EventRecord, ExportRecord, ResourceRecord, StackRecord, TemplateRecord};

/// Stacks of one account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// Which of a stack's two templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// What it is.
    Current,
    /// What it shall be.
    Target,
}

/// What one commit changes.
#[derive(Clone, Default)]
pub(crate) struct Change {
    pub(crate) stack: Option<Stack>,
    pub(crate) template: Option<(Which, Value)>,
    /// Makes the target template the current one.
    pub(crate) promote: bool,
    /// Those of which nothing is left are removed.
    pub(crate) resources: Vec<ResourceState>,
    pub(crate) events: Vec<Event>,
    /// Exports and imports change from those of the first to those of the second.
    pub(crate) shared: Option<(Shared, Shared)>,
    /// Removes all that is left of the stack.
    pub(crate) remove: Option<String>,
}

/// What a stack shares with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Names and values.
    pub(crate) exports: BTreeMap<String, String>,
    /// Names.
    pub(crate) imports: Vec<String>,
}

impl Shared {
    pub(crate) fn of(stack: &Stack) -> Self {
        let exports = stack.outputs.iter().filter_map(|output| Some((output.export.clone()?, output.value.clone())));
        Self { exports: exports.collect(), imports: stack.imports.iter().cloned().collect() }
    }
}

/// All keys but those of histories begin so.
const ROOT: &str = "stacks";
/// The longest piece; the store's values may have 64 KiB.
const PIECE_BYTES: usize = 60 << 10;
/// How many events are kept of a stack.
const EVENTS_MAX: usize = 2_000;

/// Reads and writes stacks.
#[derive(Clone)]
pub(crate) struct Ledger {
    store: Store,
    /// A test stops the world here.
    #[cfg(test)]
    pub(crate) halt: std::sync::Arc<crate::tests::world::Halt>,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            #[cfg(test)]
            halt: Default::default(),
        }
    }

    pub(crate) async fn stack(&self, place: &Place, name: &str) -> Result<Option<Stack>, Error> {
        match self.get::<StackRecord>(&key(place, "stack").with(name)).await? {
            Some(record) => record.model().map(Some),
            None => Ok(None),
        }
    }

    /// All stacks, by name.
    pub(crate) async fn stacks(&self, place: &Place) -> Result<Vec<Stack>, Error> {
        let records = self.all::<StackRecord>(&key(place, "stack")).await?;
        records.into_iter().map(StackRecord::model).collect()
    }

    /// Places and names of all stacks with an operation that has not ended, wherever they are.
    pub(crate) async fn unfinished(&self) -> Result<Vec<(Place, String)>, Error> {
        let root = Key::new(ROOT);
        let mut names = BTreeSet::new();
        let mut rest = Some(Range::prefix(&root));
        while let Some(range) = rest {
            // A snapshot for each page: all templates of a node take time, and a stack that comes meanwhile is nobody's to go on with.
            let page = self.store.snapshot().scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            for (key, _) in &page.items {
                let mut parts = key.parts_after(&root)?;
                let (account, region, what) = (parts.text()?, parts.text()?, parts.text()?);
                if let Some((account, region)) = AccountId::parse(&account).zip(Region::parse(&region))
                    && what == "stack"
                {
                    names.insert((Place { account, region }, parts.text()?));
                }
            }
            rest = page.rest;
        }
        let mut found = Vec::new();
        for (place, name) in names {
            let stack = self.stack(&place, &name).await?;
            if stack.is_some_and(|stack| stack.status.stage() != Stage::Rest) {
                found.push((place, name));
            }
        }
        Ok(found)
    }

    /// Leaves a mark that only emptying the store removes.
    pub(crate) async fn mark(&self) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                tx.put(mark_key(), "");
                Ok(())
            })
            .await
    }

    /// Whether the mark is there.
    pub(crate) async fn is_marked(&self) -> Result<bool, Error> {
        Ok(self.store.snapshot().get(&mark_key()).await?.is_some())
    }

    /// Tells of changes of the mark.
    pub(crate) fn watch_mark(&self) -> Watch {
        self.store.watch(mark_key())
    }

    pub(crate) async fn resources(&self, place: &Place, name: &str) -> Result<BTreeMap<String, ResourceState>, Error> {
        let records = self.all::<ResourceRecord>(&key(place, "resource").with(name)).await?;
        Ok(records.into_iter().map(ResourceState::from).map(|resource| (resource.id.clone(), resource)).collect())
    }

    pub(crate) async fn template(&self, place: &Place, name: &str, which: Which) -> Result<Option<Value>, Error> {
        Ok(self.get::<TemplateRecord>(&template_key(place, name, which)).await?.map(|record| record.document))
    }

    /// The newest events, the newest last.
    pub(crate) async fn events(&self, stack_id: &str, count: usize) -> Result<Vec<Event>, Error> {
        let page = self.store.snapshot().scan(Range::prefix(&events_key(stack_id)), Scan::last(count)).await?;
        let events = page.items.iter().rev().map(|(_, bytes)| record::decode::<EventRecord>(bytes).map(Event::from));
        events.collect()
    }

    /// Whether resources of a stack were left standing when it let go of them.
    pub(crate) async fn kept_resources(&self, stack_id: &str) -> Result<bool, Error> {
        for (_, bytes) in self.pairs(&events_key(stack_id)).await? {
            if Event::from(record::decode::<EventRecord>(&bytes)?).status == resource_status::DELETE_SKIPPED {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What all stacks export.
    pub(crate) async fn exports(&self, place: &Place) -> Result<BTreeMap<String, String>, Error> {
        let pairs = self.pairs(&key(place, "export")).await?;
        let records = pairs.iter().map(|(_, bytes)| record::decode::<ExportRecord>(bytes));
        records.map(|record| record.map(|record| (record.name, record.value))).collect()
    }

    /// Makes a change, all of it or nothing, while the lease is held.
    pub(crate) async fn write(
        &self,
        place: &Place,
        name: &str,
        lease: &Lease,
        change: Change,
    ) -> Result<(), crate::Error> {
        #[cfg(test)]
        self.halt.point().await;
        let change = &change;
        self.store
            .transact(|tx| async move {
                tx.fence(lease);
                if let Some((before, after)) = &change.shared {
                    share(&tx, place, name, before, after).await?;
                }
                if let Some(stack) = &change.stack {
                    put(&tx, key(place, "stack").with(name), &StackRecord::from(stack)).await?;
                }
                if let Some((which, document)) = &change.template {
                    let record = TemplateRecord { document: document.clone() };
                    put(&tx, template_key(place, name, *which), &record).await?;
                }
                if change.promote {
                    promote(&tx, place, name).await?;
                }
                for resource in &change.resources {
                    let key = key(place, "resource").with(name).with(&resource.id);
                    match resource.is_gone() {
                        true => remove(&tx, &key).await?,
                        false => put(&tx, key, &ResourceRecord::from(resource)).await?,
                    }
                }
                if let Some(stack_id) = &change.remove {
                    for prefix in [
                        key(place, "stack").with(name),
                        key(place, "resource").with(name),
                        key(place, "template").with(name),
                        events_key(stack_id),
                    ] {
                        remove(&tx, &prefix).await?;
                    }
                } else if let (Some(stack), false) = (&change.stack, change.events.is_empty()) {
                    trim(&tx, &stack.id).await?;
                }
                if change.remove.is_none() {
                    for event in &change.events {
                        tx.append_record(events_key(&event.stack_id), &EventRecord::from(event));
                    }
                }
                Ok::<_, crate::Error>(())
            })
            .await
    }

    async fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        let pieces = self.pairs(key).await?;
        match pieces.is_empty() {
            true => Ok(None),
            false => whole(&pieces).map(Some),
        }
    }

    /// All records under `prefix`, each in its pieces.
    async fn all<R: Record>(&self, prefix: &Key) -> Result<Vec<R>, Error> {
        let pairs = self.pairs(prefix).await?;
        let mut records = Vec::new();
        let mut start = 0;
        for end in 1..=pairs.len() {
            // A record's first piece has the number 0.
            let begins = pairs.get(end).is_none_or(|(key, _)| piece_number(key) == 0);
            if begins {
                records.push(whole(&pairs[start..end])?);
                start = end;
            }
        }
        Ok(records)
    }

    async fn pairs(&self, prefix: &Key) -> Result<Vec<(Key, bytes::Bytes)>, Error> {
        let snapshot = self.store.snapshot();
        let mut rest = Some(Range::prefix(prefix));
        let mut pairs = Vec::new();
        while let Some(range) = rest {
            let page = snapshot.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
            pairs.extend(page.items);
            rest = page.rest;
        }
        Ok(pairs)
    }
}

fn mark_key() -> Key {
    Key::new("stacks-mark")
}

fn key(place: &Place, what: &str) -> Key {
    Key::new(ROOT).with(place.account.to_string()).with(place.region.as_str()).with(what)
}

fn template_key(place: &Place, name: &str, which: Which) -> Key {
    let which = match which {
        Which::Current => "current",
        Which::Target => "target",
    };
    key(place, "template").with(name).with(which)
}

fn events_key(stack_id: &str) -> Key {
    Key::journal("stack-events").with(stack_id)
}

fn piece_number(key: &Key) -> u64 {
    let mut parts = key.parts();
    let mut last = None;
    while let Ok(Some(part)) = parts.next_part() {
        last = Some(part);
    }
    match last {
        Some(::store::PartValue::Number(number)) => number,
        _ => 0,
    }
}

fn whole<R: Record>(pieces: &[(Key, bytes::Bytes)]) -> Result<R, Error> {
    match pieces {
        [(_, only)] => record::decode(only),
        _ => record::decode(&pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<u8>>()),
    }
}

async fn put<R: Record>(tx: &Transaction, key: Key, record: &R) -> Result<(), Error> {
    let bytes = record::encode(record)?;
    let mut count = 0_u64;
    let mut at = 0;
    while at < bytes.len() {
        let end = (at + PIECE_BYTES).min(bytes.len());
        tx.put(key.clone().with(count), bytes.slice(at..end));
        (at, count) = (end, count + 1);
    }
    // What a longer one before left behind.
    remove_range(tx, Range::prefix(&key).from(&key.clone().with(count))).await
}

async fn remove(tx: &Transaction, prefix: &Key) -> Result<(), Error> {
    remove_range(tx, Range::prefix(prefix)).await
}

async fn remove_range(tx: &Transaction, range: Range) -> Result<(), Error> {
    let mut rest = Some(range);
    while let Some(range) = rest {
        let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
        page.items.into_iter().for_each(|(key, _)| tx.delete(key));
        rest = page.rest;
    }
    Ok(())
}

async fn promote(tx: &Transaction, place: &Place, name: &str) -> Result<(), Error> {
    let (from, to) = (template_key(place, name, Which::Target), template_key(place, name, Which::Current));
    remove(tx, &to).await?;
    let mut rest = Some(Range::prefix(&from));
    while let Some(range) = rest {
        let page = tx.scan(range, Scan::first(Scan::PAGE_MAX)).await?;
        for (key, piece) in page.items {
            tx.put(to.clone().with(piece_number(&key)), piece);
            tx.delete(key);
        }
        rest = page.rest;
    }
    Ok(())
}

/// Keeps the newest events.
async fn trim(tx: &Transaction, stack_id: &str) -> Result<(), Error> {
    let (mut kept, mut rest) = (0, Some(Range::prefix(&events_key(stack_id))));
    while let Some(range) = rest {
        // A page may be full of bytes before it is full of events.
        let page = tx.scan(range, Scan::last(Scan::PAGE_MAX)).await?;
        for (key, _) in page.items {
            kept += 1;
            if kept > EVENTS_MAX {
                tx.delete(key);
            }
        }
        rest = page.rest;
    }
    Ok(())
}

/// Exports have one owner each, and what is imported stays.
async fn share(
    tx: &Transaction,
    place: &Place,
    name: &str,
    before: &Shared,
    after: &Shared,
) -> Result<(), crate::Error> {
    let export_key = |export: &str| key(place, "export").with_digest(export, 1_000);
    let import_key = |export: &str| key(place, "import").with_digest(export, 1_000);
    for (export, value) in &after.exports {
        let taken: Option<ExportRecord> = tx.get_record(&export_key(export)).await?;
        if let Some(other) = taken.filter(|other| other.stack != name) {
            return Err(crate::Error::ExportTaken { name: export.clone(), stack: other.stack });
        }
        tx.put_record(
            export_key(export),
            &ExportRecord { name: export.clone(), stack: name.to_owned(), value: value.clone() },
        );
    }
    for (export, value) in &before.exports {
        if after.exports.get(export) == Some(value) {
            continue;
        }
        let action = if after.exports.contains_key(export) { "updated" } else { "deleted" };
        let page = tx.scan(Range::prefix(&import_key(export)), Scan::first(100)).await?;
        let mut stacks = Vec::new();
        for (key, _) in &page.items {
            stacks.push(key.parts_after(&import_key(export))?.text()?);
        }
        if !stacks.is_empty() {
            return Err(crate::Error::ExportUsed { name: export.clone(), action, stacks });
        }
        if action == "deleted" {
            tx.delete(export_key(export));
        }
    }
    before.imports.iter().for_each(|export| tx.delete(import_key(export).with(name)));
    after.imports.iter().for_each(|export| tx.put(import_key(export).with(name), ""));
    Ok(())
}
