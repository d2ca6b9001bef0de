//! Web servers as functions: real programs that listen on `$PORT` and know nothing of us.

use std::sync::Arc;
use std::time::Duration;

use compute::{FunctionError, Image, Settings};
use sandbox::Mode;
use serde_json::{Value, json};

use crate::harness::{Function, Node, REQUEST_ID, invocation, json as document, text};

/// Python's own server. What the path says is what it does.
const PYTHON: &str = r#"
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/exit":
            os._exit(3)
        if self.path == "/hang":
            import time
            time.sleep(3600)
        if self.path == "/noise":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        if self.path == "/half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            self.close_connection = True
            return
        if self.path == "/large":
            said = b"x" * 6291557
        elif self.path == "/binary":
            said = bytes(range(256))
        else:
            said = json.dumps({"method": self.command, "path": self.path, "body": body.decode(), "pid": os.getpid(),
                               "headers": {name.lower(): value for name, value in self.headers.items()}}).encode()
        print("served", self.path)
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("content-type", "application/octet-stream" if self.path == "/binary" else "application/json")
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *words): pass
ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// Node's own.
const NODE: &str = r#"
require("node:http").createServer((request, response) => {
    let body = "";
    request.on("data", piece => body += piece);
    request.on("end", () => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ method: request.method, path: request.url, body, headers: request.headers }));
    });
}).listen(process.env.PORT);
"#;

fn function<'a>(language: &'a str, handler: &'a str, files: &'a [(&'a str, &'a str)]) -> Function<'a> {
    Function { language, handler, files }
}

const IN_PYTHON: Function<'static> =
    Function { language: "http", handler: "server.py", files: &[("server.py", PYTHON)] };

fn has(node: &Node, language: &str) -> bool {
    match node.compute.language(language) {
        Ok(_) => true,
        Err(error) => {
            base::trial::skip(error);
            false
        }
    }
}

/// What a function URL sends.
fn request(method: &str, path: &str, body: &str) -> String {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "own.example", "x-own": "1" },
        "requestContext": { "http": { "method": method, "path": path } },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// The response inside a result, with its body read as JSON.
fn response(outcome: &compute::Outcome) -> (Value, Value) {
    let response = document(outcome);
    let body = serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
    (response, body)
}

async fn with(node: &Node, function: &Function<'_>, variables: &[(&str, &str)]) -> Arc<Image> {
    limited(node, function, variables, Duration::from_secs(30)).await
}

async fn limited(node: &Node, function: &Function<'_>, variables: &[(&str, &str)], limit: Duration) -> Arc<Image> {
    let change = |settings: &mut Settings| {
        settings.timeout = limit;
        for (name, value) in variables {
            settings.environment.insert((*name).to_owned(), (*value).to_owned());
            settings.revision += &format!("{name}={value};");
        }
        settings.revision += function.language;
    };
    node.load_with(function, change).await.unwrap()
}

