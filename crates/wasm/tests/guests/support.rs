//! Engines, components and requests for these tests.

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tempfile::TempDir;
use wasm::{
    Answer, AnswerBody, BodyError, Collect, Component, Engine, EngineOptions, Failed, Limits, Service, Settings,
};

/// Nothing here takes longer, however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

const PRELUDE: &str = include_str!("wat/prelude.wat");
const ACTS: &str = include_str!("wat/acts.wat");

/// An engine with its folder.
pub struct Bench {
    pub engine: Engine,
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut EngineOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = EngineOptions::new(dir.path().join("compiled"));
        options.instances_max = 100;
        change(&mut options);
        Self { engine: Engine::new(options).unwrap(), dir }
    }

    /// The guest of many acts.
    pub fn acts(&self) -> Component {
        self.engine.prepare(&acts()).unwrap()
    }

    pub fn service(&self, settings: Settings) -> Service {
        self.acts().service(settings).unwrap()
    }
}

/// The binary of the guest of many acts.
pub fn acts() -> Vec<u8> {
    wat::parse_str(format!("(component {})", PRELUDE.replace("MAIN\n", ACTS))).unwrap()
}

pub fn limits() -> Limits {
    Limits::new(PATIENCE)
}

/// Limits, and where the guest prints to.
pub fn listening() -> (Limits, Arc<Collect>) {
    let collect = Arc::new(Collect::new(ByteSize::mib(1)));
    let mut limits = limits();
    limits.stdout = Arc::clone(&collect) as _;
    (limits, collect)
}

pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::builder().uri(path).header("host", "guest.example").body(Full::default()).unwrap()
}

/// Has a path answered, with patience.
pub async fn ask(service: &Service, path: &str) -> Result<Answer, Failed> {
    ask_within(service, path, limits()).await
}

pub async fn ask_within(service: &Service, path: &str, limits: Limits) -> Result<Answer, Failed> {
    patiently(service.handle(get(path), limits)).await
}

/// The whole body.
pub async fn read(response: Response<AnswerBody>) -> Result<Bytes, BodyError> {
    Ok(patiently(response.into_body().collect()).await?.to_bytes())
}

/// What a path answers, as text.
pub async fn text(service: &Service, path: &str) -> String {
    let answer = ask(service, path).await.unwrap();
    String::from_utf8(read(answer.response).await.unwrap().to_vec()).unwrap()
}

/// Fails the test rather than hanging it.
pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}
