//! How fast the logs take in what functions print, how soon a client's batch is on disk, and how long a tail takes, on the
//! embedded store in a temporary folder. Run it with `cargo run --release -p logs --example ingest_and_tail`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use contract::{AccountId, Call, Handle, Origin, Principal, Region, Trace};
use logs::pattern::Pattern;
use logs::{Deps, FollowRequest, Logs, Output, Scope};
use store::{Location, Options, Store};
use wire::logs as aws;

const PRINTED_BYTES: usize = 200 << 20;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Clock::system();
    let store = Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone()))?;
    let logs = Logs::new(Deps { store: store.clone(), clock: clock.clone(), tasks: Tasks::new() });
    println!("memory before: {} MiB", resident_mib());
    print_much(&logs, &clock).await?;
    println!("memory after:  {} MiB; on disk: {} MiB", resident_mib(), folder_mib(folder.path()));
    print_little(&logs, &clock).await?;
    for writers in [1, 16, 64] {
        put(&logs, &clock, writers).await?;
    }
    tail(&logs, &clock).await?;
    follow(&logs, &clock).await?;
    logs.close().await;
    store.close().await;
    Ok(())
}

/// One function prints without end; another prints a line now and then.
async fn print_much(logs: &Arc<Logs>, clock: &Clock) -> Result<(), logs::Error> {
    let (noisy, noisy_clock) = (Arc::clone(logs), clock.clone());
    let (done, mut finished) = tokio::sync::oneshot::channel();
    let (start, busy) = (Instant::now(), processor_s());
    base::task::spawn(Kind::Work, "noisy", async move {
        let mut bytes = 0;
        let mut number = 0u64;
        while bytes < PRINTED_BYTES {
            let texts: Vec<String> = (0..200)
                .map(|_| {
                    number += 1;
                    format!(
                        "INFO request {number} of user {} took {} ms, cache {}",
                        number * 7_919 % 100_003,
                        number % 977,
                        number % 3
                    )
                })
                .collect();
            bytes += texts.iter().map(String::len).sum::<usize>();
            let taken = noisy.ingest(output(&noisy_clock, "/aws/lambda/noisy", texts)).await;
            if taken.is_err() {
                return;
            }
        }
        let _receiver = done.send(bytes);
    });
    let mut waits = Vec::new();
    let bytes = loop {
        let asked = Instant::now();
        logs.ingest(output(clock, "/aws/lambda/quiet", vec!["hello".into()])).await?;
        waits.push(asked.elapsed());
        match tokio::time::timeout(Duration::from_millis(5), &mut finished).await {
            Ok(bytes) => break bytes.unwrap_or_default(),
            Err(_) => continue,
        }
    };
    logs.flush().await;
    let mib_per_s = bytes as f64 / (1 << 20) as f64 / start.elapsed().as_secs_f64();
    let busy = (processor_s() - busy) * 1e3 / (bytes >> 20) as f64;
    println!("one function prints: {mib_per_s:.0} MiB/s, {busy:.1} ms of processor for each MiB");
    println!("a neighbour's line waits for room: {}", spread(waits));
    Ok(())
}

/// Many functions print a few lines each.
async fn print_little(logs: &Arc<Logs>, clock: &Clock) -> Result<(), logs::Error> {
    let start = Instant::now();
    let count = 20_000;
    for number in 0..count {
        let texts = vec![format!("START RequestId: {number}"), "hello".into(), format!("END RequestId: {number}")];
        let group = format!("/aws/lambda/f{}", number % 50);
        logs.ingest(output(clock, &group, texts)).await?;
    }
    logs.flush().await;
    println!("50 functions, three lines each time: {:.0} calls/s", f64::from(count) / start.elapsed().as_secs_f64());
    Ok(())
}

/// Clients put batches of ten events and wait for the disk.
async fn put(logs: &Arc<Logs>, clock: &Clock, writers: usize) -> Result<(), contract::Fault> {
    let call = call(clock);
    let group = format!("put-{writers}");
    let create = aws::CreateLogGroupRequest { log_group_name: group.clone(), ..Default::default() };
    Handle::<aws::CreateLogGroup>::handle(&**logs, &call, create).await?;
    let (start, busy) = (Instant::now(), processor_s());
    let (waits, mut all) = tokio::sync::mpsc::unbounded_channel();
    for writer in 0..writers {
        let (logs, call, clock, group, waits) =
            (Arc::clone(logs), call.clone(), clock.clone(), group.clone(), waits.clone());
        base::task::spawn(Kind::Work, "putter", async move {
            let (log_group_name, log_stream_name) = (group, format!("s{writer}"));
            let create = aws::CreateLogStreamRequest {
                log_group_name: log_group_name.clone(),
                log_stream_name: log_stream_name.clone(),
            };
            if Handle::<aws::CreateLogStream>::handle(&*logs, &call, create).await.is_err() {
                return;
            }
            while start.elapsed() < Duration::from_secs(3) {
                let event = |number| aws::InputLogEvent {
                    timestamp: clock.now_ms(),
                    message: format!("event {number} of a batch of ten, with some words in it"),
                };
                let input = aws::PutLogEventsRequest {
                    log_group_name: log_group_name.clone(),
                    log_stream_name: log_stream_name.clone(),
                    log_events: vec![event(1); 10],
                    ..Default::default()
                };
                let asked = Instant::now();
                if Handle::<aws::PutLogEvents>::handle(&*logs, &call, input).await.is_ok() {
                    let _receiver = waits.send(asked.elapsed());
                }
            }
        });
    }
    drop(waits);
    let mut times = Vec::new();
    while let Some(time) = all.recv().await {
        times.push(time);
    }
    let per_s = times.len() as f64 / start.elapsed().as_secs_f64();
    let busy = (processor_s() - busy) * 1e6 / times.len() as f64;
    println!(
        "PutLogEvents, {writers} writers, ten events each: {per_s:.0} calls/s, {busy:.0} µs of processor each, {}",
        spread(times)
    );
    Ok(())
}

