//! What guests answer, and what they are told.

use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use wasm::{Failure, Kind, Limits, Run, Settings, Whose};

use crate::support::{Bench, PATIENCE, ask, ask_within, get, limits, listening, patiently, read, text};

#[tokio::test]
async fn a_quick_answer_comes_whole() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let answer = ask(&service, "/h").await.unwrap();
    assert_eq!(answer.response.status(), 200);
    assert_eq!(answer.response.body().size_hint().exact(), Some(16), "its length is known");
    assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
    let ended = patiently(answer.attempt.ended()).await;
    assert_eq!(ended.failure, None);
    let usage = ended.usage;
    assert!(usage.wall > Duration::ZERO && usage.cpu > Duration::ZERO && usage.cpu <= usage.wall, "{usage:?}");
    assert_eq!((usage.bytes_in, usage.bytes_out), (0, 16));
    // Two pages of memory.
    assert_eq!(usage.memory_peak, ByteSize::kib(128));
    assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)), "nothing stays");
}

#[tokio::test]
async fn each_request_has_an_instance_of_its_own() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    for _ in 0..3 {
        assert_eq!(text(&service, "/m").await, "1");
    }
}

#[tokio::test]
async fn guests_see_their_environment_and_print() {
    let bench = Bench::new();
    let pairs = [("STAGE", "test"), ("EMPTY", ""), ("UTF8", "grün")];
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let service = bench.service(Settings { environment, ..Settings::default() });
    assert_eq!(text(&service, "/v").await, "STAGE=test\nEMPTY=\nUTF8=grün\n");
    let (limits, printed) = listening();
    let answer = ask_within(&service, "/p3", limits).await.unwrap();
    assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
    assert_eq!(printed.take().unwrap(), "Hello from WASI\n".repeat(3).as_bytes());
}

#[tokio::test]
async fn bodies_stream_both_ways_in_bounded_memory() {
    let bench = Bench::new();
    let service = bench.service(Settings { memory: ByteSize::mib(1), ..Settings::default() });
    let (feed, fed) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let fed = futures_util::stream::unfold(fed, async |mut fed| fed.recv().await.map(|frame| (frame, fed)));
    let request = Request::post("http://guest.example/e").body(StreamBody::new(fed)).unwrap();
    let answer = patiently(service.handle(request, limits())).await.unwrap();
    let mut body = answer.response.into_body();
    // Part for part: what went in comes out before the next goes in.
    let part = Bytes::from(vec![7; 32 * 1024]);
    for _ in 0..256 {
        feed.send(Ok(Frame::data(part.clone()))).await.unwrap();
        let mut back = 0;
        while back < part.len() {
            let frame = patiently(body.frame()).await.unwrap().unwrap().into_data().unwrap();
            assert!(frame.iter().all(|byte| *byte == 7));
            back += frame.len();
        }
        assert_eq!(back, part.len());
    }
    drop(feed);
    assert!(patiently(body.frame()).await.is_none());
    let ended = patiently(answer.attempt.ended()).await;
    assert_eq!(ended.failure, None);
    assert_eq!((ended.usage.bytes_in, ended.usage.bytes_out), (8 << 20, 8 << 20));
    assert!(ended.usage.memory_peak <= ByteSize::mib(1), "{:?}", ended.usage);
}

#[tokio::test]
async fn a_guest_waits_for_its_reader() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    // 64 MiB, of which nobody reads anything at first.
    let answer = ask(&service, "/w16384").await.unwrap();
    let mut body = answer.response.into_body();
    let mut largest = 0;
    let mut total = 0_u64;
    while let Some(frame) = patiently(body.frame()).await {
        let data = frame.unwrap().into_data().unwrap();
        largest = largest.max(data.len());
        total += data.len() as u64;
    }
    assert_eq!(total, 64 << 20);
    assert!(largest <= 64 * 1024, "a part has {largest}");
    assert_eq!(patiently(answer.attempt.ended()).await.usage.bytes_out, 64 << 20);
}

#[tokio::test]
async fn a_guest_whose_reader_left_goes_on() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let answer = ask(&service, "/w100000").await.unwrap();
    drop(answer.response);
    let ended = patiently(answer.attempt.ended()).await;
    assert_eq!(ended.failure, None, "it finds its stream closed, and ends");
}

