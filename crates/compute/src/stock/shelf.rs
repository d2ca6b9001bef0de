//! The guests of one recipe: how many there should be, and when another one is tried.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Ahead;
use crate::booted::Recipe;

/// Guests taken in this time were needed lately.
const LATELY: Duration = Duration::from_secs(10);
/// The most of one recipe.
const DEPTH_MAX: usize = 4;
/// The wait before a recipe that failed once is tried again: each further failure doubles it.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// The longest wait.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// See the file. All times are the node's clock's.
pub(super) struct Shelf<G> {
    pub(super) recipe: Arc<Recipe>,
    pub(super) ready: Vec<G>,
    /// Whether one is being booted.
    pub(super) booting: bool,
    /// The function that waits for it.
    pub(super) waiting: Option<oneshot::Sender<G>>,
    /// When a function wanted one last.
    pub(super) asked: Duration,
    /// When there was a function last that could want one.
    pub(super) known: Duration,
    /// When guests were taken lately.
    taken: Vec<Duration>,
    failures: u32,
    not_before: Duration,
}

impl<G: Ahead> Shelf<G> {
    /// An empty one, asked for now.
    pub(super) fn new(recipe: Recipe, now: Duration) -> Self {
        Self {
            recipe: Arc::new(recipe),
            ready: Vec::new(),
            booting: false,
            waiting: None,
            asked: now,
            known: now,
            taken: Vec::new(),
            failures: 0,
            not_before: now,
        }
    }

    /// A function wants one: the one that is there, if it lives.
    pub(super) fn take(&mut self, now: Duration) -> Option<G> {
        (self.asked, self.known) = (now, now);
        self.forget_taken(now);
        if self.taken.len() < DEPTH_MAX {
            self.taken.push(now);
        }
        let guest = std::iter::from_fn(|| self.ready.pop()).find(|guest| !guest.has_ended());
        if guest.is_some() {
            // One that lived until it was needed: its kind does.
            self.failures = 0;
        }
        guest
    }

    /// How many there should be.
    pub(super) fn wanted(&self, now: Duration) -> usize {
        let lately = self.taken.iter().filter(|at| now.saturating_sub(**at) < LATELY).count();
        (1 + lately).min(DEPTH_MAX)
    }

    /// True if another one should be booted now.
    pub(super) fn lacks(&self, now: Duration) -> bool {
        self.not_before <= now && self.ready.len() < self.wanted(now)
    }

    /// Its guests do not boot, or do not live: it is tried again later and later.
    pub(super) fn fail(&mut self, now: Duration) {
        let pause = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures += 1;
        self.not_before = now + pause;
    }

    /// Takes out what ended, and what is more than wanted.
    pub(super) fn sweep(&mut self, now: Duration) -> Vec<G> {
        self.forget_taken(now);
        let mut gone: Vec<G> = self.ready.extract_if(.., |guest| guest.has_ended()).collect();
        if !gone.is_empty() {
            self.fail(now);
        }
        gone.extend(self.ready.drain(self.wanted(now).min(self.ready.len())..));
        gone
    }

    fn forget_taken(&mut self, now: Duration) {
        self.taken.retain(|at| now.saturating_sub(*at) < LATELY);
    }
}
