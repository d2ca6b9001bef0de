//! Mail against a toy server.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

#[test]
fn urls_are_read_or_refused() {
    for (url, from) in [
        ("smtp://localhost", Some("no-reply@localhost")),
        ("smtp://user:secret@mail.example.com:587?tls=required&from=news@example.com", Some("news@example.com")),
        ("smtps://mail.example.com?from=a%40example.com", Some("a@example.com")),
        ("http://localhost", None),
        ("smtp://localhost?from=nobody", None),
        ("smtp://localhost?tls=perhaps", None),
        ("smtp://", None),
        ("", None),
    ] {
        let read = Mail::new(url).ok().map(|mail| mail.from);
        assert_eq!(read.as_deref(), from, "{url}");
    }
}

fn letter(to: &str) -> Vec<u8> {
    let letter = Letter {
        id: uuid::Uuid::nil(),
        message: uuid::Uuid::nil(),
        protocol: "email".to_owned(),
        to: to.to_owned(),
        subject: Some("Grüße an alle Leser".to_owned()),
        body: ".\r\nDear all".to_owned(),
        topic: None,
        at_ms: 1_795_262_400_000,
    };
    serde_json::to_vec(&letter).unwrap()
}

/// Takes one letter, answers the recipient so, and gives what it heard.
async fn heard(recipient: &'static str) -> (Ending, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail =
        Mail::new(&format!("smtp://user:pass@{}?from=news@example.com", listener.local_addr().unwrap())).unwrap();
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 here\r\n").await.unwrap();
        let (mut heard, mut is_letter) = (Vec::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap() == 0 {
                return heard;
            }
            let line = line.trim_end().to_owned();
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." if is_letter => "250 taken\r\n",
                _ if is_letter => "",
                "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n",
                "AUTH" => "235 welcome\r\n",
                "DATA" => "354 go on\r\n",
                "RCPT" => recipient,
                "QUIT" => "221 bye\r\n",
                _ => "250 good\r\n",
            };
            is_letter = (is_letter || line == "DATA") && line != ".";
            stream.write_all(answer.as_bytes()).await.unwrap();
            let ends = line == "QUIT";
            heard.push(line);
            if ends {
                return heard;
            }
        }
    };
    let parcel = letter("reader@example.com");
    tokio::join!(mail.send(&parcel), server)
}

#[tokio::test]
async fn a_letter_is_handed_over() {
    let (ending, heard) = heard("250 good\r\n").await;
    assert_eq!(ending, Ending::DELIVERED);
    assert_eq!(heard[1], format!("AUTH PLAIN {}", STANDARD.encode("\0user\0pass")));
    assert_eq!(heard[2..5], ["MAIL FROM:<news@example.com>", "RCPT TO:<reader@example.com>", "DATA"]);
    let subject = format!("Subject: =?utf-8?B?{}?=", STANDARD.encode("Grüße an a"));
    assert!(heard.contains(&subject) && heard.contains(&"Date: Sat, 21 Nov 2026 12:00:00 +0000".to_owned()));
    assert!(heard.contains(&STANDARD.encode(".\r\nDear all")));
}

#[tokio::test]
async fn what_a_server_refuses_for_good_is_not_tried_again() {
    assert!(
        matches!(heard("550 nobody here\r\n").await.0, Ending::Refused { why } if why.message == "550 nobody here")
    );
    assert!(matches!(heard("451 busy\r\n").await.0, Ending::Retry { .. }));
    let mail = Mail::new("smtp://127.0.0.1:1").unwrap();
    assert!(matches!(mail.send(&letter("a@b>\r\nRCPT TO:<c@d")).await, Ending::Refused { .. }));
    assert!(matches!(mail.send(&letter("a@example.com")).await, Ending::Retry { .. }));
}
