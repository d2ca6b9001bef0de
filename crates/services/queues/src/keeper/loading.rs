//! From the store into memory: at the start, after a refusal, and page by page when the backlog is come to.

use std::sync::Arc;

use super::duplicates::Duplicates;
use super::{Keeper, PATIENCE};
use crate::error::Error;
use crate::model::Message;
use crate::model::window::{Entry, State, Window};
use crate::store::{Received, Sweep};

/// How many messages a queue without order holds in memory: those in flight, those that were received before, delayed ones.
const WINDOW_MAX: usize = 500_000;
/// The same for a queue with order: AWS too looks through so many messages for groups that are free.
const WINDOW_FIFO_MAX: usize = 120_000;
/// How many bytes of messages are held in memory for each queue.
const CACHED_BYTES_MAX: usize = 8 << 20;
const PAGE: usize = 256;
const PAGE_FIFO: usize = 2_000;

impl Keeper {
    /// Reads until it succeeds. False: the node stops.
    pub(super) async fn load_patiently(&mut self) -> bool {
        while let Err(error) = self.load().await {
            tracing::error!(%error, queue = %self.desk.queue().arn(), "a queue cannot be read; trying again");
            let clock = self.tools.clock.clone();
            tokio::select! {
                () = self.tools.stop.cancelled() => return false,
                () = clock.sleep(PATIENCE) => {}
            }
        }
        true
    }

    async fn load(&mut self) -> Result<(), Error> {
        let cellar = self.tools.cellar.clone();
        let head = cellar.head(&self.keys).await?;
        let received = cellar.received(&self.keys).await?;
        let lapses = cellar.lapses(&self.keys).await?;
        self.changes = Default::default();
        self.told.clear();
        self.outgoing.clear();
        self.attempts.clear();
        self.forget_messages();
        self.delay_s = self.desk.queue().settings.delay_s;
        self.head = head;
        self.stored = head.next;
        self.low_written = head.low;
        self.loaded = head.low.max(head.purged);
        self.sweep = Sweep::default();
        self.duplicates = Duplicates::new(lapses);
        for (number, received) in received.into_iter().filter(|(number, _)| *number >= head.purged) {
            self.window.insert(number, entry(received));
        }
        self.again = true;
        self.refill(self.now_ms()).await
    }

    pub(super) fn forget_messages(&mut self) {
        self.window = Window::new(self.desk.queue().is_fifo());
        self.cached = 0;
    }

    /// Whether the window has room for a message that was just sent.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        self.cached + message.content.bytes() <= CACHED_BYTES_MAX && self.window.len() < self.window_max()
    }

    fn window_max(&self) -> usize {
        if self.desk.queue().is_fifo() { WINDOW_FIFO_MAX } else { WINDOW_MAX }
    }

    /// Reads on in the backlog until there is something to receive, or nothing more, or no more room.
    pub(super) async fn refill(&mut self, now_ms: u64) -> Result<(), Error> {
        while !self.window.has_ready() && self.loaded < self.stored && self.window.len() < self.window_max() {
            let limit = if self.desk.queue().is_fifo() { PAGE_FIFO } else { PAGE };
            let cellar = self.tools.cellar.clone();
            let (found, more) = cellar.messages(&self.keys, self.loaded, limit).await?;
            let last = found.last().map(|found| found.number + 1);
            for found in found {
                if self.window.get(found.number).is_none() {
                    let whole = found.parts == 0 && self.cached + found.message.content.bytes() <= CACHED_BYTES_MAX;
                    self.hold(found.number, Arc::clone(&found.message), found.parts, now_ms, whole);
                }
            }
            // Without more there is nothing up to what was committed last.
            self.loaded = match last {
                Some(last) if more => last,
                Some(_) | None => self.stored,
            };
        }
        Ok(())
    }
}

fn entry(received: Received) -> Entry {
    Entry {
        id: received.id.0,
        sent_ms: received.sent_ms,
        parts: received.parts,
        group: received.group.map(Arc::from),
        receives: received.receives,
        first_ms: received.first_ms,
        last_ms: received.last_ms,
        state: State::Hidden { until_ms: received.until_ms },
        message: None,
    }
}
