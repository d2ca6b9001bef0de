//! The pollers of one queue: one of them waits for messages, the others work.
//!
//! A poller that received something calls another one to its place before it works, and goes home after work if somebody waits
//! already. So an idle queue has one waiting receive, a busy one as many batches in hand as [`Scale`] allows, and no poller ever
//! has to be told to start or stop. While the queue gives as much as is asked for, several receive at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Backoff, Clock, Random};
use contract::caller::BoxFuture;
use contract::{AccountId, Arn, Caller, Principal, Region};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::gathering::Gathering;
use crate::queue::{AT_ONCE, Queue, WAIT_MAX};
use crate::scale::Scale;
use crate::{Filters, Limits, Message};

/// How many receive at once while there is a backlog.
const RECEIVERS_MAX: usize = 4;
/// Between two looks into a queue while a batch waits for its window's last second.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is to be done with a queue's messages.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where they come from.
    pub queue: Arn,
    /// Whose queue it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// What a batch may be.
    pub limits: Limits,
    /// Which messages are wanted; the others are deleted.
    pub filters: Filters,
    /// The most batches in hand at once.
    pub concurrency_max: usize,
}

/// Messages that are handled together.
#[derive(Debug)]
pub struct Batch {
    /// At least one, in the order in which they came.
    pub messages: Vec<Message>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is done, but for the messages of these ids.
    Done {
        /// Come again when their hiding is over.
        failed: HashSet<String>,
    },
    /// Nothing of it is done; all of it comes again when its hiding is over.
    Failed {
        /// For whoever looks at the mapping.
        why: String,
    },
    /// It was not taken, and is offered again until its hiding is over.
    Busy {
        /// For whoever looks at the mapping.
        why: String,
    },
}

/// Who handles batches.
pub trait Sink: Send + Sync + 'static {
    /// Handles one. Not to be cut off half-way: what was begun may happen.
    fn hand<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Handed>;

    /// Who asks the queue, on the sink's behalf; from memory.
    fn principal(&self) -> Principal;

    /// Why there is no use in receiving anything now; asked before each receive, and answered from memory.
    fn obstacle(&self) -> Option<String> {
        None
    }
}

/// What pollers work with.
#[derive(Clone)]
pub struct Tools {
    /// The way to queues.
    pub caller: Arc<dyn Caller>,
    /// Time: of windows and waits.
    pub clock: Clock,
    /// Chance: of waits.
    pub random: Random,
    /// What pollers run as. When they are asked to end, nothing more is received, and what is in hand is handled.
    pub tasks: Tasks,
    /// What addresses that we hand out begin with.
    pub base_url: Arc<str>,
}

/// How it went last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing to do yet.
    #[default]
    Untouched,
    /// Well.
    Fine,
    /// Not well, and why.
    Problem(String),
}

/// The pollers of one queue, as long as this is not told to stop. Dropped, they go on.
pub struct Pollers {
    crew: Arc<Crew>,
}

impl Pollers {
    /// Starts polling.
    pub fn start(plan: Plan, sink: Arc<dyn Sink>, tools: &Tools) -> Self {
        let crew = Arc::new(Crew {
            limits: plan.limits,
            filters: plan.filters,
            state: Mutex::new(State {
                size: 1,
                receiving: 1,
                backlog: false,
                scale: Scale::new(plan.concurrency_max),
                progress: Progress::Untouched,
            }),
            queue: Queue {
                arn: plan.queue,
                account: plan.account,
                region: plan.region,
                asker: Arc::clone(&sink),
                caller: Arc::clone(&tools.caller),
                clock: tools.clock.clone(),
                random: tools.random.clone(),
                base_url: Arc::clone(&tools.base_url),
            },
            sink,
            clock: tools.clock.clone(),
            random: tools.random.clone(),
            stop: tools.tasks.stopping().child_token(),
            tasks: tools.tasks.clone(),
            ended: watch::Sender::new(false),
        });
        crew.seat();
        Self { crew }
    }

    /// Nothing more is received; what is in hand is handled.
    pub fn stop(&self) {
        self.crew.stop.cancel();
    }

