//! One image whose code is WebAssembly: its compiled binary, and the environment that its guests are given.
//!
//! An environment is made by a first call and serves any number of calls at a time, each with a log stream of its own. It is let go when
//! there was none for the keep-alive, and replaced before its credentials are too old.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::ByteSize;
use sandbox::Rules;
use wasm::{Component, HostRule, Kind, Network, Service};

use crate::code::CodeError;
use crate::environment::{self, Facts};
use crate::guest::http::{self, Habits};
use crate::image::{Credentials, Image};
use crate::instance::Origin;
use crate::invocation::RunFault;
use crate::languages::Family;
use crate::monitor::{Body, Identity};
use crate::network;
use crate::platform::Said;
use crate::shared::Shared;
use crate::start::log_stream;
use crate::ways;

use super::reuse::reuse_of;
use super::scribe::Scribe;

/// Credentials are good for half a day; a function's fifteen minutes must fit in what is left of it.
const AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// The most streams that wait for a next call. Those of a greater burst are let go; others begin with the next one.
const SCRIBES_MAX: usize = 1000;
/// What Lambda tells about files, of which there are none here, and about the one log stream that an environment has there.
const MEANINGLESS: [&str; 5] =
    ["PATH", "LD_LIBRARY_PATH", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_LOG_STREAM_NAME"];

/// See the file.
pub(crate) struct Function {
    /// Or what is wrong with the package.
    component: Result<Component, String>,
    current: Mutex<Option<Arc<Environment>>>,
    /// One makes the next environment, and the others wait for it.
    making: tokio::sync::Mutex<()>,
}

/// See the file.
pub(crate) struct Environment {
    pub(super) program: Program,
    /// What the function says of itself as it would of a server.
    pub(super) habits: Habits,
    born: Instant,
    /// What its instances have.
    held: Arc<wasm::Held>,
    idle: Mutex<Idle>,
}

/// What a call is handed to.
pub(super) enum Program {
    Http(Service),
    Command(Component, Box<wasm::Settings>),
    /// There is nothing to run, and this is why.
    Broken(String),
}

/// The log streams that have no call now, used last is last, and since when there was none at all.
struct Idle {
    scribes: Vec<Scribe>,
    used: Instant,
    busy: u32,
}

/// An environment, and how long it took to be made if it was made for this very call.
pub(super) type Found = (Arc<Environment>, Option<Duration>);

impl Function {
    /// The image's function, if its code is WebAssembly. Looked up once for an image.
    pub(crate) async fn of<'a>(shared: &Arc<Shared>, image: &'a Image) -> Result<Option<&'a Self>, RunFault> {
        if image.container.is_some() {
            return Ok(None);
        }
        match image.resolved.status.family {
            Family::Javascript | Family::Python => Ok(None),
            Family::Provided | Family::Http => {
                let function = image.in_process.get_or_try_init(|| Self::load(shared, image)).await?;
                Ok(function.as_ref())
            }
        }
    }

    async fn load(shared: &Arc<Shared>, image: &Image) -> Result<Option<Self>, RunFault> {
        let code = shared.codes.path(&image.code);
        let code = code.ok_or_else(|| RunFault::CodeMissing { code: image.code.to_string() })?;
        let Some(binary) = super::binary(&code, image.resolved.status.family, &image.handler) else { return Ok(None) };
        let component = match component(shared, binary).await {
            Ok(component) => Ok(component),
            Err(error @ (CodeError::NoBinary { .. } | CodeError::Wasm { .. })) => Err(error.to_string()),
            Err(error) => return Err(RunFault::Start { reason: error.to_string() }),
        };
        Ok(Some(Self { component, current: Mutex::new(None), making: tokio::sync::Mutex::default() }))
    }

    /// The environment that there is, or a new one.
    pub(super) async fn environment(&self, shared: &Shared, image: &Image) -> Result<Found, RunFault> {
        if let Some(environment) = self.current() {
            return Ok((environment, None));
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(environment) = self.current() {
            return Ok((environment, None));
        }
        let began = Instant::now();
        let fault = |reason: String| RunFault::Start { reason };
        let credentials = (image.credentials)().await.map_err(fault)?;
        let settings = settings(shared, image, &credentials);
        let held = Arc::new(settings.held.clone());
        let program = self.program(settings).map_err(fault)?;
        let idle = Idle { scribes: Vec::new(), used: began, busy: 0 };
        let made = Arc::new(Environment {
            program,
            habits: Habits::of(&image.environment),
            born: began,
            held,
            idle: Mutex::new(idle),
        });
        let before = self.current.lock().expect("nothing panics while it holds this lock").replace(Arc::clone(&made));
        drop(before);
        Ok((made, Some(began.elapsed())))
    }

    /// The next call gets a new environment: what the present one tells of is not so any more.
    pub(crate) fn renew(&self) {
        self.let_go(|_| true);
    }

    /// Lets the environment go, if nobody called for that long.
    pub(crate) fn retire_unused(&self, keep_alive: Duration) {
        self.let_go(|environment| environment.is_unused(keep_alive));
        if let Some(environment) = self.current()
            && let Program::Http(service) = &environment.program
        {
            service.tidy();
        }
    }

    /// Lets the environment go if `is_over`. What it has ends after the lock is free, which every call takes.
    fn let_go(&self, is_over: impl FnOnce(&Environment) -> bool) {
        let mut current = self.current.lock().expect("nothing panics while it holds this lock");
        let over = current.take_if(|environment| is_over(environment));
        drop(current);
        drop(over);
    }

    fn current(&self) -> Option<Arc<Environment>> {
        let current = self.current.lock().expect("nothing panics while it holds this lock");
        current.as_ref().filter(|environment| environment.born.elapsed() < AGE_MAX).cloned()
    }

    fn program(&self, settings: wasm::Settings) -> Result<Program, String> {
        let component = match &self.component {
            Ok(component) => component,
            Err(reason) => return Ok(Program::Broken(reason.clone())),
        };
        Ok(match component.kind() {
            Kind::Http => Program::Http(component.service(settings).map_err(|failure| failure.to_string())?),
            Kind::Command => Program::Command(component.clone(), Box::new(settings)),
        })
    }
}

