//! Signatures, where they are asked for.

use std::sync::Arc;

use door::{BindError, Face, Limits, Mode};
use http::HeaderMap;
use signature::{Head, Signer};

use crate::house::{Answer, Client, House, Keys, get, request};

async fn verified() -> House {
    House::with(Mode::Verified(Arc::new(Keys)), Limits::default()).await
}

struct Asked<'a> {
    key: &'a str,
    secret: &'a str,
    service: &'a str,
    path: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: &'a str,
    sent: &'a str,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self { key: "ROOT", secret: "secret", service: "sts", path: "/", headers: &[], body: FORM, sent: FORM }
    }
}

const FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";

impl House {
    /// Signs `body`, and sends `sent` in its place.
    async fn ask_signed(&self, asked: Asked<'_>) -> Answer {
        let Asked { key, secret, service, path, headers, body, sent } = asked;
        let mut signed = HeaderMap::new();
        signed.insert("content-type", "application/x-www-form-urlencoded".parse().expect("a value"));
        for (name, value) in headers {
            signed.insert(*name, value.parse().expect("a value"));
        }
        let signer = Signer { access_key: key, secret, session_token: None, region: "eu-central-1", service };
        let head = Head { method: "POST", path, query: "", host: "any.example", headers: &signed };
        let added = signer.headers(&head, body.as_bytes(), self.clock.now()).expect("signs");
        signed.extend(added.into_iter().map(|(name, value)| (Some(name), value)));
        let lines: String =
            signed.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text"))).collect();
        self.ask(&request(&format!("POST {path}"), &format!("Host: any.example\r\n{lines}"), sent)).await
    }
}

