//! How an engine is set up.

use std::path::PathBuf;

use base::{ByteSize, Random};

/// What [`crate::Engine::new`] is given.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// A folder of its own, for compiled code; made if it is missing.
    pub compiled: PathBuf,
    /// The most that the folder may hold; what was used longest ago goes first. Losing an entry costs a compilation.
    pub compiled_bytes_max: ByteSize,
    /// The largest binary that is taken.
    pub component_bytes_max: ByteSize,
    /// The most memory that all guests together may have, counted as they have it, not by their limits.
    pub memory_total: ByteSize,
    /// The most instances at work at a time. Decides how much address space is reserved: some 4 GiB each. Of memory, some 40 KiB stay with each
    /// place that was ever taken: the busiest moment decides how much that is in all.
    pub instances_max: u32,
    /// How much memory of a slot that was used stays with it for the next instance; more is given back to the system each time,
    /// which costs the next instance a page fault for every page that it touches.
    pub resident: ByteSize,
    /// Chance.
    pub random: Random,
}

impl EngineOptions {
    /// The usual settings.
    pub fn new(compiled: PathBuf) -> Self {
        Self {
            compiled,
            compiled_bytes_max: ByteSize::gib(4),
            component_bytes_max: ByteSize::mib(128),
            memory_total: ByteSize::gib(2),
            instances_max: 1000,
            resident: ByteSize::kib(256),
            random: Random::system(),
        }
    }
}
