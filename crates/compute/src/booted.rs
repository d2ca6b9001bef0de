//! A guest booted ahead: its walls stand, its interpreter is up with the bootstrap loaded, and it is nobody's yet.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use sandbox::{Boot, Child, Host, Network, Outside, Placement, Plan, Program, Streams};

use serde::{Deserialize, Serialize};

use crate::guest::managed::{ManagedLink, Theirs};
use crate::instance::Process;
use crate::languages::Family;
use crate::stock::Ahead;
use crate::ways;

/// How to boot one. Guests of the same recipe are alike, whatever function they will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) family: Family,
    /// Without anybody's code. Its limits are those that a guest has until it is placed.
    pub(crate) plan: Plan,
}

impl Recipe {
    /// False if its root was removed since.
    pub(crate) fn is_there(&self) -> bool {
        self.plan.root.as_ref().is_none_or(|root| root.is_dir())
    }
}

/// See the file.
pub(crate) struct Booted {
    process: Process,
    /// None for guests that are told nothing until they run.
    link: Option<ManagedLink>,
    output: OwnedFd,
    network: OwnNetwork,
}

/// A guest that has become somebody's.
pub(crate) struct Placed {
    pub(crate) process: Process,
    pub(crate) link: Option<ManagedLink>,
    pub(crate) output: OwnedFd,
    pub(crate) network: OwnNetwork,
}

/// What leads out of a guest's own network; nothing where it has none.
#[derive(Default)]
pub(crate) struct OwnNetwork {
    /// It listens at [`ways::PLATFORM`].
    pub(crate) platform: Option<TcpListener>,
    /// It listens at [`ways::RUNTIME_API`].
    pub(crate) runtime_api: Option<TcpListener>,
    pub(crate) outside: Option<Outside>,
}

impl Booted {
    /// Boots one. Call it within the runtime.
    pub(crate) async fn boot(host: &Arc<Host>, recipe: &Recipe) -> Result<Self, String> {
        let (output, link, streams) = streams(recipe.family)?;
        let network = recipe.plan.network;
        let ports = if host.isolates(network) { ports(recipe.family, network) } else { Vec::new() };
        let boot = Boot { plan: recipe.plan.clone(), ports: ports.clone() };
        let host = Arc::clone(host);
        let booted = tokio::task::spawn_blocking(move || host.boot(&boot, streams)).await;
        let booted = booted.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let mut network = OwnNetwork { outside: booted.outside, ..OwnNetwork::default() };
        for (port, listener) in ports.into_iter().zip(booted.ports) {
            let place = if port == ways::RUNTIME_API { &mut network.runtime_api } else { &mut network.platform };
            *place = Some(listener);
        }
        Ok(Self { process: Process::watch(booted.child), link, output, network })
    }

    /// Its processes.
    pub(crate) fn child(&self) -> Weak<Child> {
        self.process.child()
    }

    /// Makes it somebody's.
    pub(crate) async fn place(self, placement: Placement) -> Result<Placed, String> {
        let Self { process, link, output, network } = self;
        let child = process.child();
        let placed = tokio::task::spawn_blocking(move || match child.upgrade() {
            Some(child) => child.place(&placement).map_err(|error| error.to_string()),
            None => Err("it has ended".to_owned()),
        });
        placed.await.map_err(|error| error.to_string())??;
        Ok(Placed { process, link, output, network })
    }
}

impl Ahead for Booted {
    fn has_ended(&self) -> bool {
        self.process.ended().borrow().is_some()
    }
}

/// Starts a guest with all that it needs, where none can be booted ahead.
pub(crate) async fn spawn(host: &Arc<Host>, family: Family, plan: Plan) -> Result<Placed, String> {
    let (output, link, streams) = streams(family)?;
    let host = Arc::clone(host);
    let child = tokio::task::spawn_blocking(move || host.spawn(&plan, streams)).await;
    let child = child.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(Placed { process: Process::watch(child), link, output, network: OwnNetwork::default() })
}

/// Where the node listens in a guest's own network. Events come to a guest that reaches nobody, too.
fn ports(family: Family, network: Network) -> Vec<SocketAddr> {
    let platform = match network {
        Network::Full | Network::Platform => Some(ways::PLATFORM),
        Network::None => None,
    };
    let runtime_api = match family {
        Family::Provided => Some(ways::RUNTIME_API),
        Family::Javascript | Family::Python | Family::Http => None,
    };
    platform.into_iter().chain(runtime_api).collect()
}

/// Our ends of what a guest prints to and, for managed languages, speaks by; and its own.
fn streams(family: Family) -> Result<(OwnedFd, Option<ManagedLink>, Streams), String> {
    let failed = |error: std::io::Error| format!("a guest's pipes could not be made: {error}");
    let (read, output) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    // Ours never blocks us; the guest's blocks only itself.
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK).map_err(|errno| failed(errno.into()))?;
    let (link, channels) = match family {
        Family::Provided | Family::Http => (None, Vec::new()),
        Family::Javascript | Family::Python => {
            let (link, theirs): (ManagedLink, Theirs) = ManagedLink::new().map_err(failed)?;
            (Some(link), Vec::from(theirs))
        }
    };
    Ok((read, link, Streams { output, channels }))
}

/// What a plan runs, for a guest that is told so later.
pub(crate) fn program_of(plan: &mut Plan) -> Program {
    Program {
        program: std::mem::take(&mut plan.program),
        arguments: std::mem::take(&mut plan.arguments),
        environment: std::mem::take(&mut plan.environment),
        directory: std::mem::replace(&mut plan.directory, PathBuf::from("/")),
    }
}
