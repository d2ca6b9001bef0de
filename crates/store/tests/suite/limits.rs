//! Everything is bounded, and says so.

use std::time::Duration;

use base::{ByteSize, Clock};
use jiff::Timestamp;
use store::{Error, Key, Range, Record, Scan, Store, Transaction};

use crate::fixture::{Fixture, commit, get, over_all_drivers};

over_all_drivers! {
    what_is_too_large_is_refused_whole
    the_largest_of_all_is_kept
    pages_are_bounded_in_bytes
    a_snapshot_is_not_held_for_ever
    a_newer_record_is_refused
}

async fn refusal(store: &Store, write: impl Fn(&Transaction) + Send + Sync) -> String {
    let write = &write;
    let before = store.sequence();
    let result = store
        .transact(|tx| async move {
            tx.put(Key::new("witness"), "1");
            write(&tx);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(store.sequence(), before);
    assert_eq!(get(store, &Key::new("witness")).await, None);
    result.unwrap_err().to_string()
}

async fn what_is_too_large_is_refused_whole(fixture: Fixture) {
    let store = fixture.open();
    let long_key = || Key::new("k").with("x".repeat(2_600));
    let value = |bytes: usize| vec![0_u8; bytes];
    let key_text = "a key of 2606 bytes is longer than 2600; hash its tail with Key::with_digest";
    assert_eq!(refusal(&store, |tx| tx.put(long_key(), "")).await, key_text);
    assert_eq!(refusal(&store, |tx| tx.delete(long_key())).await, key_text);
    assert!(matches!(store.snapshot().get(&long_key()).await, Err(Error::KeyTooLong { bytes: 2_606, limit: 2_600 })));
    // An append needs room for its number.
    let nearly = || Key::new("k").with("x".repeat(2_590));
    assert!(refusal(&store, |tx| tx.append(nearly(), "")).await.contains("longer than 2600"));
    let value_text = "a value of 65537 bytes is longer than 65536; put it into a blob and store the blob's id";
    assert_eq!(refusal(&store, |tx| tx.put(Key::new("a"), value(65_537))).await, value_text);
    assert_eq!(refusal(&store, |tx| tx.append(Key::new("a"), value(65_537))).await, value_text);
    let many = |tx: &Transaction| (0..=50_000_u64).for_each(|number| tx.put(Key::new("a").with(number), ""));
    assert_eq!(refusal(&store, many).await, "a transaction with 50001 writes is larger than 50000; split it");
    let heavy = |tx: &Transaction| (0..300_u64).for_each(|number| tx.put(Key::new("a").with(number), value(65_536)));
    assert!(refusal(&store, heavy).await.contains("bytes is larger than 16777216; split it"));
}

async fn the_largest_of_all_is_kept(fixture: Fixture) {
    let store = fixture.open();
    let key = Key::new("k").with("x".repeat(2_600 - 6));
    assert_eq!(key.as_bytes().len(), Key::BYTES_MAX);
    let value = vec![7_u8; Transaction::VALUE_BYTES_MAX];
    commit(&store, |tx| tx.put(key.clone(), value.clone())).await;
    assert_eq!(get(&store, &key).await.unwrap(), value);
    assert_eq!(store.snapshot().scan(Range::prefix(&key), Scan::first(2)).await.unwrap().items.len(), 1);
    let hashed = Key::new("k").with_digest(&"x".repeat(10_000), 1_024);
    commit(&store, |tx| tx.put(hashed.clone(), "hashed")).await;
    assert_eq!(get(&store, &hashed).await.as_deref(), Some(&b"hashed"[..]));
}

async fn pages_are_bounded_in_bytes(fixture: Fixture) {
    let store = fixture.open();
    for half in 0..2_u64 {
        commit(&store, |tx| {
            (0..100_u64).for_each(|number| tx.put(Key::new("a").with(half).with(number), vec![0_u8; 60_000]));
        })
        .await;
    }
    let page = store.snapshot().scan(Range::all(), Scan::first(1_000)).await.unwrap();
    assert!((Scan::PAGE_BYTES_MAX / 60_000..100).contains(&page.items.len()), "{}", page.items.len());
    let (pages, items) = store
        .transact(|tx| async move {
            let (mut pages, mut items, mut rest) = (0, 0, Some(Range::all()));
            while let Some(range) = rest.take() {
                let page = tx.scan(range, Scan::last(1_000)).await?;
                (pages, items, rest) = (pages + 1, items + page.items.len(), page.rest);
            }
            Ok::<_, Error>((pages, items))
        })
        .await
        .unwrap();
    assert_eq!((pages, items), (3, 200));
}

async fn a_snapshot_is_not_held_for_ever(fixture: Fixture) {
    let (clock, hand) = Clock::manual(Timestamp::from_second(1_000).unwrap());
    let store = Store::open(fixture.options(clock)).unwrap();
    commit(&store, |tx| tx.put(Key::new("a"), "1")).await;
    let snapshot = store.snapshot();
    hand.advance(Duration::from_secs(60));
    assert!(snapshot.get(&Key::new("a")).await.is_ok());
    hand.advance(Duration::from_secs(1));
    assert!(matches!(snapshot.get(&Key::new("a")).await, Err(Error::Expired { .. })));
    assert!(matches!(snapshot.scan(Range::all(), Scan::first(1)).await, Err(Error::Expired { .. })));
    assert!(get(&store, &Key::new("a")).await.is_some());
    let hand = &hand;
    let slow = store.transact(|tx| async move {
        hand.advance(Duration::from_secs(61));
        tx.get(&Key::new("a")).await.map(drop)
    });
    assert!(matches!(slow.await, Err(Error::Expired { .. })));
}

#[derive(serde::Serialize, serde::Deserialize, Debug)]
struct Old {
    name: String,
}

impl Record for Old {
    const KIND: &'static str = "pet";
    const VERSION: u16 = 1;
}

#[derive(serde::Serialize, serde::Deserialize, Debug)]
struct New {
    name: String,
    legs: u32,
}

impl Record for New {
    const KIND: &'static str = "pet";
    const VERSION: u16 = 2;
}

async fn a_newer_record_is_refused(fixture: Fixture) {
    let store = fixture.open();
    let key = Key::new("pet").with("rex");
    commit(&store, |tx| tx.put_record(key.clone(), &New { name: "Rex".into(), legs: 4 })).await;
    let newer = store.snapshot().get_record::<Old>(&key).await;
    assert!(matches!(newer, Err(Error::Newer { kind: "pet", found: 2, supported: 1 })), "{newer:?}");
    let new = store.snapshot().get_record::<New>(&key).await.unwrap().unwrap();
    assert_eq!((new.name.as_str(), new.legs), ("Rex", 4));
}

/// The disk's reserve, seen from a store that reserves more than there is.
#[tokio::test]
async fn a_full_disk_is_refused_before_it_is_full() {
    for driver in [crate::fixture::Driver::Embedded, crate::fixture::Driver::Sqlite] {
        let fixture = Fixture::new(driver);
        let store = fixture.open();
        commit(&store, |tx| tx.put(Key::new("a"), "1")).await;
        store.close().await;

        let put = |tx: &Transaction| tx.put(Key::new("b"), "1");
        let disk = rustix::fs::statvfs(fixture.path()).unwrap();
        let free = disk.f_bavail * disk.f_frsize;
        let open = |reserve| {
            let reserve = ByteSize(reserve);
            Store::open(store::Options { disk_reserve: reserve, ..fixture.options(Clock::system()) }).unwrap()
        };
        let scarce = open(free * 2);
        let text = refusal(&scarce, put).await;
        assert!(text.starts_with("the disk is full: ") && text.ends_with("; make room and try again"), "{text}");
        commit(&scarce, |tx| tx.delete(Key::new("a"))).await;
        assert_eq!(get(&scarce, &Key::new("a")).await, None);
        scarce.close().await;

        let none = open(u64::MAX);
        assert!(refusal(&none, |tx| tx.delete(Key::new("witness"))).await.contains("the disk is full"));
        none.close().await;
    }
}
