//! What a function reaches: the world, the platform alone, or nobody, as its variable says or as the node was told. Whatever it is, calls
//! come to it all the same.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use compute::{Image, NETWORK_VARIABLE, Network, StartError};
use sandbox::{Mode, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Function, Node, json as document, text};

/// Knocks at each door of the event.
const JAVASCRIPT: &str = r#"
const net = require('net');
const knock = ([host, port]) => new Promise((done) => {
  const socket = net.connect(port, host);
  socket.on('connect', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
  socket.on('data', () => done('answer'));
  socket.on('error', (error) => done(error.code));
  socket.on('close', () => done('closed'));
});
exports.handler = async (doors) => Promise.all(doors.map(knock));
"#;

const KNOCK: &str = r#"
import errno, json, os, socket
def knock(host, port):
    try:
        with socket.create_connection((host, port), 20) as door:
            door.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return "answer" if door.recv(1) else "closed"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
"#;

/// The same by the Runtime API.
const BOOTSTRAP: &str = r#"
import http.client
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    doors = json.loads(answer.read())
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps([knock(*door) for door in doors]))
    api.getresponse().read()
"#;

/// The same as a server.
const SERVER: &str = r#"
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        doors = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = json.dumps([knock(*door) for door in doors]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// A server of ours, and where it listens.
async fn server(host: IpAddr) -> (std::net::SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                // Who hung up meanwhile misses it.
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    (address, tasks)
}

/// This machine's own address, which stands for the world: in a guest's network nothing leads there but the way out.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.41.0.4:53").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

async fn load(node: &Node, function: &Function<'_>, word: Option<&str>) -> Option<Arc<Image>> {
    let change = |settings: &mut compute::Settings| {
        settings.arn += function.language;
        settings.revision += word.unwrap_or("unsaid");
        settings.environment.extend(word.map(|word| (NETWORK_VARIABLE.to_owned(), word.to_owned())));
    };
    node.load_with(function, change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_reach_what_they_are_set_to() {
    let (platform, _tasks) = server([127, 0, 0, 1].into()).await;
    let of_node = |network| {
        Node::with(Mode::Auto, |options| {
            options.endpoint_url = Some(format!("http://{platform}"));
            options.network = network;
        })
    };
    let open = of_node(Network::Full);
    if !open.compute.isolation().has(Part::Network) {
        return base::trial::skip(open.compute.isolation());
    }
    let (bootstrap, server_code) = (format!("#!/usr/bin/python3\n{KNOCK}{BOOTSTRAP}"), format!("{KNOCK}{SERVER}"));
    let functions = [
        Function { language: "nodejs20.x", handler: "index.handler", files: &[("index.js", JAVASCRIPT)] },
        Function { language: "provided.al2023", handler: "bootstrap", files: &[("bootstrap", &bootstrap)] },
        Function { language: "http", handler: "server.py", files: &[("server.py", &server_code)] },
    ];
    let world = own_address().unwrap_or([192, 0, 2, 1].into());
    let event = json!([["127.0.0.1", 4566], [world.to_string(), 9]]).to_string();
    let near = of_node(Network::Platform);
    for function in &functions {
        if function.language != "nodejs20.x" && !std::path::Path::new("/usr/bin/python3").exists() {
            base::trial::skip(format_args!("{} needs /usr/bin/python3 here", function.language));
            continue;
        }
        for (node, word, at_platform, at_world) in [
            (&open, None, "answer", None),
            (&open, Some("full"), "answer", None),
            (&open, Some("platform"), "answer", Some("ENETUNREACH")),
            (&open, Some("none"), "ECONNREFUSED", Some("ENETUNREACH")),
            (&open, Some("nobody"), "ECONNREFUSED", Some("ENETUNREACH")),
            (&near, None, "answer", Some("ENETUNREACH")),
            (&near, Some("full"), "answer", None),
        ] {
            let case = format!("{} {word:?}", function.language);
            let Some(image) = load(node, function, word).await else { break };
            let outcome = node.call_apart(&image, &event).await;
            assert_eq!(outcome.error, None, "{case}: {}", text(&outcome));
            let Value::Array(found) = document(&outcome) else { panic!("{case}: {}", text(&outcome)) };
            assert_eq!(found[0], at_platform, "{case}");
            match at_world {
                Some(expected) => assert_eq!(found[1], expected, "{case}"),
                // The way is there; the machine's own address is not at the end of it.
                None => assert!(found[1] != "ENETUNREACH" && found[1] != "answer", "{case}: {}", found[1]),
            }
            if word == Some("nobody") {
                let log = node.log(&outcome).await;
                assert!(log.contains(r#"FREEHOLD_NETWORK is "nobody", and can be full, platform or none"#), "{log}");
            }
            // Guests that only ever said how far they reach are not those of other functions.
            node.compute.retire(&image.arn);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_walled_off_is_not_run() {
    let node = Node::new(Mode::Off);
    let files = &[("index.js", "exports.handler = async () => 1")];
    let function = Function { language: "nodejs20.x", handler: "index.handler", files };
    let Some(image) = load(&node, &function, Some("none")).await else { return };
    let refused = node.try_call(&image, "1").await.unwrap_err().to_string();
    assert!(refused.contains("functions cannot be kept from the network on this machine: "), "{refused}");
    let free = load(&node, &function, Some("full")).await.unwrap();
    assert_eq!(text(&node.call(&free, "1").await), "1");
    let told = Node::try_with(Mode::Off, |options| options.network = Network::Platform).err().unwrap();
    assert!(matches!(told, StartError::Network { .. }), "{told}");
}
