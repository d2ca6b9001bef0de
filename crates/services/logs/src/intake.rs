//! The way in: batches wait in lanes, one lane for each group, and one task carries them into the store, many in one
//! transaction.
//!
//! What always holds:
//! - The batches of a stream are taken in the order in which they were given.
//! - Lanes take turns, [`TURN_BYTES`] each: a function that prints 100 MB delays a neighbour's line by one transaction.
//! - A lane holds [`LANE_BYTES_MAX`] and all lanes together [`ALL_BYTES_MAX`], counted from when a batch comes until it is
//!   on disk. Who brings more waits.
//! - There are no timers: whatever waits is taken as soon as the transaction before is on disk. So a lone line goes at
//!   once, and a crowd shares transactions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Backoff, Random};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::error::Error;
use crate::model::Position;
use crate::store::{Append, Archive, Scope};

/// What a group may have waiting.
pub(crate) const LANE_BYTES_MAX: usize = 4 << 20;

/// What all groups may have waiting.
pub(crate) const ALL_BYTES_MAX: usize = 32 << 20;

/// What a lane may send when it is its turn, beside one batch that is larger.
const TURN_BYTES: usize = 256 << 10;

/// What one transaction takes, beside one batch that is larger.
const TAKE_BYTES_MAX: usize = 1 << 20;

/// How many events one transaction takes, beside one batch with more.
const TAKE_LINES_MAX: usize = 2_000;

/// How often a transaction is tried that the store did not take for a reason that passes.
const TRIES_MAX: u32 = 5;

type LaneKey = (Scope, String);
type Answer = Result<Position, Error>;

/// Where batches wait.
#[derive(Debug)]
pub(crate) struct Intake {
    lanes: Mutex<Lanes>,
    room: Arc<Semaphore>,
    wake: Notify,
    /// How many batches are given and not yet answered.
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Lanes {
    by_group: HashMap<LaneKey, Lane>,
    /// The lanes that have something, in the order of their turns.
    turns: VecDeque<LaneKey>,
    is_closed: bool,
}

#[derive(Debug)]
struct Lane {
    room: Arc<Semaphore>,
    waiting: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    batch: Append,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
    room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Intake {
    pub(crate) fn new() -> Self {
        let room = Arc::new(Semaphore::new(ALL_BYTES_MAX));
        Self { lanes: Mutex::default(), room, wake: Notify::new(), open: watch::Sender::new(0) }
    }

    /// Brings a batch; waits while its lane, or all lanes together, are full. The receiver tells when it is on disk.
    pub(crate) async fn submit(&self, batch: Append) -> Result<oneshot::Receiver<Answer>, Error> {
        let bytes = batch.bytes();
        let key = (batch.scope.clone(), batch.group.clone());
        let lane = self.lane_room(&key)?;
        // The group's own room first: a full lane must not hold on to the room of all.
        let permits = |room: Arc<Semaphore>, limit: usize| room.acquire_many_owned(bytes.clamp(1, limit) as u32);
        let own = permits(lane, LANE_BYTES_MAX).await.map_err(|_| Error::Closed)?;
        let shared = permits(Arc::clone(&self.room), ALL_BYTES_MAX).await.map_err(|_| Error::Closed)?;
        let (answer, receiver) = oneshot::channel();
        let mut lanes = self.lock();
        if lanes.is_closed {
            return Err(Error::Closed);
        }
        self.open.send_modify(|open| *open += 1);
        lanes.put(key, Job { batch, bytes, answer, room: (own, shared) });
        drop(lanes);
        self.wake.notify_one();
        Ok(receiver)
    }

    /// Waits until nothing is waiting.
    pub(crate) async fn drained(&self) {
        // The sender is ours, so it is there.
        let mut open = self.open.subscribe();
        let _closed = open.wait_for(|open| *open == 0).await;
    }

    /// How many bytes are held in all lanes together, those on their way into the store included.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        ALL_BYTES_MAX - self.room.available_permits()
    }

    /// Whether nothing of a group waits or is on its way.
    #[cfg(test)]
    pub(crate) fn is_idle(&self, group: &str) -> bool {
        let lanes = self.lock();
        let mut same = lanes.by_group.iter().filter(|((_, name), _)| name == group);
        same.all(|(_, lane)| lane.room.available_permits() == LANE_BYTES_MAX)
    }

    /// Takes nothing more; what waits is still carried in.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.room.close();
        self.wake.notify_one();
    }

    /// Carries batches into the store until the intake is closed and empty.
    pub(crate) async fn run(self: Arc<Self>, archive: Archive) {
        let random = Random::system();
        while let Some(jobs) = self.take().await {
            let count = jobs.len();
            carry(&archive, &random, jobs).await;
            self.open.send_modify(|open| *open -= count);
        }
    }

    fn lane_room(&self, key: &LaneKey) -> Result<Arc<Semaphore>, Error> {
        let mut lanes = self.lock();
        if lanes.is_closed {
            return Err(Error::Closed);
        }
        Ok(Arc::clone(&lanes.by_group.entry(key.clone()).or_insert_with(Lane::new).room))
    }

