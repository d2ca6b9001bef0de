//! What a guest is: its program, what it sees, and its limits. All but the function's code, which comes when it is somebody's.

use std::path::PathBuf;

use sandbox::{Mount, Network, Plan};

use super::layout::{BOOTSTRAP, Layout, RUNTIME_DIR};
use crate::container;
use crate::environment;
use crate::image::Settings;
use crate::languages::{Family, Interpreter, Resolved};

/// Lambda's limits for one execution environment.
pub(super) const PROCESSES_MAX: u32 = 1024;
const FILES_MAX: u32 = 1024;

/// What runs, with all but the code.
pub(super) fn plan(
    settings: &Settings,
    network: Network,
    resolved: &Resolved,
    layout: &Layout,
    variables: &[(String, String)],
) -> Plan {
    let (family, interpreter) = (resolved.family, resolved.status.interpreter.as_ref());
    let bootstrap = || layout.bootstrap().unwrap_or_else(|| layout.task_root.join(BOOTSTRAP));
    let program = interpreter.map_or_else(bootstrap, |one| one.path.clone());
    let script = |name: &str| layout.runtime_dir.join(name).to_string_lossy().into_owned();
    let arguments = match family {
        Family::Javascript => {
            let mut arguments = node_memory(settings);
            arguments.push(script("main.js"));
            arguments
        }
        Family::Python => vec![script("bootstrap.py")],
        Family::Provided | Family::Http => Vec::new(),
    };
    let runtime = || Mount { source: layout.runtime.clone(), target: PathBuf::from(RUNTIME_DIR) };
    let mut mounts: Vec<Mount> = layout.root.is_none().then(runtime).into_iter().collect();
    let own = interpreter.filter(|_| family != Family::Http).map(|interpreter| (family, interpreter));
    let tools = resolved.tools.iter().map(|(family, interpreter)| (*family, interpreter));
    let seen: Vec<(Family, &Interpreter)> = own.into_iter().chain(tools).collect();
    let needs = seen.iter().filter_map(|(_, interpreter)| interpreter.needs.as_ref());
    mounts.extend(needs.map(|needs| Mount { source: needs.clone(), target: needs.clone() }));
    let links = seen.iter().filter_map(|(family, interpreter)| {
        let name = match family {
            Family::Javascript => "/var/lang/bin/node",
            Family::Python => "/var/lang/bin/python3",
            Family::Provided | Family::Http => return None,
        };
        Some((PathBuf::from(name), interpreter.path.clone()))
    });
    let links = links.collect();
    let environment = match family {
        Family::Provided | Family::Http => variables.to_vec(),
        Family::Javascript | Family::Python => {
            variables.iter().filter(|(name, _)| environment::is_read_at_start(name)).cloned().collect()
        }
    };
    Plan {
        links,
        program,
        arguments,
        environment,
        directory: match &settings.container {
            Some(container) => container::directory(container),
            None => layout.task_root.clone(),
        },
        root: layout.root.as_ref().map(|root| root.path.clone()),
        mounts,
        tmp_bytes: u64::from(settings.tmp_mb) << 20,
        memory_bytes: memory_bytes(settings),
        processes_max: PROCESSES_MAX,
        files_max: FILES_MAX,
        network,
    }
}

pub(super) fn memory_bytes(settings: &Settings) -> u64 {
    u64::from(settings.memory_mb) << 20
}

/// Lambda's own shares: a tenth of the memory is left to what is not JavaScript's heap. What the function says in `NODE_OPTIONS`
/// counts instead.
fn node_memory(settings: &Settings) -> Vec<String> {
    let options = settings.environment.get("NODE_OPTIONS").map_or("", String::as_str).replace('_', "-");
    if options.contains("--max-old-space-size") || options.contains("--max-semi-space-size") {
        return Vec::new();
    }
    vec![
        format!("--max-old-space-size={}", settings.memory_mb * 9 / 10),
        format!("--max-semi-space-size={}", (settings.memory_mb / 20).max(1)),
    ]
}
