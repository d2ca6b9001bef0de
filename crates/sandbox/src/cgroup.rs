//! Limits that the kernel holds over all processes of a guest: cgroups, version 1 or 2, by plain file writes.
//!
//! The node makes one group of its own under the group that it runs in, and one per guest below. Groups of nodes that died are
//! swept at the next start. Where both versions are mounted, each controller is taken where it is; version 2 freezes even then,
//! because being born into a group there costs nothing, while each move in version 1 waits for the kernel (8 to 16 ms on an idle
//! machine, once for all of them).

mod events;
mod group;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};

pub(crate) use events::OomEvents;
pub(crate) use group::{Group, Limits};

use crate::report::State;

/// The name of a node's group: this and its process id.
const PREFIX: &str = "freehold-";

/// The name of the group that a node moves to where its own must have no processes.
const LEAF: &str = "freehold-node";

/// Where this node's groups are.
#[derive(Debug)]
pub(crate) struct Cgroups {
    memory: Found,
    processes: Found,
    cpu: Found,
    freezer: Found,
    next: AtomicU64,
}

/// A place for groups of one controller, or why there is none.
type Found = Result<Hierarchy, String>;

/// A place in which groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    version: Version,
    /// The node's own group.
    base: PathBuf,
    /// What groups below it can use, in version 2; a hierarchy of version 1 is its controller.
    controllers: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroups {
    /// Looks for controllers that this process may use.
    pub(crate) fn find() -> Result<Arc<Self>, String> {
        let membership = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("no cgroups: {error}"))?;
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("no mounts to read: {error}"))?;
        // Two of one process (as in tests) get groups of their own.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self::among(&membership, &mounts, &name)
    }

    /// The same where this process is in those groups of what is mounted, for groups below one of that name.
    fn among(membership: &str, mounts: &str, name: &str) -> Result<Arc<Self>, String> {
        let unified = version_two(membership, mounts, name);
        let find = |controller: &str| match &unified {
            Ok(hierarchy) if hierarchy.controllers.contains(&controller) => Ok(hierarchy.clone()),
            Ok(_) => version_one(membership, mounts, name, controller),
            Err(why) => version_one(membership, mounts, name, controller).map_err(|error| format!("{error}; {why}")),
        };
        let freezer = match &unified {
            Ok(hierarchy) if hierarchy.base.join("cgroup.freeze").exists() => Ok(hierarchy.clone()),
            Ok(_) | Err(_) => find("freezer"),
        };
        let found = Self {
            memory: find("memory"),
            processes: find("pids"),
            cpu: find("cpu"),
            freezer,
            next: AtomicU64::new(0),
        };
        if let Some(reason) = found.all().iter().all(|one| one.is_err()).then(|| found.memory.as_ref().err()).flatten()
        {
            return Err(reason.clone());
        }
        found.weigh_all();
        if let Ok(Hierarchy { version: Version::One, base, .. }) = &found.memory {
            // Counting begins with the first group that has a limit and ends with the last. Both take the kernel a moment: so it begins
            // here, and ends with the node.
            group::limit_sockets(base, i64::MAX as u64);
        }
        Ok(Arc::new(found))
    }

    fn all(&self) -> [&Found; 4] {
        [&self.memory, &self.processes, &self.cpu, &self.freezer]
    }

    /// All guests together weigh as much as one ordinary process on each processor, whatever their number: what else the machine
    /// does, the node itself first, is not starved by a hundred guests.
    fn weigh_all(&self) {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        if let Ok(hierarchy) = &self.cpu {
            let (file, weight) = match hierarchy.version {
                Version::One => ("cpu.shares", 1024 * processors),
                Version::Two => ("cpu.weight", (100 * processors).min(10_000)),
            };
            if let Err(error) = fs::write(hierarchy.base.join(file), weight.to_string()) {
                tracing::debug!(%error, file, "all guests together keep the weight of one process");
            }
        }
    }

    pub(crate) fn memory_state(&self) -> State {
        state(&self.memory)
    }

    pub(crate) fn processes_state(&self) -> State {
        state(&self.processes)
    }

    pub(crate) fn cpu_state(&self) -> State {
        state(&self.cpu)
    }

    pub(crate) fn freezer_state(&self) -> State {
        state(&self.freezer)
    }

    /// The node's own groups, each once: whatever is below belongs to a guest.
    pub(crate) fn bases(&self) -> Vec<PathBuf> {
        let mut bases: Vec<PathBuf> = Vec::new();
        for hierarchy in self.all().into_iter().flatten() {
            if !bases.contains(&hierarchy.base) {
                bases.push(hierarchy.base.clone());
            }
        }
        bases
    }

    /// Makes the group of one guest, with its limits.
    pub(crate) fn group(self: &Arc<Self>, limits: Limits) -> io::Result<Group> {
        let name = format!("i{}", self.next.fetch_add(1, Ordering::Relaxed));
        Group::make(Arc::clone(self), &name, limits)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for base in self.bases() {
            // What is left below keeps it: the next start sweeps.
            let _ = fs::remove_dir(base);
        }
    }
}

