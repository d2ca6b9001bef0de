//! The link against servers that do what they should, and some that do not.

use std::collections::BTreeMap;
use std::time::Instant;

use http_body_util::{Empty, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::invocation::LogWish;

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guest's process that has not ended.
struct Life(watch::Sender<Option<Exit>>);

fn link_to(port: u16, environment: &[(&str, &str)]) -> (HttpLink, Life) {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (life, ended) = watch::channel(None);
    (HttpLink::new(Place::on_host(None, port), Habits::of(&environment), 1, ended), Life(life))
}

fn invocation(payload: &str) -> Invocation {
    Invocation {
        request_id: "id".to_owned(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        invoked_arn: "arn".to_owned(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: PATIENCE,
        log: LogWish::None,
        held: None,
        conversation: None,
        pieces: None,
    }
}

async fn heard(link: &mut HttpLink) -> Event {
    tokio::time::timeout(PATIENCE, link.receive()).await.expect("something comes")
}

/// A server by hand: each connection is handed to the test.
async fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads a head, up to its empty line.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

fn result(event: &Event) -> String {
    match event {
        Event::Result(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_is_ready_when_it_listens() {
    let port = free_port().unwrap();
    let (mut link, _life) = link_to(port, &[]);
    tokio::select! {
        biased;
        event = link.receive() => panic!("nobody listens: {event:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    assert_eq!(heard(&mut link).await, Event::Ready);
    drop(listener);
}

#[tokio::test]
async fn a_server_may_say_itself_when_it_is_ready() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[("AWS_LWA_READINESS_CHECK_PATH", "/up")]);
    let serve = async {
        for (connection, status) in ["503 Later", "404 None"].into_iter().enumerate() {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(head(&mut stream).await.starts_with("GET /up HTTP/1.1\r\n"), "{connection}");
            say(&mut stream, &format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nbody")).await;
            if connection == 1 {
                return stream;
            }
        }
        unreachable!("the second one is the last")
    };
    let (event, mut stream) = tokio::join!(heard(&mut link), serve);
    assert_eq!(event, Event::Ready);
    // The connection that found it is used.
    link.invoke(&invocation("1"), 0);
    let serve = async {
        assert!(head(&mut stream).await.starts_with("POST /events HTTP/1.1\r\n"));
        say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2").await;
    };
    let (event, ()) = tokio::join!(heard(&mut link), serve);
    assert_eq!(result(&event), "2");
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_where_it_was_closed() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let (event, accepted) = tokio::join!(heard(&mut link), listener.accept());
    assert_eq!(event, Event::Ready);
    let (mut stream, _) = accepted.unwrap();
    for turn in 0..3 {
        link.invoke(&invocation("1"), 0);
        let serve = async {
            head(&mut stream).await;
            let mut body = [0];
            stream.read_exact(&mut body).await.unwrap();
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{turn}")).await;
        };
        let (event, ()) = tokio::join!(heard(&mut link), serve);
        assert_eq!(result(&event), turn.to_string());
    }
    // Servers close what nobody uses; the next call must not notice.
    drop(stream);
    // The runtime looks at its sockets every so many turns; until then nobody here can know.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    link.invoke(&invocation("1"), 0);
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n9").await;
        stream
    };
    let (event, _stream) = tokio::join!(heard(&mut link), serve);
    assert_eq!(result(&event), "9");
}

#[tokio::test]
async fn bad_answers_cost_one_call() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "z".repeat(RESPONSE_BYTES_MAX + 1));
    for (name, answer, expected) in [
        ("none", "", "Runtime.InvalidResponse"),
        ("no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "Runtime.InvalidResponse"),
        ("torn", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "Runtime.TruncatedResponse"),
        ("long head", &long, "Runtime.InvalidResponse"),
        ("endless", &endless, "TooLarge"),
        ("good", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1", "1"),
    ] {
        let (listener, port) = server().await;
        let (mut link, _life) = link_to(port, &[]);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            // Whoever has heard enough hangs up.
            let _ = stream.write_all(answer.as_bytes()).await;
        };
        assert_eq!(heard(&mut link).await, Event::Ready);
        link.invoke(&invocation(""), 0);
        let (event, ()) = tokio::join!(heard(&mut link), serve);
        let said = match event {
            Event::Result(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Event::TooLarge => "TooLarge".to_owned(),
            Event::Error { document, after: After::GoesOn } => serde_json::from_slice::<serde_json::Value>(&document)
                .unwrap()["errorType"]
                .as_str()
                .unwrap()
                .to_owned(),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(said, expected, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_ends_is_gone() {
    let (listener, port) = server().await;
    let (mut link, Life(life)) = link_to(port, &[]);
    assert_eq!(heard(&mut link).await, Event::Ready);
    link.invoke(&invocation("1"), 0);
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        drop(stream);
        // The connection breaks before the process is known to have ended.
        tokio::task::yield_now().await;
        life.send(Some(Exit::Code(3))).unwrap();
    };
    let (event, ()) = tokio::join!(heard(&mut link), serve);
    assert_eq!(event, Event::Gone);
}

/// A request that is handed through, with all that waits for it.
async fn converse<B>(link: &mut HttpLink, request: Request<B>) -> Reply
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    assert_eq!(heard(link).await, Event::Ready);
    let (conversation, answer) = Conversation::new(request);
    link.invoke(&Invocation { conversation: Some(conversation), ..invocation("") }, 0);
    answer
}

#[tokio::test]
async fn both_bodies_stream_at_once() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let (send, mut receive) = mpsc::unbounded_channel::<Bytes>();
    let pieces = futures_util::stream::poll_fn(move |cx| {
        receive.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, BodyError>(Frame::data(piece))))
    });
    let request =
        Request::post("http://any.example/path?q=1").header("host", "own.example").header("connection", "close");
    let answer = converse(&mut link, request.body(StreamBody::new(pieces)).unwrap()).await;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("POST /path?q=1 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("host: own.example\r\n") && !head.contains("connection"), "{head}");
        say(&mut stream, "HTTP/1.1 201 Made\r\ntransfer-encoding: chunked\r\nx-own: 1\r\n\r\n").await;
        // Each piece is answered before the next one is sent.
        for _ in 0..3 {
            let mut piece = [0; 6];
            stream.read_exact(&mut piece).await.unwrap();
            assert_eq!(&piece[..3], b"1\r\n");
            say(&mut stream, &format!("1\r\n{}\r\n", char::from(piece[3]).to_ascii_uppercase())).await;
        }
        say(&mut stream, "0\r\n\r\n").await;
        stream
    };
    let client = async {
        let Answer { response, tunnel } = answer.0.await.unwrap();
        assert!(tunnel.is_none());
        let (head, mut body) = response.into_parts();
        assert_eq!((head.status.as_u16(), head.headers["x-own"].as_bytes()), (201, &b"1"[..]));
        assert!(!head.headers.contains_key("transfer-encoding"));
        let mut all = Vec::new();
        for piece in ["a", "b", "c"] {
            send.send(Bytes::from(piece)).unwrap();
            all.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        drop(send);
        assert!(body.frame().await.is_none(), "it is whole");
        all
    };
    let (event, _stream, all) = tokio::join!(heard(&mut link), serve, client);
    assert_eq!((all, event), (b"ABC".to_vec(), Event::Result(Bytes::new())));
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_attempt() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let answer = converse(&mut link, Request::get("/").body(Empty::<Bytes>::new()).unwrap()).await;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        // It says something, and then nothing for ever.
        say(&mut stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n").await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "it sees its connection closed");
    };
    let client = async {
        let mut body = answer.0.await.unwrap().response.into_body();
        body.frame().await.unwrap().unwrap();
    };
    let work = async {
        let event = heard(&mut link).await;
        drop(link);
        event
    };
    let (event, (), ()) = tokio::join!(work, serve, client);
    assert_eq!(event, Event::Result(Bytes::new()));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_whole() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let answer = converse(&mut link, Request::get("/").body(Empty::<Bytes>::new()).unwrap()).await;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    };
    let client = async {
        let mut body = answer.0.await.unwrap().response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        body.frame().await.unwrap().unwrap_err().to_string()
    };
    let (event, (), error) = tokio::join!(heard(&mut link), serve, client);
    assert!(matches!(event, Event::Error { after: After::GoesOn, .. }), "{event:?}");
    assert_eq!(error, "the function ended in the middle of its answer");
}

#[tokio::test]
async fn a_slow_reader_slows_the_server() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let answer = converse(&mut link, Request::get("/").body(Empty::<Bytes>::new()).unwrap()).await;
    const TOTAL: usize = 256 << 20;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n")).await;
        let piece = vec![0; 1 << 20];
        let mut written = 0;
        // It ends when the connection is closed.
        while written < TOTAL
            && let Ok(count) = stream.write(&piece).await
        {
            written += count;
        }
        written
    };
    let client = async {
        let body = answer.0.await.unwrap().response.into_body();
        // Time enough for a server that nobody holds back.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(body);
    };
    let work = async {
        let event = heard(&mut link).await;
        drop(link);
        event
    };
    let (event, written, ()) = tokio::join!(work, serve, client);
    assert_eq!(event, Event::Result(Bytes::new()));
    assert!(written < TOTAL / 4, "{written} bytes went into what nobody read");
}

#[tokio::test]
async fn both_sides_may_switch_protocols() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    let request = Request::get("/socket").header("connection", "Upgrade").header("upgrade", "websocket");
    let answer = converse(&mut link, request.body(Empty::<Bytes>::new()).unwrap()).await;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
        // Some servers speak at once.
        say(&mut stream, "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello ").await;
        let mut said = [0; 4];
        stream.read_exact(&mut said).await.unwrap();
        stream.write_all(&said).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        rest
    };
    let client = async {
        let Answer { response, tunnel } = answer.0.await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["upgrade"].as_bytes()), (101, &b"websocket"[..]));
        let mut tunnel = tunnel.unwrap();
        tunnel.write_all(b"ping").await.unwrap();
        let mut heard = [0; 10];
        tunnel.read_exact(&mut heard).await.unwrap();
        heard
    };
    let (event, rest, said) = tokio::join!(heard(&mut link), serve, client);
    assert_eq!((&said, rest, event), (b"hello ping", Vec::new(), Event::Result(Bytes::new())));
}

#[tokio::test]
async fn waiting_can_be_dropped_and_taken_up_again() {
    let (listener, port) = server().await;
    let (mut link, _life) = link_to(port, &[]);
    assert_eq!(heard(&mut link).await, Event::Ready);
    link.invoke(&invocation("1"), 0);
    let until = Instant::now() + Duration::from_millis(30);
    while Instant::now() < until {
        let _ = tokio::time::timeout(Duration::from_millis(1), link.receive()).await;
    }
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n5").await;
    };
    let (event, ()) = tokio::join!(heard(&mut link), serve);
    assert_eq!(result(&event), "5");
}
