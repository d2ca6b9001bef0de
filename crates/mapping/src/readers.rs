//! The readers of one stream: each shard is read by one, a child's after its parent's. They drive [`crate::stream::Shard`].
//!
//! An idle shard costs one waiting `GetRecords`, which the stream answers when there is a record: so a change is handed over at once.
//! What was done is kept ([`ShardSink::keep`]) before more of the lane is handed over, and what is given up is told in the same step.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Backoff;
use base::task::Kind;
use contract::caller::BoxFuture;
use contract::{AccountId, Arn, Call, Fault, Origin, Principal, Region, Trace};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shards::{self, Page, Position, Told};
use crate::stream::{Attempt, Checkpoint, Discard, Ending, Settings, Shard};
use crate::{Filters, Progress, Tools};

pub use crate::shards::{check, latest};

/// Between two looks at which shards there are, beside those when one has ended.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long a look into a shard may take, with its waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// How late a checkpoint may be kept that has passed only records that nobody wanted.
const KEEP_WITHIN_MS: i64 = 1_000;
/// The first and the longest wait before something is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// How a stream is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The stream.
    pub stream: Arn,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Batches and retries.
    pub settings: Settings,
    /// Which records are wanted; the others are passed by.
    pub filters: Filters,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Tried {
    /// The handler was called.
    Ended {
        /// And this came of it.
        ending: Ending,
        /// The call's id.
        request_id: String,
        /// What is wrong, for whoever looks at the mapping.
        problem: Option<String>,
    },
    /// It was not taken, and is offered again.
    Busy {
        /// For whoever looks at the mapping.
        why: String,
    },
}

/// Who handles the records of a stream, and keeps how far they are handled.
pub trait ShardSink: Send + Sync + 'static {
    /// Handles some. Not to be cut off half-way: what was begun may happen.
    fn hand<'a>(&'a self, shard: &'a str, attempt: &'a Attempt) -> BoxFuture<'a, Tried>;

    /// Who asks the stream, on the sink's behalf; from memory.
    fn principal(&self) -> Principal;

    /// All checkpoints that were kept, by shard.
    fn checkpoints(&self) -> BoxFuture<'_, Result<BTreeMap<String, Checkpoint>, Fault>>;

    /// Keeps a checkpoint and, in the same step, sees that all is told of what was given up: the checkpoint may have passed it.
    fn keep<'a>(
        &'a self,
        shard: &'a str,
        checkpoint: &'a Checkpoint,
        lost: Lost<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// Forgets the checkpoint of a shard that is gone.
    fn forget<'a>(&'a self, shard: &'a str) -> BoxFuture<'a, Result<(), Fault>>;
}

/// What was given up.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    /// The records and why; of several lanes there may be several at once, and mostly there are none.
    pub discards: &'a [Discard],
    /// The last call's id.
    pub request_id: &'a str,
}

/// The readers of one stream, as long as this is not told to stop. Dropped, they go on.
pub struct Readers {
    crew: Arc<Crew>,
}

impl Readers {
    /// Starts reading, when those before have ended: of a mapping there is one reader.
    pub fn start(
        reading: Reading,
        sink: Arc<dyn ShardSink>,
        tools: &Tools,
        before: Vec<watch::Receiver<bool>>,
    ) -> Self {
        let crew = Arc::new(Crew {
            reading,
            sink,
            stop: tools.tasks.stopping().child_token(),
            ended: watch::Sender::new(false),
            progress: Mutex::new(Progress::Untouched),
            tools: tools.clone(),
        });
        let life = Life(Arc::clone(&crew));
        tools.tasks.spawn(Kind::Work, "stream-reader", life.run(before));
        Self { crew }
    }

    /// Nothing more is handed over; what is in hand is handled.
    pub fn stop(&self) {
        self.crew.stop.cancel();
    }

    /// Whether they have stopped.
    pub fn has_stopped(&self) -> bool {
        *self.crew.ended.borrow()
    }

    /// Becomes true when they have stopped.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.crew.ended.subscribe()
    }

    /// How it went last.
    pub fn progress(&self) -> Progress {
        self.crew.progress().clone()
    }
}

