//! Requests to a toy's URLs: who may, what the toy sees, what clients get.

use std::sync::Mutex;

use base::task::Tasks;
use base::{Clock, Random};
use contract::{AccountId, Arn, Cause, Fault, Region};
use dispatch::{Attached, Attachments, BoxFuture, Limits, OpenAuthority, Registry};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HOST, ORIGIN};
use http_body_util::{BodyExt, Full};
use policy::{Kind, Policy};
use serde_json::{Value, json};
use signature::{Credential, Signer as Sign};

use http::{HeaderValue, StatusCode};

use super::*;
use crate::{Access, BODY_BYTES_MAX, Cors};

/// Answers as its name says, and keeps the events.
#[derive(Default)]
struct Toys {
    events: Mutex<Vec<Value>>,
}

struct Toy {
    name: &'static str,
    region: Region,
    origins: Vec<String>,
}

impl Toy {
    fn named(name: &str) -> Option<Self> {
        const NAMES: [&str; 15] = [
            "open",
            "signed",
            "cors",
            "failing",
            "busy",
            "odd",
            "broken",
            "says",
            "server",
            "signed-server",
            "fallen-server",
            "streaming",
            "streaming-bare",
            "streaming-odd",
            "streaming-whole",
        ];
        let name = NAMES.into_iter().find(|known| *known == name)?;
        Some(Self { name, region: Region::default_one(), origins: vec!["https://good.example".into()] })
    }
}

impl Url for Toy {
    fn id(&self) -> &str {
        self.name
    }

    fn region(&self) -> &Region {
        &self.region
    }

    fn account(&self) -> AccountId {
        AccountId::ONLY
    }

    fn arn(&self) -> Arn {
        Arn::new("lambda", &self.region, AccountId::ONLY, format!("function:{}", self.name))
    }

    fn takes_requests(&self) -> bool {
        self.name.ends_with("server")
    }

    fn streams(&self) -> bool {
        self.name.starts_with("streaming")
    }

    fn access(&self) -> Access {
        if self.name.starts_with("signed") { Access::Signed } else { Access::Everybody }
    }

    fn cors(&self) -> Option<Cors<'_>> {
        let has_rules = ["cors", "says", "failing", "signed"].contains(&self.name);
        has_rules.then(|| Cors { allow_origins: &self.origins, ..Cors::default() })
    }
}

impl FunctionUrls for Arc<Toys> {
    type Url = Toy;

    fn by_id(&self, id: &str) -> Option<Toy> {
        Toy::named(id)
    }

    fn by_name(&self, name: &str) -> Option<Toy> {
        Toy::named(name)
    }

    async fn invoke(&self, _call: &Call, url: &Toy, event: Bytes) -> Result<Answer, Fault> {
        let event: Value = serde_json::from_slice(&event).expect("the event is JSON");
        self.events.lock().expect("unpoisoned").push(event);
        match url.name {
            "failing" => Ok(Answer::Failed),
            "busy" => Err(Fault::new(Cause::Throttled, "TooManyRequestsException", "Rate Exceeded.")),
            "broken" => Err(Fault::new(
                Cause::Unavailable,
                "ServiceException",
                "an instance could not be started: /secret/place",
            )),
            "says" => Ok(Answer::Whole(
                r#"{"statusCode":200,"headers":{"access-control-allow-origin":"https://good.example"}}"#.into(),
            )),
            "odd" => Ok(Answer::Whole(r#"{"statusCode":1}"#.into())),
            _ => Ok(Answer::Whole(r#"{"statusCode":201,"headers":{"content-type":"text/plain"},"body":"hi"}"#.into())),
        }
    }

    /// Says something about its answer, or not, or makes it as a whole.
    async fn stream(&self, call: &Call, url: &Toy, event: Bytes) -> Result<Streamed, Fault> {
        let answer = match url.name {
            "streaming" => {
                "{\"statusCode\":202,\"headers\":{\"x-own\":\"1\"},\"cookies\":[\"a=b\"]}\0\0\0\0\0\0\0\0{}\0"
            }
            "streaming-bare" => "{\"just\": \"words\"}\n",
            "streaming-odd" => "{\"statusCode\":1}\0\0\0\0\0\0\0\0",
            _ => return self.invoke(call, url, event).await.map(Streamed::Whole),
        };
        Ok(Streamed::Pieces(through::whole(Bytes::from(answer))))
    }

    /// Says back what it hears.
    async fn converse(&self, _call: &Call, url: &Toy, request: Request<Body>) -> Result<Conversed, Fault> {
        if url.name == "fallen-server" {
            return Ok(Conversed::Failed);
        }
        let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value).into()));
        let headers: serde_json::Map<String, Value> = headers.collect();
        let target = request.uri().to_string();
        let seen = json!({ "method": request.method().as_str(), "target": target, "headers": headers });
        self.events.lock().expect("unpoisoned").push(seen);
        let mut response = Response::new(request.into_body());
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(Conversed::Answered { response, tunnel: None })
    }
}

struct Keys;

impl Credentials for Keys {
    fn lookup<'a>(&'a self, access_key: &'a str, _session_token: Option<&'a str>) -> signature::Lookup<'a> {
        let known = (access_key == "AKIA").then(|| Credential {
            secret: "secret".into(),
            session_token: None,
            expires: None,
            principal: Principal::Role { role: "arn:aws:iam::000000000000:role/r".into(), session: "s".into() },
        });
        Box::pin(async { Ok(known) })
    }
}

