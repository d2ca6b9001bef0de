//! How a node's compute is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{ByteSize, Clock, Random};

use crate::logs::LogSink;
use crate::memory::Memory;

/// What [`crate::Compute::new`] is given.
#[derive(Clone)]
pub struct Options {
    /// A folder of its own: unpacked code, the bootstraps, a cache of which interpreters are installed. Made if it is missing.
    pub dir: PathBuf,
    /// How much isolation is wanted.
    pub sandbox: sandbox::Mode,
    /// What functions reach that do not say it themselves.
    pub network: sandbox::Network,
    /// A program that calls [`sandbox::init_main_if_asked`] first thing; the running program itself if `None`. Tests give one,
    /// because a test program does not.
    pub helper: Option<PathBuf>,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// Where guests' words go.
    pub logs: Arc<dyn LogSink>,
    /// The most memory that all instances together may be given, counted by their settings.
    pub memory_total: ByteSize,
    /// Idle instances end while less memory is left than this, after what is booted ahead.
    pub memory_spare: ByteSize,
    /// How much memory is left, in bytes; `None` where nobody knows. Asked at each sweep.
    pub memory_left: MemoryLeft,
    /// The most memory that all WebAssembly guests together may have, counted as they have it.
    pub wasm_memory_total: ByteSize,
    /// The most instances on this node.
    pub instances_max: u32,
    /// The most guests that are booted ahead; none if 0.
    pub booted_max: usize,
    /// The most invocations in flight, running and waiting: AWS's account limit, 1000 by default there.
    pub concurrency_max: u32,
    /// How long an instance stays without work, as long as its function's calls show no pattern.
    pub keep_alive: Duration,
    /// How often it is looked for what has nothing to do.
    pub sweep: Duration,
    /// `AWS_ENDPOINT_URL` inside functions: the node itself.
    pub endpoint_url: Option<String>,
}

/// Says how much memory is left.
pub type MemoryLeft = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// One guest is booted ahead for so much memory of the machine.
const BOOTED_BYTES: u64 = 1 << 30;
/// What a machine has that does not say.
const MEMORY_GUESS: u64 = 2 << 30;

impl Options {
    /// The usual settings: isolation as the machine gives it, three quarters of the memory that the node may have, AWS's concurrency.
    pub fn new(dir: PathBuf, logs: Arc<dyn LogSink>) -> Self {
        let memory = Memory::own();
        let memory_bytes = memory.total().filter(|bytes| *bytes > 0).unwrap_or(MEMORY_GUESS);
        Self {
            dir,
            sandbox: sandbox::Mode::Auto,
            network: sandbox::Network::Full,
            helper: None,
            clock: Clock::system(),
            random: Random::system(),
            logs,
            memory_total: ByteSize(memory_bytes / 4 * 3),
            memory_spare: ByteSize(memory_bytes / 20),
            memory_left: Arc::new(move || memory.available()),
            // What is left is the machine's own.
            wasm_memory_total: ByteSize(memory_bytes / 8),
            instances_max: 1000,
            booted_max: usize::try_from(memory_bytes / BOOTED_BYTES).unwrap_or(1).clamp(1, 8),
            concurrency_max: 1000,
            keep_alive: Duration::from_secs(600),
            sweep: Duration::from_secs(5),
            endpoint_url: None,
        }
    }
}
