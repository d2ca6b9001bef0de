//! A queue's keeper: one task that owns the queue's messages.
//!
//! Whoever wants something of the queue puts a [`Command`] into the keeper's mailbox. The keeper takes all that wait there, decides
//! each one in memory, makes what they change one transaction, and answers when that is on disk. While it waits for the disk the
//! next commands gather, so that a busy queue needs few transactions; and since nobody else writes the queue's keys, none of
//! them ever has to be tried again, however many receivers there are. The order of the mailbox is the order of the queue.
//!
//! What always holds: memory follows the store. When a transaction is refused, everything in memory is forgotten and read again,
//! and whoever waited for it is told so. A crash at any point leaves what was committed and nothing else.
//!
//! Receivers that wait are woken by the message that comes, or by one timer for whatever is due next: the end of a hiding, of a
//! delay, of a retention, of a receiver's patience. The mailbox holds at most what the node lets in as calls.

mod command;
mod deliver;
mod duplicates;
mod housekeeping;
mod loading;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use base::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::model::window::Window;
use crate::model::{Queue, Receipt, Scope};
use crate::store::{Cellar, Changes, Head, Keys, Sweep};
use crate::table::Table;

pub(crate) use command::{Answer, Command, Delivery, NewMessage, Outgoing, Receive, Sent, Transfer};

use deliver::Attempt;
use duplicates::Duplicates;

/// A batch is closed when it would write so much; the next command begins a new one.
const BATCH_BYTES_MAX: usize = 4 << 20;
const BATCH_KEYS_MAX: usize = 10_000;
/// How long before the store is asked again after it refused.
const PATIENCE: Duration = Duration::from_millis(500);
/// The record of the lowest number is written this many numbers late at most.
const LOW_EVERY: u64 = 1_024;

/// The way to a queue's keeper, and its settings.
#[derive(Debug)]
pub(crate) struct Desk {
    queue: ArcSwap<Queue>,
    mailbox: UnboundedSender<Command>,
    gone: AtomicBool,
}

/// What a keeper works with.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) cellar: Cellar,
    pub(crate) clock: Clock,
    /// The other queues; weak, because the table owns the desks.
    pub(crate) table: Weak<Table>,
    /// Nobody may wait for a message any more: the node is about to stop.
    pub(crate) hurry: CancellationToken,
    /// Ends keepers.
    pub(crate) stop: CancellationToken,
}

impl Desk {
    /// A desk, and the keeper that is to be run.
    pub(crate) fn open(queue: Queue, tools: Tools) -> (Arc<Self>, Keeper) {
        let (mailbox, commands) = unbounded_channel();
        let desk = Arc::new(Self { queue: ArcSwap::from_pointee(queue), mailbox, gone: AtomicBool::new(false) });
        let keeper = Keeper::new(Arc::clone(&desk), commands, tools);
        (desk, keeper)
    }

    /// The queue.
    pub(crate) fn queue(&self) -> Arc<Queue> {
        self.queue.load_full()
    }

    /// The queue was changed.
    pub(crate) fn set(&self, queue: Queue) {
        self.queue.store(Arc::new(queue));
        self.tell(Command::Look);
    }

    /// Puts a command into the mailbox, and waits for the answer.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.mailbox.send(command(answer)).map_err(|_| Error::QueueMissing)?;
        answered.await.unwrap_or_else(|_| match self.is_gone() {
            true => Err(Error::QueueMissing),
            false => Err(Error::Unavailable("The node is stopping. Try again.".to_owned())),
        })
    }

    /// Puts a command into the mailbox that has no answer.
    pub(crate) fn tell(&self, command: Command) {
        // A keeper that has ended has nobody to tell.
        self.mailbox.send(command).ok();
    }

    /// Whether the queue was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Ends the keeper: the queue is gone.
    pub(crate) fn close(&self) {
        self.gone.store(true, Ordering::Release);
        self.tell(Command::Close);
    }
}

/// Somebody who waits for messages.
struct Waiter {
    wanted: Receive,
    until_ms: u64,
    answer: Answer<Vec<Delivery>>,
}

/// Tells somebody what became of the batch that their command was in.
type Told = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// The owner of one queue's messages.
pub(crate) struct Keeper {
    desk: Arc<Desk>,
    commands: UnboundedReceiver<Command>,
    tools: Tools,
    keys: Keys,
    scope: Scope,
    window: Window,
    head: Head,
    /// Messages from this number on are in the store alone.
    loaded: u64,
    /// Messages from this number on are not in the store yet.
    stored: u64,
    /// The lowest number, as the store knows it.
    low_written: u64,
    /// How many bytes of messages the window holds.
    cached: usize,
    duplicates: Duplicates,
    attempts: HashMap<String, Attempt>,
    sweep: Sweep,
    waiters: VecDeque<Waiter>,
    /// The delay that the window's messages have, in a queue with order.
    delay_s: u32,
    changes: Changes,
    told: Vec<Told>,
    outgoing: Vec<Outgoing>,
    /// The store refused the last batch: commands go one by one until it takes one.
    careful: bool,
    /// There is more to do that no timer tells of.
    again: bool,
}

