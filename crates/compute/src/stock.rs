//! The guests that are booted ahead, so that nobody waits for an interpreter.
//!
//! One of each recipe that a function uses, and some more of those that were needed lately; refilled in the background, one at a
//! time, when no function waits for a start; a function that needs one that is just booting waits for it instead of booting another.
//! What was in use when the node ended is remembered in a file, and booted first thing when it starts again. Bounded: what nobody asked
//! for longest goes first. A recipe whose guests do not boot is tried again later and later; functions that use it are started the long way, and say what is wrong.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use base::task::{self, Kind};
use tokio::sync::{Notify, oneshot};

use crate::booted::{Booted, Recipe};
use crate::shared::Shared;

/// How long a recipe that nobody asks for stays in stock.
const INTEREST: Duration = Duration::from_secs(3600);
/// Guests taken in this time were needed lately.
const LATELY: Duration = Duration::from_secs(10);
/// The most of one recipe.
const DEPTH_MAX: usize = 4;
/// The most recipes: what nobody asked for longest is forgotten.
const RECIPES_MAX: usize = 64;
/// How often the stock is looked through without a reason.
const SWEEP: Duration = Duration::from_secs(5);
/// How often refilling looks whether functions are being started or called.
const CALM: Duration = Duration::from_millis(5);
/// How long it waits for calls to end: an interpreter that boots beside a first call takes the processor that this one needs. Some node
/// is never without calls.
const CALM_MAX: Duration = Duration::from_millis(50);
/// The longest wait before a recipe that failed is tried again.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// See the file.
pub(crate) struct Stock {
    shelves: Mutex<Vec<Shelf>>,
    /// The most guests in stock.
    max: usize,
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
}

/// What a function that needs a guest gets.
enum Claim {
    Ready(Box<Booted>),
    Coming(oneshot::Receiver<Booted>),
    Nothing,
}

/// The guests of one recipe.
struct Shelf {
    recipe: Arc<Recipe>,
    ready: Vec<Booted>,
    /// Whether one is being booted.
    booting: bool,
    /// The function that waits for it.
    waiting: Option<oneshot::Sender<Booted>>,
    asked: Instant,
    /// When guests were taken lately.
    taken: Vec<Instant>,
    failures: u32,
    not_before: Instant,
}

impl Stock {
    /// For at most so many; as yet with nothing but the recipes that `memory` remembers.
    pub(crate) fn new(max: usize, memory: PathBuf) -> Self {
        // A file that is missing, or from another version, remembers nothing.
        let text = std::fs::read(&memory).unwrap_or_default();
        let recipes: Vec<Recipe> = serde_json::from_slice(&text).unwrap_or_default();
        let shelves = recipes.into_iter().filter(Recipe::is_there).take(max).map(Shelf::new).collect();
        Self { shelves: Mutex::new(shelves), max, memory, changed: Notify::new(), taken: AtomicU64::new(0) }
    }

