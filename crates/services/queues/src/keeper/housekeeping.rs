//! What a keeper does by itself: takes away what is too old or was purged, and forgets deduplication ids.

use super::{Keeper, LOW_EVERY};
use crate::store::{Id, Received};

/// How much of it at once, so that callers never wait long behind it.
const AT_ONCE: usize = 1_000;

impl Keeper {
    pub(super) async fn keep_house(&mut self, now_ms: u64) {
        self.window.wake(now_ms);
        if let Err(error) = self.refill(now_ms).await {
            tracing::error!(%error, queue = %self.desk.queue().arn(), "the backlog of a queue cannot be read");
        }
        self.attempts.retain(|_, attempt| attempt.until_ms > now_ms);
        for digest in self.duplicates.take_over(now_ms, AT_ONCE) {
            self.changes.delete(self.keys.lapse(&digest));
        }
        self.expire(now_ms);
        self.sweep_purged().await;
    }

    /// Takes away the oldest messages whose time is over.
    fn expire(&mut self, now_ms: u64) {
        for _ in 0..AT_ONCE {
            let retention_ms = self.retention_ms();
            let first = self.window.first().filter(|(_, entry)| entry.sent_ms + retention_ms <= now_ms);
            let Some((number, _)) = first else { return };
            self.drop_message(number);
        }
        self.again = true;
    }

    pub(super) fn retention_ms(&self) -> u64 {
        u64::from(self.desk.queue().settings.retention_s) * 1_000
    }

    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        self.window.first().map(|(_, entry)| entry.sent_ms + self.retention_ms())
    }

    async fn sweep_purged(&mut self) {
        if self.head.low >= self.head.purged {
            return;
        }
        if self.stored < self.head.purged {
            // Some of it is in the batch in hand.
            self.again = true;
            return;
        }
        match self.tools.cellar.purged(&self.keys, &self.head, &mut self.sweep, AT_ONCE).await {
            Ok(keys) if keys.is_empty() => {
                self.head.low = self.head.purged;
                self.sweep = Default::default();
            }
            Ok(keys) => {
                keys.into_iter().for_each(|key| self.changes.delete(key));
                self.again = true;
            }
            Err(error) => {
                tracing::error!(%error, queue = %self.desk.queue().arn(), "what was purged cannot be taken away");
            }
        }
    }

    /// Deletes a message.
    pub(super) fn drop_message(&mut self, number: u64) {
        for key in self.keys_of(number) {
            self.changes.delete(key);
        }
        self.let_go(number);
    }

    /// Forgets a message that is deleted.
    pub(super) fn let_go(&mut self, number: u64) {
        if let Some(entry) = self.window.remove(number) {
            self.cached -= entry.message.map_or(0, |message| message.content.bytes());
        }
    }

    /// Everything that is in the store of a message.
    pub(super) fn keys_of(&self, number: u64) -> Vec<store::Key> {
        let Some(entry) = self.window.get(number) else { return Vec::new() };
        let mut keys = vec![self.keys.message(number)];
        if entry.receives > 0 {
            keys.push(self.keys.received(number));
        }
        keys.extend((0..entry.parts).map(|part| self.keys.part(number, part)));
        keys
    }

    /// Writes what is known of a message that was received.
    pub(super) fn note_received(&mut self, number: u64) -> Result<(), crate::error::Error> {
        use crate::model::window::State;
        let Some(entry) = self.window.get(number) else { return Ok(()) };
        let until_ms = match entry.state {
            State::Waiting { since_ms } => since_ms,
            State::Delayed { until_ms } | State::Hidden { until_ms } => until_ms,
            State::Moving => 0,
        };
        let received = Received {
            id: Id(entry.id),
            sent_ms: entry.sent_ms,
            parts: entry.parts,
            group: entry.group.as_deref().map(str::to_owned),
            receives: entry.receives,
            first_ms: entry.first_ms,
            last_ms: entry.last_ms,
            until_ms,
        };
        self.changes.put(self.keys.received(number), &received)
    }

    /// Writes the queue's numbers beside every batch of sends, and when the lowest has moved far.
    pub(super) fn note_head(&mut self) {
        // Nothing may be swept past: what was purged is below the lowest number only when it is gone.
        if self.head.low >= self.head.purged {
            let first = self.window.first().map_or(self.loaded, |(number, _)| number);
            self.head.low = self.head.low.max(first.min(self.loaded));
        }
        if self.head.next > self.stored || self.head.low >= self.low_written + LOW_EVERY {
            // Encoding numbers cannot fail; if it did, the batch would be written without, and the next one with it.
            match self.changes.put(self.keys.head(), &self.head) {
                Ok(()) => self.low_written = self.head.low,
                Err(error) => tracing::error!(%error, "a queue's numbers cannot be written"),
            }
        }
    }
}
