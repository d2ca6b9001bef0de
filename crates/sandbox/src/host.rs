//! What this machine gives, found out once, and guests spawned from it.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::cgroup::{Cgroups, Group, Limits};
use crate::child::{About, Child, Kin, Walls};
use crate::message::{self, Answer, Identity, Order, Start, Task, WaysOut};
use crate::outside::Outside;
use crate::plan::{Boot, Network, Plan};
use crate::probe::{self, Facts, Networks};
use crate::report::{Mode, Part, Report};
use crate::steward::{Refusal, Steward};
use crate::sys;
use crate::uids::{Uid, Uids};

/// The descriptor on which a guest finds its first channel.
pub(crate) const CHANNEL: RawFd = 3;

/// The isolation of this machine. Spawning may be done from many threads.
#[derive(Debug)]
pub struct Host {
    /// None where there are no namespaces.
    walls: Option<(Arc<Steward>, Networks)>,
    cgroups: Result<Arc<Cgroups>, String>,
    report: Report,
    uids: Arc<Uids>,
}

/// A guest that was started with [`Host::boot`].
#[derive(Debug)]
pub struct Booted {
    /// It, with a view that stands; its program may be running.
    pub child: Child,
    /// The ports of its [`Boot`], in that order. They do not block.
    pub ports: Vec<TcpListener>,
    /// Its way to the outside world, closed until it is served: for [`Network::Full`] in a network of its own.
    pub outside: Option<Outside>,
}

/// What a guest writes to and hears on. The other ends stay with the caller.
#[derive(Debug)]
pub struct Streams {
    /// Its descriptors 1 and 2.
    pub output: OwnedFd,
    /// Its descriptors 3 and following, at most [`Streams::CHANNELS_MAX`].
    pub channels: Vec<OwnedFd>,
}

impl Streams {
    /// The most channels.
    pub const CHANNELS_MAX: usize = message::FDS_MAX - 3;
}

/// The node may not start under [`Mode::Required`].
#[derive(Debug, thiserror::Error)]
#[error("isolation is required, but this machine gives no {part}: {reason}")]
pub struct StartError {
    /// What is missing.
    pub part: &'static str,
    /// Why.
    pub reason: String,
}