impl Keeper {
    fn new(desk: Arc<Desk>, commands: UnboundedReceiver<Command>, tools: Tools) -> Self {
        let queue = desk.queue();
        Self {
            keys: Keys::of(queue.id),
            scope: queue.scope.clone(),
            window: Window::new(queue.is_fifo()),
            desk,
            commands,
            tools,
            head: Head::default(),
            loaded: 0,
            stored: 0,
            low_written: 0,
            cached: 0,
            duplicates: Duplicates::default(),
            attempts: HashMap::new(),
            sweep: Sweep::default(),
            waiters: VecDeque::new(),
            delay_s: queue.settings.delay_s,
            changes: Changes::default(),
            told: Vec::new(),
            outgoing: Vec::new(),
            careful: false,
            again: false,
        }
    }

    /// Works until the queue or the node ends.
    pub(crate) async fn run(mut self) {
        if !self.load_patiently().await {
            return;
        }
        loop {
            let wake = self.sleep();
            let first = tokio::select! {
                biased;
                () = self.tools.stop.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(command) => Some(command),
                    None => return,
                },
                () = wake => None,
                () = self.tools.hurry.cancelled(), if !self.waiters.is_empty() => None,
            };
            if let Some(command) = first
                && !self.gather(command).await
            {
                return;
            }
            if !self.settle().await {
                return;
            }
        }
    }

    /// Stages the command and those that wait behind it. False: the queue is gone.
    async fn gather(&mut self, first: Command) -> bool {
        let mut next = Some(first);
        while let Some(command) = next.take() {
            if matches!(command, Command::Close) {
                self.leave();
                return false;
            }
            self.stage(command).await;
            let (bytes, keys) = self.changes.size();
            if !self.careful && bytes < BATCH_BYTES_MAX && keys < BATCH_KEYS_MAX {
                next = self.commands.try_recv().ok();
            }
        }
        true
    }

    /// The queue was deleted: whoever waits is told so.
    fn leave(&mut self) {
        for told in self.told.drain(..) {
            told(Err(Error::QueueMissing));
        }
        for waiter in self.waiters.drain(..) {
            waiter.answer.send(Err(Error::QueueMissing)).ok();
        }
    }

    /// Does what time asks for, commits, and answers. False: the node stops.
    async fn settle(&mut self) -> bool {
        self.again = false;
        let now_ms = self.now_ms();
        self.keep_house(now_ms).await;
        // While the store refuses, what only deletes must not travel with what does not.
        if self.careful && !self.changes.is_empty() {
            self.again = true;
        } else {
            self.serve(now_ms).await;
        }
        self.note_head();
        let changes = std::mem::take(&mut self.changes);
        let told = std::mem::take(&mut self.told);
        let outgoing = std::mem::take(&mut self.outgoing);
        if !changes.is_empty() {
            match self.tools.cellar.commit(&changes).await {
                Ok(()) => {
                    self.careful = false;
                    self.stored = self.head.next;
                }
                Err(error) => return self.start_over(&error, told).await,
            }
        }
        for told in told {
            told(Ok(()));
        }
        for (desk, transfers) in deliver::by_desk(outgoing) {
            self.hand_over(desk, transfers);
        }
        true
    }

    /// The store did not take the batch: tells everybody, and reads the truth again. False: the node stops.
    async fn start_over(&mut self, error: &store::Error, told: Vec<Told>) -> bool {
        let error = Error::of_store(error);
        for told in told {
            told(Err(error.clone()));
        }
        self.careful = true;
        self.load_patiently().await
    }

    /// Until something is due, on the clock; for ever if nothing will be.
    fn sleep(&self) -> impl Future<Output = ()> + use<> {
        let clock = self.tools.clock.clone();
        let wait = self.next_wake_ms().map(|at| Duration::from_millis(at.saturating_sub(self.now_ms())));
        async move {
            match wait {
                Some(Duration::ZERO) => {}
                Some(wait) => clock.sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    fn next_wake_ms(&self) -> Option<u64> {
        if self.again {
            return Some(0);
        }
        let waiting = self.waiters.iter().map(|waiter| waiter.until_ms).min();
        [waiting, self.window.next_due_ms(), self.next_expiry_ms(), self.duplicates.next_ms()]
            .into_iter()
            .flatten()
            .min()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.tools.clock.now_ms()).unwrap_or_default()
    }

    /// Answers when the batch is on disk.
    fn answer<T: Send + 'static>(&mut self, answer: Answer<T>, value: T) {
        self.told.push(Box::new(move |committed| {
            // Nobody listens any more where the caller hung up.
            answer.send(committed.map(|()| value)).ok();
        }));
    }

    fn receipt(&self, number: u64, id: uuid::Uuid, receive: u32) -> Receipt {
        Receipt { queue: self.desk.queue().id, number, id, receive }
    }
}
