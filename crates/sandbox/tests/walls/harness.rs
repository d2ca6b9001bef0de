//! Starting guests and hearing from them.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::{Boot, Booted, Child, Exit, Host, Mode, Network, Part, Plan, Program, Streams};

/// Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The sandbox helper: whoever runs these tests as another user says where that user finds it.
pub fn helper() -> PathBuf {
    std::env::var_os("SANDBOX_HELPER").map_or_else(|| env!("CARGO_BIN_EXE_sandbox-init").into(), PathBuf::from)
}

pub fn host(mode: Mode) -> Host {
    Host::new(mode, Some(helper())).and_then(Host::boot_all).expect("a mode that accepts what there is")
}

/// A guest that runs a shell script.
pub fn plan(script: &str) -> Plan {
    let Program { program, arguments, environment, directory } = shell(script);
    Plan {
        program,
        arguments,
        environment,
        directory,
        root: None,
        mounts: Vec::new(),
        links: Vec::new(),
        tmp_bytes: 4 << 20,
        memory_bytes: 64 << 20,
        processes_max: 64,
        files_max: 256,
        network: Network::None,
    }
}

pub fn shell(script: &str) -> Program {
    Program {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("ONLY".to_owned(), "this".to_owned())],
        directory: PathBuf::from("/"),
    }
}

/// A guest that runs a Python script; none, and says so, where there is no Python.
pub fn python(script: &str) -> Option<Plan> {
    let program = PathBuf::from("/usr/bin/python3");
    if !program.exists() {
        base::trial::skip("no python3 here");
        return None;
    }
    Some(Plan { program, arguments: vec!["-c".to_owned(), script.to_owned()], ..plan("") })
}

/// A guest that has no program yet.
pub fn empty() -> Plan {
    Plan { program: PathBuf::new(), ..plan("") }
}

#[derive(Debug)]
pub struct Ended {
    pub exit: Exit,
    pub output: String,
    pub child: Child,
}

/// A pipe for a guest's output: the end to read from, and the guest's side.
pub fn output() -> (fs::File, Streams) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (read.into(), Streams { output: write, channels: Vec::<OwnedFd>::new() })
}

/// Runs a guest to its end.
pub fn run(host: &Host, plan: &Plan) -> Ended {
    let (read, streams) = output();
    let child = host.spawn(plan, streams).unwrap();
    end(child, read)
}

/// A guest that was started ahead, and what it prints.
pub fn boot(host: &Host, plan: Plan, ports: &[&str]) -> (Booted, fs::File) {
    let (read, streams) = output();
    let ports = ports.iter().map(|port| port.parse().unwrap()).collect();
    (host.boot(&Boot { plan, ports }, streams).unwrap(), read)
}

/// Waits for a guest's end.
pub fn end(child: Child, read: fs::File) -> Ended {
    let output = rest(read);
    let exit = block_on(async { tokio::time::timeout(PATIENCE, child.wait()).await });
    Ended { exit: exit.expect("the guest ends").unwrap(), output, child }
}

/// All that is still to come.
pub fn rest(mut pipe: fs::File) -> String {
    let mut text = Vec::new();
    pipe.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// The next line, with its end.
pub fn line(mut pipe: &fs::File) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.last() != Some(&b'\n') && pipe.read(&mut byte).unwrap() > 0 {
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Asks again and again until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

/// True, and says so, if this machine cannot do what a test needs.
pub fn lacks(host: &Host, part: Part) -> bool {
    let missing = host.report().missing().find(|(one, _)| *one == part);
    if let Some((part, reason)) = missing {
        base::trial::skip(format_args!("no {} here: {reason}", part.name()));
        return true;
    }
    false
}
