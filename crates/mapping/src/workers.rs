//! Those who work for one mapping or pipe, whichever kind of source it has.

use tokio::sync::watch;

use crate::{Pollers, Progress, Readers};

/// Those who work for one mapping or pipe.
pub enum Workers {
    /// They receive messages.
    OfQueue(Pollers),
    /// They read records.
    OfStream(Readers),
}

impl Workers {
    /// Nothing more is taken; what is in hand is handled.
    pub fn stop(&self) {
        match self {
            Self::OfQueue(pollers) => pollers.stop(),
            Self::OfStream(readers) => readers.stop(),
        }
    }

    /// Whether they have stopped.
    pub fn has_stopped(&self) -> bool {
        match self {
            Self::OfQueue(pollers) => pollers.has_stopped(),
            Self::OfStream(readers) => readers.has_stopped(),
        }
    }

    /// How it went last.
    pub fn progress(&self) -> Progress {
        match self {
            Self::OfQueue(pollers) => pollers.progress(),
            Self::OfStream(readers) => readers.progress(),
        }
    }

    /// Becomes true when they have stopped; queues have no order that others must wait for.
    pub fn ended(&self) -> Option<watch::Receiver<bool>> {
        match self {
            Self::OfQueue(_) => None,
            Self::OfStream(readers) => Some(readers.ended()),
        }
    }
}
