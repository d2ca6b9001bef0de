//! The service as its callers see it, over a store in memory, a clock that stands until it is moved, and targets that are toys.

mod archives;
mod publishing;
mod rules;
mod schedules;
mod worldly;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::{
    AccountId, BoxFuture, Call, Caller, Cause, Document, Fault, Handle, Operation, OperationId, Origin, Principal,
    Region, Trace,
};
use delivery::{Deliveries, Reach};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use wire::events as aws;

use crate::destination::{self, Destinations};
use crate::{Deps, Events};

/// 2026-11-21, 12:00:00 UTC.
const NOW: i64 = 1_795_262_400_000;

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was delivered: the operation's name and its input.
type Delivered = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes every call; refuses those whose input says `refuse-me`.
#[derive(Clone, Default)]
struct Toy(Delivered);

impl Caller for Toy {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            assert!(matches!(call.principal, Principal::Service { name: "events.amazonaws.com", .. }));
            if operation.name == "Invoke" && input["FunctionName"].as_str().unwrap_or_default().contains("refuse-me") {
                return Err(Fault::new(Cause::NotFound, "ResourceNotFoundException", "there is no such function"));
            }
            self.0.lock().unwrap().push((operation.name.to_owned(), input));
            Ok(json!({}))
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        let model = wire::service(service).and_then(|service| service.operation(name));
        Ok(model.ok_or_else(|| Fault::unserved(service, name))?.id)
    }
}

struct Bench {
    events: Arc<Events>,
    deliveries: Deliveries,
    tasks: Tasks,
    store: Store,
    clock: Clock,
    hand: Arc<ManualClock>,
    call: Call,
    delivered: Delivered,
}

impl Bench {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        Self::over(Store::memory(clock.clone()), clock, hand).await
    }

    async fn over(store: Store, clock: Clock, hand: Arc<ManualClock>) -> Self {
        let (random, tasks, toy) = (Random::system(), Tasks::new(), Toy::default());
        let deps = Deps {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            base_url: "http://localhost:4566".into(),
        };
        let events = Events::open(deps).await.unwrap();
        events.start(&tasks);
        let deliveries = Deliveries::start(delivery::Deps {
            store: store.clone(),
            caller: Arc::new(toy.clone()),
            clock: clock.clone(),
            random: random.clone(),
            limits: delivery::Limits::default(),
            reach: Reach::Everything,
            carriers: vec![(destination::NAME, Arc::new(Destinations::new(&events, Reach::Everything)) as _)],
        });
        let call = Call {
            id: random.uuid(),
            principal: Principal::Root,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: Duration::MAX,
            trace: Trace::start(&clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        };
        let delivered = toy.0;
        Self { events, deliveries: deliveries.await.unwrap(), tasks, store, clock, hand, call, delivered }
    }

    /// The service is ended and started again over the same store.
    async fn again(self) -> Self {
        assert!(self.deliveries.shut_down(PATIENCE).await && self.tasks.shut_down(PATIENCE).await, "tasks end");
        Self::over(self.store, self.clock, self.hand).await
    }

    async fn call<Op: Operation>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Events: Handle<Op>,
    {
        Handle::<Op>::handle(&*self.events, &self.call, input).await
    }

    async fn rule(&self, name: &str, pattern: &Value, targets: &[Value]) {
        let input =
            aws::PutRuleRequest { name: name.into(), event_pattern: Some(pattern.to_string()), ..Default::default() };
        self.call::<aws::PutRule>(input).await.unwrap();
        self.targets(name, targets).await.unwrap();
    }

    async fn targets(&self, rule: &str, targets: &[Value]) -> Result<(), Fault> {
        let read = |target: &Value| wire::document::read::<aws::Target>(target.clone()).unwrap().0;
        let targets = targets.iter().map(read).collect();
        let input = aws::PutTargetsRequest { rule: rule.into(), event_bus_name: None, targets };
        let answer = self.call::<aws::PutTargets>(input).await?;
        assert_eq!(answer.failed_entry_count, Some(0));
        Ok(())
    }

    async fn put(&self, entries: Vec<aws::PutEventsRequestEntry>) -> aws::PutEventsResponse {
        self.call::<aws::PutEvents>(aws::PutEventsRequest { entries, endpoint_id: None }).await.unwrap()
    }

    /// Waits until so many calls were made, and takes them.
    async fn delivered(&self, count: usize) -> Vec<(String, Value)> {
        until("everything is delivered", async || self.delivered.lock().unwrap().len() >= count).await;
        let delivered = std::mem::take(&mut *self.delivered.lock().unwrap());
        assert_eq!(delivered.len(), count, "{delivered:?}");
        delivered
    }
}

fn entry(detail: &Value) -> aws::PutEventsRequestEntry {
    aws::PutEventsRequestEntry {
        source: Some("shop".into()),
        detail_type: Some("Order".into()),
        detail: Some(detail.to_string()),
        ..Default::default()
    }
}

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

#[track_caller]
fn refused<T>(answer: Result<T, Fault>) -> String {
    match answer {
        Ok(_) => panic!("this is refused"),
        Err(fault) => format!("{}: {}", fault.code, fault.message),
    }
}

/// Asks again and again until it is so.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    let start = std::time::Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}
