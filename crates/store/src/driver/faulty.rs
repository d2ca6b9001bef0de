//! A driver for tests that fails, hangs or panics when told.

use std::sync::{Arc, Condvar, Mutex};

use super::memory::Memory;
use super::{ApplyError, Batch, Driver, View};
use crate::Error;

/// What the next batches meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Full,
    Broken,
    Panicking,
    /// Until the mood changes.
    Hanging,
}

/// A memory driver with moods.
pub(crate) struct Faulty {
    memory: Memory,
    moods: Arc<Moods>,
}

/// The handle that changes the mood.
pub(crate) struct Moods {
    mood: Mutex<Mood>,
    changed: Condvar,
}

impl Faulty {
    pub(crate) fn new() -> (Self, Arc<Moods>) {
        let moods = Arc::new(Moods { mood: Mutex::new(Mood::Well), changed: Condvar::new() });
        (Self { memory: Memory::default(), moods: Arc::clone(&moods) }, moods)
    }
}

impl Moods {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        self.changed.notify_all();
    }

    fn settled(&self) -> Mood {
        *self.changed.wait_while(self.mood.lock().unwrap(), |mood| *mood == Mood::Hanging).unwrap()
    }
}

impl Driver for Faulty {
    fn apply(&self, batch: &Batch) -> Result<(), ApplyError> {
        match self.moods.settled() {
            Mood::Well | Mood::Hanging => self.memory.apply(batch),
            Mood::Full => Err(ApplyError::Full),
            Mood::Broken => Err(ApplyError::Fatal("the disk is gone".to_owned())),
            Mood::Panicking => panic!("a bug in the engine"),
        }
    }

    fn view(&self) -> Result<Box<dyn View>, Error> {
        self.memory.view()
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
