//! Ten thousand requests at once, each waiting on a timer.

use std::time::{Duration, Instant};

use base::ByteSize;
use tokio::task::JoinSet;
use wasm::{Allocation, Limits, Settings};

use crate::support::{Bench, PATIENCE, ask_within, patiently, read};

const REQUESTS: u32 = 10_000;
/// How long each guest waits: long enough that all are there before the first is done.
const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wait_in_less_than_two_gibibytes() {
    let bench = Bench::with(|options| options.instances_max = REQUESTS);
    assert_eq!((bench.engine.instances_max(), bench.engine.allocation()), (REQUESTS, &Allocation::Pooling));
    let service = bench.service(Settings::default());
    let path = format!("/s{}", WAIT.as_millis());
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for _ in 0..REQUESTS {
        let (service, path) = (service.clone(), path.clone());
        asked.spawn(async move {
            let answer = ask_within(&service, &path, Limits::new(2 * PATIENCE)).await.unwrap();
            read(answer.response).await.unwrap()
        });
    }
    patiently(async {
        while bench.engine.instances() < REQUESTS {
            assert!(begun.elapsed() < WAIT, "all are there before the first is done");
            tokio::task::yield_now().await;
        }
    })
    .await;
    let resident = resident();
    assert!(resident < ByteSize::gib(2), "{resident}");
    while let Some(answer) = patiently(asked.join_next()).await {
        assert_eq!(answer.unwrap(), "Hello from WASI\n");
    }
    assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)));
    println!("{REQUESTS} in flight took {resident}; all were answered after {:?}", begun.elapsed());
}

fn resident() -> ByteSize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    ByteSize::kib(line.trim().trim_end_matches(" kB").parse().unwrap())
}
