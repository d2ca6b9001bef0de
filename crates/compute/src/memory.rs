//! How much memory the node may have, and how much of that is left: the machine's, or less where the node runs within a limit, as in a
//! container or a slice of systemd's.

use std::fs;
use std::path::{Path, PathBuf};

/// Where to look, found once: limits change, and what is used does, but not where they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    meminfo: PathBuf,
    /// The node's own group and all above it.
    groups: Vec<Group>,
}

/// A group with a limit, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    path: PathBuf,
    files: &'static Files,
}

/// What the two versions call things.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    /// The file that has the limit; one that is no number, or beyond what a machine can have, is none.
    limit: &'static str,
    used: &'static str,
    /// Files' pages, of the group and all below it: the kernel drops them for whoever needs memory, as its own estimate has it.
    spare: [&'static str; 2],
}

const ONE: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    spare: ["total_inactive_file ", "total_active_file "],
};
const TWO: Files = Files { limit: "memory.max", used: "memory.current", spare: ["inactive_file ", "active_file "] };

impl Memory {
    /// This process's own.
    pub(crate) fn own() -> Self {
        Self::find(Path::new("/proc"))
    }

    /// The same as told by files of `proc`.
    fn find(proc: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(proc.join("self").join(name)).unwrap_or_default();
        let (membership, mounts) = (read("cgroup"), read("mounts"));
        let mut groups = groups(&mounts, "cgroup2", None, own_two(&membership), &TWO);
        groups.extend(groups_one(&mounts, &membership));
        Self { meminfo: proc.join("meminfo"), groups }
    }

    /// All that there is, in bytes; `None` where it is not told.
    pub(crate) fn total(&self) -> Option<u64> {
        self.groups.iter().filter_map(Group::limit).chain(self.told("MemTotal:")).min()
    }

    /// What is left, in bytes, as the kernel estimates it.
    pub(crate) fn available(&self) -> Option<u64> {
        self.groups.iter().filter_map(Group::left).chain(self.told("MemAvailable:")).min()
    }

    fn told(&self, what: &str) -> Option<u64> {
        parse(&fs::read_to_string(&self.meminfo).ok()?, what)
    }
}

impl Group {
    fn limit(&self) -> Option<u64> {
        self.number(self.files.limit)
    }

    fn left(&self) -> Option<u64> {
        let (limit, used) = (self.limit()?, self.number(self.files.used)?);
        let stat = fs::read_to_string(self.path.join("memory.stat")).unwrap_or_default();
        let field = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let spare = self.files.spare.into_iter().filter_map(field).fold(0, u64::saturating_add);
        Some(limit.saturating_sub(used.saturating_sub(spare)))
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok()
    }
}

/// In version 2, where this process is.
fn own_two(membership: &str) -> Option<&str> {
    membership.lines().find_map(|line| line.strip_prefix("0::"))
}

fn groups_one(mounts: &str, membership: &str) -> Vec<Group> {
    let own = membership.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|one| one == "memory").then_some(path)
    });
    groups(mounts, "cgroup", Some("memory"), own, &ONE)
}

/// The group at `own` and all above it, where that kind is mounted.
fn groups(mounts: &str, kind: &str, controller: Option<&str>, own: Option<&str>, files: &'static Files) -> Vec<Group> {
    let root = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = controller.is_none_or(|controller| options.split(',').any(|option| option == controller));
        (found == kind && fits).then(|| PathBuf::from(place))
    });
    let (Some(root), Some(own)) = (root, own) else { return Vec::new() };
    let path = root.join(own.trim_start_matches('/'));
    // In a container the path may be the host's; then the mount's own root is ours.
    let path = if path.is_dir() { path } else { root.clone() };
    let above = path.ancestors().take_while(|path| path.starts_with(&root));
    above.map(|path| Group { path: path.to_owned(), files }).collect()
}

