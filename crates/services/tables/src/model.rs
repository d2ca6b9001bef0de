//! What tables are in memory, and the pure decisions about them.

pub mod backup;
pub mod change;
pub mod name;
pub mod restore;
pub mod schema;
pub mod table;

pub use name::{Scope, TableRef};
pub use table::{Attribute, Index, IndexStatus, Keys, Kind, Mode, Projection, Shard, Stream, Table, Throughput, View};
