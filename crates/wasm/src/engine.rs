//! The engine: how code is compiled, where instances live, how many and how much there may be.
//!
//! There are two runtimes behind it. Components of WASI 0.2 and modules run on one without support for concurrent calls, which costs a
//! guest a quarter less, with slots of address space reserved for all instances, because each request takes a new one. WASI 0.3 runs
//! on another with that support, which gets its memory from the system as it needs it: its instances answer many requests each.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base::ByteSize;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig, WasmBacktraceDetails, component,
};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p3::bindings::CommandPre as CommandPre3;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::cache::{self, Cache, EngineMark, Name};
use crate::component::{Command, Component, Http, Program};
use crate::egress::Trust;
use crate::failure::{Failure, PrepareError, shortened};
use crate::guest::{Guest, ModuleGuest};
use crate::inspect::{self, Entry, Inspection};
use crate::load;
use crate::memory::Budget;
use crate::options::EngineOptions;
use crate::ticker::Ticker;

/// What a guest may use of its stack, and what the host needs beyond.
const GUEST_STACK_BYTES: usize = 512 * 1024;
const STACK_BYTES: usize = 768 * 1024;
/// Components are made of several modules each (the program, adapters, glue) with tables of their own, but of one memory; where one has
/// more, fewer instances fit.
const MODULES_PER_COMPONENT: u32 = 16;
const TABLES_PER_COMPONENT: u32 = 4;
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// How many pieces the kernel sees an instance's memory and stack in: what comes before the image, the image, what comes after, what
/// may not be touched; a stack and its guard.
const MAPPINGS_PER_INSTANCE: u32 = 6;
/// Instances that wait for a next request, of all guests together, beside those that answer one. Few serve many: a guest that never waits
/// needs one for each processor.
const RESTING_MAX: u32 = 64;
/// What the rest of the process needs.
const MAPPINGS_ASIDE: u32 = 4096;

/// Runs guests. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    single: Runtime,
    shared: Runtime,
    allocation: Allocation,
    cache: Cache,
    component_bytes_max: ByteSize,
    ticker: Arc<Ticker>,
    budget: Arc<Budget>,
    places: Arc<Places>,
    resting: Arc<Places>,
    trust: Trust,
    /// One compilation at a time; each uses all processors.
    compiling: Mutex<()>,
    compilations: AtomicU64,
}

struct Runtime {
    engine: wasmtime::Engine,
    mark: EngineMark,
    components: Linker<Guest>,
    modules: wasmtime::Linker<ModuleGuest>,
}

/// Where instances get their memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// From slots that were reserved beforehand: the fast way.
    Pooling,
    /// From the system, each time: some ten times as slow to start, and slower in its memory accesses.
    OnDemand {
        /// Why there are no slots.
        reason: String,
    },
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder for compiled code cannot be used.
    #[error("the folder {} for compiled code cannot be used: {source}", path.display())]
    Cache {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread that interrupts guests cannot be started.
    #[error("the thread that interrupts guests cannot be started: {0}")]
    Ticker(io::Error),
    /// The runtime refused its settings.
    #[error("the WebAssembly runtime cannot be set up: {reason}")]
    Runtime {
        /// Why.
        reason: String,
    },
}

