//! `cargo xtask codegen [--check]`: the public service models become Rust, one file per service.
//!
//! What to serve and from which version of the models is in `crates/wire/models.toml`. The models come with the Python
//! package `botocore`; their prose never enters the output. The same models always give the same bytes, which `--check` holds
//! the committed files against.

mod adapt;
mod emit;
mod model;
mod names;
mod pattern;
mod source;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// `models.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    botocore: String,
    services: BTreeMap<String, ServicePlan>,
}

/// What is wanted of one service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicePlan {
    invalid: String,
    malformed: String,
    missing: Option<String>,
    fault_types: Option<(String, String)>,
    served: Vec<String>,
    #[serde(default)]
    values: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    patterns: BTreeMap<String, (String, String)>,
    #[serde(default)]
    media_types: BTreeMap<String, String>,
    #[serde(default)]
    protocols: Vec<String>,
    xml_namespace: Option<String>,
    #[serde(default)]
    plain: Vec<String>,
    #[serde(default)]
    streams: bool,
    #[serde(default)]
    roots: BTreeMap<String, String>,
    #[serde(default)]
    query_names: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    query_codes: BTreeMap<String, String>,
    #[serde(default)]
    statuses: BTreeMap<String, String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    exceptions: BTreeMap<String, String>,
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default)]
    checksummed: bool,
}

/// Writes the generated files anew.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (path, text) in generate(root)? {
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.strip_prefix(root).unwrap_or(&path).display());
    }
    Ok(())
}

/// Fails if the committed files are not what the models give.
pub(crate) fn check(root: &Path) -> Result<()> {
    let stale: Vec<String> = generate(root)?
        .into_iter()
        .filter(|(path, text)| std::fs::read_to_string(path).ok().as_ref() != Some(text))
        .map(|(path, _)| path.strip_prefix(root).unwrap_or(&path).display().to_string())
        .collect();
    ensure!(stale.is_empty(), "not what the models give: {}; run `cargo xtask codegen`", stale.join(", "));
    Ok(())
}

fn plan(root: &Path) -> Result<Plan> {
    let path = root.join("crates/wire/models.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a plan", path.display()))
}

fn generate(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let plan = plan(root)?;
    let mut models = source::load(root, &plan.botocore, plan.services.keys())?;
    let mut files = Vec::new();
    for (name, wanted) in &plan.services {
        let model = models.get_mut(name).with_context(|| format!("botocore has no service {name}"))?;
        adapt::adapt(model, wanted).with_context(|| format!("service {name}"))?;
        let text = emit::service(name, model, wanted, &plan.botocore).with_context(|| format!("service {name}"))?;
        files.push((root.join(format!("crates/wire/src/shapes/{name}.rs")), rustfmt(root, &text)?));
    }
    Ok(files)
}

/// Formats as `cargo fmt` would.
fn rustfmt(root: &Path, text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    // rustfmt reads all of its input before it writes, so the pipes cannot block each other.
    child.stdin.take().context("rustfmt has no input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt refuses the generated code");
    }
    Ok(String::from_utf8(output.stdout)?)
}
