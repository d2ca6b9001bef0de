//! Which blobs must not go, and which are going.
//!
//! A sweep dooms a blob, looks for references, and removes it. It cannot doom what is pinned, and nobody can pin what is
//! doomed: who wants to waits until the sweep has decided, and then looks whether the blob is still there.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::BlobId;

#[derive(Debug, Default)]
pub(super) struct Pins {
    state: Mutex<State>,
    decided: Notify,
}

#[derive(Debug, Default)]
struct State {
    pinned: HashMap<BlobId, usize>,
    doomed: HashSet<BlobId>,
}

impl Pins {
    /// Keeps a blob from being doomed for as long as the pin is held. Waits while it is doomed.
    pub(super) async fn pin(self: &Arc<Self>, id: BlobId) -> Pin {
        loop {
            let mut decided = pin!(self.decided.notified());
            // Listening before looking, or a decision in between would be missed.
            decided.as_mut().enable();
            {
                let mut state = self.lock();
                if !state.doomed.contains(&id) {
                    *state.pinned.entry(id).or_default() += 1;
                    return Pin { pins: Arc::clone(self), id };
                }
            }
            decided.await;
        }
    }

    /// Keeps a blob from being pinned for as long as the doom is held; none if it is pinned.
    pub(super) fn doom(self: &Arc<Self>, id: BlobId) -> Option<Doom> {
        let mut state = self.lock();
        let free = !state.pinned.contains_key(&id) && state.doomed.insert(id);
        free.then(|| Doom { pins: Arc::clone(self), id })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob must not go.
#[derive(Debug)]
pub(super) struct Pin {
    pins: Arc<Pins>,
    id: BlobId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.lock();
        if let Some(count) = state.pinned.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.pinned.remove(&self.id);
            }
        }
    }
}

/// A blob may be about to go.
#[derive(Debug)]
pub(super) struct Doom {
    pins: Arc<Pins>,
    id: BlobId,
}

impl Drop for Doom {
    fn drop(&mut self) {
        self.pins.lock().doomed.remove(&self.id);
        self.pins.decided.notify_waiters();
    }
}
