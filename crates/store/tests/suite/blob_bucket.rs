//! Blobs in a bucket: what the suite of all kinds does not say of them.

use std::path::Path;
use std::sync::Arc;

use base::{Clock, Random};
use futures_util::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt};
use store::{Blobs, Bucket, Error, OpenError};

use crate::blobs::random_bytes;
use crate::timed_bucket::TimedBucket;

async fn open(bucket: &Arc<TimedBucket>, prefix: &str, spool: &Path, seed: u64) -> Result<Blobs, OpenError> {
    let bucket = Bucket { store: Arc::clone(bucket) as Arc<dyn ObjectStore>, prefix: prefix.to_owned() };
    Blobs::in_bucket(bucket, spool, Clock::system(), &Random::seeded(seed)).await
}

#[tokio::test]
async fn a_place_has_one_owner() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bucket = TimedBucket::new(Clock::system());
    let blobs = open(&bucket, "p", ours.path(), 1).await.unwrap();
    let id = blobs.put("kept").await.unwrap().id;
    assert!(matches!(open(&bucket, "p", ours.path(), 1).await, Err(OpenError::Locked { .. })));
    let refused = open(&bucket, "p", theirs.path(), 2).await.unwrap_err().to_string();
    assert!(refused.contains("the blobs of another node") && refused.contains("p/OWNER"), "{refused}");
    assert!(open(&bucket, "q", theirs.path(), 2).await.is_ok());
    drop(blobs);
    let again = open(&bucket, "p", ours.path(), 3).await.unwrap();
    assert_eq!(again.read(id, ..).await.unwrap(), "kept");
}

/// Whichever call fails, a put that is refused leaves nothing, one that is acknowledged is whole, and reading gives the
/// bytes or an error.
#[tokio::test]
async fn every_call_may_fail() {
    let bytes = random_bytes(1, (17 << 20) + 5);
    let mut refused = 0;
    for calls in 0.. {
        let spool = tempfile::tempdir().unwrap();
        let bucket = TimedBucket::new(Clock::system());
        let blobs = open(&bucket, "", spool.path(), 1).await.unwrap();
        bucket.fail_after(calls);
        match blobs.put(bytes.clone()).await {
            Err(error) => {
                assert!(matches!(error, Error::Bucket { .. }) && error.is_transient(), "{error:?}");
                assert_eq!(names(&bucket).await, ["OWNER"]);
                assert_eq!(spool.path().join("tmp").read_dir().unwrap().count(), 0);
                refused += 1;
            }
            Ok(stored) => {
                bucket.fail_after(u64::MAX);
                let read = async {
                    let pieces: Vec<_> = blobs.stream(stored.id, ..).await?.try_collect().await?;
                    Ok::<_, Error>(pieces.concat())
                };
                assert_eq!(read.await.unwrap(), bytes);
                break;
            }
        }
    }
    // The beginning, three parts, the end.
    assert_eq!(refused, 5);
}

#[tokio::test]
async fn reading_fails_clearly() {
    let spool = tempfile::tempdir().unwrap();
    let bucket = TimedBucket::new(Clock::system());
    let blobs = open(&bucket, "", spool.path(), 1).await.unwrap();
    let bytes = random_bytes(1, 9 << 20);
    let id = blobs.put(bytes.clone()).await.unwrap().id;
    for calls in 0..4 {
        bucket.fail_after(calls);
        let read = async { blobs.stream(id, ..).await?.try_collect::<Vec<_>>().await };
        assert!(matches!(read.await, Err(Error::Bucket { .. })), "{calls}");
    }
    bucket.fail_after(u64::MAX);
    assert!(blobs.condition().damaged.is_empty());
    assert_eq!(blobs.read(id, 100..8_000_000).await.unwrap(), bytes.slice(100..8_000_000));
}

#[tokio::test]
async fn damage_is_seen() {
    let spool = tempfile::tempdir().unwrap();
    let bucket = TimedBucket::new(Clock::system());
    let blobs = open(&bucket, "", spool.path(), 1).await.unwrap();
    for len in [1_000, 1 << 20] {
        let bytes = random_bytes(2, len);
        let id = blobs.put(bytes.clone()).await.unwrap().id;
        let name = id.to_string();
        let location = Location::from(format!("{}/{}.1", &name[..2], &name[2..]));
        let mut kept = bucket.inner().get(&location).await.unwrap().bytes().await.unwrap().to_vec();
        kept[999] ^= 1;
        bucket.inner().put(&location, kept.clone().into()).await.unwrap();
        assert!(matches!(blobs.read(id, ..).await, Err(Error::BlobDamaged { .. })));
        kept.truncate(500);
        bucket.inner().put(&location, kept.into()).await.unwrap();
        assert!(matches!(blobs.len(id).await, Err(Error::BlobDamaged { .. })));
        assert!(!blobs.verify(id).await.unwrap());
        assert_eq!(blobs.condition().damaged.len(), 1);
        blobs.put(bytes.clone()).await.unwrap();
        assert_eq!((blobs.read(id, ..).await.unwrap(), blobs.condition().damaged.len()), (bytes, 0));
    }
}

async fn names(bucket: &TimedBucket) -> Vec<String> {
    let found: Vec<_> = bucket.inner().list(None).try_collect().await.unwrap();
    found.into_iter().map(|found| found.location.to_string()).collect()
}
