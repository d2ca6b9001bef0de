//! The service as its callers see it, over a store in memory and a clock that stands until it is moved.

mod backups;
mod bank;
mod capacity;
mod exports;
mod expressions;
mod growing;
mod imports;
mod items;
mod legacy;
mod limits;
mod model;
mod moments;
mod particulars;
mod reads;
mod refusals;
mod rights;
mod selects;
mod settings;
mod shelf;
mod statements;
mod streams;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Random};
use contract::{AccountId, Call, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use dispatch::Dispatch;
use jiff::Timestamp;
use serde_json::Value;
use store::{Blobs, Store};
use wire::StaticShape;
use wire::dynamodb as aws;

use self::shelf::Shelf;
use crate::{Deps, Tables};

/// 2026-11-21, 12:00:00 UTC.
const NOW: i64 = 1_795_262_400_000;

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    tables: Arc<Tables>,
    store: Store,
    blobs: Blobs,
    clock: Clock,
    hand: Arc<ManualClock>,
    shelf: Arc<Shelf>,
    /// Kept, so that there is a road.
    _dispatch: Dispatch,
    call: Call,
}

impl Bench {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        Self::over(Store::memory(clock.clone()), Blobs::memory(clock.clone()), Arc::default(), clock, hand).await
    }

    async fn over(store: Store, blobs: Blobs, shelf: Arc<Shelf>, clock: Clock, hand: Arc<ManualClock>) -> Self {
        let random = Random::system();
        let dispatch = shelf::road(&shelf, &clock, &random);
        let deps = Deps {
            store: store.clone(),
            blobs: blobs.clone(),
            dispatch: dispatch.within(),
            clock: clock.clone(),
            random: random.clone(),
        };
        let tables = Tables::open(deps).await.unwrap();
        *shelf.tables.lock().unwrap() = Arc::downgrade(&tables);
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
        Self { tables, store, blobs, clock, hand, shelf, _dispatch: dispatch, call }
    }

    /// The service is ended and started again over the same store.
    async fn again(self) -> Self {
        assert!(self.tables.close(PATIENCE).await, "what runs by itself ends");
        Self::over(self.store, self.blobs, self.shelf, self.clock, self.hand).await
    }

    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    /// Calls an operation as the wire would: a document in, a document out.
    async fn try_call<Op: Operation>(&self, input: Value) -> Result<Value, Fault>
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        let mut shape = Op::Input::default();
        wire::document::read_into(&mut shape, input).expect("the test's input is of the operation's shape");
        let output = Handle::<Op>::handle(&*self.tables, &self.call, shape).await?;
        Ok(wire::document::write(&output))
    }

    async fn call<Op: Operation>(&self, input: Value) -> Value
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        self.try_call::<Op>(input).await.unwrap()
    }

    /// The refusal's code and words.
    async fn refused<Op: Operation>(&self, input: Value) -> (String, String)
    where
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        Tables: Handle<Op>,
    {
        let fault = self.try_call::<Op>(input.clone()).await;
        let fault = fault.expect_err(&format!("refused: {input}"));
        (fault.code, fault.message)
    }

    async fn describe(&self, name: &str) -> Value {
        self.call::<aws::DescribeTable>(serde_json::json!({"TableName": name})).await["Table"].clone()
    }
}