#[tokio::test]
async fn a_server_in_python_gets_requests_and_events() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "python3.13") {
        return;
    }
    let image = node.load(&IN_PYTHON).await.unwrap();
    let first = node.call(&image, &request("DELETE", "/a%20b", "text")).await;
    assert_eq!(first.error, None, "{}", text(&first));
    let (answer, body) = response(&first);
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(200), &json!(false)));
    assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!((&body["method"], &body["path"], &body["body"]), (&json!("DELETE"), &json!("/a%20b"), &json!("text")));
    let headers = &body["headers"];
    assert_eq!((&headers["host"], &headers["x-own"]), (&json!("own.example"), &json!("1")));
    let context: Value = serde_json::from_str(headers["x-amzn-lambda-context"].as_str().unwrap()).unwrap();
    assert_eq!(context["request_id"], REQUEST_ID);
    let sent: Value = serde_json::from_str(headers["x-amzn-request-context"].as_str().unwrap()).unwrap();
    assert_eq!(sent["http"]["method"], "DELETE");

    let (teapot, _) = response(&node.call(&image, &request("GET", "/teapot", "")).await);
    assert_eq!(teapot["statusCode"], 418);
    let (binary, _) = response(&node.call(&image, &request("GET", "/binary", "")).await);
    assert_eq!(binary["isBase64Encoded"], true);
    assert!(binary["body"].as_str().unwrap().starts_with("AAECAwQF"));
    let event = document(&node.call(&image, r#"{"Records": [1]}"#).await);
    assert_eq!(
        (&event["method"], &event["path"], &event["body"]),
        (&json!("POST"), &json!("/events"), &json!(r#"{"Records": [1]}"#))
    );
    assert_eq!(event["pid"], body["pid"], "one instance serves them all");
    let log = node.log(&first).await;
    assert!(log.starts_with("INIT_START Runtime Version: http\nSTART RequestId: "), "{log}");
    assert!(log.contains("\nserved /a%20b\nEND RequestId: "), "what it prints is there at once: {log}");
}

/// Where guests share the host's network, each server has a port of its own there.
#[tokio::test]
async fn servers_run_without_walls_too() {
    let node = Node::new(Mode::Off);
    if !has(&node, "python3.13") {
        return;
    }
    let image = node.load(&IN_PYTHON).await.unwrap();
    let call = || async { document(&node.call(&image, "1").await)["pid"].clone() };
    let (one, two) = tokio::join!(call(), call());
    assert!(one.is_u64() && two.is_u64());
    let failed = node.call(&image, &request("GET", "/exit", "")).await;
    assert_eq!(document(&failed)["errorType"], "Runtime.ExitError");
    assert!(call().await.is_u64());
}

#[tokio::test]
async fn a_server_in_node_gets_requests_and_events() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "nodejs24.x") {
        return;
    }
    let start = r#"{"scripts": {"start": "node app.js"}}"#;
    for (handler, files, variables) in [
        ("server.js", &[("server.js", NODE)][..], &[][..]),
        ("package.json", &[("package.json", start), ("app.js", NODE)], &[]),
        ("Procfile", &[("Procfile", "web: node app.js\n"), ("app.js", NODE)], &[("PORT", "3000")]),
        ("run.sh", &[("run.sh", "#!/bin/sh\nexec node app.js\n"), ("app.js", NODE)], &[]),
        ("server.js", &[("server.js", NODE)], &[("AWS_LWA_READINESS_CHECK_PATH", "/up")]),
    ] {
        let image = with(&node, &function("http", handler, files), variables).await;
        let outcome = node.call(&image, &request("POST", "/x?", "ü")).await;
        assert_eq!(outcome.error, None, "{handler}: {}", text(&outcome));
        let (_, body) = response(&outcome);
        assert_eq!(
            (&body["method"], &body["path"], &body["body"]),
            (&json!("POST"), &json!("/x%3F"), &json!("ü")),
            "{handler}"
        );
        let event = document(&node.call(&image, "[1]").await);
        assert_eq!((&event["path"], &event["body"]), (&json!("/events"), &json!("[1]")), "{handler}");
    }
}

#[tokio::test]
async fn what_was_made_for_the_web_adapter_runs() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "python3.13") {
        return;
    }
    let run = ("run.sh", "#!/bin/sh\nexec python3 server.py\n");
    let bootstrap = ("bootstrap", "#!/bin/sh\nexec python3 server.py\n");
    let server = ("server.py", PYTHON);
    let wrapper = ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bootstrap");
    for (language, handler, files, variables, path) in [
        ("python3.13", "run.sh", &[run, server][..], &[wrapper][..], "/events"),
        ("provided.al2023", "bootstrap", &[bootstrap, server], &[("AWS_LWA_PORT", "8081")], "/events"),
        ("provided.al2023", "run.sh", &[run, server], &[wrapper, ("AWS_LWA_PASS_THROUGH_PATH", "/mine")], "/mine"),
    ] {
        let image = with(&node, &function(language, handler, files), variables).await;
        let outcome = node.call(&image, "7").await;
        assert_eq!(outcome.error, None, "{language}: {}", text(&outcome));
        let said = document(&outcome);
        assert_eq!((&said["path"], &said["body"]), (&json!(path), &json!("7")), "{language} {handler}");
    }
    // A path of its own, and statuses that are failures.
    let variables = [("AWS_LWA_REMOVE_BASE_PATH", "/base"), ("AWS_LWA_ERROR_STATUS_CODES", "418")];
    let image = with(&node, &IN_PYTHON, &variables).await;
    let (_, body) = response(&node.call(&image, &request("GET", "/base/x", "")).await);
    assert_eq!(body["path"], "/x");
    let failed = node.call(&image, &request("GET", "/base/teapot", "")).await;
    assert_eq!((&document(&failed)["errorType"], failed.error), (&json!("Http.418"), Some(FunctionError::Unhandled)));
}

#[tokio::test]
async fn servers_that_fail_cost_one_call() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "python3.13") {
        return;
    }
    let image = node.load(&IN_PYTHON).await.unwrap();
    let mut calls = Vec::new();
    for (path, kind, message, goes_on) in [
        ("/noise", "Runtime.InvalidResponse", "The server did not answer: ", true),
        ("/half", "Runtime.TruncatedResponse", "The server's answer broke off: ", true),
        (
            "/large",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            true,
        ),
        (
            "/exit",
            "Runtime.ExitError",
            "RequestId: 8f507cfc-example-4697-b07a-ac58fc914c95 Error: Runtime exited with error: exit status 3",
            false,
        ),
        (
            "/hang",
            "Sandbox.Timedout",
            "RequestId: 8f507cfc-example-4697-b07a-ac58fc914c95 Error: Task timed out after 1.00 seconds",
            false,
        ),
    ] {
        let mut call = invocation(&request("GET", path, ""));
        if path == "/hang" {
            call.timeout = Some(Duration::from_secs(1));
        }
        let before = node.call(&image, "1").await;
        let outcome = node.compute.run(&image, call).await.unwrap();
        assert_eq!(outcome.error, Some(FunctionError::Unhandled), "{path}");
        let said = document(&outcome);
        assert_eq!(said["errorType"], kind, "{path}");
        assert!(said["errorMessage"].as_str().unwrap().starts_with(message), "{said}");
        let after = node.call(&image, "1").await;
        assert_eq!(after.error, None, "{path}");
        assert_eq!(after.report.log_stream == before.report.log_stream, goes_on, "{path}");
        calls.push(after);
    }
    assert_eq!(calls.len(), 5);
}

