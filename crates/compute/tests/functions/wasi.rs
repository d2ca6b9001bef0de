//! WebAssembly in this process: components that answer requests, and commands, with Lambda's ways around them. The component is the
//! guest of many acts that `wasm` itself is tested with: the first letter of the path says what it does.

use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compute::{
    Activity, Answer, BodyError, CodeError, Conversation, FunctionError, Image, Invocation, Outcome, RunFault,
    Settings, Throttle, Unanswered,
};
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use sandbox::Mode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use zip::write::SimpleFileOptions;

use crate::harness::{Function, Node, PATIENCE, REQUEST_ID, invocation, json, plain, text};

const PRELUDE: &str = include_str!("../../../wasm/tests/guests/wat/prelude.wat");
const ACTS: &str = include_str!("../../../wasm/tests/guests/wat/acts.wat");

/// Says on its standard error what it does, by the first letter of the event (a string of JSON): c copies, e complains and exits with 3,
/// l loops, t traps, o prints without end, h prints text that is no JSON.
const COMMAND: &str = r#"
  (module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 4)
    (data (i32.const 3000) "complaint\0a")
    (data (i32.const 3020) "words\0a")
    (func $put (param $fd i32) (param $at i32) (param $length i32)
      (i32.store (i32.const 8) (local.get $at))
      (i32.store (i32.const 12) (local.get $length))
      (if (call $write (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 74)))))
    (func (export "_start")
      (local $act i32)
      (i32.store (i32.const 8) (i32.const 8192))
      (i32.store (i32.const 12) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16)))
      (local.set $act (i32.load8_u (i32.const 8193)))
      (if (i32.eq (local.get $act) (i32.const 0x63)) (then (call $put (i32.const 1) (i32.const 8192) (i32.load (i32.const 16)))))
      (if (i32.eq (local.get $act) (i32.const 0x65))
        (then (call $put (i32.const 2) (i32.const 3000) (i32.const 10)) (call $exit (i32.const 3))))
      (if (i32.eq (local.get $act) (i32.const 0x6c)) (then (loop $forever (br $forever))))
      (if (i32.eq (local.get $act) (i32.const 0x74)) (then unreachable))
      (if (i32.eq (local.get $act) (i32.const 0x6f))
        (then (loop $forever (call $put (i32.const 1) (i32.const 81920) (i32.const 65536)) (br $forever))))
      (if (i32.eq (local.get $act) (i32.const 0x68)) (then (call $put (i32.const 1) (i32.const 3020) (i32.const 6))))))
"#;

fn acts() -> Vec<u8> {
    wat::parse_str(format!("(component {})", PRELUDE.replace("MAIN\n", ACTS))).unwrap()
}

fn package(files: &[(&str, &[u8])]) -> Bytes {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    Bytes::from(zip.finish().unwrap().into_inner())
}

/// Loads a function whose `app.wasm` has these bytes.
async fn load(node: &Node, binary: &[u8], change: impl FnOnce(&mut Settings)) -> Arc<Image> {
    let code = node.compute.prepare(package(&[("app.wasm", binary)])).await.unwrap();
    let function = Function { language: "provided.al2023", handler: "app.wasm", files: &[("unused", "")] };
    let image = node.load_with(&function, |settings| {
        settings.revision = code.to_string();
        settings.code = code;
        change(settings);
    });
    image.await.unwrap()
}

async fn component(node: &Node) -> Arc<Image> {
    load(node, &acts(), |_| {}).await
}

/// The event of a request to a function's URL.
fn get(path: &str) -> String {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "guest.example" },
        "requestContext": { "http": { "method": "GET", "path": path } },
        "isBase64Encoded": false,
    })
    .to_string()
}

async fn ask(node: &Node, image: &Arc<Image>, path: &str) -> Outcome {
    node.call(image, &get(path)).await
}