impl Environment {
    /// A log stream that no other call has: the one used last, or a new one.
    pub(super) fn scribe(&self, shared: &Shared, image: &Image) -> Scribe {
        let mut idle = self.idle();
        idle.busy += 1;
        let found = idle.scribes.pop();
        drop(idle);
        found.unwrap_or_else(|| new_scribe(shared, image, self))
    }

    /// Gives it back.
    pub(super) fn put_back(&self, scribe: Scribe) {
        let mut idle = self.idle();
        idle.busy -= 1;
        idle.used = Instant::now();
        if idle.scribes.len() < SCRIBES_MAX {
            idle.scribes.push(scribe);
        }
    }

    fn is_unused(&self, keep_alive: Duration) -> bool {
        let idle = self.idle();
        idle.busy == 0 && idle.used.elapsed() > keep_alive
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().expect("nothing panics while it holds this lock")
    }
}

fn new_scribe(shared: &Shared, image: &Image, environment: &Environment) -> Scribe {
    let stream = Arc::new(log_stream(image, &shared.options.clock, &shared.options.random));
    let identity = Identity {
        arn: image.arn.clone(),
        function: image.function.clone(),
        version: image.version.clone(),
        codes: vec![image.code.clone()],
        log_stream: stream.name.clone(),
        memory_mb: image.memory_mb,
        pid: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
        born: shared.options.clock.elapsed(),
    };
    let pulse = shared.monitor.watch(identity, Body::InProcess(Arc::clone(&environment.held)));
    let scribe = Scribe::new(stream, image.log_format, pulse, &shared.pump, shared.options.clock.clone());
    let kind = match environment.program {
        Program::Http(_) => "wasi:http",
        Program::Command(..) | Program::Broken(_) => "wasi:cli",
    };
    scribe.say(&Said::InitStart {
        origin: origin(image),
        runtime: kind,
        function: &image.function,
        version: &image.version,
    });
    scribe
}

async fn component(shared: &Arc<Shared>, binary: PathBuf) -> Result<Component, CodeError> {
    if let Some(component) = shared.wasi.kept(&binary) {
        return Ok(component);
    }
    let shared = Arc::clone(shared);
    // Reading takes a moment, and compiling, where what was compiled before is gone, some seconds.
    let prepared = tokio::task::spawn_blocking(move || shared.wasi.prepare(&binary)).await;
    prepared.unwrap_or_else(|error| Err(CodeError::Disk { source: io::Error::other(error) }))
}

fn settings(shared: &Shared, image: &Image, credentials: &Credentials) -> wasm::Settings {
    let endpoint_url = shared.options.endpoint_url.as_deref();
    let mut environment = environment::variables(&Facts {
        settings: image,
        family: Family::Provided,
        credentials: Some(credentials),
        log_stream: "",
        origin: origin(image),
        task_root: "".as_ref(),
        runtime_dir: "".as_ref(),
        endpoint_url,
        runtime_api: None,
        port: None,
        host_path: None,
    });
    let own = |name: &str| image.environment.contains_key(name);
    environment.retain(|(name, _)| !MEANINGLESS.contains(&name.as_str()) || own(name));
    let usual = wasm::Settings::default();
    // A word that means nothing was refused when the function was made.
    let reuse = reuse_of(&image.environment).ok().flatten();
    wasm::Settings {
        environment,
        memory: ByteSize::mib(u64::from(image.memory_mb)),
        concurrency: http::concurrency(&image.environment),
        reuse_max: reuse.unwrap_or(usual.reuse_max),
        reuse_max_single: reuse.unwrap_or(usual.reuse_max_single),
        network: network(image, shared),
        ..usual
    }
}

/// What runs in this process is always ready: what is provisioned of it is only a word.
fn origin(image: &Image) -> Origin {
    match image.pool.provisioned().wanted {
        0 => Origin::OnDemand,
        _ => Origin::Provisioned,
    }
}

/// Whom its guests may ask.
fn network(image: &Image, shared: &Shared) -> Network {
    let node = shared.options.endpoint_url.as_deref().and_then(ways::address_of);
    let node = node.map(node_rules).unwrap_or_default();
    match network::granted(image, &shared.options) {
        sandbox::Network::Full => Network::World { besides: node, allow },
        sandbox::Network::Platform => Network::Http { hosts: node },
        sandbox::Network::None => Network::None,
    }
}

/// The node, under the names that its address has.
fn node_rules(node: SocketAddr) -> Vec<HostRule> {
    let local = node.ip().is_loopback().then(|| format!("localhost:{}", node.port()));
    let names = [Some(node.to_string()), local];
    names.iter().flatten().filter_map(|rule| rule.parse().ok()).collect()
}

/// The rule of all functions: the world, and none of the machine's own addresses.
fn allow(to: SocketAddr) -> bool {
    Rules::default().allow(to)
}
