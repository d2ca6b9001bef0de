//! How much memory guests have: each within its own limit, all together within the engine's.
//!
//! Counted is what a guest has been given (its linear memories and tables), touched or not, because it may touch all of it at any
//! time. A guest that is refused more is told so, as WebAssembly has it (`memory.grow` gives -1), and may go on with what it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ByteSize;
use wasmtime::ResourceLimiter;

use crate::meter::Ending;
use crate::settings::Settings;

/// A table's element is a pointer.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// What all guests of an engine share.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    used: AtomicU64,
}

/// What all instances of one guest have now, for people who watch. Clones tell of the same guest.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<AtomicU64>);

/// What one instance has. Gives it back when it is dropped.
pub(crate) struct Memory {
    budget: Arc<Budget>,
    held: Held,
    limit: u64,
    used: u64,
    refused: Option<Refusal>,
    /// Whose peak it is.
    ending: Arc<Ending>,
}

/// Why a guest did not get more memory, the last time that it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its own limit.
    Guest { wanted: ByteSize, limit: ByteSize },
    /// All guests together have too much.
    Engine { total: ByteSize },
}

impl Budget {
    pub(crate) fn new(total: ByteSize) -> Arc<Self> {
        Arc::new(Self { total: total.bytes(), used: AtomicU64::new(0) })
    }

    /// What guests have now.
    pub(crate) fn used(&self) -> ByteSize {
        ByteSize(self.used.load(Ordering::Relaxed))
    }

    /// No more than an eighth of it is in use: somebody may keep what nobody needs now.
    pub(crate) fn is_plenty(&self) -> bool {
        self.used.load(Ordering::Relaxed) <= self.total / 8
    }

    fn take(&self, bytes: u64) -> bool {
        let take = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.total);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "only what was taken is given back");
    }
}

impl Held {
    /// So much.
    pub fn now(&self) -> ByteSize {
        ByteSize(self.0.load(Ordering::Relaxed))
    }
}

impl Memory {
    pub(crate) fn new(budget: Arc<Budget>, settings: &Settings, ending: Arc<Ending>) -> Self {
        let (held, limit) = (settings.held.clone(), settings.memory.bytes());
        Self { budget, held, limit, used: 0, refused: None, ending }
    }

    /// From now on it is somebody else's: what there is already counts for them too.
    pub(crate) fn hand_to(&mut self, ending: Arc<Ending>) {
        ending.meter.memory(self.used);
        self.refused = None;
        self.ending = ending;
    }

    /// The last refusal, if nothing was granted since.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    fn grow(&mut self, more: usize) -> bool {
        let more = more as u64;
        let wanted = self.used.saturating_add(more);
        if wanted > self.limit {
            self.refused = Some(Refusal::Guest { wanted: ByteSize(wanted), limit: ByteSize(self.limit) });
            return false;
        }
        if !self.budget.take(more) {
            self.refused = Some(Refusal::Engine { total: ByteSize(self.budget.total) });
            return false;
        }
        self.held.0.fetch_add(more, Ordering::Relaxed);
        self.used = wanted;
        self.refused = None;
        self.ending.meter.memory(wanted);
        true
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.used, Ordering::Relaxed);
        self.budget.give_back(self.used);
    }
}

/// What the system then does not give stays counted: the runtime reports failures that nothing was granted for as well, and to take
/// those off would let a guest count itself down.
impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, wanted: usize, own_max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(within(wanted, own_max) && self.grow(wanted.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, wanted: usize, own_max: Option<usize>) -> wasmtime::Result<bool> {
        let more = wanted.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(within(wanted, own_max) && self.grow(more))
    }
}

/// A guest that asks for more than it declared gets nothing, and nothing is counted.
fn within(wanted: usize, own_max: Option<usize>) -> bool {
    own_max.is_none_or(|max| wanted <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65536;

    fn memory(budget: &Arc<Budget>, limit: u64) -> Memory {
        memory_in(budget, &Settings { memory: ByteSize(limit), ..Settings::default() })
    }

    fn memory_in(budget: &Arc<Budget>, settings: &Settings) -> Memory {
        Memory::new(Arc::clone(budget), settings, Ending::begin().0)
    }

    #[test]
    fn each_guest_knows_what_its_instances_have() {
        let budget = Budget::new(ByteSize(10 * PAGE as u64));
        let (settings, other) = (Settings::default(), Settings::default());
        let mut memories = [memory_in(&budget, &settings), memory_in(&budget, &settings), memory_in(&budget, &other)];
        for (memory, pages) in memories.iter_mut().zip([2, 3, 4]) {
            assert!(memory.memory_growing(0, pages * PAGE, None).unwrap());
        }
        assert!(!memories[0].memory_growing(2 * PAGE, 9 * PAGE, None).unwrap(), "what is refused is not counted");
        let pages = |settings: &Settings| settings.held.now().bytes() / PAGE as u64;
        assert_eq!((pages(&settings), pages(&other)), (5, 4));
        drop(memories);
        assert_eq!((pages(&settings), pages(&other)), (0, 0));
    }

    #[test]
    fn a_guest_stays_within_its_limit_and_the_engines() {
        let budget = Budget::new(ByteSize(10 * PAGE as u64));
        let mut one = memory(&budget, 8 * PAGE as u64);
        let mut two = memory(&budget, 8 * PAGE as u64);
        assert!(one.memory_growing(0, 6 * PAGE, None).unwrap());
        assert_eq!(one.refused(), None);
        assert!(!one.memory_growing(6 * PAGE, 9 * PAGE, None).unwrap());
        let (wanted, limit) = (ByteSize(9 * PAGE as u64), ByteSize(8 * PAGE as u64));
        assert_eq!(one.refused(), Some(Refusal::Guest { wanted, limit }));
        assert!(!two.memory_growing(0, 5 * PAGE, None).unwrap());
        assert_eq!(two.refused(), Some(Refusal::Engine { total: ByteSize(10 * PAGE as u64) }));
        assert!(two.table_growing(0, PAGE, None).is_ok_and(|granted| !granted), "tables count");
        assert!(two.memory_growing(0, 4 * PAGE, None).unwrap());
        assert_eq!(two.refused(), None, "what was granted since makes up for it");
        drop(one);
        assert_eq!(budget.used(), ByteSize(4 * PAGE as u64));
        drop(two);
        assert_eq!(budget.used(), ByteSize(0));
    }

    #[test]
    fn what_a_guest_cannot_have_is_not_counted() {
        let budget = Budget::new(ByteSize(10 * PAGE as u64));
        let mut one = memory(&budget, 8 * PAGE as u64);
        assert!(one.memory_growing(0, PAGE, Some(2 * PAGE)).unwrap());
        assert!(!one.memory_growing(PAGE, 3 * PAGE, Some(2 * PAGE)).unwrap());
        assert!(!one.table_growing(0, 11, Some(10)).unwrap());
        one.memory_grow_failed(wasmtime::format_err!("for no growth that was granted")).unwrap();
        assert_eq!((one.used, one.refused(), budget.used()), (PAGE as u64, None, ByteSize(PAGE as u64)));
    }
}