/// A guest could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A step of the set-up failed.
    #[error("{step}: {reason}")]
    Setup {
        /// What was being done.
        step: String,
        /// What the system said.
        reason: String,
    },
    /// The helper ended without a word.
    #[error("the sandbox helper {} ended without a word", helper.display())]
    Helper {
        /// Which program.
        helper: PathBuf,
    },
    /// It cannot be had here.
    #[error("{what} cannot be had on this machine: {reason}")]
    Missing {
        /// What was asked for.
        what: &'static str,
        /// Why it is not there.
        reason: String,
    },
    /// More was asked for than there may be.
    #[error("{count} {what} are more than {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The system refused.
    #[error("{step}: {source}")]
    System {
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Host {
    /// Finds out what the machine gives: some milliseconds of blocking work, once. `helper` is a program that calls
    /// [`crate::init_main_if_asked`] first; the running program itself if `None`.
    pub fn new(mode: Mode, helper: Option<PathBuf>) -> Result<Self, StartError> {
        let helper = helper.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        let cgroups = match mode {
            Mode::Off => Err("isolation is off".to_owned()),
            Mode::Auto | Mode::Required => Cgroups::find(),
        };
        let bases = cgroups.as_ref().map(|found| found.bases()).unwrap_or_default();
        let steward = Arc::new(Steward::new(helper, bases));
        let report = Report { mode, parts: Vec::new() };
        let mut host = Self { walls: None, cgroups, report, uids: Uids::new(std::process::id()) };
        let facts: Result<Facts, String> = match mode {
            Mode::Off => Err("isolation is off".to_owned()),
            Mode::Auto | Mode::Required => probe::find(|plan, probe::Extent { own_network, ways_out, task }| {
                let streams =
                    probe::nowhere().map_err(|source| SpawnError::System { step: "opening /dev/null", source })?;
                host.spawn_walled(
                    &steward,
                    plan,
                    streams,
                    Extent { group: None, ports: &[], own_network, ways_out, task },
                )
            }),
        };
        host.report.parts = probe::parts(mode, &facts, &host.cgroups);
        host.walls = facts.ok().map(|facts| (steward, facts.network));
        // Whether guests have networks of their own is known once it is said how they are started.
        host.report.insist(|part| part != Part::Network)?;
        Ok(host)
    }

    /// Whoever uses this says that it starts every guest with [`Host::boot`], never with [`Host::spawn`] in the host's network: then the
    /// report may say that guests have networks of their own, and [`Mode::Required`] asks for that too.
    pub fn boot_all(mut self) -> Result<Self, StartError> {
        if let Some((_, networks)) = &self.walls {
            let state = networks.state();
            let part = self.report.parts.iter_mut().find(|(part, _)| *part == Part::Network);
            if let Some((_, found)) = part {
                *found = state;
            }
        }
        self.report.insist(|_| true)?;
        Ok(self)
    }

    /// What is on, and what is not.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// True if guests see their own root: paths in a [`Plan`] are then the guest's, else the host's.
    pub fn has_own_root(&self) -> bool {
        self.walls.is_some()
    }

    /// True if guests can be started ahead of their purpose and placed later ([`Child::place`]). Elsewhere, start each with all
    /// that it needs.
    pub fn can_place(&self) -> bool {
        self.walls.is_some()
    }

    /// True if a guest that is booted for this has a network of its own, with the ports of its [`Boot`], and with a way to the
    /// [`Outside`] if that is wanted. Elsewhere one that may reach the outside world shares the host's network, and others are refused.
    pub fn isolates(&self, network: Network) -> bool {
        match (&self.walls, network) {
            (Some((_, Networks::Own)), _) => true,
            (Some((_, Networks::OwnWithoutWayOut { .. })), Network::Platform | Network::None) => true,
            (Some((_, Networks::OwnWithoutWayOut { .. } | Networks::Hosts { .. })) | None, _) => false,
        }
    }

    /// Starts a guest. Blocks for the time of a fork: not for an async thread. Set-up goes on in the guest's own first process; if
    /// it fails, [`Child::wait`] says so. With [`Network::Full`] it shares the host's network: what only [`Host::boot`] hands out is
    /// how it would reach anybody from its own.
    pub fn spawn(&self, plan: &Plan, streams: Streams) -> Result<Child, SpawnError> {
        let Some((steward, networks)) = &self.walls else {
            if plan.root.is_some() {
                let reason = self.report.reason(Part::Namespaces).unwrap_or_default().to_owned();
                return Err(SpawnError::Missing { what: "a root of its own", reason });
            }
            return spawn_plain(plan, streams, self.group(plan)?);
        };
        let own_network = match (plan.network, networks) {
            (Network::Full, _) => false,
            (Network::Platform | Network::None, Networks::Own | Networks::OwnWithoutWayOut { .. }) => true,
            (Network::Platform | Network::None, Networks::Hosts { reason }) => return Err(no_network(reason)),
        };
        let (group, ways_out) = (self.group(plan)?, WaysOut::default());
        self.spawn_walled(steward, plan, streams, Extent { group, ports: &[], own_network, ways_out, task: Task::Run })
    }

    /// Starts a guest ahead of its purpose, or in a network of its own, and waits until its walls stand: some milliseconds, not for an
    /// async thread. Where guests have no root of their own ([`Host::has_own_root`]), that is [`SpawnError::Missing`].
    pub fn boot(&self, boot: &Boot, streams: Streams) -> Result<Booted, SpawnError> {
        let Some((steward, networks)) = &self.walls else {
            let reason = self.report.reason(Part::Namespaces).unwrap_or_default().to_owned();
            return Err(SpawnError::Missing { what: "a view of its own", reason });
        };
        if boot.ports.len() > Boot::PORTS_MAX {
            return Err(SpawnError::TooMany { what: "ports", count: boot.ports.len(), limit: Boot::PORTS_MAX });
        }
        let own_network = match (boot.plan.network, networks) {
            (_, Networks::Own) | (Network::Platform | Network::None, Networks::OwnWithoutWayOut { .. }) => true,
            // In the host's network, two guests could not have the same ports.
            (Network::Full, _) if boot.ports.is_empty() => false,
            (_, Networks::Hosts { reason } | Networks::OwnWithoutWayOut { reason }) => return Err(no_network(reason)),
        };
        let ways_out = WaysOut::now();
        let extent =
            Extent { group: self.group(&boot.plan)?, ports: &boot.ports, own_network, ways_out, task: Task::Boot };
        let mut child = self.spawn_walled(steward, &boot.plan, streams, extent)?;
        let (network, mut sockets) = child.built()?;
        let trap = sockets.split_off(boot.ports.len().min(sockets.len()));
        let outside = Outside::new(trap, ways_out, Arc::clone(steward), network);
        if outside.is_none() && own_network && boot.plan.network == Network::Full {
            let (step, reason) = ("setting the trap".to_owned(), "not all of its sockets came".to_owned());
            return Err(SpawnError::Setup { step, reason });
        }
        Ok(Booted { child, ports: sockets.into_iter().map(TcpListener::from).collect(), outside })
    }

    fn group(&self, plan: &Plan) -> Result<Option<Group>, SpawnError> {
        let made = self.cgroups.as_ref().ok().map(|cgroups| cgroups.group(Limits::of(plan))).transpose();
        made.map_err(|source| SpawnError::System { step: "making a cgroup", source })
    }

    fn spawn_walled(
        &self,
        steward: &Arc<Steward>,
        plan: &Plan,
        streams: Streams,
        extent: Extent<'_>,
    ) -> Result<Child, SpawnError> {
        if streams.channels.len() > Streams::CHANNELS_MAX {
            let (count, limit) = (streams.channels.len(), Streams::CHANNELS_MAX);
            return Err(SpawnError::TooMany { what: "channels", count, limit });
        }
        let system = |step| move |source: io::Error| SpawnError::System { step, source };
        let (words, theirs) = message::pair().map_err(system("making a socket for the guest"))?;
        let (identity, guest_uid) = self.identity();
        let Extent { group, ports, own_network, ways_out, task } = extent;
        let birthplace = group.as_ref().and_then(Group::birthplace);
        let order = Order::Start(Box::new(Start {
            plan: plan.clone(),
            identity,
            into_group: birthplace.is_some(),
            enrol: group.as_ref().map(Group::enrol_paths).unwrap_or_default(),
            own_network,
            ports: ports.to_vec(),
            ways_out,
            processes_max: (!group.as_ref().is_some_and(Group::limits_processes)).then_some(plan.processes_max),
            task,
        }));
        let mut fds = vec![theirs.as_fd()];
        fds.extend(birthplace);
        fds.push(streams.output.as_fd());
        fds.extend(streams.channels.iter().map(AsFd::as_fd));
        let (answer, mut came) = steward.ask(&order, &fds)?;
        let (Answer::Began { pid }, Some(pidfd)) = (answer, came.pop()) else {
            return Err(SpawnError::Setup { step: "forking".to_owned(), reason: "not an answer to that".to_owned() });
        };
        let pid = Pid::from_raw(pid).expect("a process that began has an id");
        let kin = Kin::Namespace { words, walls: Walls::new(Arc::clone(steward)) };
        Ok(Child::new(pid, pidfd, kin, About { group, guest_uid, processes_max: plan.processes_max }))
    }

    fn identity(&self) -> (Identity, Option<Uid>) {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            return (Identity::Same { uid: uid.as_raw(), gid: gid.as_raw() }, None);
        }
        let uid = self.uids.take();
        (Identity::Own { uid: uid.id() }, Some(uid))
    }
}

