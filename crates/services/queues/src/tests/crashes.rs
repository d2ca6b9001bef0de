//! What is left when the service is started anew over the same folder, and what a store that refuses leaves undone.

use std::sync::Arc;

use base::{ByteSize, Clock};
use jiff::Timestamp;
use store::{Key, Location, Options, Store};

use super::{Bench, NOW, message, refused};

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

#[tokio::test]
async fn a_full_disk_refuses_sends_and_lets_deletes_through() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
    let open = |reserve: Option<u64>| {
        let options = Options::new(Location::Embedded(folder.path().to_owned()), clock.clone());
        let disk_reserve = reserve.map_or(options.disk_reserve, ByteSize);
        Store::open(Options { disk_reserve, ..options }).unwrap()
    };
    let bench = Bench::over(open(None), clock.clone(), Arc::clone(&hand)).await;
    let url = bench.create("jobs", &[]).await;
    bench.send(&url, "one").await;
    bench.send(&url, "two").await;
    let held = bench.receive(&url, 1).await.remove(0);
    assert!(bench.queues.close(super::PATIENCE).await);
    bench.store.clone().close().await;
    drop(bench);

    // A store that wants more room than there is tells how much there is.
    let store = open(Some(u64::MAX));
    let full = store
        .transact(|tx| async move {
            tx.put(Key::new("probe"), "x");
            Ok::<_, store::Error>(())
        })
        .await;
    let Err(store::Error::DiskFull { free, .. }) = full else { panic!("refused for lack of room, not {full:?}") };
    store.close().await;

    let bench = Bench::over(open(Some(free.bytes().saturating_mul(2))), clock.clone(), hand).await;
    let refusal = refused(bench.try_send(message(&url, "three")).await);
    assert!(refusal.starts_with("ServiceUnavailableException: "), "{refusal}");
    assert_eq!(bench.counts(&url).await, [1, 1, 0], "what was refused is not there");
    bench.delete(&url, &held).await.unwrap();
    assert_eq!(bench.counts(&url).await, [1, 0, 0]);
    assert!(bench.queues.close(super::PATIENCE).await);
    bench.store.close().await;
}
