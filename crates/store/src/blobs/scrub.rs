//! The scrub: reads every blob, slowly, and finds what a disk has lost before somebody needs it.
//!
//! One pass goes through all names in order. How far it has come is kept in the store, so that a node that is restarted
//! every day comes to its end too; damaged blobs are kept there by name, so that they are known after a restart.

use std::time::Duration;

use base::{ByteSize, Clock};
use serde::{Deserialize, Serialize};

use super::{BlobId, Blobs, Damage};
use crate::{Error, Key, Record, Store, record};

/// Progress is kept after so many bytes.
const KEEP_EVERY: u64 = 256 << 20;
/// So many damaged blobs are kept by name.
const NAMES_MAX: usize = 500;

/// How far scrubbing has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Passes that came to their end.
    pub passes: u64,
    /// When the last pass began that came to its end.
    pub began_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Blobs that the running pass, or else the last one, has read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The pass that is not at its end yet.
    running: Option<Running>,
    /// What was found damaged and is not known to be whole since.
    damaged: Vec<BlobId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    began_ms: i64,
    /// All names up to this one were read.
    after: Option<BlobId>,
}

impl Scrubbed {
    fn advance(&mut self, id: BlobId, bytes: u64, began_ms: i64) {
        self.blobs += 1;
        self.bytes += bytes;
        self.running = Some(Running { began_ms, after: Some(id) });
    }

    fn end(&mut self, began_ms: i64, now_ms: i64) {
        self.passes += 1;
        (self.began_ms, self.ended_ms) = (Some(began_ms), Some(now_ms));
        self.running = None;
    }
}

impl Record for Scrubbed {
    const KIND: &'static str = "scrub";
    const VERSION: u16 = 1;
}

/// What the blobs are like, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Blobs that are not what was put.
    pub damaged: Vec<Damage>,
    /// What scrubbing has seen.
    pub scrubbed: Scrubbed,
}

impl Blobs {
    /// What the blobs are like, as far as is known.
    pub fn condition(&self) -> Condition {
        Condition { damaged: self.0.damages.all(), scrubbed: self.scrubbed().clone() }
    }

    /// How long until a pass is due, if one is to begin every so often: no time if one has not come to its end. Reads
    /// what an earlier process kept, and looks again at what it found damaged.
    pub async fn scrub_due(&self, store: &Store, every: Duration) -> Result<Duration, Error> {
        let kept = match store.snapshot().get(&key()).await? {
            Some(kept) => record::decode(&kept)?,
            None => Scrubbed::default(),
        };
        for id in &kept.damaged {
            match self.verify(*id).await {
                Ok(_) | Err(Error::BlobMissing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let due = match (&kept.running, kept.began_ms) {
            (None, Some(began_ms)) => {
                let passed = self.0.clock.now_ms().saturating_sub(began_ms);
                every.saturating_sub(Duration::from_millis(u64::try_from(passed).unwrap_or_default()))
            }
            (Some(_), _) | (None, None) => Duration::ZERO,
        };
        *self.scrubbed() = kept;
        Ok(due)
    }

    /// Reads all blobs, from where the last pass was cut off, at most so many bytes in a second. Safe to drop: what was
    /// read since progress was last kept is read again.
    pub async fn scrub(&self, store: &Store, bytes_per_second: ByteSize) -> Result<Condition, Error> {
        let running = self.begin_pass();
        let mut unkept = 0;
        for first in running.after.map_or(0, |after| after.sha256()[0])..=u8::MAX {
            for candidate in self.list(first).await? {
                if running.after.is_some_and(|after| candidate.id <= after) {
                    continue;
                }
                let bytes = self.scrub_one(candidate.id, bytes_per_second).await?;
                unkept += bytes;
                self.scrubbed().advance(candidate.id, bytes, running.began_ms);
                if unkept >= KEEP_EVERY {
                    unkept = 0;
                    self.keep(store).await?;
                }
            }
        }
        self.scrubbed().end(running.began_ms, self.0.clock.now_ms());
        self.keep(store).await?;
        Ok(self.condition())
    }

    /// The pass that was cut off, or a new one.
    fn begin_pass(&self) -> Running {
        let mut scrubbed = self.scrubbed();
        if let Some(running) = &scrubbed.running {
            return running.clone();
        }
        (scrubbed.blobs, scrubbed.bytes) = (0, 0);
        Running { began_ms: self.0.clock.now_ms(), after: None }
    }

    /// How much was read. A damaged blob is noted; one that is gone meanwhile is as well.
    async fn scrub_one(&self, id: BlobId, bytes_per_second: ByteSize) -> Result<u64, Error> {
        let mut pace = Pace::new(self.0.clock.clone(), bytes_per_second);
        match self.verify_at(id, &mut pace).await {
            Ok(_) | Err(Error::BlobMissing(_)) => Ok(pace.end().await),
            Err(error) => Err(error),
        }
    }

    async fn keep(&self, store: &Store) -> Result<(), Error> {
        let mut kept = self.scrubbed().clone();
        kept.damaged = self.0.damages.all().into_iter().map(|damage| damage.id).take(NAMES_MAX).collect();
        let bytes = record::encode(&kept)?;
        *self.scrubbed() = kept;
        store
            .transact(|tx| {
                let bytes = bytes.clone();
                async move {
                    tx.put(key(), bytes);
                    Ok::<_, Error>(())
                }
            })
            .await
    }

    fn scrubbed(&self) -> std::sync::MutexGuard<'_, Scrubbed> {
        self.0.scrubbed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Reads no faster than it may.
pub(super) struct Pace {
    clock: Clock,
    bytes_per_second: ByteSize,
    read: u64,
    /// What no time was taken for yet.
    owed: u64,
}

impl Pace {
    pub(super) fn new(clock: Clock, bytes_per_second: ByteSize) -> Self {
        Self { clock, bytes_per_second, read: 0, owed: 0 }
    }

    /// So much was read.
    pub(super) async fn read(&mut self, bytes: u64) {
        /// A nap for every piece would be more naps than reading.
        const NAP_BYTES: u64 = 1 << 20;
        self.read += bytes;
        self.owed += bytes;
        if self.owed >= NAP_BYTES {
            self.nap().await;
        }
    }

    /// All that was read.
    async fn end(mut self) -> u64 {
        self.nap().await;
        self.read
    }

    async fn nap(&mut self) {
        let micros = std::mem::take(&mut self.owed).saturating_mul(1_000_000) / self.bytes_per_second.bytes().max(1);
        if micros > 0 {
            self.clock.sleep(Duration::from_micros(micros)).await;
        }
    }
}

fn key() -> Key {
    Key::new("_scrub")
}
