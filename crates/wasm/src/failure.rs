//! What goes wrong, with the value and the limit, and whose fault it is.

use std::time::Duration;

use base::ByteSize;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::component::Kind;
use crate::memory::Refusal;
use crate::meter::Usage;

/// Why a binary cannot be prepared: always the binary's own fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// It is too large.
    #[error("the binary has {}, and the most that is taken are {limit}", ByteSize(*bytes as u64))]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: ByteSize,
    },
    /// It is no WebAssembly, or broken.
    #[error("this is not a WebAssembly binary: {reason}")]
    NotWasm {
        /// Where and what.
        reason: String,
    },
    /// It has nothing that could be called.
    #[error(
        "it exports nothing that can be called: wanted is wasi:http/incoming-handler@0.2, wasi:http/handler@0.3 or wasi:cli/run of a \
         component, or _start of a module; it exports {}",
        list(exports)
    )]
    NoEntry {
        /// What it exports; at most some.
        exports: Vec<String>,
    },
    /// It needs what there is not.
    #[error("it imports what is not served here: {}", list(imports))]
    NotServed {
        /// What; at most some.
        imports: Vec<String>,
    },
    /// It is no valid program, or its imports or exports have other types than WASI gives them.
    #[error("it cannot be compiled: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The guest's, or its owner's who set its limits.
    Guest,
    /// The caller's.
    Caller,
    /// This node's: another attempt may work.
    Node,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its time was over.
    #[error("it took longer than its limit of {} seconds", limit.as_secs_f64())]
    Time {
        /// How long it might take.
        limit: Duration,
    },
    /// It did not get the memory that it asked for, and could not go on without.
    #[error("it asked for {wanted} of memory, its limit is {limit}, and it could not go on without: {reason}")]
    Memory {
        /// How much it wanted in all.
        wanted: ByteSize,
        /// How much it may have.
        limit: ByteSize,
        /// How it ended.
        reason: String,
    },
    /// It did something that WebAssembly forbids, or gave up.
    #[error("{reason}{backtrace}")]
    Trap {
        /// What it did.
        reason: String,
        /// Where: its functions by name, if it has names, the innermost first. Begins with a line end, or is empty.
        backtrace: String,
    },
    /// It exited instead of answering.
    #[error("it exited with status {status} instead of answering")]
    Exit {
        /// With what.
        status: i32,
    },
    /// It returned without an answer.
    #[error("it returned without an answer")]
    NoAnswer,
    /// It gave up the body of its answer, or its length was not as announced.
    #[error("it did not finish the body of its answer: {reason}")]
    Unfinished {
        /// As WASI calls it.
        reason: String,
    },
    /// It answered with an error of WASI-HTTP instead of a response.
    #[error("it answered with the error {code}")]
    Refused {
        /// As WASI calls it.
        code: String,
    },
    /// It printed too much.
    #[error("it printed more than {limit}")]
    Output {
        /// How much it might print.
        limit: ByteSize,
    },
    /// It cannot be called like this.
    #[error("this is {kind}, which cannot be called like this")]
    Kind {
        /// What it is.
        kind: Kind,
    },
    /// The request cannot be handed over.
    #[error("the request cannot be handed over: {reason}")]
    Request {
        /// What is wrong with it.
        reason: String,
    },
    /// As many instances as there may be are at work.
    #[error("{limit} instances are at work, which is the most for this node")]
    Busy {
        /// How many.
        limit: u32,
    },
    /// All guests together have all the memory that there is for them.
    #[error("the guests on this node have all of the {total} of memory that there is for them")]
    Full {
        /// How much.
        total: ByteSize,
    },
    /// The attempt was dropped while it ran: the node stops, or its caller went away before the answer.
    #[error("it was cut off")]
    CutOff,
    /// Something of ours.
    #[error("it could not be run: {reason}")]
    Host {
        /// What.
        reason: String,
    },
}

impl Failure {
    /// Whose fault it is.
    pub fn whose(&self) -> Whose {
        match self {
            Self::Time { .. }
            | Self::Memory { .. }
            | Self::Trap { .. }
            | Self::Exit { .. }
            | Self::NoAnswer
            | Self::Unfinished { .. }
            | Self::Refused { .. }
            | Self::Output { .. }
            | Self::Kind { .. } => Whose::Guest,
            Self::Request { .. } => Whose::Caller,
            Self::Busy { .. } | Self::Full { .. } | Self::CutOff | Self::Host { .. } => Whose::Node,
        }
    }
}

/// The most of a backtrace or reason that is kept: names in a binary may have any length.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// What the runtime's error means. `refused` is what the guest was last refused.
pub(crate) fn of_guest(error: &wasmtime::Error, refused: Option<Refusal>) -> Failure {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Failure::Exit { status: exit.0 };
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Failure::Host { reason: full.to_string() };
    }
    let trap = error.downcast_ref::<Trap>();
    // Who gets no memory gives up like this, or writes to where nothing is. What is no trap is an instance that could not be made.
    let for_memory = matches!(trap, None | Some(Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds));
    let reason = match trap {
        Some(trap) => trap.to_string(),
        // What stands above it is the backtrace, which is told apart.
        None => shortened(&error.root_cause().to_string()),
    };
    match refused.filter(|_| for_memory) {
        Some(Refusal::Guest { wanted, limit }) => return Failure::Memory { wanted, limit, reason },
        Some(Refusal::Engine { total }) => return Failure::Full { total },
        None => {}
    }
    if error.downcast_ref::<std::io::Error>().is_some() {
        return Failure::Host { reason };
    }
    let backtrace =
        error.downcast_ref::<WasmBacktrace>().map(|trace| shortened(&format!("\n{trace}"))).unwrap_or_default();
    Failure::Trap { reason, backtrace }
}

pub(crate) fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// An attempt that failed before it gave an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// What it took.
    pub usage: Usage,
}

impl Failed {
    /// Failed before anything was done.
    pub(crate) fn at_once(failure: Failure) -> Self {
        Self { failure, usage: Usage::default() }
    }
}
