//! The way in.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandbox::Host;

use crate::bootstraps::Bootstraps;
use crate::code::{CodeError, CodeId, Codes};
use crate::container::{self, Container, ContainerError, ImageArchive, Reach};
use crate::guest::http::{Answer, Reply, Unanswered};
use crate::image::{Image, Settings};
use crate::invocation::{Invocation, Outcome, RunFault};
use crate::languages::{LanguageError, LanguageStatus, family_of};
use crate::monitor::{Monitor, Pulse};
use crate::network;
use crate::options::Options;
use crate::pool::Provisioned;
use crate::pump::Pump;
use crate::shared::Shared;
use crate::start;
use crate::stock::{BootedAhead, Stock};
use crate::tally::Counts;
use crate::wasi;

/// The compute of one node. Cheap to clone; when the last clone is dropped, all guests end.
#[derive(Clone)]
pub struct Compute {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
}

/// Compute could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine lacks isolation that was required.
    #[error(transparent)]
    Isolation(#[from] sandbox::StartError),
    /// Functions are to reach less than the world, and the machine has no networks of their own for them.
    #[error("{reason}")]
    Network {
        /// Why not.
        reason: String,
    },
    /// Its folder cannot be used.
    #[error("{dir} cannot be used: {source}")]
    Folder {
        /// Which.
        dir: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One instance, for people.
#[derive(Clone, Debug)]
pub struct InstanceState {
    /// The function's ARN, without a version.
    pub arn: String,
    /// The function's name.
    pub function: String,
    /// The version that it runs.
    pub version: String,
    /// Its log stream, which is its identity.
    pub log_stream: String,
    /// What it does now.
    pub activity: Activity,
    /// The process id of its first process on the host.
    pub pid: i32,
    /// Its memory limit in MB.
    pub memory_mb: u32,
    /// What its processes have in memory now, in bytes: of pages that others have too, such as an interpreter's, a share, so that the sum
    /// over all instances is what they take. 0 where the machine does not tell.
    pub memory_bytes: u64,
    /// How long it has lived.
    pub age: Duration,
    /// How many attempts it has taken.
    pub attempts: u64,
}

/// What a function has done since the node started.
#[derive(Clone, Debug)]
pub struct FunctionState {
    /// Its ARN, without a version.
    pub arn: String,
    /// In numbers.
    pub counts: Counts,
}

/// What an instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It waits for an attempt.
    Idle,
    /// It has waited for so long that its processes stand still.
    Frozen,
    /// It has one.
    Busy,
}

impl Activity {
    fn of(pulse: &Pulse) -> Self {
        match (pulse.is_busy(), pulse.frozen.load(Ordering::Relaxed)) {
            (true, _) => Self::Busy,
            (false, true) => Self::Frozen,
            (false, false) => Self::Idle,
        }
    }
}

impl Compute {
    /// Finds out about the machine (some milliseconds), and starts the background work. Call it within a tokio runtime.
    pub fn new(options: Options) -> Result<Self, StartError> {
        let folder = |source| StartError::Folder { dir: options.dir.clone(), source };
        std::fs::create_dir_all(&options.dir).map_err(folder)?;
        let codes = Codes::open(options.dir.join("code"), options.random.clone()).map_err(folder)?;
        let bootstraps = Bootstraps::write(&options.dir.join("languages")).map_err(folder)?;
        let host = Host::new(options.sandbox, options.helper.clone())?.boot_all()?;
        network::check(&host, options.network).map_err(|reason| StartError::Network { reason })?;
        let pump = Pump::start(Arc::clone(&options.logs));
        let shared = Shared::new(options, host, codes, bootstraps, pump);
        Monitor::run(&shared);
        Stock::run(&shared);
        Ok(Self { inner: Arc::new(Inner { shared }) })
    }

    /// Every language and what runs it here, looked up anew. Blocks for some milliseconds per interpreter the first time.
    pub fn languages(&self) -> Vec<LanguageStatus> {
        self.inner.shared.languages.all()
    }

    /// One language, if functions in it can run here: ask before accepting one. The error says what to install. Blocks like
    /// [`Compute::languages`] the first time.
    pub fn language(&self, name: &str) -> Result<LanguageStatus, LanguageError> {
        self.inner.shared.languages.resolve(name).map(|resolved| resolved.status)
    }

    /// What isolation is on, and what this machine cannot give, with the reasons.
    pub fn isolation(&self) -> sandbox::Report {
        self.inner.shared.host.report().clone()
    }

    /// Checks a zip package and unpacks it, once for all functions that have the same. Idempotent.
    pub async fn prepare(&self, package: Bytes) -> Result<CodeId, CodeError> {
        let codes = Arc::clone(&self.inner.shared.codes);
        let done = tokio::task::spawn_blocking(move || codes.prepare(&package)).await;
        done.unwrap_or_else(|error| Err(CodeError::Disk { source: io::Error::other(error) }))
    }

    /// Makes a function's code ready to run, beyond unpacking it: WebAssembly is compiled, which may take seconds, and refused if it
    /// cannot be run. What was compiled is kept on disk, so that asking again is cheap.
    pub async fn compile(&self, code: &CodeId, language: &str, handler: &str) -> Result<(), CodeError> {
        let shared = Arc::clone(&self.inner.shared);
        let (Some(code), Some(family)) = (shared.codes.path(code), family_of(language)) else {
            return Ok(());
        };
        let handler = handler.to_owned();
        let compile = move || match wasi::binary(&code, family, &handler) {
            Some(binary) => shared.wasi.prepare(&binary).map(drop),
            None => Ok(()),
        };
        let done = tokio::task::spawn_blocking(compile).await;
        done.unwrap_or_else(|error| Err(CodeError::Disk { source: io::Error::other(error) }))
    }

    /// Finds a container image, and unpacks it if it is not here: it can be run when this returns. See [`Reach`] for whom to let name
    /// what.
    pub async fn pin(&self, image: &str, reach: Reach) -> Result<Container, ContainerError> {
        container::source_of(image, reach)?;
        self.check_root()?;
        self.inner.shared.containers.pin(image, reach).await
    }

    /// Begins to take in an archive of images (what `docker save` made, or an OCI image layout as a tar), which is called so.
    pub async fn receive_image(&self, name: &str) -> Result<ImageArchive, ContainerError> {
        self.check_root()?;
        self.inner.shared.containers.receive(name).await
    }

    fn check_root(&self) -> Result<(), ContainerError> {
        let host = &self.inner.shared.host;
        if host.has_own_root() && host.can_place() {
            return Ok(());
        }
        let reason = host.report().reason(sandbox::Part::Namespaces).unwrap_or("there are none").to_owned();
        Err(ContainerError::NoRoot { reason })
    }

    /// Makes a pinned image ready to run again, after the node was started or the image was swept. Cheap if it is ready.
    pub async fn prepare_container(&self, container: &Container) -> Result<(), ContainerError> {
        self.inner.shared.containers.ready(container).await
    }

    /// True if a pinned image can be run at once.
    pub fn has_container(&self, container: &Container) -> bool {
        self.inner.shared.containers.find(container).is_some()
    }

    /// Lays unpacked layers over each other, later ones over earlier ones, for [`Settings::layers`]. Idempotent. None if one of them is
    /// not unpacked here.
    pub async fn lay(&self, layers: &[CodeId]) -> Result<Option<()>, CodeError> {
        let (codes, layers) = (Arc::clone(&self.inner.shared.codes), layers.to_vec());
        let done = tokio::task::spawn_blocking(move || codes.lay(&layers)).await;
        done.unwrap_or_else(|error| Err(CodeError::Disk { source: io::Error::other(error) }))
    }

    /// What the files of unpacked code have together, in bytes; none if it is not unpacked here.
    pub async fn unpacked_bytes(&self, code: &CodeId) -> Result<Option<u64>, CodeError> {
        let (codes, code) = (Arc::clone(&self.inner.shared.codes), code.clone());
        let done = tokio::task::spawn_blocking(move || codes.bytes(&code)).await;
        done.unwrap_or_else(|error| Err(CodeError::Disk { source: io::Error::other(error) }))
    }

    /// True if the code is unpacked here. It is not after the machine was booted: prepare it again then.
    pub fn has_code(&self, code: &CodeId) -> bool {
        self.inner.shared.codes.path(code).is_some()
    }

    /// Removes all unpacked code that is neither in `wanted`, nor newer than a quarter of an hour, nor of an instance that lives; and
    /// the same of container images.
    pub async fn retain_code(&self, mut wanted: HashSet<CodeId>, containers: Vec<Arc<Container>>) -> io::Result<()> {
        wanted.extend(self.inner.shared.monitor.pulses().into_iter().flat_map(|pulse| pulse.identity.codes.clone()));
        let images: Vec<Vec<CodeId>> = containers.iter().map(|container| container.layers.clone()).collect();
        let codes = Arc::clone(&self.inner.shared.codes);
        let shared = Arc::clone(&self.inner.shared);
        let retained = tokio::task::spawn_blocking(move || {
            codes.retain(&wanted)?;
            shared.wasi.forget_gone();
            shared.containers.retain(&images).map_err(io::Error::other)?;
            shared.stock.forget_gone();
            Ok(())
        });
        retained.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// The guests that are booted ahead.
    pub fn booted_ahead(&self) -> BootedAhead {
        self.inner.shared.stock.counts()
    }

    /// How many instances are starting.
    pub fn starting(&self) -> u32 {
        self.inner.shared.starting()
    }

    /// What functions that are WebAssembly have in memory now, all together, in bytes: they have no processes of their own.
    pub fn in_process_bytes(&self) -> u64 {
        self.inner.shared.wasi.memory_bytes()
    }

    /// A function is there that may be called: a guest of its kind is booted ahead, or its binary made ready to run. Does nothing for a
    /// language that is not installed. Blocks while it reads.
    pub fn expect(&self, settings: &Settings) {
        let shared = &self.inner.shared;
        if let Some(binary) = self.binary(settings) {
            // What is wrong with it is told to whoever calls it.
            drop(shared.wasi.prepare(&binary));
        } else if let Ok(resolved) = shared.languages.resolve_for(settings) {
            start::expect(shared, settings, &resolved);
        }
    }

    /// A function is still there, whether it is called or not: guests of its kind go on being booted ahead. To be said at least every two
    /// hours. Blocks while it reads.
    pub fn keep_expecting(&self, settings: &Settings) {
        let shared = &self.inner.shared;
        if self.binary(settings).is_none()
            && let Ok(resolved) = shared.languages.resolve_for(settings)
        {
            start::keep(shared, settings, &resolved);
        }
    }

    /// Loads an image: the same one again if function, version and revision are the same, else a new one, and instances of the old
    /// revision end (busy ones after their call). Cheap; starts no instance, but one of its kind is booted ahead.
    pub fn image(&self, settings: Settings) -> Result<Arc<Image>, LanguageError> {
        let shared = &self.inner.shared;
        let resolved = shared.languages.resolve_for(&settings)?;
        let image = shared.image(&settings.clone(), |pool| Image::new(settings, resolved, pool));
        if self.binary(&image).is_none() {
            start::expect(shared, &image, &image.resolved);
        }
        Ok(image)
    }

    /// Keeps so many instances of an image started and initialised, whether anybody calls or not; none if 0. Returns at once:
    /// [`Compute::provisioned`] tells how far that is. Lasts until the image is retired.
    pub fn provision(&self, image: &Arc<Image>, wanted: u32) {
        match self.binary(image) {
            None => image.pool.provision(&self.inner.shared, image, wanted),
            Some(_) => {
                let before = image.pool.provisioned().wanted;
                image.pool.provision_in_process(wanted);
                if (before == 0) != (wanted == 0)
                    && let Some(Some(function)) = image.in_process.get()
                {
                    function.renew();
                }
            }
        }
    }

    /// What has come of [`Compute::provision`].
    pub fn provisioned(&self, image: &Image) -> Provisioned {
        image.pool.provisioned()
    }

    /// Whether a function takes requests as they are ([`Compute::converse`]), as web servers and WASI-HTTP components do. None as long as
    /// its code is not there or was not compiled. Reads a few bytes of its code.
    pub fn takes_requests(&self, settings: &Settings) -> Option<bool> {
        let shared = &self.inner.shared;
        if settings.container.is_some() {
            return Some(settings.is_server());
        }
        shared.codes.path(&settings.code)?;
        match self.binary(settings) {
            Some(binary) => shared.wasi.kind(&binary).map(|kind| kind == wasm::Kind::Http),
            None => Some(settings.is_server()),
        }
    }

    /// The WebAssembly binary that a function runs, if its code is here and is that.
    fn binary(&self, settings: &Settings) -> Option<PathBuf> {
        if settings.container.is_some() {
            return None;
        }
        let family = family_of(&settings.language)?;
        wasi::binary(&self.inner.shared.codes.path(&settings.code)?, family, &settings.handler)
    }

    /// Runs a function once. Waits for an instance and starts one where that pays.
    ///
    /// An error of the function is an [`Outcome`]; a [`RunFault`] means that it never ran. If the future is dropped, an attempt
    /// that has begun runs to its end all the same.
    pub async fn run(&self, image: &Arc<Image>, invocation: impl Into<Arc<Invocation>>) -> Result<Outcome, RunFault> {
        let (shared, invocation) = (&self.inner.shared, invocation.into());
        let admission = shared.admit(image)?;
        if let Some(function) = wasi::Function::of(shared, image).await? {
            return wasi::run(shared, image, function, invocation, admission).await;
        }
        let attempt = image.pool.begin(shared, image, invocation, admission).await?;
        Ok(attempt.run().await)
    }

    /// Hands a request to a function that takes it as it is ([`Compute::takes_requests`]), and its answer back as it comes. The invocation
    /// has the request ([`crate::Conversation::new`]), and `reply` is where its answer comes.
    ///
    /// The attempt lasts until the last byte of the answer, or until whoever reads it lets go of it; where both sides switched
    /// protocols, until either side closes. Its time limit holds all along. It goes on by itself when this has returned.
    ///
    /// After [`RunFault::CodeMissing`] the same invocation and reply can be used again.
    pub async fn converse(
        &self,
        image: &Arc<Image>,
        invocation: impl Into<Arc<Invocation>>,
        reply: &mut Reply,
    ) -> Result<Answer, Unanswered> {
        // Dropped when the answer has come: what has begun goes on.
        let mut run = std::pin::pin!(self.run(image, invocation));
        let outcome = tokio::select! {
            biased;
            // The sender is dropped without an answer only where the attempt failed, and that says how.
            Ok(answer) = &mut reply.0 => return Ok(answer),
            outcome = &mut run => outcome?,
        };
        // Both may have come at once.
        reply.0.try_recv().map_err(|_| Unanswered::Failed(Box::new(outcome)))
    }

    /// A function's code or configuration changed, or it is gone: its idle instances end now, busy ones after their call.
    pub fn retire(&self, function_arn: &str) {
        self.inner.shared.retire(function_arn);
    }

    /// Counts a call of a function that somebody refused because of a limit on concurrency, before it was run here.
    pub fn throttled(&self, function_arn: &str) {
        self.inner.shared.throttled(function_arn);
    }

    /// All functions that were called or loaded since the node started, by ARN.
    pub fn functions(&self) -> Vec<FunctionState> {
        let mut functions: Vec<FunctionState> =
            self.inner.shared.counts().into_iter().map(|(arn, counts)| FunctionState { arn, counts }).collect();
        functions.sort_by(|one, other| one.arn.cmp(&other.arn));
        functions
    }

    /// All instances that live. Some system calls for each.
    pub fn instances(&self) -> Vec<InstanceState> {
        let (pulses, now) = (self.inner.shared.monitor.pulses(), self.inner.shared.options.clock.elapsed());
        pulses
            .iter()
            .filter(|pulse| pulse.is_instance())
            .map(|pulse| InstanceState {
                arn: pulse.identity.arn.clone(),
                function: pulse.identity.function.clone(),
                version: pulse.identity.version.clone(),
                log_stream: pulse.identity.log_stream.clone(),
                activity: Activity::of(pulse),
                pid: pulse.identity.pid,
                memory_mb: pulse.identity.memory_mb,
                memory_bytes: pulse.memory_bytes(),
                age: now.saturating_sub(pulse.identity.born),
                attempts: pulse.attempts.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// Hands everything that functions have printed so far to the sink.
    pub async fn flush_logs(&self) {
        self.inner.shared.pump.flush().await;
    }

    /// Admits nothing more, waits for what runs, ends all guests, and hands the last lines to the sink. After `patience` it ends
    /// what still runs; false then.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        let shared = &self.inner.shared;
        let until = Instant::now() + patience;
        shared.stop();
        let mut drained = shared.in_flight() == 0;
        while !drained && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
            drained = shared.in_flight() == 0;
        }
        if !drained {
            shared.monitor.kill_all();
            shared.wasi.cut_all();
        }
        let ended = shared.tasks.shut_down(until.saturating_duration_since(Instant::now())).await;
        shared.pump.flush().await;
        drained && ended
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
