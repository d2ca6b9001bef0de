//! A full disk: putting a blob is refused clearly, what was half-written goes at once, and with room made it works
//! again. Skipped, with a word, where no small disk can be mounted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base::{ByteSize, Clock};
use futures_util::stream;
use jiff::Timestamp;
use store::{Blobs, Error, Store};

use crate::blobs::random_bytes;

const DISK: u64 = 24 << 20;

/// A file system of 24 MiB, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn new(folder: &Path) -> Result<Self, String> {
        let small = Self(folder.join("small"));
        std::fs::create_dir(&small.0).map_err(|error| error.to_string())?;
        let options = format!("size={DISK}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&small.0);
        let output = mount.output().map_err(|error| format!("mount: {error}"))?;
        match output.status.success() {
            true => Ok(small),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    fn free(&self) -> u64 {
        rustix::fs::statvfs(&self.0).map(|disk| disk.f_bavail * disk.f_frsize).unwrap()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Fails where it was never mounted, which is as well.
        drop(Command::new("umount").arg(&self.0).output());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    for reserve in [ByteSize(0), ByteSize::mib(4)] {
        let folder = tempfile::tempdir().unwrap();
        match Small::new(folder.path()) {
            Ok(small) => fill(&small, reserve).await,
            Err(missing) => println!("skipped: no disk to fill here: {missing}"),
        }
    }
}

async fn fill(small: &Small, reserve: ByteSize) {
    let (clock, hand) = Clock::manual(Timestamp::from_second(1_000_000).unwrap());
    let blobs = Blobs::open_with_reserve(&small.0.join("blobs"), clock.clone(), reserve).unwrap();
    let store = Store::memory(clock);
    let kept = random_bytes(1, 6 << 20);
    let id = blobs.put(kept.clone()).await.unwrap().id;
    let free = small.free();
    let pieces = |mib: u64| stream::iter((0..mib).map(|number| Ok(random_bytes(number, 1 << 20))));
    // One that never fits, then one at a time until none does.
    let error = blobs.put_stream(pieces(40), ByteSize::gib(1)).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { reserve: found, .. } if found == reserve), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(blobs_left(&small.0), 1);
    assert!(small.free() + (1 << 16) >= free, "{} are free of {free}", small.free());
    let mut number = 100;
    let error = loop {
        match blobs.put(random_bytes(number, 1 << 20)).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(number > 105, "{number}");
    assert!(small.free() >= reserve.bytes());
    // Reading and removing go on, and then writing does.
    assert_eq!(blobs.read(id, ..).await.unwrap(), kept);
    hand.advance(Duration::from_secs(1));
    assert!(blobs.sweep(&store, Duration::ZERO).await.unwrap().removed > 5);
    assert!(blobs.put(random_bytes(7, 1 << 20)).await.is_ok());
}

/// Blobs with a name; there is nothing else, half-written or not.
fn blobs_left(folder: &Path) -> usize {
    let blobs = folder.join("blobs");
    assert_eq!(blobs.join("tmp").read_dir().unwrap().count(), 0);
    let folders = blobs.read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.file_name().len() == 2);
    folders.map(|entry| entry.path().read_dir().unwrap().count()).sum()
}
