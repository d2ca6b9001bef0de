//! From an image to an instance: sandbox, interpreter, bootstrap, the function's own initialisation.

mod layout;
mod plan;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::{Clock, Random};
use bytes::Bytes;
use rustix::pipe::{PipeFlags, pipe_with};
use sandbox::{Mount, Outside, Placement, Plan};

use crate::booted::{self, Booted, Placed, Recipe};
use crate::code::CodeId;
use crate::container::{self, Container};
use crate::environment::{self, Facts};
use crate::faults::Ending;
use crate::guest::api::Door;
use crate::guest::http::{self, Command, Habits, HttpLink, Place};
use crate::guest::{Event, Link};
use crate::image::{Credentials, Image, Settings};
use crate::instance::{Guest, Happening, InitCause, Instance, Origin, Pace};
use crate::invocation::RunFault;
use crate::languages::{Family, Resolved};
use crate::logs::LogStream;
use crate::monitor::{Body, Identity};
use crate::network;
use crate::output::Output;
use crate::platform::{Said, Status};
use crate::shared::{Seat, Shared, Start};
use crate::ways::{self, Ways};

use self::layout::{BOOTSTRAP, LAYERS, Layout, TASK_ROOT};
use self::plan::{PROCESSES_MAX, memory_bytes, plan};

/// How long initialisation may take at least, as on Lambda; a function with a longer time-out has that.
const INIT_MAX: Duration = Duration::from_secs(10);
/// What a guest may take before it is somebody's.
const BOOT_MEMORY_BYTES: u64 = 256 << 20;

/// Starts an instance and waits until it is ready, or has failed to become so: that is an instance too, which says why. The slot is
/// free again when its guest is there: from then on it is the function's own time that passes.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    image: &Arc<Image>,
    seat: Seat,
    slot: Start,
) -> Result<Box<Instance>, RunFault> {
    let born = shared.options.clock.elapsed();
    let fault = |reason: String| RunFault::Start { reason };
    let layout = Layout::found(shared, image)?;
    let credentials = (image.credentials)().await.map_err(fault)?;
    let stream = Arc::new(log_stream(image, &shared.options.clock, &shared.options.random));
    let life = Life { credentials, stream: Arc::clone(&stream), origin: seat.origin };
    let made = guest(shared, image, &layout, &life).await.map_err(fault)?;
    drop(slot);
    let (guest, pipe, obstacle) = match made {
        Ok(Made { guest, output }) => (Some(guest), output, None),
        Err(cause) => {
            // Nobody will ever write to it.
            let (pipe, _) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| fault(errno.to_string()))?;
            (None, pipe, Some(cause))
        }
    };
    let (pump, clock) = (Arc::clone(&shared.pump), shared.options.clock.clone());
    let output = Output::new(pipe, Arc::clone(&stream), image.log_format, pump, clock)
        .map_err(|error| fault(error.to_string()))?;
    let identity = Identity {
        arn: image.arn.clone(),
        function: image.function.clone(),
        version: image.version.clone(),
        codes: std::iter::once(&image.code).chain(&CodeId::of_layers(&image.layers)).cloned().collect(),
        log_stream: stream.name.clone(),
        memory_mb: image.memory_mb,
        pid: guest.as_ref().map_or(0, |guest| guest.process.pid()),
        born,
    };
    let child = guest.as_ref().map_or_else(Weak::new, |guest| guest.process.child());
    let pulse = shared.monitor.watch(identity, Body::Processes(child));
    let mut instance = Instance::new(Arc::clone(image), output, pulse, guest, seat);
    layout.tell_extensions(&mut instance);
    initialise(&mut instance, obstacle).await;
    Ok(instance)
}

/// A function is there, and may be called soon: guests that could become instances of it are booted ahead from now on.
pub(crate) fn expect(shared: &Shared, settings: &Settings, resolved: &Resolved) {
    if let Some(recipe) = recipe_ahead(shared, settings, resolved) {
        shared.stock.expect(recipe);
    }
}

/// A function is still there: they go on being booted.
pub(crate) fn keep(shared: &Shared, settings: &Settings, resolved: &Resolved) {
    if let Some(recipe) = recipe_ahead(shared, settings, resolved) {
        shared.stock.keep(recipe);
    }
}

/// None where guests cannot be booted ahead, or not yet.
fn recipe_ahead(shared: &Shared, settings: &Settings, resolved: &Resolved) -> Option<Recipe> {
    let is_there = settings.container.as_ref().is_none_or(|container| shared.containers.find(container).is_some());
    (shared.host.can_place() && is_there).then(|| recipe(shared, settings, resolved))
}

