//! A WASI-HTTP component from its package to the answer of its URL, through everything that a node has.

use std::io::{Cursor, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use node::{Config, Data, Node};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PRELUDE: &str = include_str!("../../wasm/tests/guests/wat/prelude.wat");
const ACTS: &str = include_str!("../../wasm/tests/guests/wat/acts.wat");

fn package() -> String {
    let binary = wat::parse_str(format!("(component {})", PRELUDE.replace("MAIN\n", ACTS))).expect("it is sound");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.wasm", zip::write::SimpleFileOptions::default()).expect("the name is good");
    zip.write_all(&binary).expect("memory takes it");
    STANDARD.encode(zip.finish().expect("memory takes it").into_inner())
}

async fn call(node: &Node, operation: &str, input: Value) -> Value {
    let known = node.dispatch().find("lambda", operation).expect("a served operation");
    node.dispatch().call_document(known.id, &node.call("test"), input).await.expect("an answer")
}

/// The whole answer to a request of HTTP/1.0, in which bodies come as they are: in chunks or with a length is the server's choice, and
/// depends on whether it knew the end when it sent the head.
async fn ask(node: &Node, request: &str) -> String {
    let mut stream = TcpStream::connect(node.address()).await.expect("it listens");
    let host = node.address();
    let request = request.replace("\r\n\r\n", &format!("\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_answers_at_its_url_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = || Config {
        listen: ([127, 0, 0, 1], 0).into(),
        sandbox: sandbox::Mode::Off,
        ..Config::new(Data::Folder { path: dir.path().to_owned(), engine: node::Engine::Embedded })
    };
    let node = Node::start(config()).await.expect("starts");
    let function = json!({
        "FunctionName": "hello",
        "Runtime": "provided.al2023",
        "Handler": "app.wasm",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Code": { "ZipFile": package() },
    });
    call(&node, "CreateFunction", function).await;
    call(&node, "CreateFunctionUrlConfig", json!({ "FunctionName": "hello", "AuthType": "NONE" })).await;
    for round in 0..2 {
        let answer = ask(&node, "GET /_fn/hello/h?a=b HTTP/1.0\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("Hello from WASI\n"),
            "{round}: {answer}"
        );
    }
    let posted =
        ask(&node, "POST /_fn/hello/e HTTP/1.0\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nwords").await;
    assert!(posted.ends_with("\r\n\r\nwords"), "{posted}");
    let failed = ask(&node, "GET /_fn/hello/t HTTP/1.0\r\n\r\n").await;
    assert!(failed.starts_with("HTTP/1.0 502 Bad Gateway\r\n"), "{failed}");
    assert!(node.shut_down(Duration::from_secs(30)).await, "the node drains");

    let node = Node::start(config()).await.expect("starts again");
    let answer = ask(&node, "GET /_fn/hello/h HTTP/1.0\r\n\r\n").await;
    assert!(answer.ends_with("Hello from WASI\n"), "{answer}");
    assert!(node.shut_down(Duration::from_secs(30)).await, "the node drains");
}
