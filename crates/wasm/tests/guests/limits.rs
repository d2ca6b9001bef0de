//! Limits hold, whatever a guest does, and say so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ByteSize;
use wasm::{Collect, Failure, Limits, Settings, Whose};

use crate::support::{Bench, PATIENCE, ask, ask_within, patiently, read, text};

/// Long enough to begin on a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_guest_that_computes_or_waits_for_ever_ends_in_time() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    for path in ["/l", "/s600000"] {
        let begun = Instant::now();
        let failed = ask_within(&service, path, Limits::new(SHORT)).await.unwrap_err();
        assert_eq!(failed.failure, Failure::Time { limit: SHORT }, "{path}");
        assert_eq!(failed.failure.to_string(), "it took longer than its limit of 1 seconds");
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE, "{path}: {:?}", begun.elapsed());
        let usage = failed.usage;
        assert!(usage.wall >= SHORT && usage.cpu > Duration::ZERO && usage.cpu <= usage.wall, "{path}: {usage:?}");
        assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)), "{path}");
    }
}

#[tokio::test]
async fn one_that_computes_leaves_others_their_turn() {
    // One thread for all of it.
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let quick = async {
        for _ in 0..20 {
            assert_eq!(text(&service, "/h").await, "Hello from WASI\n");
        }
    };
    tokio::select! {
        biased;
        _ = ask(&service, "/l") => panic!("it never ends by itself"),
        () = quick => {}
    }
}

#[tokio::test]
async fn time_counts_while_streaming_too() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    for path in ["/L", "/S600000", "/w1000000"] {
        let answer = ask_within(&service, path, Limits::new(SHORT)).await.unwrap();
        if path == "/w1000000" {
            // Nobody reads: the guest waits for its reader until its time is over.
            let body = answer.response.into_body();
            while body_is_open(&bench) {
                tokio::task::yield_now().await;
            }
            drop(body);
        } else {
            let error = read(answer.response).await.unwrap_err();
            assert_eq!(error.0, Failure::Time { limit: SHORT }, "{path}");
        }
        let ended = patiently(answer.attempt.ended()).await;
        assert_eq!(ended.failure, Some(Failure::Time { limit: SHORT }), "{path}");
    }
}

fn body_is_open(bench: &Bench) -> bool {
    bench.engine.instances() > 0
}

#[tokio::test]
async fn a_guest_that_takes_memory_without_end_ends_at_its_limit() {
    let bench = Bench::new();
    let service = bench.service(Settings { memory: ByteSize::mib(8), ..Settings::default() });
    let failed = ask(&service, "/g").await.unwrap_err();
    let Failure::Memory { wanted, limit, reason } = failed.failure else { panic!("{}", failed.failure) };
    // It has two pages, and takes a mebibyte at a time.
    assert_eq!((wanted, limit), (ByteSize(ByteSize::mib(8).bytes() + ByteSize::kib(128).bytes()), ByteSize::mib(8)));
    assert_eq!(reason, "wasm trap: wasm `unreachable` instruction executed");
    assert!(failed.usage.memory_peak > ByteSize::mib(7) && failed.usage.memory_peak <= ByteSize::mib(8));
    assert_eq!(bench.engine.memory_used(), ByteSize(0));
    assert_eq!(text(&service, "/G").await, "refused", "one that can do without goes on");
}

#[tokio::test]
async fn a_guest_that_cannot_even_start_says_why() {
    let bench = Bench::new();
    let service = bench.service(Settings { memory: ByteSize::kib(64), ..Settings::default() });
    let failed = ask(&service, "/h").await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Memory { wanted, .. } if wanted == ByteSize::kib(128)),
        "{}",
        failed.failure
    );
}

#[tokio::test]
async fn all_guests_together_stay_within_the_engines_memory() {
    let bench = Bench::with(|options| options.memory_total = ByteSize::mib(16));
    let service = bench.service(Settings { memory: ByteSize::gib(4), ..Settings::default() });
    let failed = ask(&service, "/g").await.unwrap_err();
    assert_eq!(failed.failure, Failure::Full { total: ByteSize::mib(16) });
    assert_eq!(failed.failure.whose(), Whose::Node);
    assert_eq!(text(&service, "/h").await, "Hello from WASI\n", "the next has room again");
}

#[tokio::test]
async fn there_are_no_more_instances_than_places() {
    let bench = Bench::with(|options| options.instances_max = 2);
    assert_eq!(bench.engine.instances_max(), 2);
    let service = bench.service(Settings::default());
    let (first, second) = (ask(&service, "/S60000").await.unwrap(), ask(&service, "/S60000").await.unwrap());
    assert_eq!(bench.engine.instances(), 2);
    let failed = ask(&service, "/h").await.unwrap_err();
    assert_eq!(failed.failure, Failure::Busy { limit: 2 });
    assert_eq!(failed.failure.to_string(), "2 instances are at work, which is the most for this node");
    drop((first, second));
}

#[tokio::test]
async fn what_the_host_keeps_for_a_guest_is_bounded() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let failed = ask(&service, "/f").await.unwrap_err();
    assert!(failed.failure.to_string().starts_with("resource table has no free keys"), "{}", failed.failure);
}

#[tokio::test]
async fn a_guest_waits_for_room_to_print_and_finds_a_full_sink_closed() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let sink = Arc::new(Collect::new(ByteSize(40)));
    let mut limits = Limits::new(PATIENCE);
    limits.stdout = Arc::clone(&sink) as _;
    // It does not look whether its words were taken.
    let answer = ask_within(&service, "/p3", limits).await.unwrap();
    assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
    assert_eq!(sink.take(), Err(ByteSize(40)));
}