/// What one instance has for itself.
struct Life {
    credentials: Credentials,
    stream: Arc<LogStream>,
    origin: Origin,
}

/// A guest, and our end of what it prints to.
struct Made {
    guest: Guest,
    output: OwnedFd,
}

/// The guest's process and the way to it; or why there is no program to run.
async fn guest(
    shared: &Arc<Shared>,
    image: &Arc<Image>,
    layout: &Layout,
    life: &Life,
) -> Result<Result<Made, InitCause>, String> {
    let family = image.resolved.family;
    if family == Family::Provided && image.container.is_none() && layout.bootstrap().is_none() {
        return Ok(Err(InitCause::NoBootstrap));
    }
    let network = network::granted(image, &shared.options);
    network::check(&shared.host, network)?;
    let own_network = shared.host.isolates(network);
    let server = match server(image, layout, own_network) {
        Ok(server) => server,
        Err(why) => return Ok(Err(InitCause::NoProgram(why))),
    };
    let entry = match image.container.as_ref().map(|container| entry(image, layout, container)).transpose() {
        Ok(entry) => entry,
        Err(why) => return Ok(Err(InitCause::NoProgram(why))),
    };
    // A guest with a network of its own finds it there, at an address that is always the same.
    let host_door = match family {
        Family::Provided if !own_network => {
            Some(Door::open().await.map_err(|error| format!("the runtime api has no port: {error}"))?)
        }
        Family::Provided | Family::Javascript | Family::Python | Family::Http => None,
    };
    let runtime_api = match (&host_door, family) {
        (Some(door), _) => Some(door.address()),
        (None, Family::Provided) => Some(ways::RUNTIME_API),
        (None, Family::Javascript | Family::Python | Family::Http) => None,
    };
    let inside_url = format!("http://{}", ways::PLATFORM);
    let endpoint_url = shared.options.endpoint_url.as_deref();
    let variables = environment::variables(&Facts {
        settings: image,
        family,
        credentials: Some(&life.credentials),
        log_stream: &life.stream.name,
        origin: life.origin,
        task_root: &layout.task_root,
        runtime_dir: &layout.runtime_dir,
        endpoint_url: if own_network { endpoint_url.map(|_| inside_url.as_str()) } else { endpoint_url },
        runtime_api: runtime_api.map(|address| address.to_string()),
        port: server.as_ref().map(|server| server.port),
        host_path: if shared.host.has_own_root() { None } else { std::env::var("PATH").ok() },
    });
    let Placed { process, link, output, network: ways_in } = if shared.host.can_place() {
        place(shared, image, layout, &variables, entry.as_ref().or(server.as_ref().map(|server| &server.command)))
            .await?
    } else {
        let mut plan = plan(image, network, &image.resolved, layout, &variables);
        if let Some(command) = entry.as_ref().or(server.as_ref().map(|server| &server.command)) {
            start_by(command, &mut plan);
        }
        plan.mounts.extend(layout.code_mounts());
        booted::spawn(&shared.host, family, plan).await?
    };
    let failed = |error: std::io::Error| format!("the guest's network could not be served: {error}");
    let ways = ways_out(ways_in.platform, endpoint_url, ways_in.outside).map_err(failed)?;
    // Inside its own network nobody else can be: there, its user id need not be asked for.
    let door = match (host_door, ways_in.runtime_api) {
        (Some(door), _) => Some((door, process.uid())),
        (None, Some(listener)) => Some((Door::inside(listener).map_err(failed)?, None)),
        (None, None) => None,
    };
    let link = match (server, door, link) {
        (Some(server), _, _) => {
            let port = server.port;
            let place = match own_network {
                true => Place::inside(process.child(), port),
                false => Place::on_host(process.uid(), port),
            };
            let habits = Habits::of(&image.environment);
            Link::Http(Box::new(HttpLink::new(place, habits, image.calls_at_a_time, process.ended())))
        }
        (None, Some((door, uid)), _) => Link::Api(door.serve(uid, process.ended())),
        (None, None, Some(mut link)) => {
            link.init(&image.handler, as_json(&variables));
            Link::Managed(link)
        }
        (None, None, None) => return Err("a guest without any link".to_owned()),
    };
    let guest = Guest { link, process: Arc::new(process), _ways: Arc::new(ways), _root: layout.root.clone() };
    Ok(Ok(Made { guest, output }))
}

