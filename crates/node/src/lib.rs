//! A node: the only place that knows everybody. It takes the settings apart, opens the stores, starts the services on them, and opens
//! the door; and it stops them in the opposite order.
//!
//! What always holds: a node that started serves; one that could not start has said why in a [`StartError`], and left nothing half-made;
//! one that was stopped has everything on disk.
//!
//! Start reading at `node.rs`; `catalog.rs` is the list of services.

mod blob_metrics;
mod bucket;
mod catalog;
mod config;
mod delivery_metrics;
mod function_metrics;
mod function_urls;
mod health;
mod keys;
mod log_sink;
mod mounts;
mod node;
mod start_error;
mod storage;
mod sweep;

pub use config::{Auth, Config, Data, Engine, OpenToTheWorld};
pub use node::Node;
pub use start_error::StartError;

pub use compute::LanguageStatus;
pub use door::BindError;
pub use identity::RootKey;
