//! Where the models come from: the Python package `botocore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::model::Model;

/// Prints the package's version and the newest model of each service named.
const SCRIPT: &str = "
import json, sys
try:
    import botocore, botocore.loaders
except ImportError:
    sys.exit(3)
loader = botocore.loaders.Loader(include_default_search_paths=False)
loader.search_paths.append(loader.BUILTIN_DATA_PATH)
models = {name: loader.load_service_model(name, 'service-2') for name in sys.argv[1:]}
json.dump({'version': botocore.__version__, 'models': models}, sys.stdout)
";

#[derive(Deserialize)]
struct Loaded {
    version: String,
    models: BTreeMap<String, Model>,
}

/// Reads the models of the services, and refuses if they are not of the pinned version.
pub(super) fn load<'a>(
    root: &Path,
    pinned: &str,
    services: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Model>> {
    let python = python(root);
    let output = Command::new(&python)
        .args(["-c", SCRIPT])
        .args(services)
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    match output.status.code() {
        Some(0) => {}
        Some(3) => bail!(
            "{} has no package botocore; `python3 -m venv .venv && .venv/bin/pip install botocore=={pinned}`, or name a \
             virtual environment that has it in FREEHOLD_BOTOCORE",
            python.display()
        ),
        _ => bail!("reading the models failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
    let loaded: Loaded = serde_json::from_slice(&output.stdout).context("the models are not as expected")?;
    ensure!(
        loaded.version == pinned,
        "the generated shapes are of botocore {pinned}, and {} has {}: install {pinned}, or change `botocore` in \
         crates/wire/models.toml and look at what changes",
        python.display(),
        loaded.version
    );
    Ok(loaded.models)
}

/// The interpreter of the virtual environment that `FREEHOLD_BOTOCORE` names, of `.venv`, or the machine's.
fn python(root: &Path) -> PathBuf {
    if let Some(venv) = std::env::var_os("FREEHOLD_BOTOCORE") {
        return PathBuf::from(venv).join("bin/python");
    }
    let local = root.join(".venv/bin/python");
    if local.exists() { local } else { PathBuf::from("python3") }
}
