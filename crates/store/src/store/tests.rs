//! What a store does when its engine does not, and when its window is too small.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::Clock;

use super::Store;
use crate::driver::faulty::{Faulty, Mood, Moods};
use crate::driver::memory::Memory;
use crate::options::{Fatal, Location, Options};
use crate::window::Limits;
use crate::{Change, Error, Key, Range, Scan, Sequence, Transaction};

/// A store over a faulty driver, and the fatal reasons that it gave.
struct Fixture {
    store: Store,
    moods: Arc<Moods>,
    reasons: Arc<Mutex<Vec<Fatal>>>,
}

fn open(change: impl FnOnce(&mut Options)) -> Fixture {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let mut options = Options::new(Location::Memory, Clock::system());
    let heard = Arc::clone(&reasons);
    options.fatal = Arc::new(move |reason| heard.lock().unwrap().push(reason.clone()));
    change(&mut options);
    let (driver, moods) = Faulty::new();
    Fixture { store: Store::over(Arc::new(driver), Sequence::ZERO, options, Limits::PRODUCT), moods, reasons }
}

async fn put(store: &Store, name: &str) -> Result<(), Error> {
    let write = store.transact(|tx| async move {
        tx.put(Key::new("a").with(name), "1");
        Ok(())
    });
    soon(write).await
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it happens within a minute")
}

