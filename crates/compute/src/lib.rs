//! Images, languages, pool, guest protocol, metering: everything between "run this function" and its answer.
//!
//! What it is: [`Compute`] unpacks code, keeps instances of images in sandboxes, hands them invocations, and writes what they print
//! to a [`LogSink`]. What it is not: it knows no accounts, stores or services; all that it needs comes in as values.
//!
//! What always holds: an instance has one attempt at a time; a guest that crashes, exits, hangs or takes too much memory ends with
//! all its processes, and the next call works; what a function prints slows nobody but itself; an attempt whose caller went away
//! runs to its end.
//!
//! WebAssembly is run in this process (`wasi`); all else is a process in a sandbox.
//!
//! A call's way: [`Compute::run`] admits it (`shared`), takes an instance (`pool`, which starts one where that pays, `start`), runs
//! the attempt on it (`attempt`, over `guest`), reads the log (`output`, `pump`) and gives the instance back.

mod attempt;
mod booted;
mod bootstraps;
mod bytecode;
mod code;
mod compute;
mod container;
mod environment;
mod faults;
mod freezing;
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod image;
mod instance;
mod invocation;
mod languages;
mod log_format;
pub mod logs;
mod memory;
mod monitor;
mod network;
mod options;
mod output;
mod pieces;
mod platform;
mod pool;
mod processors;
mod pump;
mod shared;
mod start;
mod stock;
mod tally;
mod wasi;
mod ways;

pub use code::{CodeError, CodeId, ENTRIES_MAX, UNZIPPED_BYTES_MAX};
pub use compute::{Activity, Compute, FunctionState, InstanceState, StartError};
pub use container::{Container, ContainerError, ImageArchive, Reach};
pub use guest::RESPONSE_BYTES_MAX;
pub use guest::http::{Answer, AnswerBody, BodyError, Conversation, Reply, Unanswered};
pub use image::{Credentials, CredentialsHook, Image, Settings, is_server};
pub use invocation::{FunctionError, Held, Invocation, LogWish, Outcome, Report, RunFault, Throttle};
pub use languages::{Family, Interpreter, LanguageError, LanguageStatus};
pub use log_format::{LogFormat, LogLevel};
pub use logs::{LogBatch, LogSink, LogStream};
pub use network::{NETWORK_VARIABLE, UnknownNetwork, network_of};
pub use options::{MemoryLeft, Options};
pub use pieces::{PieceReader, Pieces, STREAM_BYTES_MAX};
pub use pool::Provisioned;
pub use sandbox::Network;
pub use stock::BootedAhead;
pub use tally::Counts;
pub use wasi::{UnknownReuse, reuse_of};
