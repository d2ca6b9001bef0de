//! What tables are in memory, and the pure decisions about them.

pub(crate) mod backup;
pub mod change;
pub(crate) mod export;
pub(crate) mod import;
pub mod name;
pub mod restore;
pub mod schema;
pub mod table;
pub(crate) mod transfer;

pub use name::{Scope, TableRef};
pub use table::{Attribute, Index, IndexStatus, Keys, Kind, Mode, Projection, Shard, Stream, Table, Throughput, View};
