//! Durable commits per second, side by side with what the disk can do at all: a bare, preallocated log with group commit.
//!
//! `cargo bench -p store --bench commits [-- FOLDER [ENGINE…]]` (on the disk that matters; by default the temporary folder
//! and all engines). Each commit writes three pairs: keys of 16 to 48 bytes at random places, values of 200 to 1,024 bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use base::{Clock, Random};
use store::{Error, Key, Location, Options, Store};
use tokio::sync::oneshot;

const COMMITTERS: [u64; 4] = [1, 16, 64, 256];
const RUN: Duration = Duration::from_secs(4);

fn main() {
    // `cargo test --benches` starts it too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("only measured by cargo bench");
    }
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let folder = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let engines: Vec<String> = arguments.collect();
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written to");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    println!("commits/s (p50 / p99 in ms) at {COMMITTERS:?} committers, {RUN:?} each\n");
    let log = runtime.block_on(measure("bare log", &Engine::Log(Log::open(&folder.path().join("log")))));
    for (name, location) in [
        ("embedded", Location::Embedded(folder.path().join("embedded"))),
        ("sqlite", Location::Sqlite(folder.path().join("sqlite"))),
        ("memory", Location::Memory),
    ] {
        if !engines.is_empty() && !engines.iter().any(|engine| engine == name) {
            continue;
        }
        let store = Store::open(Options::new(location, Clock::system())).expect("the store opens");
        let rates = runtime.block_on(measure(name, &Engine::Store(store)));
        let ratios: Vec<_> = rates.iter().zip(&log).map(|(rate, bare)| format!("{:.2}", rate / bare)).collect();
        println!("{:>10}  of the bare log: {}; resident memory now {}\n", "", ratios.join("  "), resident());
    }
}

/// The process's resident memory, as the kernel says it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or("unknown".to_owned(), |line| line.trim().to_owned())
}

/// What commits go to.
#[derive(Clone)]
enum Engine {
    Store(Store),
    Log(Arc<Log>),
}

impl Engine {
    async fn commit(&self, random: &Random, value: &[u8]) {
        let mut pairs = Vec::with_capacity(3);
        for _ in 0..3 {
            let mut id = [0_u8; 16];
            random.fill(&mut id);
            pairs.push((Key::new("bench").with(id), &value[..200 + random.below(825) as usize]));
        }
        let pairs = &pairs;
        match self {
            Self::Store(store) => {
                let write = store.transact(|tx| async move {
                    for (key, value) in pairs {
                        tx.put(key.clone(), value.to_vec());
                    }
                    Ok::<_, Error>(())
                });
                write.await.expect("the commit succeeds");
            }
            Self::Log(log) => {
                let mut bytes = Vec::new();
                for (key, value) in pairs {
                    bytes.extend_from_slice(key.as_bytes());
                    bytes.extend_from_slice(value);
                }
                log.commit(bytes).await;
            }
        }
    }
}

/// Prints one line, and returns the rates.
async fn measure(name: &str, engine: &Engine) -> Vec<f64> {
    let mut rates = Vec::new();
    let mut cells = Vec::new();
    for committers in COMMITTERS {
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..committers {
            tasks.spawn(commit_for_a_while(engine.clone(), task, start));
        }
        let mut latencies: Vec<u32> = tasks.join_all().await.into_iter().flatten().collect();
        let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |share: usize| f64::from(latencies[(latencies.len() - 1) * share / 100]) / 1_000.0;
        cells.push(format!("{rate:>7.0} ({:.2} / {:.1})", at(50), at(99)));
        rates.push(rate);
    }
    println!("{name:>10}  {}", cells.join("  "));
    rates
}

/// The microseconds that each commit took.
async fn commit_for_a_while(engine: Engine, task: u64, start: Instant) -> Vec<u32> {
    let random = Random::seeded(task);
    let mut value = vec![0_u8; 1_024];
    random.fill(&mut value[..512]);
    let mut latencies = Vec::new();
    while start.elapsed() < RUN {
        let begun = Instant::now();
        engine.commit(&random, &value).await;
        latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    latencies
}

/// The bare log: one thread takes all that waits, writes it in one piece over blocks that were written before, syncs, and
/// acknowledges.
struct Log {
    waiting: Mutex<VecDeque<(Vec<u8>, oneshot::Sender<()>)>>,
    filled: Condvar,
}

impl Log {
    const BYTES: u64 = 512 << 20;

    fn open(path: &Path) -> Arc<Self> {
        let file = File::create(path).expect("the log can be made");
        let zeros = vec![0; 1 << 20];
        for offset in (0..Self::BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset).expect("the log fits on the disk");
        }
        file.sync_all().expect("the log can be synced");
        let log = Arc::new(Self { waiting: Mutex::default(), filled: Condvar::new() });
        let writer = Arc::clone(&log);
        std::thread::spawn(move || writer.write(&file));
        log
    }

    async fn commit(&self, bytes: Vec<u8>) {
        let (ack, done) = oneshot::channel();
        self.waiting.lock().expect("nobody panics").push_back((bytes, ack));
        self.filled.notify_one();
        done.await.expect("the writer lives as long as the process");
    }

    fn write(&self, file: &File) {
        let mut offset = 0;
        loop {
            let waiting = self.waiting.lock().expect("nobody panics");
            let mut waiting = self.filled.wait_while(waiting, |line| line.is_empty()).expect("nobody panics");
            let batch: Vec<_> = waiting.drain(..).collect();
            drop(waiting);
            let bytes: Vec<u8> = batch.iter().flat_map(|(bytes, _)| bytes).copied().collect();
            if offset + bytes.len() as u64 > Self::BYTES {
                offset = 0;
            }
            file.write_all_at(&bytes, offset).expect("the log can be written");
            file.sync_data().expect("the log can be synced");
            offset += bytes.len() as u64;
            for (_, ack) in batch {
                let _waiter_may_be_gone = ack.send(());
            }
        }
    }
}
