//! Kill it in the middle of putting blobs: what was acknowledged is there, and whatever has a blob's name is that blob.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use base::{ByteSize, Clock, Random};
use bytes::Bytes;
use futures_util::stream;
use store::{BlobId, Blobs};

use crate::load::rounds;

const FOLDER: &str = "FREEHOLD_BLOB_CRASH_FOLDER";
const ROUND: &str = "FREEHOLD_BLOB_CRASH_ROUND";

#[test]
fn blobs_survive_kills() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return put_for_ever(Path::new(&folder), std::env::var(ROUND).unwrap().parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..rounds(20).min(40) {
        let acks = put_until_killed(folder.path(), round);
        acknowledged += acks.len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(folder.path(), &acks));
    }
    println!("{acknowledged} blobs acknowledged, all there");
}

fn put_until_killed(folder: &Path, round: u64) -> Vec<BlobId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["blob_crash::blobs_survive_kills", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acks = lines.filter_map(|line| line.ok()?.strip_prefix("blob ")?.parse::<BlobId>().ok());
    let mut seen: Vec<BlobId> = acks.by_ref().take(1 + round as usize % 15).collect();
    child.kill().unwrap();
    seen.extend(acks);
    child.wait().unwrap();
    assert!(!seen.is_empty(), "the process ended by itself");
    seen
}

/// Every file with a blob's name is whole, every acknowledged blob is among them, and nothing half-written is left.
async fn check(folder: &Path, acks: &[BlobId]) {
    let blobs = Blobs::open(folder, Clock::system()).unwrap();
    assert_eq!(folder.join("tmp").read_dir().unwrap().count(), 0);
    for id in acks {
        assert!(blobs.verify(*id).await.unwrap(), "an acknowledged blob is not whole");
    }
    for first in folder.read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.file_name().len() == 2) {
        for rest in first.path().read_dir().unwrap().map(Result::unwrap) {
            let name = format!("{}{}", first.file_name().display(), rest.file_name().display());
            let name = name.strip_suffix(".1").expect("sealed blobs only");
            assert!(blobs.verify(name.parse().unwrap()).await.unwrap(), "{name} is visible and not whole");
            std::fs::remove_file(rest.path()).unwrap();
        }
    }
}

fn put_for_ever(folder: &Path, round: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let blobs = Blobs::open(folder, Clock::system()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let blobs = blobs.clone();
            tasks.spawn(async move {
                let random = Random::seeded(round * 8 + task);
                loop {
                    let mut bytes = vec![0; random.below(2 << 20) as usize];
                    random.fill(&mut bytes);
                    let pieces = Bytes::from(bytes);
                    let pieces = (0..pieces.len())
                        .step_by(100_000)
                        .map(move |start| Ok(pieces.slice(start..pieces.len().min(start + 100_000))));
                    let stored = blobs.put_stream(stream::iter(pieces), ByteSize::mib(2)).await.unwrap();
                    std::io::stdout().write_all(format!("blob {}\n", stored.id).as_bytes()).unwrap();
                }
            });
        }
        tasks.join_all().await;
    });
}