/// What a guest gets beside its plan.
struct Extent<'a> {
    group: Option<Group>,
    ports: &'a [std::net::SocketAddr],
    own_network: bool,
    ways_out: WaysOut,
    task: Task,
}

fn no_network(reason: &str) -> SpawnError {
    SpawnError::Missing { what: "a network of its own", reason: reason.to_owned() }
}

impl From<Refusal> for SpawnError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed { step, reason } => Self::Setup { step, reason },
            Refusal::Silent { helper } => Self::Helper { helper },
            Refusal::System { step, source } => Self::System { step, source },
        }
    }
}

/// A process group with limits, on the host's own root.
fn spawn_plain(plan: &Plan, streams: Streams, group: Option<Group>) -> Result<Child, SpawnError> {
    let system = |step| move |source: io::Error| SpawnError::System { step, source };
    let second = streams.output.try_clone().map_err(system("copying a descriptor"))?;
    let mut command = Command::new(&plan.program);
    command
        .args(&plan.arguments)
        .env_clear()
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(existing(&plan.directory))
        .stdin(Stdio::null())
        .stdout(Stdio::from(streams.output))
        .stderr(Stdio::from(second))
        .process_group(0);
    let mut channels = Vec::with_capacity(streams.channels.len());
    for channel in &streams.channels {
        // Moved out of the way of the numbers that they will get.
        let moved = rustix::io::fcntl_dupfd_cloexec(channel, sys::HIGH_FD);
        channels
            .push(moved.map_err(|errno| SpawnError::System { step: "copying a descriptor", source: errno.into() })?);
    }
    sys::prepare_plain(&mut command, sys::Plain { channels, files_max: plan.files_max.into() });
    let process = command.spawn().map_err(system("starting the program"))?;
    let pid = Pid::from_child(&process);
    if let Some(group) = &group {
        // Until this line the program ran without its limit; it is still loading itself.
        group.enrol(pid).map_err(system("enrolling in a cgroup"))?;
    }
    let pidfd = pidfd_open(pid, PidfdFlags::empty())
        .map_err(|errno| SpawnError::System { step: "watching the program", source: errno.into() })?;
    Ok(Child::new(pid, pidfd, Kin::Group, About { group, guest_uid: None, processes_max: plan.processes_max }))
}

fn existing(directory: &Path) -> &Path {
    if directory.is_dir() { directory } else { Path::new("/") }
}
