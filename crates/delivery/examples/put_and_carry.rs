//! How long it takes from a put to its carrier, and how many deliveries a second go through, with durable commits on the embedded store
//! in a temporary folder. Run it with `cargo run --release -p delivery --example put_and_carry`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{Clock, Random};
use bytes::Bytes;
use contract::{AccountId, BoxFuture, Call, Caller, Document, Fault, OperationId, Region};
use delivery::{Carried, Carrier, Deliveries, Delivery, Deps, Ending, LaneId, Limits, Reach, Sender};
use futures_util::future::try_join_all;
use store::{Location, Options, Store};
use tokio::sync::Notify;

const PUTTERS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (clock, random) = (Clock::system(), Random::system());
    let store = Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone()))?;
    let bench =
        Arc::new(Bench { start: Instant::now(), waits: Mutex::default(), carried: 0.into(), all: Notify::new() });
    let engine = Deliveries::start(Deps {
        store: store.clone(),
        caller: Arc::new(Nobody),
        clock: clock.clone(),
        random: random.clone(),
        limits: Limits::default(),
        reach: Reach::World,
        carriers: vec![("bench", Arc::clone(&bench) as _)],
    })
    .await?;
    let sender =
        Sender::ticking(AccountId::ONLY, Region::default_one(), "http://localhost:4566".into(), &clock, &random);

    for _ in 0..2_000 {
        put(&store, &sender, &bench, "alone").await?;
    }
    bench.until(2_000).await;
    bench.tell("one after the other", Duration::ZERO);

    let (began, count) = (Instant::now(), AtomicUsize::new(0));
    let putters = (0..PUTTERS).map(|putter| {
        let (store, sender, bench, count) = (&store, &sender, &bench, &count);
        async move {
            while began.elapsed() < ROUND {
                put(store, sender, bench, &format!("lane-{}", putter % 16)).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, store::Error>(())
        }
    });
    try_join_all(putters).await?;
    bench.until(count.load(Ordering::Relaxed)).await;
    bench.tell(&format!("{PUTTERS} at once, 16 lanes"), began.elapsed());
    engine.shut_down(Duration::from_secs(10)).await;
    store.close().await;
    Ok(())
}

/// Puts a delivery that says when its commit was acknowledged, as near as can be told before.
async fn put(store: &Store, sender: &Sender, bench: &Bench, lane: &str) -> Result<(), store::Error> {
    let now = u64::try_from(bench.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let parcel = Bytes::copy_from_slice(&now.to_be_bytes());
    let delivery = &Delivery::new(sender.clone(), LaneId::any("bench", lane), "bench", parcel);
    store
        .transact(|tx| async move {
            delivery::put(&tx, delivery);
            Ok(())
        })
        .await
}

/// Takes the times.
struct Bench {
    start: Instant,
    waits: Mutex<Vec<u64>>,
    carried: AtomicUsize,
    all: Notify,
}

impl Carrier for Bench {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let then = carried.parcel[..].try_into().map_or(now, u64::from_be_bytes);
            self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(now.saturating_sub(then));
            self.carried.fetch_add(1, Ordering::AcqRel);
            self.all.notify_one();
            Ending::DELIVERED
        })
    }
}

impl Bench {
    async fn until(&self, count: usize) {
        while self.carried.load(Ordering::Acquire) < count {
            self.all.notified().await;
        }
    }

    fn tell(&self, what: &str, took: Duration) {
        let mut waits = std::mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner));
        self.carried.store(0, Ordering::Release);
        waits.sort_unstable();
        let at = |share: usize| waits.get(waits.len() * share / 100).map_or(0.0, |ns| *ns as f64 / 1e6);
        let rate = match took.as_secs_f64() {
            0.0 => String::new(),
            seconds => format!(", {:.0} deliveries/s", waits.len() as f64 / seconds),
        };
        println!("{what}: commit and carry p50 {:.2} ms, p99 {:.2} ms{rate}", at(50), at(99));
    }
}

/// Nothing is called here.
struct Nobody;

impl Caller for Nobody {
    fn call<'a>(&'a self, id: OperationId, _: &'a Call, _: Document) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move { Err(Fault::unserved(id.service, id.name)) })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        Err(Fault::unserved(service, name))
    }
}
