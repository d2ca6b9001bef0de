//! What a guest finds in its environment: Lambda's variables, the function's own, and credentials.

use std::path::Path;

use crate::container;
use crate::image::{Credentials, Settings};
use crate::instance::Origin;
use crate::languages::Family;
use crate::log_format::LogFormat;

/// What the variables are made of.
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) family: Family,
    /// None if what they are for has none yet.
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) log_stream: &'a str,
    pub(crate) origin: Origin,
    /// Where the code is, as the guest sees it.
    pub(crate) task_root: &'a Path,
    /// Where the bootstraps are, as the guest sees it.
    pub(crate) runtime_dir: &'a Path,
    pub(crate) endpoint_url: Option<&'a str>,
    /// `HOST:PORT` of the Runtime API, for guests that speak it.
    pub(crate) runtime_api: Option<String>,
    /// `PORT`, for guests that are servers.
    pub(crate) port: Option<u16>,
    /// What the host's own PATH adds, where the guest sees the host.
    pub(crate) host_path: Option<String>,
}

/// Variables that Lambda lets a function set as well; the function's word counts.
const YIELDING: &[&str] = &[
    "PATH",
    "LANG",
    "TZ",
    "LD_LIBRARY_PATH",
    "NODE_PATH",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "AWS_ENDPOINT_URL",
    "AWS_XRAY_CONTEXT_MISSING",
    "K_SERVICE",
    "K_CONFIGURATION",
    "K_REVISION",
];

/// Variables that a container image may set, besides those.
const OF_IMAGES: &[&str] = &["LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"];
/// Variables that tell of folders that container images do not have, or have elsewhere.
const NOT_OF_IMAGES: &[&str] = &["_HANDLER", "LANG", "LD_LIBRARY_PATH"];

/// All of them.
pub(crate) fn variables(facts: &Facts<'_>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = facts.settings.environment.clone().into_iter().collect();
    let is_image = facts.settings.container.is_some();
    for (name, value) in platform(facts) {
        if is_image && NOT_OF_IMAGES.contains(&name) {
            continue;
        }
        match all.iter().position(|(own, _)| own == name) {
            Some(_) if YIELDING.contains(&name) => {}
            // Only an image can have said so: functions may not.
            Some(_) if is_image && OF_IMAGES.contains(&name) => {}
            Some(at) => all[at].1 = value,
            None => all.push((name.to_owned(), value)),
        }
    }
    all
}

/// True if the function says something that an interpreter reads when it starts. Its interpreter is started when its code is there,
/// because what it says may name that; and no sooner, because with `NODE_OPTIONS` that is a way to run code.
pub(crate) fn starts_with_code(settings: &Settings) -> bool {
    settings.environment.keys().any(|name| is_read_at_start(name))
}

/// Those that an interpreter reads when it starts; the others reach a managed guest with its first frame, so that an interpreter can
/// be started before it is known for whom.
pub(crate) fn is_read_at_start(name: &str) -> bool {
    const PREFIXES: &[&str] = &["NODE_", "PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_", "SSL_", "OPENSSL_", "UV_"];
    // Read by programs and not by the interpreter; and common.
    if name == "NODE_ENV" {
        return false;
    }
    matches!(name, "PATH" | "LANG" | "LANGUAGE" | "TZ" | "HOME" | "TMPDIR")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn platform(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let settings = facts.settings;
    let (task, runtime) = (facts.task_root.display(), facts.runtime_dir.display());
    let path = match &settings.container {
        Some(_) => container::PATH,
        None => "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    };
    let path = facts.host_path.as_ref().map_or_else(|| path.to_owned(), |host| format!("{path}:{host}"));
    let mut all = vec![
        ("_HANDLER", settings.handler.clone()),
        ("AWS_REGION", settings.region.clone()),
        ("AWS_DEFAULT_REGION", settings.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", settings.function.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", settings.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", facts.origin.name().to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", settings.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", facts.log_stream.to_owned()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("LAMBDA_TASK_ROOT", task.to_string()),
        ("LAMBDA_RUNTIME_DIR", runtime.to_string()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", path),
        (
            "LD_LIBRARY_PATH",
            format!("/var/lang/lib:/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:/opt/lib"),
        ),
    ];
    if let LogFormat::Json { application, .. } = settings.log_format {
        all.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
        all.push(("AWS_LAMBDA_LOG_LEVEL", application.name().to_owned()));
    }
    if let Some(credentials) = facts.credentials {
        all.push(("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()));
        all.push(("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()));
        all.push(("AWS_SESSION_TOKEN", credentials.session_token.clone()));
    }
    match facts.family {
        Family::Javascript => {
            all.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", settings.language)));
            let major = settings.language.trim_end_matches(".x").trim_start_matches("nodejs");
            let layers = format!("/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules");
            all.push(("NODE_PATH", format!("{layers}:{runtime}/node_modules:{runtime}:{task}")));
        }
        Family::Python => {
            all.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", settings.language)));
            all.push(("PYTHONPATH", runtime.to_string()));
        }
        Family::Provided => {}
        Family::Http => {
            // What a server prints is in the log at once, and not when some pages of it are there.
            all.push(("PYTHONUNBUFFERED", "1".to_owned()));
            // What Knative and Cloud Run tell their servers.
            all.push(("K_SERVICE", settings.function.clone()));
            all.push(("K_CONFIGURATION", settings.function.clone()));
            all.push(("K_REVISION", format!("{}-{}", settings.function, settings.version.trim_start_matches('$'))));
        }
    }
    all.extend(facts.runtime_api.clone().map(|address| ("AWS_LAMBDA_RUNTIME_API", address)));
    all.extend(facts.port.map(|port| ("PORT", port.to_string())));
    all.extend(facts.endpoint_url.map(|url| ("AWS_ENDPOINT_URL", url.to_owned())));
    all
}
