//! Event buses (EventBridge): facts come in, rules match them, and each match becomes a delivery to each of the rule's targets.
//!
//! Not here: the pattern language (`pattern`), when schedules are due (`timetable`), how deliveries get there (`delivery`), what
//! targets do with them.
//!
//! What always holds:
//! - `PutEvents` is answered when the deliveries to all matched targets, and the copies in archives, are on disk. What was answered
//!   without an error is delivered at least once, or given up as its target says.
//! - Matching is done in memory, which is kept true by the store's feed: a rule counts from the moment that `PutRule` is answered.
//! - An event costs the same with ten rules and with ten thousand (`pattern::Index`).
//! - A rule with a schedule has its next time on disk. Times that passed while the node was down are made up for by one event.
//! - A replay goes on after a crash from the last page of events that it put.
//!
//! Limits: AWS's. Requests of 1 MiB and ten entries, patterns of 4,096 characters, 50 tags, policies of 10 KiB; beyond AWS's, a rule has
//! up to 100 targets, as the model allows, and there may be any number of buses and rules. Partner event sources, global endpoints
//! and the schema registry are not served; their operations answer so.
//!
//! Other services tell of what they do through [`delivery::Announcer`], which the service implements: in their own transaction, on the
//! default bus.
//!
//! Start reading at `model.rs`, then `publish.rs`.

mod background;
mod clouds;
pub mod destination;
mod error;
pub mod fuzzing;
pub mod model;
pub mod ops;
mod policies;
mod publish;
mod replay;
pub mod resources;
mod store;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::store::{Key, Store, Watch};
use base::task::{Kind, Tasks};
use base::{Clock, Random};
use tokio::sync::Notify;

pub use crate::clouds::{CloudEvent, Malformed};
pub use crate::error::Error;
pub use crate::ops::register;

use crate::model::{Scope, Target};
use crate::store::{ArchiveRecord, BusRecord, Cellar, Place, RuleRecord, TargetRecord, TimerRecord};
use crate::table::Table;

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where everything is kept.
    pub store: Store,
    /// Time: of events, schedules, archives.
    pub clock: Clock,
    /// Ids of events.
    pub random: Random,
    /// What addresses that are handed out begin with where nobody asked.
    pub base_url: Arc<str>,
}

/// The service.
#[derive(Debug)]
pub struct Events {
    cellar: Cellar,
    clock: Clock,
    random: Random,
    base_url: Arc<str>,
    table: Table,
    /// When which rule is due.
    timers: Mutex<BTreeSet<(i64, Scope, String)>>,
    /// Something may be due sooner than it was.
    alarm: Notify,
    /// A replay was started.
    replaying: Notify,
    /// Changes are made one at a time, so that what was looked at is still so when it is changed.
    managing: tokio::sync::Mutex<()>,
    /// Memory is refreshed by one at a time, so that nothing older overwrites what is newer.
    refreshing: tokio::sync::Mutex<()>,
    watch: Mutex<Option<Watch>>,
}

impl Events {
    /// Opens the service: reads all buses.
    pub async fn open(deps: Deps) -> Result<Arc<Self>, Error> {
        let Deps { store, clock, random, base_url } = deps;
        // Before the first look, so that nothing falls between the two.
        let watch = store.watch(crate::store::root());
        let events = Arc::new(Self {
            cellar: Cellar { store },
            clock,
            random,
            base_url,
            table: Table::default(),
            timers: Mutex::default(),
            alarm: Notify::new(),
            replaying: Notify::new(),
            managing: tokio::sync::Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            watch: Mutex::new(Some(watch)),
        });
        events.resync().await?;
        Ok(events)
    }

    /// Starts what runs by itself, once. It ends when `tasks` is shut down.
    pub fn start(self: &Arc<Self>, tasks: &Tasks) {
        let Some(watch) = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let (events, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Vital, "events follow the store", async move { events.follow(watch, stop).await });
        let (events, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Vital, "events keep time", async move { events.keep_time(stop).await });
        let (events, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Vital, "events are replayed", async move { events.replay(stop).await });
        let (events, stop) = (Arc::clone(self), tasks.stopping());
        tasks.spawn(Kind::Work, "archived events expire", async move { events.expire(stop).await });
    }

    /// Reads all buses anew: at the start, and when the store was emptied.
    pub async fn resync(&self) -> Result<(), Error> {
        let keys = {
            let _one_at_a_time = self.refreshing.lock().await;
            self.table.clear();
            self.timers().clear();
            self.cellar.keys().await?
        };
        self.refresh(&keys).await?;
        self.alarm.notify_one();
        self.replaying.notify_one();
        Ok(())
    }

    /// Makes memory say what the store says of these keys.
    async fn refresh(&self, keys: &[Key]) -> Result<(), Error> {
        let places: Result<BTreeSet<Place>, Error> = keys.iter().map(crate::store::locate).collect();
        let _one_at_a_time = self.refreshing.lock().await;
        for place in places? {
            match place {
                Place::Bus(scope, name) => self.refresh_bus(&scope, &name).await?,
                Place::Rule(scope, bus, name) => self.refresh_rule(&scope, &bus, &name).await?,
                Place::Timer(scope, rule) => self.refresh_timer(&scope, &rule).await?,
                Place::Archive(scope, name) => self.refresh_archive(&scope, &name).await?,
                Place::Other => {}
            }
        }
        Ok(())
    }

    async fn refresh_bus(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let record: Option<BusRecord> = self.cellar.get(&crate::store::bus(scope, name)).await?;
        self.table.put_bus(scope, name, record);
        Ok(())
    }

    async fn refresh_rule(&self, scope: &Scope, bus: &str, name: &str) -> Result<(), Error> {
        let record: Option<RuleRecord> = self.cellar.get(&crate::store::rule(scope, bus, name)).await?;
        let Some(record) = record else {
            self.table.remove_rule(scope, bus, name);
            return Ok(());
        };
        let mut targets = Vec::new();
        for (_, TargetRecord { document }) in self.cellar.all(&crate::store::targets(scope, bus, name)).await? {
            let (wire, _) = wire::document::read(document).map_err(|error| broken(&error))?;
            targets.push(Target::read(&wire)?);
        }
        self.table.put_rule(scope, bus, name, record, targets)
    }

    async fn refresh_timer(&self, scope: &Scope, rule: &str) -> Result<(), Error> {
        let record: Option<TimerRecord> = self.cellar.get(&crate::store::timer(scope, rule)).await?;
        let mut timers = self.timers();
        timers.retain(|(_, of, name)| of != scope || name != rule);
        if let Some(TimerRecord { due_ms }) = record {
            timers.insert((due_ms, scope.clone(), rule.to_owned()));
        }
        drop(timers);
        self.alarm.notify_one();
        Ok(())
    }

    async fn refresh_archive(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let record: Option<ArchiveRecord> = self.cellar.get(&crate::store::archive(scope, name)).await?;
        self.table.put_archive(scope, name, record)
    }

    fn timers(&self) -> std::sync::MutexGuard<'_, BTreeSet<(i64, Scope, String)>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something on disk that cannot be read: it was checked before it was written.
fn broken(error: &dyn std::fmt::Display) -> Error {
    tracing::error!(%error, "a rule cannot be read");
    Error::Internal
}