struct OnePolicy(Arc<Policy>);

impl Attachments for OnePolicy {
    fn attached<'a>(&'a self, _call: &'a Call, _resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async { Ok(Attached::Grants(Arc::clone(&self.0))) })
    }
}

struct House {
    gateway: Gateway<Arc<Toys>>,
    toys: Arc<Toys>,
    clock: Clock,
    metrics: Metrics,
}

/// Lets everybody at "open", and the role at "signed".
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"arn:aws:lambda:*:*:function:open",
     "Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}},
    {"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:*:*:function:open",
     "Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:role/r"},"Action":"lambda:*",
     "Resource":"arn:aws:lambda:*:*:function:signed"}]}"#;

impl House {
    fn new(mode: Mode) -> Self {
        let (clock, _hand) = Clock::manual("2026-11-21T02:40:11Z".parse().expect("a time"));
        let metrics = Metrics::new();
        let mut registry = Registry::new(dispatch::Parts {
            clock: clock.clone(),
            random: Random::seeded(1),
            tasks: Tasks::new(),
            metrics: metrics.clone(),
            authority: Arc::new(OpenAuthority),
            limits: Limits::default(),
        });
        let policy = Policy::parse(POLICY, Kind::Resource).expect("a policy");
        registry.attach("lambda", Arc::new(OnePolicy(Arc::new(policy))));
        let toys = Arc::new(Toys::default());
        let parts = Parts {
            urls: Arc::clone(&toys),
            dispatch: registry.open(),
            clock: clock.clone(),
            mode,
            metrics: metrics.clone(),
        };
        Self { gateway: Gateway::new(parts), toys, clock, metrics }
    }

    fn verified() -> Self {
        Self::new(Mode::Verified(Arc::new(Keys)))
    }

