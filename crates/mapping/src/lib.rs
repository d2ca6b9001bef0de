//! Pollers: they take messages from queues, and records from streams, and hand them in batches to whoever is to handle them.
//!
//! Functions (event source mappings) and pipes stand on this. It polls as anybody could, through ordinary operations
//! ([`contract::Caller`]), and knows neither how queues keep their messages nor what handles the batches ([`Sink`]).
//!
//! What always holds:
//! - A message is deleted from its queue when it was handled, or when the filters do not want it, and never before.
//! - Of a source one poller waits and the others work: what has nothing to do costs one waiting receive, and nobody sleeps while a
//!   message waits, as far as concurrency allows.
//! - What the sink has no time for (throttled, being replaced, gone) is tried again until the queue would show the message to
//!   others, and then left to the queue; while a sink says that it is not ready nothing is received at all.
//! - In a queue that keeps order, what follows a failed message of its group in hand is not handled before it.
//!
//! Not here: records of mappings and pipes and their operations (their services), and how a batch becomes an invocation (theirs too).
//!
//! Limits: batches of 10,000 messages and of 6 MB, windows of 5 minutes, states of tumbling windows of 1 MB, 1,000 batches of a source in
//! hand.
//!
//! Start reading at `pollers.rs`, then `stream.rs` and `readers.rs`.

pub mod answer;
pub mod filter;
pub mod gathering;
pub mod message;
pub mod pollers;
mod queue;
pub mod readers;
pub mod scale;
mod shards;
pub mod stream;
mod workers;

pub use filter::Filters;
pub use gathering::Limits;
pub use message::Message;
pub use pollers::{Batch, Handed, Plan, Pollers, Progress, Sink, Tools};
pub use readers::{Readers, Reading, ShardSink, Tried};
pub use workers::Workers;
