//! The systems under load, as child processes: how to start each, and what CPU time and memory it takes with all its
//! children.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bare;

/// The unit of the kernel's account of processor time.
const TICK: Duration = Duration::from_millis(10);

/// How long a server may take to listen.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs, and ends when this is dropped.
pub struct Peer {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Peer {
    /// `PROGRAM bench/peers/FILE`; it prints `listening PORT`.
    pub fn script(root: &Path, program: &str, file: &str) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg(root.join("bench/peers").join(file));
        Self::listening(command)
    }

    /// This program as a bare server.
    pub fn native() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(bare::ARGUMENT);
        Self::listening(command)
    }

    fn listening(command: Command) -> Result<Self> {
        Self::start(command, |line| line.strip_prefix("listening ").map(|port| format!("127.0.0.1:{}", port.trim())))
    }

    /// A program of a Python package, listening at `127.0.0.1:port`. None where it cannot be had, after a word about that.
    pub async fn python(
        root: &Path,
        package: &str,
        program: &str,
        arguments: &[&str],
        port: u16,
    ) -> Result<Option<Self>> {
        let Some(home) = Self::python_home(root, package, program) else { return Ok(None) };
        let mut command = Command::new(home.join("bin").join(program));
        command.args(arguments).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        Self::at(command, format!("127.0.0.1:{port}")).await.map(Some)
    }

    /// The Python environment that has `program`, of a package that is installed there on first use, beside the build. None where it
    /// cannot be had, after a word about that.
    pub fn python_home(root: &Path, package: &str, program: &str) -> Option<PathBuf> {
        let home = root.join("target/bench-peers");
        if !home.join("bin").join(program).exists() {
            eprintln!("installing {package} into {}", home.display());
            let made = Command::new("python3").args(["-m", "venv"]).arg(&home).status();
            let pip = home.join("bin/pip");
            let got = made.and_then(|_| Command::new(pip).args(["install", "--quiet", package]).status());
            if !got.is_ok_and(|status| status.success()) {
                eprintln!("{package} cannot be installed here: going on without it");
                return None;
            }
        }
        Some(home)
    }

    /// A program of an npm package, listening at `127.0.0.1:port`; installed beside the build on first use. None where it cannot be had,
    /// after a word about that.
    pub async fn npm(root: &Path, package: &str, arguments: &[&str], port: u16) -> Result<Option<Self>> {
        let home = root.join("target/bench-peers-npm");
        let program = home.join("node_modules/.bin").join(package);
        if !program.exists() {
            eprintln!("installing {package} into {}", home.display());
            let mut npm = Command::new("npm");
            let got = npm.args(["install", "--silent", "--prefix"]).arg(&home).arg(package).status();
            if !got.is_ok_and(|status| status.success()) {
                eprintln!("{package} cannot be installed here: going on without it");
                return Ok(None);
            }
        }
        let mut command = Command::new(program);
        command.args(arguments);
        Self::at(command, format!("127.0.0.1:{port}")).await.map(Some)
    }

    /// A program that somebody has put beside the build (`cargo install PACKAGE --root target/bench-peers-cargo`), listening at
    /// `127.0.0.1:port`. None where it is not there, after a word about that: building one takes longer than all benches.
    pub async fn cargo(root: &Path, package: &str, arguments: &[&str], port: u16) -> Result<Option<Self>> {
        let home = root.join("target/bench-peers-cargo");
        let program = home.join("bin").join(package);
        if !program.exists() {
            eprintln!("going on without {package}: cargo install {package} --root {}", home.display());
            return Ok(None);
        }
        let mut command = Command::new(program);
        command.args(arguments);
        Self::at(command, format!("127.0.0.1:{port}")).await.map(Some)
    }

    /// The release binary, with its data in `data` and the application at `path` deployed.
    pub fn freehold(root: &Path, data: &Path, path: Option<&str>) -> Result<Self> {
        Self::freehold_with(root, data, path, &[])
    }

    /// The same with further arguments.
    pub fn freehold_with(root: &Path, data: &Path, path: Option<&str>, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(root.join("target/release/freehold"));
        command
            .arg("up")
            .args(path.map(|path| root.join(path)))
            .args(["--listen", "127.0.0.1:0", "--no-watch", "--data"])
            .arg(data)
            .args(arguments);
        command.env("NO_COLOR", "1");
        Self::start(command, |line| {
            let url = line.split_once("AWS_ENDPOINT_URL=http://")?.1;
            Some(url.split_whitespace().next()?.replace("localhost", "127.0.0.1"))
        })
    }

    /// A server that says nothing, once it listens at `address`.
    pub async fn at(mut command: Command, address: String) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut peer = Self { child: child.with_context(|| format!("cannot start {name}"))?, address };
        let until = Instant::now() + START_PATIENCE;
        while TcpStream::connect(&peer.address).is_err() {
            ensure!(peer.child.try_wait()?.is_none(), "{name} ended before it listened");
            ensure!(Instant::now() < until, "{name} does not listen at {}", peer.address);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(peer)
    }

    fn start(mut command: Command, address: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| address(&line));
        let address = address.with_context(|| format!("{name} ended before it said where it listens"))?;
        // Whatever it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// CPU time of the process and everything it started and that still lives.
    pub fn cpu(&self) -> Duration {
        TICK * tree(self.child.id()).iter().map(|process| process.ticks).sum()
    }

    /// CPU time of each of them, by process.
    pub fn cpus(&self) -> HashMap<u32, Duration> {
        tree(self.child.id()).into_iter().map(|process| (process.id, TICK * process.ticks)).collect()
    }

    /// A program that does nothing until it is ended: `NAME ARGUMENTS…`.
    pub fn bare(name: &str, arguments: &[&str]) -> Result<Self> {
        let child = Command::new(name).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {name}"))?, address: String::new() })
    }

    /// What each process of that name, and those between it and this one, have of memory for themselves, in bytes: their own pages, and
    /// their share of those that several have. This one is not counted.
    pub fn guests(&self, name: &str) -> Result<Vec<u64>> {
        let all = tree(self.child.id());
        let mut found = Vec::new();
        for process in all.iter().filter(|process| process.name == name) {
            let (mut bytes, mut next) = (0, Some(process));
            while let Some(one) = next.filter(|one| one.id != self.child.id()) {
                bytes += proportional(one.id)?;
                // What keeps several guests is none of theirs alone.
                next = all.iter().find(|other| other.id == one.parent && other.name.contains("init"));
            }
            found.push(bytes);
        }
        Ok(found)
    }

    /// What the process alone has, counted the same way.
    pub fn proportional(&self) -> Result<u64> {
        proportional(self.child.id())
    }

    /// Resident memory of the process alone, in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most of it that there was since the last call of this.
    pub fn memory_peak(&self) -> Result<u64> {
        let peak = self.status("VmHWM:")?;
        // What the kernel has noted as the highest is forgotten by this; where it may not be, peaks only grow.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
        Ok(peak)
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("the process has memory")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? << 10)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Asked first: a node takes its sandboxes along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

struct Process {
    id: u32,
    name: String,
    parent: u32,
    ticks: u32,
}

/// `Pss` of one process, in bytes.
fn proportional(id: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("the process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? << 10)
}

/// The process and its descendants.
fn tree(root: u32) -> Vec<Process> {
    let mut all: HashMap<u32, Process> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold spaces; the fields after it do not.
        let Some((name, fields)) = stat.rsplit_once(')') else { continue };
        let name = name.split_once('(').map_or("", |(_, name)| name).to_owned();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        all.insert(id, Process { id, name, parent: field(1) as u32, ticks: (field(11) + field(12)) as u32 });
    }
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        waiting.extend(all.iter().filter(|(_, process)| process.parent == id).map(|(child, _)| *child));
        found.extend(all.remove(&id));
    }
    found
}