/// The last hundred events, and a poll of the last seconds, of the function that printed much.
async fn tail(logs: &Arc<Logs>, clock: &Clock) -> Result<(), contract::Fault> {
    let call = call(clock);
    let group = Some("/aws/lambda/noisy".to_owned());
    let (mut last, mut polls, mut searches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..100 {
        let input = aws::GetLogEventsRequest {
            log_group_name: group.clone(),
            log_stream_name: "s".into(),
            limit: Some(100),
            ..Default::default()
        };
        let asked = Instant::now();
        Handle::<aws::GetLogEvents>::handle(&**logs, &call, input).await?;
        last.push(asked.elapsed());
        let input = aws::FilterLogEventsRequest {
            log_group_name: group.clone(),
            start_time: Some(clock.now_ms()),
            ..Default::default()
        };
        let asked = Instant::now();
        Handle::<aws::FilterLogEvents>::handle(&**logs, &call, input).await?;
        polls.push(asked.elapsed());
    }
    let mut token = None;
    for _ in 0..10 {
        let input = aws::FilterLogEventsRequest {
            log_group_name: group.clone(),
            filter_pattern: Some("nothing".into()),
            next_token: token,
            ..Default::default()
        };
        let asked = Instant::now();
        token = Handle::<aws::FilterLogEvents>::handle(&**logs, &call, input).await?.next_token;
        searches.push(asked.elapsed());
        if token.is_none() {
            break;
        }
    }
    println!("the last 100 of {} MiB: {}", PRINTED_BYTES >> 20, spread(last));
    println!("a poll that finds nothing new: {}", spread(polls));
    println!("a page that looks through 16 MiB in vain: {}", spread(searches));
    Ok(())
}

/// How long a line takes from the function to a follower.
async fn follow(logs: &Arc<Logs>, clock: &Clock) -> Result<(), logs::Error> {
    let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
    let group = "/aws/lambda/followed".to_owned();
    let request = FollowRequest {
        scope,
        group: group.clone(),
        stream_prefix: String::new(),
        pattern: Pattern::EVERYTHING,
        since_ms: None,
    };
    let mut follow = logs.follow(request);
    let mut times = Vec::new();
    for number in 0..500 {
        let asked = Instant::now();
        logs.ingest(output(clock, &group, vec![format!("line {number}")])).await?;
        follow.next().await?;
        times.push(asked.elapsed());
    }
    println!("from print to follower: {}", spread(times));
    Ok(())
}

fn output(clock: &Clock, group: &str, texts: Vec<String>) -> Output {
    let time_ms = u64::try_from(clock.now_ms()).unwrap_or_default();
    let lines = texts.into_iter().map(|message| (time_ms, message)).collect();
    Output { account: AccountId::ONLY, region: Region::default_one(), group: group.into(), stream: "s".into(), lines }
}

fn call(clock: &Clock) -> Call {
    let random = Random::system();
    Call {
        id: random.uuid(),
        principal: Principal::Root,
        account: AccountId::ONLY,
        region: Region::default_one(),
        deadline: Duration::MAX,
        trace: Trace::start(clock, &random),
        hops: 0,
        origin: Origin::Inside { part: "bench", base_url: "http://localhost:4566".into() },
    }
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    let text = |time: Option<&Duration>| time.map_or("-".into(), |time| format!("{:.2} ms", time.as_secs_f64() * 1e3));
    format!("p50 {}, p99 {}, max {}", text(at(0.5)), text(at(0.99)), text(times.last()))
}

/// The processor time of this process, of all its threads, in seconds: what a busy machine does not distort.
fn processor_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_mib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    (pages * 4096) >> 20
}

fn folder_mib(path: &std::path::Path) -> u64 {
    fn bytes(path: &std::path::Path) -> u64 {
        let Ok(entries) = std::fs::read_dir(path) else { return 0 };
        let size = |entry: std::fs::DirEntry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
        entries.flatten().map(size).sum()
    }
    bytes(path) >> 20
}
