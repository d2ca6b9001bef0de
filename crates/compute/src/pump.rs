//! From instances to the sink: lines gather per instance, one task hands them over, many at a time.
//!
//! An attempt never waits for the sink, unless its own instance has too much waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::task::{self, Kind};
use tokio::sync::Notify;

use crate::logs::{LogBatch, LogSink, LogStream, PENDING_BYTES_MAX};

/// How long lines gather after the first: a busy function makes one write of hundreds, and nobody reads logs faster.
const GATHER: Duration = Duration::from_millis(10);
/// What one line costs beside its text.
const LINE_BYTES: usize = 24;

/// Hands lines over.
pub(crate) struct Pump {
    sink: Arc<dyn LogSink>,
    dirty: Mutex<Vec<Arc<Slot>>>,
    /// Only the first line after a quiet time wakes the task.
    parked: AtomicBool,
    wake: Notify,
    /// Held while the sink works, so that batches of one stream stay in order.
    writing: tokio::sync::Mutex<()>,
}

/// The lines of one instance.
pub(crate) struct Slot {
    pending: Mutex<LogBatch>,
    dirty: AtomicBool,
    room: Notify,
}

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Left,
    Full,
}

impl Pump {
    /// Starts the task. Call it within the runtime.
    pub(crate) fn start(sink: Arc<dyn LogSink>) -> Arc<Self> {
        let pump = Arc::new(Self {
            sink,
            dirty: Mutex::new(Vec::new()),
            parked: AtomicBool::new(false),
            wake: Notify::new(),
            writing: tokio::sync::Mutex::new(()),
        });
        let weak = Arc::downgrade(&pump);
        task::spawn(Kind::Vital, "log pump", async move {
            while let Some(pump) = weak.upgrade() {
                pump.turn().await;
            }
        });
        pump
    }

    /// A place for the lines of a new instance.
    pub(crate) fn slot(&self, stream: Arc<LogStream>) -> Arc<Slot> {
        Arc::new(Slot {
            pending: Mutex::new(LogBatch::new(stream)),
            dirty: AtomicBool::new(false),
            room: Notify::new(),
        })
    }

    /// Adds lines to a slot.
    pub(crate) fn write(&self, slot: &Arc<Slot>, add: impl FnOnce(&mut LogBatch)) -> Room {
        let room = {
            let mut pending = slot.pending.lock().expect("nothing panics while it holds this lock");
            add(&mut pending);
            room(&pending)
        };
        if !slot.dirty.swap(true, Ordering::AcqRel) {
            self.dirty.lock().expect("nothing panics while it holds this lock").push(Arc::clone(slot));
            if self.parked.swap(false, Ordering::AcqRel) {
                self.wake.notify_one();
            }
        }
        room
    }

    /// Hands over everything that is there now; what comes meanwhile is for the next time.
    pub(crate) async fn flush(&self) {
        let _one_at_a_time = self.writing.lock().await;
        let slots = std::mem::take(&mut *self.dirty.lock().expect("nothing panics while it holds this lock"));
        if slots.is_empty() {
            return;
        }
        self.sink.write(slots.iter().filter_map(|slot| slot.take()).collect()).await;
        for slot in slots {
            slot.room.notify_waiters();
        }
    }

    async fn turn(&self) {
        self.parked.store(true, Ordering::Release);
        let is_empty = self.dirty.lock().expect("nothing panics while it holds this lock").is_empty();
        if is_empty {
            // Bounded, so that a pump whose node is gone ends.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.wake.notified()).await;
        }
        self.parked.store(false, Ordering::Release);
        let is_empty = self.dirty.lock().expect("nothing panics while it holds this lock").is_empty();
        if !is_empty {
            tokio::time::sleep(GATHER).await;
            self.flush().await;
        }
    }
}

impl Slot {
    /// True if more may come now.
    pub(crate) fn has_room(&self) -> bool {
        room(&self.pending.lock().expect("nothing panics while it holds this lock")) == Room::Left
    }

    /// Waits until more may come.
    pub(crate) async fn room(&self) {
        loop {
            let notified = self.room.notified();
            if self.has_room() {
                return;
            }
            notified.await;
        }
    }

    fn take(&self) -> Option<LogBatch> {
        self.dirty.store(false, Ordering::Release);
        let mut pending = self.pending.lock().expect("nothing panics while it holds this lock");
        // Who said much says much again: growing anew, time after time, would copy it all.
        let empty = pending.as_large();
        let taken = std::mem::replace(&mut *pending, empty);
        (!taken.is_empty()).then_some(taken)
    }
}

fn room(batch: &LogBatch) -> Room {
    if batch.bytes() + batch.len() * LINE_BYTES > PENDING_BYTES_MAX { Room::Full } else { Room::Left }
}