#[tokio::test]
async fn servers_that_never_begin_say_why() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "python3.13") {
        return;
    }
    const EXITS: &str = "import sys\nprint('no')\nsys.exit(7)\n";
    const SLEEPS: &str = "import time\ntime.sleep(3600)\n";
    const SICK: &str = r#"
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self): self.send_error(503)
    def log_message(self, *words): pass
HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;
    let checked =
        |handler: &'static str, files: &'static [(&'static str, &'static str)], variables: &'static [(&str, &str)]| {
            let node = &node;
            async move {
                // Initialisation has ten seconds at least.
                let limit = Duration::from_secs(1);
                let image = limited(node, &function("http", handler, files), variables, limit).await;
                let outcome = node.call(&image, "1").await;
                assert_eq!(outcome.error, Some(FunctionError::Unhandled), "{handler}");
                let said = document(&outcome);
                let message = said["errorMessage"].as_str().unwrap().to_owned();
                let log = node.log(&outcome).await;
                let reason = message.strip_prefix(&format!("RequestId: {REQUEST_ID} Error: ")).unwrap().to_owned();
                assert!(log.contains(&reason), "{log}");
                (said["errorType"].as_str().unwrap().to_owned(), reason)
            }
        };
    // Two that take the whole time of initialisation, at once.
    let (silent, sick) = tokio::join!(
        checked("server.py", &[("server.py", SLEEPS)], &[]),
        checked("server.py", &[("server.py", SICK)], &[("AWS_LWA_READINESS_CHECK_PATH", "/up")])
    );
    let none = "The server did not listen on port 8080 of 127.0.0.1, which PORT says, within 10.00 seconds";
    assert_eq!(silent, ("Sandbox.Timedout".to_owned(), none.to_owned()));
    let none = "The server on port 8080 did not answer GET /up with a status of 100-499 within 10.00 seconds";
    assert_eq!(sick, ("Sandbox.Timedout".to_owned(), none.to_owned()));
    for (handler, files, variables, kind, reason) in [
        (
            "server.py",
            &[("server.py", EXITS)][..],
            &[][..],
            "Runtime.ExitError",
            "Runtime exited with error: exit status 7",
        ),
        (
            "index.handler",
            &[("server.py", EXITS)],
            &[],
            "Runtime.InvalidEntrypoint",
            "Couldn't find 'index.handler' in the package.",
        ),
        ("plain", &[("plain", "words")], &[], "Runtime.InvalidEntrypoint", "'plain' is not executable"),
        (
            "server.py",
            &[("server.py", EXITS)],
            &[("PORT", "4566")],
            "Runtime.InvalidEntrypoint",
            "The server cannot listen on port 4566",
        ),
    ] {
        let (said, why) = checked(handler, files, variables).await;
        assert_eq!(said, kind);
        assert!(why.starts_with(reason), "{why}");
    }
}

#[tokio::test]
async fn servers_are_told_what_other_platforms_tell_them() {
    let node = Node::new(Mode::Auto);
    if !has(&node, "python3.13") {
        return;
    }
    // Where OpenFaaS's watchdog would look for it, and nowhere else; it tells what Knative's and Cloud Run's servers look for.
    let server = PYTHON.replace(r#"int(os.environ["PORT"])"#, "5000").replace(
        r#""pid": os.getpid()"#,
        r#""pid": [os.environ[name] for name in ("K_SERVICE", "K_CONFIGURATION", "K_REVISION", "PORT")]"#,
    );
    let own_network = node.compute.isolation().has(sandbox::Part::Network);
    let function = Function { language: "http", handler: "server.py", files: &[("server.py", &server)] };
    let told = [("fprocess", "python3 server.py"), ("mode", "http"), ("upstream_url", "http://127.0.0.1:5000")];
    if !own_network {
        return base::trial::skip("each server has another port here");
    }
    let image = with(&node, &function, &told).await;
    let (_, body) = response(&node.call(&image, &request("GET", "/", "")).await);
    assert_eq!(body["pid"], json!(["f", "f", "f-LATEST", "5000"]));
    let image = with(&node, &function, &[told[2], ("K_REVISION", "mine")]).await;
    let (_, body) = response(&node.call(&image, &request("GET", "/", "")).await);
    assert_eq!(body["pid"][2], "mine", "what a function says itself counts");
}
