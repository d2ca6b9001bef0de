//! Guests in real sandboxes: what they see, what they cannot do, and how they end. Each case is a shell script and what it must
//! print. As root these run with a user id per guest; `an_ordinary_user_has_walls_too` runs the same cases as nobody.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{Child, Exit, Host, Mode, Mount, Network, Part, Plan, Streams};

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn host(mode: Mode) -> Host {
    Host::new(mode, Some(PathBuf::from(env!("CARGO_BIN_EXE_sandbox-init")))).expect("a mode that accepts what there is")
}

fn plan(script: &str) -> Plan {
    Plan {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("ONLY".to_owned(), "this".to_owned())],
        directory: PathBuf::from("/"),
        mounts: Vec::new(),
        links: Vec::new(),
        tmp_bytes: 4 << 20,
        memory_bytes: 64 << 20,
        processes_max: 64,
        files_max: 256,
        network: Network::Full,
    }
}

struct Ended {
    exit: Exit,
    output: String,
    child: Child,
}

/// Runs a guest to its end.
fn run(host: &Host, plan: &Plan) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let child = host.spawn(plan, Streams { output: write, channels: Vec::new() }).unwrap();
    let output = read_all(read);
    let exit = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, child.wait()).await })
        .expect("the guest ends")
        .unwrap();
    Ended { exit, output, child }
}

fn read_all(pipe: OwnedFd) -> String {
    let mut text = String::new();
    fs::File::from(pipe).read_to_string(&mut text).unwrap();
    text
}

/// True, and says so, if this machine cannot do what a test needs.
fn skips(host: &Host, part: Part) -> bool {
    let missing = host.report().missing().find(|(one, _)| *one == part);
    if let Some((part, reason)) = missing {
        println!("skipped: no {} here: {reason}", part.name());
        return true;
    }
    false
}

/// What a guest tries, and what it must print.
const WALLS: &[(&str, &str)] = &[
    ("echo $ONLY; env | grep -c -v -E '^(PATH|ONLY|PWD|OLDPWD|SHLVL|_)='", "this\n0\n"),
    ("id -u; id -g", "993\n990\n"),
    ("echo $$", "2\n"),
    ("echo /proc/[0-9]*", "/proc/1 /proc/2\n"),
    ("hostname", "sandbox\n"),
    ("cat /task/file", "code"),
    ("echo x > /task/file || echo refused", "refused\n"),
    ("echo x > /file || echo refused", "refused\n"),
    ("echo x > /usr/file || echo refused", "refused\n"),
    ("mkdir /etc/x || echo refused", "refused\n"),
    ("ls /root /home /work /var/lib /sys 2>/dev/null; echo $?", "2\n"),
    ("ls -A /tmp; echo kept > /tmp/f && cat /tmp/f", "kept\n"),
    ("head -c 8000000 /dev/zero > /tmp/f || echo full", "full\n"),
    ("grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | grep -v -c 0000000000000000", "0\n"),
    ("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", "NoNewPrivs:\t1\nSeccomp:\t2\n"),
    ("unshare -U true || echo refused", "refused\n"),
    ("mount -t tmpfs none /tmp || echo refused", "refused\n"),
    ("kill -9 1; echo alive", "alive\n"),
    ("ls /proc/1/fd >/dev/null || echo refused", "refused\n"),
    ("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "),
    ("ls -ld /dev/* | grep -c ^b", "0\n"),
    ("echo 1 > /proc/sys/kernel/panic || echo refused", "refused\n"),
];

fn stand(host: &Host) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "code").unwrap();
    for (script, expected) in WALLS {
        let mut plan = plan(&format!("{{ {script}; }} 2>/dev/null; true"));
        plan.mounts = vec![Mount { source: folder.path().to_owned(), target: PathBuf::from("/task") }];
        let ended = run(host, &plan);
        assert_eq!((ended.output.as_str(), &ended.exit), (*expected, &Exit::Code(0)), "{script}");
    }
}

#[test]
fn walls_stand() {
    let host = host(Mode::Auto);
    if !skips(&host, Part::Namespaces) {
        stand(&host);
    }
}

