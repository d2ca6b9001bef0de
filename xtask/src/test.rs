//! `cargo xtask test`: everything that must hold, in one command, on a fresh machine.
//!
//! It installs what it needs into `.venv` (boto3, the AWS command line and AWS's runtime client for Python) and `conformance/javascript/node_modules`, and says before
//! each step what it does. The first step that fails ends it.
//!
//! The conformance suite runs against the program that the crates' tests were built with: what checks its own arithmetic and invariants
//! finds more, and a release build would add minutes. `FREEHOLD_BINARY` names another.
//!
//! A test that needs walls or an interpreter which this machine lacks is skipped; with `FREEHOLD_REQUIRE=1` it fails. What the
//! conformance suite skipped is listed at its end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{codegen, tidy};

/// Runs all steps in order.
pub fn run(root: &Path) -> Result<()> {
    let mut steps = Steps { root, times: Vec::new() };
    steps.run("layout of the code", |root| cargo(root, &["fmt", "--all", "--check"]))?;
    steps.run("house rules", tidy::run)?;
    steps.run("Python environment", install_python)?;
    steps.run("JavaScript clients", install_javascript)?;
    steps.run("AWS's runtime client for Python", install_runtime_client)?;
    steps.run("generated shapes are what the models give", codegen::check)?;
    steps.run("lints", |root| {
        cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])
    })?;
    steps.run("tests of the crates", crate_tests)?;
    steps.run("conformance: real SDKs and command lines against the binary", conformance)?;
    steps.report();
    Ok(())
}

/// Only the conformance suite, with what is built already being brought up to date first.
pub fn conformance_only(root: &Path, arguments: &[String]) -> Result<()> {
    install_python(root)?;
    install_javascript(root)?;
    if std::env::var_os("FREEHOLD_BINARY").is_none() {
        cargo(root, &["build", "-p", "freehold"])?;
    }
    pytest(root, arguments)
}

/// The load programs of `bench/`, on release builds of both.
pub fn bench(root: &Path, arguments: &[String]) -> Result<()> {
    cargo(root, &["build", "--release", "-p", "freehold", "-p", "bench"])?;
    check(Command::new(root.join("target/release/bench")).args(arguments).current_dir(root))
}

struct Steps<'a> {
    root: &'a Path,
    times: Vec<(&'static str, Duration)>,
}

impl Steps<'_> {
    fn run(&mut self, name: &'static str, step: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        println!("\n=== {name}");
        let start = Instant::now();
        step(self.root).with_context(|| format!("failed: {name}"))?;
        self.times.push((name, start.elapsed()));
        Ok(())
    }

    fn report(&self) {
        println!("\n=== all held");
        for (name, time) in &self.times {
            println!("{:>6.1} s  {name}", time.as_secs_f64());
        }
    }
}

fn crate_tests(root: &Path) -> Result<()> {
    // nextest runs the tests of all crates side by side and kills what hangs; without it the ordinary runner does the same
    // work, slower.
    let has_nextest =
        Command::new(env!("CARGO")).args(["nextest", "--version"]).output().is_ok_and(|o| o.status.success());
    let run: &[&str] = if has_nextest { &["nextest", "run"] } else { &["test"] };
    let mut tests = Command::new(env!("CARGO"));
    tests.args(run).args(["--workspace", "--locked", "--no-fail-fast"]).current_dir(root);
    let client = runtime_client(root);
    if client.join(RUNTIME_CLIENT).is_file() {
        tests.env("FREEHOLD_AWSLAMBDARIC", client);
    }
    check(&mut tests)
}

fn conformance(root: &Path) -> Result<()> {
    pytest(root, &[])
}

fn pytest(root: &Path, arguments: &[String]) -> Result<()> {
    let mut pytest = Command::new(venv(root).join("bin/python"));
    pytest
        .args(["-m", "pytest", "-q", "-rs", "--strict-markers", "-p", "no:cacheprovider", "conformance"])
        .args(arguments);
    check(pytest.current_dir(root))
}

/// Makes `.venv` and installs `conformance/requirements.txt` into it, unless that was done for this very list.
fn install_python(root: &Path) -> Result<()> {
    let wanted_path = root.join("conformance/requirements.txt");
    let wanted = std::fs::read_to_string(&wanted_path)?;
    let stamp = venv(root).join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("{} is up to date", venv(root).display());
        return Ok(());
    }
    if !venv(root).join("bin/python").exists() {
        check(Command::new("python3").args(["-m", "venv"]).arg(venv(root))).context(
            "the conformance suite needs Python 3 with the module venv (Debian: apt-get install python3-venv)",
        )?;
    }
    let mut pip = Command::new(venv(root).join("bin/python"));
    check(pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&wanted_path))?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}

/// Installs what `conformance/javascript/package-lock.json` names, unless that was done for this very list. A machine without npm goes
/// without: the tests that need it say so.
fn install_javascript(root: &Path) -> Result<()> {
    let folder = root.join("conformance/javascript");
    let wanted = std::fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/installed-lock.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("{} is up to date", folder.display());
        return Ok(());
    }
    if !Command::new("npm").arg("--version").output().is_ok_and(|found| found.status.success()) {
        println!("npm is not there: the JavaScript clients are not tried");
        return Ok(());
    }
    check(Command::new("npm").args(["ci", "--ignore-scripts", "--no-progress"]).current_dir(&folder))?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}

/// What guests of the crates' tests import: AWS's own client of the Runtime API, and the mark of its version.
const RUNTIME_CLIENT: &str = "awslambdaric-4.2.2.dist-info/METADATA";

fn runtime_client(root: &Path) -> PathBuf {
    venv(root).join("runtime-client")
}

/// Installs AWS's runtime client in a folder of its own, for the machine's Python, which guests run on, and not for `.venv`'s. It is
/// partly native: where there is none for that Python, the test that needs it says so.
fn install_runtime_client(root: &Path) -> Result<()> {
    let (folder, python) = (runtime_client(root), Path::new("/usr/bin/python3"));
    if folder.join(RUNTIME_CLIENT).is_file() {
        println!("{} is up to date", folder.display());
        return Ok(());
    }
    if !python.exists() {
        println!("{} is not there: the client is not tried", python.display());
        return Ok(());
    }
    let mut pip = Command::new(venv(root).join("bin/python"));
    pip.args(["-m", "pip", "--python"]).arg(python).args(["install", "--quiet", "--upgrade", "--only-binary", ":all:"]);
    pip.arg("--target").arg(&folder).arg("awslambdaric==4.2.2");
    if let Err(error) = check(&mut pip) {
        println!("the client cannot be installed and is not tried: {error:#}");
    }
    Ok(())
}

fn venv(root: &Path) -> PathBuf {
    root.join(".venv")
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    check(Command::new(env!("CARGO")).args(arguments).current_dir(root))
}

fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{} ended with {status}", command.get_program().display());
    }
    Ok(())
}
