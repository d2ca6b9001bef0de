//! What a guest is given: by its component's owner ([`Settings`]), and for one attempt ([`Limits`]).

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;

use crate::memory::Held;
use crate::network::Network;
use crate::output::{Discard, Sink};

/// What every instance of a guest is given.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it finds in its environment.
    pub environment: Vec<(String, String)>,
    /// The most memory that an instance may have: its linear memories and tables.
    pub memory: ByteSize,
    /// Where it is counted what all instances have.
    pub held: Held,
    /// Whom it may talk to.
    pub network: Network,
    /// How many requests an instance may answer at the same time. Counts for WASI 0.3 only: an instance of a WASI 0.2 component
    /// answers one after the other.
    pub concurrency: u32,
    /// How many requests an instance of a WASI 0.3 component may answer before it ends.
    pub reuse_max: u32,
    /// The same for WASI 0.2, where requests find what earlier ones left in the instance's memory only if the component's owner says
    /// that they may. An instance ends earlier if it fails, if it is still at work when its answer begins to be read, or if it keeps
    /// something of a request.
    pub reuse_max_single: u32,
    /// How long an instance stays without a request. One of WASI 0.2 may stay longer, until [`crate::Service::tidy`] or a next request.
    pub keep_alive: Duration,
}

impl Default for Settings {
    /// 128 MiB, an empty environment, no network; one request at a time, 128 of them (one where it is WASI 0.2), and ten seconds without.
    fn default() -> Self {
        Self {
            environment: Vec::new(),
            memory: ByteSize::mib(128),
            held: Held::default(),
            network: Network::None,
            concurrency: 1,
            reuse_max: 128,
            reuse_max_single: 1,
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// What one attempt is given.
#[derive(Clone)]
pub struct Limits {
    /// How long it may take, from the call until the guest has ended: its start and all of its streaming included.
    pub time: Duration,
    /// Where its standard output goes. An instance that answers several requests at once writes to the one of the latest.
    pub stdout: Arc<dyn Sink>,
    /// Where its standard error goes.
    pub stderr: Arc<dyn Sink>,
}

impl Limits {
    /// So much time; what it prints is thrown away.
    pub fn new(time: Duration) -> Self {
        Self { time, stdout: Arc::new(Discard), stderr: Arc::new(Discard) }
    }
}