/// The crew's one task; however it ends, others hear of it.
struct Life(Arc<Crew>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

impl Life {
    async fn run(self, before: Vec<watch::Receiver<bool>>) {
        for mut earlier in before {
            // It cannot be closed before it is true: the sender tells of its end.
            earlier.wait_for(|ended| *ended).await.ok();
        }
        self.0.follow().await;
    }
}

struct Crew {
    reading: Reading,
    sink: Arc<dyn ShardSink>,
    tools: Tools,
    stop: CancellationToken,
    ended: watch::Sender<bool>,
    progress: Mutex<Progress>,
}

/// What one reader has of its shard.
struct Hold<'a> {
    id: &'a str,
    shard: Shard,
    /// What was kept last.
    kept: Checkpoint,
    /// Since when there is something newer, in milliseconds since the epoch.
    newer_ms: Option<i64>,
    /// The id of the last call.
    request_id: String,
}

type InHand<'a> = FuturesUnordered<BoxFuture<'a, (Attempt, Option<Tried>)>>;

impl Crew {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, progress: Progress) {
        *self.progress() = progress;
    }

    fn trouble(&self, fault: &Fault) {
        self.note(Progress::Problem(format!("{}: {}", fault.code, fault.message)));
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(AGAIN.0, AGAIN.1)
    }

    /// Waits. None: it is to stop.
    async fn pause(&self, duration: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.tools.clock.sleep(duration) => Some(()),
        }
    }

    fn call(&self) -> Call {
        let Tools { clock, random, base_url, .. } = &self.tools;
        Call {
            id: random.uuid(),
            principal: self.sink.principal(),
            account: self.reading.account,
            region: self.reading.region.clone(),
            deadline: clock.elapsed() + PATIENCE,
            trace: Trace::start(clock, random),
            hops: 1,
            origin: Origin::Inside { part: "mapping", base_url: Arc::clone(base_url) },
        }
    }

    /// Sees that each shard is read, after its parent.
    async fn follow(&self) {
        let Some(mut kept) = self.checkpoints().await else { return };
        let (mut begun, mut done) = (HashSet::new(), HashSet::new());
        let mut readers: FuturesUnordered<BoxFuture<'_, (String, bool)>> = FuturesUnordered::new();
        let mut trouble = self.backoff();
        while !self.stop.is_cancelled() {
            let wait = match shards::list(&*self.tools.caller, &self.call(), &self.reading.stream).await {
                Ok(found) => {
                    trouble.reset();
                    self.forget(&found, &mut kept, &mut done).await;
                    for Told { id, parent } in &found {
                        let waits = parent.as_ref().is_some_and(|parent| {
                            !done.contains(parent) && found.iter().any(|shard| shard.id == *parent)
                        });
                        if !waits && begun.insert(id.clone()) {
                            let checkpoint = kept.entry(id.clone()).or_default().clone();
                            readers.push(Box::pin(self.read(id.clone(), checkpoint)));
                        }
                    }
                    LOOK_EVERY
                }
                Err(fault) => {
                    self.trouble(&fault);
                    trouble.next(&self.tools.random)
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {}
                Some((id, true)) = readers.next() => { done.insert(id); }
                () = self.tools.clock.sleep(wait) => {}
            }
        }
        while readers.next().await.is_some() {}
    }

    async fn checkpoints(&self) -> Option<BTreeMap<String, Checkpoint>> {
        let mut backoff = self.backoff();
        loop {
            match self.sink.checkpoints().await {
                Ok(kept) => return Some(kept),
                Err(fault) => self.trouble(&fault),
            }
            self.pause(backoff.next(&self.tools.random)).await?;
        }
    }

    /// Forgets the shards that the stream has forgotten. What cannot be forgotten now is at the next look.
    async fn forget(&self, found: &[Told], kept: &mut BTreeMap<String, Checkpoint>, done: &mut HashSet<String>) {
        let is_there = |id: &String| found.iter().any(|shard| shard.id == *id);
        let gone: Vec<String> = kept.keys().filter(|id| !is_there(id)).cloned().collect();
        for id in gone {
            if self.sink.forget(&id).await.is_ok() {
                kept.remove(&id);
                done.remove(&id);
            }
        }
    }

    /// Reads a shard to its end. Answers whether it came to it.
    async fn read(&self, id: String, checkpoint: Checkpoint) -> (String, bool) {
        let finished = self.read_on(&id, checkpoint).await.is_some();
        (id, finished)
    }

    async fn read_on(&self, id: &str, checkpoint: Checkpoint) -> Option<()> {
        let mut position = Some(Position::of(&checkpoint));
        let shard = Shard::new(self.reading.settings.clone(), checkpoint.clone());
        let mut hold = Hold { id, shard, kept: checkpoint, newer_ms: None, request_id: String::new() };
        let mut in_hand: InHand<'_> = FuturesUnordered::new();
        let mut looking: Option<BoxFuture<'_, Option<Page>>> = None;
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping && in_hand.is_empty() {
                self.keep(&mut hold, &[]).await?;
                return None;
            }
            if !stopping {
                self.hand_over(&mut hold, &mut in_hand).await?;
                let room = hold.shard.room();
                if looking.is_none()
                    && room > 0
                    && let Some(from) = &position
                {
                    looking = Some(Box::pin(self.look(id, from.clone(), room)));
                }
            }
            if position.is_none() && in_hand.is_empty() && hold.shard.is_idle() {
                return self.keep(&mut hold, &[]).await;
            }
            let due = if stopping { LOOK_EVERY } else { self.due(&hold) };
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !stopping => looking = None,
                Some((attempt, tried)) = in_hand.next() => {
                    if let Some(tried) = tried {
                        self.end(&mut hold, attempt, tried).await?;
                    }
                }
                page = seen(&mut looking) => {
                    looking = None;
                    if let Some(page) = page {
                        position = page.next;
                        self.take_in(&mut hold, page.records);
                    }
                }
                () = self.tools.clock.sleep(due) => {
                    let now_ms = self.tools.clock.now_ms();
                    if hold.newer_ms.is_some_and(|since| now_ms >= since + KEEP_WITHIN_MS) {
                        self.keep(&mut hold, &[]).await?;
                    }
                }
            }
        }
    }

    /// How long there is nothing to do by itself.
    fn due(&self, hold: &Hold<'_>) -> Duration {
        let now_ms = self.tools.clock.now_ms();
        let keep = hold.newer_ms.map(|since| since + KEEP_WITHIN_MS);
        let next = hold.shard.due_ms().into_iter().chain(keep).min();
        let wait = next.map_or(LOOK_EVERY, |at| Duration::from_millis(u64::try_from(at - now_ms).unwrap_or(0)));
        // What is due and was not taken by now waits for something else.
        wait.clamp(Duration::from_millis(1), LOOK_EVERY)
    }

    fn take_in(&self, hold: &mut Hold<'_>, records: Vec<crate::stream::Record>) {
        let now_ms = self.tools.clock.now_ms();
        for record in records {
            match self.reading.filters.matches(&record.document) {
                true => hold.shard.feed(vec![record], now_ms),
                false => hold.shard.pass(record.sequence),
            }
        }
        if hold.newer_ms.is_none() && *hold.shard.checkpoint() != hold.kept {
            hold.newer_ms = Some(now_ms);
        }
    }

    async fn hand_over<'a>(&'a self, hold: &mut Hold<'a>, in_hand: &mut InHand<'a>) -> Option<()> {
        let (attempts, discards) = hold.shard.next(self.tools.clock.now_ms());
        for attempt in attempts {
            in_hand.push(Box::pin(self.attempt(hold.id, attempt)));
        }
        if !discards.is_empty() {
            // The checkpoint has passed all of them, so they are told of in one step.
            self.keep(hold, &discards).await?;
        }
        Some(())
    }

    /// One attempt, with the wait that a retry has. None: it was not made, since the readers are to stop.
    async fn attempt(&self, shard: &str, attempt: Attempt) -> (Attempt, Option<Tried>) {
        if attempt.tries > 0 {
            let wait = AGAIN.0.saturating_mul(1 << attempt.tries.min(8)).min(AGAIN.1);
            if self.pause(wait).await.is_none() {
                return (attempt, None);
            }
        }
        let mut backoff = self.backoff();
        loop {
            let why = match self.sink.hand(shard, &attempt).await {
                tried @ Tried::Ended { .. } => return (attempt, Some(tried)),
                Tried::Busy { why } => why,
            };
            self.note(Progress::Problem(why.clone()));
            if self.is_too_old(&attempt) {
                // It goes back into its lane, which gives it up.
                let tried = Tried::Ended { ending: Ending::Failed, request_id: String::new(), problem: Some(why) };
                return (attempt, Some(tried));
            }
            if self.pause(backoff.next(&self.tools.random)).await.is_none() {
                return (attempt, None);
            }
        }
    }

    fn is_too_old(&self, attempt: &Attempt) -> bool {
        let age = |record: &crate::stream::Record| self.tools.clock.now_ms().saturating_sub(record.arrived_ms);
        let most = self.reading.settings.age_max.and_then(|most| i64::try_from(most.as_millis()).ok());
        most.is_some_and(|most| attempt.records.first().is_some_and(|first| age(first) > most))
    }

    /// An attempt has ended: what follows of it is kept.
    async fn end(&self, hold: &mut Hold<'_>, attempt: Attempt, tried: Tried) -> Option<()> {
        let Tried::Ended { ending, request_id, problem } = tried else { return Some(()) };
        self.note(problem.map_or(Progress::Fine, Progress::Problem));
        if !request_id.is_empty() {
            hold.request_id = request_id;
        }
        let discard = hold.shard.end(attempt, ending);
        self.keep(hold, discard.as_slice()).await
    }

    /// Keeps the checkpoint, if there is a newer one or something is to be told. None: it cannot be, and the readers are to stop; the
    /// records come again.
    async fn keep(&self, hold: &mut Hold<'_>, discards: &[Discard]) -> Option<()> {
        let checkpoint = hold.shard.checkpoint().clone();
        if discards.is_empty() && checkpoint == hold.kept {
            return Some(());
        }
        let mut backoff = self.backoff();
        loop {
            let lost = Lost { discards, request_id: &hold.request_id };
            match self.sink.keep(hold.id, &checkpoint, lost).await {
                Ok(()) => {
                    hold.kept = checkpoint;
                    hold.newer_ms = None;
                    return Some(());
                }
                Err(fault) => self.trouble(&fault),
            }
            self.pause(backoff.next(&self.tools.random)).await?;
        }
    }

    /// Whether the stream is there and tells of no such shard.
    async fn is_gone(&self, shard: &str) -> bool {
        let found = shards::list(&*self.tools.caller, &self.call(), &self.reading.stream).await;
        found.is_ok_and(|found| found.iter().all(|told| told.id != shard))
    }

    /// Looks into a shard until it can be seen. None: the readers are to stop.
    async fn look(&self, shard: &str, mut from: Position, most: usize) -> Option<Page> {
        let mut backoff = self.backoff();
        loop {
            let (caller, call) = (&*self.tools.caller, self.call());
            match shards::records(caller, &call, &self.reading.stream, shard, &from, most).await {
                Ok(page) => return Some(page),
                // The shard is gone, for all that was in it is too old by now.
                Err(fault) if fault.code == "ResourceNotFoundException" && self.is_gone(shard).await => {
                    return Some(Page { records: Vec::new(), next: None });
                }
                // What lies there is gone: the oldest that is left comes next.
                Err(fault) if fault.code == "TrimmedDataAccessException" => from = Position::Oldest,
                Err(fault) => self.trouble(&fault),
            }
            self.pause(backoff.next(&self.tools.random)).await?;
        }
    }
}

/// What a look gave; never, if nobody looks.
async fn seen(looking: &mut Option<BoxFuture<'_, Option<Page>>>) -> Option<Page> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}
