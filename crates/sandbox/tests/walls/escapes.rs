//! Attempts to get out, or at somebody else, made by real programs inside. `escapes/attempts.c` is compiled with the machine's compiler
//! and refuses to run anywhere but in a sandbox: outside, as root, some of its attempts would succeed.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use sandbox::{Exit, Host, Mode, Mount, Network, Part, Plan};

use crate::harness::{boot, end, host, lacks, line, plan, rest, run, shell};

/// A host, and a folder with the program of attempts that guests see as their code.
struct Ground {
    host: Host,
    folder: tempfile::TempDir,
}

fn ground() -> Option<Ground> {
    let host = host(Mode::Auto);
    if lacks(&host, Part::Namespaces) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let source = folder.path().join("attempts.c");
    fs::write(&source, include_str!("escapes/attempts.c")).unwrap();
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(folder.path().join("attempts")).arg(&source).output();
    match compiled {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            base::trial::skip(format_args!("no C compiler here: {error}"));
            return None;
        }
    }
    Some(Ground { host, folder })
}

impl Ground {
    fn plan(&self, attempt: &str, argument: &str) -> Plan {
        Plan {
            program: PathBuf::from("/var/task/attempts"),
            arguments: vec![attempt.to_owned(), argument.to_owned()],
            mounts: vec![Mount { source: self.folder.path().to_owned(), target: PathBuf::from("/var/task") }],
            ..plan("")
        }
    }

    /// What a guest that makes this attempt says; empty if it was killed.
    fn attempt(&self, attempt: &str, argument: &str) -> String {
        run(&self.host, &self.plan(attempt, argument)).output.trim_end().to_owned()
    }

