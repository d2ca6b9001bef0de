//! A door with a toy behind it, and the plainest client that there is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use bytes::Bytes;
use contract::{Arn, Call, Cause, Effect, Fault, Handle, Principal};
use dispatch::{BoxFuture, Dispatch, Metrics, OpenAuthority, Registry};
use door::{Audience, Body, Door, Face, Health, Limits, Mode, Mount, Parts, Report, RequestBody, Visit, guard::Guard};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use wire::lambda::{
    CreateFunction, CreateFunctionRequest, FunctionConfiguration, InvocationRequest, InvocationResponse, Invoke,
};
use wire::logs::{CreateLogGroup, CreateLogGroupRequest};
use wire::sts::{GetCallerIdentity, GetCallerIdentityRequest, GetCallerIdentityResponse};

/// Longer than anything here takes on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Serves one operation of each protocol.
pub struct Toy {
    pub entered: Notify,
    pub gate: Semaphore,
    pub finished: AtomicUsize,
}

impl Handle<CreateLogGroup> for Toy {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateLogGroupRequest) -> Arn {
        Arn::new("logs", &call.region, call.account, format!("log-group:{}", input.log_group_name))
    }

    async fn handle(&self, _call: &Call, input: CreateLogGroupRequest) -> Result<wire::Empty, Fault> {
        match input.log_group_name.as_str() {
            "wait" => {
                self.entered.notify_one();
                self.gate.acquire().await.expect("open").forget();
            }
            "there" => return Err(Fault::new(Cause::Conflict, "ResourceAlreadyExistsException", "It is there.")),
            "panic" => panic!("as was asked"),
            _ => {}
        }
        self.finished.fetch_add(1, Ordering::Relaxed);
        Ok(wire::Empty)
    }
}

impl Handle<GetCallerIdentity> for Toy {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &GetCallerIdentityRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, call: &Call, _: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Fault> {
        Ok(GetCallerIdentityResponse {
            arn: Some(call.principal.arn(call.account)),
            account: Some(call.account.to_string()),
            user_id: Some(format!("{} {}", call.region, call.base_url())),
        })
    }
}

impl Handle<Invoke> for Toy {
    const EFFECT: Effect = Effect::Run;

    fn resource(&self, call: &Call, input: &InvocationRequest) -> Arn {
        Arn::new("lambda", &call.region, call.account, format!("function:{}", input.function_name))
    }

    async fn handle(&self, _call: &Call, input: InvocationRequest) -> Result<InvocationResponse, Fault> {
        if input.function_name == "busy" {
            return Err(Fault::new(Cause::Throttled, "TooManyRequestsException", "Rate Exceeded."));
        }
        Ok(InvocationResponse { status_code: Some(200), payload: input.payload, ..Default::default() })
    }
}

impl Handle<CreateFunction> for Toy {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateFunctionRequest) -> Arn {
        Arn::new("lambda", &call.region, call.account, format!("function:{}", input.function_name))
    }

    async fn handle(&self, _call: &Call, input: CreateFunctionRequest) -> Result<FunctionConfiguration, Fault> {
        Ok(FunctionConfiguration { function_name: Some(input.function_name), ..Default::default() })
    }
}

/// A mount for a prefix and an audience, which tells what it read.
struct Told(&'static str, Audience);

impl Mount for Told {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(self.0)
    }

    fn audience(&self) -> Audience {
        self.1
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let text = match request.into_body().collect().await {
                Ok(body) => format!("{} {}", self.0, String::from_utf8_lossy(&body.to_bytes())),
                Err(error) => format!("error: {error}"),
            };
            let principal = visit.principal.as_ref().map(|principal| principal.arn(contract::AccountId::ONLY));
            let text = format!("{text} {}", principal.unwrap_or_default());
            Response::new(Body::Left(Bytes::from(text).into()))
        })
    }
}

struct Well;

impl Health for Well {
    fn report(&self) -> Report {
        Report { ready: true, details: serde_json::Map::from_iter([("version".to_owned(), "0".into())]) }
    }
}

/// A node's front, listening.
pub struct House {
    pub door: Door,
    pub address: SocketAddr,
    pub public: SocketAddr,
    pub toy: Arc<Toy>,
    pub clock: Clock,
    pub dispatch: Dispatch,
    _hand: Arc<ManualClock>,
}

