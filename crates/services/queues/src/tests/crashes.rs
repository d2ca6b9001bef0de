//! What is left when the service ends between any two commits: a store that refuses, and one that is opened again.

use std::sync::Arc;

use base::Clock;
use jiff::Timestamp;
use store::{Location, Options, Store};

use super::{Bench, NOW};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_store_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
    let open = || Store::open(Options::new(Location::Embedded(folder.path().to_owned()), clock.clone())).unwrap();
    let bench = Bench::over(open(), clock.clone(), Arc::clone(&hand)).await;
    let url = bench.create("jobs", &[]).await;
    for number in 0..30 {
        bench.send(&url, &number.to_string()).await;
    }
    let held = bench.receive(&url, 10).await;
    for message in &held[..5] {
        bench.delete(&url, message).await.unwrap();
    }
    let last = bench.send(&url, "last").await;
    assert!(bench.queues.close(super::PATIENCE).await);
    let Bench { queues, store, .. } = bench;
    drop(queues);
    store.close().await;

    let bench = Bench::over(open(), clock.clone(), hand).await;
    assert_eq!(bench.counts(&url).await, [21, 5, 0], "in flight is still in flight, deleted is still deleted");
    bench.delete(&url, &held[5]).await.unwrap();
    bench.pass(30);
    let mut seen = Vec::new();
    loop {
        let found = bench.receive(&url, 10).await;
        if found.is_empty() {
            break;
        }
        seen.extend(found.into_iter().map(|message| (message.message_id, message.body.unwrap())));
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.contains(&(last.message_id, "last".to_owned())));
    let mut numbers: Vec<u32> = seen.iter().filter_map(|(_, body)| body.parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (6..30).collect::<Vec<_>>());
    bench.store.close().await;
}