    /// Whether they have stopped.
    pub fn has_stopped(&self) -> bool {
        *self.crew.ended.borrow()
    }

    /// Returns when they have stopped. Safe to drop.
    pub async fn stopped(&self) {
        // The sender is in the crew, which is in self.
        self.crew.ended.subscribe().wait_for(|ended| *ended).await.ok();
    }

    /// How it went last.
    pub fn progress(&self) -> Progress {
        self.crew.state().progress.clone()
    }

    /// How many pollers there are, waiting and working.
    pub fn size(&self) -> usize {
        self.crew.state().size
    }
}

struct Crew {
    limits: Limits,
    filters: Filters,
    queue: Queue,
    sink: Arc<dyn Sink>,
    clock: Clock,
    random: Random,
    state: Mutex<State>,
    stop: CancellationToken,
    tasks: Tasks,
    ended: watch::Sender<bool>,
}

struct State {
    /// Pollers that there are.
    size: usize,
    /// Those of them that wait for messages.
    receiving: usize,
    /// The last receive gave all that was asked for.
    backlog: bool,
    scale: Scale,
    progress: Progress,
}

impl State {
    fn receivers_wanted(&self) -> usize {
        if self.backlog { RECEIVERS_MAX } else { 1 }
    }
}

/// A poller's place in its crew; it is given back however the poller ends.
struct Seat {
    crew: Arc<Crew>,
    receiving: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.crew.state();
        state.size -= 1;
        state.receiving -= usize::from(self.receiving);
        if state.size == 0 {
            self.crew.ended.send_replace(true);
        }
    }
}

impl Seat {
    /// A poller's life: receive, work, and again if nobody else waits.
    async fn work(mut self) {
        while let Some(batches) = self.gather().await {
            self.call_others();
            self.crew.handle(batches).await;
            if !self.stays() {
                return;
            }
        }
    }

    /// Waits for messages until there is a batch, or more than one where they are large. None: it is to stop, or enough others wait.
    async fn gather(&mut self) -> Option<Vec<Vec<Message>>> {
        let crew = Arc::clone(&self.crew);
        let mut gathering = Gathering::new(crew.limits);
        let mut trouble = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        loop {
            if gathering.is_empty()
                && let Some(why) = crew.sink.obstacle()
            {
                crew.note(Progress::Problem(why));
                crew.pause(trouble.next(&crew.random)).await?;
                continue;
            }
            let patience = match gathering.is_empty() {
                true => WAIT_MAX,
                false => match gathering.patience(crew.clock.elapsed()) {
                    Some(left) => left,
                    None => break,
                },
            };
            let wait = Duration::from_secs(patience.min(WAIT_MAX).as_secs());
            let asked = gathering.room().min(AT_ONCE);
            let received = tokio::select! {
                biased;
                () = crew.stop.cancelled() => break,
                received = crew.queue.receive(asked, wait) => received,
            };
            match received {
                Ok(messages) if messages.is_empty() => {
                    if gathering.is_empty() && !self.waits_on() {
                        return None;
                    }
                    if wait.is_zero() && crew.pause(patience.min(LOOK_EVERY)).await.is_none() {
                        break;
                    }
                }
                Ok(messages) => {
                    trouble.reset();
                    crew.state().backlog = messages.len() == asked;
                    let now = crew.clock.elapsed();
                    crew.sift(messages).await.into_iter().for_each(|message| gathering.add(message, now));
                }
                Err(fault) => {
                    crew.note(Progress::Problem(format!("{}: {}", fault.code, fault.message)));
                    if crew.pause(trouble.next(&crew.random)).await.is_none() {
                        break;
                    }
                }
            }
        }
        (!gathering.is_empty()).then(|| gathering.batches())
    }

