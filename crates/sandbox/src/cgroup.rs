//! Limits that the kernel holds over all processes of a guest: cgroups, version 1 or 2, by plain file writes.
//!
//! The node makes one group of its own under the group that it runs in, and one per guest below. Groups of nodes that died are
//! swept at the next start.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};

use crate::child::Memory;
use crate::plan::Plan;
use crate::report::State;

/// The name of a node's group: this and its process id.
const PREFIX: &str = "freehold-";

/// Where this node's groups are.
#[derive(Debug)]
pub(crate) struct Cgroups {
    memory: Result<Hierarchy, String>,
    processes: Result<Hierarchy, String>,
    next: AtomicU64,
}

/// A place in which groups can be made.
#[derive(Clone, Debug)]
struct Hierarchy {
    version: Version,
    /// The node's own group.
    base: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroups {
    /// Looks for controllers that this process may use.
    pub(crate) fn find() -> Result<Self, String> {
        let membership = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("no cgroups: {error}"))?;
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("no mounts to read: {error}"))?;
        let unified = version_two(&membership, &mounts);
        let find = |controller: &str| match &unified {
            Ok(hierarchy) if hierarchy.offers(controller) => Ok(hierarchy.clone()),
            Ok(_) => version_one(&membership, &mounts, controller),
            Err(why) => version_one(&membership, &mounts, controller).map_err(|error| format!("{error}; {why}")),
        };
        let found = Self { memory: find("memory"), processes: find("pids"), next: AtomicU64::new(0) };
        match (&found.memory, &found.processes) {
            (Err(reason), Err(_)) => Err(reason.clone()),
            _ => Ok(found),
        }
    }

    pub(crate) fn memory_state(&self) -> State {
        state(&self.memory)
    }

    pub(crate) fn processes_state(&self) -> State {
        state(&self.processes)
    }

    /// Makes the group of one guest, with its limits.
    pub(crate) fn group(&self, plan: &Plan) -> io::Result<Group> {
        let name = format!("i{}", self.next.fetch_add(1, Ordering::Relaxed));
        let memory = self.memory.as_ref().ok().map(|hierarchy| (hierarchy.version, hierarchy.base.join(&name)));
        let processes = self.processes.as_ref().ok().map(|hierarchy| hierarchy.base.join(&name));
        let mut group = Group { memory: None, processes: None, peak: None };
        if let Some((version, path)) = memory {
            make(&path)?;
            // The files of /tmp are charged too, and have their own limit, so the kernel's limit is the sum; whoever watches the
            // guest holds `Memory::used_bytes`, which leaves them out, against the limit on memory alone.
            let limit = plan.memory_bytes.saturating_add(plan.tmp_bytes).to_string();
            let (file, peak) = match version {
                Version::One => ("memory.limit_in_bytes", "memory.max_usage_in_bytes"),
                Version::Two => ("memory.max", "memory.peak"),
            };
            fs::write(path.join(file), limit)?;
            if version == Version::Two {
                // Missing where the kernel has no swap accounting: then there is nothing to forbid.
                let _ = fs::write(path.join("memory.swap.max"), "0");
            }
            group.peak = File::open(path.join(peak)).ok();
            group.memory = Some((version, path));
        }
        if let Some(path) = processes {
            make(&path)?;
            fs::write(path.join("pids.max"), plan.processes_max.to_string())?;
            group.processes = Some(path);
        }
        Ok(group)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for hierarchy in [&self.memory, &self.processes].into_iter().flatten() {
            let _ = fs::remove_dir(&hierarchy.base);
        }
    }
}

fn state(hierarchy: &Result<Hierarchy, String>) -> State {
    match hierarchy {
        Ok(_) => State::On,
        Err(reason) => State::Missing { reason: reason.clone() },
    }
}

impl Hierarchy {
    /// True if groups made here can use the controller (version 2; a version 1 hierarchy is its controller).
    fn offers(&self, controller: &str) -> bool {
        let enabled = fs::read_to_string(self.base.join("cgroup.subtree_control")).unwrap_or_default();
        enabled.split_whitespace().any(|one| one == controller)
    }
}

