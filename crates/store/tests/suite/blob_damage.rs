//! Blobs whose files were changed by something else: never wrong bytes, found by reading and by scrubbing, whole again
//! when they are put again.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{ByteSize, Clock, ManualClock};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use store::{BlobId, Blobs, Error, OpenError, Store};

use crate::blobs::{random_bytes, retain};
use crate::fixture::soon;

const NO_LIMIT: ByteSize = ByteSize(u64::MAX);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn path(folder: &Path, id: BlobId) -> PathBuf {
    let name = id.to_string();
    folder.join(&name[..2]).join(format!("{}.1", &name[2..]))
}

/// Turns one bit over, as a disk does.
fn damage(folder: &Path, id: BlobId, at: u64) {
    let path = path(folder, id);
    let mut mode = path.metadata().unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    std::fs::set_permissions(&path, mode).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

fn open(folder: &Path) -> (Blobs, Store, Arc<ManualClock>) {
    let (clock, hand) = Clock::manual(Timestamp::from_second(1_000_000).unwrap());
    (Blobs::open(folder, clock.clone()).unwrap(), Store::memory(clock), hand)
}

#[tokio::test]
async fn damaged_parts_are_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, ..) = open(folder.path());
    let bytes = random_bytes(1, 3_000_000);
    let id = blobs.put(bytes.clone()).await.unwrap().id;
    damage(folder.path(), id, 2_000_000);
    // What is whole is read; what is not is not, by whatever way.
    assert_eq!(blobs.read(id, ..1_900_000).await.unwrap(), bytes.slice(..1_900_000));
    assert!(blobs.condition().damaged.is_empty());
    for range in [0..3_000_000, 1_999_999..2_000_000, 2_000_000..2_000_001] {
        let error = blobs.read(id, range.clone()).await.unwrap_err();
        assert!(matches!(&error, Error::BlobDamaged { id: found, .. } if *found == id), "{range:?}: {error}");
        assert!(error.to_string().contains("its bytes 1966080 to 2031616 are not what was written"), "{error}");
    }
    let mut pieces = blobs.stream(id, ..).await.unwrap();
    let mut read = Vec::new();
    let end = loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(end, Some(Error::BlobDamaged { .. })), "{end:?}");
    assert_eq!(read, bytes.slice(..read.len()));
    assert!(!blobs.verify(id).await.unwrap());
    let known: Vec<BlobId> = blobs.condition().damaged.iter().map(|damage| damage.id).collect();
    assert_eq!(known, [id]);
    // Put again, it is whole again.
    blobs.put(bytes.clone()).await.unwrap();
    assert!(blobs.condition().damaged.is_empty());
    assert_eq!(blobs.read(id, ..).await.unwrap(), bytes);
}

#[tokio::test]
async fn whatever_happens_to_a_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, ..) = open(folder.path());
    let (id, other) = (blobs.put("some bytes").await.unwrap().id, blobs.put("other bytes").await.unwrap().id);
    let path = path(folder.path(), id);
    assert!(path.metadata().unwrap().permissions().readonly());
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.starts_with(b"some bytes"));
    let longer = [&whole[..], b"\0"].concat();
    let another = std::fs::read(self::path(folder.path(), other)).unwrap();
    for (what, content) in
        [("cut", &whole[..whole.len() - 1]), ("empty", b""), ("longer", &longer), ("another blob", &another)]
    {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        assert!(matches!(blobs.read(id, ..).await, Err(Error::BlobDamaged { .. })), "{what}");
        assert!(matches!(blobs.len(id).await, Err(Error::BlobDamaged { .. })), "{what}");
        assert!(!blobs.verify(id).await.unwrap(), "{what}");
    }
    assert_eq!(blobs.read(other, ..).await.unwrap(), "other bytes");
}

