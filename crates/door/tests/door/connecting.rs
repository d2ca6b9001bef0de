//! Connections: what they may do, how long, and how they end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::Random;
use bytes::Bytes;
use door::{Limits, Mode};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{Client, House, PATIENCE, create_group, get, request};

fn quick() -> Limits {
    Limits {
        head_time_max: Duration::from_millis(200),
        body_stall_max: Duration::from_millis(200),
        idle_max: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_requests_may_be_piped() {
    let house = House::open().await;
    let mut client = house.connect().await;
    for round in 0..3 {
        client.send(create_group("a").as_bytes()).await;
        assert_eq!(client.answer().await.status, 200, "{round}");
    }
    client.send((get("/_health") + &create_group("b") + &get("/_nonsense")).as_bytes()).await;
    let statuses = [client.answer().await.status, client.answer().await.status, client.answer().await.status];
    assert_eq!(statuses, [200, 200, 404], "in order");
    client.send(request("GET /_health", "Connection: close\r\n", "").as_bytes()).await;
    assert_eq!(client.answer().await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn http_2_is_spoken_on_the_same_port() {
    let house = House::open().await;
    let io = TokioIo::new(TcpStream::connect(house.address).await.expect("connects"));
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io)
        .await
        .expect("shakes hands");
    let driver = base::task::spawn(base::task::Kind::Work, "client", async move {
        connection.await.ok();
    });
    for (host, status) in [("localhost", 200), ("evil.example", 403)] {
        let request = Request::post(format!("http://{host}/"))
            .header("x-amz-target", "Logs_20140328.CreateLogGroup")
            .header("content-type", "application/x-amz-json-1.1")
            .body(Full::new(Bytes::from_static(br#"{"logGroupName":"two"}"#)))
            .expect("a request");
        let response = timeout(PATIENCE, sender.send_request(request)).await.expect("in time").expect("an answer");
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("x-amzn-requestid"));
        response.into_body().collect().await.expect("whole");
    }
    let head = Request::head("http://localhost/_health").body(Full::new(Bytes::new())).expect("a request");
    let response = timeout(PATIENCE, sender.send_request(head)).await.expect("in time").expect("an answer");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-length"]),
        (200, &"32".parse().expect("a value"))
    );
    assert!(response.into_body().collect().await.expect("whole").to_bytes().is_empty(), "HEAD asks for no body");
    driver.abort();
}

#[tokio::test]
async fn an_idle_http_2_client_is_told_to_leave() {
    let house = House::with(Mode::Open, quick()).await;
    let io = TokioIo::new(TcpStream::connect(house.address).await.expect("connects"));
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io)
        .await
        .expect("shakes hands");
    let ask = async {
        let request = Request::get("http://localhost/_health").body(Full::new(Bytes::new())).expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        // The sender lives on: who closes is the door.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ask => unreachable!("it only waits"),
        ended = timeout(PATIENCE, connection) => ended.expect("in time").expect("ends well"),
    }
}

#[tokio::test]
async fn who_expects_to_go_on_is_told_to_or_refused_at_once() {
    let house = House::open().await;
    let head = |length: usize| {
        format!(
            "POST /2015-03-31/functions/greet/invocations HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut client = house.connect().await;
    client.send(head(4).as_bytes()).await;
    assert_eq!(client.answer().await.status, 100);
    client.send(b"null").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "null"));
    let mut client = house.connect().await;
    client.send(head(7 << 20).as_bytes()).await;
    assert_eq!(client.answer().await.status, 413, "without its body");
}

#[tokio::test]
async fn slow_clients_are_cut() {
    let house = House::with(Mode::Open, quick()).await;
    for sent in ["", "P", "POST / HT", "POST / HTTP/1.1\r\nHost: loc", "PRI * HTTP/2.0\r\n"] {
        let mut client = house.connect().await;
        client.send(sent.as_bytes()).await;
        client.closed().await;
    }
    let mut stalled = house.connect().await;
    let whole = create_group("a");
    stalled.send(&whole.as_bytes()[..whole.len() - 3]).await;
    let answer = stalled.answer().await;
    assert!(answer.status == 408 && answer.body.contains("RequestTimeout"), "{answer:?}");
    let mut idle = house.connect().await;
    idle.send(get("/_health").as_bytes()).await;
    assert_eq!(idle.answer().await.status, 200);
    idle.closed().await;
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_cut() {
    let house = House::with(Mode::Open, Limits { requests_max: 1, ..quick() }).await;
    // Far more than sockets hold.
    let large = "x".repeat(24 << 20);
    let mut client = house.connect().await;
    client.send(request("POST /_fn/greet/", "", &large).as_bytes()).await;
    let health = || async { house.ask(&get("/_health")).await.status };
    let counted = async { while health().await != 503 {} };
    timeout(PATIENCE, counted).await.expect("the answer is owed, and counts as a request at work");
    let free = async { while health().await != 200 {} };
    timeout(PATIENCE, free).await.expect("its place is free again");
    assert!(client.try_answer().await.is_none(), "what the sockets held is not all of it");
}

#[tokio::test]
async fn a_slow_reader_that_reads_is_served() {
    let house = House::with(Mode::Open, quick()).await;
    let large = "x".repeat(24 << 20);
    let mut client = house.connect().await;
    client.send(request("POST /_fn/greet/", "", &large).as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.len()), (200, "/_fn/  ".len() + large.len()));
}

#[tokio::test]
async fn bodies_on_their_way_are_bounded_together() {
    let house = House::with(Mode::Open, Limits { bodies_bytes_max: 1 << 20, ..Limits::default() }).await;
    let ask = |bytes: usize| {
        let sent = request("POST /2015-03-31/functions/greet/invocations", "", &format!("\"{}\"", "x".repeat(bytes)));
        let house = &house;
        async move { house.ask(&sent).await }
    };
    for _ in 0..3 {
        let refused = ask(2 << 20).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.body);
        assert!(refused.body.contains("1 MiB of requests that are on their way"), "{}", refused.body);
        assert_eq!(ask(900 << 10).await.status, 200, "what was held is given back");
    }
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_idle() {
    let house = House::with(Mode::Open, quick()).await;
    let mut client = house.connect().await;
    client.send(create_group("wait").as_bytes()).await;
    house.toy.entered.notified().await;
    // Another connection comes and is cut meanwhile, which takes longer than what idle ones are given.
    for _ in 0..4 {
        house.connect().await.closed().await;
    }
    house.toy.gate.add_permits(1);
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn heads_are_limited() {
    let house = House::with(Mode::Open, Limits { head_bytes_max: 16 << 10, ..Limits::default() }).await;
    let with = |bytes: usize| request("GET /_health", &format!("X-Long: {}\r\n", "x".repeat(bytes)), "");
    assert_eq!(house.ask(&with(8 << 10)).await.status, 200);
    assert_eq!(house.ask(&with(64 << 10)).await.status, 431);
    let many: String = (0..200).map(|index| format!("X-{index}: y\r\n")).collect();
    assert_eq!(house.ask(&request("GET /_health", &many, "")).await.status, 431);
}

#[tokio::test]
async fn what_two_readers_could_read_differently_is_refused() {
    let house = House::open().await;
    let chunked = "3\r\nabc\r\n0\r\n\r\n";
    for (version, headers, body, status) in [
        ("1.1", "Content-Length: 3\r\n", "abc", 200),
        ("1.1", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc", 200),
        ("1.1", "Content-Length: 3\r\nContent-Length: 4\r\n", "abc", 400),
        ("1.1", "Content-Length: 3, 3\r\n", "abc", 400),
        ("1.1", "Content-Length: +3\r\n", "abc", 400),
        ("1.1", "Content-Length: -3\r\n", "abc", 400),
        ("1.1", "Content-Length : 3\r\n", "abc", 400),
        ("1.1", "Transfer-Encoding: chunked\r\n", chunked, 200),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunked, 200),
        ("1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunked, 200),
        ("1.1", "Transfer-Encoding: identity\r\n", "abc", 400),
        ("1.1", "Transfer-Encoding: chunked, gzip\r\n", chunked, 400),
        ("1.1", "Transfer-Encoding : chunked\r\n", chunked, 400),
        ("1.1", "X-Folded: one\r\n two\r\nContent-Length: 3\r\n", "abc", 400),
        ("1.0", "Transfer-Encoding: chunked\r\n", chunked, 400),
    ] {
        let sent = format!("POST /_fn/ HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n{body}");
        let answer = house.ask(&sent).await;
        assert_eq!(answer.status, status, "{version} {headers:?}: {answer:?}");
        assert!(status != 200 || answer.body == "/_fn/ abc ", "{headers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let house = House::with(Mode::Open, Limits { connections_max: 1, ..Limits::default() }).await;
    // The public listener counts its own.
    let mut first = house.connect().await;
    first.send(get("/_health").as_bytes()).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = house.connect().await;
    second.send(get("/_health").as_bytes()).await;
    let early = timeout(Duration::from_millis(100), second.answer()).await;
    assert!(early.is_err(), "there is no room yet");
    drop(first);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused() {
    let house = House::with(Mode::Open, Limits { requests_max: 1, ..Limits::default() }).await;
    let mut first = house.connect().await;
    first.send(create_group("wait").as_bytes()).await;
    house.toy.entered.notified().await;
    let refused = house.ask(&get("/_health")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    house.toy.gate.add_permits(1);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(house.ask(&get("/_health")).await.status, 200);
}

#[tokio::test]
async fn closing_answers_what_was_asked_and_takes_no_more() {
    let house = House::open().await;
    let mut idle = house.connect().await;
    idle.send(get("/_health").as_bytes()).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut client = house.connect().await;
    client.send(create_group("wait").as_bytes()).await;
    house.toy.entered.notified().await;
    let (closed, answer) = tokio::join!(house.door.close(PATIENCE), async {
        idle.closed().await;
        house.toy.gate.add_permits(1);
        let answer = client.answer().await;
        client.closed().await;
        answer
    });
    assert!(closed, "everybody was done in time");
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    assert!(TcpStream::connect(house.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_write_is_finished_though_its_client_hung_up() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send(create_group("wait").as_bytes()).await;
    house.toy.entered.notified().await;
    drop(client);
    house.toy.gate.add_permits(1);
    let finished = async {
        while house.toy.finished.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, finished).await.expect("it runs to its end");
    assert_eq!(house.dispatch.operations().len(), 4);
}

#[tokio::test]
async fn nonsense_neither_hangs_nor_harms() {
    let house = House::with(Mode::Open, quick()).await;
    let random = Random::seeded(8);
    let seeds = [
        create_group("a"),
        get("/_fn/x/?a=b"),
        request("POST /2015-03-31/functions/greet/invocations?Qualifier=%24LATEST", "X-Amz-Log-Type: Tail\r\n", "{}"),
        request(
            "POST /",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Action=GetCallerIdentity&Version=2011-06-15",
        ),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned(),
    ];
    for round in 0..300 {
        let mut bytes = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"\r\n %:/?\0"[random.below(8) as usize]),
            }
        }
        let mut client = Client::to(house.address).await;
        client.send(&bytes).await;
        client.send(b"\r\n\r\n").await;
        // An answer or the end of the connection; `try_answer` fails the test if neither comes.
        if let Some(answer) = client.try_answer().await {
            assert!((100..600).contains(&answer.status));
        }
    }
    assert_eq!(house.create_group("after").await.status, 200);
}
