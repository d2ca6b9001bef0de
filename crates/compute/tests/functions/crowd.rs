//! Web servers that take several calls at a time.

use std::sync::Arc;
use std::time::Duration;

use compute::{Activity, FunctionError, Image, Invocation, Outcome, Throttle};
use futures_util::future::join_all;
use sandbox::Mode;

use crate::harness::{Function, Node, PATIENCE, text, unlike_others};
use crate::load::until;

/// What the path says is what it does. `/meet` answers when eight are there; `/hang` never does; `/after` does as soon as somebody has
/// hung up.
const SERVER: &str = r#"
import json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
meeting, gone = threading.Barrier(8), threading.Event()
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if event == "meet":
            meeting.wait()
        elif event == "hang":
            self.connection.recv(1)
            gone.set()
            return
        elif event == "after":
            gone.wait()
        elif event == "exit":
            meeting.wait()
            os._exit(3)
        said = json.dumps(os.getpid()).encode()
        # In one piece: the threads' words would mix.
        os.write(1, f"served {event}\n".encode())
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words): pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

async fn load(node: &Node, concurrency: &str) -> Option<Arc<Image>> {
    let function = Function { language: "http", handler: "server.py", files: &[("server.py", SERVER)] };
    if let Err(error) = node.compute.language("python3.13") {
        base::trial::skip(error);
        return None;
    }
    let concurrency = concurrency.to_owned();
    node.load_with(&function, |settings| {
        settings.timeout = 2 * PATIENCE;
        settings.environment.insert("CONTAINER_CONCURRENCY".to_owned(), concurrency);
    })
    .await
}

async fn call(node: &Node, image: &Arc<Image>, payload: &str) -> Outcome {
    node.call_apart(image, payload).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_takes_as_many_calls_as_it_asks_for() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    // Nobody is answered before all are there, whatever it takes to come to that: the first is called cold.
    let outcomes = join_all((0..8).map(|_| call(&node, &image, r#""meet""#))).await;
    let [instance] = &node.compute.instances()[..] else { panic!("one instance did it") };
    assert_eq!((instance.attempts, instance.activity), (8, Activity::Idle));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.report.cold).count(), 1);
    // Each call has its own lines, all in the instance's stream.
    let log = node.log(&outcomes[0]).await;
    for what in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "served meet"] {
        assert_eq!(log.matches(what).count(), 8, "{what} in {log}");
    }
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none() && outcome.report.log_stream == instance.log_stream));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_fit_get_another_instance() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    call(&node, &image, "1").await;
    // Sixteen meet by eights.
    let outcomes = join_all((0..16).map(|_| call(&node, &image, r#""meet""#))).await;
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none()));
    assert!(node.compute.instances().len() <= 2, "{}", node.compute.instances().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_an_instance_full_is_answered_by_a_second_one() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    let first = call(&node, &image, "1").await;
    // They leave no room there for as long as the test lasts.
    let stuck = join_all((0..8).map(|_| call(&node, &image, r#""hang""#)));
    let overflowing = async {
        until("eight calls hang", || node.compute.instances().iter().any(|instance| instance.attempts == 9)).await;
        call(&node, &image, "2").await
    };
    let next = tokio::select! {
        next = overflowing => next,
        _ = stuck => panic!("nothing ends what hangs"),
    };
    assert_eq!(next.error, None);
    assert_ne!(next.report.log_stream, first.report.log_stream);
    // On a crowded machine those who hang may have waited for so long that one was started for them too.
    let instances = node.compute.instances().len();
    assert!((2..=3).contains(&instances), "{instances}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_ends_alone() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    let first = call(&node, &image, "1").await;
    let hasty = Invocation { timeout: Some(Duration::from_secs(2)), ..unlike_others(r#""hang""#) };
    let (late, other) = tokio::join!(node.compute.run(&image, hasty), call(&node, &image, r#""after""#));
    let late = late.unwrap();
    assert!(text(&late).contains("Task timed out after 2.00 seconds"), "{}", text(&late));
    // It was answered after the other's connection was closed.
    assert_eq!((&other.report.log_stream, other.error), (&first.report.log_stream, None));
    // Whoever hangs may have hung up more than one call: nothing new is begun there.
    let next = call(&node, &image, "1").await;
    assert_ne!(next.report.log_stream, first.report.log_stream);
    assert_eq!(node.compute.instances().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_takes_its_calls_with_it() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "0").await else { return };
    let meeting = (0..7).map(|_| call(&node, &image, r#""meet""#));
    let (others, outcome) = tokio::join!(join_all(meeting), call(&node, &image, r#""exit""#));
    assert!(text(&outcome).contains("Runtime exited with error: exit status 3"), "{}", text(&outcome));
    // Those that met it may have been answered a moment before.
    for other in others {
        let is_over = other.error.is_none() || text(&other).contains("exit status 3");
        assert!(is_over && other.error.is_none_or(|error| error == FunctionError::Unhandled), "{}", text(&other));
    }
    assert_eq!(call(&node, &image, "1").await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_instance_ends_with_its_last_call() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    call(&node, &image, "1").await;
    let begun = async {
        while node.compute.instances().iter().all(|instance| instance.activity != Activity::Busy) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        node.compute.retire(&image.arn);
        assert_eq!(node.compute.instances().len(), 1);
        call(&node, &image, r#""meet""#).await
    };
    let waiting = join_all((0..7).map(|_| call(&node, &image, r#""meet""#)));
    let (waiting, last) = tokio::join!(waiting, begun);
    assert!(waiting.iter().chain([&last]).all(|outcome| outcome.error.is_none()));
    let ended = async {
        while !node.compute.instances().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_all_the_same() {
    let node = Node::new(Mode::Auto);
    let Some(image) = load(&node, "8").await else { return };
    let code = image.code.clone();
    let mut settings = compute::Settings::clone(&image);
    settings.concurrency_reserved = Some(2);
    settings.revision = format!("{code} less");
    let image = node.compute.image(settings).unwrap();
    let calls = join_all((0..4).map(|_| node.try_call_apart(&image, "1"))).await;
    let throttled = calls
        .iter()
        .filter(|call| matches!(call, Err(compute::RunFault::Throttled { reason: Throttle::Reserved { limit: 2 } })));
    assert_eq!((throttled.count(), calls.iter().filter(|call| call.is_ok()).count()), (2, 2));
}
