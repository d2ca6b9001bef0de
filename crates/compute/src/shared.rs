//! What all functions of a node share: the sandbox, the code, the languages, the log pump, and the limits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use base::task::Tasks;
use sandbox::Host;

use crate::bootstraps::Bootstraps;
use crate::code::Codes;
use crate::container::Containers;
use crate::image::{Image, Settings};
use crate::instance::Origin;
use crate::invocation::{Outcome, RunFault, Throttle};
use crate::languages::Languages;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::pool::Pool;
use crate::processors::Processors;
use crate::pump::Pump;
use crate::stock::Stock;
use crate::tally::{Counts, Tally};
use crate::wasi::Wasi;

/// See the file.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) host: Arc<Host>,
    pub(crate) codes: Arc<Codes>,
    pub(crate) containers: Arc<Containers>,
    pub(crate) languages: Arc<Languages>,
    pub(crate) bootstraps: Bootstraps,
    pub(crate) pump: Arc<Pump>,
    pub(crate) monitor: Monitor,
    pub(crate) tasks: Tasks,
    pub(crate) starts: Starts,
    pub(crate) processors: Processors,
    pub(crate) stock: Arc<Stock>,
    pub(crate) wasi: Wasi,
    in_flight: AtomicU32,
    stopping: AtomicBool,
    ledger: Mutex<Ledger>,
    registry: Mutex<Registry>,
}

/// Limits the guests that are booted or placed at one time: more would only make each slower. How long a function takes to initialise
/// itself is its own affair.
pub(crate) struct Starts {
    now: Arc<AtomicU32>,
    max: u32,
}

/// One of them, until it is dropped.
pub(crate) struct Start {
    now: Arc<AtomicU32>,
}

/// What all instances together take of the node.
#[derive(Debug, Default)]
struct Ledger {
    memory_mb: u64,
    instances: u32,
}

/// Images and pools by function.
#[derive(Default)]
struct Registry {
    /// By function ARN and version.
    images: HashMap<(String, String), Weak<Image>>,
    /// By function ARN: every pool that may have instances.
    pools: HashMap<String, Vec<Weak<Pool>>>,
    /// By function ARN.
    tallies: HashMap<String, Arc<Tally>>,
}

/// An attempt's place under the limits, from admission to its end.
pub(crate) struct Admission {
    shared: Arc<Shared>,
    tally: Arc<Tally>,
}