#[tokio::test]
async fn a_signature_proves_who_asks() {
    let house = verified().await;
    let root = house.ask_signed(Asked::default()).await;
    assert!(root.body.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"), "{}", root.body);
    assert!(root.body.contains("<UserId>eu-central-1 http://any.example</UserId>"), "any name is answered to");
    let role = house.ask_signed(Asked { key: "ROLE", ..Asked::default() }).await;
    assert_eq!(role.status, 403);
    let told = "User: arn:aws:sts::000000000000:assumed-role/r/s is not authorized to perform: sts:GetCallerIdentity";
    assert!(role.body.contains(told) && role.body.contains("<Code>AccessDenied</Code>"), "{}", role.body);
}

#[tokio::test]
async fn what_is_not_proven_is_refused_in_the_protocols_words() {
    let house = verified().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let unsigned = house.ask(&request("POST /", form, FORM)).await;
    assert!(
        unsigned.status == 403 && unsigned.body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{}",
        unsigned.body
    );
    let target = "X-Amz-Target: Logs_20140328.CreateLogGroup\r\nContent-Type: application/x-amz-json-1.1\r\n";
    let unsigned = house.ask(&request("POST /", target, r#"{"logGroupName":"a"}"#)).await;
    assert!(
        unsigned.status == 400 && unsigned.body.contains("MissingAuthenticationTokenException"),
        "{}",
        unsigned.body
    );
    for (asked, code) in [
        (Asked { secret: "guess", ..Asked::default() }, "SignatureDoesNotMatch"),
        (Asked { key: "NOBODY", ..Asked::default() }, "InvalidClientTokenId"),
        (
            Asked { sent: "Action=GetCallerIdentity&Version=2011-06-15&x=1", ..Asked::default() },
            "SignatureDoesNotMatch",
        ),
    ] {
        let answer = house.ask_signed(asked).await;
        assert!(
            answer.status == 403 && answer.body.contains(&format!("<Code>{code}</Code>")),
            "{code}: {}",
            answer.body
        );
    }
    let json = Asked {
        service: "logs",
        headers: &[("x-amz-target", "Logs_20140328.CreateLogGroup"), ("content-type", "application/x-amz-json-1.1")],
        secret: "guess",
        ..Asked::default()
    };
    let answer = house.ask_signed(json).await;
    let told = answer.body.contains("InvalidSignatureException") && answer.body.contains("The Canonical String");
    assert!(answer.status == 400 && told, "{}", answer.body);
    let rest = house.ask(&request("POST /2015-03-31/functions/greet/invocations", "", "{}")).await;
    assert!(rest.status == 403 && rest.body.contains("Missing Authentication Token"), "{}", rest.body);
    assert_eq!(house.toy.finished.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_signature_for_one_service_is_none_for_another() {
    let house = verified().await;
    let asked = Asked {
        service: "sts",
        headers: &[("x-amz-target", "Logs_20140328.CreateLogGroup"), ("content-type", "application/x-amz-json-1.1")],
        body: r#"{"logGroupName":"a"}"#,
        sent: r#"{"logGroupName":"a"}"#,
        ..Asked::default()
    };
    let answer = house.ask_signed(asked).await;
    assert!(answer.status >= 400, "{}", answer.body);
    assert_eq!(house.toy.finished.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_nodes_own_paths_know_their_audience() {
    let house = verified().await;
    assert_eq!(house.ask(&get("/_health")).await.status, 200);
    assert_eq!(house.ask(&get("/_fn/greet/")).await.status, 200);
    for path in ["/_metrics", "/_owner", "/_known", "/_call/sts/GetCallerIdentity"] {
        let answer = house.ask(&get(path)).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
    }
    let own = |key, path| Asked { key, path, service: "freehold", body: "hi", sent: "hi", ..Asked::default() };
    let owner = house.ask_signed(own("ROOT", "/_owner")).await;
    assert_eq!(owner.body, "/_owner hi arn:aws:iam::000000000000:root");
    let role = house.ask_signed(own("ROLE", "/_owner")).await;
    assert!(role.status == 403 && role.body.contains("Only the owner of this node"), "{}", role.body);
    let known = house.ask_signed(own("ROLE", "/_known")).await;
    assert_eq!(known.body, "/_known hi arn:aws:sts::000000000000:assumed-role/r/s");
    let swapped = house.ask_signed(Asked { sent: "ho", ..own("ROOT", "/_owner") }).await;
    assert_eq!(swapped.status, 403, "{}", swapped.body);
}

#[tokio::test]
async fn a_large_body_is_checked_while_it_is_read() {
    let house = verified().await;
    let large = "x".repeat(2 << 20);
    let unhashed = Asked { path: "/_owner", body: &large, sent: &large, ..Asked::default() };
    let answer = house.ask_signed(unhashed).await;
    assert!(answer.status == 413 && answer.body.contains("X-Amz-Content-Sha256"), "{}", answer.body);
    let hash = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, large.as_bytes()));
    let headers = [("x-amz-content-sha256", hash.as_str())];
    let hashed = |sent| Asked { path: "/_owner", headers: &headers, body: &large, sent, ..Asked::default() };
    let answer = house.ask_signed(hashed(&large)).await;
    assert_eq!(answer.body.len(), "/_owner  arn:aws:iam::000000000000:root".len() + large.len());
    let other = "y".repeat(2 << 20);
    let answer = house.ask_signed(hashed(&other)).await;
    assert!(answer.body.contains("The body is not the one that was signed"), "{}", &answer.body[..80]);
}

#[tokio::test]
async fn nobody_listens_openly_where_others_can_reach() {
    let house = House::open().await;
    let anywhere = "0.0.0.0:0".parse().expect("an address");
    let bind = |face| async move { door::bind(anywhere, face).await.expect("a free port") };
    let refused = house.door.open(bind(Face::Whole).await).expect_err("refused");
    assert!(matches!(refused, BindError::OpenToOthers(_)) && refused.to_string().contains("--auth iam"));
    house.door.open(bind(Face::Public).await).expect("functions are meant for others");
    verified().await.door.open(bind(Face::Whole).await).expect("callers are verified");
    let taken = door::bind(house.address, Face::Whole).await.expect_err("taken");
    assert!(matches!(taken, BindError::Taken(_)) && taken.to_string().contains("--listen 127.0.0.1:4567"), "{taken}");
    // Kept for documentation: no machine has it.
    let foreign = "192.0.2.1:0".parse().expect("an address");
    let elsewhere = door::bind(foreign, Face::Whole).await.expect_err("not ours");
    assert!(matches!(elsewhere, BindError::Elsewhere(_)) && elsewhere.to_string().contains("0.0.0.0"), "{elsewhere}");
}

#[tokio::test]
async fn a_signature_that_nobody_checks_is_not_taken_from_strangers() {
    let house = House::open().await;
    let scope = "Credential=AKIA/20261121/us-east-1/lambda/aws4_request";
    let signed = format!(
        "Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20261121T024011Z\r\n"
    );
    for (headers, status) in [(signed.as_str(), 403), ("Authorization: Bearer x\r\n", 200), ("", 200)] {
        let mut stranger = Client::to(house.public).await;
        stranger.send(request("GET /_fn/greet/", headers, "").as_bytes()).await;
        assert_eq!(stranger.answer().await.status, status, "{headers}");
    }
    assert_eq!(house.ask(&request("GET /_fn/greet/", &signed, "")).await.status, 200, "among friends it is");
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_a_node_that_verifies() {
    let house = verified().await;
    let asked = "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n";
    assert_eq!(house.ask(&request("OPTIONS /", asked, "")).await.status, 204, "a preflight cannot be signed");
    for (origin, readable) in [("http://localhost:3000", "http://localhost:3000"), ("https://evil.example", "")] {
        let headers = [("origin", origin)];
        let answer = house.ask_signed(Asked { headers: &headers, ..Asked::default() }).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, readable), "{origin}");
    }
    let evil = asked.replace("http://localhost:3000", "https://evil.example");
    assert_eq!(house.ask(&request("OPTIONS /", &evil, "")).await.status, 403, "nothing is said to others");
}