impl Engine {
    /// Reserves what instances need. Where address space does not suffice for slots, it says so, here in the log and in
    /// [`Engine::allocation`], and does without.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let cache = Cache::open(&options.compiled, options.compiled_bytes_max, options.random.clone())
            .map_err(|source| EngineError::Cache { path: options.compiled.clone(), source })?;
        let ticker = Arc::new(Ticker::start().map_err(EngineError::Ticker)?);
        let instances_max = mappable(options.instances_max);
        let (single, allocation) = single(&options, instances_max)?;
        let shared = shared(&allocation)?;
        ticker.add(single.engine.weak());
        ticker.add(shared.engine.weak());
        Ok(Self(Arc::new(Inner {
            single,
            shared,
            allocation,
            cache,
            component_bytes_max: options.component_bytes_max,
            ticker,
            budget: Budget::new(options.memory_total),
            places: Places::new(instances_max),
            resting: Places::new(RESTING_MAX),
            trust: Trust::default(),
            compiling: Mutex::new(()),
            compilations: AtomicU64::new(0),
        })))
    }

    /// Makes a binary ready to run: from what was compiled before, if it was, else by compiling it, which may take seconds. Blocks;
    /// call it where that is allowed.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Component, PrepareError> {
        if bytes.len() as u64 > self.0.component_bytes_max.bytes() {
            return Err(PrepareError::TooLarge { bytes: bytes.len(), limit: self.0.component_bytes_max });
        }
        let Inner { single, shared, .. } = &*self.0;
        let program = match inspect::inspect(bytes)? {
            Inspection::Module => self.module(single, bytes).and_then(|module| single.link_module(&module)),
            Inspection::Component { entry, is_concurrent } => {
                let runtime = if is_concurrent { shared } else { single };
                self.component(runtime, bytes).and_then(|component| runtime.link(&component, entry))
            }
        };
        let program = program.map_err(|error| PrepareError::Invalid { reason: shortened(&format!("{error:#}")) })?;
        Ok(Component { engine: self.clone(), program })
    }

    /// Where instances get their memory.
    pub fn allocation(&self) -> &Allocation {
        &self.0.allocation
    }

    /// How many instances there may be at work: what was asked for, or what the system's limits leave of it.
    pub fn instances_max(&self) -> u32 {
        self.0.places.limit
    }

    /// How many instances there are, at work or at rest.
    pub fn instances(&self) -> u32 {
        [&self.0.places, &self.0.resting].iter().map(|places| places.taken.load(Ordering::Relaxed)).sum()
    }

    /// How often something was compiled, and not found where it was before.
    pub fn compilations(&self) -> u64 {
        self.0.compilations.load(Ordering::Relaxed)
    }

    /// What all guests have together.
    pub fn memory_used(&self) -> ByteSize {
        self.0.budget.used()
    }

    /// A place for one more instance.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        Places::take(&self.0.places)
    }

    /// A place for one more instance that rests until a next request: none if enough do, or if memory is not plenty.
    pub(crate) fn resting_place(&self) -> Option<Place> {
        if self.0.budget.is_plenty() { Places::take(&self.0.resting).ok() } else { None }
    }

    pub(crate) fn ticker(&self) -> &Arc<Ticker> {
        &self.0.ticker
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    pub(crate) fn trust(&self) -> Trust {
        self.0.trust.clone()
    }

    fn component(&self, runtime: &Runtime, bytes: &[u8]) -> wasmtime::Result<component::Component> {
        let name = Name::new(bytes, runtime.mark);
        self.compiled(
            &name,
            |sealed| load::component(&runtime.engine, sealed),
            || component::Component::from_binary(&runtime.engine, bytes),
            component::Component::serialize,
        )
    }

    fn module(&self, runtime: &Runtime, bytes: &[u8]) -> wasmtime::Result<Module> {
        let name = Name::new(bytes, runtime.mark);
        self.compiled(
            &name,
            |sealed| load::module(&runtime.engine, sealed),
            || Module::from_binary(&runtime.engine, bytes),
            Module::serialize,
        )
    }

    /// From the folder, or compiled and kept there. Two who want the same compile it once.
    fn compiled<T>(
        &self,
        name: &Name,
        load: impl Fn(&cache::Sealed) -> wasmtime::Result<T>,
        compile: impl FnOnce() -> wasmtime::Result<T>,
        serialize: impl FnOnce(&T) -> wasmtime::Result<Vec<u8>>,
    ) -> wasmtime::Result<T> {
        let loaded = || {
            let sealed = self.0.cache.load(name)?;
            load(&sealed).inspect_err(|error| tracing::warn!(%error, "compiled code was not taken")).ok()
        };
        if let Some(found) = loaded() {
            return Ok(found);
        }
        // A panic within would be the compiler's; it leaves nothing half done.
        let _one_at_a_time = self.0.compiling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(found) = loaded() {
            return Ok(found);
        }
        self.0.compilations.fetch_add(1, Ordering::Relaxed);
        let compiled = compile()?;
        let kept = serialize(&compiled).map(|code| self.0.cache.keep(name, &code));
        match kept {
            Ok(Ok(())) => {}
            // It runs nevertheless, and is compiled again after a restart.
            Ok(Err(error)) => tracing::warn!(%error, "compiled code could not be kept"),
            Err(error) => tracing::warn!(%error, "compiled code could not be kept"),
        }
        Ok(compiled)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("allocation", &self.0.allocation).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concurrency {
    Single,
    Shared,
}

fn config(concurrency: Concurrency) -> Config {
    let concurrent = concurrency == Concurrency::Shared;
    let mut config = Config::new();
    config
        .concurrency_support(concurrent)
        .wasm_component_model_async(concurrent)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // Names of functions are enough: lines would be found by reading what a guest says about itself, at length, in our own time.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false);
    config
}

/// Where slots do not fit, 4 GiB of addresses for each memory may not either.
fn frugal(mut config: Config) -> Config {
    config.memory_reservation(0).memory_guard_size(64 * 1024).memory_reservation_for_growth(1 << 20);
    config
}

/// The runtime with slots; without, if they cannot be had.
fn single(options: &EngineOptions, instances_max: u32) -> Result<(Runtime, Allocation), EngineError> {
    let mut pooling = config(Concurrency::Single);
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options, instances_max)));
    let (engine, allocation) = match wasmtime::Engine::new(&pooling) {
        Ok(engine) => (engine, Allocation::Pooling),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::warn!(reason, instances_max, "no address space for instances is set aside: each start costs more");
            let engine = wasmtime::Engine::new(&frugal(config(Concurrency::Single))).map_err(refused)?;
            (engine, Allocation::OnDemand { reason })
        }
    };
    Ok((Runtime::new(engine, Concurrency::Single).map_err(refused)?, allocation))
}

