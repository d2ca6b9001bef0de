//! First calls: guests that are booted ahead, and bursts on functions that were never called.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sandbox::{Mode, Part};

use crate::harness::{Function, Node, json, text};
use crate::load::until;

/// A server of a few lines that answers every event with the number of its process.
const SERVER: &str = r#"
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        said = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words): pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// The same by the Runtime API.
const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    answer.read()
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", str(os.getpid()))
    api.getresponse().read()
"#;

const FUNCTIONS: [Function<'static>; 4] = [
    Function {
        language: "nodejs20.x",
        handler: "index.handler",
        files: &[("index.js", "exports.handler = async () => process.pid")],
    },
    Function {
        language: "python3.13",
        handler: "app.handler",
        files: &[("app.py", "import os\ndef handler(e, c): return os.getpid()")],
    },
    Function { language: "provided.al2023", handler: "bootstrap", files: &[("bootstrap", BOOTSTRAP)] },
    Function { language: "http", handler: "server.py", files: &[("server.py", SERVER)] },
];

/// Whether what the functions are written in is here.
fn runs(function: &Function<'_>) -> bool {
    let in_python = ["provided.al2023", "http"].contains(&function.language);
    let runs = !in_python || std::path::Path::new("/usr/bin/python3").exists();
    if !runs {
        base::trial::skip(format_args!("{} needs /usr/bin/python3 here", function.language));
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_guest_that_was_booted_ahead_is_followed_by_another() {
    for function in FUNCTIONS.iter().filter(|function| runs(function)) {
        let node = Node::new(Mode::Auto);
        if !node.compute.isolation().has(Part::Namespaces) {
            return base::trial::skip("nothing is booted ahead here");
        }
        let ahead = || node.compute.booted_ahead();
        for taken in 0..2 {
            let Some(image) = node.load(function).await else { break };
            until("a guest is ready that nobody asked for yet", || ahead().ready > 0).await;
            assert_eq!(ahead().taken, taken, "{}", function.language);
            let outcome = node.call_apart(&image, "1").await;
            assert!(json(&outcome).is_u64(), "{}: {}", function.language, text(&outcome));
            assert_eq!(ahead().taken, taken + 1, "{}: the instance is the guest that was ready", function.language);
            node.compute.retire(&image.arn);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_boots_what_was_in_use() {
    let node = Node::new(Mode::Auto);
    if !node.compute.isolation().has(Part::Namespaces) {
        return base::trial::skip("nothing is booted ahead here");
    }
    let Some(image) = node.load(&FUNCTIONS[0]).await else { return };
    until("a guest is ready", || node.compute.booted_ahead().ready > 0).await;
    assert!(node.compute.booted_ahead().memory_bytes > 0, "{:?}", node.compute.booted_ahead());
    let remembered = node.dir.path().join("compute/booted.json");
    until("it is remembered", || std::fs::read_to_string(&remembered).is_ok_and(|text| text.contains("main.js"))).await;
    drop(image);
    let Node { compute, dir, .. } = node;
    drop(compute);
    let again = Node::new_in(&dir.path().join("compute"));
    until("one is ready before there is any function", || again.booted_ahead().ready > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_a_cold_function_starts_what_it_needs() {
    for (booted_max, function) in [(4, &FUNCTIONS[0]), (0, &FUNCTIONS[0]), (4, &FUNCTIONS[1]), (0, &FUNCTIONS[1])] {
        let node = Node::with(Mode::Auto, |options| options.booted_max = booted_max);
        let Some(image) = node.load(function).await else { continue };
        let outcomes = join_all((0..200).map(|_| node.call_apart(&image, "1"))).await;
        let case = format!("{} with {booted_max} ahead", function.language);
        assert!(outcomes.iter().all(|outcome| outcome.error.is_none()), "{case}");
        let streams: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.report.log_stream.as_str()).collect();
        let cold = outcomes.iter().filter(|outcome| outcome.report.cold).count();
        assert_eq!(cold, streams.len(), "{case}: each instance was cold to its first call alone");
        // Each of them for itself would be two hundred. How many it is depends on how long starts take here; one will do.
        assert!(node.compute.instances().len() <= 50, "{case}: {}", node.compute.instances().len());
    }
}
