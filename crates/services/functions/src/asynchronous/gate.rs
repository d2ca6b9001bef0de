//! Where events wait for their turn at a function that may run only so many at once: who waits here is not throttled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The gates of all functions that somebody is at.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    queues: Mutex<HashMap<String, Queue>>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    inside: u32,
    waiting: u32,
    freed: Arc<Notify>,
}

/// A turn; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    gate: &'a Gate,
    function: &'a str,
}

/// Somebody who waits; counted until it is dropped.
struct Waiting<'a> {
    gate: &'a Gate,
    function: &'a str,
}

impl Gate {
    /// Sends home who waits, now and from now on: the node is about to stop.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits until fewer than `limit` are inside; none if the gate closes. A function that may not run at all lets in one at a time, to
    /// be told so.
    pub(crate) async fn enter<'a>(&'a self, function: &'a str, limit: u32) -> Option<Turn<'a>> {
        let limit = limit.max(1);
        let _waiting = self.wait(function);
        loop {
            let freed = {
                let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                let queue = queues.entry(function.to_owned()).or_default();
                if queue.inside < limit {
                    queue.inside += 1;
                    return Some(Turn { gate: self, function });
                }
                Arc::clone(&queue.freed)
            };
            // One permit is kept where nobody waits yet, so nothing is missed between the look and this.
            tokio::select! {
                () = freed.notified() => {}
                () = self.closed.cancelled() => return None,
            }
        }
    }

    fn wait<'a>(&'a self, function: &'a str) -> Waiting<'a> {
        self.change(function, |queue| queue.waiting += 1);
        Waiting { gate: self, function }
    }

    fn change(&self, function: &str, change: impl FnOnce(&mut Queue)) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(function.to_owned()).or_default();
        change(queue);
        queue.freed.notify_one();
        if queue.inside == 0 && queue.waiting == 0 {
            queues.remove(function);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.gate.change(self.function, |queue| queue.inside -= 1);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.change(self.function, |queue| queue.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_are_inside_than_may_and_all_get_their_turn() {
        let (gate, inside, most) = (Gate::default(), AtomicU32::new(0), AtomicU32::new(0));
        let work = (0..50).map(|_| async {
            let turn = gate.enter("f", 3).await;
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(turn);
        });
        futures_util::future::join_all(work).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert!(gate.queues.lock().unwrap().is_empty(), "nothing is kept of who has left");
        let turn = gate.enter("f", 1).await;
        gate.close();
        assert!(gate.enter("f", 1).await.is_none() && turn.is_some());
    }
}
