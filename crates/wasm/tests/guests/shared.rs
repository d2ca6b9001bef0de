//! WASI 0.3: instances answer request after request, or several at once, and no limit is less than it is for others.

use std::time::{Duration, Instant};

use base::ByteSize;
use tokio::task::JoinSet;
use wasm::{Failure, Kind, Limits, Service, Settings};

use crate::support::{Bench, PATIENCE, ask, ask_within, listening, patiently, read, text};

fn service(bench: &Bench, settings: Settings) -> Service {
    let bytes = wat::parse_str(include_str!("wat/shared.wat")).unwrap();
    let component = bench.engine.prepare(&bytes).unwrap();
    assert_eq!(component.kind(), Kind::Http);
    component.service(settings).unwrap()
}

/// How often the instance that answered had been called before.
async fn calls_before(service: &Service, path: &str) -> u16 {
    let answer = ask(service, path).await.unwrap();
    let calls = answer.response.status().as_u16() - 200;
    read(answer.response).await.unwrap();
    let ended = patiently(answer.attempt.ended()).await;
    assert_eq!(ended.failure, None);
    calls
}

/// Waits until there are so many instances.
async fn until_instances(bench: &Bench, count: u32) {
    patiently(async {
        while bench.engine.instances() != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_instance_answers_one_after_the_other() {
    let bench = Bench::new();
    for concurrency in [1, 4] {
        let service = service(&bench, Settings { reuse_max: 3, concurrency, ..Settings::default() });
        for expected in [0, 1, 2, 0, 1] {
            assert_eq!(calls_before(&service, "/h").await, expected, "with {concurrency} at once");
        }
        drop(service);
        until_instances(&bench, 0).await;
        assert_eq!(bench.engine.memory_used(), ByteSize(0));
    }
}

#[tokio::test]
async fn bodies_stream_and_are_counted() {
    let bench = Bench::new();
    let service = service(&bench, Settings::default());
    for _ in 0..3 {
        let answer = ask(&service, "/b").await.unwrap();
        assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
        let ended = patiently(answer.attempt.ended()).await;
        assert_eq!((ended.failure, ended.usage.bytes_out), (None, 16));
        assert!(ended.usage.cpu > Duration::ZERO && ended.usage.cpu <= ended.usage.wall);
        assert_eq!(ended.usage.memory_peak, ByteSize::kib(128));
    }
    assert_eq!(text(&service, "/a").await, "guest.example", "it knows its host");
}

#[tokio::test]
async fn each_request_prints_to_its_own_sink() {
    let bench = Bench::new();
    let service = service(&bench, Settings::default());
    for _ in 0..3 {
        let (limits, printed) = listening();
        let answer = ask_within(&service, "/p", limits).await.unwrap();
        read(answer.response).await.unwrap();
        patiently(answer.attempt.ended()).await;
        assert_eq!(printed.take().unwrap(), b"Hello from WASI\n");
    }
    assert_eq!(bench.engine.instances(), 1);
}

#[tokio::test]
async fn one_at_a_time_means_an_instance_each() {
    let bench = Bench::new();
    let service = service(&bench, Settings::default());
    let (one, two) = tokio::join!(ask(&service, "/s50"), ask(&service, "/s50"));
    assert_eq!(
        (one.unwrap().response.status(), two.unwrap().response.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    assert_eq!(bench.engine.instances(), 2);
}

#[tokio::test]
async fn several_at_once_share_an_instance() {
    let bench = Bench::new();
    let service = service(&bench, Settings { concurrency: 16, ..Settings::default() });
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    // The first makes the instance; the others find room in it.
    for _ in 0..16 {
        let service = service.clone();
        asked.spawn(async move { calls_before(&service, "/s1000").await });
    }
    let mut calls = Vec::new();
    while let Some(before) = patiently(asked.join_next()).await {
        calls.push(before.unwrap());
    }
    calls.sort_unstable();
    assert_eq!(calls, (0..16).collect::<Vec<u16>>());
    assert!(begun.elapsed() < Duration::from_secs(16), "they waited together: {:?}", begun.elapsed());
    assert_eq!(bench.engine.instances(), 1);
}

#[tokio::test]
async fn an_instance_without_requests_ends() {
    let bench = Bench::new();
    let service = service(&bench, Settings { keep_alive: Duration::from_millis(20), ..Settings::default() });
    assert_eq!(calls_before(&service, "/h").await, 0);
    until_instances(&bench, 0).await;
    assert_eq!(calls_before(&service, "/h").await, 0, "the next makes a new one");
}

#[tokio::test]
async fn a_failure_ends_the_instance_and_is_told() {
    let bench = Bench::new();
    for concurrency in [1, 4] {
        let service = service(&bench, Settings { concurrency, ..Settings::default() });
        for (path, expected) in [
            ("/t", "wasm trap: wasm `unreachable` instruction executed"),
            ("/n", "wasm trap: async-lifted export failed to produce a result"),
        ] {
            assert_eq!(calls_before(&service, "/h").await, 0);
            let failed = ask(&service, path).await.unwrap_err();
            assert!(matches!(failed.failure, Failure::Trap { .. }), "{path}: {failed}");
            assert!(failed.failure.to_string().starts_with(expected), "{path}: {failed}");
            until_instances(&bench, 0).await;
        }
        let failed = ask(&service, "/r").await.unwrap_err();
        assert_eq!(failed.failure.to_string(), "it answered with the error ErrorCode::InternalError(None)");
        assert_eq!(calls_before(&service, "/h").await, 1, "an answer like any other");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_whole_answer() {
    let bench = Bench::new();
    for concurrency in [1, 4] {
        let service = service(&bench, Settings { concurrency, ..Settings::default() });
        let answer = ask(&service, "/T").await.unwrap();
        let error = read(answer.response).await.unwrap_err();
        assert!(matches!(error.0, Failure::Trap { .. }), "{error}");
        assert!(matches!(patiently(answer.attempt.ended()).await.failure, Some(Failure::Trap { .. })));
    }
}

/// The guest ends on one thread while another reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_takes_a_failure_for_the_end() {
    let bench = Bench::new();
    let time = Duration::from_millis(30);
    for concurrency in [1, 4] {
        let service = service(&bench, Settings { concurrency, ..Settings::default() });
        for round in 0..60 {
            let path = ["/T", "/L"][round % 2];
            // It may be over before anything was answered.
            if let Ok(answer) = ask_within(&service, path, Limits::new(time)).await {
                assert!(read(answer.response).await.is_err(), "{path} in round {round}");
            }
        }
    }
}

#[tokio::test]
async fn time_is_limited() {
    let bench = Bench::new();
    let time = Duration::from_secs(1);
    for concurrency in [1, 4] {
        let service = service(&bench, Settings { concurrency, ..Settings::default() });
        for path in ["/l", "/s600000"] {
            // One whose limit is longer changes nothing.
            assert_eq!(calls_before(&service, "/h").await, 0);
            let failed = ask_within(&service, path, Limits::new(time)).await.unwrap_err();
            assert_eq!(failed.failure, Failure::Time { limit: time }, "{path}");
            assert!(failed.usage.wall >= time && failed.usage.wall < PATIENCE);
            until_instances(&bench, 0).await;
        }
        let answer = ask_within(&service, "/L", Limits::new(time)).await.unwrap();
        let error = read(answer.response).await.unwrap_err();
        assert_eq!(error.0, Failure::Time { limit: time });
        assert_eq!(patiently(answer.attempt.ended()).await.failure, Some(Failure::Time { limit: time }));
        until_instances(&bench, 0).await;
    }
}

#[tokio::test]
async fn who_is_late_does_not_end_the_others() {
    let bench = Bench::new();
    let service = service(&bench, Settings { concurrency: 4, ..Settings::default() });
    let time = Duration::from_secs(1);
    let late = ask_within(&service, "/s600000", Limits::new(time));
    let (late, other) = tokio::join!(late, ask(&service, "/s2000"));
    assert_eq!(late.unwrap_err().failure, Failure::Time { limit: time });
    assert_eq!(other.unwrap().response.status(), 201, "it was the second in the same instance");
}

#[tokio::test]
async fn a_reader_who_is_late_is_cut_off_alone() {
    let bench = Bench::new();
    let service = service(&bench, Settings { concurrency: 4, ..Settings::default() });
    let time = Duration::from_secs(1);
    let late = async {
        let answer = ask_within(&service, "/S600000", Limits::new(time)).await.unwrap();
        (read(answer.response).await.unwrap_err().0, patiently(answer.attempt.ended()).await.failure)
    };
    let (late, other) = tokio::join!(late, ask(&service, "/s2000"));
    assert_eq!(late, (Failure::Time { limit: time }, Some(Failure::Time { limit: time })));
    let other = other.unwrap();
    assert_eq!(other.response.status(), 201, "it was the second in the same instance");
    read(other.response).await.unwrap();
    // Nothing more is asked of it, and what it still does ends.
    assert_eq!(calls_before(&service, "/h").await, 0);
    assert_eq!(text(&service, "/S1").await, "Hello from WASI\n", "one that is in time is whole");
}

#[tokio::test]
async fn places_and_memory_are_limited() {
    let bench = Bench::with(|options| options.instances_max = 1);
    let alone = service(&bench, Settings::default());
    let (first, second) = tokio::join!(ask(&alone, "/s50"), ask(&alone, "/s50"));
    assert!(first.is_ok());
    assert_eq!(second.unwrap_err().failure, Failure::Busy { limit: 1 });
    drop(first);
    drop(alone);
    until_instances(&bench, 0).await;
    let cramped = service(&bench, Settings { memory: ByteSize::kib(64), ..Settings::default() });
    let failed = ask(&cramped, "/h").await.unwrap_err();
    assert!(matches!(failed.failure, Failure::Memory { wanted, .. } if wanted == ByteSize::kib(128)), "{failed}");
}