    async fn send<B>(&self, request: Request<B>) -> (http::response::Parts, String)
    where
        B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
    {
        let random = Random::seeded(2);
        let trace = Trace::start(&self.clock, &random);
        let host = request.headers()[HOST].to_str().expect("text");
        let visit = Visit {
            peer: [127, 0, 0, 1].into(),
            request_id: Uuid::nil(),
            trace,
            base_url: &format!("http://{host}").into(),
            user_agent: &"".into(),
        };
        let (head, body) = self.gateway.handle(request, &visit).await.into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        (head, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (head, body) = self.send(request("GET", path, "")).await;
        (head.status.as_u16(), body)
    }

    fn last(&self) -> Value {
        self.toys.events.lock().expect("unpoisoned").last().cloned().unwrap_or_default()
    }

    /// The request, signed with that secret.
    fn signed(&self, mut request: Request<Full<Bytes>>, secret: &str) -> Request<Full<Bytes>> {
        let signer = Sign { access_key: "AKIA", secret, session_token: None, region: "us-east-1", service: "lambda" };
        let head = Head {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            host: "localhost:4566",
            headers: request.headers(),
        };
        for (name, value) in signer.headers(&head, b"", self.clock.now()).expect("signs") {
            request.headers_mut().insert(name, value);
        }
        request
    }
}

fn request(method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    Request::builder().method(method).uri(path).header(HOST, "localhost:4566").body(body).expect("a request")
}

#[tokio::test]
async fn a_request_reaches_its_function_by_name_and_by_host() {
    let house = House::new(Mode::Open);
    for (path, raw_path) in [("/_fn/open", "/"), ("/_fn/open/", "/"), ("/_fn/open/a//b%20c/", "/a//b%20c/")] {
        assert_eq!(house.get(path).await, (201, "hi".into()), "{path}");
        assert_eq!(house.last()["rawPath"], raw_path, "{path}");
    }
    let mut by_host = request("POST", "/deep?x=1", "body");
    by_host.headers_mut().insert(HOST, "open.lambda-url.eu-central-1.localhost:4566".parse().expect("a value"));
    let (head, body) = house.send(by_host).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (201, "hi"));
    assert_eq!(head.headers["content-type"], "text/plain");
    let event = house.last();
    assert_eq!((&event["rawPath"], &event["body"]), (&json!("/deep"), &json!("Ym9keQ==")));
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    let text = house.metrics.encode();
    assert!(text.contains(r#"freehold_function_url_requests_total{outcome="answered"} 4"#), "{text}");
}

#[tokio::test]
async fn pieces_are_an_answer_with_or_without_words_about_it() {
    let house = House::new(Mode::Open);
    let (head, body) = house.send(request("GET", "/_fn/streaming/", "")).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (202, "{}\0"));
    assert_eq!(head.headers["x-own"], "1");
    assert_eq!(head.headers["set-cookie"], "a=b");
    let (head, body) = house.send(request("GET", "/_fn/streaming-bare/", "")).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (200, "{\"just\": \"words\"}\n"));
    assert_eq!(head.headers["content-type"], "application/octet-stream");
    assert_eq!(house.get("/_fn/streaming-odd/").await.0, 502);
    assert_eq!(house.get("/_fn/streaming-whole/").await, (201, "hi".to_owned()));
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_aws_tells_it() {
    let house = House::new(Mode::Open);
    for (path, status, kind, told) in [
        ("/_fn/nobody/", 404, "ResourceNotFoundException", "There is no function nobody that has a URL."),
        ("/_fn/broken/", 503, "ServiceUnavailableException", r#"{"Message":"Service Unavailable"}"#),
        ("/_fn/failing/", 502, "InternalServerErrorException", r#"{"Message":"Internal Server Error"}"#),
        ("/_fn/odd/", 502, "InternalServerErrorException", r#"{"Message":"Internal Server Error"}"#),
        ("/_fn/busy/", 429, "TooManyRequestsException", "Rate Exceeded."),
        ("/_fn/signed/", 403, "AccessDeniedException", r#"{"Message":"Forbidden."#),
    ] {
        let (head, body) = house.send(request("GET", path, "")).await;
        assert_eq!((head.status.as_u16(), head.headers["x-amzn-errortype"].to_str().expect("text")), (status, kind));
        assert!(body.contains(told.trim_end_matches(['"', '}', '.'])), "{path}: {body}");
        // Whoever may try again is told when.
        let later = head.headers.get("retry-after").map(|seconds| seconds.to_str().expect("text"));
        assert_eq!(later, [429, 503].contains(&status).then_some("1"), "{path}");
    }
    let endless = "x".repeat(60_000);
    assert!(house.get(&format!("/_fn/{endless}/")).await.1.len() < 600, "what cannot be a name is not repeated whole");
    let large = "x".repeat(BODY_BYTES_MAX + 1);
    let before = house.toys.events.lock().expect("unpoisoned").len();
    let (head, body) = house.send(request("POST", "/_fn/open/", &large)).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (413, r#"{"Message":"Request Entity Too Large"}"#));
    assert_eq!(house.toys.events.lock().expect("unpoisoned").len(), before);
}

#[tokio::test]
async fn in_open_mode_a_signed_url_takes_any_signature() {
    let house = House::new(Mode::Open);
    let (head, _) = house.send(house.signed(request("GET", "/_fn/signed/", ""), "whatever")).await;
    assert_eq!(head.status, 201);
    let event = house.last();
    assert_eq!(event["requestContext"]["accountId"], "000000000000");
    assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], "AKIA");
}

#[tokio::test]
async fn where_callers_are_verified_signature_and_policy_decide() {
    let house = House::verified();
    assert_eq!(house.get("/_fn/open/").await.0, 201, "its policy lets everybody");
    assert_eq!(house.get("/_fn/cors/").await.0, 403, "open to everybody, but no policy says so");
    assert_eq!(house.get("/_fn/signed/").await.0, 403, "unsigned");
    let send = |request| async { house.send(request).await.0.status.as_u16() };
    assert_eq!(send(house.signed(request("GET", "/_fn/signed/", ""), "secret")).await, 201);
    let role = "arn:aws:sts::000000000000:assumed-role/r/s";
    assert_eq!(house.last()["requestContext"]["authorizer"]["iam"]["userArn"], role);
    assert_eq!(send(house.signed(request("GET", "/_fn/signed/", ""), "guess")).await, 403);
    let mut moved = house.signed(request("GET", "/_fn/signed/", ""), "secret");
    *moved.uri_mut() = "/_fn/signed/other".parse().expect("a path");
    assert_eq!(send(moved).await, 403);
    let mut stranger = house.signed(request("GET", "/_fn/signed/", ""), "secret");
    let text = stranger.headers()[AUTHORIZATION].to_str().expect("text").replace("AKIA", "AKIB");
    stranger.headers_mut().insert(AUTHORIZATION, text.parse().expect("a value"));
    assert_eq!(send(stranger).await, 403);
}

#[tokio::test]
async fn servers_get_the_request_itself() {
    let house = House::new(Mode::Open);
    let large = "x".repeat(BODY_BYTES_MAX + 1);
    let mut sent = request("PATCH", "/_fn/server/a%20b?x=%2F&y", &large);
    for (name, value) in [("x-own", "1"), ("x-forwarded-for", "forged"), ("x-amzn-request-context", "forged")] {
        sent.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let (head, body) = house.send(sent).await;
    assert_eq!((head.status.as_u16(), body.len()), (202, large.len()), "it streams, whatever its size");
    let seen = house.last();
    assert_eq!((&seen["method"], &seen["target"]), (&json!("PATCH"), &json!("/a%20b?x=%2F&y")));
    let headers = &seen["headers"];
    assert_eq!((&headers["host"], &headers["x-own"]), (&json!("localhost:4566"), &json!("1")));
    assert_eq!((&headers["x-forwarded-for"], &headers["x-forwarded-port"]), (&json!("127.0.0.1"), &json!("4566")));
    let context: Value = serde_json::from_str(headers["x-amzn-request-context"].as_str().expect("text")).expect("JSON");
    assert_eq!((&context["http"]["path"], &context["accountId"]), (&json!("/a b"), &json!("anonymous")));
    assert_eq!(house.get("/_fn/fallen-server/").await.0, 502);
    assert_eq!(house.get("/_fn/signed-server/").await.0, 403);
    let (head, _) = house.send(house.signed(request("GET", "/_fn/signed-server/", ""), "whatever")).await;
    assert_eq!(head.status, 202);
    let headers = &house.last()["headers"];
    assert_eq!(headers["authorization"], Value::Null, "a proof is not handed on");
    assert!(headers["x-amzn-request-context"].as_str().expect("text").contains(r#""accessKey":"AKIA""#));
    let mut by_host = request("GET", "/", "");
    by_host.headers_mut().insert(HOST, "server.lambda-url.us-east-1.localhost".parse().expect("a value"));
    by_host.headers_mut().insert("upgrade", "websocket".parse().expect("a value"));
    assert_eq!(house.send(by_host).await.0.status, 202);
    assert_eq!(house.last()["headers"]["upgrade"], Value::Null, "nothing here could switch");
}

/// A body that nobody may read.
struct Unread;

impl http_body::Body for Unread {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn strangers_are_refused_before_their_body_is_read() {
    for (house, path) in [
        (House::new(Mode::Open), "/_fn/signed/"),
        (House::verified(), "/_fn/signed/"),
        (House::verified(), "/_fn/cors/"),
        (House::new(Mode::Open), "/_fn/nobody/"),
    ] {
        let (head, _) = house.send(request("POST", path, "").map(|_| Unread)).await;
        assert!([403, 404].contains(&head.status.as_u16()), "{path}: {}", head.status);
    }
}

#[tokio::test]
async fn browsers_get_what_the_rules_say() {
    let house = House::new(Mode::Open);
    let from = |method: &str, origin: &str| {
        let mut request = request(method, "/_fn/cors/", "");
        request.headers_mut().insert(ORIGIN, origin.parse().expect("a value"));
        request
    };
    let mut preflight = from("OPTIONS", "https://good.example");
    preflight.headers_mut().insert(ACCESS_CONTROL_REQUEST_METHOD, "PUT".parse().expect("a value"));
    let (head, body) = house.send(preflight).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (200, ""));
    assert_eq!(head.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://good.example");
    assert!(house.toys.events.lock().expect("unpoisoned").is_empty(), "the function is not asked");
    let (head, _) = house.send(from("GET", "https://good.example")).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers[ACCESS_CONTROL_ALLOW_ORIGIN]),
        (201, &"https://good.example".parse().expect("v"))
    );
    let (head, _) = house.send(from("GET", "https://evil.example")).await;
    assert_eq!((head.status.as_u16(), head.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN)), (201, None));
    let (head, _) = house.send(from("OPTIONS", "https://good.example")).await;
    assert_eq!(head.status, 201, "OPTIONS that asks for no method is the function's own");
    for (path, status, said) in [("/_fn/failing/", 502, 1), ("/_fn/signed/", 403, 1), ("/_fn/says/", 200, 2)] {
        let mut request = request("GET", path, "");
        request.headers_mut().insert(ORIGIN, "https://good.example".parse().expect("a value"));
        let (head, _) = house.send(request).await;
        let count = head.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().count();
        assert_eq!(
            (head.status.as_u16(), count),
            (status, said),
            "{path}: on all answers, beside what the function says"
        );
    }
}