async fn has(store: &Store, name: &str) -> bool {
    store.snapshot().get(&Key::new("a").with(name)).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_ends_the_store_and_is_not_tried_again() {
    let Fixture { store, moods, reasons } = open(|_| {});
    put(&store, "before").await.unwrap();
    let mut watch = store.watch(Key::new("a"));
    moods.set(Mood::Broken);
    assert!(matches!(put(&store, "lost").await, Err(Error::Stopped)));
    moods.set(Mood::Well);
    assert!(matches!(put(&store, "late").await, Err(Error::Stopped)));
    assert_eq!(soon(watch.next()).await, Change::Closed);
    assert_eq!((has(&store, "before").await, has(&store, "lost").await), (true, false));
    soon(store.close()).await;
    assert_eq!(*reasons.lock().unwrap(), [Fatal::Write("the disk is gone".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_the_store() {
    let Fixture { store, moods, reasons } = open(|_| {});
    moods.set(Mood::Panicking);
    assert!(matches!(put(&store, "lost").await, Err(Error::Stopped)));
    assert!(matches!(put(&store, "late").await, Err(Error::Stopped)));
    soon(store.close()).await;
    assert_eq!(*reasons.lock().unwrap(), [Fatal::Panicked]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_goes_on() {
    let Fixture { store, moods, reasons } = open(|_| {});
    moods.set(Mood::Full);
    assert!(matches!(put(&store, "refused").await, Err(Error::DiskFull { .. })));
    moods.set(Mood::Well);
    put(&store, "after").await.unwrap();
    assert_eq!((has(&store, "refused").await, has(&store, "after").await), (false, true));
    // The refused one has left no number behind, and nothing to conflict with.
    assert_eq!(store.sequence(), Sequence::new(1));
    soon(store.close()).await;
    assert_eq!(*reasons.lock().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_engine_ends_the_store() {
    let Fixture { store, moods, reasons } = open(|options| options.stall_max = Duration::from_millis(100));
    moods.set(Mood::Hanging);
    let hanging = put(&store, "hanging");
    let watched = async {
        let mut watch = store.watch(Key::new("a"));
        soon(watch.next()).await
    };
    let queued = async {
        // Joins the queue behind the one that hangs, and is sent away when the store stops.
        while store.0.desk.busy_for().is_zero() {
            tokio::task::yield_now().await;
        }
        put(&store, "queued").await
    };
    let released = async {
        let change = watched.await;
        moods.set(Mood::Well);
        change
    };
    let (hanging, queued, change) = tokio::join!(hanging, queued, released);
    // What hung was done in the end, too late for anyone to rely on it.
    assert!(matches!(hanging, Ok(()) | Err(Error::Stopped)), "{hanging:?}");
    assert!(matches!(queued, Err(Error::Stopped)), "{queued:?}");
    assert_eq!(change, Change::Closed);
    assert!(matches!(put(&store, "late").await, Err(Error::Stopped)));
    soon(store.close()).await;
    assert!(matches!(reasons.lock().unwrap()[..], [Fatal::Stalled(_)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_busy() {
    let Fixture { store, moods, .. } = open(|options| {
        options.queue_max = 2;
        options.queue_patience = Duration::from_millis(50);
    });
    moods.set(Mood::Hanging);
    let outcomes = async {
        let mut set = tokio::task::JoinSet::new();
        for number in 0..6 {
            let store = store.clone();
            set.spawn(async move { put(&store, &number.to_string()).await });
        }
        // Whoever is in the writer's hands keeps a place until it is answered, so two fit in all.
        for _ in 0..4 {
            let outcome = set.join_next().await.unwrap().unwrap();
            assert!(matches!(outcome, Err(Error::Busy { queued: 2, .. })), "{outcome:?}");
        }
        moods.set(Mood::Well);
        set.join_all().await
    };
    let rest = soon(outcomes).await;
    assert!(rest.len() == 2 && rest.iter().all(Result::is_ok), "{rest:?}");
    assert_eq!(store.sequence(), Sequence::new(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_outlives_whoever_waits_for_it() {
    let Fixture { store, moods, .. } = open(|_| {});
    moods.set(Mood::Hanging);
    let mut waiting = tokio::task::JoinSet::new();
    let cut_off = store.clone();
    waiting.spawn(async move { put(&cut_off, "written").await });
    while store.0.desk.busy_for().is_zero() {
        tokio::task::yield_now().await;
    }
    waiting.shutdown().await;
    let mut watch = store.watch(Key::new("a"));
    moods.set(Mood::Well);
    assert!(matches!(soon(watch.next()).await, Change::Commit { .. }));
    assert!(has(&store, "written").await);
}

/// With a window of a few changes nearly every transaction is too old, and all is right nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_window_only_costs_tries() {
    let options = Options::new(Location::Memory, Clock::system());
    let limits = Limits { changes: 1, key_bytes: 1_000 };
    let store = Store::over(Arc::new(Memory::default()), Sequence::ZERO, options, limits);
    let mut set = tokio::task::JoinSet::new();
    for task in 0..8_u64 {
        let store = store.clone();
        set.spawn(async move {
            for _ in 0..25 {
                let add = store.transact(|tx| async move {
                    let key = Key::new("counter").with(task % 2);
                    let count = tx.get(&key).await?.map_or(0, |bytes| bytes.len());
                    tx.put(key, vec![0_u8; count + 1]);
                    // Enough to push everything older out of the window.
                    (0..200_u64).for_each(|number| tx.put(Key::new("filler").with(task).with(number), ""));
                    Ok::<_, Error>(())
                });
                add.await.unwrap();
            }
        });
    }
    soon(set.join_all()).await;
    for which in 0..2_u64 {
        let count = store.snapshot().get(&Key::new("counter").with(which)).await.unwrap().unwrap().len();
        assert_eq!(count, 100);
    }
}

/// What is too much leaves nothing behind, and the next one has its own room.
#[tokio::test]
async fn a_wide_transaction_holds_more_and_has_its_limit_too() {
    let store = Store::memory(Clock::system());
    let value = bytes::Bytes::from(vec![0; Transaction::VALUE_BYTES_MAX]);
    let write = async |is_wide: bool, bytes: usize| {
        let (store, value) = (&store, &value);
        let write = store.transact(|tx| async move {
            if is_wide {
                tx.widen();
            }
            for number in 0..bytes / Transaction::VALUE_BYTES_MAX {
                tx.put(Key::new("wide").with(number as u64), value.clone());
            }
            Ok::<_, Error>(())
        });
        soon(write).await
    };
    let too_large = |limit: usize| move |refused: Result<(), Error>| matches!(refused, Err(Error::TransactionTooLarge { what: "bytes", limit: found, .. }) if found == limit);
    let keys =
        async || store.snapshot().scan(Range::prefix(&Key::new("wide")), Scan::first(9)).await.unwrap().items.len();
    assert!(too_large(Transaction::BYTES_MAX)(write(false, Transaction::BYTES_MAX).await), "the keys count too");
    assert!(too_large(Transaction::BYTES_WIDE_MAX)(write(true, Transaction::BYTES_WIDE_MAX).await));
    assert_eq!(keys().await, 0);
    write(true, 2 * Transaction::BYTES_MAX).await.unwrap();
    assert_eq!(keys().await, 9);
    assert!(too_large(Transaction::BYTES_MAX)(write(false, 2 * Transaction::BYTES_MAX).await));
}
