//! Functions that are WebAssembly: WASI-HTTP components and WASI commands, run in this process by the `wasm` crate.
//!
//! What a package has to run is found by its name or its first bytes (`find`); it is compiled when the function is made, kept on disk,
//! and what was used lately is kept in memory as well. Around the engine, calls go as they do for any function: they are admitted and
//! counted alike, wait for a place, get START, END and REPORT in a log stream that no other call has at the same time (`scribe`), end at
//! their time and memory limits, and go on when their caller goes away (`attempt`). What is not alike: there is no process and no
//! pool, because an instance of its own for each call costs some microseconds; those that may answer several (`reuse`) rest with the
//! engine. What Lambda calls an execution environment is here the function's variables, credentials and network (`function`), made by a
//! first call and let go after a time without any.
//!
//! The engine is made when the first such function comes: a node without any pays nothing.

mod attempt;
mod ending;
mod find;
mod function;
mod reuse;
mod scribe;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use wasm::{Component, Engine, EngineOptions, Kind};

use crate::code::CodeError;
use crate::invocation::{RunFault, Throttle};
use crate::options::Options;
pub(crate) use attempt::run;
pub(crate) use find::binary;
pub(crate) use function::Function;
pub use reuse::{UnknownReuse, reuse_of};

/// How many compiled binaries stay in memory after they were last asked for: as many functions have a first call without a look at the
/// disk. What a function uses stays as long as the function is loaded, beside these.
const COMPONENTS_KEPT: usize = 64;

/// What all in-process functions of a node share.
pub(crate) struct Wasi {
    options: EngineOptions,
    running: Mutex<Option<Arc<Running>>>,
    /// By the binary's path, which names its content; used last is last.
    components: Mutex<VecDeque<(PathBuf, Component)>>,
    /// What each binary is that was prepared, by its path.
    kinds: RwLock<HashMap<PathBuf, Kind>>,
    is_cut: AtomicBool,
    cut: Notify,
}

struct Running {
    engine: Engine,
    places: Arc<Semaphore>,
}

/// The right to have one instance.
pub(crate) type Place = OwnedSemaphorePermit;

impl Wasi {
    pub(crate) fn new(options: &Options) -> Self {
        let engine = EngineOptions {
            memory_total: options.wasm_memory_total,
            instances_max: options.concurrency_max.max(1),
            random: options.random.clone(),
            ..EngineOptions::new(options.dir.join("wasm"))
        };
        Self {
            options: engine,
            running: Mutex::new(None),
            components: Mutex::new(VecDeque::new()),
            kinds: RwLock::default(),
            is_cut: AtomicBool::new(false),
            cut: Notify::new(),
        }
    }

    /// The binary at `path` ready to run: from memory, from what was compiled before, or by compiling it, which may take seconds.
    /// Blocks.
    pub(crate) fn prepare(&self, path: &Path) -> Result<Component, CodeError> {
        if let Some(component) = self.kept(path) {
            return Ok(component);
        }
        let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CodeError::NoBinary { name: name() });
            }
            Err(error) => return Err(error.into()),
        };
        let running = self.running().map_err(|reason| CodeError::Engine { reason })?;
        let component = running.engine.prepare(&bytes).map_err(|reason| CodeError::Wasm { name: name(), reason })?;
        self.keep(path, &component);
        self.kinds.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), component.kind());
        Ok(component)
    }

    /// What a binary is, if it was prepared.
    pub(crate) fn kind(&self, path: &Path) -> Option<Kind> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).get(path).copied()
    }

    /// What all guests together have now, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map_or(0, |running| running.engine.memory_used().bytes())
    }

    /// Lets go of the compiled binaries that no function holds.
    pub(crate) fn forget_kept(&self) {
        self.components.lock().expect("nothing panics while it holds this lock").clear();
    }

    /// Forgets binaries that are not there any more.
    pub(crate) fn forget_gone(&self) {
        self.kinds.write().unwrap_or_else(PoisonError::into_inner).retain(|path, _| path.is_file());
    }

    /// A place for an instance, as soon as there is one.
    async fn place(&self, patience: Duration) -> Result<Place, RunFault> {
        let places = Arc::clone(&self.running().map_err(|reason| RunFault::Start { reason })?.places);
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Ok(place);
        }
        let waited_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        match tokio::time::timeout(patience, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(RunFault::Stopping),
            Err(_) => Err(RunFault::Throttled { reason: Throttle::Patience { waited_ms } }),
        }
    }

    /// Ends all calls, whatever they do.
    pub(crate) fn cut_all(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.cut.notify_waiters();
    }

    /// Returns when all calls are to end.
    async fn is_cut(&self) {
        let cut = self.cut.notified();
        if !self.is_cut.load(Ordering::Acquire) {
            cut.await;
        }
    }

    /// Makes the engine, the first time.
    fn running(&self) -> Result<Arc<Running>, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(Arc::clone(running));
        }
        let engine = Engine::new(self.options.clone()).map_err(|error| error.to_string())?;
        let places = Arc::new(Semaphore::new(engine.instances_max() as usize));
        Ok(Arc::clone(running.insert(Arc::new(Running { engine, places }))))
    }

    fn kept(&self, path: &Path) -> Option<Component> {
        let mut components = self.components.lock().expect("nothing panics while it holds this lock");
        let at = components.iter().position(|(one, _)| one == path)?;
        let (path, component) = components.remove(at)?;
        components.push_back((path, component.clone()));
        Some(component)
    }

    fn keep(&self, path: &Path, component: &Component) {
        let mut components = self.components.lock().expect("nothing panics while it holds this lock");
        components.retain(|(one, _)| one != path);
        if components.len() >= COMPONENTS_KEPT {
            components.pop_front();
        }
        components.push_back((path.to_owned(), component.clone()));
    }
}
