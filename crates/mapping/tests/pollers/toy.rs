//! A toy queue with hiding and groups, a sink that does what a test says, and a clock that a test moves.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::caller::BoxFuture;
use contract::{AccountId, Arn, Call, Caller, Cause, Document, Fault, OperationId, Principal, Region};
use mapping::gathering::BATCH_BYTES_MAX;
use mapping::{Batch, Filters, Handed, Limits, Plan, Pollers, Sink, Tools};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

const HIDDEN: Duration = Duration::from_secs(30);
/// Machines are noisy.
const PATIENCE: Duration = Duration::from_secs(60);

type Answering = Box<dyn Fn(&[String]) -> Handed + Send>;

#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    name: String,
    state: Mutex<State>,
    came: Notify,
    clock: Clock,
    hand: Arc<ManualClock>,
    held: watch::Sender<bool>,
    receivers: AtomicUsize,
    answering: Mutex<Answering>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<u64, Kept>,
    next: u64,
    received: usize,
    handled: Vec<String>,
    batches: Vec<usize>,
    in_hand: usize,
    in_hand_max: usize,
    obstacle: Option<String>,
    gone: bool,
    takes: Duration,
}

struct Kept {
    id: String,
    group: Option<String>,
    body: String,
    hidden_until: Duration,
    receive: u64,
}

pub(crate) fn plan(queue: &str) -> Plan {
    let (account, region) = (AccountId::ONLY, Region::default_one());
    Plan {
        queue: Arn::new("sqs", &region, account, queue),
        account,
        region,
        limits: Limits { messages: 10, window: Duration::ZERO, bytes: BATCH_BYTES_MAX },
        filters: Filters::default(),
        concurrency_max: 1_000,
    }
}

/// Waits for a state.
pub(crate) async fn until(what: &str, mut there: impl FnMut() -> bool) {
    let reached = async {
        while !there() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "it never came to this: {what}");
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let (clock, hand) = Clock::manual("2026-01-01T00:00:00Z".parse().expect("it is a time"));
        Self(Arc::new(Inner {
            name: name.to_owned(),
            state: Mutex::default(),
            came: Notify::new(),
            clock,
            hand,
            held: watch::Sender::new(false),
            receivers: AtomicUsize::new(0),
            answering: Mutex::new(Box::new(|_| Handed::Done { failed: HashSet::new() })),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(&self, plan: Plan) -> Pollers {
        let tools = Tools {
            caller: Arc::new(self.clone()),
            clock: self.0.clock.clone(),
            random: Random::seeded(7),
            tasks: Tasks::new(),
            base_url: "http://localhost:4566".into(),
        };
        Pollers::start(plan, Arc::new(self.clone()), &tools)
    }

    pub(crate) fn answer(&self, answering: impl Fn(&[String]) -> Handed + Send + 'static) {
        *self.0.answering.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answering);
    }

    pub(crate) fn send(&self, id: &str, group: Option<&str>) {
        self.send_body(id, group, "{}");
    }

    pub(crate) fn send_body(&self, id: &str, group: Option<&str>, body: &str) {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let (id, group, body) = (id.to_owned(), group.map(str::to_owned), body.to_owned());
        state.messages.insert(number, Kept { id, group, body, hidden_until: Duration::ZERO, receive: 0 });
        drop(state);
        self.0.came.notify_waiters();
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.hand.advance(by);
        self.0.came.notify_waiters();
    }

    /// Lets everybody do what they can do now.
    pub(crate) async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn hold(&self) {
        self.0.held.send_replace(true);
    }

    pub(crate) fn go_on(&self) {
        self.0.held.send_replace(false);
    }

    pub(crate) fn take_each(&self, time: Duration) {
        self.state().takes = time;
    }

    pub(crate) fn obstacle(&self, why: Option<&str>) {
        self.state().obstacle = why.map(str::to_owned);
    }

    pub(crate) fn gone(&self, gone: bool) {
        self.state().gone = gone;
    }

    pub(crate) fn receivers(&self) -> usize {
        self.0.receivers.load(Ordering::SeqCst)
    }

    pub(crate) fn left(&self) -> usize {
        self.state().messages.len()
    }

    pub(crate) fn visible(&self) -> usize {
        let now = self.0.clock.elapsed();
        self.state().messages.values().filter(|kept| kept.hidden_until <= now).count()
    }

    pub(crate) fn received(&self) -> usize {
        self.state().received
    }

    pub(crate) fn handled(&self) -> Vec<String> {
        self.state().handled.clone()
    }

    pub(crate) fn batches(&self) -> Vec<usize> {
        self.state().batches.clone()
    }

    pub(crate) fn in_hand(&self) -> usize {
        self.state().in_hand
    }

    pub(crate) fn in_hand_max(&self) -> usize {
        self.state().in_hand_max
    }

    fn take(&self, most: usize) -> Result<Vec<Value>, Fault> {
        let now = self.0.clock.elapsed();
        let mut state = self.state();
        if state.gone {
            return Err(Fault::new(Cause::NotFound, "QueueDoesNotExist", "The specified queue does not exist."));
        }
        let busy: HashSet<String> = state
            .messages
            .values()
            .filter(|kept| kept.hidden_until > now)
            .filter_map(|kept| kept.group.clone())
            .collect();
        let mut taken = Vec::new();
        for (number, kept) in &mut state.messages {
            let free = kept.hidden_until <= now && kept.group.as_ref().is_none_or(|group| !busy.contains(group));
            if !free || taken.len() == most {
                continue;
            }
            kept.hidden_until = now + HIDDEN;
            kept.receive += 1;
            taken.push(json!({
                "MessageId": kept.id, "ReceiptHandle": format!("{number}-{}", kept.receive), "Body": kept.body,
                "MD5OfBody": "m", "Attributes": kept.group.as_ref().map(|group| json!({ "MessageGroupId": group })),
            }));
        }
        state.received += taken.len();
        Ok(taken)
    }

    async fn receive(&self, input: &Document) -> Result<Document, Fault> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.0.receivers.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.receivers);
        let until = self.0.clock.elapsed() + Duration::from_secs(input["WaitTimeSeconds"].as_u64().unwrap_or_default());
        loop {
            let came = self.0.came.notified();
            let taken = self.take(input["MaxNumberOfMessages"].as_u64().unwrap_or(1) as usize)?;
            let left = until.saturating_sub(self.0.clock.elapsed());
            if !taken.is_empty() || left.is_zero() {
                return Ok(json!({ "Messages": taken }));
            }
            tokio::select! {
                () = came => {}
                () = self.0.clock.sleep(left) => {}
            }
        }
    }

    /// Does something to every message whose receipt is still good.
    fn each(&self, input: &Document, mut change: impl FnMut(&mut State, u64)) -> Document {
        let mut state = self.state();
        for entry in input["Entries"].as_array().into_iter().flatten() {
            let receipt = entry["ReceiptHandle"].as_str().unwrap_or_default();
            let parts = receipt
                .split_once('-')
                .and_then(|(number, receive)| Some((number.parse().ok()?, receive.parse().ok()?)));
            let (number, receive): (u64, u64) = parts.expect("it is a receipt of ours");
            if state.messages.get(&number).is_some_and(|kept| kept.receive == receive) {
                change(&mut state, number);
            }
        }
        json!({ "Successful": [], "Failed": [] })
    }
}

