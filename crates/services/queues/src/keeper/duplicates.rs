//! Deduplication ids of the last five minutes.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest;

use super::{Keeper, NewMessage, Sent};
use crate::error::Error;
use crate::store::{Id, Lapse};

/// How long a deduplication id is remembered.
pub(super) const REMEMBERED_MS: u64 = 300_000;
/// How many are remembered; who sends faster than that for five minutes is throttled.
const COUNT_MAX: usize = 2_000_000;

/// A deduplication id, and the group where that counts.
pub(super) type Digest = [u8; 16];

/// The deduplication ids that were used of late.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    by_digest: HashMap<Digest, Lapse>,
    by_time: VecDeque<(u64, Digest)>,
}

impl Duplicates {
    /// Those that lay in the store.
    pub(super) fn new(mut lapses: Vec<(Digest, Lapse)>) -> Self {
        lapses.sort_unstable_by_key(|(_, lapse)| lapse.until_ms);
        let by_time = lapses.iter().map(|(digest, lapse)| (lapse.until_ms, *digest)).collect();
        Self { by_digest: lapses.into_iter().collect(), by_time }
    }

    /// The message that was sent with it.
    pub(super) fn find(&self, digest: &Digest, now_ms: u64) -> Option<Sent> {
        let lapse = self.by_digest.get(digest).filter(|lapse| lapse.until_ms > now_ms)?;
        Some(Sent { id: lapse.id.0, number: lapse.number })
    }

    pub(super) fn add(&mut self, digest: Digest, sent: Sent, now_ms: u64) -> Result<Lapse, Error> {
        if self.by_time.len() >= COUNT_MAX {
            return Err(Error::Throttled(format!(
                "Rate exceeded: {COUNT_MAX} deduplication ids of this queue are less than five minutes old."
            )));
        }
        let until_ms = now_ms + REMEMBERED_MS;
        let lapse = Lapse { id: Id(sent.id), number: sent.number, until_ms };
        self.by_digest.insert(digest, lapse.clone());
        self.by_time.push_back((until_ms, digest));
        Ok(lapse)
    }

    /// Those whose time is over, at most `most` of them.
    pub(super) fn take_over(&mut self, now_ms: u64, most: usize) -> Vec<Digest> {
        let mut over = Vec::new();
        while over.len() < most
            && let Some((until_ms, digest)) = self.by_time.front().copied().filter(|(until_ms, _)| *until_ms <= now_ms)
        {
            self.by_time.pop_front();
            // It may have been used again since.
            if self.by_digest.get(&digest).is_some_and(|lapse| lapse.until_ms == until_ms) {
                self.by_digest.remove(&digest);
                over.push(digest);
            }
        }
        over
    }

    pub(super) fn next_ms(&self) -> Option<u64> {
        self.by_time.front().map(|(until_ms, _)| *until_ms)
    }
}

impl Keeper {
    /// What tells the message from its duplicates; none in a queue that does not look for them.
    pub(super) fn digest(&self, new: &NewMessage) -> Option<Digest> {
        let queue = self.desk.queue();
        let fifo = queue.settings.fifo.as_ref()?;
        let mut context = digest::Context::new(&digest::SHA256);
        if fifo.by_group {
            context.update(new.group.as_deref().unwrap_or_default().as_bytes());
            context.update(&[0]);
        }
        context.update(new.deduplication_id.as_deref()?.as_bytes());
        context.finish().as_ref().first_chunk::<16>().copied()
    }
}