impl House {
    pub async fn open() -> Self {
        Self::with(Mode::Open, Limits::default()).await
    }

    pub async fn with(mode: Mode, limits: Limits) -> Self {
        let (clock, hand) = Clock::manual("2026-11-21T02:40:11Z".parse().expect("a time"));
        let toy = Arc::new(Toy { entered: Notify::new(), gate: Semaphore::new(0), finished: AtomicUsize::new(0) });
        let mut registry = Registry::new(dispatch::Parts {
            clock: clock.clone(),
            random: Random::system(),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
            authority: Arc::new(OpenAuthority),
            limits: dispatch::Limits::default(),
        });
        registry.add::<CreateLogGroup, _>(&toy);
        registry.add::<GetCallerIdentity, _>(&toy);
        registry.add::<Invoke, _>(&toy);
        registry.add::<CreateFunction, _>(&toy);
        let dispatch = registry.open();
        let door = Door::new(Parts {
            dispatch: dispatch.clone(),
            clock: clock.clone(),
            random: Random::system(),
            mode,
            limits,
            guard: Guard { hosts: Vec::new(), origins: vec!["http://localhost:3000".into()] },
            mounts: vec![
                Arc::new(Told("/_fn/", Audience::Public)),
                Arc::new(Told("/_owner", Audience::Owner)),
                Arc::new(Told("/_known", Audience::Known)),
            ],
            health: Arc::new(Well),
        });
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let whole = door::bind(anywhere, Face::Whole).await.expect("a free port");
        let only_public = door::bind(anywhere, Face::Public).await.expect("a free port");
        let (address, public) = (whole.address(), only_public.address());
        door.open(whole).expect("loopback");
        door.open(only_public).expect("loopback");
        Self { door, address, public, toy, clock, dispatch, _hand: hand }
    }

    pub async fn connect(&self) -> Client {
        Client::to(self.address).await
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request.as_bytes()).await;
        client.answer().await
    }

    /// An AWS JSON request for a log group of that name.
    pub async fn create_group(&self, name: &str) -> Answer {
        self.ask(&create_group(name)).await
    }
}

/// A request with these headers (each ending in a line break) and that body.
pub fn request(line: &str, headers: &str, body: &str) -> String {
    let host = if headers.starts_with("Host:") { "" } else { "Host: localhost\r\n" };
    format!("{line} HTTP/1.1\r\n{host}{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn create_group(name: &str) -> String {
    request(
        "POST /",
        "X-Amz-Target: Logs_20140328.CreateLogGroup\r\nContent-Type: application/x-amz-json-1.1\r\n",
        &format!(r#"{{"logGroupName":"{name}"}}"#),
    )
}

pub fn get(path: &str) -> String {
    request(&format!("GET {path}"), "", "")
}

/// A connection, and what came on it.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Client {
    pub async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("connects"), read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // The door may have said no and closed already.
        self.stream.write_all(bytes).await.ok();
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer, not the end of the connection")
    }

    /// The next answer; none if the connection ends before it.
    pub async fn try_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).expect("text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.read.len() < length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.read.drain(..length).collect::<Vec<u8>>()).into_owned();
        Some(Answer { status: status.expect("a status"), headers, body })
    }

    /// Waits until the door closes the connection; what came before is dropped.
    pub async fn closed(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn more(&mut self) -> Option<()> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("something within a minute");
        matches!(read, Ok(count) if count > 0).then_some(())
    }
}

/// Knows one root key and one role's.
pub struct Keys;

impl signature::Credentials for Keys {
    fn lookup<'a>(&'a self, access_key: &'a str, _session_token: Option<&'a str>) -> signature::Lookup<'a> {
        let principal = match access_key {
            "ROOT" => Some(Principal::Root),
            "ROLE" => Some(Principal::Role { role: "arn:aws:iam::000000000000:role/r".into(), session: "s".into() }),
            _ => None,
        };
        let credential = principal.map(|principal| signature::Credential {
            secret: "secret".into(),
            session_token: None,
            expires: None,
            principal,
        });
        Box::pin(async { Ok(credential) })
    }
}
