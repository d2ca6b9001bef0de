//! Both versions, played by folders: what is written where. Whether a kernel does with it what it should is for the walls' own tests, on
//! machines of either version.

use super::*;

/// The node's own group in these tests.
const NAME: &str = "freehold-1-0";

const LIMITS: Limits = Limits { memory_bytes: 1769 << 20, tmp_bytes: 1 << 20, processes_max: 7 };

/// A machine's `/sys/fs/cgroup`.
struct Machine(tempfile::TempDir);

impl Machine {
    /// With these files, in folders that are made.
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = machine.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Looks for controllers, `SYS` being where it is mounted.
    fn find(&self, membership: &str, mounts: &str) -> Result<Arc<Cgroups>, String> {
        Cgroups::among(membership, &mounts.replace("SYS", &self.0.path().to_string_lossy()), NAME)
    }

    #[track_caller]
    fn has(&self, files: &[(&str, &str)]) {
        for (name, expected) in files {
            assert_eq!(self.read(name).as_deref(), Some(*expected), "{name}");
        }
    }
}

const MOUNT_TWO: &str = "cgroup2 SYS cgroup2 rw,nosuid,nodev 0 0\n";
const MOUNTS_ONE: &str = "cgroup SYS/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                          cgroup SYS/memory cgroup rw,relatime,memory 0 0\n\
                          cgroup SYS/pids cgroup rw,pids 0 0\n\
                          cgroup SYS/freezer cgroup rw,freezer 0 0\n";

/// The state of each part, in the order memory, processes, processor, freezer.
fn states(cgroups: &Cgroups) -> [bool; 4] {
    [cgroups.memory_state(), cgroups.processes_state(), cgroups.cpu_state(), cgroups.freezer_state()]
        .map(|state| state == State::On)
}

#[test]
fn a_guest_of_version_two_has_one_group_with_all_limits() {
    let machine = Machine::new(&[
        ("slice/cgroup.controllers", "cpuset cpu io memory pids\n"),
        // The kernel's, in each group.
        ("slice/freehold-1-0/cgroup.freeze", "0\n"),
        ("slice/freehold-1-0/i0/cgroup.freeze", "0\n"),
    ]);
    let cgroups = machine.find("0::/slice\n", MOUNT_TWO).unwrap();
    assert_eq!(states(&cgroups), [true; 4]);
    assert_eq!(cgroups.bases(), [machine.path("slice/freehold-1-0")]);
    machine.has(&[
        ("slice/cgroup.subtree_control", "+memory +pids +cpu"),
        ("slice/freehold-1-0/cgroup.subtree_control", "+memory +pids +cpu"),
    ]);
    let group = cgroups.group(LIMITS).unwrap();
    machine.has(&[
        ("slice/freehold-1-0/i0/memory.max", &((1770u64 << 20).to_string())),
        ("slice/freehold-1-0/i0/memory.swap.max", "0"),
        ("slice/freehold-1-0/i0/memory.oom.group", "1"),
        ("slice/freehold-1-0/i0/pids.max", "7"),
        ("slice/freehold-1-0/i0/cpu.weight", "100"),
    ]);
    assert!(group.birthplace().is_some() && group.enrol_paths().is_empty(), "it is born there");
    assert!(!group.freezes_past_kills());
    group.set_frozen(true).unwrap();
    machine.has(&[("slice/freehold-1-0/i0/cgroup.freeze", "1\n")]);
    group.set_frozen(false).unwrap();
    machine.has(&[("slice/freehold-1-0/i0/cgroup.freeze", "0\n")]);
    group.set(|limits| limits.memory_bytes = 2 * (1769 << 20)).unwrap();
    machine.has(&[
        ("slice/freehold-1-0/i0/memory.max", &((3539u64 << 20).to_string())),
        ("slice/freehold-1-0/i0/cpu.weight", "200"),
    ]);
    fs::write(machine.path("slice/freehold-1-0/i0/memory.events"), "oom 9\noom_kill 2\n").unwrap();
    fs::write(machine.path("slice/freehold-1-0/i0/memory.stat"), "anon 4096\nfile 8192\n").unwrap();
    let memory = group.memory();
    assert_eq!((memory.used_bytes, memory.kills), (4096, 2));
}

