//! The guests that are booted ahead, so that nobody waits for an interpreter.
//!
//! One of each recipe that a function there is would be started by, and some more of those that were needed lately; refilled in the
//! background, one at a time, when no function waits for a start; a function that needs one that is just booting waits for it instead of
//! booting another. What was in use when the node ended is remembered in a file, and booted first thing when it starts again. Bounded:
//! what nobody asked for longest goes first, and all of it when the machine is short of memory. A recipe whose guests do not boot is
//! tried again later and later; functions that use it are started the long way, and say what is wrong.
//!
//! A language is used as long as there is a function in it, whether that is called or not: the first call after a quiet night is one that
//! somebody waits for. What functions there are is told now and then; a recipe that none was told for in two hours is forgotten.

mod shelf;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use base::Clock;
use base::task::{self, Kind};
use tokio::sync::{Notify, oneshot};

use self::shelf::Shelf;
use crate::booted::{Booted, Recipe};
use crate::bytecode;
use crate::shared::Shared;

/// How long a recipe stays for which no function was told.
const INTEREST: Duration = Duration::from_secs(2 * 3600);
/// The most recipes: what nobody asked for longest is forgotten.
const RECIPES_MAX: usize = 64;
/// How often refilling looks whether functions are being started or called.
const CALM: Duration = Duration::from_millis(5);
/// How long it waits for calls to end: an interpreter that boots beside a first call takes the processor that this one needs. Some node
/// is never without calls.
const CALM_MAX: Duration = Duration::from_millis(50);

/// What can be booted ahead; tests have some without a process.
pub(crate) trait Ahead {
    /// True if it ended by itself, which none should.
    fn has_ended(&self) -> bool;
}

/// See the file.
pub(crate) struct Stock<G = Booted> {
    shelves: Mutex<Vec<Shelf<G>>>,
    clock: Clock,
    /// The most guests in stock.
    max: usize,
    /// Whether there is no memory for any.
    short: AtomicBool,
    /// Where the recipes are remembered.
    memory: PathBuf,
    changed: Notify,
    /// How many became somebody's.
    taken: AtomicU64,
}

/// The guests that are booted ahead, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootedAhead {
    /// How many are ready.
    pub ready: usize,
    /// How many functions got one since the node started.
    pub taken: u64,
    /// What those that are ready have in memory, in bytes: of pages that others have too, a share.
    pub memory_bytes: u64,
}

/// What a function that needs a guest gets.
enum Claim<G> {
    Ready(Box<G>),
    Coming(oneshot::Receiver<G>),
    Nothing,
}

impl Stock {
    /// Refills it for as long as the node lives.
    pub(crate) fn run(shared: &Arc<Shared>) {
        let weak = Arc::downgrade(shared);
        task::spawn(Kind::Vital, "boot guests ahead", async move {
            let mut remembered = Vec::new();
            while let Some(shared) = weak.upgrade() {
                shared.stock.sweep();
                if !shared.is_stopping() {
                    shared.stock.remember(&mut remembered);
                }
                if shared.is_stopping() {
                    shared.stock.clear();
                }
                let recipe = if shared.is_stopping() { None } else { shared.stock.lacking() };
                let Some(recipe) = recipe else {
                    drop(shared);
                    Self::wait(&weak).await;
                    continue;
                };
                let lacking = Instant::now();
                while shared.starts.any() || (shared.in_flight() > 0 && lacking.elapsed() < CALM_MAX) {
                    tokio::time::sleep(CALM).await;
                }
                shared.stock.begin(&recipe);
                let booted = Booted::boot(&shared.host, &recipe).await;
                shared.stock.put(&recipe, booted);
                Self::compile(&shared, recipe).await;
            }
        });
    }

    /// Once there is a guest that a function can have: the next ones start sooner.
    async fn compile(shared: &Arc<Shared>, recipe: Arc<Recipe>) {
        let shared = Arc::clone(shared);
        let compiled = tokio::task::spawn_blocking(move || bytecode::make_once(&shared.bootstraps, &recipe)).await;
        if let Err(error) = compiled {
            tracing::debug!(%error, "the bootstrap is not compiled ahead");
        }
    }

    /// Until something changes, or for some seconds.
    async fn wait(shared: &Weak<Shared>) {
        let Some(shared) = shared.upgrade() else { return };
        let (stock, sweep) = (Arc::clone(&shared.stock), shared.options.sweep);
        drop(shared);
        // Late or told: either way it is looked through next.
        let _ = tokio::time::timeout(sweep, stock.changed.notified()).await;
    }