/// The one tree of version 2, if it has controllers and we may make groups in it.
fn version_two(membership: &str, mounts: &str) -> Result<Hierarchy, String> {
    let root = mount_point(mounts, "cgroup2", None).ok_or("no cgroup version 2")?;
    let own = membership.lines().find_map(|line| line.strip_prefix("0::")).ok_or("no cgroup version 2")?;
    let parent = below(&root, own);
    let controllers = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
    if !controllers.split_whitespace().any(|one| one == "memory" || one == "pids") {
        return Err("cgroup version 2 has no controllers here".to_owned());
    }
    if enable(&parent).is_err() {
        // A group that has processes of its own cannot hand controllers to groups below: move to a leaf, then try again.
        let leaf = parent.join("freehold-node");
        fs::create_dir_all(&leaf)
            .and_then(|()| fs::write(leaf.join("cgroup.procs"), "0"))
            .and_then(|()| enable(&parent))
            .map_err(|error| {
                format!("cgroup version 2 at {} is not delegated to this user: {error}", parent.display())
            })?;
    }
    let base = own_group(&parent)?;
    enable(&base).map_err(|error| format!("cgroup version 2 at {}: {error}", base.display()))?;
    Ok(Hierarchy { version: Version::Two, base })
}

fn enable(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.subtree_control"), "+memory +pids")
}

/// The hierarchy of one controller in version 1.
fn version_one(membership: &str, mounts: &str, controller: &str) -> Result<Hierarchy, String> {
    let root = mount_point(mounts, "cgroup", Some(controller))
        .ok_or_else(|| format!("no cgroup controller '{controller}'"))?;
    let own = membership
        .lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
        .find(|(controllers, _)| controllers.split(',').any(|one| one == controller))
        .map_or("/", |(_, path)| path);
    Ok(Hierarchy { version: Version::One, base: own_group(&below(&root, own))? })
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
fn own_group(parent: &Path) -> Result<PathBuf, String> {
    sweep(parent);
    // Two of one process (as in tests) get groups of their own.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let base = parent.join(format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    make(&base).map_err(|error| format!("no cgroup can be made at {}: {error}", parent.display()))?;
    Ok(base)
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            for guest in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(guest.path());
            }
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The groups of one guest. Dropped after the guest's processes are gone, which removes them.
#[derive(Debug)]
pub(crate) struct Group {
    memory: Option<(Version, PathBuf)>,
    processes: Option<PathBuf>,
    /// Kept open: it is read after every attempt.
    peak: Option<File>,
}

impl Group {
    pub(crate) fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    fn paths(&self) -> Vec<&PathBuf> {
        let mut paths: Vec<&PathBuf> = self.memory.iter().map(|(_, path)| path).chain(&self.processes).collect();
        paths.dedup();
        paths
    }

    /// The files into which a process writes `0` to join.
    pub(crate) fn enrol_paths(&self) -> Vec<PathBuf> {
        self.paths().into_iter().map(|path| path.join("cgroup.procs")).collect()
    }

    /// Puts a process in.
    pub(crate) fn enrol(&self, pid: Pid) -> io::Result<()> {
        self.enrol_paths().into_iter().try_for_each(|path| fs::write(path, pid.as_raw_nonzero().to_string()))
    }

    pub(crate) fn memory(&self) -> Memory {
        let Some((version, path)) = &self.memory else {
            return Memory::default();
        };
        let (stat, kills) = match version {
            Version::One => (path.join("memory.stat"), path.join("memory.oom_control")),
            Version::Two => (path.join("memory.stat"), path.join("memory.events")),
        };
        let stat = fs::read_to_string(stat).unwrap_or_default();
        let used = match version {
            Version::One => field(&stat, "total_rss"),
            Version::Two => field(&stat, "anon"),
        };
        let kills = field(&fs::read_to_string(kills).unwrap_or_default(), "oom_kill");
        Memory { used_bytes: used, peak_bytes: self.memory_peak(), kills }
    }

    pub(crate) fn memory_peak(&self) -> u64 {
        let mut bytes = [0; 32];
        let length = self.peak.as_ref().and_then(|file| file.read_at(&mut bytes, 0).ok()).unwrap_or(0);
        std::str::from_utf8(&bytes[..length]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for path in self.paths() {
            if let Err(error) = fs::remove_dir(path) {
                tracing::debug!(path = %path.display(), %error, "a cgroup is left for the next start to sweep");
            }
        }
    }
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_place_in_both_versions() {
        let mounts = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        for (kind, controller, expected) in [
            ("cgroup", Some("memory"), Some("/sys/fs/cgroup/memory")),
            ("cgroup", Some("cpu"), Some("/sys/fs/cgroup/cpu,cpuacct")),
            ("cgroup", Some("pids"), None),
            ("cgroup2", None, Some("/sys/fs/cgroup/unified")),
        ] {
            assert_eq!(mount_point(mounts, kind, controller), expected.map(PathBuf::from), "{kind} {controller:?}");
        }
    }

    #[test]
    fn reads_fields_by_their_whole_name() {
        let text = "rss 1\ntotal_rss_huge 2\ntotal_rss 3\noom_kill_disable 0\noom_kill 4\n";
        for (name, expected) in [("total_rss", 3), ("oom_kill", 4), ("absent", 0)] {
            assert_eq!(field(text, name), expected);
        }
    }
}