#[test]
fn ends_are_told_as_they_were() {
    for mode in [Mode::Auto, Mode::Off] {
        let host = host(mode);
        for (script, expected) in [
            ("exit 0", Exit::Code(0)),
            ("exit 7", Exit::Code(7)),
            ("kill -TERM $$", Exit::Signal(15)),
            ("kill -KILL $$", Exit::Signal(9)),
            ("kill -ABRT $$", Exit::Signal(6)),
        ] {
            assert_eq!(run(&host, &plan(script)).exit, expected, "{mode:?} {script}");
        }
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let host = host(Mode::Auto);
    if skips(&host, Part::Namespaces) {
        return;
    }
    let mut plan = plan("");
    plan.program = PathBuf::from("/nowhere/program");
    match run(&host, &plan).exit {
        Exit::Failed { reason } => assert!(reason.contains("/nowhere/program"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kill_takes_every_process() {
    for mode in [Mode::Auto, Mode::Off] {
        let host = host(mode);
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let plan = plan("sleep 1000 & sleep 1000 & (sleep 1000 &) ; echo ready; wait");
        let child = host.spawn(&plan, Streams { output: write, channels: Vec::new() }).unwrap();
        let mut pipe = fs::File::from(read);
        let mut ready = [0; 6];
        pipe.read_exact(&mut ready).unwrap();
        child.kill();
        // The pipe ends only when the last process that holds it is gone.
        let mut rest = String::new();
        pipe.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn too_much_memory_ends_the_guest() {
    let host = host(Mode::Auto);
    if skips(&host, Part::MemoryLimit) {
        return;
    }
    let mut plan = plan("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
    plan.memory_bytes = 32 << 20;
    let ended = run(&host, &plan);
    assert_eq!(ended.output, "");
    assert!(ended.child.memory().kills > 0, "{:?}", ended.child.memory());
    assert!(ended.child.memory_peak() <= (36 << 20) && ended.child.memory_peak() > (16 << 20));
}

#[test]
fn a_fork_bomb_stays_small() {
    let host = host(Mode::Auto);
    if skips(&host, Part::ProcessLimit) {
        return;
    }
    let mut plan = plan("i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo all");
    plan.processes_max = 20;
    let ended = run(&host, &plan);
    assert!(!ended.output.contains("all"), "{}", ended.output);
}

#[test]
fn without_a_network_there_is_only_a_loopback() {
    let host = host(Mode::Auto);
    if skips(&host, Part::Namespaces) {
        return;
    }
    let mut plan = plan("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
    plan.network = Network::None;
    let ended = run(&host, &plan);
    assert!(ended.output.lines().any(|line| line == "lo"), "{}", ended.output);
    assert!(!ended.output.lines().any(|line| line.starts_with('e')), "{}", ended.output);
}

#[test]
fn off_is_said_to_be_off() {
    let report = host(Mode::Off).report().clone();
    assert_eq!(report.missing().count(), Part::ALL.len());
    assert!(report.to_string().starts_with("none; without namespaces: isolation is off"), "{report}");
}

#[test]
fn required_refuses_where_the_helper_is_no_helper() {
    let error = Host::new(Mode::Required, Some(PathBuf::from("/bin/true"))).unwrap_err();
    assert_eq!(error.part, "namespaces");
    assert!(Host::new(Mode::Auto, Some(PathBuf::from("/bin/true"))).unwrap().report().missing().count() > 0);
}

/// Runs this very program's `walls_stand` as the user nobody, if this is root.
#[test]
fn an_ordinary_user_has_walls_too() {
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: walls_stand was already run as an ordinary user");
        return;
    }
    // Others may not pass through this user's folders, so the two programs move to where everybody may read.
    let place = tempfile::Builder::new().prefix("walls").tempdir_in("/var/tmp").unwrap();
    let copy = |from: &Path, name: &str| {
        let to = place.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let helper = copy(Path::new(env!("CARGO_BIN_EXE_sandbox-init")), "sandbox-init");
    let program = copy(&std::env::current_exe().unwrap(), "walls");
    let output = std::process::Command::new(program)
        .args(["--exact", "walls_stand_with_helper_from_environment", "--nocapture"])
        .env("SANDBOX_HELPER", helper)
        .env("TMPDIR", "/var/tmp")
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn walls_stand_with_helper_from_environment() {
    let Some(helper) = std::env::var_os("SANDBOX_HELPER") else {
        println!("skipped: only an_ordinary_user_has_walls_too runs this");
        return;
    };
    let host = Host::new(Mode::Auto, Some(PathBuf::from(helper))).unwrap();
    println!("isolation: {}", host.report());
    if !skips(&host, Part::Namespaces) {
        stand(&host);
    }
}

/// Runs this program's `a_node_for_a_while`, kills it as nothing can be prepared for, and waits until nobody holds its output.
#[test]
fn guests_die_with_their_node() {
    if skips(&host(Mode::Auto), Part::Namespaces) {
        return;
    }
    let mut node = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_node_for_a_while", "--nocapture"])
        .env("SANDBOX_NODE", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = std::io::BufReader::new(node.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("the guest runs") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the node ended too early");
    }
    node.kill().unwrap();
    node.wait().unwrap();
    let (told, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let read = output.read_to_string(&mut String::new());
        told.send(read.is_ok()).unwrap();
    });
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(true), "the guest still has its output");
}

#[test]
fn a_node_for_a_while() {
    if std::env::var_os("SANDBOX_NODE").is_none() {
        println!("skipped: only guests_die_with_their_node runs this");
        return;
    }
    let host = host(Mode::Auto);
    let output = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3).unwrap();
    let plan = plan("(sleep 1000 &); echo; echo the guest runs; sleep 1000");
    let _child = host.spawn(&plan, Streams { output, channels: Vec::new() }).unwrap();
    loop {
        std::thread::park();
    }
}