    async fn take(&self) -> Option<Vec<Job>> {
        loop {
            {
                let mut lanes = self.lock();
                let jobs = lanes.take();
                if !jobs.is_empty() {
                    return Some(jobs);
                }
                if lanes.is_closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn put(&mut self, key: LaneKey, job: Job) {
        let lane = self.by_group.entry(key.clone()).or_insert_with(Lane::new);
        if lane.waiting.is_empty() {
            self.turns.push_back(key);
        }
        lane.waiting.push_back(job);
    }

    /// What the next transaction takes: each lane in turn, until there is enough.
    fn take(&mut self) -> Vec<Job> {
        let mut taken = Vec::new();
        let (mut bytes, mut lines) = (0, 0);
        while let Some(key) = self.turns.pop_front() {
            let Some(lane) = self.by_group.get_mut(&key) else { continue };
            let mut turn_bytes = 0;
            let mut is_full = false;
            while turn_bytes < TURN_BYTES
                && let Some(job) = lane.waiting.front()
            {
                is_full = !taken.is_empty()
                    && (bytes + job.bytes > TAKE_BYTES_MAX || lines + job.batch.lines.len() > TAKE_LINES_MAX);
                if is_full {
                    break;
                }
                turn_bytes += job.bytes;
                bytes += job.bytes;
                lines += job.batch.lines.len();
                taken.extend(lane.waiting.pop_front());
            }
            if !lane.waiting.is_empty() {
                // Whose batch did not fit is first the next time.
                if is_full { self.turns.push_front(key) } else { self.turns.push_back(key) }
            } else if Arc::strong_count(&lane.room) == 1 {
                self.by_group.remove(&key);
            }
            if is_full {
                break;
            }
        }
        if self.turns.is_empty() && taken.is_empty() {
            // Lanes of those who went away while they waited for room.
            self.by_group.retain(|_, lane| !lane.waiting.is_empty() || Arc::strong_count(&lane.room) > 1);
        }
        taken
    }
}

impl Lane {
    fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(LANE_BYTES_MAX)), waiting: VecDeque::new() }
    }
}

/// Carries jobs in, and answers each.
async fn carry(archive: &Archive, random: &Random, jobs: Vec<Job>) {
    let (batches, askers): (Vec<Append>, Vec<_>) =
        jobs.into_iter().map(|job| (job.batch, (job.answer, job.room))).unzip();
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
    let answers = loop {
        match archive.append(&batches).await {
            Err(Error::Store(store::Error::Contended { .. } | store::Error::Busy { .. }))
                if backoff.tries() < TRIES_MAX =>
            {
                // The machine's time: what is waited for is other work.
                tokio::time::sleep(backoff.next(random)).await;
            }
            Ok(answers) => break answers,
            Err(error) => {
                let lines: usize = batches.iter().map(|batch| batch.lines.len()).sum();
                tracing::error!(%error, lines, batches = batches.len(), "log events could not be stored");
                break vec![Err(error); batches.len()];
            }
        }
    };
    for ((asker, _room), answer) in askers.into_iter().zip(answers) {
        // Who does not wait for the answer does not want it.
        let _unwanted = asker.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Missing;
    use contract::{AccountId, Region};

    fn batch(group: &str, bytes: usize, lines: usize) -> Append {
        let line = (0, "x".repeat(bytes / lines));
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        let (group, stream) = (group.to_owned(), "s".to_owned());
        Append { scope, group, stream, missing: Missing::Make, lines: std::iter::repeat_n(line, lines).collect() }
    }

    fn taken(intake: &Intake) -> Vec<(String, usize)> {
        let jobs = intake.lock().take();
        let mut counts: Vec<(String, usize)> = Vec::new();
        for job in jobs {
            match counts.last_mut() {
                Some((group, count)) if *group == job.batch.group => *count += 1,
                Some(_) | None => counts.push((job.batch.group, 1)),
            }
        }
        counts
    }

    #[tokio::test]
    async fn lanes_take_turns() {
        let intake = Intake::new();
        for _ in 0..25 {
            intake.submit(batch("noisy", 100 << 10, 100)).await.unwrap();
        }
        assert_eq!(taken(&intake), [("noisy".into(), 9)], "turn after turn, while nobody else waits");
        intake.submit(batch("quiet", 10, 1)).await.unwrap();
        intake.submit(batch("large", 1 << 20, 1)).await.unwrap();
        intake.submit(batch("many", 10_000, 3_000)).await.unwrap();
        // Everybody has a turn; what does not fit beside others goes first, and alone, the next time.
        assert_eq!(taken(&intake), [("noisy".into(), 3), ("quiet".into(), 1)]);
        assert_eq!(taken(&intake), [("large".into(), 1)]);
        assert_eq!(taken(&intake), [("many".into(), 1)]);
        assert_eq!(taken(&intake), [("noisy".into(), 9)]);
        assert_eq!(taken(&intake), [("noisy".into(), 4)]);
        assert!(taken(&intake).is_empty());
        assert!(intake.lock().by_group.is_empty(), "empty lanes are forgotten");
    }

    #[tokio::test]
    async fn a_full_lane_waits_and_others_do_not() {
        let intake = Intake::new();
        for _ in 0..4 {
            intake.submit(batch("full", (1 << 20) - 26, 1)).await.unwrap();
        }
        let mut waiting = Box::pin(intake.submit(batch("full", 1, 1)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        intake.submit(batch("other", 1, 1)).await.unwrap();
        assert_eq!(taken(&intake), [("full".into(), 1)]);
        assert!(waiting.await.is_ok());
    }
}