/// An instance's place in the ledger.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    memory_mb: u32,
    pub(crate) origin: Origin,
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        host: Host,
        codes: Codes,
        bootstraps: Bootstraps,
        pump: Arc<Pump>,
    ) -> Arc<Self> {
        let remembered = options.dir.join("booted.json");
        let stock = Arc::new(Stock::new(options.booted_max, remembered, options.clock.clone()));
        let processors = Processors::new();
        let starts = Starts { now: Arc::default(), max: (processors.cores() * 2).max(2) };
        let wasi = Wasi::new(&options);
        let (clock, random) = (options.clock.clone(), options.random.clone());
        let containers = Arc::new(Containers::new(options.dir.join("images"), clock, random));
        let languages = Arc::new(Languages::new(options.dir.join("interpreters.json")));
        Arc::new(Self {
            options,
            host: Arc::new(host),
            codes: Arc::new(codes),
            containers,
            languages,
            bootstraps,
            pump,
            monitor: Monitor::new(),
            tasks: Tasks::new(),
            starts,
            processors,
            stock,
            wasi,
            in_flight: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::default()),
            registry: Mutex::new(Registry::default()),
        })
    }

    /// Counts an attempt in, if the limits allow it.
    pub(crate) fn admit(self: &Arc<Self>, image: &Image) -> Result<Admission, RunFault> {
        if self.is_stopping() {
            return Err(RunFault::Stopping);
        }
        let limit = self.options.concurrency_max;
        let tally = Arc::clone(image.pool.tally());
        if self.in_flight.fetch_add(1, Ordering::AcqRel) >= limit {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
            tally.throttled();
            return Err(RunFault::Throttled { reason: Throttle::Concurrency { limit } });
        }
        let before = tally.in_flight.fetch_add(1, Ordering::AcqRel);
        let admission = Admission { shared: Arc::clone(self), tally };
        match image.concurrency_reserved {
            Some(limit) if before >= limit => {
                admission.tally.throttled();
                Err(RunFault::Throttled { reason: Throttle::Reserved { limit } })
            }
            Some(_) | None => Ok(admission),
        }
    }

    /// The image of these settings: the one that is loaded already, or a new one. It takes the other's place, unless that is newer: who
    /// began to load it earlier may be done later.
    pub(crate) fn image(self: &Arc<Self>, settings: &Settings, make: impl FnOnce(Arc<Pool>) -> Image) -> Arc<Image> {
        let key = (settings.arn.clone(), settings.version.clone());
        let mut registry = self.registry.lock().expect("nothing panics while it holds this lock");
        let old = registry.images.get(&key).and_then(Weak::upgrade);
        let is_late = old.as_ref().is_some_and(|old| old.sequence > settings.sequence && !old.pool.is_retired());
        if let Some(old) = old
            && !is_late
        {
            if old.revision == settings.revision && !old.pool.is_retired() {
                return old;
            }
            old.pool.retire();
        }
        let tally = Arc::clone(registry.tallies.entry(key.0.clone()).or_default());
        let pool = Arc::new(Pool::new(tally, self.options.clock.clone()));
        let pools = registry.pools.entry(key.0.clone()).or_default();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&pool));
        let image = Arc::new(make(pool));
        if !is_late {
            registry.images.insert(key, Arc::downgrade(&image));
        }
        image
    }

    /// Ends what a function has: idle instances now, busy ones after their call. Its pools stay known for as long as anybody holds
    /// them: who waits there is still looked after.
    pub(crate) fn retire(&self, arn: &str) {
        let pools = {
            let mut registry = self.registry.lock().expect("nothing panics while it holds this lock");
            registry.images.retain(|(function, _), image| function != arn && image.strong_count() > 0);
            // The function's own stays: its code may only have changed.
            registry.tallies.retain(|function, tally| function == arn || Arc::strong_count(tally) > 1);
            registry.pools.retain(|_, pools| {
                pools.retain(|pool| pool.strong_count() > 0);
                !pools.is_empty()
            });
            registry.pools.get(arn).cloned().unwrap_or_default()
        };
        pools.iter().filter_map(Weak::upgrade).for_each(|pool| pool.retire());
    }

    /// Freezes what has nothing to do. True if there is something that has just ended a call: it is to be looked at again.
    pub(crate) fn freeze(&self) -> bool {
        self.pools().iter().fold(false, |awake, pool| awake | pool.freeze())
    }

    /// Ends what has nothing to do, and starts what is expected to be called soon.
    pub(crate) fn tidy(self: &Arc<Self>) {
        for pool in self.pools() {
            pool.tidy(self.options.keep_alive);
        }
        let images = self.images();
        for function in images.iter().filter_map(|image| image.in_process.get()?.as_ref()) {
            function.retire_unused(self.options.keep_alive);
        }
        if (self.options.memory_left)().is_some_and(|bytes| bytes < self.options.memory_spare.bytes()) {
            return self.give_memory_back();
        }
        self.stock.recover();
        for image in images {
            image.pool.provide(self, &image);
            image.pool.warm(self, &image);
        }
    }

    /// Ends what is nobody's: the guests that are booted ahead, and what is kept of WebAssembly. If that is not enough, half of the idle
    /// instances next time, those first that were used least recently; and the rest after that.
    fn give_memory_back(&self) {
        let shed = self.stock.shed();
        for function in self.images().iter().filter_map(|image| image.in_process.get()?.as_ref()) {
            function.retire_unused(Duration::ZERO);
        }
        self.wasi.forget_kept();
        if shed > 0 {
            tracing::info!(count = shed, "memory is short: nothing is booted ahead");
            return;
        }
        let mut idle: Vec<(Duration, Arc<Pool>)> = self
            .pools()
            .into_iter()
            .flat_map(|pool| pool.idle_times().into_iter().map(move |since| (since, Arc::clone(&pool))))
            .collect();
        idle.sort_by_key(|(since, _)| *since);
        let count = idle.len().div_ceil(2);
        if count > 0 {
            tracing::info!(count, "memory is short: idle instances end");
        }
        for (_, pool) in idle.into_iter().take(count) {
            drop(pool.take_oldest());
        }
    }

    /// Looks after all that wait: true if anybody does.
    pub(crate) fn reconsider_all(self: &Arc<Self>) -> bool {
        let mut waiting = false;
        for pool in self.pools() {
            waiting |= pool.reconsider(self);
        }
        if waiting {
            self.processors.look();
        }
        waiting
    }

    /// True if an instance could have a seat without taking another one's.
    pub(crate) fn has_room(&self, memory_mb: u32) -> bool {
        self.lock_ledger().has_room(memory_mb, &self.options)
    }

    /// Takes a seat for an instance: if there is none, the idle instance that was used least recently gives up its own.
    pub(crate) fn seat(self: &Arc<Self>, pool: &Arc<Pool>, memory_mb: u32, origin: Origin) -> Option<Seat> {
        loop {
            {
                let mut ledger = self.lock_ledger();
                if ledger.has_room(memory_mb, &self.options) {
                    ledger.memory_mb += u64::from(memory_mb);
                    ledger.instances += 1;
                    let (shared, pool) = (Arc::clone(self), Arc::clone(pool));
                    return Some(Seat { shared, pool, memory_mb, origin });
                }
            }
            let longest = self.pools().into_iter().filter_map(|pool| Some((pool.idle_times().first().copied()?, pool)));
            let (_, pool) = longest.min_by_key(|(since, _): &(Duration, _)| *since)?;
            // Its seat comes free as it is dropped. If somebody else took it meanwhile, the next round finds another.
            drop(pool.take_oldest());
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// No more attempts are admitted; idle instances end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stock.clear();
        self.pools().iter().for_each(|pool| pool.retire());
    }

    /// How many attempts are in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// A call of a function was refused before it came here.
    pub(crate) fn throttled(&self, arn: &str) {
        let mut registry = self.registry.lock().expect("nothing panics while it holds this lock");
        registry.tallies.entry(arn.to_owned()).or_default().throttled();
    }

    /// What each function has done, by ARN.
    pub(crate) fn counts(&self) -> Vec<(String, Counts)> {
        let registry = self.registry.lock().expect("nothing panics while it holds this lock");
        registry.tallies.iter().map(|(arn, tally)| (arn.clone(), tally.counts())).collect()
    }

    /// How many instances are starting.
    pub(crate) fn starting(&self) -> u32 {
        self.pools().iter().map(|pool| pool.starting()).sum()
    }

    fn lock_ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds this lock")
    }

    fn images(&self) -> Vec<Arc<Image>> {
        let registry = self.registry.lock().expect("nothing panics while it holds this lock");
        registry.images.values().filter_map(Weak::upgrade).collect()
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        let registry = self.registry.lock().expect("nothing panics while it holds this lock");
        registry.pools.values().flatten().filter_map(Weak::upgrade).collect()
    }
}

