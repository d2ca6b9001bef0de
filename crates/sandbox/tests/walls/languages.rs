//! Languages do their usual work inside: everything that the list of system calls and the file rules must not be in the way of.
//! Each that is on the `PATH` is tried, in each version that is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox::{Exit, Host, Mode, Mount, Network, Part, Plan};

use crate::harness::{host, lacks, plan, run};

/// Every program of that name on the `PATH`, by its own path, each once.
fn programs(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> =
        std::env::split_paths(&path).filter_map(|folder| fs::canonicalize(folder.join(name)).ok()).collect();
    // A script that chooses among versions is none.
    found.retain(|one| fs::read(one).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    found.sort();
    found.dedup();
    found
}

/// Runs a program with what it is given, and its own folders in view.
fn works(host: &Host, program: &Path, words: &[&str], code: &Path) {
    let mut mounts = vec![Mount { source: code.to_owned(), target: PathBuf::from("/var/task") }];
    let mut wanted: Vec<PathBuf> = Vec::new();
    if !program.starts_with("/usr") && !program.starts_with("/var/task") {
        // Beside `bin`.
        wanted.extend(program.ancestors().nth(2).map(Path::to_owned));
    }
    mounts.extend(
        wanted.into_iter().filter(|path| path.is_dir()).map(|path| Mount { source: path.clone(), target: path }),
    );
    let plan = Plan {
        program: program.to_owned(),
        arguments: words.iter().map(|word| (*word).to_owned()).collect(),
        environment: vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("HOME".to_owned(), "/tmp".to_owned()),
            ("JAVA_TOOL_OPTIONS".to_owned(), "-Xmx256m -Xlog:disable -Xlog:all=off".to_owned()),
        ],
        mounts,
        tmp_bytes: 64 << 20,
        memory_bytes: 1 << 30,
        processes_max: 512,
        files_max: 1024,
        network: Network::Platform,
        ..plan("")
    };
    let ended = run(host, &plan);
    assert!(
        ended.exit == Exit::Code(0) && ended.output.lines().any(|line| line == "works"),
        "{}: {ended:#?}",
        program.display()
    );
    println!("{} works", program.display());
}

/// A host, and a folder with the code.
fn ground() -> Option<(Host, tempfile::TempDir)> {
    let host = host(Mode::Auto);
    if lacks(&host, Part::Namespaces) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (name, text) in [
        ("work.mjs", include_str!("languages/work.mjs")),
        ("work.py", include_str!("languages/work.py")),
        ("work.c", include_str!("languages/work.c")),
        ("Work.java", include_str!("languages/Work.java")),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Some((host, folder))
}

#[test]
fn node_works() {
    let Some((host, folder)) = ground() else { return };
    programs("node").iter().for_each(|node| works(&host, node, &["/var/task/work.mjs"], folder.path()));
}

#[test]
fn python_works() {
    let Some((host, folder)) = ground() else { return };
    for python in programs("python3") {
        works(&host, &python, &["-B", "/var/task/work.py"], folder.path());
    }
}

#[test]
fn java_works() {
    let Some((host, folder)) = ground() else { return };
    programs("java").iter().for_each(|java| works(&host, java, &["/var/task/Work.java"], folder.path()));
}

#[test]
fn native_programs_work() {
    let Some((host, folder)) = ground() else { return };
    let built = Command::new("cc")
        .args(["-O1", "-pthread", "-o"])
        .arg(folder.path().join("work"))
        .arg(folder.path().join("work.c"))
        .output();
    match built {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return base::trial::skip(format_args!("no C compiler here: {error}")),
    }
    works(&host, Path::new("/var/task/work"), &[], folder.path());
}