/// Opens what leads out of a guest's own network.
fn ways_out(
    platform: Option<TcpListener>,
    endpoint_url: Option<&str>,
    outside: Option<Outside>,
) -> std::io::Result<Ways> {
    let mut ways = Ways::default();
    if let (Some(listener), Some(node)) = (platform, endpoint_url.and_then(ways::address_of)) {
        ways.open_platform(listener, node)?;
    }
    if let Some(outside) = outside {
        ways.open_world(outside);
    }
    Ok(ways)
}

/// How a server is started, and where it will listen.
struct Server {
    command: Command,
    port: u16,
}

fn start_by(command: &Command, plan: &mut Plan) {
    plan.program.clone_from(&command.program);
    plan.arguments.clone_from(&command.arguments);
}

/// What a container image starts.
fn entry(image: &Image, layout: &Layout, container: &Container) -> Result<Command, String> {
    container::command(&layout.code, container, image.environment.get("PATH").map(String::as_str))
}

/// The server that an image is, if it is one; or why it cannot be started. Where guests share the host's network, each gets a port
/// that nobody has.
fn server(image: &Image, layout: &Layout, own_network: bool) -> Result<Option<Server>, String> {
    if image.resolved.family != Family::Http {
        return Ok(None);
    }
    let asked = http::port(&image.environment).map_err(|error| error.to_string())?;
    let port = if own_network { asked } else { http::free_port().map_err(|error| error.to_string())? };
    if let Some(container) = &image.container {
        return Ok(Some(Server { command: entry(image, layout, container)?, port }));
    }
    // What is packed for `provided` begins there, whatever its handler is called.
    let is_provided = image.resolved.status.family == Family::Provided;
    let has_bootstrap = is_provided && http::is_executable(&layout.code.join(BOOTSTRAP));
    let handler = if has_bootstrap { BOOTSTRAP } else { image.handler.as_str() };
    let command = http::command(&layout.code, &layout.task_root, handler, &image.resolved.tools);
    Ok(Some(Server { command: command.map_err(|error| error.to_string())?, port }))
}

/// Takes a guest that was booted ahead, or boots one, and makes it the function's.
async fn place(
    shared: &Arc<Shared>,
    image: &Image,
    layout: &Layout,
    variables: &[(String, String)],
    command: Option<&Command>,
) -> Result<Placed, String> {
    let recipe = recipe(shared, image, &image.resolved);
    let program = starts_with_code(image, recipe.family).then(|| {
        let mut plan = plan(image, recipe.plan.network, &image.resolved, layout, variables);
        if let Some(command) = command {
            start_by(command, &mut plan);
        }
        booted::program_of(&mut plan)
    });
    let placement = Placement {
        mounts: layout.code_mounts(),
        tmp_bytes: Some(u64::from(image.tmp_mb) << 20),
        memory_bytes: Some(memory_bytes(image)),
        processes_max: Some(PROCESSES_MAX),
        program,
    };
    if let Some(booted) = shared.stock.take(&recipe).await {
        match booted.place(placement.clone()).await {
            Ok(placed) => return Ok(placed),
            // It may have died just now.
            Err(reason) => {
                tracing::debug!(reason, "a guest that was booted ahead could not be placed; booting another")
            }
        }
    }
    Booted::boot(&shared.host, &recipe).await?.place(placement).await
}

/// How guests are booted that can become this image's instances: all that an interpreter reads before it knows for whom it is.
fn recipe(shared: &Shared, settings: &Settings, resolved: &Resolved) -> Recipe {
    let family = resolved.family;
    let layout = Layout::ahead(shared, settings, family);
    let variables = environment::variables(&Facts {
        settings,
        family,
        credentials: None,
        log_stream: "",
        origin: Origin::OnDemand,
        task_root: &layout.task_root,
        runtime_dir: &layout.runtime_dir,
        endpoint_url: None,
        runtime_api: None,
        port: None,
        host_path: None,
    });
    let network = network::granted(settings, &shared.options);
    let mut plan = plan(settings, network, resolved, &layout, &variables);
    plan.tmp_bytes = 1 << 20;
    plan.memory_bytes = BOOT_MEMORY_BYTES;
    if starts_with_code(settings, family) {
        booted::program_of(&mut plan);
    }
    if settings.container.is_none() {
        let before = |target: &str| Mount { source: shared.bootstraps.before_code(), target: PathBuf::from(target) };
        plan.mounts.extend([before(TASK_ROOT), before(LAYERS)]);
    }
    Recipe { family, plan }
}