impl Caller for World {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        _: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            assert_eq!(operation.service, "sqs");
            assert!(input["QueueUrl"].as_str().is_some_and(|url| url.ends_with(&self.0.name)));
            match operation.name {
                "ReceiveMessage" => self.receive(&input).await,
                "DeleteMessageBatch" => Ok(self.each(&input, |state, number| drop(state.messages.remove(&number)))),
                "ChangeMessageVisibilityBatch" => Ok(self.each(&input, |state, number| {
                    state.messages.get_mut(&number).expect("it was looked at").hidden_until = Duration::ZERO;
                })),
                "GetQueueAttributes" => Ok(json!({ "Attributes": { "VisibilityTimeout": "30" } })),
                other => panic!("nobody asks for {other}"),
            }
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        Err(Fault::unserved(service, name))
    }
}

impl Sink for World {
    fn hand<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Handed> {
        Box::pin(async move {
            let ids: Vec<String> = batch.messages.iter().map(|message| message.id.clone()).collect();
            let takes = {
                let mut state = self.state();
                state.in_hand += 1;
                state.in_hand_max = state.in_hand_max.max(state.in_hand);
                state.handled.extend(ids.clone());
                state.batches.push(ids.len());
                state.takes
            };
            if !takes.is_zero() {
                self.0.clock.sleep(takes).await;
            }
            self.0.held.subscribe().wait_for(|held| !held).await.expect("the sender is in the world");
            let answer = (self.0.answering.lock().unwrap_or_else(PoisonError::into_inner))(&ids);
            self.state().in_hand -= 1;
            answer
        })
    }

    fn principal(&self) -> Principal {
        Principal::Root
    }

    fn obstacle(&self) -> Option<String> {
        self.state().obstacle.clone()
    }
}