    /// Remembers the recipes that functions use now, those asked for last first, if they are not the ones that the file has.
    fn remember(&self, known: &mut Vec<Arc<Recipe>>) {
        let recipes = {
            let shelves = self.lock();
            let mut shelves: Vec<&Shelf> = shelves.iter().collect();
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
            }
        });
    }

    /// Until something changes, or for some seconds.
    async fn wait(shared: &Weak<Shared>) {
        let Some(shared) = shared.upgrade() else { return };
        let stock = Arc::clone(&shared.stock);
        drop(shared);
        // Late or told: either way it is looked through next.
        let _ = tokio::time::timeout(SWEEP, stock.changed.notified()).await;
    }

    /// A function is there that will be started by this recipe.
    pub(crate) fn expect(&self, recipe: Recipe) {
        if self.max == 0 {
            return;
        }
        let mut shelves = self.lock();
        match shelves.iter_mut().find(|shelf| *shelf.recipe == recipe) {
            Some(shelf) => shelf.asked = Instant::now(),
            None => {
                let forgotten = add(&mut shelves, recipe);
                drop(shelves);
                drop(forgotten);
                self.changed.notify_one();
            }
        }
    }

    /// Takes one, if one is ready or just booting.
    pub(crate) async fn take(&self, recipe: &Recipe) -> Option<Booted> {
        if self.max == 0 {
            return None;
        }
        let taken = match self.claim(recipe) {
            Claim::Ready(booted) => Some(*booted),
            // None if it did not boot.
            Claim::Coming(booted) => booted.await.ok(),
            Claim::Nothing => None,
        };
        if taken.is_some() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn claim(&self, recipe: &Recipe) -> Claim {
        let mut shelves = self.lock();
        let mut forgotten = None;
        let at = shelves.iter().position(|shelf| *shelf.recipe == *recipe).unwrap_or_else(|| {
            forgotten = add(&mut shelves, recipe.clone());
            shelves.len() - 1
        });
        let shelf = &mut shelves[at];
        let now = Instant::now();
        shelf.asked = now;
        shelf.taken.retain(|at| at.elapsed() < LATELY);
        if shelf.taken.len() < DEPTH_MAX {
            shelf.taken.push(now);
        }
        let booted = std::iter::from_fn(|| shelf.ready.pop()).find(|booted| !booted.has_ended());
        if booted.is_some() {
            // One that lived until it was needed: its kind does.
            shelf.failures = 0;
        }
        let claim = match booted {
            Some(booted) => Claim::Ready(Box::new(booted)),
            None if shelf.booting && shelf.waiting.is_none() => {
                let (hand, booted) = oneshot::channel();
                shelf.waiting = Some(hand);
                Claim::Coming(booted)
            }
            None => Claim::Nothing,
        };
        drop(shelves);
        drop(forgotten);
        self.changed.notify_one();
        claim
    }

    /// How many there are and were.
    pub(crate) fn counts(&self) -> BootedAhead {
        let ready = self.lock().iter().map(|shelf| shelf.ready.len()).sum();
        BootedAhead { ready, taken: self.taken.load(Ordering::Relaxed) }
    }

    /// The recipe that lacks a guest, the one asked for last first; room is made where that takes another one's.
    fn lacking(&self) -> Option<Arc<Recipe>> {
        let mut shelves = self.lock();
        let now = Instant::now();
        let lacks = |shelf: &&Shelf| shelf.not_before <= now && shelf.ready.len() < shelf.wanted();
        let shelf = shelves.iter().filter(lacks).max_by_key(|shelf| shelf.asked)?;
        let (recipe, asked) = (Arc::clone(&shelf.recipe), shelf.asked);
        let total: usize = shelves.iter().map(|shelf| shelf.ready.len()).sum();
        if total >= self.max {
            let oldest = shelves.iter_mut().filter(|shelf| !shelf.ready.is_empty()).min_by_key(|shelf| shelf.asked)?;
            if oldest.asked >= asked {
                return None;
            }
            oldest.ready.pop();
        }
        Some(recipe)
    }

    fn begin(&self, recipe: &Arc<Recipe>) {
        if let Some(shelf) = self.lock().iter_mut().find(|shelf| Arc::ptr_eq(&shelf.recipe, recipe)) {
            shelf.booting = true;
        }
    }

    fn put(&self, recipe: &Arc<Recipe>, booted: Result<Booted, String>) {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.iter_mut().find(|shelf| Arc::ptr_eq(&shelf.recipe, recipe)) else {
            return;
        };
        shelf.booting = false;
        match booted {
            Ok(booted) => {
                let booted = match shelf.waiting.take() {
                    Some(hand) => hand.send(booted).err(),
                    None => Some(booted),
                };
                // One whose function went away stays in stock.
                shelf.ready.extend(booted);
            }
            Err(reason) => {
                shelf.fail();
                shelf.waiting = None;
                tracing::warn!(reason, program = %recipe.plan.program.display(), "a guest could not be booted ahead");
            }
        }
    }

    /// Lets go of what nobody asked for in a long time, of what ended, and of what is more than wanted.
    fn sweep(&self) {
        let mut gone = Vec::new();
        let mut shelves = self.lock();
        for shelf in shelves.iter_mut() {
            shelf.taken.retain(|at| at.elapsed() < LATELY);
            let (kept, ended): (Vec<Booted>, Vec<Booted>) =
                std::mem::take(&mut shelf.ready).into_iter().partition(|booted| !booted.has_ended());
            shelf.ready = kept;
            if !ended.is_empty() {
                shelf.fail();
            }
            gone.extend(ended);
            let wanted = if shelf.asked.elapsed() > INTEREST { 0 } else { shelf.wanted() };
            gone.extend(shelf.ready.drain(wanted.min(shelf.ready.len())..));
        }
        shelves.retain(|shelf| shelf.asked.elapsed() <= INTEREST);
        drop(shelves);
        drop(gone);
    }

    /// Forgets guests whose root was removed.
    pub(crate) fn forget_gone(&self) {
        let mut shelves = self.lock();
        let (kept, gone) = std::mem::take(&mut *shelves).into_iter().partition(|shelf| shelf.recipe.is_there());
        *shelves = kept;
        drop(shelves);
        // Ending guests takes a moment.
        drop::<Vec<Shelf>>(gone);
    }

    /// Nothing is kept any more.
    pub(crate) fn clear(&self) {
        let shelves = std::mem::take(&mut *self.lock());
        drop(shelves);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Shelf>> {
        self.shelves.lock().expect("nothing panics while it holds this lock")
    }
}

/// Another shelf, as the last one; the one that it takes the place of, if there are too many.
fn add(shelves: &mut Vec<Shelf>, recipe: Recipe) -> Option<Shelf> {
    let oldest = (0..shelves.len()).min_by_key(|at| shelves[*at].asked).filter(|_| shelves.len() >= RECIPES_MAX);
    let forgotten = oldest.map(|at| shelves.swap_remove(at));
    shelves.push(Shelf::new(recipe));
    forgotten
}

impl Shelf {
    fn new(recipe: Recipe) -> Self {
        let now = Instant::now();
        Self {
            recipe: Arc::new(recipe),
            ready: Vec::new(),
            booting: false,
            waiting: None,
            asked: now,
            taken: Vec::new(),
            failures: 0,
            not_before: now,
        }
    }

    /// Its guests do not boot, or do not live: it is tried again later and later.
    fn fail(&mut self) {
        self.failures += 1;
        let wait = Duration::from_millis(100).saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.not_before = Instant::now() + wait;
    }

    fn wanted(&self) -> usize {
        let lately = self.taken.iter().filter(|at| at.elapsed() < LATELY).count();
        (1 + lately).min(DEPTH_MAX)
    }
}
