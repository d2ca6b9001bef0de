//! A node's life: it starts, serves, stops, and says why it does not.

use std::time::Duration;

use node::{Auth, Config, Data, Engine, Node, StartError};
use serde_json::{Value, json};

fn config(data: Data) -> Config {
    // Tests are no program that a sandbox could start again as its helper.
    Config { listen: ([127, 0, 0, 1], 0).into(), sandbox: sandbox::Mode::Off, ..Config::new(data) }
}

fn folder(path: &std::path::Path, engine: Engine) -> Data {
    Data::Folder { path: path.to_owned(), engine }
}

async fn call(node: &Node, service: &str, operation: &str, input: Value) -> Value {
    let known = node.dispatch().find(service, operation).expect("a served operation");
    node.dispatch().call_document(known.id, &node.call("test"), input).await.expect("an answer")
}

async fn stop(node: Node) {
    assert!(node.shut_down(Duration::from_secs(30)).await, "the node drains");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    for engine in [Engine::Embedded, Engine::Sqlite] {
        let dir = tempfile::tempdir().expect("a folder");
        let node = Node::start(config(folder(dir.path(), engine))).await.expect("starts");
        call(&node, "logs", "CreateLogGroup", json!({ "logGroupName": "kept" })).await;
        let key = node.root_key().access_key_id.clone();
        stop(node).await;

        let node = Node::start(config(folder(dir.path(), engine))).await.expect("starts again");
        let groups = call(&node, "logs", "DescribeLogGroups", json!({})).await;
        assert_eq!(groups["logGroups"][0]["logGroupName"], "kept", "{engine:?}");
        assert_eq!(node.root_key().access_key_id, key);
        stop(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let node = Node::start(config(folder(dir.path(), Engine::Embedded))).await.expect("starts");
    let second = Node::start(config(folder(dir.path(), Engine::Embedded))).await.err().expect("is refused");
    assert!(matches!(second, StartError::Store(_)) && second.to_string().contains("another"), "{second}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_refused_before_any_data_is_touched() {
    let node = Node::start(config(Data::Memory)).await.expect("starts");
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let second = Config { listen: node.address(), ..config(folder(&data, Engine::Embedded)) };
    let refused = Node::start(second).await.err().expect("is refused");
    assert!(matches!(refused, StartError::Bind(_)) && refused.to_string().contains("--listen"), "{refused}");
    assert!(!data.exists());
    stop(node).await;
}

#[tokio::test]
async fn open_mode_is_refused_where_others_could_reach_it() {
    let open = Config { listen: ([0, 0, 0, 0], 0).into(), auth: Some(Auth::Open), ..config(Data::Memory) };
    assert!(matches!(Node::start(open).await.err(), Some(StartError::Open(_))));
}
