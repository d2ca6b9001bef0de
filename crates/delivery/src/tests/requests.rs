//! Requests to the world, against a server of the test's own.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Bench, retry};
use crate::http::World;
use crate::{Carried, Carrier, Delivery, Ending, LaneId, Post, Reach};

/// Answers each connection with the next of `answers`, and hands back what was asked.
async fn serve(answers: Vec<&'static str>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    base::task::spawn(base::task::Kind::Work, "test server", async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"hello") {
                let mut some = [0; 1024];
                match stream.read(&mut some).await.unwrap() {
                    0 => break,
                    count => asked.extend_from_slice(&some[..count]),
                }
            }
            tell.send(String::from_utf8(asked).unwrap()).ok();
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (url, told)
}

#[tokio::test]
async fn a_request_is_made_until_the_endpoint_takes_it() {
    let bench = Bench::memory().await;
    let (url, mut told) = serve(vec![
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait",
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    .await;
    let post = Post::new(url, "hello").header("Content-Type", "text/plain; charset=UTF-8");
    let delivery =
        Delivery { retry: retry(5), ..Delivery::http(bench.sender(), LaneId::any("subscription", "web"), &post) };
    bench.put(&[delivery]).await;
    bench.until_idle().await;
    for _ in 0..3 {
        let asked = told.recv().await.unwrap();
        assert!(asked.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{asked}");
        let lower = asked.to_lowercase();
        assert!(
            lower.contains("content-type: text/plain; charset=utf-8\r\n") && lower.contains("host: 127.0.0.1:"),
            "{asked}"
        );
    }
    let counts = bench.engine().report().counts["subscription"];
    assert_eq!((counts.delivered, counts.retried), (1, 2));
}

async fn ending(reach: Reach, post: &Post) -> Ending {
    let bench = Bench::memory().await;
    let carried = Carried {
        lane: LaneId::any("subscription", "web"),
        parcel: post.to_parcel(),
        sender: bench.sender(),
        tries: 0,
        retries: 0,
        retry: retry(0),
        dead_letter: None,
    };
    Arc::new(World::new(reach)).carry(&carried).await
}

#[tokio::test]
async fn statuses_decide() {
    for (answer, retried, expected) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", vec![], "delivered"),
        ("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n", vec![], "retry 429 after 3s"),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", vec![], "retry 500"),
        ("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", vec![], "refused 404"),
        ("HTTP/1.1 301 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", vec![], "refused 301"),
        ("HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n", vec![401], "retry 401"),
        ("nonsense", vec![], "retry ConnectionError"),
    ] {
        let (url, _told) = serve(vec![answer]).await;
        let found = match ending(Reach::Everything, &Post { retried, ..Post::new(url, "hello") }).await {
            Ending::Delivered { .. } => "delivered".to_owned(),
            Ending::Retry { why, after: Some(after) } => format!("retry {} after {}s", why.code, after.as_secs()),
            Ending::Retry { why, after: None } => format!("retry {}", why.code),
            Ending::Refused { why } => format!("refused {}", why.code),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{answer}");
    }
}

#[tokio::test]
async fn the_machine_itself_is_out_of_reach_where_others_can_subscribe() {
    let (url, mut told) = serve(vec!["HTTP/1.1 200 OK\r\n\r\n"]).await;
    let port = url.rsplit(':').next().unwrap();
    for url in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://0.0.0.0:{port}"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[fe80::1]/".to_owned(),
    ] {
        let ending = ending(Reach::World, &Post::new(&url, "hello")).await;
        assert!(matches!(&ending, Ending::Refused { why } if why.code == "InvalidEndpoint"), "{url}: {ending:?}");
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_a_request_is_refused() {
    for post in [
        Post::new("", "b"),
        Post::new("ftp://example.com", "b"),
        Post::new("/path", "b"),
        Post { method: "B AD".into(), ..Post::new("http://127.0.0.1:1", "b") },
        Post::new("http://127.0.0.1:1", "b").header("bad\n", "x"),
        Post::new("http://127.0.0.1:1", "b").header("x", "bad\r\n"),
    ] {
        assert!(matches!(ending(Reach::Everything, &post).await, Ending::Refused { .. }), "{post:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_silent_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let post = Post { patience_ms: 50, ..Post::new(url, "hello") };
    let ending = tokio::time::timeout(Duration::from_secs(30), ending(Reach::Everything, &post)).await.unwrap();
    assert!(matches!(&ending, Ending::Retry { why, .. } if why.code == "TimeoutError"), "{ending:?}");
}
