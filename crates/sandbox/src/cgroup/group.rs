//! The groups of one guest, one in each hierarchy that is used. Dropped after the guest's processes are gone, which removes them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use super::{Cgroups, Hierarchy, OomEvents, Version, make};
use crate::child::Memory;
use crate::plan::Plan;

/// The memory for which Lambda gives one whole processor.
const BYTES_PER_PROCESSOR: u64 = 1769 << 20;

/// What a guest may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
    pub(crate) processes_max: u32,
}

impl Limits {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { memory_bytes: plan.memory_bytes, tmp_bytes: plan.tmp_bytes, processes_max: plan.processes_max }
    }
}

/// See the file.
#[derive(Debug)]
pub(crate) struct Group {
    memory: Option<(Version, PathBuf)>,
    processes: Option<PathBuf>,
    cpu: Option<(Version, PathBuf)>,
    freezer: Option<(Version, File)>,
    /// The group of version 2 into which the guest is born.
    birthplace: Option<File>,
    /// All groups, and their versions, each once.
    all: Vec<(Version, PathBuf)>,
    limits: Mutex<Limits>,
    /// Kept open: it is read after every attempt.
    peak: Option<File>,
    /// Kept so that the node's own groups outlive the guests'.
    _node: Arc<Cgroups>,
}

impl Group {
    /// Makes the groups of a guest and sets its limits.
    pub(super) fn make(node: Arc<Cgroups>, name: &str, limits: Limits) -> io::Result<Self> {
        let mut all: Vec<(Version, PathBuf)> = Vec::new();
        let mut place = |found: &super::Found| -> io::Result<Option<(Version, PathBuf)>> {
            let Ok(Hierarchy { version, base, .. }) = found else {
                return Ok(None);
            };
            let path = base.join(name);
            if !all.iter().any(|(_, one)| *one == path) {
                make(&path)?;
                all.push((*version, path.clone()));
            }
            Ok(Some((*version, path)))
        };
        let memory = place(&node.memory)?;
        let processes = place(&node.processes)?.map(|(_, path)| path);
        let cpu = place(&node.cpu)?;
        let freezer = place(&node.freezer)?;
        let freezer = freezer.map(|(version, path)| open_freezer(version, &path).map(|file| (version, file)));
        let birthplace = all.iter().find(|(version, _)| *version == Version::Two).map(|(_, path)| {
            OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC).open(path)
        });
        let group = Self {
            peak: memory.as_ref().and_then(|(version, path)| File::open(path.join(peak_file(*version))).ok()),
            memory,
            processes,
            cpu,
            freezer: freezer.transpose()?,
            birthplace: birthplace.transpose()?,
            all,
            limits: Mutex::new(limits),
            _node: node,
        };
        group.prepare_memory();
        group.write(None, limits)?;
        Ok(group)
    }

    /// What is set once and may be missing in a kernel.
    fn prepare_memory(&self) {
        let Some((version, path)) = &self.memory else {
            return;
        };
        match version {
            // Nothing of a guest goes to the host's swap: its limit is on what it has, wherever that is.
            Version::One => drop(fs::write(path.join("memory.swappiness"), "0")),
            Version::Two => {
                drop(fs::write(path.join("memory.swap.max"), "0"));
                // A guest that lost one of its processes is no longer what it was: all go.
                drop(fs::write(path.join("memory.oom.group"), "1"));
            }
        }
    }

    pub(crate) fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    pub(crate) fn limits_processes(&self) -> bool {
        self.processes.is_some()
    }

    /// Changes what the guest may take. Lowering memory below what is in use fails in version 1, and evicts or kills in version 2.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Limits)) -> io::Result<()> {
        let mut limits = self.limits.lock().expect("nothing panics while it holds this lock");
        let mut wanted = *limits;
        change(&mut wanted);
        self.write(Some(*limits), wanted)?;
        *limits = wanted;
        Ok(())
    }

    /// Writes what differs.
    fn write(&self, before: Option<Limits>, limits: Limits) -> io::Result<()> {
        if let Some((version, path)) = &self.memory
            && before.is_none_or(|before| sum(&before) != sum(&limits))
        {
            let file = match version {
                Version::One => "memory.limit_in_bytes",
                Version::Two => "memory.max",
            };
            put(&path.join(file), sum(&limits))?;
            if *version == Version::One {
                limit_sockets(path, limits.memory_bytes);
            }
        }
        if let Some((version, path)) = &self.cpu
            && before.is_none_or(|before| before.memory_bytes != limits.memory_bytes)
        {
            let (file, weight) = weight(*version, limits.memory_bytes);
            put(&path.join(file), weight)?;
        }
        if let Some(path) = &self.processes
            && before.is_none_or(|before| before.processes_max != limits.processes_max)
        {
            put(&path.join("pids.max"), limits.processes_max.into())?;
        }
        Ok(())
    }

    /// The files into which a process writes `0` to join, where it cannot be born there.
    pub(crate) fn enrol_paths(&self) -> Vec<PathBuf> {
        let ones = self.all.iter().filter(|(version, _)| *version == Version::One);
        ones.map(|(_, path)| path.join("cgroup.procs")).collect()
    }

    /// Where a guest is to be born.
    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.birthplace.as_ref().map(AsFd::as_fd)
    }

    /// Puts a process in, everywhere.
    pub(crate) fn enrol(&self, pid: Pid) -> io::Result<()> {
        self.all.iter().try_for_each(|(_, path)| fs::write(path.join("cgroup.procs"), pid.as_raw_nonzero().to_string()))
    }

    /// Stops all processes where they are, or lets them go on. The kernel does it soon after the call.
    pub(crate) fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        let Some((version, file)) = &self.freezer else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "there is no cgroup that freezes"));
        };
        let word: &[u8] = match (version, frozen) {
            (Version::One, true) => b"FROZEN",
            (Version::One, false) => b"THAWED",
            (Version::Two, true) => b"1",
            (Version::Two, false) => b"0",
        };
        file.write_at(word, 0).map(|_| ())
    }

    /// True if a killed process ends only after it is thawed.
    pub(crate) fn freezes_past_kills(&self) -> bool {
        matches!(self.freezer, Some((Version::One, _)))
    }

    /// Tells of processes that the kernel killed for want of memory.
    pub(crate) fn oom_events(&self) -> io::Result<OomEvents> {
        match &self.memory {
            Some((Version::One, path)) => OomEvents::version_one(path),
            Some((Version::Two, path)) => OomEvents::version_two(path),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "there is no limit on memory")),
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        let Some((version, path)) = &self.memory else {
            return Memory::default();
        };
        let stat = fs::read_to_string(path.join("memory.stat")).unwrap_or_default();
        let used = match version {
            Version::One => field(&stat, "total_rss"),
            Version::Two => field(&stat, "anon"),
        };
        Memory { used_bytes: used, peak_bytes: self.memory_peak(), kills: self.kills() }
    }

    /// How many processes the kernel killed for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        let Some((version, path)) = &self.memory else {
            return 0;
        };
        let file = match version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        field(&fs::read_to_string(path.join(file)).unwrap_or_default(), "oom_kill")
    }

    pub(crate) fn memory_peak(&self) -> u64 {
        let mut bytes = [0; 32];
        let length = self.peak.as_ref().and_then(|file| file.read_at(&mut bytes, 0).ok()).unwrap_or(0);
        std::str::from_utf8(&bytes[..length]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for (_, path) in &self.all {
            if let Err(error) = fs::remove_dir(path) {
                tracing::debug!(path = %path.display(), %error, "a cgroup is left for the next start to sweep");
            }
        }
    }
}

