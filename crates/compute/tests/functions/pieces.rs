//! Results that are handed over while the function makes them: by handlers in JavaScript, by the Runtime API, by web servers; and what
//! comes of the same functions where nobody reads along.

use std::sync::Arc;
use std::time::Duration;

use compute::{FunctionError, Image, Outcome, Pieces};
use sandbox::Mode;

use crate::harness::{Function, Node, PATIENCE, invocation, json, text, unlike_others};

/// What came while it ran, and the end.
async fn read_along(node: &Node, image: &Arc<Image>, payload: &str) -> (Vec<Vec<u8>>, Outcome) {
    let (pieces, mut reader) = Pieces::new();
    let mut call = unlike_others(payload);
    call.pieces = Some(pieces);
    let mut run = std::pin::pin!(node.compute.run(image, call));
    let mut read = Vec::new();
    let ended = async {
        loop {
            tokio::select! {
                biased;
                Some(piece) = reader.next() => read.push(piece.to_vec()),
                outcome = &mut run => break outcome.unwrap(),
            }
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, ended).await.expect("a call ends");
    while let Some(piece) = reader.ready() {
        read.push(piece.to_vec());
    }
    (read, outcome)
}

async fn javascript(node: &Node, body: &str, limit: Duration) -> Option<Arc<Image>> {
    let code = format!("exports.handler = awslambda.streamifyResponse(async (event, out, context) => {{ {body} }});");
    let function = Function { language: "nodejs24.x", handler: "index.handler", files: &[("index.js", &code)] };
    node.load_with(&function, |settings| settings.timeout = limit).await
}

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn javascript_answers_in_pieces() {
    let node = Node::new(Mode::Auto);
    for (body, expected) in [
        ("out.write('a'); out.write({ b: 1 }); out.end(event.last);", "a{\"b\":1}ü"),
        ("out.end();", ""),
        ("await require('stream/promises').pipeline(require('stream').Readable.from(['x', 'y']), out);", "xy"),
        (
            "out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { a: 'b' } }); out.write('c'); out.end();",
            "{\"statusCode\":201,\"headers\":{\"a\":\"b\"}}\0\0\0\0\0\0\0\0c",
        ),
        ("out.write(Buffer.alloc(3)); out.end(); return 'not told';", "\0\0\0"),
    ] {
        let Some(image) = javascript(&node, body, LIMIT).await else { return };
        for _ in 0..2 {
            let (read, outcome) = read_along(&node, &image, r#"{"last":"ü"}"#).await;
            let whole = String::from_utf8(read.concat()).unwrap();
            assert_eq!((whole.as_str(), text(&outcome), outcome.error), (expected, "", None), "{body}");
        }
        // Who does not read along has it whole.
        let outcome = node.call_apart(&image, r#"{"last":"ü"}"#).await;
        assert_eq!((text(&outcome), outcome.error), (expected, None), "{body}");
    }
}

/// What comes before a function that hangs then.
async fn read_until(node: &Node, image: &Arc<Image>, payload: &str, expected: &str) {
    let (pieces, mut reader) = Pieces::new();
    let mut call = unlike_others(payload);
    call.pieces = Some(pieces);
    let mut run = std::pin::pin!(node.compute.run(image, call));
    let mut read = Vec::new();
    let comes = async {
        while !read.ends_with(expected.as_bytes()) {
            tokio::select! {
                biased;
                Some(piece) = reader.next() => read.extend_from_slice(&piece),
                outcome = &mut run => panic!("it goes on: {outcome:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, comes).await.expect("it comes");
}

#[tokio::test]
async fn a_piece_is_there_while_the_function_goes_on() {
    let node = Node::new(Mode::Auto);
    let body = "out.write('first'); await new Promise(() => setInterval(() => {}, 1000));";
    let Some(image) = javascript(&node, body, 2 * PATIENCE).await else { return };
    read_until(&node, &image, "{}", "first").await;
}

#[tokio::test]
async fn errors_come_after_the_pieces() {
    let node = Node::new(Mode::Auto);
    for (body, kind, message) in [
        ("out.write('begun'); throw new TypeError('no more');", "TypeError", "no more"),
        ("out.write('begun'); out.destroy(new RangeError('broken'));", "RangeError", "broken"),
        ("out.write('begun');", "Error", "Response stream is not finished."),
    ] {
        let Some(image) = javascript(&node, body, LIMIT).await else { return };
        let (read, outcome) = read_along(&node, &image, "{}").await;
        assert_eq!(read, [b"begun"], "{body}");
        let document = json(&outcome);
        assert_eq!((document["errorType"].as_str(), document["errorMessage"].as_str()), (Some(kind), Some(message)));
        assert_eq!(outcome.error, Some(FunctionError::Unhandled));
        // It goes on.
        assert_eq!(json(&node.call_apart(&image, "{}").await)["errorMessage"], message);
    }
}

#[tokio::test]
async fn what_is_read_along_may_be_longer() {
    let node = Node::new(Mode::Auto);
    let body = "for (let i = 0; i < 10; i += 1) out.write('x'.repeat(1 << 20)); out.end();";
    let Some(image) = javascript(&node, body, LIMIT).await else { return };
    let (read, outcome) = read_along(&node, &image, "{}").await;
    assert_eq!((read.iter().map(Vec::len).sum::<usize>(), outcome.error), (10 << 20, None));
    let outcome = node.call_apart(&image, "{}").await;
    assert_eq!(json(&outcome)["errorType"], "Function.ResponseSizeTooLarge");
    // What nobody reads is let go, and the next call works.
    let (pieces, reader) = Pieces::new();
    drop(reader);
    let mut call = invocation("{}");
    call.pieces = Some(pieces);
    assert_eq!(node.compute.run(&image, call).await.unwrap().error, None);
}

const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import base64, http.client, json, os
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
while True:
    line = http.client.HTTPConnection(api)
    line.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = line.getresponse()
    fails = json.loads(answer.read()).get("fails")
    line.putrequest("POST", f"/2018-06-01/runtime/invocation/{answer.headers['Lambda-Runtime-Aws-Request-Id']}/response")
    line.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    line.putheader("Transfer-Encoding", "chunked")
    if fails:
        line.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
    line.endheaders()
    line.send(b"3\r\none\r\n3\r\ntwo\r\n0\r\n")
    if fails:
        document = json.dumps({"errorType": "Mine", "errorMessage": "late"}).encode()
        line.send(b"Lambda-Runtime-Function-Error-Type: Mine\r\n")
        line.send(b"Lambda-Runtime-Function-Error-Body: " + base64.b64encode(document) + b"\r\n")
    line.send(b"\r\n")
    line.getresponse().read()
"#;

#[tokio::test]
async fn the_runtime_api_takes_pieces() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return base::trial::skip("this bootstrap needs /usr/bin/python3");
    }
    let node = Node::new(Mode::Auto);
    let function = Function { language: "provided.al2023", handler: "x", files: &[("bootstrap", BOOTSTRAP)] };
    let image = node.load(&function).await.unwrap();
    let (read, outcome) = read_along(&node, &image, "{}").await;
    assert_eq!((read.concat(), outcome.error), (b"onetwo".to_vec(), None));
    let (read, outcome) = read_along(&node, &image, r#"{"fails":true}"#).await;
    assert_eq!(read.concat(), b"onetwo");
    assert_eq!((text(&outcome), outcome.error.is_some()), (r#"{"errorType": "Mine", "errorMessage": "late"}"#, true));
    assert_eq!(text(&node.call_apart(&image, "{}").await), "onetwo");
}

const SERVER: &str = r#"
require("node:http").createServer((request, response) => {
    request.resume();
    request.on("end", () => {
        if (request.url === "/stuck") return response.write("begun");
        response.setHeader("x-own", "1");
        response.setHeader("set-cookie", ["a=1", "b=2"]);
        response.removeHeader("date");
        response.write("one");
        response.end("two");
    });
}).listen(process.env.PORT);
"#;

#[tokio::test]
async fn web_servers_stream_what_they_answer_to_events() {
    let node = Node::new(Mode::Auto);
    let function = Function { language: "http", handler: "server.js", files: &[("server.js", SERVER)] };
    if node.compute.language("nodejs24.x").is_err() {
        return base::trial::skip("this server needs Node.js");
    }
    let image = node.load_with(&function, |settings| settings.timeout = 2 * PATIENCE).await.unwrap();
    let (read, outcome) = read_along(&node, &image, r#"{"any":"event"}"#).await;
    assert_eq!((read.concat(), text(&outcome), outcome.error), (b"onetwo".to_vec(), "", None));
    let request = |path: &str| {
        format!(
            r#"{{"version":"2.0","rawPath":"{path}","requestContext":{{"http":{{"method":"GET","path":"{path}"}}}}}}"#
        )
    };
    let (read, _) = read_along(&node, &image, &request("/")).await;
    let whole = String::from_utf8(read.concat()).unwrap();
    let (prelude, body) = whole.split_once("\0\0\0\0\0\0\0\0").expect("words come first");
    let prelude: serde_json::Value = serde_json::from_str(prelude).unwrap();
    assert_eq!((&prelude["statusCode"], &prelude["headers"]["x-own"]), (&200.into(), &"1".into()));
    assert_eq!((&prelude["cookies"], body), (&serde_json::json!(["a=1", "b=2"]), "onetwo"));
    read_until(&node, &image, &request("/stuck"), "begun").await;
}