#[test]
fn a_guest_of_version_one_has_a_group_in_each_hierarchy() {
    let machine = Machine::new(&[
        ("cpu,cpuacct/a/tasks", ""),
        ("memory/a/tasks", ""),
        ("pids/tasks", ""),
        ("freezer/freehold-1-0/i0/freezer.state", "THAWED\n"),
    ]);
    let membership = "5:freezer:/\n4:memory:/a\n3:cpu,cpuacct:/a\n2:pids:/elsewhere\n";
    let cgroups = machine.find(membership, MOUNTS_ONE).unwrap();
    assert_eq!(states(&cgroups), [true; 4]);
    let group = cgroups.group(LIMITS).unwrap();
    machine.has(&[
        ("memory/a/freehold-1-0/i0/memory.limit_in_bytes", &((1770u64 << 20).to_string())),
        ("memory/a/freehold-1-0/i0/memory.swappiness", "0"),
        ("memory/a/freehold-1-0/i0/memory.kmem.tcp.limit_in_bytes", &((1769u64 << 20).to_string())),
        ("cpu,cpuacct/a/freehold-1-0/i0/cpu.shares", "1024"),
        // In a container the path may be the host's.
        ("pids/freehold-1-0/i0/pids.max", "7"),
    ]);
    let procs = |place: &str| machine.path(&format!("{place}/freehold-1-0/i0/cgroup.procs"));
    assert_eq!(
        group.enrol_paths(),
        [procs("memory/a"), procs("pids"), procs("cpu,cpuacct/a"), procs("freezer")],
        "it moves there"
    );
    assert!(group.birthplace().is_none() && group.freezes_past_kills());
    group.set_frozen(true).unwrap();
    machine.has(&[("freezer/freehold-1-0/i0/freezer.state", "FROZEN\n")]);
    fs::write(machine.path("memory/a/freehold-1-0/i0/memory.oom_control"), "oom_kill_disable 0\noom_kill 3\n").unwrap();
    fs::write(machine.path("memory/a/freehold-1-0/i0/memory.stat"), "rss 1\ntotal_rss 512\n").unwrap();
    assert_eq!((group.memory().used_bytes, group.kills()), (512, 3));
}

#[test]
fn where_both_are_mounted_each_controller_is_taken_where_it_is() {
    let machine = Machine::new(&[
        // No controllers: version 1 has them.
        ("unified/cgroup.controllers", "\n"),
        ("unified/freehold-1-0/cgroup.freeze", "0\n"),
        ("unified/freehold-1-0/i0/cgroup.freeze", "0\n"),
        ("memory/tasks", ""),
        ("cpu,cpuacct/tasks", ""),
        ("freezer/tasks", ""),
    ]);
    let mounts =
        format!("{MOUNTS_ONE}cgroup2 SYS/unified cgroup2 rw 0 0\n").replace("cgroup SYS/pids cgroup rw,pids 0 0\n", "");
    let cgroups = machine.find("4:memory:/\n3:cpu,cpuacct:/\n0::/\n", &mounts).unwrap();
    assert_eq!(states(&cgroups), [true, false, true, true]);
    let State::Missing { reason } = cgroups.processes_state() else { panic!("it is not there") };
    assert_eq!(reason, "no cgroup controller 'pids'");
    assert_eq!(
        cgroups.bases(),
        [
            machine.path("memory/freehold-1-0"),
            machine.path("cpu,cpuacct/freehold-1-0"),
            machine.path("unified/freehold-1-0")
        ]
    );
    let group = cgroups.group(LIMITS).unwrap();
    assert!(group.birthplace().is_some() && !group.freezes_past_kills(), "the newer version freezes");
    assert_eq!(group.enrol_paths().len(), 2);
    assert!(group.has_memory() && !group.limits_processes());
}

#[test]
fn what_is_not_delegated_is_said() {
    // What cannot be written to, whoever asks.
    let machine = Machine::new(&[
        ("user/cgroup.controllers", "memory pids cpu\n"),
        ("user/cgroup.subtree_control/is a folder", ""),
    ]);
    let refused = machine.find("0::/user\n", MOUNT_TWO).unwrap_err();
    let parent = machine.path("user");
    let expected = format!("cgroup version 2 at {} is not delegated to this user: ", parent.display());
    assert!(refused.contains(&expected), "{refused}");
    machine.has(&[("user/freehold-node/cgroup.procs", "0")]);
    let nothing = Machine::new(&[]);
    assert_eq!(nothing.find("", "").unwrap_err(), "no cgroup controller 'memory'; no cgroup version 2");
}

#[test]
fn what_nodes_left_that_are_gone_is_swept() {
    let machine = Machine::new(&[("slice/cgroup.controllers", "\n"), ("slice/other/cgroup.procs", "")]);
    // No process has a number as high as that.
    let (left, own) = (machine.path("slice/freehold-2147483646-0"), format!("slice/freehold-{}-9", std::process::id()));
    for group in [&left, &machine.path(&own)] {
        fs::create_dir_all(group).unwrap();
    }
    drop(machine.find("0::/slice\n", MOUNT_TWO));
    assert!(!left.exists());
    assert!(machine.path(&own).exists(), "whose node lives stays");
    assert!(machine.path("slice/other").exists(), "what is another's stays");
}

#[test]
fn a_leaf_is_no_place_for_groups() {
    for (own, expected) in [
        ("/", "/"),
        ("/user.slice/run-1.scope", "/user.slice/run-1.scope"),
        ("/user.slice/run-1.scope/freehold-node", "/user.slice/run-1.scope"),
        ("/freehold-node", ""),
        ("/not-freehold-node", "/not-freehold-node"),
    ] {
        assert_eq!(above_leaf(own), expected, "{own}");
    }
}

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
