//! How guests start and end.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use sandbox::{Exit, Host, Mode, Part, Streams};

use crate::harness::{PATIENCE, host, lacks, plan, run};

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
    if lacks(&host, Part::Namespaces) {
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

/// Runs this program's `a_node_for_a_while`, kills it as nothing can be prepared for, and waits until nobody holds its output.
fn outlived(how: &str) {
    let mut node = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::a_node_for_a_while", "--nocapture"])
        .env("SANDBOX_NODE", how)
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
fn guests_die_with_their_node() {
    if !lacks(&host(Mode::Auto), Part::Namespaces) {
        outlived("running");
    }
}

#[test]
fn frozen_guests_die_with_their_node() {
    // They do not notice themselves: the steward sees to it.
    if !lacks(&host(Mode::Auto), Part::Freezer) {
        outlived("frozen");
    }
}

#[test]
fn a_node_for_a_while() {
    let Some(how) = std::env::var_os("SANDBOX_NODE") else {
        println!("skipped: only those that outlive a node run this");
        return;
    };
    let host = host(Mode::Auto);
    let output = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3).unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let streams = Streams { output, channels: vec![theirs.into()] };
    let child = host.spawn(&plan("(sleep 1000 &); echo ready >&3; sleep 1000"), streams).unwrap();
    (&ours).read_exact(&mut [0; 6]).unwrap();
    if how == "frozen" {
        child.freeze().unwrap();
    }
    println!("\nthe guest runs");
    loop {
        std::thread::park();
    }
}

/// The stewards of this process, as the system numbers them.
fn stewards() -> Vec<rustix::process::Pid> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = pids.filter(|pid| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        // The second field after the name, which is in parentheses, is the parent.
        let stat = read("stat");
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        // Reapers are copies of the steward, but first in their own numbering.
        let is_first = read("status").lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
        parent == Some(&std::process::id().to_string()) && read("cmdline").contains("sandbox-init") && !is_first
    });
    own.filter_map(rustix::process::Pid::from_raw).collect()
}

#[test]
fn another_steward_takes_over() {
    // In a process of its own, where no other test has a steward.
    if std::env::var_os("SANDBOX_ALONE").is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "life::another_steward_takes_over", "--nocapture"])
            .env("SANDBOX_ALONE", "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let host = host(Mode::Auto);
    if lacks(&host, Part::Namespaces) {
        return;
    }
    let (read, streams) = crate::harness::output();
    let survivor = host.spawn(&plan("echo ready; sleep 1000"), streams).unwrap();
    assert_eq!(crate::harness::line(&read), "ready\n");
    let before = stewards();
    assert_eq!(before.len(), 1, "{before:?}");
    rustix::process::kill_process(before[0], rustix::process::Signal::KILL).unwrap();
    assert_eq!(run(&host, &plan("echo well")).output, "well\n");
    assert_ne!(stewards(), before);
    assert_eq!(survivor.try_wait().unwrap(), None, "guests do not depend on it");
}
