//! The service as its callers see it, over a store in memory and a clock that stands until it is moved.

mod batches;
mod crashes;
mod dead_letters;
mod fifo;
mod messages;
mod model;
mod permissions;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Random};
use contract::{AccountId, Call, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use jiff::Timestamp;
use store::Store;
use wire::sqs as aws;

use crate::{Deps, Queues};

/// 2026-11-21, 12:00:00 UTC.
const NOW: i64 = 1_795_262_400_000;

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    queues: Arc<Queues>,
    store: Store,
    clock: Clock,
    hand: Arc<ManualClock>,
    call: Call,
}

impl Bench {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        Self::over(Store::memory(clock.clone()), clock, hand).await
    }

    async fn over(store: Store, clock: Clock, hand: Arc<ManualClock>) -> Self {
        let random = Random::system();
        let deps = Deps { store: store.clone(), clock: clock.clone(), random: random.clone() };
        let queues = Queues::open(deps).await.unwrap();
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
        Self { queues, store, clock, hand, call }
    }

    /// The service is ended and started again over the same store.
    async fn again(self) -> Self {
        assert!(self.queues.close(PATIENCE).await, "keepers end");
        Self::over(self.store, self.clock, self.hand).await
    }

    async fn call<Op: Operation>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Queues: Handle<Op>,
    {
        Handle::<Op>::handle(&*self.queues, &self.call, input).await
    }

    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    async fn try_create(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String, Fault> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let input =
            aws::CreateQueueRequest { queue_name: name.into(), attributes: Some(attributes), ..Default::default() };
        Ok(self.call::<aws::CreateQueue>(input).await?.queue_url.unwrap())
    }

    async fn create(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        self.try_create(name, attributes).await.unwrap()
    }

    async fn set(&self, url: &str, name: &str, value: &str) -> Result<(), Fault> {
        let attributes = [(name.to_owned(), value.to_owned())].into();
        let input = aws::SetQueueAttributesRequest { queue_url: url.into(), attributes };
        self.call::<aws::SetQueueAttributes>(input).await.map(|_| ())
    }

    async fn attribute(&self, url: &str, name: &str) -> Option<String> {
        let input =
            aws::GetQueueAttributesRequest { queue_url: url.into(), attribute_names: Some(vec![name.to_owned()]) };
        let attributes = self.call::<aws::GetQueueAttributes>(input).await.unwrap().attributes;
        attributes.and_then(|mut attributes| attributes.remove(name))
    }

    /// How many messages are visible, in flight, delayed.
    async fn counts(&self, url: &str) -> [u64; 3] {
        let mut counts = [0; 3];
        for (count, name) in counts.iter_mut().zip([
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]) {
            *count = self.attribute(url, name).await.unwrap().parse().unwrap();
        }
        counts
    }

    async fn send(&self, url: &str, body: &str) -> aws::SendMessageResult {
        self.try_send(message(url, body)).await.unwrap()
    }

    async fn try_send(&self, input: aws::SendMessageRequest) -> Result<aws::SendMessageResult, Fault> {
        self.call::<aws::SendMessage>(input).await
    }

    /// To a group, with a deduplication id.
    async fn send_to(&self, url: &str, group: &str, body: &str, id: &str) -> aws::SendMessageResult {
        self.try_send(aws::SendMessageRequest {
            message_group_id: Some(group.into()),
            message_deduplication_id: Some(id.into()),
            ..message(url, body)
        })
        .await
        .unwrap()
    }

    async fn try_receive(&self, input: aws::ReceiveMessageRequest) -> Result<Vec<aws::Message>, Fault> {
        Ok(self.call::<aws::ReceiveMessage>(input).await?.messages.unwrap_or_default())
    }

    async fn receive(&self, url: &str, most: i32) -> Vec<aws::Message> {
        self.try_receive(receive(url, most)).await.unwrap()
    }

    async fn bodies(&self, url: &str, most: i32) -> Vec<String> {
        self.receive(url, most).await.into_iter().map(|message| message.body.unwrap()).collect()
    }

    async fn delete(&self, url: &str, message: &aws::Message) -> Result<(), Fault> {
        let input = aws::DeleteMessageRequest {
            queue_url: url.into(),
            receipt_handle: message.receipt_handle.clone().unwrap(),
        };
        self.call::<aws::DeleteMessage>(input).await.map(|_| ())
    }

    async fn hide(&self, url: &str, message: &aws::Message, seconds: i32) -> Result<(), Fault> {
        let input = aws::ChangeMessageVisibilityRequest {
            queue_url: url.into(),
            receipt_handle: message.receipt_handle.clone().unwrap(),
            visibility_timeout: seconds,
        };
        self.call::<aws::ChangeMessageVisibility>(input).await.map(|_| ())
    }

    /// How many keys there are in the whole store.
    async fn keys(&self) -> Vec<String> {
        let mut rest = Some(store::Range::all());
        let mut keys = Vec::new();
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, store::Scan::first(1_000)).await.unwrap();
            keys.extend(page.items.iter().map(|(key, _)| key.to_string()));
            rest = page.rest;
        }
        keys
    }
}

fn message(url: &str, body: &str) -> aws::SendMessageRequest {
    aws::SendMessageRequest { queue_url: url.into(), message_body: body.into(), ..Default::default() }
}

fn receive(url: &str, most: i32) -> aws::ReceiveMessageRequest {
    aws::ReceiveMessageRequest {
        queue_url: url.into(),
        max_number_of_messages: Some(most),
        message_system_attribute_names: Some(vec!["All".into()]),
        message_attribute_names: Some(vec!["All".into()]),
        ..Default::default()
    }
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