/// The files of /tmp are charged too, and have their own limit, so the kernel's limit is the sum; whoever watches the guest holds
/// `Memory::used_bytes`, which leaves them out, against the limit on memory alone.
fn sum(limits: &Limits) -> u64 {
    limits.memory_bytes.saturating_add(limits.tmp_bytes)
}

/// What waits in sockets is counted apart in version 1, and not at all before there is a limit: as much as the guest's memory, which is
/// in nobody's way. A kernel that does not have it has no network.
pub(super) fn limit_sockets(group: &Path, bytes: u64) {
    drop(fs::write(group.join("memory.kmem.tcp.limit_in_bytes"), bytes.to_string()));
}

fn peak_file(version: Version) -> &'static str {
    match version {
        Version::One => "memory.max_usage_in_bytes",
        Version::Two => "memory.peak",
    }
}

/// A share of the processors in proportion to memory: it counts only while others want them too.
fn weight(version: Version, memory_bytes: u64) -> (&'static str, u64) {
    let of = |whole: u64| (u128::from(whole) * u128::from(memory_bytes) / u128::from(BYTES_PER_PROCESSOR)) as u64;
    match version {
        Version::One => ("cpu.shares", of(1024).clamp(2, 262_144)),
        Version::Two => ("cpu.weight", of(100).clamp(1, 10_000)),
    }
}

fn open_freezer(version: Version, group: &Path) -> io::Result<File> {
    let file = match version {
        Version::One => "freezer.state",
        Version::Two => "cgroup.freeze",
    };
    OpenOptions::new().write(true).open(group.join(file))
}

fn put(path: &Path, value: u64) -> io::Result<()> {
    fs::write(path, value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("writing {value} to {}: {error}", path.display())))
}

/// Kills all processes of a group, frozen or not.
pub(super) fn end_all(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
        // Gone already, most likely.
        let _ = kill_process(pid, Signal::KILL);
    }
    // Version 1: a frozen process dies when it thaws. Without a freezer the file is not there.
    if let Ok(file) = open_freezer(Version::One, group) {
        let _ = file.write_at(b"THAWED", 0);
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
    fn reads_fields_by_their_whole_name() {
        let text = "rss 1\ntotal_rss_huge 2\ntotal_rss 3\noom_kill_disable 0\noom_kill 4\n";
        for (name, expected) in [("total_rss", 3), ("oom_kill", 4), ("absent", 0)] {
            assert_eq!(field(text, name), expected);
        }
    }

    #[test]
    fn processors_are_shared_by_memory() {
        for (mb, one, two) in
            [(128, 74, 7), (1769, 1024, 100), (10_240, 5927, 578), (0, 2, 1), (u64::MAX >> 20, 262_144, 10_000)]
        {
            assert_eq!(weight(Version::One, mb << 20).1, one, "{mb} MB");
            assert_eq!(weight(Version::Two, mb << 20).1, two, "{mb} MB");
        }
    }
}
