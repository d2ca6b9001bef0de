//! Requests that are handed through to web servers: bodies that stream both ways, protocols that are switched, and what goes wrong
//! on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compute::{Answer, Conversation, Image, Invocation, Reply, RunFault, Unanswered};
use http::Request;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use sandbox::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::harness::{Function, Node, PATIENCE, invocation, json, text};

/// Shouts back what it hears, as it hears it; begins to answer and stops; switches to a protocol that says everything twice; ends.
const SERVER: &str = r#"
const server = require("node:http").createServer((request, response) => {
    if (request.url === "/exit") process.exit(3);
    if (request.url === "/stuck") return response.write("begun");
    if (request.url === "/large") return response.end(Buffer.alloc(8 << 20, "x"));
    if (request.url === "/headers") return response.end(JSON.stringify(request.headers));
    response.setHeader("x-path", request.url);
    request.on("data", piece => response.write(piece.toString().toUpperCase()));
    request.on("end", () => response.end());
});
server.on("upgrade", (request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: twice\r\n\r\n");
    socket.on("data", piece => socket.write(Buffer.concat([piece, piece])));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
});
server.listen(process.env.PORT);
"#;

const FUNCTION: Function<'static> =
    Function { language: "http", handler: "server.js", files: &[("server.js", SERVER)] };

async fn image(node: &Node) -> Option<Arc<Image>> {
    if let Err(error) = node.compute.language("nodejs24.x") {
        base::trial::skip(error);
        return None;
    }
    let image = node.load(&FUNCTION).await.unwrap();
    assert!(image.is_server());
    Some(image)
}

async fn answer(node: &Node, image: &Arc<Image>, call: Invocation, mut reply: Reply) -> Result<Answer, Unanswered> {
    let answered = node.compute.converse(image, call, &mut reply);
    tokio::time::timeout(PATIENCE, answered).await.expect("an answer begins")
}

/// A request without a body.
async fn get(
    node: &Node,
    image: &Arc<Image>,
    path: &str,
    change: impl FnOnce(&mut Invocation),
) -> Result<Answer, Unanswered> {
    let request = Request::get(path).header("host", "own.example");
    let (conversation, reply) = Conversation::new(request.body(Empty::<Bytes>::new()).unwrap());
    let mut call = Invocation { conversation: Some(conversation), ..invocation("{}") };
    change(&mut call);
    answer(node, image, call, reply).await
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let node = Node::new(Mode::Auto);
    let Some(image) = image(&node).await else { return };
    let (send, mut receive) = mpsc::channel::<Bytes>(1);
    let pieces = futures_util::stream::poll_fn(move |cx| {
        receive.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, std::convert::Infallible>(Frame::data(piece))))
    });
    let request = Request::post("/some/path?x=1").body(StreamBody::new(pieces)).unwrap();
    let (conversation, reply) = Conversation::new(request);
    let call = Invocation { conversation: Some(conversation), ..invocation("{}") };
    send.send("one".into()).await.unwrap();
    let Answer { response, tunnel } = answer(&node, &image, call, reply).await.unwrap();
    assert!(tunnel.is_none());
    assert_eq!((response.status().as_u16(), &response.headers()["x-path"]), (200, &"/some/path?x=1".parse().unwrap()));
    let mut body = response.into_body();
    for (heard, next) in [("ONE", Some("two")), ("TWO", Some("three")), ("THREE", None)] {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), heard);
        if let Some(next) = next {
            send.send(next.into()).await.unwrap();
        }
    }
    drop(send);
    assert!(body.frame().await.is_none(), "it is whole");
    // What is larger than an event's answer may be streams as well.
    let large = get(&node, &image, "/large", |_| {}).await.unwrap().response.into_body();
    assert_eq!(large.collect().await.unwrap().to_bytes().len(), 8 << 20);
    let headers = get(&node, &image, "/headers", |_| {}).await.unwrap().response.into_body();
    let headers: serde_json::Value = serde_json::from_slice(&headers.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(headers["host"], "own.example");
    assert!(headers["x-amzn-lambda-context"].as_str().unwrap().contains("invoked_function_arn"));
}

#[tokio::test]
async fn protocols_are_switched() {
    let node = Node::new(Mode::Auto);
    let Some(image) = image(&node).await else { return };
    let request = Request::get("/socket").header("connection", "Upgrade").header("upgrade", "twice");
    let (conversation, reply) = Conversation::new(request.body(Empty::<Bytes>::new()).unwrap());
    let call = Invocation { conversation: Some(conversation), ..invocation("{}") };
    let Answer { response, tunnel } = answer(&node, &image, call, reply).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (101, &"twice".parse().unwrap()));
    let mut tunnel = tunnel.unwrap();
    for said in ["ping", "pong"] {
        tunnel.write_all(said.as_bytes()).await.unwrap();
        let mut heard = [0; 8];
        tunnel.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard[..], said.repeat(2).as_bytes());
    }
    drop(tunnel);
    // Closing it ended the attempt: the same instance takes the next one.
    let next = node.call(&image, "1").await;
    assert!(!next.report.cold, "{}", text(&next));
    assert!(node.log(&next).await.contains("END RequestId"));
}

#[tokio::test]
async fn who_stops_reading_ends_the_attempt() {
    let node = Node::new(Mode::Auto);
    let Some(image) = image(&node).await else { return };
    let mut body = get(&node, &image, "/stuck", |_| {}).await.unwrap().response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
    drop(body);
    let next = node.call(&image, "1").await;
    assert!(!next.report.cold, "the server goes on");
}

#[tokio::test]
async fn servers_that_fail_on_the_way_are_told_of() {
    let node = Node::new(Mode::Auto);
    let Some(image) = image(&node).await else { return };
    let failed = get(&node, &image, "/exit", |_| {}).await.unwrap_err();
    let Unanswered::Failed(outcome) = failed else { panic!("{failed}") };
    assert_eq!(json(&outcome)["errorType"], "Runtime.ExitError");
    // Its time is over in the middle of its answer: whoever reads sees that it is not whole.
    let short = |call: &mut Invocation| call.timeout = Some(Duration::from_secs(1));
    let mut body = get(&node, &image, "/stuck", short).await.unwrap().response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
    let torn = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(torn.to_string(), "the function ended in the middle of its answer");
    let next = node.call(&image, "1").await;
    assert!(next.report.cold, "an instance that was late is replaced");
    // What never ran says why, and can be tried again.
    assert!(node.compute.shut_down(PATIENCE).await);
    let refused = get(&node, &image, "/", |_| {}).await.unwrap_err();
    assert!(matches!(refused, Unanswered::Fault(RunFault::Stopping)), "{refused}");
}
