//! Blobs, on disk, in memory and in a bucket.

use std::sync::Arc;
use std::time::Duration;

use base::{ByteSize, Clock, ManualClock, Random};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use store::{BlobId, Blobs, Bucket, Error, Key, OpenError, Store, Stored, Swept};
use tempfile::TempDir;

use crate::fixture::{soon, together};
use crate::timed_bucket::TimedBucket;

/// Blobs of all kinds, each with a store, a clock, and a folder that may stay empty.
async fn kinds() -> Vec<(Blobs, Store, Arc<ManualClock>, TempDir)> {
    let begin = || {
        let (clock, hand) = Clock::manual(Timestamp::from_second(1_000_000).unwrap());
        (clock.clone(), Store::memory(clock), hand, tempfile::tempdir().unwrap())
    };
    let mut kinds = Vec::new();
    let (clock, store, hand, folder) = begin();
    kinds.push((Blobs::open(&folder.path().join("blobs"), clock).unwrap(), store, hand, folder));
    let (clock, store, hand, folder) = begin();
    kinds.push((Blobs::memory(clock), store, hand, folder));
    let (clock, store, hand, folder) = begin();
    let bucket = Bucket { store: TimedBucket::new(clock.clone()), prefix: "a/b".to_owned() };
    let blobs = Blobs::in_bucket(bucket, &folder.path().join("blobs"), clock, &Random::seeded(1)).await.unwrap();
    kinds.push((blobs, store, hand, folder));
    kinds
}

fn owner(name: &str) -> Key {
    Key::new("owner").with(name)
}

pub async fn retain(blobs: &Blobs, store: &Store, id: BlobId, name: &str) -> Result<(), Error> {
    store.transact(|tx| async move { blobs.retain(&tx, id, &owner(name)).await }).await
}

async fn release(blobs: &Blobs, store: &Store, id: BlobId, name: &str) {
    let release = store.transact(|tx| async move {
        blobs.release(&tx, id, &owner(name));
        Ok::<_, Error>(())
    });
    release.await.unwrap();
}

pub fn random_bytes(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    Random::seeded(seed).fill(&mut bytes);
    bytes.into()
}

#[tokio::test]
async fn what_was_put_is_read() {
    for (blobs, ..) in kinds().await {
        for len in [0, 1, 1_000, (256 << 10) - 1, 256 << 10, 1_000_000, 3 << 20, 9 << 20] {
            let bytes = random_bytes(len as u64, len);
            let stored = blobs.put(bytes.clone()).await.unwrap();
            assert_eq!((stored.id, stored.len), (BlobId::of(&bytes), len as u64));
            assert_eq!(blobs.len(stored.id).await.unwrap(), len as u64);
            assert_eq!(blobs.read(stored.id, ..).await.unwrap(), bytes);
            assert!(blobs.verify(stored.id).await.unwrap());
            let pieces: Vec<Bytes> = blobs.stream(stored.id, ..).await.unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), bytes);
        }
    }
}

#[tokio::test]
async fn parts_are_read() {
    for (blobs, ..) in kinds().await {
        let bytes = random_bytes(1, 2_600_000);
        let id = blobs.put(bytes.clone()).await.unwrap().id;
        for (start, end) in [
            (0, 0),
            (0, 1),
            (0, 65_536),
            (65_535, 65_537),
            (2_599_999, 2_600_000),
            (2_600_000, 2_600_000),
            (100, 2_599_000),
            (262_144, 1_310_720),
        ] {
            let expected = bytes.slice(start..end);
            let (start, end) = (start as u64, end as u64);
            assert_eq!(blobs.read(id, start..end).await.unwrap(), expected);
            let pieces: Vec<Bytes> = blobs.stream(id, start..end).await.unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), expected);
        }
        assert_eq!(blobs.read(id, 2_599_990..).await.unwrap(), bytes.slice(2_599_990..));
        assert_eq!(blobs.read(id, ..=9).await.unwrap(), bytes.slice(..10));
        let beyond = blobs.read(id, 5..2_600_001).await;
        assert!(matches!(beyond, Err(Error::BlobRange { start: 5, end: 2_600_001, len: 2_600_000 })));
        let backwards = std::ops::Range { start: 7, end: 5 };
        assert!(matches!(blobs.read(id, backwards).await, Err(Error::BlobRange { .. })));
    }
}

