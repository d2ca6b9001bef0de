//! The engine as a whole, on the store in memory and the embedded one, with a clock that the test moves.

mod basics;
mod model;
mod requests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, ManualClock, Random};
use bytes::Bytes;
use contract::{AccountId, BoxFuture, Call, Caller, Cause, Document, Fault, OperationId, Region, Trace};
use jiff::Timestamp;
use store::{Location, Options, Range, Scan, Store};
use tokio::sync::watch;

use crate::{Carried, Carrier, Deliveries, Delivery, Deps, Ending, Failure, LaneId, Limits, Reach, Retry, Sender, put};

/// How long a test waits for a state that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What carries in tests: remembers what came, in which order, and fails as it is told.
#[derive(Default)]
pub(super) struct Toy {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    /// Parcels that arrived, by lane, in order of arrival.
    pub(super) arrived: BTreeMap<String, Vec<String>>,
    /// How often each parcel still fails.
    pub(super) failures: HashMap<String, u32>,
    /// Lanes that answer nothing.
    pub(super) dead: HashSet<String>,
    pub(super) carried: usize,
    pub(super) calls: Vec<(OperationId, Call, Document)>,
    pub(super) faults: HashMap<&'static str, Fault>,
}

impl Toy {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until `is_so`.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if is_so(&self.state()) {
                    return;
                }
                changed.changed().await.expect("the toy lives");
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }
}

impl Carrier for Toy {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            let text = String::from_utf8(carried.parcel.to_vec()).unwrap();
            let lane = carried.lane.name().to_owned();
            let is_dead = {
                let mut state = self.state();
                state.carried += 1;
                state.dead.contains(&lane)
            };
            self.tell();
            if is_dead {
                std::future::pending::<()>().await;
            }
            let ending = {
                let mut state = self.state();
                match state.failures.get_mut(&text) {
                    Some(left) if *left > 0 => {
                        *left -= 1;
                        Ending::Retry { why: Failure::new("Broken", "told to fail"), after: None }
                    }
                    Some(_) | None => {
                        state.arrived.entry(lane).or_default().push(text);
                        Ending::DELIVERED
                    }
                }
            };
            self.tell();
            ending
        })
    }
}

impl Caller for Toy {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                let fault = state.faults.get(operation.name).cloned();
                state.calls.push((operation, call.clone(), input));
                fault.map_or_else(|| Ok(Document::default()), Err)
            };
            self.tell();
            answer
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        let known = [("sqs", "SendMessage"), ("sns", "Publish"), ("logs", "CreateLogStream"), ("logs", "PutLogEvents")];
        match known.into_iter().find(|known| *known == (service, name)) {
            Some((service, name)) => Ok(OperationId { service, name }),
            None => Err(Fault::new(Cause::NotFound, "UnknownOperationException", "no such operation")),
        }
    }
}

/// A node with nothing but deliveries.
pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) hand: Arc<ManualClock>,
    pub(super) random: Random,
    pub(super) toy: Arc<Toy>,
    pub(super) engine: Option<Deliveries>,
    limits: Limits,
    folder: Option<tempfile::TempDir>,
}

impl Bench {
    pub(super) async fn memory() -> Self {
        Self::with(Limits::default(), None).await
    }

    pub(super) async fn on_disk(limits: Limits) -> Self {
        Self::with(limits, Some(tempfile::tempdir().unwrap())).await
    }

    pub(super) async fn with(limits: Limits, folder: Option<tempfile::TempDir>) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_second(1_000_000).unwrap());
        let store = open(folder.as_ref(), &clock);
        let (random, toy) = (Random::seeded(7), Arc::new(Toy::default()));
        let mut bench = Self { store, clock, hand, random, toy, engine: None, limits, folder };
        bench.start().await;
        bench
    }

    async fn start(&mut self) {
        let deps = Deps {
            store: self.store.clone(),
            caller: Arc::clone(&self.toy) as _,
            clock: self.clock.clone(),
            random: self.random.clone(),
            limits: self.limits,
            reach: Reach::Everything,
            carriers: vec![("toy", Arc::clone(&self.toy) as _)],
        };
        self.engine = Some(Deliveries::start(deps).await.unwrap());
    }

    /// As after a crash: what was committed is there, and nothing else.
    pub(super) async fn crash(&mut self) {
        if let Some(engine) = self.engine.take() {
            // Nothing is waited for; what is out finds the store closed, if there is one to close.
            engine.hurry();
        }
        if self.folder.is_some() {
            self.store.clone().close().await;
            self.store = open(self.folder.as_ref(), &self.clock);
        }
        self.start().await;
    }

    pub(super) fn engine(&self) -> &Deliveries {
        self.engine.as_ref().expect("it was started")
    }

    pub(super) fn sender(&self) -> Sender {
        Sender {
            account: AccountId::ONLY,
            region: Region::default_one(),
            base_url: "http://localhost:4566".into(),
            hops: 2,
            trace: Trace::start(&self.clock, &self.random),
            since_ms: self.clock.now_ms(),
        }
    }

    pub(super) fn delivery(&self, lane: LaneId, text: impl Into<String>) -> Delivery {
        Delivery::new(self.sender(), lane, "toy", Bytes::from(text.into()))
    }

    pub(super) async fn put(&self, deliveries: &[Delivery]) {
        let change = |tx| async move {
            deliveries.iter().for_each(|delivery| put(&tx, delivery));
            Ok::<_, store::Error>(())
        };
        self.store.transact(change).await.unwrap();
    }

    /// Moves the clock until `is_so`, in steps: each retry is due some time later than the one before.
    pub(super) async fn pass_until(&self, step: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                self.turn(step).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }

    /// Time passes, and the engine's tasks, which may run on this thread, get their turn.
    async fn turn(&self, step: Duration) {
        self.hand.advance(step);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await.ok();
    }

    pub(super) fn arrived(&self, lane: &str) -> Vec<String> {
        self.toy.state().arrived.get(lane).cloned().unwrap_or_default()
    }

    /// Waits until nothing waits, in the store and in memory, and nothing is out.
    pub(super) async fn until_idle(&self) {
        let wait = async {
            while !self.is_idle().await {
                self.turn(Duration::from_secs(60)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("all lanes are idle in time");
    }

    async fn is_idle(&self) -> bool {
        let waiting = Range::prefix(&crate::outbox::waiting());
        let left = self.store.snapshot().scan(waiting, Scan::first(1)).await.unwrap();
        left.items.is_empty() && self.engine().lanes().iter().all(|lane| lane.waiting == 0 && lane.in_flight == 0)
    }
}

fn open(folder: Option<&tempfile::TempDir>, clock: &Clock) -> Store {
    match folder {
        Some(folder) => Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone())).unwrap(),
        None => Store::memory(clock.clone()),
    }
}

/// Impatient, so that a test need not wait.
pub(super) fn retry(retries_max: u32) -> Retry {
    Retry { retries_max, wait_first: Duration::from_secs(1), wait_max: Duration::from_secs(60), ..Retry::default() }
}