    /// Nothing came for a while: whether this poller goes on waiting.
    fn waits_on(&mut self) -> bool {
        let mut state = self.crew.state();
        state.backlog = false;
        state.scale.idle();
        // Whatever was wrong with the queue is not any more.
        if matches!(state.progress, Progress::Problem(_)) && state.size == 1 {
            state.progress = Progress::Untouched;
        }
        let wanted = state.receiving <= state.receivers_wanted();
        if !wanted {
            state.receiving -= 1;
            self.receiving = false;
        }
        wanted
    }

    /// Somebody else waits for messages from now on.
    fn call_others(&mut self) {
        self.receiving = false;
        let crew = &self.crew;
        let mut state = crew.state();
        state.receiving -= 1;
        while state.receiving < state.receivers_wanted() && !crew.stop.is_cancelled() {
            if state.size >= state.scale.allowed() {
                state.scale.press();
                return;
            }
            state.size += 1;
            state.receiving += 1;
            crew.seat();
        }
    }

    /// Whether this poller is wanted after its work.
    fn stays(&mut self) -> bool {
        let mut state = self.crew.state();
        let wanted = !self.crew.stop.is_cancelled()
            && state.size <= state.scale.allowed()
            && state.receiving < state.receivers_wanted();
        if wanted {
            state.receiving += 1;
            self.receiving = true;
        }
        wanted
    }
}

impl Crew {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new poller, which has been counted already.
    fn seat(self: &Arc<Self>) {
        let seat = Seat { crew: Arc::clone(self), receiving: true };
        self.tasks.spawn(Kind::Work, "queue-poller", seat.work());
    }

    fn note(&self, progress: Progress) {
        let mut state = self.state();
        if state.progress != progress {
            state.progress = progress;
        }
    }

    /// The messages that are wanted; the others are deleted.
    async fn sift(&self, messages: Vec<Message>) -> Vec<Message> {
        if self.filters.is_empty() {
            return messages;
        }
        let (wanted, unwanted): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| self.filters.matches(&message.record));
        if !unwanted.is_empty() {
            self.queue.delete(&unwanted).await;
        }
        wanted
    }

    /// Waits. None: it is to stop.
    async fn pause(&self, duration: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.clock.sleep(duration) => Some(()),
        }
    }

    /// Hands batches over, one after the other, since they may be of the same groups. What follows a failed message of its group is left
    /// to come again with it.
    async fn handle(&self, batches: Vec<Vec<Message>>) {
        let received = self.clock.elapsed();
        let mut blocked: HashSet<String> = HashSet::new();
        for mut messages in batches {
            messages.retain(|message| message.group.as_ref().is_none_or(|group| !blocked.contains(group)));
            if messages.is_empty() {
                continue;
            }
            let batch = Batch { messages };
            let failed = self.hand(&batch, received).await;
            let (failed, done): (Vec<&Message>, Vec<&Message>) =
                batch.messages.iter().partition(|message| failed.contains(&message.id));
            blocked.extend(failed.into_iter().filter_map(|message| message.group.clone()));
            self.queue.delete(done).await;
        }
    }

    /// Hands one batch over, and answers what of it failed. While the sink has no time it is offered again, as long as nobody else can
    /// see the messages.
    async fn hand(&self, batch: &Batch, received: Duration) -> HashSet<String> {
        let all = || batch.messages.iter().map(|message| message.id.clone()).collect();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        let mut until = None;
        loop {
            let started = self.clock.elapsed();
            match self.sink.hand(batch).await {
                Handed::Done { failed } => {
                    self.state().scale.done(self.clock.elapsed().saturating_sub(started));
                    self.note(Progress::Fine);
                    return failed;
                }
                Handed::Failed { why } => {
                    self.state().scale.failed();
                    self.note(Progress::Problem(why));
                    return all();
                }
                Handed::Busy { why } => {
                    self.state().scale.throttled();
                    self.note(Progress::Problem(why));
                }
            }
            let until = match until {
                Some(until) => until,
                None => *until.insert(received + self.queue.hidden().await),
            };
            let wait = backoff.next(&self.random);
            if self.clock.elapsed() + wait >= until {
                return all();
            }
            if self.pause(wait).await.is_none() {
                self.queue.release(&batch.messages).await;
                return all();
            }
        }
    }
}