#[tokio::test]
async fn streams_are_bounded_and_may_fail() {
    for (blobs, _, _, folder) in kinds().await {
        let pieces = || (0..20).map(|number| Ok(random_bytes(number, 50_000)));
        let stored = blobs.put_stream(stream::iter(pieces()), ByteSize(1_000_000)).await.unwrap();
        assert_eq!(stored.len, 1_000_000);
        let too_long = blobs.put_stream(stream::iter(pieces()), ByteSize(999_999)).await;
        assert!(matches!(too_long, Err(Error::BlobTooLong { limit: ByteSize(999_999) })));
        let broken = stream::iter(pieces()).chain(stream::iter([Err(std::io::Error::other("gone"))]));
        let broken = blobs.put_stream(broken, ByteSize::mib(10)).await;
        assert!(matches!(broken, Err(Error::BlobSource(_))));
        let temporary = folder.path().join("blobs/tmp");
        // A piece may still be on its way to the disk when its stream breaks; its file goes with it.
        soon("the temporary files go", async {
            while temporary.read_dir().is_ok_and(|mut files| files.next().is_some()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    for (blobs, store, ..) in kinds().await {
        let id = BlobId::of(b"never put");
        assert!(matches!(blobs.read(id, ..).await, Err(Error::BlobMissing(missing)) if missing == id));
        assert!(matches!(blobs.len(id).await, Err(Error::BlobMissing(_))));
        assert!(matches!(blobs.stream(id, ..).await.err(), Some(Error::BlobMissing(_))));
        assert!(matches!(blobs.verify(id).await, Err(Error::BlobMissing(_))));
        assert!(matches!(retain(&blobs, &store, id, "a").await, Err(Error::BlobMissing(_))));
        assert_eq!(store.sequence().number(), 0);
    }
}

#[tokio::test]
async fn a_folder_has_one_owner_and_forgets_what_was_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path(), Clock::system()).unwrap();
    let id = blobs.put("kept").await.unwrap().id;
    assert!(matches!(Blobs::open(folder.path(), Clock::system()), Err(OpenError::Locked { .. })));
    drop(blobs);
    std::fs::write(folder.path().join("tmp/7"), "half").unwrap();
    let blobs = Blobs::open(folder.path(), Clock::system()).unwrap();
    assert_eq!(folder.path().join("tmp").read_dir().unwrap().count(), 0);
    assert_eq!(blobs.read(id, ..).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_sweep_removes_what_nothing_refers_to() {
    const GRACE: Duration = Duration::from_secs(3_600);
    for (blobs, store, hand, _folder) in kinds().await {
        let put = async |text: &'static str| blobs.put(text).await.unwrap();
        let (kept, gone, held) = (put("kept").await.id, put("gone").await.id, put("held").await);
        retain(&blobs, &store, kept, "a").await.unwrap();
        retain(&blobs, &store, kept, "b").await.unwrap();
        hand.advance(GRACE);
        assert_eq!(blobs.sweep(&store, GRACE).await.unwrap(), Swept { kept: 3, ..Swept::default() });
        hand.advance(GRACE);
        let young = put("young").await.id;
        let swept = Swept { kept: 3, removed: 1, removed_bytes: 4 };
        assert_eq!(blobs.sweep(&store, GRACE).await.unwrap(), swept);
        assert!(matches!(blobs.read(gone, ..).await, Err(Error::BlobMissing(_))));
        for id in [kept, held.id, young] {
            assert!(blobs.verify(id).await.unwrap());
        }
        release(&blobs, &store, kept, "a").await;
        drop(held);
        // Put again: young again.
        put("held").await;
        assert_eq!(blobs.sweep(&store, GRACE).await.unwrap(), Swept { kept: 3, ..Swept::default() });
        release(&blobs, &store, kept, "b").await;
        hand.advance(GRACE * 2);
        assert_eq!(
            blobs.sweep(&store, GRACE).await.unwrap(),
            Swept { removed: 3, removed_bytes: 13, ..Swept::default() }
        );
    }
}

#[tokio::test]
async fn an_owner_with_a_long_key_refers_too() {
    for (blobs, store, hand, _folder) in kinds().await {
        let stored = blobs.put("a").await.unwrap();
        let id = stored.id;
        let long = "x\0".repeat(1_200);
        retain(&blobs, &store, id, &long).await.unwrap();
        drop(stored);
        hand.advance(Duration::from_secs(10));
        assert_eq!(blobs.sweep(&store, Duration::ZERO).await.unwrap().kept, 1);
        release(&blobs, &store, id, &long).await;
        assert_eq!(blobs.sweep(&store, Duration::ZERO).await.unwrap().removed, 1);
    }
}

/// Owners put, refer, copy references and release, sweeps without any grace run all the time, and time flies: what is
/// referred to is there at every moment, and in the end nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_never_take_what_is_in_use() {
    const TASKS: u64 = 6;
    for (blobs, store, hand, _folder) in kinds().await {
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let sweeper = {
            let (blobs, store, done) = (blobs.clone(), store.clone(), Arc::clone(&done));
            let sweeping = async move {
                let mut removed = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    hand.advance(Duration::from_millis(5));
                    removed += blobs.sweep(&store, Duration::ZERO).await.unwrap().removed;
                    tokio::task::yield_now().await;
                }
                hand.advance(Duration::from_millis(5));
                removed + blobs.sweep(&store, Duration::ZERO).await.unwrap().removed
            };
            tokio::task::JoinSet::from_iter([sweeping])
        };
        let kept = together((0..TASKS).map(|task| use_blobs(blobs.clone(), store.clone(), task))).await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let removed: u64 = soon("the sweeper ends", sweeper.join_all()).await.into_iter().sum();
        assert!(removed >= TASKS, "{removed}");
        let mut kept: Vec<BlobId> = kept.into_iter().flatten().collect();
        kept.sort();
        kept.dedup();
        for id in &kept {
            assert!(blobs.verify(*id).await.unwrap());
        }
        let swept = blobs.sweep(&store, Duration::ZERO).await.unwrap();
        assert_eq!(swept, Swept { kept: kept.len() as u64, ..Swept::default() });
    }
}

/// Returns what it still refers to.
async fn use_blobs(blobs: Blobs, store: Store, task: u64) -> Vec<BlobId> {
    let random = Random::seeded(task);
    // Never referred to.
    blobs.put(format!("only {task}")).await.unwrap();
    let mut mine: Vec<(BlobId, String)> = Vec::new();
    for count in 0..60 {
        let name = format!("{task}-{count}");
        match random.below(4) {
            // The same few contents by all tasks, so that one puts what another lets go.
            0 | 1 => {
                let stored: Stored = blobs.put(random_bytes(random.below(6), 500)).await.unwrap();
                retain(&blobs, &store, stored.id, &name).await.unwrap();
                mine.push((stored.id, name));
            }
            2 => {
                if let Some((id, _)) = mine.last() {
                    let id = *id;
                    retain(&blobs, &store, id, &name).await.unwrap();
                    mine.push((id, name));
                }
            }
            _ => {
                if !mine.is_empty() {
                    let (id, name) = mine.swap_remove(random.below(mine.len() as u64) as usize);
                    release(&blobs, &store, id, &name).await;
                }
            }
        }
        for (id, _) in &mine {
            assert!(blobs.verify(*id).await.unwrap(), "a blob that is referred to is gone");
        }
    }
    mine.into_iter().map(|(id, _)| id).collect()
}