    /// How many there are and were. Some system calls for each.
    pub(crate) fn counts(&self) -> BootedAhead {
        let guests: Vec<_> = self.lock().iter().flat_map(|shelf| shelf.ready.iter().map(Booted::child)).collect();
        let memory = guests.iter().filter_map(Weak::upgrade).map(|child| child.share());
        BootedAhead { ready: guests.len(), taken: self.taken.load(Ordering::Relaxed), memory_bytes: memory.sum() }
    }
}

impl<G: Ahead> Stock<G> {
    /// For at most so many; as yet with nothing but the recipes that `memory` remembers.
    pub(crate) fn new(max: usize, memory: PathBuf, clock: Clock) -> Self {
        // A file that is missing, or from another version, remembers nothing.
        let text = std::fs::read(&memory).unwrap_or_default();
        let recipes: Vec<Recipe> = serde_json::from_slice(&text).unwrap_or_default();
        let now = clock.elapsed();
        let shelves = recipes.into_iter().filter(Recipe::is_there).take(max).map(|recipe| Shelf::new(recipe, now));
        Self {
            shelves: Mutex::new(shelves.collect()),
            clock,
            max,
            short: AtomicBool::new(false),
            memory,
            changed: Notify::new(),
            taken: AtomicU64::new(0),
        }
    }

    /// A function is there that will be started by this recipe, and is about to be.
    pub(crate) fn expect(&self, recipe: Recipe) {
        if self.max == 0 {
            return;
        }
        let now = self.clock.elapsed();
        let mut shelves = self.lock();
        match shelves.iter_mut().find(|shelf| *shelf.recipe == recipe) {
            Some(shelf) => (shelf.asked, shelf.known) = (now, now),
            None => {
                let forgotten = add(&mut shelves, Shelf::new(recipe, now));
                drop(shelves);
                drop(forgotten);
                self.changed.notify_one();
            }
        }
    }

    /// A function is still there that would be started by this recipe. That takes nothing from those that are called.
    pub(crate) fn keep(&self, recipe: Recipe) {
        if self.max == 0 {
            return;
        }
        let now = self.clock.elapsed();
        let mut shelves = self.lock();
        let has_room = shelves.len() < RECIPES_MAX;
        match shelves.iter_mut().find(|shelf| *shelf.recipe == recipe) {
            Some(shelf) => shelf.known = now,
            None if has_room => {
                let mut shelf = Shelf::new(recipe, now);
                shelf.asked = Duration::ZERO;
                shelves.push(shelf);
                drop(shelves);
                self.changed.notify_one();
            }
            None => {}
        }
    }

