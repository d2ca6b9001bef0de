//! An image: code and settings, the immutable version of a function. Changing either makes a new image.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::code::CodeId;
use crate::container::Container;
use crate::guest::http;
use crate::languages::{self, Family, Resolved};
use crate::log_format::LogFormat;
use crate::pool::Pool;
use crate::wasi::Function;

/// A loaded image: keep one for as long as its function version is called, because its instances live and die with it.
///
/// Made by [`crate::Compute::image`].
pub struct Image {
    settings: Settings,
    pub(crate) resolved: Resolved,
    pub(crate) pool: Arc<Pool>,
    /// How many calls one instance takes at a time.
    pub(crate) calls_at_a_time: u32,
    /// Set once it is known whether its code is WebAssembly.
    pub(crate) in_process: OnceCell<Option<Function>>,
}

impl Image {
    pub(crate) fn new(settings: Settings, resolved: Resolved, pool: Arc<Pool>) -> Self {
        let calls_at_a_time = match resolved.family {
            Family::Http => http::concurrency(&settings.environment),
            Family::Javascript | Family::Python | Family::Provided => 1,
        };
        Self { settings, resolved, pool, calls_at_a_time, in_process: OnceCell::new() }
    }
}

impl Image {
    /// Whether the function is a web server: [`crate::Compute::converse`] hands requests through to it.
    pub fn is_server(&self) -> bool {
        self.resolved.family == Family::Http
    }
}

impl Deref for Image {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Everything that decides how instances of a function version are made.
#[derive(Clone)]
pub struct Settings {
    /// The function's name.
    pub function: String,
    /// The function's ARN, without a version.
    pub arn: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Changes whenever code or configuration do; two settings of one function and version with the same revision are the same.
    pub revision: String,
    /// Of two settings of one function and version, the greater one is the newer one.
    pub sequence: u64,
    /// The unpacked code, from [`crate::Compute::prepare`]; of a container image, its digest.
    pub code: CodeId,
    /// The container image that is its code, if it is that; then it says what runs, and language and handler are not looked at. What it
    /// says of the environment is in `environment` already.
    pub container: Option<Arc<Container>>,
    /// What lies at `/opt`: its layers, from [`crate::Compute::lay`].
    pub layers: Vec<CodeId>,
    /// `nodejs24.x`, `python3.13`, `provided.al2023`.
    pub language: String,
    /// `index.handler`; `provided` looks at it only where it names a WebAssembly binary: `app.wasm`.
    pub handler: String,
    /// The user's own variables; ours are added.
    pub environment: BTreeMap<String, String>,
    /// In MB of 2²⁰ bytes.
    pub memory_mb: u32,
    /// The size of `/tmp`, in MB of 2²⁰ bytes.
    pub tmp_mb: u32,
    /// How long one attempt may take, when the invocation does not say less.
    pub timeout: Duration,
    /// The most attempts of this function at a time, if it has a number of its own.
    pub concurrency_reserved: Option<u32>,
    /// Where the log goes, such as `/aws/lambda/NAME`.
    pub log_group: String,
    /// How it is written there, and what of it.
    pub log_format: LogFormat,
    /// What `AWS_REGION` says.
    pub region: String,
    /// Asked once for each new instance.
    pub credentials: CredentialsHook,
}

impl Settings {
    /// The same as [`Image::is_server`], before there is an image.
    pub fn is_server(&self) -> bool {
        match &self.container {
            Some(container) => container.adapted || http::is_server(Family::Provided, &self.environment),
            None => is_server(&self.language, &self.environment),
        }
    }
}

/// Whether functions in a language, with these variables of their own, are web servers.
pub fn is_server(language: &str, environment: &BTreeMap<String, String>) -> bool {
    languages::family_of(language).is_some_and(|family| http::is_server(family, environment))
}

/// Makes short-lived credentials of the function's role. An error fails the start of that instance.
pub type CredentialsHook = Arc<dyn Fn() -> BoxFuture<'static, Result<Credentials, String>> + Send + Sync>;

/// What the AWS SDKs inside a function sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

impl std::fmt::Debug for Credentials {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
