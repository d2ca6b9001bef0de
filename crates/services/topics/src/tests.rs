//! The service as its callers see it, over a store in memory and a clock that stands until it is moved; what it delivers is called on a
//! toy that remembers.

mod fifo;
mod filters;
mod people;
mod permissions;
mod publishing;
mod subscriptions;
mod topics;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, ManualClock, Random};
use contract::{
    AccountId, BoxFuture, Call, Caller, Document, Fault, Handle, Operation, OperationId, Origin, Principal, Region,
    Trace,
};
use delivery::{Deliveries, Limits, Reach};
use jiff::Timestamp;
use serde_json::Value;
use store::Store;
use wire::sns as aws;

use crate::{Deps, Topics};

/// 2026-11-21, 12:00:00 UTC.
const NOW: i64 = 1_795_262_400_000;

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// Remembers what was called.
#[derive(Default)]
struct World(Mutex<Vec<(String, Document)>>);

impl World {
    fn calls(&self) -> Vec<(String, Document)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Caller for World {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            assert!(matches!(call.principal, Principal::Service { name: "sns.amazonaws.com", .. }));
            let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push((operation.to_string(), input));
            Ok(Value::Null)
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        match (service, name) {
            ("sqs", "SendMessage") => Ok(OperationId { service: "sqs", name: "SendMessage" }),
            ("lambda", "Invoke") => Ok(OperationId { service: "lambda", name: "Invoke" }),
            _ => Err(Fault::unserved(service, name)),
        }
    }
}

struct Bench {
    topics: Arc<Topics>,
    store: Store,
    clock: Clock,
    hand: Arc<ManualClock>,
    call: Call,
    world: Arc<World>,
    deliveries: Deliveries,
}

impl Bench {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        Self::over(Store::memory(clock.clone()), clock, hand).await
    }

    async fn over(store: Store, clock: Clock, hand: Arc<ManualClock>) -> Self {
        let random = Random::system();
        let deps = Deps { store: store.clone(), clock: clock.clone(), random: random.clone(), mail: None };
        let topics = Topics::open(deps).await.unwrap();
        let world = Arc::<World>::default();
        let deliveries = Deliveries::start(delivery::Deps {
            store: store.clone(),
            caller: Arc::clone(&world) as _,
            clock: clock.clone(),
            random: random.clone(),
            limits: Limits::default(),
            reach: Reach::Everything,
            carriers: Vec::new(),
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
        Self { topics, store, clock, hand, call, world, deliveries }
    }

    /// The service is ended and started again over the same store.
    async fn again(self) -> Self {
        assert!(self.deliveries.shut_down(PATIENCE).await, "deliveries end");
        assert!(self.topics.close(PATIENCE).await, "tasks end");
        Self::over(self.store, self.clock, self.hand).await
    }

    async fn call<Op: Operation>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Topics: Handle<Op>,
    {
        Handle::<Op>::handle(&*self.topics, &self.call, input).await
    }

    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    async fn try_create(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String, Fault> {
        let input =
            aws::CreateTopicInput { name: name.into(), attributes: Some(map(attributes)), ..Default::default() };
        Ok(self.call::<aws::CreateTopic>(input).await?.topic_arn.unwrap())
    }

    async fn create(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        self.try_create(name, attributes).await.unwrap()
    }

    async fn try_subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, Fault> {
        let input = aws::SubscribeInput {
            topic_arn: topic.into(),
            protocol: protocol.into(),
            endpoint: Some(endpoint.into()),
            attributes: Some(map(attributes)),
            return_subscription_arn: Some(true),
        };
        Ok(self.call::<aws::Subscribe>(input).await?.subscription_arn.unwrap())
    }

    async fn subscribe(&self, topic: &str, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> String {
        self.try_subscribe(topic, protocol, endpoint, attributes).await.unwrap()
    }

    async fn try_publish(&self, input: aws::PublishInput) -> Result<aws::PublishResponse, Fault> {
        self.call::<aws::Publish>(input).await
    }

    async fn publish(&self, topic: &str, message: &str) -> aws::PublishResponse {
        self.try_publish(to(topic, message)).await.unwrap()
    }

    async fn topic_attributes(&self, arn: &str) -> std::collections::BTreeMap<String, String> {
        let input = aws::GetTopicAttributesInput { topic_arn: arn.into() };
        self.call::<aws::GetTopicAttributes>(input).await.unwrap().attributes.unwrap()
    }

    /// What was delivered by calls, when there are so many.
    async fn delivered(&self, count: usize) -> Vec<(String, Document)> {
        until(&format!("{count} deliveries are there"), async || self.world.calls().len() >= count).await;
        self.world.calls()
    }

    async fn letters(&self) -> Vec<crate::Letter> {
        self.topics.outbox(None, 100).await.unwrap().letters
    }

    /// How many keys there are in the whole store.
    async fn keys(&self) -> Vec<String> {
        let page = self.store.snapshot().scan(store::Range::all(), store::Scan::first(10_000)).await.unwrap();
        page.items.iter().map(|(key, _)| key.to_string()).collect()
    }
}

fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn to(topic: &str, message: &str) -> aws::PublishInput {
    aws::PublishInput { topic_arn: Some(topic.into()), message: message.into(), ..Default::default() }
}

fn text(value: &str) -> aws::MessageAttributeValue {
    aws::MessageAttributeValue { data_type: "String".into(), string_value: Some(value.into()), binary_value: None }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Fault>) -> String {
    let fault = answer.expect_err("this is refused");
    format!("{}: {}", fault.code, fault.message)
}

/// Asks again and again until it is so.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    let start = std::time::Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}