    /// Takes one, if one is ready or just booting.
    pub(crate) async fn take(&self, recipe: &Recipe) -> Option<G> {
        if self.max == 0 {
            return None;
        }
        let taken = match self.claim(recipe) {
            Claim::Ready(guest) => Some(*guest),
            // None if it did not boot.
            Claim::Coming(guest) => guest.await.ok(),
            Claim::Nothing => None,
        };
        if taken.is_some() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn claim(&self, recipe: &Recipe) -> Claim<G> {
        let now = self.clock.elapsed();
        let mut shelves = self.lock();
        let mut forgotten = None;
        let at = shelves.iter().position(|shelf| *shelf.recipe == *recipe).unwrap_or_else(|| {
            forgotten = add(&mut shelves, Shelf::new(recipe.clone(), now));
            shelves.len() - 1
        });
        let shelf = &mut shelves[at];
        let claim = match shelf.take(now) {
            Some(guest) => Claim::Ready(Box::new(guest)),
            None if shelf.booting && shelf.waiting.is_none() => {
                let (hand, guest) = oneshot::channel();
                shelf.waiting = Some(hand);
                Claim::Coming(guest)
            }
            None => Claim::Nothing,
        };
        drop(shelves);
        drop(forgotten);
        self.changed.notify_one();
        claim
    }

    /// The recipe that lacks a guest, the one asked for last first; room is made where that takes another one's.
    fn lacking(&self) -> Option<Arc<Recipe>> {
        if self.short.load(Ordering::Acquire) {
            return None;
        }
        let mut shelves = self.lock();
        let now = self.clock.elapsed();
        let shelf = shelves.iter().filter(|shelf| shelf.lacks(now)).max_by_key(|shelf| shelf.asked)?;
        let (recipe, asked) = (Arc::clone(&shelf.recipe), shelf.asked);
        let total: usize = shelves.iter().map(|shelf| shelf.ready.len()).sum();
        let mut gone = None;
        if total >= self.max {
            let oldest = shelves.iter_mut().filter(|shelf| !shelf.ready.is_empty()).min_by_key(|shelf| shelf.asked)?;
            if oldest.asked >= asked {
                return None;
            }
            gone = oldest.ready.pop();
        }
        drop(shelves);
        // Ending a guest takes a moment.
        drop(gone);
        Some(recipe)
    }

    fn begin(&self, recipe: &Arc<Recipe>) {
        if let Some(shelf) = self.lock().iter_mut().find(|shelf| Arc::ptr_eq(&shelf.recipe, recipe)) {
            shelf.booting = true;
        }
    }

    fn put(&self, recipe: &Arc<Recipe>, booted: Result<G, String>) {
        let now = self.clock.elapsed();
        let mut shelves = self.lock();
        let Some(shelf) = shelves.iter_mut().find(|shelf| Arc::ptr_eq(&shelf.recipe, recipe)) else {
            return;
        };
        shelf.booting = false;
        match booted {
            Ok(guest) => {
                let guest = match shelf.waiting.take() {
                    Some(hand) => hand.send(guest).err(),
                    None => Some(guest),
                };
                // One whose function went away stays in stock.
                shelf.ready.extend(guest);
            }
            Err(reason) => {
                shelf.fail(now);
                shelf.waiting = None;
                tracing::warn!(reason, program = %recipe.plan.program.display(), "a guest could not be booted ahead");
            }
        }
    }

    /// Lets go of what no function is there for, of what ended, and of what is more than wanted.
    fn sweep(&self) {
        let now = self.clock.elapsed();
        let mut shelves = self.lock();
        let forgotten: Vec<Shelf<G>> =
            shelves.extract_if(.., |shelf| now.saturating_sub(shelf.known) > INTEREST).collect();
        let gone: Vec<G> = shelves.iter_mut().flat_map(|shelf| shelf.sweep(now)).collect();
        drop(shelves);
        drop((forgotten, gone));
    }

    /// The machine is short of memory: nothing is booted ahead until it is not. How many guests ended for that.
    pub(crate) fn shed(&self) -> usize {
        self.short.store(true, Ordering::Release);
        let gone: Vec<G> = self.lock().iter_mut().flat_map(|shelf| std::mem::take(&mut shelf.ready)).collect();
        gone.len()
    }

    /// It is not, or not any more.
    pub(crate) fn recover(&self) {
        if self.short.swap(false, Ordering::AcqRel) {
            self.changed.notify_one();
        }
    }

    /// Remembers the recipes that functions use now, those asked for last first, if they are not the ones that the file has.
    fn remember(&self, known: &mut Vec<Arc<Recipe>>) {
        let recipes = {
            let shelves = self.lock();
            let mut shelves: Vec<&Shelf<G>> = shelves.iter().collect();
            shelves.sort_by_key(|shelf| std::cmp::Reverse(shelf.asked));
            shelves.iter().map(|shelf| Arc::clone(&shelf.recipe)).collect::<Vec<_>>()
        };
        if *known == recipes {
            return;
        }
        *known = recipes;
        let recipes: Vec<&Recipe> = known.iter().map(|recipe| &**recipe).collect();
        let written = serde_json::to_vec(&recipes).map_err(std::io::Error::from).and_then(|text| {
            let new = self.memory.with_extension("new");
            std::fs::write(&new, text)?;
            std::fs::rename(new, &self.memory)
        });
        if let Err(error) = written {
            tracing::debug!(%error, file = %self.memory.display(), "what to boot ahead is not remembered");
        }
    }

    /// Forgets guests whose root was removed.
    pub(crate) fn forget_gone(&self) {
        let gone: Vec<Shelf<G>> = self.lock().extract_if(.., |shelf| !shelf.recipe.is_there()).collect();
        // Ending guests takes a moment.
        drop(gone);
    }

    /// Nothing is kept any more.
    pub(crate) fn clear(&self) {
        let shelves = std::mem::take(&mut *self.lock());
        drop(shelves);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Shelf<G>>> {
        self.shelves.lock().expect("nothing panics while it holds this lock")
    }
}

/// Another shelf, as the last one; the one that it takes the place of, if there are too many.
fn add<G>(shelves: &mut Vec<Shelf<G>>, shelf: Shelf<G>) -> Option<Shelf<G>> {
    let oldest = (0..shelves.len()).min_by_key(|at| shelves[*at].asked).filter(|_| shelves.len() >= RECIPES_MAX);
    let forgotten = oldest.map(|at| shelves.swap_remove(at));
    shelves.push(shelf);
    forgotten
}
