//! The service as its callers see it, over a store in memory and a clock that stands until it is moved.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::store::{Blobs, Store, Transaction};
use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::{AccountId, Call, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use delivery::{Announcer, Fact, Sender};
use dispatch::{Dispatch, Limits, Metrics, OpenAuthority, Parts, Registry};
use jiff::Timestamp;
use serde_json::{Value, json};
use wire::{Payload, StaticShape, document, s3};

use crate::{Deps, Objects};

/// 2026-11-21, 12:00:00 UTC.
const NOW_MS: i64 = 1_795_262_400_000;

pub(super) struct Bench {
    pub(super) objects: Arc<Objects>,
    hand: Arc<ManualClock>,
    call: Call,
    bus: Arc<Bus>,
    /// Kept, so that there is a road.
    _dispatch: Dispatch,
}

/// What the bus was told.
#[derive(Default)]
struct Bus(Mutex<Vec<Fact>>);

impl Announcer for Bus {
    fn announce(&self, _tx: &Transaction, _sender: &Sender, fact: Fact) {
        self.0.lock().expect("nothing panics while it holds this lock").push(fact);
    }
}

impl Bench {
    /// With a bucket that is called `bucket`.
    pub(super) async fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW_MS).expect("a time"));
        let (random, bus) = (Random::seeded(5), Arc::new(Bus::default()));
        let registry = Registry::new(Parts {
            clock: clock.clone(),
            random: random.clone(),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
            authority: Arc::new(OpenAuthority),
            limits: Limits::default(),
        });
        let objects = Objects::new(Deps {
            store: Store::memory(clock.clone()),
            blobs: Blobs::memory(clock.clone()),
            clock: clock.clone(),
            random: random.clone(),
            key: [7; 32],
            dispatch: registry.dispatch(),
            announcer: Arc::clone(&bus) as _,
            base_url: "http://localhost:4566".into(),
        });
        let call = Call {
            id: random.uuid(),
            principal: Principal::Open { access_key: None },
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: Duration::MAX,
            trace: Trace::start(&clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        };
        let bench = Self { objects, hand, call, bus, _dispatch: registry.open() };
        bench.call::<s3::CreateBucket>(json!({ "Bucket": "bucket" })).await;
        let told = json!({ "EventBridgeConfiguration": {} });
        let input = json!({ "Bucket": "bucket", "NotificationConfiguration": told });
        bench.call::<s3::PutBucketNotificationConfiguration>(input).await;
        bench
    }

    /// What the bus was told since this was last asked: kind, key, reason.
    pub(super) fn told(&self) -> Vec<String> {
        let facts = std::mem::take(&mut *self.bus.0.lock().expect("nothing panics while it holds this lock"));
        let words = |fact: &Fact| {
            let mut reasons = ["reason", "source-storage-class", "destination-storage-class"].into_iter();
            let reason = reasons.find_map(|name| fact.detail[name].as_str());
            let key = fact.detail["object"]["key"].as_str().unwrap_or_default();
            format!("{}: {key}, {}", fact.detail_type, reason.unwrap_or_default())
        };
        facts.iter().map(words).collect()
    }

    pub(super) fn pass_days(&self, days: u64) {
        self.hand.advance(Duration::from_secs(days * 86_400));
    }

    /// Calls an operation as the wire would: a document in, a document out.
    pub(super) async fn try_call<Op: Operation>(&self, input: Value) -> Result<Value, Fault>
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Objects: Handle<Op>,
    {
        let mut shape = Op::Input::default();
        document::read_into(&mut shape, input).expect("the test's input is of the operation's shape");
        let output = Handle::<Op>::handle(&*self.objects, &self.call, shape).await?;
        Ok(document::write(&output))
    }

    pub(super) async fn call<Op: Operation>(&self, input: Value) -> Value
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Objects: Handle<Op>,
    {
        self.try_call::<Op>(input).await.expect("it is served")
    }

    /// The refusal's code.
    pub(super) async fn refused<Op: Operation>(&self, input: Value) -> String
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Objects: Handle<Op>,
    {
        self.try_call::<Op>(input).await.expect_err("it is refused").code
    }

    pub(super) async fn put(&self, key: &str, body: &'static str) -> s3::PutObjectOutput {
        let input = s3::PutObjectRequest {
            bucket: "bucket".into(),
            key: key.into(),
            body: Some(Payload::from(bytes::Bytes::from_static(body.as_bytes()))),
            ..s3::PutObjectRequest::default()
        };
        Handle::<s3::PutObject>::handle(&*self.objects, &self.call, input).await.expect("it is put")
    }

    pub(super) async fn upload_part(&self, key: &str, upload: &str, number: i32, body: &'static str) -> String {
        let input = s3::UploadPartRequest {
            bucket: "bucket".into(),
            key: key.into(),
            upload_id: upload.into(),
            part_number: number,
            body: Some(Payload::from(bytes::Bytes::from_static(body.as_bytes()))),
            ..s3::UploadPartRequest::default()
        };
        let put = Handle::<s3::UploadPart>::handle(&*self.objects, &self.call, input).await.expect("it is put");
        put.e_tag.expect("it has one")
    }
}