    /// Makes every attempt, then names all that went otherwise than expected. Several answers are given as `EPERM EACCES`.
    fn check(&self, attempts: &[(&str, &str, &str)]) {
        let wrong: Vec<String> = attempts
            .iter()
            .filter_map(|(attempt, argument, expected)| {
                let said = self.attempt(attempt, argument);
                let fits = expected.split(' ').any(|one| one == said);
                (!fits).then(|| format!("{attempt} {argument}: {said:?} instead of {expected}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn the_program_of_attempts_works() {
    let Some(ground) = ground() else { return };
    // Else the refusals below would mean nothing.
    ground.check(&[
        ("nothing", "", "ok"),
        ("clone", "", "ok"),
        ("socket", "", "ok"),
        ("fifo", "", "ok"),
        ("open", "/proc/self/status", "ok"),
        ("open to write", "/dev/null", "ok"),
        ("not an attempt", "", "ENOTSUP EOPNOTSUPP"),
    ]);
    let outside = Command::new(ground.folder.path().join("attempts")).arg("nothing").output().unwrap();
    assert_eq!(outside.status.code(), Some(2), "it must not run outside");
}

#[test]
fn the_kernel_is_out_of_reach() {
    let Some(ground) = ground() else { return };
    ground.check(&[
        ("load a module", "", "EPERM"),
        ("load a module file", "", "EPERM"),
        ("unload a module", "", "EPERM"),
        ("another kernel", "", "EPERM"),
        ("bpf", "", "EPERM"),
        ("counters", "", "EPERM"),
        ("page faults", "", "EPERM"),
        ("io_uring", "", "EPERM"),
        ("keys", "", "EPERM"),
        ("add a key", "", "EPERM"),
        ("kernel log", "", "EPERM"),
        ("watch all files", "", "EPERM"),
        ("swap", "", "EPERM"),
        ("quota", "", "EPERM"),
        ("account", "", "EPERM"),
        ("reboot", "", "EPERM"),
        ("name the host", "", "EPERM"),
        ("set the clock", "", "EPERM"),
        ("flush all disks", "", "EPERM"),
        ("secret memory", "", "EPERM"),
        ("fixed addresses", "", "EPERM"),
        ("filter packets", "", "EPERM"),
        ("filter calls", "", "ENOSYS"),
        ("filter calls the old way", "", "EINVAL"),
        ("encrypt in the kernel", "", "EPERM"),
        ("have a core for itself", "", "EINVAL"),
        ("move its memory", "", "EINVAL"),
        ("flags of a file", "", "ENOTTY"),
        ("parent of a namespace", "", "ENOTTY"),
        ("count randomness", "", "ENOTTY EACCES"),
        ("huge pages", "", "EPERM"),
        ("huge file", "", "EPERM"),
        ("a call of the future", "", "ENOSYS"),
        ("raw socket", "", "EPERM"),
        ("raw socket 6", "", "EPERM"),
        ("ping socket", "", "EPERM"),
        ("packet socket", "", "EPERM"),
        ("netfilter socket", "", "EPERM"),
        ("audit socket", "", "EPERM"),
        ("hypervisor socket", "", "EPERM"),
        ("crypto socket", "", "EPERM"),
        ("sctp socket", "", "EPERM"),
    ]);
    if cfg!(target_arch = "x86_64") {
        ground.check(&[("processor ports", "", "EPERM"), ("segments", "", "EPERM"), ("other numbers", "", "ENOSYS")]);
        let ended = run(&ground.host, &ground.plan("old numbers", ""));
        assert_eq!((ended.exit, ended.output.as_str()), (Exit::Signal(Signal::SYS.as_raw()), ""));
    }
}

#[test]
fn the_walls_cannot_be_moved() {
    let Some(ground) = ground() else { return };
    ground.check(&[
        ("mount", "", "EPERM"),
        ("mount proc", "", "EPERM"),
        ("mount cgroups", "", "EPERM"),
        ("make writable", "", "EPERM"),
        ("unmount", "", "EPERM"),
        ("open a tree", "", "EPERM"),
        ("move a mount", "", "EPERM"),
        ("open a file system", "", "EPERM"),
        ("change the root", "", "EPERM"),
        ("chroot", "", "EPERM"),
        ("handle", "", "EPERM"),
        ("unshare users", "", "EPERM"),
        ("unshare mounts", "", "EPERM"),
        ("unshare network", "", "EPERM"),
        ("clone users", "", "EPERM"),
        ("clone network", "", "EPERM"),
        ("clone processes", "", "EPERM"),
        ("clone3", "", "ENOSYS"),
        ("enter", "/proc/self/ns/user", "EPERM"),
        ("enter", "/proc/self/ns/mnt", "EPERM"),
        ("enter", "/proc/1/ns/mnt", "EACCES EPERM"),
        ("become root", "", "EPERM EINVAL"),
        ("join root's group", "", "EPERM EINVAL"),
        ("capabilities", "", "EPERM"),
        ("disk", "", "EPERM EACCES"),
        ("memory device", "", "EPERM EACCES"),
        ("change a device", "", "EPERM EROFS"),
        ("type", "", "EPERM"),
        ("more files", "", "EPERM"),
        ("before others", "", "EACCES EPERM"),
        ("at once", "", "EPERM"),
        ("lock memory", "", "EAGAIN"),
        ("crash in public", "", "EDOM"),
        ("less to lose", "", "EACCES"),
    ]);
}

#[test]
fn the_hosts_files_are_not_there() {
    let Some(ground) = ground() else { return };
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::set_permissions(secret.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let secret = secret.path().to_str().unwrap();
    // What a package may bring along: links that lead out, if they led anywhere.
    for (name, to) in [
        ("shadow", "/etc/shadow"),
        ("up", "../../../../../../etc/shadow"),
        ("secret", secret),
        ("self", "/proc/1/root/etc/shadow"),
    ] {
        symlink(to, ground.folder.path().join(name)).unwrap();
    }
    ground.check(&[
        ("open", "/etc/shadow", "ENOENT"),
        ("open", "/etc/ssl/private", "ENOENT"),
        ("open", "/etc/pki/tls/private", "ENOENT"),
        ("open", "/root/.bashrc", "ENOENT"),
        ("open", "/home", "ENOENT"),
        ("open", secret, "ENOENT"),
        ("open", "/var/task/shadow", "ENOENT"),
        ("open", "/var/task/up", "ENOENT"),
        ("open", "/var/task/secret", "ENOENT"),
        ("open", "/var/task/self", "EACCES"),
        ("open", "/proc/1/root/etc/shadow", "EACCES"),
        ("open", "/proc/self/root/etc/shadow", "ENOENT"),
        ("open", "/proc/kcore", "EACCES EPERM ENOENT"),
        ("open", "/sys/kernel/notes", "ENOENT"),
        ("open", "/sys/fs/cgroup/cgroup.procs", "ENOENT"),
        ("open", "/dev/mem", "ENOENT"),
        ("open", "/dev/kmsg", "ENOENT"),
        ("open", "/dev/sda", "ENOENT"),
        ("open", "/dev/tty", "ENOENT"),
        ("open", "/dev/ptmx", "ENOENT"),
        ("open", "/dev/kvm", "ENOENT"),
        ("open", "/dev/fuse", "ENOENT"),
        ("open", "/run/docker.sock", "ENOENT"),
        ("write", "/proc/sys/kernel/core_pattern", "EACCES EROFS"),
        ("write", "/proc/sys/kernel/hostname", "EACCES EROFS EPERM"),
        ("write", "/proc/sys/net/ipv4/ip_forward", "EACCES EROFS ENOENT EPERM"),
        ("write", "/proc/sysrq-trigger", "EACCES EROFS EPERM ENOENT"),
        ("open to write", "/var/task/attempts", "EROFS ETXTBSY EACCES"),
        ("open to write", "/usr/bin/env", "EROFS EACCES"),
        ("open to write", "/etc/passwd", "EROFS EACCES"),
    ]);
}

#[test]
fn other_processes_are_not_there() {
    let Some(ground) = ground() else { return };
    let own = std::process::id().to_string();
    ground.check(&[
        ("signal", &own, "ESRCH"),
        ("signal a thread", &own, "ESRCH"),
        ("signal the group", &own, "ESRCH"),
        ("watch", &own, "ESRCH"),
        ("open", &format!("/proc/{own}/environ"), "ENOENT"),
        ("trace the reaper", "", "EPERM"),
        ("be traced", "", "EPERM"),
        ("read the reaper", "", "EPERM"),
        ("take a descriptor", "", "EPERM"),
        ("compare", "", "EPERM"),
        ("open", "/proc/1/environ", "EACCES"),
        ("open", "/proc/1/maps", "EACCES"),
        ("open", "/proc/1/mem", "EACCES"),
        ("open", "/proc/1/exe", "EACCES"),
        ("open", "/proc/1/cwd/etc/passwd", "EACCES"),
        ("open", "/proc/1/fd/10", "EACCES"),
        ("open", "/proc/1/stack", "EACCES EPERM"),
    ]);
}

#[test]
fn a_neighbour_is_not_there() {
    let Some(ground) = ground() else { return };
    // One with secrets wherever one may have them.
    let script = "echo password > /tmp/secret; exec 9>/dev/shm/mine; echo ready; sleep 1000";
    let mut victim = plan(script);
    victim.environment.push(("SECRET".to_owned(), "password".to_owned()));
    let (victim, victims) = boot(&ground.host, victim, &[]);
    assert_eq!(line(&victims), "ready\n");
    let prowl = "ls -A /tmp; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep SECRET; set -- /proc/[0-9]*; echo $#; \
                 cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 1000$'; kill -9 -1 2>/dev/null; echo done";
    let prowled = run(&ground.host, &plan(prowl));
    // The reaper and the shell, which counts without a program of its own; of their words, none are the victim's.
    assert_eq!(prowled.output, "2\n0\ndone\n");
    ground.check(&[
        ("signal", &victim.child.pid().to_string(), "ESRCH"),
        ("open", &format!("/proc/{}/environ", victim.child.pid()), "ENOENT"),
    ]);
    assert_eq!(victim.child.try_wait().unwrap(), None, "the victim lives");
    if let (Some(one), Some(other)) = (victim.child.uid(), prowled.child.uid()) {
        assert_ne!(one, other, "no two guests are one user");
    }
}

#[test]
fn local_sockets_of_the_host_are_not_there() {
    let Some(ground) = ground() else { return };
    let name = format!("freehold-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    ground.check(&[("abstract socket", &name, "ECONNREFUSED EPERM")]);
    // In the host's network the file rules are what keeps it away.
    let plan = Plan { network: Network::Full, ..ground.plan("abstract socket", &name) };
    let ended = run(&ground.host, &plan);
    if !lacks(&ground.host, Part::FileRules) {
        assert_eq!(ended.output, "EPERM\n");
    }
}

#[test]
fn set_user_id_has_no_effect() {
    let Some(ground) = ground() else { return };
    let program = ground.folder.path().join("id");
    fs::copy("/usr/bin/id", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
    let mut plan = ground.plan("", "");
    plan.program = PathBuf::from("/bin/sh");
    plan.arguments = shell("/var/task/id -u; /var/task/id -g").arguments;
    assert_eq!(run(&ground.host, &plan).output, "993\n990\n");
}

#[test]
fn only_the_descriptors_given_are_open() {
    let Some(ground) = ground() else { return };
    // Left open by somebody who forgot, before and after the steward started.
    let file = fs::File::open("/etc/hostname").or_else(|_| fs::File::open("/etc/hosts")).unwrap();
    let leaked = rustix::io::dup(&file).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let late = host(Mode::Auto);
    for host in [&ground.host, &late] {
        let (booted, read) = boot(host, plan("ls -l /proc/self/fd | grep -c -- '->'; ls /proc/self/fd | tail -1"), &[]);
        // Three, and the one with which `ls` reads the folder.
        assert_eq!(end(booted.child, read).output, "4\n3\n", "{} was open", leaked.as_raw_fd());
    }
}

#[test]
fn what_fills_up_is_its_own() {
    let Some(ground) = ground() else { return };
    ground.check(&[("fill", "bytes", "ENOSPC"), ("fill", "files", "ENOSPC")]);
}

#[test]
fn a_bomb_stays_small() {
    let Some(ground) = ground() else { return };
    if lacks(&ground.host, Part::ProcessLimit) {
        return;
    }
    ground.check(&[("bomb", "", "EAGAIN")]);
}

#[test]
fn hoarding_ends_at_the_limit() {
    let Some(ground) = ground() else { return };
    if lacks(&ground.host, Part::MemoryLimit) {
        return;
    }
    for kind in ["private", "file", "system v", "sockets"] {
        let ended = run(&ground.host, &ground.plan("hoard", kind));
        // Killed, or refused before that: the machine gave no more than the limit either way.
        assert!(!ended.output.contains("ok") || kind == "sockets", "{kind}: {}", ended.output);
        let limit = (64 + 4) << 20;
        assert!(ended.child.memory_peak() <= limit, "{kind}: {} bytes", ended.child.memory_peak());
    }
}

#[test]
fn what_waits_in_connections_is_counted() {
    let Some(ground) = ground() else { return };
    if lacks(&ground.host, Part::MemoryLimit) {
        return;
    }
    // Killed, or held back: the kernel takes no more than the guest has.
    let ended = run(&ground.host, &Plan { files_max: 1024, ..ground.plan("hoard", "connections") });
    assert!(!ended.output.contains("ok"), "{}", ended.output);
}

#[test]
fn the_nodes_own_rights_to_be_first_are_not_inherited() {
    let Some(ground) = ground() else { return };
    let raised = |resource| {
        let limit = rustix::process::Rlimit { current: Some(40), maximum: Some(40) };
        rustix::process::setrlimit(resource, limit)
    };
    // As a machine for sound or with real-time work may have it for everybody.
    let raised = raised(rustix::process::Resource::Rtprio).and_then(|()| raised(rustix::process::Resource::Nice));
    if let Err(error) = raised {
        return println!("skipped: this user may not raise limits: {error}");
    }
    // The steward takes over what its node has when it starts.
    let late = Ground { host: host(Mode::Auto), folder: ground.folder };
    late.check(&[("before others", "", "EACCES EPERM"), ("at once", "", "EPERM")]);
}

#[test]
fn what_it_started_dies_with_it() {
    let Some(ground) = ground() else { return };
    // Everything that could outlive its parent: another session, another group, an orphan, one that ignores signals.
    let script =
        "setsid sleep 1000 & (sleep 1000 &) ; sh -c 'trap \"\" TERM HUP INT; sleep 1000' & echo ready; sleep 1000";
    let (booted, read) = boot(&ground.host, plan(script), &[]);
    assert_eq!(line(&read), "ready\n");
    booted.child.kill();
    // The pipe ends when the last who holds it is gone.
    assert_eq!(rest(read), "");
}

#[test]
fn the_helper_does_nothing_for_others() {
    // Whoever may start the node may start its helper; it says no to whoever is not a node, and takes no paths from anybody.
    for input in ["", "{\"Serve\":{\"bases\":[\"/\"]}}", "nonsense"] {
        let mut helper = Command::new(crate::harness::helper())
            .arg("sandbox-init")
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // It may be gone before it reads.
        let _ = helper.stdin.take().unwrap().write_all(input.as_bytes());
        assert_eq!(helper.wait().unwrap().code(), Some(2), "{input}");
    }
}
