//! Connections, API destinations, and the requests that they make.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use super::*;

/// A small web server: tells of each request, head and body, and answers it.
fn server(answer: &'static str) -> (String, mpsc::Receiver<(Vec<String>, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            let length =
                head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).unwrap();
            if tell.send((head, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

impl Bench {
    async fn connection(&self, kind: &str, parameters: Value) -> String {
        let input = json!({"Name": kind, "AuthorizationType": kind, "AuthParameters": parameters});
        let (input, _) = wire::document::read(input).unwrap();
        self.call::<aws::CreateConnection>(input).await.unwrap().connection_arn.unwrap()
    }

    async fn destination(&self, connection: &str, endpoint: &str) -> Result<String, Fault> {
        let input = json!({
            "Name": "d", "ConnectionArn": connection, "InvocationEndpoint": endpoint, "HttpMethod": "POST",
        });
        let (input, _) = wire::document::read(input).unwrap();
        Ok(self.call::<aws::CreateApiDestination>(input).await?.api_destination_arn.unwrap())
    }
}

async fn heard(server: &mpsc::Receiver<(Vec<String>, String)>) -> (Vec<String>, String) {
    let mut found = None;
    until("the request comes", async || {
        found = server.try_recv().ok();
        found.is_some()
    })
    .await;
    found.unwrap()
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter()
        .find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

#[tokio::test]
async fn an_api_destination_is_asked_with_its_key_and_shows_no_secret() {
    let bench = Bench::new().await;
    let (url, requests) = server("");
    let connection = bench
        .connection(
            "API_KEY",
            json!({
                "ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "s3cret"},
                "InvocationHttpParameters": {"QueryStringParameters": [{"Key": "q", "Value": "1", "IsValueSecret": true}]},
            }),
        )
        .await;
    let described =
        bench.call::<aws::DescribeConnection>(aws::DescribeConnectionRequest { name: "API_KEY".into() }).await.unwrap();
    let shown = wire::document::write(&described).to_string();
    assert!(shown.contains("x-key") && !shown.contains("s3cret") && !shown.contains("\"Value\""), "{shown}");
    let arn = bench.destination(&connection, &format!("{url}/hooks/*")).await.unwrap();
    let target =
        json!({"Id": "d", "Arn": arn, "InputPath": "$.detail", "HttpParameters": {"PathParameterValues": ["a"]}});
    bench.rule("r", &json!({"source": ["shop"]}), &[target]).await;
    bench.put(vec![entry(&json!({"n": 1}))]).await;
    let (head, body) = heard(&requests).await;
    assert_eq!((head[0].as_str(), body.as_str()), ("POST /hooks/a?q=1 HTTP/1.1", "{\"n\":1}"));
    assert_eq!(header(&head, "x-key"), Some("s3cret"));
    // As a CloudEvent, if the rule's headers say so.
    let target = json!({"Id": "d", "Arn": arn, "HttpParameters": {"HeaderParameters": {"Content-Type": "application/cloudevents+json"}}});
    bench.targets("r", &[target]).await.unwrap();
    bench.put(vec![entry(&json!({"n": 2}))]).await;
    let (head, body) = heard(&requests).await;
    assert_eq!(header(&head, "content-type"), Some("application/cloudevents+json"));
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&event["specversion"], &event["type"], &event["data"]),
        (&json!("1.0"), &json!("Order"), &json!({"n": 2}))
    );
}

#[tokio::test]
async fn an_oauth_connection_fetches_its_token_once() {
    let bench = Bench::new().await;
    let (tokens, token_requests) = server(r#"{"access_token": "t0ken", "expires_in": 3600}"#);
    let (url, requests) = server("");
    let parameters = json!({"OAuthParameters": {
        "ClientParameters": {"ClientID": "me", "ClientSecret": "s&cret"}, "AuthorizationEndpoint": format!("{tokens}/token"),
        "HttpMethod": "POST",
    }});
    let connection = bench.connection("OAUTH_CLIENT_CREDENTIALS", parameters).await;
    let arn = bench.destination(&connection, &url).await.unwrap();
    bench.rule("r", &json!({"source": ["shop"]}), &[json!({"Id": "d", "Arn": arn})]).await;
    bench.put(vec![entry(&json!({"n": 1}))]).await;
    let (head, body) = heard(&token_requests).await;
    assert_eq!(head[0], "POST /token HTTP/1.1");
    assert_eq!(body, "grant_type=client_credentials&client_id=me&client_secret=s%26cret");
    let (head, _) = heard(&requests).await;
    assert_eq!(header(&head, "authorization"), Some("Bearer t0ken"));
    bench.put(vec![entry(&json!({"n": 2}))]).await;
    heard(&requests).await;
    assert!(token_requests.try_recv().is_err(), "the token is used again");
}

#[tokio::test]
async fn destinations_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    let connection =
        bench.connection("BASIC", json!({"BasicAuthParameters": {"Username": "u", "Password": "p"}})).await;
    assert!(refused(bench.destination(&connection, "ftp://host").await).contains("InvocationEndpoint is not valid"));
    let unknown = connection.replace("BASIC", "other");
    assert!(refused(bench.destination(&unknown, "https://host").await).starts_with("ResourceNotFoundException"));
    bench.destination(&connection, "https://host").await.unwrap();
    assert!(
        refused(bench.destination(&connection, "https://host").await).starts_with("ResourceAlreadyExistsException")
    );
    let mismatched = json!({"Name": "m", "AuthorizationType": "API_KEY", "AuthParameters": {}});
    let (mismatched, _) = wire::document::read(mismatched).unwrap();
    assert!(
        refused(bench.call::<aws::CreateConnection>(mismatched).await)
            .contains("ApiKeyAuthParameters must be specified")
    );
}
