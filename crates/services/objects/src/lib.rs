//! Objects (S3): buckets of bytes under keys, with versions, uploads in parts, and what people set up around them.
//!
//! Not here: how requests are told apart and read (the door, wire), who is told of a change (delivery; the seam is [`events`]).
//!
//! What always holds:
//! - A change is acknowledged when bytes and record are on disk. Bytes come first: into blobs that are synced before the transaction
//!   that refers to them, or, if they are few, into that transaction itself. A crash leaves an object as it was or as it will be.
//! - Bodies stream: of each, some pieces are in memory, whatever its length. Checksums are made as bytes pass, off the reactor for
//!   long ones, and a body that is not what its client says of it is never seen.
//! - A listing seeks: what a delimiter folds or a marker passes over is not read.
//! - Order is the store's: keys by their UTF-8 bytes, versions of a key newest first, by the number of the snapshot that the change was
//!   made on, which grows with every change of the same key.
//!
//! - Every body is sealed: with a key made from the node's, or from the one that a client brings (see `body/seal.rs`).
//!
//! Where bytes lie: up to [`body::INLINE_BYTES_MAX`] in the version's own record, so that a put is one commit and a get one read; up to
//! [`body::BESIDE_BYTES_MAX`] in a record beside it, which listings do not read; else in a blob. The parts of an upload stay what they
//! are: an object made of parts is the list of them, never a copy.
//!
//! The current version of a key, if it is no delete marker, lies in one range of the store, and everything else of it, older versions
//! and markers, in another: what people list is a range of its own, whatever lies behind it.
//!
//! Why not one of the S3 servers' libraries: shapes, codecs, authorisation and audit are the house's for every service, the road into
//! other services (schedules, pipes, templates) runs on them, and a second family of types would have to be translated to and fro.
//!
//! Start reading at `store/versions.rs`, then `body.rs` and `ops/put_object.rs`.

mod acl;
mod background;
mod body;
mod conditions;
mod error;
pub mod events;
mod listing;
pub mod model;
mod notify;
pub mod ops;
mod policies;
mod remembered;
pub mod resources;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base::{Clock, Random};
use dispatch::Dispatch;

pub use crate::error::Error;
pub use crate::ops::{fuzzing, register};

use crate::store::Shelf;

/// What the service needs.
#[derive(Clone)]
pub struct Deps {
    /// Where records are kept.
    pub store: ::store::Store,
    /// Where large bytes are kept.
    pub blobs: ::store::Blobs,
    /// Time: of versions, retention, lifecycles.
    pub clock: Clock,
    /// Ids of versions and uploads.
    pub random: Random,
    /// What bodies are sealed with, unless a client brings a key.
    pub key: [u8; 32],
    /// Who decides on what a call touches beside its own resource: a copy's source, each key of many.
    pub dispatch: Dispatch,
    /// Who tells the event bus.
    pub announcer: Arc<dyn delivery::Announcer>,
    /// What addresses begin with in what is told without anybody's call.
    pub base_url: Arc<str>,
}

/// The service.
pub struct Objects {
    shelf: Shelf,
    clock: Clock,
    dispatch: dispatch::Within,
    announcer: Arc<dyn delivery::Announcer>,
    base_url: Arc<str>,
}

impl Objects {
    /// The service, on what is kept.
    pub fn new(deps: Deps) -> Arc<Self> {
        let Deps { store, blobs, clock, random, key, dispatch, announcer, base_url } = deps;
        let shelf = Shelf::new(store, blobs, random, key);
        Arc::new(Self { shelf, clock, dispatch: dispatch.within(), announcer, base_url })
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}
