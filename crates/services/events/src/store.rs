//! Where everything of the buses lies, and (with its room `store/`) the only place that touches the store.
//!
//! Changed in place, under `events` (each followed by ACCOUNT and REGION):
//!
//! | kind | then | record |
//! |---|---|---|
//! | `bus` | name | a bus; the default bus is there without one |
//! | `rule` | bus, name | a rule |
//! | `target` | bus, rule, id | a target, as it was given |
//! | `timer` | rule | when a rule with a schedule is due next |
//! | `archive` | name | an archive |
//! | `gone-archive` | id | an archive that was deleted, until its events are gone too |
//! | `replay` | name | a replay, and how far it has come |
//! | `connection`, `destination` | name | how, and where, requests to the world are made |
//!
//! Of class queue, under `events-archive`, ACCOUNT, REGION, and the archive's id: archived events in the order in which they came, cut
//! into pieces (`store/archived.rs`).

mod archived;
mod records;

use ::store::{Key, Range, Record, Scan, Snapshot, Store, Transaction};
use contract::{AccountId, Region};

use crate::error::Error;
use crate::model::Scope;

pub(crate) use archived::{Reader, put as put_archived};
pub(crate) use records::{
    ArchiveRecord, BusRecord, ConnectionRecord, DestinationRecord, ReplayRecord, RuleRecord, TargetRecord, TimerRecord,
};

/// What a key names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Bus(Scope, String),
    /// A rule, or one of its targets: bus, name.
    Rule(Scope, String, String),
    Timer(Scope, String),
    Archive(Scope, String),
    /// What memory knows nothing of.
    Other,
}

/// Everything of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cellar {
    pub(crate) store: Store,
}

pub(crate) fn root() -> Key {
    Key::new("events")
}

fn scoped(kind: &str, scope: &Scope) -> Key {
    root().with(kind).with(scope.account.to_string()).with(scope.region.as_str())
}

pub(crate) fn bus(scope: &Scope, name: &str) -> Key {
    scoped("bus", scope).with(name)
}

pub(crate) fn rule(scope: &Scope, bus: &str, name: &str) -> Key {
    scoped("rule", scope).with(bus).with(name)
}

pub(crate) fn targets(scope: &Scope, bus: &str, rule: &str) -> Key {
    scoped("target", scope).with(bus).with(rule)
}

pub(crate) fn target(scope: &Scope, bus: &str, rule: &str, id: &str) -> Key {
    targets(scope, bus, rule).with(id)
}

pub(crate) fn timer(scope: &Scope, rule: &str) -> Key {
    scoped("timer", scope).with(rule)
}

pub(crate) fn archive(scope: &Scope, name: &str) -> Key {
    scoped("archive", scope).with(name)
}

pub(crate) fn replays(scope: &Scope) -> Key {
    scoped("replay", scope)
}

pub(crate) fn replay(scope: &Scope, name: &str) -> Key {
    replays(scope).with(name)
}

pub(crate) fn connections(scope: &Scope) -> Key {
    scoped("connection", scope)
}

pub(crate) fn connection(scope: &Scope, name: &str) -> Key {
    connections(scope).with(name)
}

pub(crate) fn destinations(scope: &Scope) -> Key {
    scoped("destination", scope)
}

pub(crate) fn destination(scope: &Scope, name: &str) -> Key {
    destinations(scope).with(name)
}

/// Archives that were deleted, and whose events are still to be taken away.
pub(crate) fn gone_archives(scope: &Scope) -> Key {
    scoped("gone-archive", scope)
}

/// The events of an archive.
pub(crate) fn archived(scope: &Scope, id: u64) -> Key {
    Key::queue("events-archive").with(scope.account.to_string()).with(scope.region.as_str()).with(id)
}