impl Ledger {
    /// True if another instance of that size may be. One always may, or a large function could never run on a small machine.
    fn has_room(&self, memory_mb: u32, options: &Options) -> bool {
        let memory_total_mb = options.memory_total.bytes() >> 20;
        let fits = self.memory_mb + u64::from(memory_mb) <= memory_total_mb || self.instances == 0;
        fits && self.instances < options.instances_max
    }
}

impl Admission {
    /// The attempt has ended; it could use so much memory.
    pub(crate) fn ended(&self, outcome: &Outcome, memory_mb: u32) {
        self.tally.ended(outcome, memory_mb);
    }

    /// It never began, for want of an instance.
    pub(crate) fn throttled(&self) {
        self.tally.throttled();
    }
}

impl Starts {
    /// Counts one start in, if there is room.
    pub(crate) fn begin(&self) -> Option<Start> {
        let counted =
            self.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < self.max).then_some(now + 1));
        counted.is_ok().then(|| Start { now: Arc::clone(&self.now) })
    }

    /// True if one goes on.
    pub(crate) fn any(&self) -> bool {
        self.now.load(Ordering::Acquire) > 0
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.now.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.tally.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        {
            let mut ledger = self.shared.lock_ledger();
            ledger.memory_mb -= u64::from(self.memory_mb);
            ledger.instances -= 1;
        }
        self.pool.left(self.origin);
    }
}