fn state(found: &Found) -> State {
    match found {
        Ok(_) => State::On,
        Err(reason) => State::Missing { reason: reason.clone() },
    }
}

/// The one tree of version 2, if we may make groups in it. Which controllers it gives is another question.
fn version_two(membership: &str, mounts: &str, name: &str) -> Result<Hierarchy, String> {
    let root = mount_point(mounts, "cgroup2", None).ok_or("no cgroup version 2")?;
    let own = membership.lines().find_map(|line| line.strip_prefix("0::")).ok_or("no cgroup version 2")?;
    let parent = below(&root, above_leaf(own));
    let wanted = wanted(&parent);
    if !wanted.is_empty() && enable(&parent, &wanted).is_err() {
        // A group that has processes of its own cannot hand controllers to groups below: move to a leaf, then try again.
        let leaf = parent.join(LEAF);
        fs::create_dir_all(&leaf)
            .and_then(|()| fs::write(leaf.join("cgroup.procs"), "0"))
            .and_then(|()| enable(&parent, &wanted))
            .map_err(|error| {
                format!("cgroup version 2 at {} is not delegated to this user: {error}", parent.display())
            })?;
    }
    let base = own_group(&parent, name)?;
    if !wanted.is_empty() {
        enable(&base, &wanted).map_err(|error| format!("cgroup version 2 at {}: {error}", base.display()))?;
    }
    Ok(Hierarchy { version: Version::Two, base, controllers: wanted })
}

/// Whoever is in a leaf that a node made has its groups beside it: another node started from there, or this process once more.
fn above_leaf(own: &str) -> &str {
    own.strip_suffix(LEAF).and_then(|parent| parent.strip_suffix('/')).unwrap_or(own)
}

/// The controllers that we use and that are to be had in a group.
fn wanted(group: &Path) -> Vec<&'static str> {
    let there = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    ["memory", "pids", "cpu"].into_iter().filter(|one| there.split_whitespace().any(|other| other == *one)).collect()
}

fn enable(group: &Path, controllers: &[&str]) -> io::Result<()> {
    let order: Vec<String> = controllers.iter().map(|controller| format!("+{controller}")).collect();
    fs::write(group.join("cgroup.subtree_control"), order.join(" "))
}

/// The hierarchy of one controller in version 1.
fn version_one(membership: &str, mounts: &str, name: &str, controller: &str) -> Found {
    let root = mount_point(mounts, "cgroup", Some(controller))
        .ok_or_else(|| format!("no cgroup controller '{controller}'"))?;
    let own = membership
        .lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
        .find(|(controllers, _)| controllers.split(',').any(|one| one == controller))
        .map_or("/", |(_, path)| path);
    Ok(Hierarchy { version: Version::One, base: own_group(&below(&root, own), name)?, controllers: Vec::new() })
}

/// Where a file system of that kind is mounted; for version 1, the one with that controller.
fn mount_point(mounts: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let options = fields.get(3)?;
        let fits = controller.is_none_or(|controller| options.split(',').any(|option| option == controller));
        (*fields.get(2)? == kind && fits).then(|| PathBuf::from(fields[1]))
    })
}

/// In a container the path in `/proc/self/cgroup` may be the host's; then the mount's own root is ours.
fn below(root: &Path, own: &str) -> PathBuf {
    let path = root.join(own.trim_start_matches('/'));
    if path.is_dir() { path } else { root.to_owned() }
}

/// Makes the node's group and sweeps those of nodes that are gone.
fn own_group(parent: &Path, name: &str) -> Result<PathBuf, String> {
    sweep(parent);
    let base = parent.join(name);
    make(&base).map_err(|error| format!("no cgroup can be made at {}: {error}", parent.display()))?;
    Ok(base)
}

/// Ends and removes what nodes left that are gone.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            end_all_below(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Kills whatever is in the groups below a node's own, frozen or not, and removes those that are empty.
pub(crate) fn end_all_below(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten().filter(|one| one.path().is_dir()) {
        group::end_all(&entry.path());
        let _ = fs::remove_dir(entry.path());
    }
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