#[tokio::test]
async fn a_guest_may_work_after_its_answer() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let (limits, printed) = listening();
    let answer = ask_within(&service, "/k20", limits).await.unwrap();
    assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
    let ended = patiently(answer.attempt.ended()).await;
    assert_eq!(ended.failure, None);
    assert!(ended.usage.wall >= Duration::from_millis(20));
    assert_eq!(printed.take().unwrap(), b"after\n");
}

#[tokio::test]
async fn a_request_that_breaks_off_reaches_the_guest_as_an_end() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(std::io::Error::other("hung up"))];
    let request = Request::post("/e").header("host", "x");
    let request = request.body(StreamBody::new(futures_util::stream::iter(frames))).unwrap();
    let answer = patiently(service.handle(request, limits())).await.unwrap();
    assert_eq!(read(answer.response).await.unwrap(), "half");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    for (path, whose, expected) in [
        ("/n", Whose::Guest, "it returned without an answer"),
        ("/x", Whose::Guest, "it exited with status 1 instead of answering"),
        ("/r", Whose::Guest, "it answered with the error ErrorCode::InternalError(None)"),
        ("/u", Whose::Guest, "it did not finish the body of its answer: HTTP protocol error"),
        ("/c", Whose::Guest, "it did not finish the body of its answer: HTTP protocol error"),
        ("/d", Whose::Guest, "wasm trap: call stack exhausted"),
    ] {
        let failed = ask(&service, path).await.unwrap_err();
        let words = failed.failure.to_string();
        assert!(words.starts_with(expected), "{path}: {words}");
        assert_eq!(failed.failure.whose(), whose, "{path}");
        assert!(failed.usage.wall > Duration::ZERO, "{path}");
    }
    assert_eq!(bench.engine.instances(), 0);
}

#[tokio::test]
async fn a_trap_says_where() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let Failure::Trap { reason, backtrace } = ask(&service, "/t").await.unwrap_err().failure else {
        panic!("it traps")
    };
    assert_eq!(reason, "wasm trap: wasm `unreachable` instruction executed");
    let places: Vec<&str> = backtrace.lines().filter_map(|line| line.split('!').nth(1)).collect();
    assert_eq!(places, ["fail-deep", "fail", "handle"], "{backtrace}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_whole_answer() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let answer = ask(&service, "/T").await.unwrap();
    let error = read(answer.response).await.unwrap_err();
    assert!(matches!(error.0, Failure::Trap { .. }), "{error}");
    assert!(matches!(patiently(answer.attempt.ended()).await.failure, Some(Failure::Trap { .. })));
}

/// The guest ends on one thread while another reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_takes_a_failure_for_the_end() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    for round in 0..100 {
        let path = ["/T", "/L"][round % 2];
        let limits = Limits::new(Duration::from_millis(if path == "/L" { 20 } else { 60_000 }));
        // It may be over before anything was answered.
        if let Ok(answer) = ask_within(&service, path, limits).await {
            assert!(read(answer.response).await.is_err(), "{path} in round {round}");
        }
    }
}

#[tokio::test]
async fn an_exit_after_the_answer_is_a_good_end() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let answer = ask(&service, "/X").await.unwrap();
    assert_eq!(read(answer.response).await.unwrap(), "Hello from WASI\n");
    assert_eq!(patiently(answer.attempt.ended()).await.failure, None);
}

#[tokio::test]
async fn a_request_must_name_its_host() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let mut nameless = get("/h");
    nameless.headers_mut().clear();
    let failed = patiently(service.handle(nameless, limits())).await.unwrap_err();
    assert_eq!(failed.failure.to_string(), "the request cannot be handed over: it does not say which host it is for");
    assert_eq!(failed.failure.whose(), Whose::Caller);
    let mut absolute = get("http://guest.example/h");
    absolute.headers_mut().clear();
    assert!(patiently(service.handle(absolute, limits())).await.is_ok());
}

#[tokio::test]
async fn an_http_component_is_no_command() {
    let bench = Bench::new();
    let acts = bench.acts();
    assert_eq!(acts.kind(), Kind::Http);
    let failed = acts.run(&Settings::default(), Run::new(Vec::new(), PATIENCE)).await.unwrap_err();
    assert_eq!(failed.failure.to_string(), "this is an HTTP component, which cannot be called like this");
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_ends_the_guest() {
    let bench = Bench::new();
    let service = bench.service(Settings::default());
    let handled = service.handle(get("/s60000"), limits());
    assert!(tokio::time::timeout(Duration::from_millis(50), handled).await.is_err(), "it sleeps");
    assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)));
}
