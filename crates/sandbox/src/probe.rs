//! Finding out what the machine gives, by building walls with nobody inside; and putting it into words.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::cgroup::Cgroups;
use crate::child::Child;
use crate::host::{SpawnError, Streams};
use crate::message::{Task, WaysOut};
use crate::plan::{Network, Plan};
use crate::report::{Mode, Part, State};
use crate::rules;

/// What walls there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The version of the kernel's file rules, zero for none.
    pub(crate) rules: u32,
    pub(crate) network: Networks,
}

/// What networks guests can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Networks {
    /// Their own, with a way out.
    Own,
    /// Their own, but those that may reach the outside world share the host's.
    OwnWithoutWayOut { reason: String },
    /// The host's.
    Hosts { reason: String },
}

impl Networks {
    /// What to say of it if every guest gets what it can have.
    pub(crate) fn state(&self) -> State {
        let reason = match self {
            Self::Own => return State::On,
            Self::OwnWithoutWayOut { reason } => {
                format!("functions that may reach the outside world share the host's network: {reason}")
            }
            Self::Hosts { reason } => {
                format!("functions share the host's network, its loopback ports included: {reason}")
            }
        };
        State::Missing { reason }
    }
}

/// Tries with everything first, then with less. An error if there are no namespaces at all.
pub(crate) fn find(mut build: impl FnMut(&Plan, Extent) -> Result<Child, SpawnError>) -> Result<Facts, String> {
    let mut attempt = |network: Network, own_network: bool| -> Result<u32, String> {
        let ways_out = WaysOut { four: true, six: false };
        let child = build(&plan(network), Extent { own_network, ways_out, task: Task::Probe });
        child.and_then(Child::probed).map_err(|error| error.to_string())
    };
    let way_out = match attempt(Network::Full, true) {
        Ok(rules) => return Ok(Facts { rules, network: Networks::Own }),
        Err(reason) => reason,
    };
    let own = match attempt(Network::None, true) {
        Ok(rules) => return Ok(Facts { rules, network: Networks::OwnWithoutWayOut { reason: way_out } }),
        Err(reason) => reason,
    };
    let rules = attempt(Network::Full, false)?;
    Ok(Facts { rules, network: Networks::Hosts { reason: own } })
}

/// How a probe is started.
pub(crate) struct Extent {
    pub(crate) own_network: bool,
    pub(crate) ways_out: WaysOut,
    pub(crate) task: Task,
}

fn plan(network: Network) -> Plan {
    Plan {
        directory: PathBuf::from("/"),
        tmp_bytes: 1 << 20,
        memory_bytes: 64 << 20,
        processes_max: 16,
        files_max: 64,
        network,
        ..Plan::default()
    }
}

/// Streams into nothing.
pub(crate) fn nowhere() -> io::Result<Streams> {
    let output = fs::OpenOptions::new().write(true).open("/dev/null")?;
    Ok(Streams { output: output.into(), channels: Vec::new() })
}

/// Every part of the isolation, with what was found.
pub(crate) fn parts(
    mode: Mode,
    facts: &Result<Facts, String>,
    cgroups: &Result<std::sync::Arc<Cgroups>, String>,
) -> Vec<(Part, State)> {
    let missing = |reason: &str| State::Missing { reason: reason.to_owned() };
    // What stands or falls with the namespaces.
    let with_walls = |state: &dyn Fn(&Facts) -> State| match facts {
        Ok(facts) => state(facts),
        Err(_) if mode == Mode::Off => missing("isolation is off"),
        Err(_) => missing("it is set up together with the namespaces"),
    };
    let group = |state: fn(&Cgroups) -> State| match cgroups {
        Ok(cgroups) => state(cgroups),
        Err(reason) => missing(reason),
    };
    let state_of = |part: Part| match part {
        Part::Namespaces => match facts {
            Ok(_) => State::On,
            Err(reason) => missing(reason),
        },
        Part::OwnUser => with_walls(&|_| {
            if rustix::process::geteuid().is_root() {
                return State::On;
            }
            missing("only a node that runs as root can give each instance a user id")
        }),
        Part::MemoryLimit => group(Cgroups::memory_state),
        Part::CpuShare => group(Cgroups::cpu_state),
        Part::ProcessLimit => match (group(Cgroups::processes_state), facts) {
            // Counted by user in each guest's own user namespace instead.
            (State::Missing { .. }, Ok(_)) => State::On,
            (state, _) => state,
        },
        Part::Freezer => group(Cgroups::freezer_state),
        Part::SystemCalls => with_walls(&|_| State::On),
        Part::FileRules => with_walls(&|facts| match rules::missing(facts.rules) {
            None => State::On,
            Some(reason) => State::Missing { reason },
        }),
        // What is possible is said once all guests have it: see `Host::boot_all`.
        Part::Network => with_walls(&|_| missing("functions share the host's network, its loopback ports included")),
    };
    Part::ALL.into_iter().map(|part| (part, state_of(part))).collect()
}
