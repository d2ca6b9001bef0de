//! Images from everywhere, through the doors that everybody uses.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod crash;
#[path = "../../../store/tests/suite/disk.rs"]
mod disk;
mod folder;
mod images;
mod local;
mod memory;
mod registry;
mod server;
mod stacks;
