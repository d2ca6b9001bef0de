//! Logs (CloudWatch Logs): what functions print and what clients send, kept by group and stream, found by time and by
//! pattern, followed live, and taken away when its time is over.
//!
//! It is not the node's own log (that is `tracing`), and it runs no queries (Logs Insights), metric filters or
//! subscriptions.
//!
//! What always holds:
//! - What `PutLogEvents` accepted is on disk before its answer; it can be read by whoever asks after that.
//! - What functions print ([`Logs::ingest`]) is taken in order, and waits in memory for the transaction before: a crash
//!   of the node may lose what was printed since that one began, some milliseconds of output, and never more than 4 MiB of a
//!   group or 32 MiB of a node. Waiting for the disk on every line would make each function as slow as the disk.
//! - Who prints faster than the disk writes is slowed down; its neighbours are not, and memory is bounded (`intake.rs`).
//! - Events are ordered by timestamp, then by ingestion. Each has an id of 56 digits that never changes.
//! - What is deleted or expired cannot be seen any more at once; the room comes back later (`background.rs`).
//!
//! Limits: AWS's, where AWS has some (10,000 events and 1 MiB for each batch and page, 1 MiB for an event, names of 512
//! characters, 50 tags). A page of `FilterLogEvents` looks through 16 MiB of events before it asks the caller to go on.
//!
//! Start reading at `store.rs`, which says where everything lies, then `chunk.rs` and `intake.rs`.

mod background;
pub mod chunk;
mod error;
mod follow;
pub mod fuzz;
mod intake;
mod lines;
pub mod model;
pub mod ops;
pub mod pattern;
pub mod resources;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base::Clock;
use base::task::{Kind, Tasks};
use contract::{AccountId, Call, Region};
use futures_util::Stream;

pub use crate::error::Error;
pub use crate::follow::{Follow, FollowRequest, Followed};
pub use crate::lines::Lines;
pub use crate::ops::register;
pub use crate::store::Scope;

use crate::intake::Intake;
use crate::model::EVENT_OVERHEAD_BYTES;
use crate::store::{Append, Archive, Missing};

/// What the service needs.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where everything is kept.
    pub store: ::store::Store,
    /// Time: of events, and for retention.
    pub clock: Clock,
    /// Where the background runs.
    pub tasks: Tasks,
}

/// Lines that a function printed, on their way into a stream. Group and stream are made if they are not there.
#[derive(Clone, Debug)]
pub struct Output {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// The group's name, such as `/aws/lambda/greet`.
    pub group: String,
    /// The stream's name, such as `2026/11/21/[$LATEST]8f3c…`.
    pub stream: String,
    /// The lines. Empty ones are left out, over-long ones are cut into several events.
    pub lines: Lines,
}

/// The service.
#[derive(Debug)]
pub struct Logs {
    archive: Archive,
    intake: Arc<Intake>,
}

/// What functions print is taken in pieces of this size, so that lanes can take turns.
const PIECE_BYTES: usize = 128 << 10;

/// The longest message of an event.
const MESSAGE_BYTES_MAX: usize = (1 << 20) - EVENT_OVERHEAD_BYTES as usize;

impl Logs {
    /// Starts the service. It ends when it is closed or dropped.
    pub fn new(deps: Deps) -> Arc<Self> {
        let Deps { store, clock, tasks } = deps;
        let archive = Archive::new(store, clock.clone());
        let intake = Arc::new(Intake::new());
        // Not among the tasks that shutdown stops: it ends when the last batch is in, see `close`.
        base::task::spawn(Kind::Vital, "logs-intake", Arc::clone(&intake).run(archive.clone()));
        let sweep = background::sweep(archive.clone(), clock.clone(), tasks.stopping());
        tasks.spawn(Kind::Vital, "logs-sweep", sweep);
        let expire = background::expire(archive.clone(), clock, tasks.stopping());
        tasks.spawn(Kind::Vital, "logs-expire", expire);
        Arc::new(Self { archive, intake })
    }

    /// Takes what a function printed. Returns when it is in the queue, which may mean waiting for room; not when it is on
    /// disk (see above). Fails only when the service is closed.
    pub async fn ingest(&self, output: Output) -> Result<(), Error> {
        let Output { account, region, group, stream, lines } = output;
        let (scope, lines) = (Scope { account, region }, lines.in_order());
        let is_event = |message: &str| !message.is_empty() && message.len() <= MESSAGE_BYTES_MAX;
        if lines.bytes() <= PIECE_BYTES && lines.iter().all(|(_, message)| is_event(message)) {
            return if lines.is_empty() { Ok(()) } else { self.queue(&scope, &group, &stream, lines).await };
        }
        let mut piece = Lines::default();
        for (time_ms, line) in lines.iter() {
            for message in cut(line) {
                piece.push(time_ms, message);
                if piece.bytes() >= PIECE_BYTES {
                    self.queue(&scope, &group, &stream, std::mem::take(&mut piece)).await?;
                }
            }
        }
        if !piece.is_empty() {
            self.queue(&scope, &group, &stream, piece).await?;
        }
        Ok(())
    }

    /// Waits until everything that was taken is on disk.
    pub async fn flush(&self) {
        self.intake.drained().await;
    }

    /// Takes nothing more, and waits until everything that was taken is on disk.
    pub async fn close(&self) {
        self.intake.close();
        self.flush().await;
    }

    /// Follows a group, which need not be there yet.
    pub fn follow(&self, request: FollowRequest) -> Follow {
        Follow::new(self.archive.clone(), request)
    }

    /// Follows a group as a body: one JSON object in a line for each event, with the members `logStreamName`,
    /// `timestamp`, `message`, `ingestionTime` and `eventId`.
    pub fn follow_lines(
        &self,
        request: FollowRequest,
    ) -> impl Stream<Item = Result<bytes::Bytes, Error>> + Send + use<> {
        self.follow(request).lines()
    }

    async fn queue(&self, scope: &Scope, group: &str, stream: &str, lines: Lines) -> Result<(), Error> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        let batch = Append { scope: scope.clone(), group, stream, missing: Missing::Make, lines };
        // Nobody waits for the answer; the intake logs what could not be stored.
        let _answer = self.intake.submit(batch).await?;
        Ok(())
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.intake.close();
    }
}

/// The scope of a call.
fn scope(call: &Call) -> Scope {
    Scope { account: call.account, region: call.region.clone() }
}

/// A line as messages of events: none if it is empty, several if it is too long.
fn cut(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (message, tail) = rest.split_at(rest.floor_char_boundary(MESSAGE_BYTES_MAX));
        rest = tail;
        (!message.is_empty()).then_some(message)
    })
}