/// True if its program starts when its code is there, and not before.
fn starts_with_code(settings: &Settings, family: Family) -> bool {
    match family {
        Family::Provided | Family::Http => true,
        Family::Javascript | Family::Python => environment::starts_with_code(settings),
    }
}

/// Waits until the guest is ready, and writes down what came of it.
async fn initialise(instance: &mut Instance, obstacle: Option<InitCause>) {
    let began = Instant::now();
    let status = instance.image.resolved.status.clone();
    let version = match (&status.interpreter, status.family) {
        (Some(interpreter), Family::Javascript) => format!("nodejs:{}", interpreter.version),
        (Some(interpreter), Family::Python | Family::Provided | Family::Http) => {
            format!("python:{}", interpreter.version)
        }
        (None, _) => status.name.replacen('.', ":", 1),
    };
    let (origin, image) = (instance.origin(), Arc::clone(&instance.image));
    instance.output.say(&Said::InitStart {
        origin,
        runtime: &version,
        function: &image.function,
        version: &image.version,
    });
    let unknown =
        network::network_of(&image.environment).err().map(|unknown| format!("{unknown}: it is taken as none."));
    for note in status.note().iter().chain(&unknown) {
        instance.output.say(&Said::Note(note));
    }
    let limit = INIT_MAX.max(instance.image.timeout);
    let cause = if obstacle.is_some() {
        obstacle
    } else {
        match instance.happening(began + limit, Pace::Long).await {
            Happening::Said(Event::Ready) => None,
            Happening::Said(Event::InitError(document)) => {
                instance.linger().await;
                Some(InitCause::Document(document))
            }
            Happening::Said(Event::Gone) => Some(InitCause::Ending(instance.ending().await)),
            Happening::Said(Event::Broken(reason)) => Some(InitCause::Ending(Ending::Broken { reason })),
            Happening::Said(Event::Logged(_) | Event::Printed(_)) => unreachable!("words go into the log"),
            Happening::Said(event @ (Event::Result(_) | Event::Piece(_) | Event::Error { .. } | Event::TooLarge)) => {
                let reason = format!("an answer before any invocation: {event:?}").chars().take(200).collect();
                Some(InitCause::Ending(Ending::Broken { reason }))
            }
            Happening::TimedOut => Some(InitCause::Ending(match instance.link().and_then(|link| link.awaits()) {
                Some(awaited) => Ending::NotReady { awaited, limit },
                None => Ending::TimedOut { limit },
            })),
            Happening::OutOfMemory => Some(InitCause::Ending(Ending::OutOfMemory)),
        }
    };
    let took = began.elapsed();
    instance.init = Some(took);
    // What was printed until now belongs before START.
    instance.output.read_last().await;
    instance.output.forget_noise();
    let status = cause.as_ref().map_or(Status::Success, InitCause::status);
    instance.output.say(&Said::InitDone { origin, took, status: &status });
    if let Some(cause) = cause {
        instance.fail(cause);
    }
}

impl InitCause {
    /// What the report of an initialisation says of it.
    fn status(&self) -> Status {
        match self {
            Self::Document(document) => Status::failure_of(document),
            Self::Ending(ending) => ending.status(),
            Self::NoBootstrap | Self::NoProgram(_) => Status::Failure { kind: "Runtime.InvalidEntrypoint".to_owned() },
        }
    }
}

/// The `errorType` of an error document.
pub(crate) fn error_type(document: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(rename = "errorType")]
        error_type: Option<String>,
    }
    let found = serde_json::from_slice::<Document>(document).ok().and_then(|document| document.error_type);
    found.unwrap_or_else(|| "Runtime.Unknown".to_owned())
}

/// `2026/11/21/[$LATEST]` and 32 random digits; in a group that others may log to as well, with the function's name before the bracket.
pub(crate) fn log_stream(image: &Image, clock: &Clock, random: &Random) -> LogStream {
    let day = clock.now().strftime("%Y/%m/%d").to_string();
    let is_own = image.log_group.strip_prefix("/aws/lambda/") == Some(&image.function);
    let function = if is_own { "" } else { image.function.as_str() };
    LogStream {
        function: image.function.clone(),
        arn: image.arn.clone(),
        group: image.log_group.clone(),
        name: format!("{day}/{function}[{}]{}", image.version, random.uuid().simple()),
    }
}

fn as_json(variables: &[(String, String)]) -> Bytes {
    let object: serde_json::Map<String, serde_json::Value> =
        variables.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(value.clone()))).collect();
    Bytes::from(serde_json::Value::Object(object).to_string())
}
