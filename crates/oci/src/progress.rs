//! How far a load is, for people who wait.

use std::fmt;
use std::sync::Arc;

use crate::Digest;

/// How far one layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The layer, by what it unpacks to.
    pub layer: Digest,
    /// Which it is, from 1, the lowest first.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// What is being done.
    pub stage: Stage,
    /// Packed bytes that this was done to.
    pub done: u64,
    /// Packed bytes of the layer.
    pub total: u64,
}

/// What is being done to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It comes from the registry.
    Download,
    /// It is unpacked.
    Unpack,
    /// It is here, and maybe was before.
    Ready,
}

/// Is told how far a load is: often, from several threads, and should return at once.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(&Progress) + Send + Sync>);

impl Watcher {
    /// Calls `tell`.
    pub fn new(tell: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, progress: &Progress) {
        (self.0)(progress);
    }
}

impl Default for Watcher {
    /// Tells nobody.
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}
