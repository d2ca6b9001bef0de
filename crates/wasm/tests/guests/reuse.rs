//! WASI 0.2 where an instance may answer several requests: one after the other, and nothing of one is left to the next but its memory and
//! what it took for itself.

use std::convert::Infallible;
use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::task::JoinSet;
use wasm::{Limits, Service, Settings};

use crate::support::{Bench, PATIENCE, ask, ask_within, limits, listening, patiently, read, text};

fn often(times: u32) -> Settings {
    Settings { reuse_max_single: times, ..Settings::default() }
}

/// How often the instance that answers was asked, this time included.
async fn count(service: &Service) -> String {
    text(service, "/m").await
}

#[tokio::test]
async fn an_instance_answers_as_often_as_it_may() {
    let bench = Bench::new();
    for (times, expected) in [(0, "11111"), (1, "11111"), (2, "12121"), (3, "12312"), (100, "12345")] {
        let service = bench.service(often(times));
        let mut found = String::new();
        for _ in 0..5 {
            found += &count(&service).await;
        }
        assert_eq!(found, expected, "at most {times}");
        drop(service);
        assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)), "nothing stays");
    }
}

#[tokio::test]
async fn each_attempt_has_what_is_its_own() {
    let bench = Bench::new();
    let service = bench.service(often(100));
    for _ in 0..3 {
        let (limits, printed) = listening();
        let answer = ask_within(&service, "/p2", limits).await.unwrap();
        assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
        let ended = patiently(answer.attempt.ended()).await;
        assert_eq!(printed.take().unwrap(), "Hello from WASI\n".repeat(2).as_bytes());
        assert_eq!((ended.failure, ended.usage.bytes_out), (None, 16));
        assert_eq!(ended.usage.memory_peak, ByteSize::kib(128), "what it has counts for each");
    }
    assert_eq!(bench.engine.instances(), 1);
}

#[tokio::test]
async fn who_failed_answers_no_more() {
    let bench = Bench::new();
    for path in ["/t", "/n", "/x", "/X", "/r", "/u", "/q", "/f"] {
        let service = bench.service(often(100));
        assert_eq!((count(&service).await, count(&service).await), ("1".into(), "2".into()), "before {path}");
        if let Ok(answer) = ask(&service, path).await {
            read(answer.response).await.unwrap();
            patiently(answer.attempt.ended()).await;
        }
        let after = count(&service).await;
        assert_eq!(after, "1", "after {path}");
    }
    let service = bench.service(often(100));
    assert_eq!(count(&service).await, "1");
    let limits = Limits::new(Duration::from_millis(20));
    assert_eq!(
        ask_within(&service, "/l", limits).await.unwrap_err().failure.to_string(),
        "it took longer than its limit of 0.02 seconds"
    );
    assert_eq!(count(&service).await, "1");
}

#[tokio::test]
async fn a_body_that_is_left_open_ends_as_it_does_elsewhere() {
    let bench = Bench::new();
    let mut outcomes = Vec::new();
    for times in [1, 100] {
        let service = bench.service(often(times));
        for _ in 0..2 {
            let answer = ask(&service, "/q").await.unwrap();
            let body = read(answer.response).await;
            outcomes.push((body, patiently(answer.attempt.ended()).await.failure));
        }
    }
    for outcome in outcomes {
        assert_eq!(outcome, (Ok(Bytes::from_static(b"Hello from WASI\n")), None));
    }
}

/// Who sends the body never ends it.
#[tokio::test]
async fn who_keeps_a_requests_body_ends_with_its_attempt() {
    let bench = Bench::new();
    let service = bench.service(often(100));
    for _ in 0..3 {
        assert_eq!(count(&service).await, "1");
        let endless = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let request = Request::post("/y").header("host", "x").body(endless).unwrap();
        let answer = patiently(service.handle(request, limits())).await.unwrap();
        assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
        assert_eq!(patiently(answer.attempt.ended()).await.failure, None);
    }
}

#[tokio::test]
async fn who_is_still_at_work_when_its_answer_is_read_ends_with_it() {
    let bench = Bench::new();
    for (parts, after) in [(4, "2"), (1000, "1")] {
        let service = bench.service(often(100));
        assert_eq!(count(&service).await, "1");
        let answer = ask(&service, &format!("/w{parts}")).await.unwrap();
        assert_eq!(read(answer.response).await.unwrap().len(), parts * 4096);
        assert_eq!(patiently(answer.attempt.ended()).await.failure, None);
        assert_eq!(count(&service).await, after, "{parts} parts");
    }
}

#[tokio::test]
async fn who_keeps_too_much_ends_before_there_is_no_room() {
    let bench = Bench::new();
    let service = bench.service(often(100));
    for (lists, after) in [(100, "2"), (200, "1")] {
        let service = bench.service(often(100));
        assert_eq!(count(&service).await, "1");
        assert_eq!(text(&service, &format!("/z{lists}")).await, "Hello from WASI\n");
        assert_eq!(count(&service).await, after, "{lists} lists");
    }
    for _ in 0..50 {
        assert_eq!(text(&service, "/z100").await, "Hello from WASI\n");
    }
}

#[tokio::test]
async fn nobody_rests_for_ever() {
    let bench = Bench::new();
    for (keep_alive, rest) in [(PATIENCE, 2), (Duration::ZERO, 0)] {
        let service = bench.service(Settings { keep_alive, ..often(100) });
        let (one, two) = tokio::join!(ask(&service, "/s50"), ask(&service, "/s50"));
        drop((one.unwrap(), two.unwrap()));
        service.tidy();
        assert_eq!(bench.engine.instances(), rest, "{keep_alive:?} after they were needed");
    }
}

/// So many rest, whoever was there at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_leaves_few_at_rest() {
    let bench = Bench::new();
    let service = bench.service(often(100));
    for _ in 0..3 {
        ask_a_hundred_at_once(&service).await;
        assert!((1..=64).contains(&bench.engine.instances()), "{}", bench.engine.instances());
    }
    // Those of one service keep no other from its places.
    ask_a_hundred_at_once(&bench.service(often(100))).await;
}

async fn ask_a_hundred_at_once(service: &Service) {
    let mut asked = JoinSet::new();
    for _ in 0..100 {
        let service = service.clone();
        asked.spawn(async move { text(&service, "/s50").await });
    }
    while let Some(answer) = patiently(asked.join_next()).await {
        assert_eq!(answer.unwrap(), "Hello from WASI\n");
    }
}

#[tokio::test]
async fn nobody_rests_where_memory_is_not_plenty() {
    for (total, second) in [(1024, "2"), (1023, "1")] {
        let bench = Bench::with(|options| options.memory_total = ByteSize::kib(total));
        let service = bench.service(often(100));
        assert_eq!(count(&service).await, "1");
        assert_eq!(count(&service).await, second, "{total} KiB");
    }
}