fn parse(meminfo: &str, what: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(what))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_is_read() {
        for (text, expected) in [
            ("MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   1234567 kB\n", Some(1_264_196_608)),
            ("MemTotal: 24000000 kB\n", None),
            ("MemAvailable: many kB\n", None),
            ("MemAvailable: 99999999999999999999 kB\n", None),
            ("MemAvailable: 18446744073709551615 kB\n", None),
            ("", None),
        ] {
            assert_eq!(parse(text, "MemAvailable:"), expected, "{text}");
        }
    }

    /// A machine of 8000 KiB, of which 4000 are left, and groups with these files.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new(cgroup: &str, mounts: &str, files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let write = |name: &str, text: &str| {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            write("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 4000 kB\n");
            write("proc/self/cgroup", cgroup);
            write("proc/self/mounts", &mounts.replace("SYS", &dir.path().join("sys").to_string_lossy()));
            for (name, text) in files {
                write(&format!("sys/{name}"), text);
            }
            Self(dir)
        }

        /// In bytes: all, and what is left.
        fn tells(&self) -> (Option<u64>, Option<u64>) {
            let memory = Memory::find(&self.0.path().join("proc"));
            (memory.total(), memory.available())
        }
    }

    const MOUNT_TWO: &str = "cgroup2 SYS cgroup2 rw,nosuid 0 0\n";
    const MOUNT_ONE: &str = "cgroup SYS/cpu cgroup rw,cpu 0 0\ncgroup SYS/memory cgroup rw,memory 0 0\n";
    const MACHINE: (Option<u64>, Option<u64>) = (Some(8_192_000), Some(4_096_000));

    #[track_caller]
    fn check(cgroup: &str, mounts: &str, files: &[(&str, &str)], expected: (Option<u64>, Option<u64>)) {
        assert_eq!(Machine::new(cgroup, mounts, files).tells(), expected, "{cgroup} {files:?}");
    }

    #[test]
    fn without_groups_the_machine_counts() {
        check("", "", &[], MACHINE);
        check("0::/\n", MOUNT_TWO, &[], MACHINE);
        check("0::/a\n", MOUNT_TWO, &[("a/memory.max", "max\n"), ("a/memory.current", "1000000\n")], MACHINE);
        let endless =
            [("memory/memory.limit_in_bytes", "9223372036854771712\n"), ("memory/memory.usage_in_bytes", "5000\n")];
        check("4:memory:/\n", MOUNT_ONE, &endless, MACHINE);
        check("0::/a\n", MOUNT_TWO, &[("a/memory.max", "words\n"), ("a/memory.current", "1\n")], MACHINE);
    }

    #[test]
    fn a_group_with_a_limit_counts_instead_wherever_above_it_is() {
        let own = [
            ("a/b/memory.max", "3000000\n"),
            ("a/b/memory.current", "1500000\n"),
            ("a/b/memory.stat", "anon 5\ninactive_file 400000\nactive_file 100000\n"),
        ];
        check("0::/a/b\n", MOUNT_TWO, &own, (Some(3_000_000), Some(2_000_000)));
        let above = [&own[..], &[("a/memory.max", "2000000\n"), ("a/memory.current", "1999999\n")]].concat();
        check("0::/a/b\n", MOUNT_TWO, &above, (Some(2_000_000), Some(1)));
        // More is used than there may be, because the limit was lowered.
        let over = [("memory.max", "1000\n"), ("memory.current", "2000\n")];
        check("0::/\n", MOUNT_TWO, &over, (Some(1_000), Some(0)));
        // The path is the host's, and what is mounted is our own group.
        check("0::/docker/1234\n", MOUNT_TWO, &over, (Some(1_000), Some(0)));
    }

    #[test]
    fn the_older_version_is_read_too() {
        let files = [
            ("memory/slice/memory.limit_in_bytes", "3000000\n"),
            ("memory/slice/memory.usage_in_bytes", "2500000\n"),
            ("memory/slice/memory.stat", "inactive_file 1\ntotal_inactive_file 600000\ntotal_active_file 100000\n"),
            ("cpu/slice/memory.limit_in_bytes", "5\n"),
        ];
        check("5:cpu:/slice\n4:memory:/slice\n0::/\n", MOUNT_ONE, &files, (Some(3_000_000), Some(1_200_000)));
        let both = format!("{MOUNT_ONE}cgroup2 SYS/unified cgroup2 rw 0 0\n");
        check("4:memory:/slice\n0::/slice\n", &both, &files, (Some(3_000_000), Some(1_200_000)));
    }
}