/// Reads a key.
pub(crate) fn locate(key: &Key) -> Result<Place, Error> {
    let mut parts = key.parts_after(&root())?;
    let (kind, account, region) = (parts.text()?, parts.text()?, parts.text()?);
    let Some((account, region)) = AccountId::parse(&account).zip(Region::parse(&region)) else {
        return Ok(Place::Other);
    };
    let scope = Scope { account, region };
    Ok(match kind.as_str() {
        "bus" => Place::Bus(scope, parts.text()?),
        "rule" | "target" => Place::Rule(scope, parts.text()?, parts.text()?),
        "timer" => Place::Timer(scope, parts.text()?),
        "archive" => Place::Archive(scope, parts.text()?),
        _ => Place::Other,
    })
}

impl Cellar {
    /// Makes changes, all or none.
    pub(crate) async fn change(&self, change: impl Fn(&Transaction) + Send + Sync) -> Result<(), Error> {
        let change = &change;
        self.store
            .transact(|tx| async move {
                change(&tx);
                Ok::<_, Error>(())
            })
            .await
    }

    pub(crate) async fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        Ok(self.store.snapshot().get_record(key).await?)
    }

    /// All keys of every bus.
    pub(crate) async fn keys(&self) -> Result<Vec<Key>, Error> {
        Ok(scan(&self.store.snapshot(), &root()).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// All records under a key, by the last part of theirs.
    pub(crate) async fn all<R: Record>(&self, prefix: &Key) -> Result<Vec<(String, R)>, Error> {
        let mut all = Vec::new();
        for (key, value) in scan(&self.store.snapshot(), prefix).await? {
            all.push((key.parts_after(prefix)?.text()?, ::store::record::decode(&value)?));
        }
        Ok(all)
    }

    /// Archives whose events are still to be taken away: the key that says so, and where the events lie.
    pub(crate) async fn all_gone(&self) -> Result<Vec<(Key, Key)>, Error> {
        let (prefix, mut all) = (root().with("gone-archive"), Vec::new());
        for (key, _) in scan(&self.store.snapshot(), &prefix).await? {
            let mut parts = key.parts_after(&prefix)?;
            let (account, region, id) = (parts.text()?, parts.text()?, parts.number()?);
            if let Some((account, region)) = AccountId::parse(&account).zip(Region::parse(&region)) {
                let events = archived(&Scope { account, region }, id);
                all.push((key, events));
            }
        }
        Ok(all)
    }

    /// Every replay of every scope.
    pub(crate) async fn all_replays(&self) -> Result<Vec<(Scope, String, ReplayRecord)>, Error> {
        let (prefix, mut all) = (root().with("replay"), Vec::new());
        for (key, value) in scan(&self.store.snapshot(), &prefix).await? {
            let mut parts = key.parts_after(&prefix)?;
            let (account, region, name) = (parts.text()?, parts.text()?, parts.text()?);
            if let Some((account, region)) = AccountId::parse(&account).zip(Region::parse(&region)) {
                all.push((Scope { account, region }, name, ::store::record::decode(&value)?));
            }
        }
        Ok(all)
    }

    /// Takes away archived events from `after` on up to what is younger than `before_ms`, a page at a time. False when nothing is left
    /// to take.
    pub(crate) async fn forget(&self, prefix: &Key, before_ms: i64) -> Result<bool, Error> {
        let page = self.store.snapshot().scan(Range::prefix(prefix), Scan::first(1_000)).await?;
        let old: Vec<Key> = page
            .items
            .into_iter()
            .take_while(|(_, value)| archived::archived_ms(value).is_none_or(|ms| ms < before_ms))
            .map(|(key, _)| key)
            .collect();
        let old = &old;
        self.change(|tx| old.iter().for_each(|key| tx.delete(key.clone()))).await?;
        Ok(!old.is_empty())
    }
}

async fn scan(snapshot: &Snapshot, prefix: &Key) -> Result<Vec<(Key, bytes::Bytes)>, Error> {
    let (mut all, mut rest) = (Vec::new(), Some(Range::prefix(prefix)));
    while let Some(range) = rest.take() {
        let page = snapshot.scan(range, Scan::first(1_000)).await?;
        all.extend(page.items);
        rest = page.rest;
    }
    Ok(all)
}