fn body(outcome: &Outcome) -> String {
    assert_eq!(outcome.error, None, "{}", text(outcome));
    let answer = json(outcome);
    assert_eq!(answer["statusCode"], 200, "{answer}");
    match answer["isBase64Encoded"].as_bool() {
        Some(true) => panic!("it is text: {answer}"),
        Some(false) | None => answer["body"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_component_answers_with_lambdas_lines_around_it() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    let first = ask(&node, &image, "/p2").await;
    assert_eq!(body(&first), "Hello from WASI\n");
    assert!(first.report.cold && first.report.init.is_some(), "the first call makes the environment");
    let id = REQUEST_ID;
    let printed = "Hello from WASI\nHello from WASI\n";
    let call = |init: &str| {
        format!(
            "START RequestId: {id} Version: $LATEST\n{printed}END RequestId: {id}\nREPORT RequestId: {id}\tDuration: N ms\tBilled \
             Duration: N ms\tMemory Size: N MB\tMax Memory Used: N MB\t{init}\n"
        )
    };
    let started = format!("INIT_START Runtime Version: wasi:http\n{}", call("Init Duration: N ms\t"));
    assert_eq!(plain(&node.log(&first).await), started);
    let tail = String::from_utf8(first.log_tail.clone().unwrap()).unwrap();
    assert!(tail.starts_with("START RequestId") && tail.contains(printed), "{tail}");

    let second = ask(&node, &image, "/p2").await;
    assert!(!second.report.cold && second.report.init.is_none());
    assert_eq!(second.report.log_stream, first.report.log_stream, "one call after the other writes to one stream");
    assert_eq!(plain(&node.log(&second).await), started + &call(""));
    assert!(second.report.memory_peak_mb >= 1);

    // Nothing is left of one call for the next one.
    assert_eq!(body(&ask(&node, &image, "/m").await), "1");
    assert_eq!(body(&ask(&node, &image, "/m").await), "1");
    let [instance] = &node.compute.instances()[..] else { panic!("there is one stream") };
    assert_eq!((instance.function.as_str(), instance.activity, instance.attempts), ("f", Activity::Idle, 4));
}

#[tokio::test]
async fn an_event_that_is_no_request_is_posted() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    // Its path is `/events`, and e is for echo.
    let outcome = node.call(&image, r#"{"any":"event"}"#).await;
    assert_eq!((text(&outcome), outcome.error), (r#"{"any":"event"}"#, None));
    let change = |settings: &mut Settings| {
        settings.environment.insert("AWS_LWA_PASS_THROUGH_PATH".to_owned(), "/hello".to_owned());
        settings.revision += "hello";
    };
    let image = load(&node, &acts(), change).await;
    let outcome = node.call(&image, r#"{"any":"event"}"#).await;
    assert_eq!((text(&outcome), outcome.error), (r#""Hello from WASI\n""#, None), "text is told as JSON");
}

#[tokio::test]
async fn the_environment_is_the_functions() {
    let node = Node::with(Mode::Auto, |options| options.endpoint_url = Some("http://127.0.0.1:4566".to_owned()));
    let change =
        |settings: &mut Settings| drop(settings.environment.insert("GREETING".to_owned(), "hi there".to_owned()));
    let image = load(&node, &acts(), change).await;
    let said = body(&ask(&node, &image, "/v").await);
    for line in [
        "GREETING=hi there",
        "AWS_ACCESS_KEY_ID=ASIATEST",
        "AWS_REGION=us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME=f",
        "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "_HANDLER=app.wasm",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is not in {said}");
    }
    for name in ["PATH=", "LD_LIBRARY_PATH=", "LAMBDA_TASK_ROOT=", "AWS_LAMBDA_RUNTIME_API="] {
        assert!(!said.lines().any(|one| one.starts_with(name)), "{name} is in {said}");
    }
}

/// Hands a request through, and waits for the head of its answer.
async fn converse(node: &Node, image: &Arc<Image>, path: &str) -> Result<Answer, Unanswered> {
    let parts: Vec<Result<Frame<Bytes>, BodyError>> =
        ["one ", "two ", "three"].map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).into();
    let body = StreamBody::new(futures_util::stream::iter(parts));
    let request = Request::post(path).header("host", "guest.example").body(body).unwrap();
    let (conversation, mut reply) = Conversation::new(request);
    let call = Invocation { conversation: Some(conversation), ..invocation("") };
    tokio::time::timeout(PATIENCE, node.compute.converse(image, call, &mut reply)).await.expect("it comes")
}

async fn next(answer: &mut Answer) -> Option<Result<Bytes, BodyError>> {
    let frame = tokio::time::timeout(PATIENCE, answer.response.body_mut().frame()).await.expect("it comes")?;
    Some(frame.map(|frame| frame.into_data().unwrap()))
}

/// The log of the only stream, once its calls have ended.
async fn log_of_ended(node: &Node, calls: usize) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        node.compute.flush_logs().await;
        let log = node.compute.instances().first().map(|one| node.lines.of(&one.log_stream)).unwrap_or_default();
        if log.matches("\nREPORT").count() == calls {
            return log;
        }
        assert!(Instant::now() < until, "{log}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_component_takes_several_calls_at_a_time_where_it_asks_for_it() {
    let node = Node::new(Mode::Auto);
    // It answers with 200 and how often its instance was called before.
    let shared = wat::parse_str(include_str!("../../../wasm/tests/guests/wat/shared.wat")).unwrap();
    for (variable, most, expected) in [
        ("AWS_LAMBDA_MAX_CONCURRENCY", "16", (200..216).collect::<Vec<u64>>()),
        ("CONTAINER_CONCURRENCY", "0", (200..216).collect()),
        ("UNRELATED", "16", vec![200; 16]),
    ] {
        let change = |settings: &mut Settings| {
            settings.arn += variable;
            settings.environment.insert(variable.to_owned(), most.to_owned());
        };
        let image = load(&node, &shared, change).await;
        let mut asked = JoinSet::new();
        for _ in 0..16 {
            let (compute, image) = (node.compute.clone(), Arc::clone(&image));
            asked.spawn(async move { compute.run(&image, invocation(&get("/s1000"))).await });
        }
        let mut answers = Vec::new();
        while let Some(outcome) = asked.join_next().await {
            let outcome = outcome.unwrap().unwrap();
            answers.push(json(&outcome)["statusCode"].as_u64().unwrap());
        }
        answers.sort_unstable();
        assert_eq!(answers, expected, "{variable}={most}");
    }
}

#[tokio::test]
async fn an_instance_answers_several_calls_where_its_function_says_so() {
    let node = Node::new(Mode::Auto);
    for (said, expected) in [(None, "1111"), (Some("1"), "1111"), (Some("3"), "1231"), (Some("many"), "1111")] {
        let reuse = |settings: &mut Settings| {
            settings.environment.extend(said.map(|times| ("FREEHOLD_REUSE".to_owned(), times.to_owned())));
        };
        let image = load(&node, &acts(), reuse).await;
        let mut found = String::new();
        for _ in 0..4 {
            found += &body(&ask(&node, &image, "/m").await);
        }
        assert_eq!(found, expected, "{said:?}");
    }
}

#[tokio::test]
async fn a_component_is_told_whether_it_is_provisioned() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    for (wanted, expected) in [(0, "on-demand"), (2, "provisioned-concurrency"), (0, "on-demand")] {
        node.compute.provision(&image, wanted);
        let said = body(&ask(&node, &image, "/v").await);
        assert!(said.contains(&format!("AWS_LAMBDA_INITIALIZATION_TYPE={expected}\n")), "{wanted}: {said}");
    }
}

#[tokio::test]
async fn requests_and_answers_stream() {
    let node = Node::new(Mode::Auto);
    let image = load(&node, &acts(), |settings| settings.timeout = Duration::from_secs(5)).await;
    assert_eq!(node.compute.takes_requests(&image), None, "it was not compiled ahead");
    node.compute.compile(&image.code, "provided.al2023", "app.wasm").await.unwrap();
    assert_eq!(node.compute.takes_requests(&image), Some(true));

    let mut echo = converse(&node, &image, "/e").await.unwrap();
    let mut said = Vec::new();
    while let Some(part) = next(&mut echo).await {
        said.extend_from_slice(&part.unwrap());
    }
    assert_eq!((echo.response.status().as_u16(), said.as_slice()), (200, &b"one two three"[..]));

    // More than an event could be answered with.
    let mut large = converse(&node, &image, "/w1600").await.unwrap();
    let mut length = 0;
    while let Some(part) = next(&mut large).await {
        length += part.unwrap().len();
    }
    assert_eq!(length, 1600 * 4096);

    let began = Instant::now();
    let mut slow = converse(&node, &image, "/S1000").await.unwrap();
    assert_eq!(next(&mut slow).await.unwrap().unwrap(), "Hello from WASI\n");
    assert!(node.compute.instances().iter().any(|one| one.activity == Activity::Busy), "it goes on");
    assert!(next(&mut slow).await.is_none());
    assert!(began.elapsed() >= Duration::from_secs(1));

    let mut late = converse(&node, &image, "/L").await.unwrap();
    assert_eq!(next(&mut late).await.unwrap().unwrap(), "Hello from WASI\n");
    assert!(next(&mut late).await.unwrap().is_err(), "an answer that breaks off is not whole");

    let Err(Unanswered::Failed(outcome)) = converse(&node, &image, "/t").await else { panic!("it traps") };
    assert_eq!(json(&outcome)["errorType"], "Runtime.Trap");

    // Who goes away ends nothing but the answer.
    drop(converse(&node, &image, "/S500").await.unwrap());
    let log = log_of_ended(&node, 6).await;
    assert!(log.contains("Task timed out after 5.00 seconds") && log.contains("Error Type: Runtime.Trap"), "{log}");
    assert_eq!(log.matches("Status: ").count(), 2, "{log}");
}

/// Answers every connection, and says where.
async fn server() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The head of a request without a body fits into the first read.
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn the_platform_is_reached_and_the_machine_is_not() {
    let ((platform, _tasks), (other, _more)) = (server().await, server().await);
    let node = Node::with(Mode::Auto, |options| options.endpoint_url = Some(format!("http://{platform}")));
    let image = component(&node).await;
    assert_eq!(body(&ask(&node, &image, &format!("/o{platform}")).await), "status 202");
    assert_eq!(body(&ask(&node, &image, &format!("/olocalhost:{}", platform.port())).await), "status 202");
    for refused in [other.to_string(), format!("localhost:{}", other.port()), "169.254.169.254".to_owned()] {
        let said = body(&ask(&node, &image, &format!("/o{refused}")).await);
        assert!(said.starts_with("error "), "{refused}: {said}");
    }
}

#[tokio::test]
async fn a_component_reaches_what_it_is_set_to() {
    let ((platform, _tasks), (other, _more)) = (server().await, server().await);
    let node = Node::with(Mode::Auto, |options| options.endpoint_url = Some(format!("http://{platform}")));
    // What is known not to be there is denied (15) before it is looked up; of the world, it is found out where it leads (4).
    for (word, at_platform, at_other) in
        [("full", "status 202", "error 4"), ("platform", "status 202", "error 15"), ("none", "error 15", "error 15")]
    {
        let change = |settings: &mut Settings| {
            settings.arn += word;
            settings.environment.insert(compute::NETWORK_VARIABLE.to_owned(), word.to_owned());
        };
        let image = load(&node, &acts(), change).await;
        for (host, expected) in [(platform, at_platform), (other, at_other)] {
            assert_eq!(body(&ask(&node, &image, &format!("/o{host}")).await), expected, "{word}");
        }
    }
}

#[tokio::test]
async fn limits_end_a_guest_and_not_its_function() {
    let node = Node::new(Mode::Auto);
    let change = |settings: &mut Settings| {
        settings.timeout = Duration::from_secs(4);
        settings.memory_mb = 128;
    };
    let image = load(&node, &acts(), change).await;
    for (path, kind, message, status) in [
        ("/l", "Sandbox.Timedout", "Task timed out after 4.00 seconds", "Status: timeout"),
        ("/s60000", "Sandbox.Timedout", "Task timed out after 4.00 seconds", "Status: timeout"),
        ("/L", "Sandbox.Timedout", "Task timed out after 4.00 seconds", "Status: timeout"),
        ("/g", "Runtime.OutOfMemory", "its limit is 128 MiB", "Error Type: Runtime.OutOfMemory"),
        ("/t", "Runtime.Trap", "wasm `unreachable` instruction executed", "Error Type: Runtime.Trap"),
        ("/d", "Runtime.Trap", "call stack exhausted", "Error Type: Runtime.Trap"),
        ("/x", "Runtime.ExitError", "Runtime exited with error: exit status 1", "Error Type: Runtime.ExitError"),
        ("/n", "Runtime.NoAnswer", "it returned without an answer", "Error Type: Runtime.NoAnswer"),
        ("/u", "Runtime.NoAnswer", "it did not finish the body", "Error Type: Runtime.NoAnswer"),
    ] {
        let outcome = ask(&node, &image, path).await;
        let document = json(&outcome);
        assert_eq!((outcome.error, &document["errorType"]), (Some(FunctionError::Unhandled), &json!(kind)), "{path}");
        let said = document["errorMessage"].as_str().unwrap();
        assert!(
            said.starts_with(&format!("RequestId: {REQUEST_ID} Error: ")) && said.contains(message),
            "{path}: {said}"
        );
        let log = node.log(&outcome).await;
        assert!(log.trim_end().ends_with(status), "{path}: {log}");
        assert!(log.contains(message), "{path}: {log}");
        assert_eq!(body(&ask(&node, &image, "/h").await), "Hello from WASI\n", "after {path}");
    }
    let grown = ask(&node, &image, "/G").await;
    assert_eq!(body(&grown), "refused", "a guest may cope with a refusal");
    assert!((100..=128).contains(&grown.report.memory_peak_mb), "{}", grown.report.memory_peak_mb);
    let log = node.log(&ask(&node, &image, "/t").await).await;
    assert!(log.contains("fail-deep"), "the log tells where it trapped: {log}");
}

#[tokio::test]
async fn an_answer_may_have_six_megabytes() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    assert_eq!(body(&ask(&node, &image, "/w256").await).len(), 1 << 20);
    let outcome = ask(&node, &image, "/w1600").await;
    assert_eq!(outcome.error, Some(FunctionError::Unhandled));
    assert_eq!(json(&outcome)["errorType"], "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_command_reads_the_event_and_prints_the_result() {
    let node = Node::new(Mode::Auto);
    let change = |settings: &mut Settings| settings.timeout = Duration::from_secs(4);
    let image = load(&node, &wat::parse_str(COMMAND).unwrap(), change).await;
    for (event, expected) in [(r#""c: any JSON""#, r#""c: any JSON""#), (r#""h""#, r#""words\n""#), (r#""-""#, r#""""#)]
    {
        let outcome = node.call(&image, event).await;
        assert_eq!((text(&outcome), outcome.error), (expected, None), "{event}");
    }
    for (event, kind, message) in [
        (r#""e""#, "Runtime.ExitError", "Runtime exited with error: exit status 3: complaint"),
        (r#""l""#, "Sandbox.Timedout", "Task timed out after 4.00 seconds"),
        (r#""t""#, "Runtime.Trap", "wasm trap: wasm `unreachable` instruction executed"),
    ] {
        let outcome = node.call(&image, event).await;
        let message = format!("RequestId: {REQUEST_ID} Error: {message}");
        assert_eq!(json(&outcome), json!({ "errorType": kind, "errorMessage": message }), "{event}");
        let log = node.log(&outcome).await;
        assert!(log.starts_with("INIT_START Runtime Version: wasi:cli\n"), "{log}");
        assert!(log.contains("complaint\n"), "what it says on its standard error is in the log: {log}");
    }
    let outcome = node.call(&image, r#""o""#).await;
    assert_eq!(json(&outcome)["errorType"], "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_bootstrap_may_be_a_binary() {
    let node = Node::new(Mode::Auto);
    let code = node.compute.prepare(package(&[("bootstrap", &acts())])).await.unwrap();
    node.compute.compile(&code, "provided.al2023", "bootstrap").await.unwrap();
    let function = Function { language: "provided.al2023", handler: "bootstrap", files: &[("unused", "")] };
    let image = node.load_with(&function, |settings| settings.code = code).await.unwrap();
    assert_eq!(body(&ask(&node, &image, "/h").await), "Hello from WASI\n");
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_when_it_is_compiled_and_told_when_it_is_called() {
    let node = Node::new(Mode::Auto);
    for (binary, handler, message) in [
        (&b"\0asm\x01\0\0\0"[..], "app.wasm", "app.wasm cannot be run: it exports nothing that can be called"),
        (b"words", "app.wasm", "app.wasm cannot be run: this is not a WebAssembly binary"),
        (b"words", "gone.wasm", "The handler names gone.wasm, and the package has no such file"),
    ] {
        let code = node.compute.prepare(package(&[("app.wasm", binary)])).await.unwrap();
        let error = node.compute.compile(&code, "provided.al2023", handler).await.unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(matches!(error, CodeError::Wasm { .. } | CodeError::NoBinary { .. }));
        let image = load(&node, binary, |settings| handler.clone_into(&mut settings.handler)).await;
        let outcome = node.call(&image, "1").await;
        let document = json(&outcome);
        assert_eq!(document["errorType"], "Runtime.InvalidEntrypoint", "{document}");
        assert!(document["errorMessage"].as_str().unwrap().contains(message), "{document}");
        node.compute.retire("arn:aws:lambda:us-east-1:000000000000:function:f");
    }
    // Functions of other languages may have what they like.
    let code = node.compute.prepare(package(&[("app.wasm", b"words")])).await.unwrap();
    node.compute.compile(&code, "nodejs24.x", "app.wasm").await.unwrap();
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_an_attempt_that_ends() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    assert_eq!(body(&ask(&node, &image, "/h").await), "Hello from WASI\n");
    // Once the function is loaded, the first poll begins the attempt.
    let asked = node.compute.run(&image, invocation(&get("/k300")));
    assert!(tokio::time::timeout(Duration::ZERO, asked).await.is_err(), "it takes longer");
    let log = log_of_ended(&node, 2).await;
    assert!(log.contains("after\n"), "it worked on: {log}");
}

#[tokio::test]
async fn concurrency_has_its_limits() {
    let node = Node::with(Mode::Auto, |options| options.concurrency_max = 3);
    let image = load(&node, &acts(), |settings| settings.concurrency_reserved = Some(2)).await;
    let mut asked = JoinSet::new();
    for _ in 0..2 {
        let (compute, image) = (node.compute.clone(), Arc::clone(&image));
        asked.spawn(async move { compute.run(&image, invocation(&get("/s2000"))).await });
    }
    let until = Instant::now() + PATIENCE;
    let held = || node.compute.instances().iter().map(|one| one.memory_bytes).sum::<u64>();
    while node.compute.instances().iter().filter(|one| one.activity == Activity::Busy).count() < 2 || held() == 0 {
        assert!(Instant::now() < until, "both run in the end");
        tokio::task::yield_now().await;
    }
    let refused = node.try_call(&image, &get("/h")).await.unwrap_err();
    assert_eq!(refused, RunFault::Throttled { reason: Throttle::Reserved { limit: 2 } });
    while let Some(outcome) = asked.join_next().await {
        assert_eq!(body(&outcome.unwrap().unwrap()), "Hello from WASI\n");
    }
    assert_eq!(body(&ask(&node, &image, "/h").await), "Hello from WASI\n");
    let until = Instant::now() + PATIENCE;
    while held() > 0 {
        assert!(Instant::now() < until, "without a call its instances have nothing");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_are_answered_together() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    let mut asked = JoinSet::new();
    for _ in 0..1000 {
        let (compute, image) = (node.compute.clone(), Arc::clone(&image));
        asked.spawn(async move { compute.run(&image, invocation(&get("/s1000"))).await });
    }
    let (mut streams, mut cold) = (std::collections::BTreeSet::new(), 0);
    while let Some(outcome) = asked.join_next().await {
        let outcome = outcome.unwrap().unwrap();
        assert_eq!(body(&outcome), "Hello from WASI\n");
        streams.insert(outcome.report.log_stream.clone());
        cold += u32::from(outcome.report.cold);
    }
    assert_eq!(cold, 1, "one environment is made for all of them");
    assert!(streams.len() > 500, "calls at one time do not share a stream: {}", streams.len());
    node.compute.flush_logs().await;
    for stream in streams {
        let log = node.lines.of(&stream);
        let order: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(order[1..].chunks(3).all(|call| call == ["START", "END", "REPORT"]), "{log}");
    }
}

#[tokio::test]
async fn a_node_that_stops_ends_what_runs() {
    let node = Node::new(Mode::Auto);
    let image = component(&node).await;
    let mut running = JoinSet::new();
    let (compute, function) = (node.compute.clone(), Arc::clone(&image));
    running.spawn(async move { compute.run(&function, invocation(&get("/s25000"))).await });
    let until = Instant::now() + PATIENCE;
    while node.compute.instances().is_empty() {
        assert!(Instant::now() < until, "it runs in the end");
        tokio::task::yield_now().await;
    }
    assert!(!node.compute.shut_down(Duration::from_millis(50)).await, "it did not end by itself");
    let outcome = tokio::time::timeout(PATIENCE, running.join_next()).await.expect("it ends").unwrap();
    assert_eq!(outcome.unwrap().unwrap_err(), RunFault::Stopping);
    assert_eq!(node.try_call(&image, &get("/h")).await.unwrap_err(), RunFault::Stopping);
}
