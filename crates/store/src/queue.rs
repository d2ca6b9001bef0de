//! The line before the writer: bounded, first come first served.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::transaction::Draft;
use crate::{Error, Sequence};

/// What became of a transaction.
pub(crate) enum Outcome {
    /// On disk.
    Committed(Sequence),
    /// Something that it read was changed; it may be run again.
    Conflict,
    /// Not admitted.
    Refused(Error),
}

/// A transaction in the line.
pub(crate) struct Request {
    pub(crate) draft: Draft,
    pub(crate) ack: oneshot::Sender<Outcome>,
    _place: OwnedSemaphorePermit,
}

/// The line.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    places: Arc<Semaphore>,
    places_max: usize,
    patience: Duration,
}

struct State {
    line: VecDeque<Request>,
    door: Door,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    /// What is in the line is still written.
    Closing,
    /// The writer is gone.
    Stopped,
}

impl Queue {
    pub(crate) fn new(places_max: usize, patience: Duration) -> Self {
        let state = State { line: VecDeque::new(), door: Door::Open };
        let places = Arc::new(Semaphore::new(places_max));
        Self { state: Mutex::new(state), filled: Condvar::new(), places, places_max, patience }
    }

    /// Joins the line and waits for the outcome. Once in the line the transaction is written even if the waiting is cut off.
    pub(crate) async fn submit(&self, draft: Draft) -> Result<Outcome, Error> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.wait_for_place().await?,
        };
        let (ack, outcome) = oneshot::channel();
        {
            let mut state = self.lock();
            match state.door {
                Door::Open => state.line.push_back(Request { draft, ack, _place: place }),
                Door::Closing => return Err(Error::Closed),
                Door::Stopped => return Err(Error::Stopped),
            }
            if state.line.len() == 1 {
                self.filled.notify_one();
            }
        }
        outcome.await.map_err(|_| Error::Stopped)
    }

    /// Waits for work, and takes up to `most` of it. None once the door is closed and the line is empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Request>> {
        let mut state = self.lock();
        while state.line.is_empty() {
            if state.door != Door::Open {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.line.len().min(most);
        Some(state.line.drain(..count).collect())
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.door == Door::Open {
            state.door = Door::Closing;
        }
        drop(state);
        self.filled.notify_all();
    }

    /// Sends everyone away: the writer is gone, and nobody will know what became of what it held.
    pub(crate) fn stop(&self) {
        let sent_away = {
            let mut state = self.lock();
            state.door = Door::Stopped;
            std::mem::take(&mut state.line)
        };
        drop(sent_away);
        self.filled.notify_all();
    }

    async fn wait_for_place(&self) -> Result<OwnedSemaphorePermit, Error> {
        // The machine's time, not the domain's clock: the disk is what is waited for.
        match tokio::time::timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Busy { queued: self.places_max, waited: self.patience }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
