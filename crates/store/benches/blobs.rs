//! Bytes per second in and out of a folder of blobs, durable, side by side with what the parts of it cost alone.
//!
//! `cargo bench -p store --bench blobs [-- FOLDER]` (on the disk that matters; by default the temporary folder). Blobs of
//! 8 MiB are put in pieces of 64 KiB, as they come from a socket, and read as streams, by 1 and by 16 clients; what is
//! read comes from the machine's page cache.

use std::path::Path;
use std::time::{Duration, Instant};

use base::{ByteSize, Clock, Random};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use store::{BlobId, Blobs};

const BLOB: usize = 8 << 20;
const PIECE: usize = 64 << 10;
const RUN: Duration = Duration::from_secs(3);

fn main() {
    // `cargo test --benches` starts it too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("only measured by cargo bench");
    }
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written to");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let bytes = random(0);
    let id = BlobId::of(&bytes);
    report("SHA-256 of 8 MiB, one core", 20 * BLOB, timed(|| (0..20).for_each(|_| assert_eq!(BlobId::of(&bytes), id))));
    report("bare file of 8 MiB, written and synced", 20 * BLOB, timed(|| bare(folder.path(), &bytes)));
    let blobs = Blobs::open(&folder.path().join("blobs"), Clock::system()).expect("the folder opens");
    for clients in [1, 16] {
        let (moved, took) = runtime.block_on(together(clients, |client| put(blobs.clone(), client)));
        report(&format!("put 8 MiB, {clients} clients"), moved, took);
    }
    let ids: Vec<BlobId> = runtime.block_on(async {
        let mut ids = Vec::new();
        for seed in 0..16 {
            ids.push(blobs.put(random(seed)).await.expect("it is kept").id);
        }
        ids
    });
    for clients in [1, 16] {
        let (moved, took) = runtime.block_on(together(clients, |client| get(blobs.clone(), ids[client])));
        report(&format!("get 8 MiB, {clients} clients"), moved, took);
    }
    let (moved, took) = runtime.block_on(together(16, |client| put_small(blobs.clone(), client)));
    println!("{:<44} {:>8.0} /s", "put 1 KiB, 16 clients", moved as f64 / 1_024.0 / took.as_secs_f64());
    let (moved, took) = runtime.block_on(together(16, |client| part(blobs.clone(), ids[client])));
    println!("{:<44} {:>8.0} /s", "get 1 KiB of 8 MiB, 16 clients", moved as f64 / 1_024.0 / took.as_secs_f64());
}

fn report(what: &str, bytes: usize, took: Duration) {
    println!("{what:<44} {:>8.2} GB/s", bytes as f64 / took.as_secs_f64() / 1e9);
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn random(seed: u64) -> Bytes {
    let mut bytes = vec![0; BLOB];
    Random::seeded(seed).fill(&mut bytes);
    bytes.into()
}

fn bare(folder: &Path, bytes: &[u8]) {
    for number in 0..20 {
        let path = folder.join(format!("bare-{number}"));
        let mut file = std::fs::File::create(&path).expect("the file is made");
        std::io::Write::write_all(&mut file, bytes).expect("it is written");
        file.sync_all().expect("it is synced");
        drop(file);
        std::fs::remove_file(path).expect("it is removed");
    }
}

/// What all of them moved, and the time that it took.
async fn together<F>(clients: usize, client: impl Fn(usize) -> F) -> (usize, Duration)
where
    F: Future<Output = usize> + Send + 'static,
{
    let begun = Instant::now();
    let moved = (0..clients).map(client).collect::<tokio::task::JoinSet<usize>>().join_all().await;
    (moved.into_iter().sum(), begun.elapsed())
}

async fn put(blobs: Blobs, client: usize) -> usize {
    let (begun, mut moved) = (Instant::now(), 0);
    let mut bytes = random(client as u64).to_vec();
    while begun.elapsed() < RUN {
        // Another blob each time.
        bytes[..8].copy_from_slice(&(moved as u64).to_le_bytes());
        let whole = Bytes::from(bytes.clone());
        let pieces = (0..BLOB).step_by(PIECE).map(move |start| Ok(whole.slice(start..start + PIECE)));
        let stored = blobs.put_stream(stream::iter(pieces), ByteSize::mib(8)).await.expect("it is kept");
        moved += stored.len as usize;
    }
    moved
}

async fn put_small(blobs: Blobs, client: usize) -> usize {
    let (begun, mut moved) = (Instant::now(), 0);
    while begun.elapsed() < RUN {
        let text = format!("{client:>512}{moved:>512}");
        moved += blobs.put(text).await.expect("it is kept").len as usize;
    }
    moved
}

async fn get(blobs: Blobs, id: BlobId) -> usize {
    let (begun, mut moved) = (Instant::now(), 0);
    while begun.elapsed() < RUN {
        let mut pieces = blobs.stream(id, ..).await.expect("it is there");
        while let Some(piece) = pieces.try_next().await.expect("it is whole") {
            moved += piece.len();
        }
    }
    moved
}

async fn part(blobs: Blobs, id: BlobId) -> usize {
    let (begun, mut moved, random) = (Instant::now(), 0, Random::seeded(1));
    while begun.elapsed() < RUN {
        let start = random.below((BLOB - 1_024) as u64);
        moved += blobs.read(id, start..start + 1_024).await.expect("it is there").len();
    }
    moved
}