fn shared(allocation: &Allocation) -> Result<Runtime, EngineError> {
    let config = match allocation {
        Allocation::Pooling => config(Concurrency::Shared),
        Allocation::OnDemand { .. } => frugal(config(Concurrency::Shared)),
    };
    let engine = wasmtime::Engine::new(&config).map_err(refused)?;
    Runtime::new(engine, Concurrency::Shared).map_err(refused)
}

fn pool(options: &EngineOptions, instances_max: u32) -> PoolingAllocationConfig {
    let resident = usize::try_from(options.resident.bytes()).unwrap_or(usize::MAX);
    let instances_max = instances_max.saturating_add(RESTING_MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max.saturating_mul(MODULES_PER_COMPONENT))
        .total_memories(instances_max)
        .total_tables(instances_max.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(instances_max)
        .max_memories_per_module(4)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(resident)
        .table_keep_resident(resident)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn refused(error: wasmtime::Error) -> EngineError {
    EngineError::Runtime { reason: format!("{error:#}") }
}

/// As many instances as the kernel has mappings for; it says so if that is less.
fn mappable(wanted: u32) -> u32 {
    let Some(limit) = read_number(Path::new("/proc/sys/vm/max_map_count")) else { return wanted };
    let fits = (limit.saturating_sub(MAPPINGS_ASIDE) / MAPPINGS_PER_INSTANCE).saturating_sub(RESTING_MAX);
    if wanted > fits {
        tracing::warn!(wanted, fits, "fewer instances than wanted fit: raise the kernel's vm.max_map_count");
    }
    wanted.min(fits).max(1)
}

fn read_number(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl Runtime {
    fn new(engine: wasmtime::Engine, concurrency: Concurrency) -> wasmtime::Result<Self> {
        let mut components = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut components)?;
        if concurrency == Concurrency::Shared {
            wasmtime_wasi::p3::add_to_linker(&mut components)?;
            wasmtime_wasi_http::p3::add_to_linker(&mut components)?;
        }
        let mut modules = wasmtime::Linker::new(&engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut modules, |guest: &mut ModuleGuest| &mut guest.wasi)?;
        let mark = cache::mark(&engine);
        Ok(Self { engine, mark, components, modules })
    }

    fn link(&self, component: &component::Component, entry: Entry) -> wasmtime::Result<Program> {
        let linked = self.components.instantiate_pre(component)?;
        Ok(match entry {
            Entry::Http2 => Program::Http(Http::Single(ProxyPre::new(linked)?)),
            Entry::Http3 => Program::Http(Http::Shared(ServicePre::new(linked)?)),
            Entry::Run2 => Program::Command(Command::Component(CommandPre::new(linked)?)),
            Entry::Run3 => Program::Command(Command::Concurrent(CommandPre3::new(linked)?)),
        })
    }

    fn link_module(&self, module: &Module) -> wasmtime::Result<Program> {
        Ok(Program::Command(Command::Module(self.modules.instantiate_pre(module)?)))
    }
}

/// Counts instances.
#[derive(Debug)]
struct Places {
    limit: u32,
    taken: AtomicU32,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicU32::new(0) })
    }

    fn take(this: &Arc<Self>) -> Result<Place, Failure> {
        let more = |taken: u32| (taken < this.limit).then_some(taken + 1);
        match this.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Place(Arc::clone(this))),
            Err(_) => Err(Failure::Busy { limit: this.limit }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
