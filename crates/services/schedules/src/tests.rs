//! The service as its callers see it, over a store in memory and a clock that stands until it is moved.

mod firing;
mod groups;
mod restarts;
mod schedules;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::{
    AccountId, BoxFuture, Call, Caller, Cause, Document, Fault, Handle, Operation, OperationId, Origin, Principal,
    Region, Trace,
};
use delivery::Deliveries;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use wire::scheduler as aws;

use crate::background::Round;
use crate::{Deps, Schedules};

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);
const ROLE: &str = "arn:aws:iam::000000000000:role/any";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

/// Who is called in the end: notes every call, and refuses those to queues that are called so.
#[derive(Default)]
struct World {
    calls: Mutex<Vec<Made>>,
}

/// A call that was made.
#[derive(Clone, Debug)]
struct Made {
    operation: String,
    input: Value,
    principal: Principal,
}

impl Caller for World {
    fn call<'a>(&'a self, id: OperationId, call: &'a Call, input: Document) -> BoxFuture<'a, Result<Document, Fault>> {
        let queue = input["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let made = Made { operation: id.to_string(), input, principal: call.principal.clone() };
        self.calls.lock().unwrap().push(made);
        Box::pin(async move {
            match queue.rsplit(':').next() {
                Some("missing") => Err(Fault::new(Cause::NotFound, "QueueDoesNotExist", "no such queue")),
                Some("busy") => Err(Fault::new(Cause::Throttled, "Throttling", "too much")),
                Some(_) | None => Ok(json!({})),
            }
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        let operation = wire::service(service).and_then(|service| service.operation(name));
        operation.filter(|found| found.is_served()).map(|found| found.id).ok_or_else(|| Fault::unserved(service, name))
    }
}

struct Bench {
    schedules: Arc<Schedules>,
    deliveries: Deliveries,
    world: Arc<World>,
    store: Store,
    clock: Clock,
    hand: Arc<ManualClock>,
    call: Call,
}

impl Bench {
    /// On this morning.
    async fn at(time: &str) -> Self {
        let (clock, hand) = Clock::manual(time.parse().unwrap());
        Self::over(Store::memory(clock.clone()), clock, hand, Arc::default()).await
    }

    async fn over(store: Store, clock: Clock, hand: Arc<ManualClock>, world: Arc<World>) -> Self {
        let random = Random::seeded(7);
        let schedules = Schedules::open(Deps {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            caller: Arc::clone(&world) as _,
            base_url: "http://localhost:4566".into(),
        });
        let deliveries = Deliveries::start(delivery::Deps {
            store: store.clone(),
            caller: Arc::clone(&world) as _,
            clock: clock.clone(),
            random: random.clone(),
            limits: delivery::Limits::default(),
            reach: delivery::Reach::Everything,
            carriers: vec![schedules.carrier()],
        })
        .await
        .unwrap();
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
        Self { schedules, deliveries, world, store, clock, hand, call }
    }

    /// The service is ended and started again over the same store.
    async fn again(self) -> Self {
        assert!(self.deliveries.shut_down(PATIENCE).await, "deliveries end");
        Self::over(self.store, self.clock, self.hand, self.world).await
    }

    async fn ask<Op: Operation>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Schedules: Handle<Op>,
    {
        Handle::<Op>::handle(&*self.schedules, &self.call, input).await
    }

    async fn create(&self, input: aws::CreateScheduleInput) -> Result<String, Fault> {
        Ok(self.ask::<aws::CreateSchedule>(input).await?.schedule_arn)
    }

    async fn get(&self, name: &str) -> Result<aws::GetScheduleOutput, Fault> {
        self.ask::<aws::GetSchedule>(aws::GetScheduleInput { name: name.into(), group_name: None }).await
    }

    /// Fires what is due now, as the clerk does, and answers when the next one is.
    async fn fire(&self) -> Option<i64> {
        self.fire_counted().await.1
    }

    async fn fire_counted(&self) -> (usize, Option<i64>) {
        *self.schedules.head_ms.lock().unwrap() = i64::MIN;
        let mut fired = 0;
        loop {
            match self.schedules.fire_some().await.unwrap() {
                Round::Fired { count } => fired += count,
                Round::Wait { next_ms } => return (fired, next_ms),
            }
        }
    }

    /// Goes from one time at which something is due to the next, until this time; waits each time for the calls, lest they become too
    /// old in a virtual moment.
    async fn run_until(&self, time: &str) {
        let (end_ms, mut calls) = (ms(time), self.world.calls.lock().unwrap().len());
        loop {
            let (fired, next_ms) = self.fire_counted().await;
            calls += fired;
            self.calls(calls).await;
            let now_ms = self.clock.now_ms();
            if now_ms >= end_ms {
                return;
            }
            let next_ms = next_ms.unwrap_or(end_ms).min(end_ms);
            self.hand.advance(Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap()));
        }
    }

    /// The calls once there are so many.
    async fn calls(&self, count: usize) -> Vec<Made> {
        let found = || self.world.calls.lock().unwrap().len();
        let wait = async {
            while found() < count {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{} calls of {count}", found());
        self.world.calls.lock().unwrap().clone()
    }

    /// The bodies of all messages that were sent, in order of their text.
    async fn bodies(&self, count: usize) -> Vec<String> {
        let calls = self.calls(count).await;
        let mut bodies: Vec<_> =
            calls.iter().map(|made| made.input["MessageBody"].as_str().unwrap_or_default().to_owned()).collect();
        bodies.sort();
        bodies
    }
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

/// A schedule that sends the time that it was due to a queue.
fn schedule(name: &str, expression: &str) -> aws::CreateScheduleInput {
    aws::CreateScheduleInput {
        name: name.into(),
        schedule_expression: expression.into(),
        flexible_time_window: aws::FlexibleTimeWindow {
            mode: aws::FlexibleTimeWindowMode::Off,
            maximum_window_in_minutes: None,
        },
        target: aws::Target {
            arn: QUEUE.into(),
            role_arn: ROLE.into(),
            input: Some(format!("{name} <aws.scheduler.scheduled-time>")),
            ..Default::default()
        },
        ..Default::default()
    }
}

#[track_caller]
fn refused<T>(answer: Result<T, Fault>, code: &str, message: &str) {
    let Err(fault) = answer else { panic!("it was not refused") };
    assert_eq!((fault.code.as_str(), fault.message.as_str()), (code, message));
}

/// Tasks of a test that starts what runs by itself.
fn tasks() -> Tasks {
    Tasks::new()
}
