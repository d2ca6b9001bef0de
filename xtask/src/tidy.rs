//! House rules that run as a test: which crate may use which, that every file says what it is, that no file grows a second noun
//! unnoticed, and that the tests exist by which THREATS.md says its promises are held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde_json::Value;

/// Past this, look for the second noun. Generated files are exempt.
const FILE_LINES_MAX: usize = 700;

/// Checks the whole tree; the error lists everything that is wrong.
pub fn run(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    check_layers(root, &mut wrong)?;
    check_files(root, &mut wrong)?;
    check_threats(root, &mut wrong)?;
    ensure!(wrong.is_empty(), "the tree is not tidy:\n  {}", wrong.join("\n  "));
    Ok(())
}

/// Holds the edges between our crates against `xtask/layers.txt`, so that a new one is a visible line in a diff.
fn check_layers(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let committed = read_layers(&root.join("xtask/layers.txt"))?;
    let actual = cargo_edges(root)?;
    for (name, uses) in &actual {
        let Some(layer) = committed.get(name) else {
            wrong.push(format!("crate `{name}` has no line in xtask/layers.txt"));
            continue;
        };
        for used in uses.difference(&layer.uses) {
            wrong.push(format!("`{name}` uses `{used}`: a new edge; if it is meant, add it to xtask/layers.txt"));
        }
        for unused in layer.uses.difference(uses) {
            wrong
                .push(format!("xtask/layers.txt says that `{name}` uses `{unused}`, and it does not: delete it there"));
        }
        for used in uses {
            if committed.get(used).is_some_and(|below| below.floor >= layer.floor) {
                wrong.push(format!("`{name}` (floor {}) uses `{used}`, which is not on a lower floor", layer.floor));
            }
        }
    }
    for gone in committed.keys().filter(|name| !actual.contains_key(*name)) {
        wrong.push(format!("xtask/layers.txt names `{gone}`, which is no crate"));
    }
    Ok(())
}

struct Layer {
    floor: u32,
    uses: BTreeSet<String>,
}

/// Lines of the form `FLOOR NAME: USED USED …`; `#` begins a comment.
fn read_layers(path: &Path) -> Result<BTreeMap<String, Layer>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut layers = BTreeMap::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()).filter(|line| !line.is_empty()) {
        let (head, uses) = line.split_once(':').with_context(|| format!("layers.txt: no colon in '{line}'"))?;
        let (floor, name) = head.split_once(' ').with_context(|| format!("layers.txt: no floor in '{line}'"))?;
        let uses = uses.split_whitespace().map(str::to_owned).collect();
        layers.insert(name.trim().to_owned(), Layer { floor: floor.parse()?, uses });
    }
    Ok(layers)
}

/// Which of our crates uses which, tests aside: a test may reach anywhere.
fn cargo_edges(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut edges = BTreeMap::new();
    for package in packages {
        let uses = package["dependencies"].as_array().into_iter().flatten();
        let uses = uses.filter(|used| used["kind"].as_str() != Some("dev"));
        let uses = uses.filter_map(|used| used["name"].as_str()).filter(|name| ours.contains(name)).map(str::to_owned);
        edges.insert(package["name"].as_str().unwrap_or_default().to_owned(), uses.collect());
    }
    Ok(edges)
}

fn check_files(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz/fuzz_targets"] {
        collect_rust_files(&root.join(folder), &mut files)?;
    }
    for path in files {
        let text = fs::read_to_string(&path)?;
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        let generated = text.lines().take(5).any(|line| line.contains("@generated"));
        if !generated && !text.lines().take(3).any(|line| line.starts_with("//!") || line.starts_with("#![")) {
            wrong.push(format!("{name} does not open with what it is: begin it with a `//!` comment"));
        }
        let lines = text.lines().count();
        if !generated && lines > FILE_LINES_MAX {
            wrong.push(format!("{name} has {lines} lines (at most {FILE_LINES_MAX}): look for the second noun"));
        }
    }
    Ok(())
}

fn collect_rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect_rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Holds what THREATS.md names as tests (`several_words_like_this`) against the tests that there are.
fn check_threats(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let threats = root.join("THREATS.md");
    let text = fs::read_to_string(&threats).with_context(|| format!("cannot read {}", threats.display()))?;
    let mut files = Vec::new();
    collect_rust_files(&root.join("crates"), &mut files)?;
    let mut tests = BTreeSet::new();
    let function = Regex::new(r"\bfn ([a-z0-9_]+)\(")?;
    for file in files {
        let source = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        tests.extend(function.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    let files = Regex::new(r"conformance (test_[a-z_]+)")?;
    // A file of several words is no test of that name.
    for named in Regex::new(r"\b[a-z]+(?:_[a-z0-9]+){2,}\b")?.find_iter(&files.replace_all(&text, "")) {
        if !tests.contains(named.as_str()) {
            wrong.push(format!("THREATS.md names the test `{}`, which there is not", named.as_str()));
        }
    }
    for named in files.captures_iter(&text) {
        let file = root.join("conformance").join(&named[1]).with_extension("py");
        if !file.exists() {
            wrong.push(format!("THREATS.md names {}, which there is not", file.display()));
        }
    }
    Ok(())
}