#[tokio::test]
async fn what_an_older_version_wrote_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, store, hand) = open(folder.path());
    let (bytes, odd) = (random_bytes(1, 700_000), BlobId::of(b"was once whole"));
    let id = BlobId::of(&bytes);
    let bare = |id: BlobId| {
        let sealed = path(folder.path(), id);
        std::fs::create_dir_all(sealed.parent().unwrap()).unwrap();
        sealed.with_extension("")
    };
    std::fs::write(bare(id), &bytes).unwrap();
    std::fs::write(bare(odd), "is not now").unwrap();
    retain(&blobs, &store, id, "a").await.unwrap();
    assert_eq!(blobs.read(id, 300_000..300_005).await.unwrap(), bytes.slice(300_000..300_005));
    assert!(!bare(id).exists() && path(folder.path(), id).exists());
    assert!(blobs.verify(id).await.unwrap());
    assert!(matches!(blobs.read(odd, ..).await, Err(Error::BlobDamaged { .. })));
    assert!(bare(odd).exists());
    // Files have the machine's time, which is long after that of the clock here.
    hand.advance(Duration::from_secs(100 * 365 * 24 * 3600));
    let swept = blobs.sweep(&store, Duration::ZERO).await.unwrap();
    assert_eq!((swept.kept, swept.removed, swept.removed_bytes), (1, 1, 10));
    assert!(!bare(odd).exists());
}

#[tokio::test]
async fn a_scrub_finds_what_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, store, hand) = open(folder.path());
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(blobs.put(random_bytes(number, 100_000)).await.unwrap().id);
    }
    assert_eq!(blobs.scrub_due(&store, WEEK).await.unwrap(), Duration::ZERO);
    damage(folder.path(), ids[3], 99_999);
    damage(folder.path(), ids[7], 100_001);
    let condition = blobs.scrub(&store, NO_LIMIT).await.unwrap();
    let mut damaged = [ids[3], ids[7]];
    damaged.sort();
    assert_eq!(condition.damaged.iter().map(|damage| damage.id).collect::<Vec<_>>(), damaged);
    assert_eq!((condition.scrubbed.passes, condition.scrubbed.blobs), (1, 20));
    assert!(condition.scrubbed.bytes >= 18 * 100_000, "{condition:?}");
    hand.advance(WEEK / 7);
    assert_eq!(blobs.scrub_due(&store, WEEK).await.unwrap(), WEEK / 7 * 6);

    // Known after a restart, but for what is whole by then.
    drop(blobs);
    let clock = Clock::manual(Timestamp::from_second(1_000_000).unwrap()).0;
    let again = Blobs::open(folder.path(), clock).unwrap();
    again.put(random_bytes(3, 100_000)).await.unwrap();
    assert_eq!(again.scrub_due(&store, WEEK).await.unwrap(), WEEK);
    assert_eq!(again.condition().damaged.iter().map(|damage| damage.id).collect::<Vec<_>>(), [ids[7]]);
}

/// A pass takes its time by the clock, and one that is cut off goes on where it was.
#[tokio::test]
async fn a_scrub_is_slow_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, store, hand) = open(folder.path());
    for number in 0..10 {
        blobs.put(random_bytes(number, 1_000_000)).await.unwrap();
    }
    blobs.scrub_due(&store, WEEK).await.unwrap();
    // One blob in ten seconds.
    let pace = ByteSize(100_000);
    let mut pass = Box::pin(blobs.scrub(&store, pace));
    let some = soon("some were scrubbed", async {
        loop {
            tokio::select! {
                biased;
                ended = &mut pass => panic!("{ended:?} without any time"),
                () = tokio::task::yield_now() => {}
            }
            let seen = blobs.condition().scrubbed.blobs;
            if seen >= 4 {
                break seen;
            }
            hand.advance(Duration::from_millis(500));
        }
    });
    let some = some.await;
    drop(pass);
    assert!((4..10).contains(&some), "{some}");
    let condition = blobs.scrub(&store, NO_LIMIT).await.unwrap();
    assert_eq!((condition.scrubbed.passes, condition.scrubbed.blobs, condition.scrubbed.bytes), (1, 10, 10_000_000));
    // The next one begins at the beginning.
    let condition = blobs.scrub(&store, NO_LIMIT).await.unwrap();
    assert_eq!((condition.scrubbed.passes, condition.scrubbed.blobs), (2, 10));
}

#[tokio::test]
async fn blobs_in_memory_are_scrubbed_too() {
    let (blobs, store) = (Blobs::memory(Clock::system()), Store::memory(Clock::system()));
    blobs.put("a").await.unwrap();
    let condition = blobs.scrub(&store, NO_LIMIT).await.unwrap();
    assert_eq!((condition.scrubbed.blobs, condition.damaged.len()), (1, 0));
}

/// Not a folder of blobs at all: nothing is made in it.
#[test]
fn a_file_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(Blobs::open(&file, Clock::system()), Err(OpenError::Io { .. })));
}
